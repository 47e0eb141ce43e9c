// What was written from a Ruleset, read again by who shares no code with the writer: so that what is printed or sent can be proved, and not what it was
// written from.
#pragma once

#include <string_view>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc {

// The Ruleset that the text says (without spans and causes). An error where it can't be read, or says another Ruleset than `written`: then policyc is wrong.
Result<ir::Ruleset> read_back_text(std::string_view text, const ir::Ruleset& written);
Result<ir::Ruleset> read_back_json(std::string_view json, const ir::Ruleset& written);

}  // namespace policyc
