// The JSON of libnftables-json(5) to a Ruleset: what `nft -j -f` would load.
#pragma once

#include <string_view>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc {

// Of a document as json.h makes it: the table is taken away and made anew, with counters, sets, chains and then rules. What it doesn't understand, keys of an
// object among it, is an error ("line 12: ..."), never skipped. A set with a timeout that a rule adds to is one that rules fill: JSON has no word for it.
// A document that only takes the table away is the empty Ruleset.
Result<ir::Ruleset> read_json(std::string_view text);

}  // namespace policyc
