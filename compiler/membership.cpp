// Cuts the sources of tiers into disjoint atoms; entry point atoms_of(): a sweep over where members begin and end.
#include "compiler/membership.h"

#include <algorithm>
#include <set>

namespace policyc {

namespace {

struct Event {
    u128 at;
    bool ends;  // just before `at`
    std::uint32_t tier;
    std::uint32_t index;  // in its tier
};

}  // namespace

std::vector<Atom> atoms_of(const Members& members, Family family) {
    std::vector<Event> events;
    for (const auto& [tier, list] : members) {
        for (std::uint32_t i = 0; i < list.size(); ++i) {
            const Range& source = list[i].source;
            if (source.family != family) continue;
            events.push_back({source.lo, false, tier, i});
            // hi + 1 wraps to 0 at the top of IPv6: such a member ends with the sweep
            if (source.hi != ~u128{0}) events.push_back({source.hi + 1, true, tier, i});
        }
    }
    std::ranges::sort(events, {}, &Event::at);

    std::vector<Atom> atoms;
    std::set<std::pair<std::uint32_t, std::uint32_t>> open;  // tier and index
    for (std::size_t i = 0; i < events.size();) {
        const u128 at = events[i].at;
        std::size_t begins = i;
        for (; begins < events.size() && events[begins].at == at; ++begins)
            if (events[begins].ends) open.erase({events[begins].tier, events[begins].index});
        const bool spanned = !open.empty();  // a member holds both sides of `at`
        for (; i < begins; ++i)
            if (!events[i].ends) open.insert({events[i].tier, events[i].index});
        if (open.empty()) continue;

        Atom atom{.source = {family, at, i < events.size() ? events[i].at - 1 : top(family)}};
        for (const auto& [tier, index] : open)
            if (atom.tiers.empty() || atom.tiers.back() != tier) atom.tiers.push_back(tier);
        const auto& [tier, index] = *open.begin();
        atom.cause = members.at(tier)[index].cause;
        if (spanned && !atoms.empty() && atoms.back().tiers == atom.tiers)
            atoms.back().source.hi = atom.source.hi;
        else
            atoms.push_back(std::move(atom));
    }
    return atoms;
}

}  // namespace policyc
