// Reads the limits out of a policy; entry points in buckets.h.
#include "compiler/buckets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/permissions.h"

namespace policyc {

namespace {

std::string owner_of(const Tier& tier) {
    return "tiers." + tier.name;
}
std::string owner_of(const Service& service) {
    return "services." + service.name;
}
std::string owner_of(const Input& input) {
    return "input." + input.name;
}

void take_from(std::string_view owner, const std::optional<Rate>& rate, Buckets& buckets) {
    if (rate) buckets.push_back({*rate, owner});
    std::ranges::sort(buckets);
}

class Reading {
public:
    Reading(const View& view, Arena& texts) : view_(view), texts_(texts) {
        for (const Service& service : view.policy->services)
            services_.push_back(service.limit ? texts_.keep(owner_of(service)) : "");
    }

    [[nodiscard]] Giver begin(const std::string& name, Direction direction, const std::vector<Source>& sources) const {
        Giver giver{.name = texts_.keep(name),
                    .direction = direction,
                    .people = {},
                    .sources = {},
                    .hosts = {},
                    .networks = {}};
        std::vector<Range> all;
        for (const Source& source : sources)
            for (const Range& range : ranges(source.host)) {
                giver.people.emplace(range, source.label);
                all.push_back(range);
            }
        giver.sources = AddressSet(std::move(all));
        return giver;
    }

    [[nodiscard]] Giver read(const Tier& tier) const {
        Giver giver = begin(owner_of(tier), Direction::forward, tier.who);
        for (const Target& target : tier.allow) {
            if (!holds_on(target.expires, view_.today)) continue;
            Buckets buckets;
            take_from(giver.name, tier.limit, buckets);
            if (target.service)
                take_from(services_[*target.service], view_.policy->services[*target.service].limit, buckets);
            for (const Range& to : ranges(target.host))
                (to.single() ? giver.hosts : giver.networks).push_back({to, target.ports, buckets, target.label});
        }
        std::ranges::stable_sort(giver.hosts, {}, &Way::destination);
        return giver;
    }

    [[nodiscard]] Giver read(const Input& input) const {
        Giver giver = begin(owner_of(input), Direction::input, input.from);
        Buckets buckets;
        take_from(giver.name, input.limit, buckets);
        for (const Family family : {Family::ipv4, Family::ipv6})
            for (const Ports& ports : input.ports) giver.hosts.push_back({{family, 0, 0}, ports, buckets, giver.name});
        return giver;
    }

private:
    [[nodiscard]] std::vector<Range> ranges(const Host& host) const {
        return ranges_of(*view_.policy, *view_.addresses, host);
    }

    const View& view_;
    Arena& texts_;
    std::vector<std::string_view> services_;  // the owners of their limits
};

bool in_force(const Tier& tier, const View& view) {
    return !tier.grant && !tier.bastion && holds_on(tier.expires, view.today);
}

}  // namespace

std::vector<Giver> givers(const View& view, Arena& texts) {
    const Reading reading(view, texts);
    std::vector<Giver> out;
    for (const Tier& tier : view.policy->tiers)
        if (in_force(tier, view)) out.push_back(reading.read(tier));
    for (const Input& input : view.policy->nodes[view.node].inputs) out.push_back(reading.read(input));
    return out;
}

std::map<std::string, Rate> limits_of(const View& view) {
    std::map<std::string, Rate> out;
    const auto add = [&](const auto& one) {
        if (one.limit) out.emplace(owner_of(one), *one.limit);
    };
    for (const Tier& tier : view.policy->tiers)
        if (in_force(tier, view)) add(tier);
    for (const Service& service : view.policy->services) add(service);
    for (const Input& input : view.policy->nodes[view.node].inputs) add(input);
    return out;
}

}  // namespace policyc
