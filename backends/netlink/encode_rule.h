// A rule of the Ruleset as nf_tables expressions.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/netlink/handles.h"
#include "compiler/ir.h"

namespace policyc::netlink {

// A set without a name that a rule brings along: `icmp type { 3, 11, 12 }`.
struct Anonymous {
    std::uint32_t id = 0;  // NFTA_SET_ID, by which the rule finds it in its batch
    Family family{};
    std::vector<std::uint8_t> types;  // of ICMP messages, the elements
};

// Fills in the expressions and the comment; table, chain and position are the caller's. The anonymous sets that it needs, which must
// come before it, are added to `sets` with ids from `next_id` on. A rule that holds an Unknown can't be encoded: false.
bool encode_rule(const ir::Rule& rule, nftnl_rule& out, std::vector<Anonymous>& sets, std::uint32_t& next_id);

}  // namespace policyc::netlink
