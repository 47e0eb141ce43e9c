// Arithmetic of boxes of flows: what one allows and others don't.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "compiler/access.h"
#include "compiler/box_tree.h"

namespace policyc {

struct LabelledBox {
    Box box;
    ir::Cause
        cause;  // into subjects and objects of the Ruleset it came from; none in one that was read from the kernel
};

// The flows of all of these, as sorted boxes that have none in common: cut along the sources first, then along the destinations, and as few as that gives.
std::vector<Box> disjoint(std::span<const Box> boxes);
// Likewise, but along the ports before the destinations: fewer where whole networks have the same ports.
std::vector<Box> disjoint_by_ports(std::span<const Box> boxes);

// Finds boxes among sorted ones, which must outlive this. Quickest where it is asked for them in order.
class BoxFinder {
public:
    explicit BoxFinder(std::span<const LabelledBox> sorted) : sorted_(sorted) {}

    // Null where it isn't there.
    const LabelledBox* find(const Box& box);

private:
    std::span<const LabelledBox> sorted_;
    std::size_t before_ = 0;  // so many are less than what was looked for last
};

// Sorted boxes, which must outlive this, that can be asked about quickly, in whatever way they overlap.
class BoxIndex {
public:
    explicit BoxIndex(std::span<const LabelledBox> sorted);

    // The part of `box` that none of the boxes here covers, as disjoint() would give it; empty when all of it is covered.
    [[nodiscard]] std::vector<Box> uncovered(const Box& box) const;
    // One of the boxes here that covers all of it, or null.
    [[nodiscard]] const Box* holder(const Box& box) const;
    // Whether any of the boxes here covers some of it.
    [[nodiscard]] bool meets(const Box& box) const;

private:
    // Boxes of two kinds never meet.
    using Kind = std::tuple<Direction, Family, Family>;
    using Trees = std::map<Kind, BoxTree>;

    static Kind kind_of(const Box& box) { return {box.direction, box.source.family, box.destination.family}; }
    static Trees trees(std::span<const LabelledBox> sorted, bool of_exact);
    [[nodiscard]] std::vector<const BoxTree*> trees_about(const Box& box) const;

    std::span<const LabelledBox> sorted_;
    mutable BoxFinder finder_;  // remembers where it was
    Trees wide_;
    mutable std::optional<Trees> exact_;  // made when a wide box is first asked about: there may be a million of them
};

}  // namespace policyc
