// disjoint(): a sweep over the first dimension, the same for the rest of the dimensions between two cuts, and equal neighbours joined.
#include "compiler/disjoint.h"

#include <algorithm>
#include <set>

namespace policyc {

namespace {

using Indices =
    std::vector<std::uint32_t>;  // into the caller's list, ascending: the first one is the one that names a point

struct Sweep {
    const std::vector<Cuboid>& all;
    std::size_t dimensions;
    std::size_t most;

    [[nodiscard]] static bool alike(const Cuboid& a, const Cuboid& b, std::size_t from, std::size_t dimensions) {
        for (std::size_t d = from; d < dimensions; ++d)
            if (a.sides.at(d).lo != b.sides.at(d).lo || a.sides.at(d).hi != b.sides.at(d).hi) return false;
        return a.cause.subject == b.cause.subject && a.cause.object == b.cause.object && a.counter == b.counter;
    }

    [[noreturn]] void throw_some(const Indices& of) const {
        TooManyCuboids too_many;
        for (const std::uint32_t index : of)
            if (too_many.overlapping.size() < 5) too_many.overlapping.push_back(all[index].cause);
        throw too_many;
    }

    // The cuboids of `active`, cut to be disjoint in dimensions `dim` and later; earlier sides are left for the caller to set.
    [[nodiscard]] std::vector<Cuboid> run(const Indices& active, std::size_t dim) const {
        if (dim == dimensions) return {all[active.front()]};

        struct Event {
            u128 at;
            bool ends;  // just before `at`
            std::uint32_t index;
        };
        std::vector<Event> events;
        events.reserve(active.size() * 2);
        for (const std::uint32_t index : active) {
            const auto& side = all[index].sides.at(dim);
            events.push_back({side.lo, false, index});
            // hi + 1 wraps to 0 at the top of IPv6: such a box ends with the sweep
            if (side.hi != ~u128{0}) events.push_back({side.hi + 1, true, index});
        }
        std::ranges::sort(events, {}, &Event::at);

        std::vector<Cuboid> out;
        Indices thickest;  // those between two cuts that made the most
        std::size_t thickness = 0;
        std::vector<Cuboid> previous;  // the slab before, to be joined with an equal one that follows it
        u128 previous_end = 0;
        const auto flush = [&] {
            if (out.size() + previous.size() > most) throw_some(thickest);
            out.insert(out.end(), previous.begin(), previous.end());
            previous.clear();
        };
        std::set<std::uint32_t> open;
        for (std::size_t i = 0; i < events.size();) {
            const u128 at = events[i].at;
            for (; i < events.size() && events[i].at == at; ++i) {
                if (events[i].ends)
                    open.erase(events[i].index);
                else
                    open.insert(events[i].index);
            }
            if (open.empty()) continue;
            const u128 end = i < events.size() ? events[i].at - 1 : ~u128{0};
            const Indices here(open.begin(), open.end());
            std::vector<Cuboid> slab = run(here, dim + 1);
            if (slab.size() > thickness) {
                thickness = slab.size();
                thickest = here;
            }
            const bool joins = !previous.empty() && previous_end + 1 == at && slab.size() == previous.size() &&
                               std::ranges::equal(slab, previous, [&](const Cuboid& a, const Cuboid& b) {
                                   return alike(a, b, dim + 1, dimensions);
                               });
            if (joins) {
                for (Cuboid& cuboid : previous) cuboid.sides.at(dim).hi = end;
            } else {
                flush();
                previous = std::move(slab);
                for (Cuboid& cuboid : previous) cuboid.sides.at(dim) = {at, end};
            }
            previous_end = end;
        }
        flush();
        return out;
    }
};

}  // namespace

std::vector<Cuboid> disjoint(const std::vector<Cuboid>& cuboids, std::size_t dimensions, std::size_t most) {
    Indices every(cuboids.size());
    for (std::uint32_t i = 0; i < every.size(); ++i) every[i] = i;
    if (every.empty()) return {};
    return Sweep{cuboids, dimensions, most}.run(every, 0);
}

}  // namespace policyc
