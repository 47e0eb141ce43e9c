// What no node of a policy judges: it passes, whatever the policy says.
#pragma once

#include "policy/diagnostic.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc {

// Warns of entries of tiers (W0507), and of targets that a [[test]] denies (W0706), where no node on the way judges what goes there. Of a flow that is known whose ends
// are at nodes, or in networks that one node alone serves, and whose nodes in between `peer` says. A node in between may send it through one that judges, by routes that
// the policy doesn't know: then nothing is said of a tier, and of a test which node that would be.
void warn_unjudged(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics);

}  // namespace policyc
