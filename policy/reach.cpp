// Lays a policy's permissions out as areas and finds and cuts them. Entry points: permissions_of, AreaIndex, cut.
#include "policy/reach.h"

#include <algorithm>
#include <map>

namespace policyc::reach {
namespace {

// Half-open parts of one dimension: where each begins, in order, from the edges of what covers it.
template <typename Number>
void sort_edges(std::vector<Number>& edges) {
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
}

void cut_slots(const Area& slab, const std::vector<const Area*>& covers, Budget& budget, const Visit& visit) {
    std::vector<std::uint32_t> edges{slab.slots.lo};
    for (const Area* cover : covers) {
        if (cover->slots.lo > slab.slots.lo) edges.push_back(cover->slots.lo);
        if (cover->slots.hi < slab.slots.hi) edges.push_back(cover->slots.hi + 1);
    }
    sort_edges(edges);
    std::vector<std::size_t> owners;
    for (std::size_t i = 0; i < edges.size() && budget.spend(1 + covers.size()); ++i) {
        Area part = slab;
        part.slots = {edges[i], i + 1 < edges.size() ? edges[i + 1] - 1 : slab.slots.hi};
        owners.clear();
        for (const Area* cover : covers) {
            if (cover->slots.holds(part.slots)) owners.push_back(cover->owner);
        }
        sort_edges(owners);
        visit(part, owners);
    }
}

// Gathers permissions and the areas they open.
class Builder {
public:
    Builder(const Policy& policy, const Addresses& addresses, Days today)
        : policy_(policy), addresses_(addresses), today_(today) {}

    Permissions build() {
        for (std::size_t i = 0; i < policy_.tiers.size(); ++i) {
            const Tier& tier = policy_.tiers[i];
            add_targets(
                {Permission::Kind::tier, i, nullptr, nullptr, sources(tier.who), !holds_on(tier.expires, today_), {}},
                tier.allow);
        }
        for (std::size_t i = 0; i < policy_.nodes.size(); ++i) {
            const Node& node = policy_.nodes[i];
            if (node.scope != Scope::none) {
                for (const Input& input : node.inputs) add_input(i, input);
            }
            if (node.output) {
                const std::size_t self = sources({Source{NodeRef{i}, node.name, node.span}});
                add_targets({Permission::Kind::output, i, nullptr, nullptr, self, false, {}}, *node.output);
            }
        }
        result_.areas = AreaIndex(std::move(areas_));
        return std::move(result_);
    }

private:
    [[nodiscard]] std::vector<Range> allowed_families(std::vector<Range> ranges) const {
        if (policy_.ipv6 == Ipv6::deny)
            std::erase_if(ranges, [](const Range& range) { return range.family == Family::ipv6; });
        return ranges;
    }

    std::size_t sources(const std::vector<Source>& list) {
        std::vector<Range> ranges;
        for (const Source& source : list) {
            const auto more = addresses_of_host(policy_, addresses_, source.host);
            ranges.insert(ranges.end(), more.begin(), more.end());
        }
        AddressSet set(allowed_families(std::move(ranges)));
        // Many tiers are for the same people, and what tells sources apart should not tell these.
        const auto [known, fresh] = known_sources_.try_emplace(set.ranges(), result_.sources.size());
        if (fresh) result_.sources.push_back(std::move(set));
        return known->second;
    }

    void add(const Permission& permission, const Host& host, const Ports& ports) {
        for (const Range& range : allowed_families(addresses_of_host(policy_, addresses_, host))) {
            areas_.push_back({range, slots_of(ports), result_.list.size()});
        }
        result_.list.push_back(permission);
    }

    void add_targets(Permission permission, const std::vector<Target>& targets) {
        const bool tier_expired = permission.expired;
        for (const Target& target : targets) {
            permission.target = &target;
            permission.span = target.span;
            permission.expired = tier_expired || !holds_on(target.expires, today_);
            add(permission, target.host, target.ports);
        }
    }

    void add_input(std::size_t node, const Input& input) {
        const Permission permission{Permission::Kind::input, node,  nullptr,   &input,
                                    sources(input.from),     false, input.span};
        for (const Ports& ports : input.ports) add(permission, NodeRef{node}, ports);
    }

    const Policy& policy_;
    const Addresses& addresses_;
    Days today_;
    Permissions result_;
    std::vector<Area> areas_;
    std::map<std::vector<Range>, std::size_t> known_sources_;
};

}  // namespace

Slots slots_of(const Ports& ports) {
    switch (ports.protocol) {
        case Protocol::any: return {0, Slots::other};
        case Protocol::tcp: return {ports.lo, ports.hi};
        case Protocol::udp: return {Slots::udp + ports.lo, Slots::udp + ports.hi};
        case Protocol::ping: return {Slots::ping, Slots::ping};
    }
    return {};
}

std::string to_string(Slots slots) {
    if (slots.lo == 0 && slots.hi == Slots::other) return "*";
    std::vector<std::string> parts;
    const auto add_ports = [&](Protocol protocol, std::uint32_t zero) {
        const std::uint32_t lo = std::max(slots.lo, zero);
        const std::uint32_t hi = std::min(slots.hi, zero + UINT16_MAX);
        if (lo > hi) return;
        // Port 0 is worth a word only where it stands alone.
        const auto first = static_cast<std::uint16_t>(lo == zero && hi > lo ? 1 : lo - zero);
        parts.push_back(policyc::to_string(Ports{protocol, first, static_cast<std::uint16_t>(hi - zero)}));
    };
    add_ports(Protocol::tcp, 0);
    add_ports(Protocol::udp, Slots::udp);
    if (slots.holds({Slots::ping, Slots::ping})) parts.emplace_back("ping");
    if (slots.holds({Slots::other, Slots::other})) parts.emplace_back("other protocols");
    std::string text = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) text += (i + 1 == parts.size() ? " and " : ", ") + parts[i];
    return text;
}

