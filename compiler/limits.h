// Rates of new connections: who may begin more or fewer of them under another policy.
#pragma once

#include <vector>

#include "compiler/access.h"
#include "compiler/terms.h"

namespace policyc {

// The rates of what both policies allow, where they differ: a remark for each service, old and new rate, with the people it is
// about. What only one of them allows is a gain or a loss, and not told here. Each service is judged alone: that a tier has one
// bucket for all of its services is left aside.
std::vector<Term> compare_limits(const View& before, const View& after);

// The limits that were written, changed or removed, for where compare_limits() has nothing to tell: no flow comes by more or less.
std::vector<Term> idle_limits(const View& before, const View& after);

}  // namespace policyc
