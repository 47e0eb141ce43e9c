// Subtraction and union of boxes; entry points BoxIndex::uncovered() and disjoint().
#include "compiler/box.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "compiler/disjoint.h"
#include "compiler/extent.h"

namespace policyc {

namespace {

bool exact(const Box& box) {
    return box.ports.protocol != Protocol::any && box.source.single() && box.destination.single() &&
           box.ports.lo == box.ports.hi;
}

Cuboid cuboid_of(const Box& box) {
    return {.sides = extent_of(box), .cause = {}};
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
    const auto& all = cuboid.sides[2];
    const auto add = [&](const Ports& ports, bool others) {
        box.ports = ports;
        box.others = others;
        out.push_back(box);
    };
    using namespace port_line;
    if (all.lo == others_at && all.hi == end_of_line) return add({Protocol::any, 0, 0}, false);
    if (all.lo == others_at) add({Protocol::any, 0, 0}, true);
    if (all.lo <= ping_at && ping_at <= all.hi) add({Protocol::ping, 0, 0}, false);
    for (const auto& [protocol, first] : {std::pair(Protocol::tcp, tcp_at), std::pair(Protocol::udp, udp_at)}) {
        const u128 lo = std::max<u128>(all.lo, first);
        const u128 hi = std::min<u128>(all.hi, first + UINT16_MAX);
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

BoxIndex::BoxIndex(std::span<const LabelledBox> sorted)
    : sorted_(sorted), finder_(sorted), wide_(trees(sorted, false)) {}

BoxIndex::Trees BoxIndex::trees(std::span<const LabelledBox> sorted, bool of_exact) {
    Trees trees;
    BoxTree* tree = nullptr;
    Kind last;
    for (const auto& [box, cause] : sorted) {
        if (exact(box) != of_exact) continue;
        if (const Kind kind = kind_of(box); tree == nullptr || kind != last) {
            tree = &trees[kind];
            last = kind;
        }
        tree->add(box);
    }
    return trees;
}

// An exact box is met by no other exact one.
std::vector<const BoxTree*> BoxIndex::trees_about(const Box& box) const {
    std::vector<const BoxTree*> about;
    const auto add = [&](const Trees& trees) {
        if (const auto at = trees.find(kind_of(box)); at != trees.end()) about.push_back(&at->second);
    };
    add(wide_);
    if (exact(box)) return about;
    if (!exact_) exact_ = trees(sorted_, true);
    add(*exact_);
    return about;
}

bool BoxIndex::meets(const Box& box) const {
    if (finder_.find(box) != nullptr) return true;
    const Extent whole = extent_of(box);
    return std::ranges::any_of(trees_about(box), [&](const BoxTree* tree) {
        return tree->any([&](const Extent& by) { return policyc::meets(by, whole); }, [](const Box&) { return true; });
    });
}

const Box* BoxIndex::holder(const Box& box) const {
    if (const LabelledBox* same = finder_.find(box)) return &same->box;
    const Extent whole = extent_of(box);
    const Box* found = nullptr;
    for (const BoxTree* tree : trees_about(box)) {
        const auto take = [&](const Box& by) {
            found = &by;
            return true;
        };
        if (tree->any([&](const Extent& by) { return holds(by, whole); }, take)) break;
    }
    return found;
}

std::vector<Box> BoxIndex::uncovered(const Box& box) const {
    if (holder(box) != nullptr) return {};
    const Extent whole = extent_of(box);
    std::vector<Cuboid> cuboids;
    const auto cut = [&](const Box& by) {
        // No larger than the box, so that pieces are joined wherever that can be.
        Cuboid common = cuboid_of(by);
        for (std::size_t i = 0; i < common.sides.size(); ++i) {
            common.sides.at(i).lo = std::max(common.sides.at(i).lo, whole.at(i).lo);
            common.sides.at(i).hi = std::min(common.sides.at(i).hi, whole.at(i).hi);
        }
        cuboids.push_back(common);
        return false;
    };
    for (const BoxTree* tree : trees_about(box))
        tree->any([&](const Extent& by) { return policyc::meets(by, whole); }, cut);
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
