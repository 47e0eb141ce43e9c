// All addresses of this host or some of them; entry points in own_end.h.
#include "compiler/own_end.h"

#include <algorithm>
#include <map>

namespace policyc {

Range& own_end(Box& box) {
    return box.direction == Direction::input ? box.destination : box.source;
}

bool of_some_addresses(const Box& box) {
    if (box.direction == Direction::forward) return false;
    const Range& range = box.direction == Direction::input ? box.destination : box.source;
    return range != Range{range.family, 0, 0} && range != Range{range.family, 0, top(range.family)};
}

Box spread(Box box) {
    if (box.direction == Direction::forward) return box;
    Range& range = own_end(box);
    if (range == Range{range.family, 0, 0}) range.hi = top(range.family);
    return box;
}

Box gathered(Box box) {
    if (box.direction == Direction::forward) return box;
    Range& range = own_end(box);
    if (range == Range{range.family, 0, top(range.family)}) range.hi = 0;
    return box;
}

std::vector<AtHost> at_host(std::span<const Box> boxes) {
    std::vector<AtHost> out;
    std::map<Box, std::vector<Range>> some;  // by what they are without these
    for (const Box& box : boxes) {
        if (of_some_addresses(box)) {
            Box whole = box;
            Range& range = own_end(whole);
            range = {range.family, 0, 0};
            Box with = box;
            some[whole].push_back(own_end(with));
        } else {
            out.push_back({gathered(box), {}, {}});
        }
    }
    for (const auto& [box, ranges] : some) {
        const Family family = ranges.front().family;
        AddressSet left_out(std::vector<Range>{{family, 0, top(family)}});
        for (const Range& range : ranges) left_out.subtract(range);
        // Some of all have none at an end of the address space.
        const std::vector<Range> there = AddressSet(ranges).ranges();
        const bool nearly_all = there.front().lo == 0 || there.back().hi == top(family);
        AtHost one{box, {}, {}};
        (nearly_all ? one.except : one.only) = nearly_all ? left_out.ranges() : there;
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace policyc
