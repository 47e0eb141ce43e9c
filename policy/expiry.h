// What ends soon, or has ended.
#pragma once

#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// Warns of tiers and services that hold for a week more at most (W0505), or no longer (W0506).
void warn_expiry(const Policy& policy, Days today, Diagnostics& diagnostics);

// Whether any tier or service held once and doesn't any more.
bool has_expired(const Policy& policy, Days today);

}  // namespace policyc
