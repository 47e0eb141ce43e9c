// Names what a Ruleset lets through; entry points in words.h.
#include "compiler/words.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/permissions.h"

namespace policyc {

Compiled::Compiled(const View& view, ir::Ruleset ruleset) : view_(view), ruleset_(std::move(ruleset)) {
    const Reach reach = reach_of(ruleset_);
    for (const LabelledBox& labelled : reach.boxes) {
        Words words = words_of(labelled);
        pairs_.insert(words);
        boxes_.emplace(labelled.box, std::move(words));
    }
    for (const TierReach& tier : reach.tiers) add_tier(tier);

    for (const Service& service : view_.policy->services)
        if (const auto* host = std::get_if<HostName>(&service.host)) host_names_.emplace(service.name, host->name);
    for (const Tier& tier : view_.policy->tiers)
        for (const Target& target : tier.allow) holders_.emplace(target.span, "tiers." + tier.name);
    const Node& node = view_.policy->nodes[view_.node];
    for (const Input& input : node.inputs)
        holders_.emplace(input.span, fmt::format("nodes.{}.input.{}", node.name, input.name));
}

// Who is in a tier is taken from the policy: in the Ruleset a source that is in several tiers has the name of one of them.
void Compiled::add_tier(const TierReach& tier) {
    const auto [at, fresh] = tiers_.try_emplace(tier.tier);
    Own& own = at->second;
    if (fresh && tier.tier <= view_.policy->tiers.size()) {
        for (const Source& source : view_.policy->tiers[tier.tier - 1].who) {
            own.people.insert(source.label);
            for (const Range& range : ranges_of(*view_.policy, *view_.addresses, source.host)) {
                if (range.single())
                    own.hosts.emplace(range, source.label);
                else
                    own.networks.emplace_back(range, source.label);
            }
        }
    }
    for (const Area& area : tier.areas) {
        if (area.object >= ruleset_.objects.size()) continue;
        own.areas.emplace(std::pair(area.destination, area.ports), area.object);
        own.services.emplace(ruleset_.objects[area.object].name, area.object);
    }
}

Words Compiled::words_of(const LabelledBox& labelled) const {
    const auto [subject, object] = labelled.cause;
    return words_of(subject == ir::Cause::none ? view_.policy->nodes[view_.node].name : ruleset_.subjects[subject].name,
                    object);
}

Words Compiled::words_of(std::string who, std::uint32_t object) const {
    Words words{.who = std::move(who)};
    if (object != ir::Cause::none) {
        words.service = ruleset_.objects[object].name;
        words.span = ruleset_.objects[object].span;
    }
    return words;
}

std::optional<Words> Compiled::find(const Box& box) const {
    if (const auto found = boxes_.find(box); found != boxes_.end()) return found->second;
    if (box.direction != Direction::forward) return std::nullopt;
    for (const auto& [tier, own] : tiers_) {
        const auto area = own.areas.find({box.destination, box.ports});
        if (area == own.areas.end()) continue;
        if (const auto host = own.hosts.find(box.source); host != own.hosts.end())
            return words_of(host->second, area->second);
        const auto network =
            std::ranges::find_if(own.networks, [&](const auto& one) { return one.first.holds(box.source); });
        if (network != own.networks.end()) return words_of(network->second, area->second);
    }
    return std::nullopt;
}

std::optional<Words> Compiled::find(const Words& words) const {
    if (const auto found = pairs_.find(words); found != pairs_.end()) return *found;
    for (const auto& [tier, own] : tiers_) {
        const auto service = own.services.find(words.service);
        if (service != own.services.end() && own.people.contains(words.who))
            return words_of(words.who, service->second);
    }
    return std::nullopt;
}

std::string Compiled::host_name(const std::string& service) const {
    if (const auto found = host_names_.find(service); found != host_names_.end()) return found->second;
    return view_.addresses->contains(service) ? service : std::string();
}

std::string Compiled::holder(const Span& span) const {
    if (const auto found = holders_.find(span); found != holders_.end()) return found->second;
    return fmt::format("nodes.{}.output", view_.policy->nodes[view_.node].name);
}

// Names for a box that no policy explains: the nodes and services that bear its addresses, else the addresses themselves.
Words guess(const Box& box, const View& view) {
    Words words;
    if (box.direction == Direction::output)
        words.who = view.policy->nodes[view.node].name;
    else
        words.who = to_string(box.source);
    for (const Node& node : view.policy->nodes)
        for (const auto& address : node.addresses)
            if (box.direction != Direction::output && box.source == range_of(address.value)) words.who = node.name;
    if (box.direction == Direction::input) return words;
    for (const Service& service : view.policy->services)
        for (const Range& host : ranges_of(*view.policy, *view.addresses, service.host))
            if (host == box.destination && std::ranges::find(service.ports, box.ports) != service.ports.end())
                words.service = service.name;
    return words;
}

}  // namespace policyc
