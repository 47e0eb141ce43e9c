// What would let a flow through that nothing does: another port, a grant, another day, another person.
#pragma once

#include <string>
#include <vector>

#include "compiler/explain.h"
#include "policy/belief.h"

namespace policyc::explain {

// By itself: not expired, and of no tier that waits for a grant or a session.
bool in_force(const Policy& policy, const reach::Permission& permission);

// The likeliest first, and no more than `most_misses`.
inline constexpr std::size_t most_misses = 8;
std::vector<Miss> near_misses(const Asked& asked, const reach::Permissions& permissions, const Flow& flow);

// Whether that is where a service is.
bool of_a_service(const Asked& asked, const Range& address);

// Why that name has no address.
Absence absence_of(const Asked& asked, const std::string& name);
// The entries that would let that source through to that target, whose name has no address.
std::vector<Miss> misses_of_nameless(const Asked& asked, const reach::Permissions& permissions, const Source& source,
                                     const Target& target);

}  // namespace policyc::explain
