// [[test]]: judged by a plain evaluator over the policy, one permission after the other. It shares nothing with lowering.
#pragma once

#include "policy/diagnostic.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

// What becomes of a test that names a host name without an address. Where nothing but `check` asks, it fails. Where the kernel is programmed, what has no
// address is closed, and to refuse that would leave open what the name stood for before: there it waits, and the rest of it is judged.
enum class Nameless : std::uint8_t { fails, waits };

// Judges every [[test]] on the given day and reports each failure: the test, a flow that shows it, and the line of the policy
// that lets it through where one does. Semantics: docs/language.md, section 3, [[test]].
void judge(const Policy& policy, const Addresses& addresses, Days today, Diagnostics& diagnostics,
           Nameless nameless = Nameless::fails);

}  // namespace policyc
