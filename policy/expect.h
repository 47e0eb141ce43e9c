// [[test]]: judged by a plain evaluator over the policy, one permission after the other. It shares nothing with lowering.
#pragma once

#include "policy/diagnostic.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

// Judges every [[test]] on the given day and reports each failure: the test, a flow that shows it, and the line of the policy
// that lets it through where one does. Semantics: docs/language.md, section 3, [[test]].
void judge(const Policy& policy, const Addresses& addresses, Days today, Diagnostics& diagnostics);

}  // namespace policyc
