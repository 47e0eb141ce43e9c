// nft(8) syntax to a Ruleset: what `nft -f` would load.
#pragma once

#include <string_view>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc {

// Of a text as text.h makes it: the table is taken away and made anew, in one order of parts. What it doesn't understand is an error ("line 12: ..."),
// never skipped; only what follows a # is, which says nothing to nft either. So comments of sets and chains, places and causes are not in the result. A text that only takes the table away is
// the empty Ruleset. What nft would refuse by itself (a keyword as a name, elements that overlap) may be read here.
Result<ir::Ruleset> read_text(std::string_view text);

}  // namespace policyc
