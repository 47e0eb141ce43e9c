// The expressions of a rule as statements.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backends/netlink/decode_elements.h"
#include "compiler/ir.h"

namespace policyc::netlink {

// Finds a set that has no name of its own, by the name the kernel gave it or the id it has in a batch; null where there is none.
using FindAnonymous = std::function<const SetInProgress*(const std::string& name, std::uint32_t id)>;

// Statement by statement, as long as the expressions are those that encode_rule() writes, with the registers it uses; the first that is
// not becomes one Unknown that holds all from there on. What a field expects of the packet (IPv4, TCP) must have been matched in the same rule: a
// rule that reads an IPv4 address of any packet is not what policyc writes. Handle and comment are set; a comment that isn't one makes the rule Unknown.
// `attributes` are those of a NFT_MSG_NEWRULE. Nothing where the bytes make no sense at all.
std::optional<ir::Rule> decode_rule(std::string_view attributes, const FindAnonymous& find);

}  // namespace policyc::netlink
