// Tests hold: [[test]] by diagrams, over the whole product of each list. policy/expect.h judges them permission by permission, and says what is wrong in the policy's
// words; it shares no code with this.
#pragma once

#include "compiler/proof/prove.h"

namespace policyc::proof {

// Whether each [[test]] holds on that day; `error` has a flow that shows that one doesn't. What has no address is in no list. Written from docs/language.md, section 3.
Proof prove_tests(const Policy& policy, const Addresses& addresses, Days today);

}  // namespace policyc::proof
