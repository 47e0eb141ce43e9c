// Hosts and nodes as addresses; entry points in places.h.
#include "compiler/proof/places.h"

#include <algorithm>

namespace policyc::proof {
namespace {

void add_node(AddressSet& set, const Node& node) {
    for (const Spanned<Address>& address : node.addresses) set.add(range_of(address.value));
    for (const Spanned<Range>& range : node.serves) set.add(range.value);
}

}  // namespace

std::vector<Range> ranges_of(const Policy& policy, const Addresses& addresses, const Host& host) {
    std::vector<Range> ranges;
    if (const auto* node = std::get_if<NodeRef>(&host)) {
        for (const Spanned<Address>& address : policy.nodes[node->node].addresses)
            ranges.push_back(range_of(address.value));
    } else if (const auto* network = std::get_if<NetworkRef>(&host)) {
        for (const Spanned<Range>& range : policy.networks[network->network].ranges) ranges.push_back(range.value);
    } else if (const auto* range = std::get_if<Range>(&host)) {
        ranges.push_back(*range);
    } else if (const auto known = addresses.find(std::get<HostName>(host).name); known != addresses.end()) {
        for (const Address& address : known->second) ranges.push_back(range_of(address));
    }
    return ranges;
}

AddressSet near_side(const Policy& policy, std::size_t node) {
    AddressSet near;
    add_node(near, policy.nodes[node]);
    for (std::size_t i = 0; i < policy.nodes.size(); ++i)
        if (i != node)
            for (const Spanned<Address>& address : policy.nodes[i].addresses) near.subtract(range_of(address.value));
    return near;
}

AddressSet far_side(const Policy& policy, std::size_t node) {
    AddressSet far;
    for (std::size_t i = 0; i < policy.nodes.size(); ++i)
        if (i != node) add_node(far, policy.nodes[i]);
    const AddressSet near = near_side(policy, node);
    for (const Range& range : near.ranges()) far.subtract(range);
    return far;
}

bool answers_far(const Policy& policy, const Addresses& addresses, std::size_t node) {
    const AddressSet far = far_side(policy, node);
    return std::ranges::any_of(policy.tiers, [&](const Tier& tier) {
        return std::ranges::any_of(tier.allow, [&](const Target& target) {
            const std::vector<Range> ranges = ranges_of(policy, addresses, target.host);
            return std::ranges::any_of(ranges, [&](const Range& range) { return far.meets(range); });
        });
    });
}

}  // namespace policyc::proof
