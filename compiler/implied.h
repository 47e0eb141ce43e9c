// What a policy lets through without listing it.
#pragma once

#include "compiler/access.h"
#include "compiler/gaps.h"

namespace policyc {

// Of gaps between two policies: takes out what passes under this one, listed or not. (docs/language.md, section 2)
void take_out_unlisted(const View& view, Gaps& gaps);

}  // namespace policyc
