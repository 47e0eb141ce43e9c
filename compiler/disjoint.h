// Boxes that overlap, made into boxes that don't: the kernel's interval concatenations refuse (6.12 and later) or silently drop (6.1) an element
// that overlaps another.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

// One closed interval per dimension (at most three are used), and why it is there.
struct Cuboid {
    std::array<ir::Elements::Bound, 3> sides{};
    ir::Cause cause;
    std::uint32_t counter = UINT32_MAX;
};

// Thrown where they would be more than there is room for.
struct TooManyCuboids {
    std::vector<ir::Cause> overlapping;  // of some that overlap there
};

// The same points as pairwise disjoint cuboids, sorted, neighbours joined where that is a box. A point that several cover gets the
// cause and counter of the first of them in the order given. No more than `most`, if need be by an exception.
std::vector<Cuboid> disjoint(const std::vector<Cuboid>& cuboids, std::size_t dimensions, std::size_t most = SIZE_MAX);

}  // namespace policyc
