// With ipv6 = "dual": what is allowed in one family only, though nobody may have meant that.
#pragma once

#include "policy/diagnostic.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc {

// W0603 for networks of one family, and for each source and target of tiers, inputs and outputs that has one of one family without a twin in the same
// list: of a target, one of the other family with the same ports. Host names count by the addresses they have; one without any is not spoken of.
void warn_one_family(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics);

}  // namespace policyc
