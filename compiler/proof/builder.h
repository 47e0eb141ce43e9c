// Boxes to a diagram, level by level. Only for compiler/proof itself.
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/proof/algebra.h"

namespace policyc::proof {

// At each level the ends of the boxes cut its values into parts. These are halved and halved again, and a box goes to the few halves that it fills: those
// that are in the same half are built together, once, at the next level, and a part is the union of what is in all halves around it. So a box that is wide
// at some level costs a logarithm there, not the number of parts that it spans, and n boxes that don't overlap cost no more than sorting them.
class Builder {
public:
    Builder(const std::vector<Level>& levels, Algebra& algebra, const Boxes& boxes);

    // These throw Full.
    Id build();
    Id build_one(std::size_t level, std::uint32_t box);  // as far as it lies in this level and later ones
    // Those that were put into most halves: up to `count` boxes, the most first.
    [[nodiscard]] std::vector<std::size_t> most_cut(std::size_t count) const;

private:
    using List = std::vector<std::uint32_t>;  // of boxes
    // A box at one level, to be sorted.
    struct Placed {
        Interval interval;
        std::uint32_t box = 0;
    };
    // A box at one level, where it is only compared: with what bounds it begins and ends, half-open.
    struct Item {
        std::uint32_t box = 0;
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
    };
    struct Halves {
        std::size_t level = 0;
        std::vector<u128> bounds;
        std::vector<Edge> edges;
    };

    Id build(std::size_t level, List boxes);
    Id build_apart(std::size_t level, const std::vector<Placed>& sorted);
    Id build_overlapping(std::size_t level, const std::vector<Placed>& sorted);
    void halve(Halves& halves, std::uint32_t begin, std::uint32_t end, std::vector<Item> items, Id around);
    Id take_tails(std::size_t level, List& boxes);

    const std::vector<Level>& levels_;
    Algebra& algebra_;
    const Boxes& boxes_;
    std::vector<std::uint32_t> cuts_;  // by box
};

}  // namespace policyc::proof
