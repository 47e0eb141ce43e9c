// What no node of a policy judges: it passes, whatever the policy says.
#pragma once

#include "policy/diagnostic.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc {

// Warns of entries of tiers (W0507), and of targets that a [[test]] denies (W0706), of which no node judges what goes there. Only of what is certain: both ends are at
// nodes, or in networks that one node alone serves, and `peer` says which nodes are between them. Somewhere else there may be another way.
void warn_unjudged(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics);

}  // namespace policyc
