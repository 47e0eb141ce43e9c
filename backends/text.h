// Ruleset to nft(8) syntax, for people and for `nft -f`.
#pragma once

#include <string>

#include "compiler/ir.h"
#include "policy/span.h"

namespace policyc {

// A file that in one transaction replaces `table inet policyc` and touches no other. Comments name the policy line that caused an element or a rule.
// With `sources` absent the places are left out.
std::string to_nft(const ir::Ruleset& ruleset, const Sources* sources);

}  // namespace policyc
