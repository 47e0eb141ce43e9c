// Ruleset to the JSON of libnftables-json(5).
#pragma once

#include <string>

#include "compiler/ir.h"

namespace policyc {

// The commands that in one transaction replace `table inet policyc` and touch no other: {"nftables": [...]}.
std::string to_json(const ir::Ruleset& ruleset);

}  // namespace policyc
