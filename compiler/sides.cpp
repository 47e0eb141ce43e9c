// Tells the sides of a node apart; entry points in sides.h.
#include "compiler/sides.h"

#include <algorithm>

#include "compiler/node_sets.h"
#include "compiler/permissions.h"

namespace policyc {

namespace {

using program::By;

ir::Rule refused(Statements first, const Statements& more, ir::Lookup lookup, const char* comment) {
    first.insert(first.end(), more.begin(), more.end());
    first.insert(first.end(), {std::move(lookup), ir::Count{}, ir::Drop{}});
    return make_rule(std::move(first), comment);
}

bool meets(const Policy& policy, const Addresses& addresses, const Host& host, const AddressSet& side) {
    return std::ranges::any_of(ranges_of(policy, addresses, host),
                               [&](const Range& range) { return side.meets(range); });
}

}  // namespace

Sides sides_of(const Policy& policy, std::size_t node) {
    Sides sides;
    const auto add_node = [](AddressSet& set, const Node& n) {
        for (const auto& address : n.addresses) set.add(range_of(address.value));
        for (const auto& range : n.serves) set.add(range.value);
    };
    add_node(sides.near, policy.nodes[node]);
    for (std::size_t i = 0; i < policy.nodes.size(); ++i)
        if (i != node) add_node(sides.far, policy.nodes[i]);
    // Another node's own address is on its side, whatever network this node serves.
    for (std::size_t i = 0; i < policy.nodes.size(); ++i)
        if (i != node)
            for (const auto& address : policy.nodes[i].addresses) sides.near.subtract(range_of(address.value));
    sides.tunnel = sides.far;
    const auto add_sources = [&](const std::vector<Source>& sources) {
        for (const Source& source : sources)
            for (const Range& range : ranges_of(policy, {}, source.host)) sides.tunnel.add(range);
    };
    for (const Tier& tier : policy.tiers) add_sources(tier.who);
    for (const Node& n : policy.nodes)
        for (const Input& input : n.inputs) add_sources(input.from);
    for (const Range& range : sides.near.ranges()) {
        sides.far.subtract(range);
        sides.tunnel.subtract(range);
    }
    return sides;
}

bool begins_near(const Policy& policy, const Addresses& addresses, const Sides& sides) {
    return std::ranges::any_of(policy.tiers, [&](const Tier& tier) {
        return std::ranges::any_of(
            tier.who, [&](const Source& source) { return meets(policy, addresses, source.host, sides.near); });
    });
}

bool answers_far(const Policy& policy, const Addresses& addresses, const Sides& sides) {
    return std::ranges::any_of(policy.tiers, [&](const Tier& tier) {
        return std::ranges::any_of(
            tier.allow, [&](const Target& target) { return meets(policy, addresses, target.host, sides.far); });
    });
}

void add_tunnel_spoof_rules(std::vector<ir::Rule>& rules, const std::vector<Family>& families, const Statements& first,
                            bool judged) {
    constexpr const char* comment = "spoofed: not a source of the tunnel";
    for (const Family family : families) {
        const ir::Field source = program::source_field(family, By::packet);
        const ir::Lookup no_source{{source}, numbered("tunnel", family), true};
        if (!judged) {
            rules.push_back(refused(first, {}, no_source, comment));
            continue;
        }
        rules.push_back(refused(first, {ir::MatchReply{false}}, no_source, comment));
        rules.push_back(refused(first, {ir::MatchReply{true}}, {{source}, numbered("near", family)}, comment));
    }
}

void add_far_spoof_rules(std::vector<ir::Rule>& rules, const Lookups& lookups, const Statements& first) {
    for (const Family family : lookups.families()) {
        if (!lookups.has(numbered("far", family))) continue;
        rules.push_back(refused(first, {}, {{program::source_field(family, By::packet)}, numbered("far", family)},
                                "spoofed: its place is behind the tunnel"));
    }
}

}  // namespace policyc
