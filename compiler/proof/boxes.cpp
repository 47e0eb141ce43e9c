// Keeps boxes by columns; entry points in boxes.h.
#include "compiler/proof/boxes.h"

namespace policyc::proof {

Boxes::Boxes(const std::vector<Level>& levels) {
    for (const Level& level : levels) columns_.push_back({level.max, level.wide(), true, {}, {}});
}

void Boxes::Column::add(Interval interval) {
    if (wide) {
        wide_bounds.push_back(interval.lo);
        wide_bounds.push_back(interval.hi);
    } else {
        narrow_bounds.push_back(static_cast<std::uint32_t>(interval.lo));
        narrow_bounds.push_back(static_cast<std::uint32_t>(interval.hi));
    }
}

void Boxes::add(std::span<const Interval> box, Set tail) {
    for (std::size_t level = 0; level < columns_.size(); ++level) {
        Column& column = columns_[level];
        const Interval& interval = box[level];
        if (column.whole) {
            if (interval == Interval{0, column.max}) continue;
            column.whole = false;
            for (std::size_t before = 0; before < tails_.size(); ++before) column.add({0, column.max});
        }
        column.add(interval);
    }
    tails_.push_back(tail);
}

Interval Boxes::at(std::size_t box, std::size_t level) const {
    const Column& column = columns_[level];
    if (column.whole) return {0, column.max};
    if (column.wide) return {column.wide_bounds[2 * box], column.wide_bounds[2 * box + 1]};
    return {column.narrow_bounds[2 * box], column.narrow_bounds[2 * box + 1]};
}

std::size_t Boxes::depth(std::size_t box) const {
    std::size_t depth = columns_.size();
    while (depth > 0 && at(box, depth - 1) == Interval{0, columns_[depth - 1].max}) --depth;
    return depth;
}

}  // namespace policyc::proof
