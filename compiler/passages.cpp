// Tells the places of addresses apart, and which way packets take between them: Passages.
#include "compiler/passages.h"

#include <algorithm>

namespace policyc::explain {

namespace {

// All addresses, each at the first of these places that has it.
std::array<AddressSet, places> by_place(const std::array<AddressSet, places - 1>& sets) {
    std::array<AddressSet, places> result;
    AddressSet rest({{Family::ipv4, 0, top(Family::ipv4)}, {Family::ipv6, 0, top(Family::ipv6)}});
    for (std::size_t place = 0; place + 1 < places; ++place) {
        result.at(place) = reach::intersection(rest, sets.at(place));
        rest = outside(std::move(rest), sets.at(place));
    }
    result.back() = std::move(rest);
    return result;
}

}  // namespace

AddressSet outside(AddressSet set, const AddressSet& of) {
    if (set.empty()) return set;
    for (const Range& range : of.ranges()) set.subtract(range);
    return set;
}

Passages::Passages(const Asked& asked) : asked_(asked), node_(asked.policy.nodes[asked.node]) {
    std::vector<Range> own{parse_cidr("127.0.0.0/8")->range, parse_cidr("::1")->range};
    std::vector<Range> near;
    std::vector<Range> far;
    std::vector<Range> others;
    std::vector<Range> named;
    const auto add_sources = [&](const std::vector<Source>& sources) {
        for (const Source& source : sources) {
            const auto more = reach::addresses_of_host(asked.policy, asked.addresses, source.host);
            named.insert(named.end(), more.begin(), more.end());
        }
    };
    for (const Node& node : asked.policy.nodes) {
        std::vector<Range>& side = &node == &node_ ? near : far;
        for (const auto& address : node.addresses) {
            side.push_back(range_of(address.value));
            (&node == &node_ ? own : others).push_back(range_of(address.value));
        }
        for (const auto& served : node.serves) side.push_back(served.value);
        for (const Input& input : node.inputs) add_sources(input.from);
    }
    for (const Address& address : asked.own.value_or(std::vector<Address>{})) own.push_back(range_of(address));
    if (const auto* endpoint = node_.endpoint ? std::get_if<Address>(&node_.endpoint->host) : nullptr)
        own.push_back(range_of(*endpoint));
    for (const Tier& tier : asked.policy.tiers) add_sources(tier.who);

    const AddressSet near_side = outside(AddressSet(std::move(near)), AddressSet(std::move(others)));
    const AddressSet far_side = outside(AddressSet(std::move(far)), near_side);
    const AddressSet mine = outside(AddressSet(std::move(own)), far_side);
    const AddressSet sources(std::move(named));
    receivers_ = by_place({mine, near_side, far_side, sources});
    // What comes in through an interface, this host didn't send, whatever its source says.
    senders_ = asked.in ? by_place({AddressSet(), near_side, far_side, sources}) : receivers_;
}

// Addresses that the policy doesn't know are taken to come out of the tunnel where only that is judged, and from elsewhere where everything is.
Side Passages::way_in(Place who) const {
    if (asked_.in) return *asked_.in;
    if (asked_.routed_in && who != Place::own && who != Place::far) return *asked_.routed_in;
    switch (who) {
        case Place::own: return Side::loopback;
        case Place::near: return Side::other;
        case Place::far:
        case Place::named: return Side::tunnel;
        case Place::elsewhere: return node_.scope == Scope::host ? Side::other : Side::tunnel;
    }
    return Side::other;
}

Passage Passages::passage_of(Place who, Place where) const {
    if (where == Place::own) return {Direction::input, way_in(who), Side::other};
    const Side out = where == Place::far ? Side::tunnel : asked_.routed_out.value_or(Side::other);
    if (who == Place::own) return {Direction::output, Side::other, out};
    return {Direction::forward, way_in(who), out};
}

std::vector<Placed> Passages::between(const AddressSet& sources, const AddressSet& destinations) const {
    std::vector<Placed> found;
    if (sources.empty() || destinations.empty()) return found;
    const Family family = sources.ranges().front().family;
    std::array<AddressSet, places> to;
    for (std::size_t place = 0; place < places; ++place)
        to.at(place) = reach::intersection(destinations, receivers_.at(place));
    for (std::size_t source = 0; source < places; ++source) {
        const AddressSet from = reach::intersection(sources, senders_.at(source));
        for (std::size_t destination = 0; !from.empty() && destination < places; ++destination) {
            if (to.at(destination).empty()) continue;
            const auto who = static_cast<Place>(source);
            const Passage passage = passage_of(who, static_cast<Place>(destination));
            found.push_back({{passage, family, from, to.at(destination), {}}, who});
        }
    }
    return found;
}

}  // namespace policyc::explain
