// The ports that only servers of this host use, from which it begins no flow: docs/language.md, section 2, "Replies to what this host itself began".
#pragma once

#include <vector>

#include "compiler/proof/boxes.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc::proof {

struct Servers {
    std::vector<Interval> tcp;
    std::vector<Interval> udp;  // in the tunnel
    std::vector<Interval>
        outer;  // of UDP, outside of the tunnel: WireGuard's own, where what this host sends is judged
};

// Those that a policy names for its node. What serves on a running host may be more.
Servers servers_of(const Policy& policy, const Addresses& addresses, std::size_t node);

// Sorted, and what overlaps or touches joined.
std::vector<Interval> joined(std::vector<Interval> intervals);

}  // namespace policyc::proof
