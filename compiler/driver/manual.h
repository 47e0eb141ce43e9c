// The manual pages in mdoc(7), one sentence per line.
#pragma once

#include <string>

namespace policyc {

std::string manual_of_program();   // policyc(8), from the table of verbs
std::string manual_of_language();  // policy.toml(5), from policy/keys.h

}  // namespace policyc
