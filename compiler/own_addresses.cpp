// Subtracts inputs and outputs from tiers and the other way round; entry points in own_addresses.h.
#include "compiler/own_addresses.h"

#include <algorithm>

#include "compiler/own_end.h"
#include "policy/reach.h"

namespace policyc {

namespace {

// Of places in served networks, more than these are not held against an input: each would be a hole in its line.
constexpr std::size_t most_served = 10'000;

std::vector<Box> of_direction(const Reach& reach, const OwnAddresses& own, Direction direction) {
    std::vector<Box> boxes;
    if (own.all.empty()) return boxes;
    const auto all = std::ranges::equal_range(reach.boxes, direction, {},
                                              [](const LabelledBox& labelled) { return labelled.box.direction; });
    for (const LabelledBox& labelled : all) boxes.push_back(labelled.box);
    return boxes;
}

// The places of a tier's destination where an input is open as well.
std::vector<Range> places_in(const Range& destination, const OwnAddresses& own) {
    std::vector<Range> places;
    for (const Range& one : own.judged)
        if (destination.holds(one)) places.push_back(one);
    for (const Range& network : own.served)
        if (destination.meets(network))
            places.push_back(
                {network.family, std::max(network.lo, destination.lo), std::min(network.hi, destination.hi)});
    return places;
}

}  // namespace

std::vector<Range> served_networks(const View& view) {
    std::vector<Range> served;
    for (const auto& range : view.policy->nodes[view.node].serves) served.push_back(range.value);
    return served;
}

std::vector<Range> own_addresses(const View& view) {
    std::vector<Range> own;
    for (const auto& address : view.policy->nodes[view.node].addresses) own.push_back(range_of(address.value));
    return own;
}

BoxesByEnd::BoxesByEnd(Range Box::*end, std::vector<Box> boxes) : end_(end), networks_(end, {}) {
    const auto single = [&](const Box& box) { return (box.*end_).single(); };
    const auto wide = std::ranges::stable_partition(boxes, single);
    networks_ = {end, {wide.begin(), wide.end()}};
    boxes.erase(wide.begin(), wide.end());
    hosts_ = std::move(boxes);
    std::ranges::sort(hosts_, {}, end_);
}

std::vector<Box>::const_iterator BoxesByEnd::find(const Range& meeting) const {
    return std::ranges::lower_bound(hosts_, Range{meeting.family, meeting.lo, meeting.lo}, {}, end_);
}

OwnCoverage::OwnCoverage(const Reach& in, const OwnAddresses& own)
    : in_(in),
      own_(own),
      inputs_(&Box::source, of_direction(in, own, Direction::input)),
      outputs_(&Box::destination, of_direction(in, own, Direction::output)) {}

bool OwnCoverage::own(const Range& range) const {
    return std::ranges::any_of(own_.all, [&](const Range& own) { return range.holds(own); });
}

bool OwnCoverage::concerns(const Box& box) const {
    if (own_.all.empty()) return false;
    return box.direction != Direction::forward || own(box.destination) || own(box.source);
}

OwnCoverage::Look OwnCoverage::look(const Range& source) const {
    if (own_.all.empty()) return Look::none;
    if (own(source) && (!outputs_.empty() || (!own_.sending && source.single()))) return Look::all;
    bool received = !own_.receiving;
    inputs_.each(source, [&](const Box&) { received = true; });
    return received ? Look::at_own : Look::none;
}

const OwnCoverage::Tiers& OwnCoverage::tiers() {
    if (tiers_) return *tiers_;
    std::vector<Box> to;
    std::vector<Box> from;
    std::vector<std::pair<AddressSet, std::vector<Box>>> wide;
    for (const auto& [box, cause] : in_.boxes) {
        if (box.direction != Direction::forward) break;
        for (const Range& place : places_in(box.destination, own_))
            to.push_back({box.direction, box.source, place, box.ports});
        for (const Range& own : own_.judged)
            if (box.source.holds(own)) from.push_back({box.direction, own, box.destination, box.ports});
    }
    for (const TierReach& tier : in_.tiers) {
        std::vector<Range> sources;
        for (const Reacher& reacher : tier.reachers) sources.push_back(reacher.range);
        AddressSet who(std::move(sources));
        std::vector<Box> opened;
        for (const Area& area : tier.areas) {
            for (const Range& place : places_in(area.destination, own_))
                opened.push_back(Area{place, area.ports}.from({place.family, 0, 0}));
            for (const Range& own : own_.judged)
                if (area.destination.family == own.family && who.holds(own)) from.push_back(area.from(own));
        }
        if (!opened.empty()) wide.emplace_back(std::move(who), std::move(opened));
    }
    tiers_.emplace(Tiers{{&Box::source, std::move(to)}, {&Box::destination, std::move(from)}, std::move(wide)});
    return *tiers_;
}

// As boxes of the same kind.
std::vector<Box> OwnCoverage::others_about(const Box& box) {
    std::vector<Box> by;
    const auto take = [&](const Range& source, const Range& destination, const Ports& ports) {
        by.push_back({box.direction, source, destination, ports});
    };
    const auto as_it_is = [&](const Box& other) { take(other.source, other.destination, other.ports); };
    const auto about_these_ports = [&](const Box& other) {
        return reach::slots_of(other.ports).meets(reach::slots_of(box.ports));
    };
    const auto is_served = [&](const Box& other) {
        return std::ranges::find(own_.judged, other.destination) == own_.judged.end();
    };
    switch (box.direction) {
        case Direction::forward:
            for (const Range& own : own_.judged) {
                if (box.destination.holds(own))
                    inputs_.each(box.source, [&](const Box& input) { take(input.source, own, input.ports); });
                if (box.source.holds(own))
                    outputs_.each(box.destination,
                                  [&](const Box& output) { take(own, output.destination, output.ports); });
            }
            break;
        case Direction::input:
            tiers().to_own.each(box.source, [&](const Box& other) {
                if (about_these_ports(other)) as_it_is(other);
            });
            for (const auto& [who, opened] : tiers().wide_to_own) {
                if (!who.meets(box.source)) continue;
                const std::vector<Range> one{box.source};
                for (const Range& source : who.holds(box.source) ? one : who.ranges()) {
                    if (!source.meets(box.source)) continue;
                    for (const Box& other : opened)
                        if (other.destination.family == box.source.family && about_these_ports(other))
                            take(source, other.destination, other.ports);
                }
            }
            if (by.size() > most_served) std::erase_if(by, is_served);
            break;
        case Direction::output: tiers().from_own.each(box.destination, as_it_is); break;
    }
    return by;
}

bool OwnCoverage::judged(const Box& box) const {
    if (box.direction != Direction::forward) return true;
    return (own_.sending || !box.source.single() || !own(box.source)) &&
           (own_.receiving || !box.destination.single() || !own(box.destination));
}

std::vector<Box> OwnCoverage::uncovered(const std::vector<Box>& boxes) {
    std::vector<Box> left;
    for (const Box& box : boxes) {
        const std::vector<Box> others = others_about(box);
        std::vector<Box> parts{box};
        if (!others.empty()) {
            std::vector<LabelledBox> by;
            for (const Box& other : others) by.push_back({other, {}});
            std::ranges::sort(by, {}, &LabelledBox::box);
            parts = BoxIndex(by).uncovered(spread(box));
            // So that a port has all the addresses that it comes or goes at.
            if (box.direction == Direction::input) parts = disjoint_by_ports(parts);
        }
        for (const Box& part : parts)
            if (judged(part)) left.push_back(gathered(part));
    }
    std::ranges::sort(left);
    return left;
}

}  // namespace policyc
