// Subtracts what a Ruleset lets through from a box; entry points in coverage.h.
#include "compiler/coverage.h"

#include <algorithm>
#include <span>

namespace policyc {

namespace {

AddressSet union_of(const TierReach& tier) {
    std::vector<Range> ranges;
    for (const Reacher& reacher : tier.reachers) ranges.push_back(reacher.range);
    return AddressSet(std::move(ranges));
}

std::span<const Range> meeting(const AddressSet& sources, const Range& range) {
    const std::vector<Range>& all = sources.ranges();
    const auto first = std::ranges::partition_point(
        all, [&](const Range& one) { return std::pair(one.family, one.hi) < std::pair(range.family, range.lo); });
    const auto last = std::find_if_not(first, all.end(), [&](const Range& one) { return one.meets(range); });
    return {first, last};
}

}  // namespace

Coverage::Coverage(const Reach& reach) : boxes_(reach.boxes) {
    std::vector<Range> sources;
    for (const auto& [box, cause] : reach.boxes)
        if (box.direction == Direction::forward && (sources.empty() || sources.back() != box.source))
            sources.push_back(box.source);
    sources_ = AddressSet(std::move(sources));
    for (const TierReach& tier : reach.tiers) {
        std::vector<const Area*> hosts;
        std::vector<Box> networks;
        for (const Area& area : tier.areas) {
            if (area.destination.single())
                hosts.push_back(&area);
            else
                networks.push_back(area.from({area.destination.family, 0, 0}));
        }
        tiers_.push_back({&tier, union_of(tier), std::move(hosts), {&Box::destination, std::move(networks)}});
    }
}

bool Coverage::meets(const Box& box) const {
    return boxes_.meets(box) || std::ranges::any_of(tiers_, [&](const Tier& tier) {
               return box.direction == Direction::forward && tier.sources.meets(box.source) &&
                      !meeting(tier, box.destination).empty();
           });
}

std::vector<Box> Coverage::uncovered(const Box& box) const {
    std::vector<Box> pieces = boxes_.uncovered(box);
    if (box.direction != Direction::forward) return pieces;
    for (const Tier& tier : tiers_) {
        if (pieces.empty()) break;
        if (!tier.sources.meets(box.source)) continue;
        std::vector<LabelledBox> by;
        for (const Area& area : meeting(tier, box.destination))
            for (const Range& source : policyc::meeting(tier.sources, box.source))
                by.push_back({area.from(source), {}});
        std::ranges::sort(by, {}, &LabelledBox::box);
        const BoxIndex index(by);
        std::vector<Box> left;
        for (const Box& piece : pieces) {
            const std::vector<Box> parts = index.uncovered(piece);
            left.insert(left.end(), parts.begin(), parts.end());
        }
        pieces = std::move(left);
    }
    std::ranges::sort(pieces);
    return pieces;
}

Coverage::Holders Coverage::holders(const Range& source) const {
    Holders holders{.partly = sources_.meets(source)};
    for (const Tier& tier : tiers_) {
        if (tier.sources.holds(source))
            holders.tiers.push_back(tier.reach);
        else
            holders.partly = holders.partly || tier.sources.meets(source);
    }
    return holders;
}

std::vector<Area> Coverage::meeting(const Tier& tier, const Range& destination) {
    std::vector<Area> found;
    const auto first = std::ranges::partition_point(tier.hosts, [&](const Area* area) {
        return std::pair(area->destination.family, area->destination.lo) <
               std::pair(destination.family, destination.lo);
    });
    for (auto at = first; at != tier.hosts.end() && (*at)->destination.meets(destination); ++at) found.push_back(**at);
    tier.networks.each(destination, [&](std::size_t at) {
        const Box& box = tier.networks.boxes()[at];
        found.push_back({box.destination, box.ports});
    });
    return found;
}

}  // namespace policyc
