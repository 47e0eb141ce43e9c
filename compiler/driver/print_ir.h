// The Ruleset as text, value by value: what `compile --to ir` prints, and what the golden files compare.
#pragma once

#include <string>

#include "compiler/ir.h"
#include "policy/span.h"

namespace policyc {

std::string print_ir(const ir::Ruleset& ruleset, const Sources& sources);

}  // namespace policyc
