// Subtraction and union of boxes; entry points BoxIndex::uncovered() and disjoint().
#include "compiler/box.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "compiler/disjoint.h"

namespace policyc {

namespace {

bool exact(const Box& box) {
    return box.ports.protocol != Protocol::any && box.source.single() && box.destination.single() &&
           box.ports.lo == box.ports.hi;
}

// Protocols and ports on one line, so that any protocol is an interval as well: other protocols, ping, then the ports of TCP and those of UDP.
constexpr unsigned others_at = 0, ping_at = 1, tcp_at = 2, udp_at = tcp_at + UINT16_MAX + 1,
                   end_of_line = udp_at + UINT16_MAX;

struct Stretch {
    unsigned lo, hi;
};

Stretch stretch_of(const Box& box) {
    switch (box.ports.protocol) {
        case Protocol::any: return {others_at, box.others ? others_at : end_of_line};
        case Protocol::ping: return {ping_at, ping_at};
        case Protocol::tcp: return {tcp_at + box.ports.lo, tcp_at + box.ports.hi};
        case Protocol::udp: return {udp_at + box.ports.lo, udp_at + box.ports.hi};
    }
    return {1, 0};
}

bool meets(const Box& box, const Box& by) {
    const Stretch a = stretch_of(box);
    const Stretch b = stretch_of(by);
    return a.lo <= b.hi && b.lo <= a.hi && box.direction == by.direction && box.source.meets(by.source) &&
           box.destination.meets(by.destination);
}

bool holds(const Box& box, const Box& inner) {
    const Stretch a = stretch_of(box);
    const Stretch b = stretch_of(inner);
    return a.lo <= b.lo && b.hi <= a.hi && box.direction == inner.direction && box.source.holds(inner.source) &&
           box.destination.holds(inner.destination);
}

Cuboid cuboid_of(const Box& box) {
    const Stretch stretch = stretch_of(box);
    return {
        .sides = {{{box.source.lo, box.source.hi}, {box.destination.lo, box.destination.hi}, {stretch.lo, stretch.hi}}},
        .cause = {}};
}

Cuboid reordered(Cuboid cuboid, const std::array<std::size_t, 3>& order) {
    const auto sides = cuboid.sides;
    for (std::size_t i = 0; i < order.size(); ++i) cuboid.sides.at(i) = sides.at(order.at(i));
    return cuboid;
}

// A stretch may be of several protocols. `like` has the direction and the families.
void add_boxes(const Cuboid& cuboid, const Box& like, std::vector<Box>& out) {
    Box box = like;
    const auto side = [&](Range& range, std::size_t at) {
        range.lo = cuboid.sides.at(at).lo;
        range.hi = cuboid.sides.at(at).hi;
    };
    side(box.source, 0);
    side(box.destination, 1);
    const Stretch all{static_cast<unsigned>(cuboid.sides[2].lo), static_cast<unsigned>(cuboid.sides[2].hi)};
    const auto add = [&](const Ports& ports, bool others) {
        box.ports = ports;
        box.others = others;
        out.push_back(box);
    };
    if (all.lo == others_at && all.hi == end_of_line) return add({Protocol::any, 0, 0}, false);
    if (all.lo == others_at) add({Protocol::any, 0, 0}, true);
    if (all.lo <= ping_at && ping_at <= all.hi) add({Protocol::ping, 0, 0}, false);
    for (const auto& [protocol, first] : {std::pair(Protocol::tcp, tcp_at), std::pair(Protocol::udp, udp_at)}) {
        const unsigned lo = std::max(all.lo, first);
        const unsigned hi = std::min(all.hi, first + UINT16_MAX);
        if (lo <= hi)
            add({protocol, static_cast<std::uint16_t>(lo - first), static_cast<std::uint16_t>(hi - first)}, false);
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
    std::vector<Cuboid> cuboids;
    for (const auto& [by, cause] : exact(box) ? std::span<const LabelledBox>(wide_) : sorted_) {
        if (!policyc::meets(box, by)) continue;
        if (holds(by, box)) return {};
        // No larger than the box, so that pieces are joined wherever that can be.
        Cuboid common = cuboid_of(by);
        const Cuboid whole = cuboid_of(box);
        for (std::size_t i = 0; i < common.sides.size(); ++i) {
            common.sides.at(i).lo = std::max(common.sides.at(i).lo, whole.sides.at(i).lo);
            common.sides.at(i).hi = std::min(common.sides.at(i).hi, whole.sides.at(i).hi);
        }
        cuboids.push_back(common);
    }
    if (cuboids.empty()) return {box};
    // Of those that cover a point the first one names it: the box itself only where no other does.
    constexpr std::uint32_t mine = 1;
    cuboids.push_back(cuboid_of(box));
    cuboids.back().counter = mine;
    std::vector<Box> left;
    for (const Cuboid& piece : disjoint(cuboids, 3))
        if (piece.counter == mine) add_boxes(piece, box, left);
    std::ranges::sort(left);
    return left;
}

namespace {

// `order` is of the sides of a cuboid: source, destination, ports.
std::vector<Box> disjoint_in(const std::array<std::size_t, 3>& order, std::span<const Box> boxes) {
    std::vector<Box> out;
    std::map<std::tuple<Direction, Family, Family>, std::vector<Cuboid>> kinds;
    for (const Box& box : boxes)
        kinds[{box.direction, box.source.family, box.destination.family}].push_back(reordered(cuboid_of(box), order));
    for (const auto& [kind, cuboids] : kinds) {
        const auto& [direction, from, to] = kind;
        for (const Cuboid& piece : disjoint(cuboids, 3))
            add_boxes(reordered(piece, order),
                      {.direction = direction, .source = {from, 0, 0}, .destination = {to, 0, 0}, .ports = {}}, out);
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace

std::vector<Box> disjoint(std::span<const Box> boxes) {
    return disjoint_in({0, 1, 2}, boxes);
}

std::vector<Box> disjoint_by_ports(std::span<const Box> boxes) {
    return disjoint_in({0, 2, 1}, boxes);
}

}  // namespace policyc
