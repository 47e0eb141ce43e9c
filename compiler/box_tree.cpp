// Divides boxes so that few have to be looked at; entry points in box_tree.h.
#include "compiler/box_tree.h"

#include <algorithm>
#include <span>
#include <utility>

namespace policyc {

namespace {

constexpr std::size_t few = 16;  // are not divided any more

void widen(Extent& bounds, const Extent& by) {
    for (std::size_t i = 0; i < bounds.size(); ++i) {
        bounds.at(i).lo = std::min(bounds.at(i).lo, by.at(i).lo);
        bounds.at(i).hi = std::max(bounds.at(i).hi, by.at(i).hi);
    }
}

// Of some of the boxes, cut at their middle along each side: how many of the lower half reach into the upper one.
std::array<std::size_t, 3> reaching_over(std::span<const Box* const> boxes) {
    std::array<Extent, few> some;
    for (std::size_t i = 0; i < few; ++i) some.at(i) = extent_of(*boxes[i * boxes.size() / few]);
    std::array<std::size_t, 3> reaching{};
    for (std::size_t side = 0; side < reaching.size(); ++side) {
        std::array<ir::Elements::Bound, few> along;
        std::ranges::transform(some, along.begin(), [&](const Extent& extent) { return extent.at(side); });
        const auto middle = along.begin() + few / 2;
        std::ranges::nth_element(along, middle, {}, &ir::Elements::Bound::lo);
        reaching.at(side) = static_cast<std::size_t>(
            std::count_if(along.begin(), middle, [&](const auto& one) { return one.hi >= middle->lo; }));
    }
    return reaching;
}

// The next one in turn that parts them well, or else the best one.
std::size_t side_to_cut(std::span<const Box* const> boxes, std::size_t turn) {
    constexpr std::size_t well = few / 8;
    const std::array<std::size_t, 3> reaching = reaching_over(boxes);
    for (std::size_t i = 0; i < reaching.size(); ++i)
        if (const std::size_t side = (turn + i) % reaching.size(); reaching.at(side) <= well) return side;
    return static_cast<std::size_t>(std::ranges::min_element(reaching) - reaching.begin());
}

}  // namespace

void BoxTree::add(const Box& box) {
    boxes_.push_back(&box);
    if (parts_.empty()) parts_.push_back({.first = 0, .last = 0, .next = 1, .bounds = extent_of(box)});
    parts_.front().last = boxes_.size();
    widen(parts_.front().bounds, extent_of(box));
}

void BoxTree::divide_all() const {
    parts_.clear();
    if (!boxes_.empty()) divide(0, boxes_.size(), 0);
}

void BoxTree::divide(std::size_t first, std::size_t last, std::size_t turn) const {
    const std::size_t at = parts_.size();
    Extent bounds = extent_of(*boxes_[first]);
    parts_.push_back({first, last, at + 1, bounds});
    if (last - first <= few) {
        for (std::size_t i = first; i < last; ++i) widen(bounds, extent_of(*boxes_[i]));
    } else {
        const std::size_t side = side_to_cut(std::span(boxes_).subspan(first, last - first), turn);
        const auto place = [&](std::size_t i) { return boxes_.begin() + static_cast<std::ptrdiff_t>(i); };
        const std::size_t middle = first + (last - first) / 2;
        std::nth_element(place(first), place(middle), place(last), [&](const Box* a, const Box* b) {
            return extent_of(*a).at(side).lo < extent_of(*b).at(side).lo;
        });
        divide(first, middle, side + 1);
        const std::size_t second = parts_.size();
        divide(middle, last, side + 1);
        bounds = parts_[at + 1].bounds;
        widen(bounds, parts_[second].bounds);
    }
    parts_[at].next = parts_.size();
    parts_[at].bounds = bounds;
}

NetworksByEnd::NetworksByEnd(Range Box::*end, std::vector<Box> boxes) : end_(end), boxes_(std::move(boxes)) {
    for (const Box& box : boxes_) trees_.at((box.*end_).family == Family::ipv4 ? 0 : 1).add(box);
}

}  // namespace policyc
