// Which addresses a policy speaks of: those of a host, and the sides of a node. Written from docs/language.md, section 2.
#pragma once

#include <vector>

#include "policy/address.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc::proof {

// Of both families. A name without an answer has none.
std::vector<Range> ranges_of(const Policy& policy, const Addresses& addresses, const Host& host);

// The near side: the node's own addresses and what it serves, less the addresses of other nodes. The far side: those of other nodes and what they serve,
// less the near side.
AddressSet near_side(const Policy& policy, std::size_t node);
AddressSet far_side(const Policy& policy, std::size_t node);

// Whether a tier, in force or not, names something on the far side.
bool answers_far(const Policy& policy, const Addresses& addresses, std::size_t node);

}  // namespace policyc::proof
