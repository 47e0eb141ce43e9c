// Reads the limits out of a policy; entry points in buckets.h.
#include "compiler/buckets.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/own_addresses.h"
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
    Reading(const View& view, Arena& texts)
        : view_(view), node_(view.policy->nodes[view.node]), texts_(texts), own_(own_addresses(view)) {
        for (const Service& service : view.policy->services)
            services_.push_back(service.limit ? texts_.keep(owner_of(service)) : "");
    }

    void read(const Tier& tier) {
        Giver through = begin(owner_of(tier), Direction::forward, people_of(tier.who));
        for (const Target& target : tier.allow) {
            if (!holds_on(target.expires, view_.today)) continue;
            Buckets buckets;
            take_from(through.name, tier.limit, buckets);
            if (target.service)
                take_from(services_[*target.service], view_.policy->services[*target.service].limit, buckets);
            const std::string_view label = label_of(target);
            for (const Range& to : ranges(target.host))
                (to.single() ? through.hosts : through.networks).push_back({to, target.ports, buckets, label});
        }
        Giver to_host{through.name, Direction::input, through.people, through.sources, {}, {}};
        for (const Range& own : own_)
            for (const auto* ways : {&through.hosts, &through.networks})
                for (const Opening& way : *ways)
                    if (way.destination.holds(own)) to_host.hosts.push_back({own, way.ports, way.buckets, way.label});
        Giver from_host = begin(owner_of(tier), Direction::output, own_among(through.sources));
        from_host.hosts = through.hosts;
        from_host.networks = through.networks;

        // Nobody forwards what is for this host.
        std::erase_if(through.hosts, [&](const Opening& way) { return is_own(way.destination); });
        for (Giver* giver : {&through, &to_host, &from_host}) add(std::move(*giver));
    }

    void read(const Input& input) {
        Giver giver = begin(owner_of(input), Direction::input, people_of(input.from));
        Buckets buckets;
        take_from(giver.name, input.limit, buckets);
        std::vector<Range> here{{Family::ipv4, 0, 0}, {Family::ipv6, 0, 0}};
        here.insert(here.end(), own_.begin(), own_.end());
        for (const Range& at : here)
            for (const Ports& ports : input.ports) giver.hosts.push_back({at, ports, buckets, giver.name});
        add(std::move(giver));
    }

    void read(const std::vector<Target>& output) {
        Giver giver = begin("output", Direction::output, own_among(AddressSet(own_)));
        for (const Target& target : output) {
            if (!holds_on(target.expires, view_.today)) continue;
            const std::string_view label = label_of(target);
            for (const Range& to : ranges(target.host))
                (to.single() ? giver.hosts : giver.networks).push_back({to, target.ports, {}, label});
        }
        add(std::move(giver));
    }

    [[nodiscard]] std::vector<Giver> take() { return std::move(givers_); }

private:
    using People = std::map<Range, std::string_view>;

    [[nodiscard]] std::vector<Range> ranges(const Host& host) const {
        return ranges_of(*view_.policy, *view_.addresses, host);
    }
    // The name of a service stands for its own ports, and nothing else does.
    [[nodiscard]] std::string_view label_of(const Target& target) const {
        if (target.service) return target.label;
        const bool bracketed = target.label.find(':') != std::string::npos;
        return texts_.keep(fmt::format("{}{}{}:{}", bracketed ? "[" : "", target.label, bracketed ? "]" : "",
                                       to_string(target.ports)));
    }
    [[nodiscard]] bool is_own(const Range& range) const { return std::ranges::find(own_, range) != own_.end(); }

    [[nodiscard]] People people_of(const std::vector<Source>& sources) const {
        People people;
        for (const Source& source : sources)
            for (const Range& range : ranges(source.host)) people.emplace(range, source.label);
        return people;
    }
    [[nodiscard]] People own_among(const AddressSet& sources) const {
        People people;
        for (const Range& own : own_)
            if (sources.holds(own)) people.emplace(own, node_.name);
        return people;
    }
    static AddressSet sources_of(const People& people) {
        std::vector<Range> all;
        for (const auto& [range, label] : people) all.push_back(range);
        return AddressSet(std::move(all));
    }

    Giver begin(const std::string& name, Direction direction, People people) {
        AddressSet sources = sources_of(people);
        return {texts_.keep(name), direction, std::move(people), std::move(sources), {}, {}};
    }

    void add(Giver giver) {
        // What this host sends comes in by no interface.
        if (giver.direction != Direction::output &&
            std::erase_if(giver.people, [&](const auto& person) { return is_own(person.first); }) > 0)
            giver.sources = sources_of(giver.people);
        // Without output, what this host sends is not judged.
        if (giver.people.empty() || (giver.direction == Direction::output && !node_.output)) return;
        std::ranges::stable_sort(giver.hosts, {}, &Opening::destination);
        givers_.push_back(std::move(giver));
    }

    const View& view_;
    const Node& node_;
    Arena& texts_;
    std::vector<Range> own_;
    std::vector<std::string_view> services_;  // the owners of their limits
    std::vector<Giver> givers_;
};

bool in_force(const Tier& tier, const View& view) {
    return !tier.grant && !tier.bastion && holds_on(tier.expires, view.today);
}

}  // namespace

std::vector<Giver> givers(const View& view, Arena& texts) {
    Reading reading(view, texts);
    for (const Tier& tier : view.policy->tiers)
        if (in_force(tier, view)) reading.read(tier);
    const Node& node = view.policy->nodes[view.node];
    for (const Input& input : node.inputs) reading.read(input);
    if (node.output) reading.read(*node.output);
    return reading.take();
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