Address host_in(const Range& range) {
    return {range.family, range.lo + (!range.single() && (range.lo & 0xffU) == 0 ? 1 : 0)};
}

std::uint32_t slot_in(Slots slots) {
    for (const std::uint32_t known : {22U, 80U, 443U}) {
        if (slots.holds({known, known})) return known;
    }
    return slots.lo == 0 && slots.hi > 0 ? 1 : slots.lo;
}

std::string to_string(const Address& address, std::uint32_t slot) {
    const std::string text = policyc::to_string(address);
    if (slot == Slots::ping) return text + " ping";
    if (slot == Slots::other) return text + " by another protocol";
    const bool bracketed = address.family == Family::ipv6;
    return (bracketed ? "[" + text + "]" : text) + ":" + to_string(Slots{slot, slot});
}

AreaIndex::AreaIndex(std::vector<Area> areas) : areas_(std::move(areas)), reach_(areas_.size()) {
    const auto key = [](const Area& area) { return std::pair(area.destination.family, area.destination.lo); };
    if (!std::ranges::is_sorted(areas_, {}, key)) std::ranges::stable_sort(areas_, {}, key);
    // The same halving as in search(), from the leaves up.
    const std::function<Range(std::size_t, std::size_t)> fill = [&](std::size_t begin, std::size_t end) {
        const std::size_t middle = begin + (end - begin) / 2;
        Range highest = areas_[middle].destination;
        const auto raise = [&highest](const Range& range) {
            if (std::pair(highest.family, highest.hi) < std::pair(range.family, range.hi)) highest = range;
        };
        if (begin < middle) raise(fill(begin, middle));
        if (middle + 1 < end) raise(fill(middle + 1, end));
        return reach_[middle] = highest;
    };
    if (!areas_.empty()) fill(0, areas_.size());
}

std::vector<Area> AreaIndex::meeting(const Area& area) const {
    std::vector<Area> found;
    meeting(area, found);
    return found;
}

void AreaIndex::meeting(const Area& area, std::vector<Area>& found) const {
    search(0, areas_.size(), area, found);
}

void AreaIndex::search(std::size_t begin, std::size_t end, const Area& area, std::vector<Area>& found) const {
    if (begin >= end) return;
    const std::size_t middle = begin + (end - begin) / 2;
    const Range& wanted = area.destination;
    const Range& highest = reach_[middle];
    if (std::pair(highest.family, highest.hi) < std::pair(wanted.family, wanted.lo)) return;
    search(begin, middle, area, found);
    const Range& here = areas_[middle].destination;
    if (std::pair(wanted.family, wanted.hi) < std::pair(here.family, here.lo)) return;
    if (areas_[middle].meets(area)) found.push_back(areas_[middle]);
    search(middle + 1, end, area, found);
}

void cut(const Area& area, const std::vector<Area>& covers, Budget& budget, const Visit& visit) {
    const Range& whole = area.destination;
    std::vector<const Area*> coming;  // the last one begins first
    std::vector<u128> edges{whole.lo};
    for (const Area& cover : covers) {
        if (!cover.meets(area)) continue;
        coming.push_back(&cover);
        if (cover.destination.lo > whole.lo) edges.push_back(cover.destination.lo);
        if (cover.destination.hi < whole.hi) edges.push_back(cover.destination.hi + 1);
    }
    sort_edges(edges);
    std::sort(coming.begin(), coming.end(),
              [](const Area* a, const Area* b) { return a->destination.lo > b->destination.lo; });
    std::vector<const Area*> active;
    for (std::size_t i = 0; i < edges.size() && !budget.spent(); ++i) {
        Area slab = area;
        slab.destination.lo = edges[i];
        slab.destination.hi = i + 1 < edges.size() ? edges[i + 1] - 1 : whole.hi;
        std::erase_if(active, [&](const Area* cover) { return cover->destination.hi < slab.destination.lo; });
        while (!coming.empty() && coming.back()->destination.lo <= slab.destination.lo) {
            active.push_back(coming.back());
            coming.pop_back();
        }
        cut_slots(slab, active, budget, visit);
    }
}

Permissions permissions_of(const Policy& policy, const Addresses& addresses, Days today) {
    return Builder(policy, addresses, today).build();
}

std::vector<Range> addresses_of_host(const Policy& policy, const Addresses& addresses, const Host& host) {
    std::vector<Range> ranges;
    if (const auto* node = std::get_if<NodeRef>(&host)) {
        for (const auto& address : policy.nodes[node->node].addresses) ranges.push_back(range_of(address.value));
    } else if (const auto* network = std::get_if<NetworkRef>(&host)) {
        for (const auto& range : policy.networks[network->network].ranges) ranges.push_back(range.value);
    } else if (const auto* range = std::get_if<Range>(&host)) {
        ranges.push_back(*range);
    } else if (const auto found = addresses.find(std::get<HostName>(host).name); found != addresses.end()) {
        for (const Address& address : found->second) ranges.push_back(range_of(address));
    }
    return ranges;
}

AddressSet intersection(const AddressSet& a, const AddressSet& b) {
    std::vector<Range> common;
    auto i = a.ranges().begin();
    auto j = b.ranges().begin();
    const auto end_of = [](const Range& range) { return std::pair(range.family, range.hi); };
    while (i != a.ranges().end() && j != b.ranges().end()) {
        if (i->meets(*j)) common.push_back({i->family, std::max(i->lo, j->lo), std::min(i->hi, j->hi)});
        end_of(*i) < end_of(*j) ? ++i : ++j;
    }
    return AddressSet(std::move(common));
}

}  // namespace policyc::reach
