// Boxes of points, by the thousand: what a diagram is built from. One interval for each level; nothing here knows what a level stands for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "policy/address.h"

namespace policyc::proof {

// One field of a point. Its values are 0 to `max`, which may be all of 128 bits.
struct Level {
    std::string name;
    u128 max = 0;

    [[nodiscard]] bool wide() const { return max > UINT32_MAX; }
};

// Closed: lo <= hi.
struct Interval {
    u128 lo = 0;
    u128 hi = 0;

    bool operator==(const Interval&) const = default;
};

// A set of points of one Diagrams. Equal sets of the same Diagrams have the same number, and only they; those of different ones must not be compared.
struct Set {
    std::uint32_t id = 0;

    auto operator<=>(const Set&) const = default;  // in no order that means anything
};
inline constexpr Set nothing{0};
inline constexpr Set everything{1};

// Kept by columns, 8 bytes for an interval of a level of up to 32 bits and 32 for others; a level that no box narrows takes none.
class Boxes {
public:
    explicit Boxes(const std::vector<Level>& levels);

    // `box` has an interval for each level. What is added is box x tail: `tail` must be a set that looks at no level up to the last one that `box` narrows
    // (Diagrams::build throws std::invalid_argument otherwise). So a permission for many sources, where the source is the last level, is one box.
    void add(std::span<const Interval> box, Set tail = everything);

    [[nodiscard]] std::size_t size() const { return tails_.size(); }
    [[nodiscard]] std::size_t levels() const { return columns_.size(); }
    [[nodiscard]] Interval at(std::size_t box, std::size_t level) const;
    [[nodiscard]] Set tail(std::size_t box) const { return tails_[box]; }
    // The number of levels up to the last one that it narrows.
    [[nodiscard]] std::size_t depth(std::size_t box) const;
    // No box narrows this level.
    [[nodiscard]] bool whole(std::size_t level) const { return columns_[level].whole; }

private:
    struct Column {
        u128 max = 0;
        bool wide = false;
        bool whole = true;  // then both are empty
        std::vector<std::uint32_t> narrow_bounds;
        std::vector<u128> wide_bounds;  // lo and hi in turn

        void add(Interval interval);
    };

    std::vector<Column> columns_;
    std::vector<Set> tails_;
};

}  // namespace policyc::proof
