// What a policy says beyond its permissions: which packets are judged at all, and on which terms those pass that are allowed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/access.h"

namespace policyc {

// A sentence for people, and whether what it says lets more or less through than before. Neither is set where it only
// changes what is logged, counted or answered.
struct Term {
    std::string text;
    bool opens = false;
    bool closes = false;

    bool operator==(const Term&) const = default;
};

// What changes in that respect when the policy `before` is replaced by `after`. `before` is absent where nothing was judged:
// then the remarks say what begins.
std::vector<Term> compare_terms(const std::optional<View>& before, const View& after);

}  // namespace policyc
