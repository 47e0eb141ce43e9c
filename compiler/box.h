// Arithmetic of boxes of flows: what one allows and others don't.
#pragma once

#include <optional>
#include <vector>

#include "compiler/access.h"

namespace policyc {

struct LabelledBox {
    Box box;
    ir::Cause
        cause;  // into subjects and objects of the Ruleset it came from; none in one that was read from the kernel
};

// A sorted list of boxes that can be asked about quickly: exact boxes by search, the few wide ones one after the other.
class BoxIndex {
public:
    explicit BoxIndex(std::vector<Box> sorted);

    // The part of `box` that none of the boxes here covers, as disjoint boxes; empty when all of it is covered. A box of any protocol is
    // covered only by others of any protocol.
    [[nodiscard]] std::vector<Box> uncovered(const Box& box) const;
    [[nodiscard]] bool holds(const Box& box) const;  // this very box

private:
    std::vector<Box> sorted_;
    std::vector<Box> wide_;
};

}  // namespace policyc
