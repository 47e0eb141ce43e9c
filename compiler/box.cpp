// Subtraction of boxes; entry point BoxIndex::uncovered().
#include "compiler/box.h"

#include <algorithm>

namespace policyc {

namespace {

bool exact(const Box& box) {
    return box.ports.protocol != Protocol::any && box.source.single() && box.destination.single() &&
           box.ports.lo == box.ports.hi;
}

// Whether `by` can cover some of `box`.
bool meets(const Box& box, const Box& by) {
    return box.direction == by.direction &&
           (by.ports.protocol == Protocol::any || by.ports.protocol == box.ports.protocol) &&
           box.source.meets(by.source) && box.destination.meets(by.destination) &&
           (by.ports.protocol == Protocol::any || (box.ports.lo <= by.ports.hi && by.ports.lo <= box.ports.hi));
}

// The pieces of `box` outside `by`, which meets it: along the source, then the destination, then the ports.
void cut(Box box, const Box& by, std::vector<Box>& out) {
    const auto slice = [&](Range& side, const Range& other) {
        const Range whole = side;
        if (whole.lo < other.lo) {
            side.hi = other.lo - 1;
            out.push_back(box);
        }
        if (other.hi < whole.hi) {
            side = {whole.family, other.hi + 1, whole.hi};
            out.push_back(box);
        }
        side = {whole.family, std::max(whole.lo, other.lo), std::min(whole.hi, other.hi)};
    };
    slice(box.source, by.source);
    slice(box.destination, by.destination);
    if (by.ports.protocol == Protocol::any) return;
    const Ports whole = box.ports;
    if (whole.lo < by.ports.lo) {
        box.ports.hi = static_cast<std::uint16_t>(by.ports.lo - 1);
        out.push_back(box);
    }
    if (by.ports.hi < whole.hi) {
        box.ports.lo = static_cast<std::uint16_t>(by.ports.hi + 1);
        box.ports.hi = whole.hi;
        out.push_back(box);
    }
}

}  // namespace

// On from where the last search ended, in strides that double: what is asked for in order is found after a step or two.
const LabelledBox* BoxFinder::find(const Box& box) {
    if (before_ > 0 && !(sorted_[before_ - 1].box < box)) before_ = 0;
    std::size_t stride = 1;
    while (stride <= sorted_.size() - before_ && sorted_[before_ + stride - 1].box < box) {
        before_ += stride;
        stride *= 2;
    }
    const auto here = sorted_.subspan(before_, std::min(stride, sorted_.size() - before_));
    before_ += static_cast<std::size_t>(std::ranges::lower_bound(here, box, {}, &LabelledBox::box) - here.begin());
    return before_ < sorted_.size() && sorted_[before_].box == box ? &sorted_[before_] : nullptr;
}

BoxIndex::BoxIndex(std::span<const LabelledBox> sorted) : sorted_(sorted), finder_(sorted) {
    std::ranges::copy_if(sorted_, std::back_inserter(wide_), [](const LabelledBox& one) { return !exact(one.box); });
}

bool BoxIndex::meets(const Box& box) const {
    if (finder_.find(box) != nullptr) return true;
    const std::span<const LabelledBox> others = exact(box) ? std::span<const LabelledBox>(wide_) : sorted_;
    return std::ranges::any_of(others, [&](const LabelledBox& by) { return policyc::meets(box, by.box); });
}

std::vector<Box> BoxIndex::uncovered(const Box& box) const {
    if (finder_.find(box) != nullptr) return {};
    std::vector<Box> left{box};
    for (const auto& [by, cause] : exact(box) ? std::span<const LabelledBox>(wide_) : sorted_) {
        if (!policyc::meets(box, by)) continue;
        std::vector<Box> next;
        for (const Box& piece : left) {
            if (policyc::meets(piece, by))
                cut(piece, by, next);
            else
                next.push_back(piece);
        }
        left = std::move(next);
        if (left.empty()) break;
    }
    std::ranges::sort(left);
    return left;
}

}  // namespace policyc
