// The rules that two versions of a chain have in common, in their order.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

// Pairs of places, one in each chain, whose rules are equal as `equal` says: a longest common subsequence. Of chains that differ in more rules
// than a few thousand only what is equal at both ends.
std::vector<std::pair<std::size_t, std::size_t>> common_rules(
    const std::vector<ir::Rule>& a, const std::vector<ir::Rule>& b,
    const std::function<bool(const ir::Rule&, const ir::Rule&)>& equal);

}  // namespace policyc
