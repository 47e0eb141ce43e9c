// Ast to Policy: every key known, every value in range, every reference resolved, every group flat.
#pragma once

#include <optional>

#include "policy/ast.h"
#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// Reports all errors and warnings it finds; returns nothing when there was an error. The clock is no input: whether something has
// expired is asked later, of a day (holds_on).
std::optional<Policy> check(const Ast& ast, const Sources& sources, Diagnostics& diagnostics);

}  // namespace policyc
