// Boxes of one direction and family, to be asked which of them meet or hold another without looking at each.
#pragma once

#include <array>
#include <vector>

#include "compiler/access.h"
#include "compiler/extent.h"

namespace policyc {

// A k-d tree: halves of halves, each cut along the side that parts it well, with bounds. Few are ever asked of most lists, so it is no more than a list until then.
class BoxTree {
public:
    // It must outlive this and stay where it is.
    void add(const Box& box);

    // Whether `visit` is true of any box whose extent is `related`; it sees no more after that. Whatever is true of a box must be true of all that holds it.
    template <typename Related, typename Visit>
    bool any(const Related& related, const Visit& visit) const {
        if (asked_ == most_scans) divide_all();
        if (asked_ <= most_scans) ++asked_;
        for (std::size_t at = 0; at < parts_.size();) {
            const Part& part = parts_[at];
            if (!related(part.bounds)) {
                at = part.next;
                continue;
            }
            ++at;
            if (part.next != at) continue;  // its halves follow
            for (std::size_t i = part.first; i < part.last; ++i)
                if (related(extent_of(*boxes_[i])) && visit(*boxes_[i])) return true;
        }
        return false;
    }

private:
    // After it come the parts of its first half, then those of its second half; `next` is the one after all of these.
    struct Part {
        std::size_t first, last;  // into boxes_
        std::size_t next;
        Extent bounds;
    };

    static constexpr std::size_t most_scans = 32;  // takes as long as to divide it

    void divide_all() const;
    void divide(std::size_t first, std::size_t last, std::size_t turn) const;

    mutable std::vector<const Box*> boxes_;
    mutable std::vector<Part> parts_;
    mutable std::size_t asked_ = 0;
};

// Boxes of whatever kind by one of their ends: for those with networks there, since single addresses are found by search.
class NetworksByEnd {
public:
    NetworksByEnd(Range Box::*end, std::vector<Box> boxes);
    // It points into itself.
    NetworksByEnd(NetworksByEnd&&) = default;
    NetworksByEnd& operator=(NetworksByEnd&&) = default;
    NetworksByEnd(const NetworksByEnd&) = delete;
    NetworksByEnd& operator=(const NetworksByEnd&) = delete;
    ~NetworksByEnd() = default;

    // Their places in the list, in no order.
    template <typename Visit>
    void each(const Range& meeting, const Visit& visit) const {
        const auto related = [&](const Extent& extent) {
            const ir::Elements::Bound& side = extent.at(end_ == &Box::source ? 0 : 1);
            return side.lo <= meeting.hi && meeting.lo <= side.hi;
        };
        trees_.at(meeting.family == Family::ipv4 ? 0 : 1).any(related, [&](const Box& box) {
            visit(static_cast<std::size_t>(&box - boxes_.data()));
            return false;
        });
    }

    [[nodiscard]] const std::vector<Box>& boxes() const { return boxes_; }

private:
    Range Box::*end_;
    std::vector<Box> boxes_;
    std::array<BoxTree, 2> trees_;  // by family
};

}  // namespace policyc
