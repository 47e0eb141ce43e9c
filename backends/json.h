// Ruleset to and from the JSON of libnftables-json(5).
#pragma once

#include <string>
#include <string_view>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc {

// The commands that in one transaction replace `table inet policyc` and touch no other: {"nftables": [...]}.
std::string to_json(const ir::Ruleset& ruleset);

// What `nft -j list table inet policyc` prints, as a Ruleset. What policyc doesn't write itself becomes ir::Unknown or lands in Ruleset::unknown;
// it is never skipped. An error only where the text is not such JSON at all.
Result<ir::Ruleset> from_json(std::string_view text);

}  // namespace policyc
