// disjoint() against every point of a small universe.
#include "compiler/disjoint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace policyc;

namespace {

bool holds(const Cuboid& cuboid, std::array<u128, 3> point, std::size_t dimensions) {
    for (std::size_t d = 0; d < dimensions; ++d)
        if (point[d] < cuboid.sides[d].lo || cuboid.sides[d].hi < point[d]) return false;
    return true;
}

Cuboid cuboid(u128 a, u128 b, u128 c, u128 d, std::uint32_t cause = 0) {
    return {.sides = {{{a, b}, {c, d}, {0, 0}}}, .cause = {cause, 0}};
}

}  // namespace

TEST_CASE("disjoint: each point is covered once, and named by the first that covers it") {
    std::mt19937 random(7);
    const auto number = [&](unsigned below) { return static_cast<u128>(random() % below); };
    for (int round = 0; round < 400; ++round) {
        const std::size_t dimensions = 1 + round % 3;
        constexpr unsigned size = 7;
        std::vector<Cuboid> given;
        for (std::uint32_t i = 0; i < 1 + random() % 6; ++i) {
            Cuboid c{.cause = {i, i}};
            for (std::size_t d = 0; d < dimensions; ++d) {
                const u128 x = number(size);
                const u128 y = number(size);
                c.sides[d] = {std::min(x, y), std::max(x, y)};
            }
            given.push_back(c);
        }
        const std::vector<Cuboid> cut = disjoint(given, dimensions);
        for (unsigned p = 0; p < size * size * size; ++p) {
            const std::array<u128, 3> point{p % size, p / size % size, p / size / size};
            const auto covers = [&](const Cuboid& c) { return holds(c, point, dimensions); };
            const auto first = std::ranges::find_if(given, covers);
            REQUIRE(std::ranges::count_if(cut, covers) == (first == given.end() ? 0 : 1));
            if (first != given.end()) REQUIRE(std::ranges::find_if(cut, covers)->cause.subject == first->cause.subject);
        }
    }
}

TEST_CASE("disjoint: neighbours of one cause are joined, those of two are not") {
    CHECK(disjoint({cuboid(0, 3, 5, 5), cuboid(4, 9, 5, 5)}, 2).size() == 1);
    CHECK(disjoint({cuboid(0, 3, 5, 5, 1), cuboid(4, 9, 5, 5, 2)}, 2).size() == 2);
}

TEST_CASE("disjoint: the top of IPv6 does not wrap") {
    const u128 top = ~u128{0};
    const auto cut = disjoint({cuboid(top - 1, top, 0, top, 1), cuboid(top, top, 0, 5, 2)}, 2);
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].sides[0].lo == top - 1);
    CHECK(cut[0].sides[0].hi == top);
    CHECK(cut[0].sides[1].hi == top);
}

TEST_CASE("disjoint: nothing stays nothing") {
    CHECK(disjoint({}, 3).empty());
}

TEST_CASE("disjoint: more pieces than there is room for are not made, and some that overlap are named") {
    // Of n in one dimension that cross n in the other, each crossing is a piece.
    std::vector<Cuboid> given{cuboid(5000, 5000, 5000, 5000, 999)};
    for (std::uint32_t i = 0; i < 50; ++i) {
        given.push_back(cuboid(u128{i} * 2, u128{i} * 2, 0, 1000, i));
        given.push_back(cuboid(0, 1000, u128{i} * 2, u128{i} * 2, 100 + i));
    }
    const std::size_t pieces = disjoint(given, 2).size();
    CHECK(pieces > 2500);
    CHECK(disjoint(given, 2, pieces).size() == pieces);
    bool thrown = false;
    try {
        static_cast<void>(disjoint(given, 2, 1000));
    } catch (const TooManyCuboids& found) {
        thrown = true;
        CHECK(found.overlapping.size() == 5);
        for (const ir::Cause& cause : found.overlapping) CHECK(cause.subject != 999);
    }
    CHECK(thrown);
}
