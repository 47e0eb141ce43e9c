// Names what a Ruleset lets through; entry points in words.h.
#include "compiler/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "compiler/own_end.h"
#include "compiler/permissions.h"

namespace policyc {

Compiled::Compiled(const View& view, const ir::Ruleset& ruleset, const Reach& reach)
    : view_(view), ruleset_(ruleset), reach_(reach), boxes_(reach.boxes) {
    pairs_.reserve(reach.boxes.size());
    for (const LabelledBox& labelled : reach.boxes) {
        const Words words = words_of(labelled);
        pairs_.add({words.who, words.service}, words.span);
    }
    pairs_.settle();
    for (const TierReach& tier : reach.tiers) add_tier(tier);
    for (auto& [number, own] : tiers_) {
        own.hosts.settle();
        own.people.settle();
        own.areas.settle();
        own.services.settle();
    }

    for (const Service& service : view_.policy->services)
        if (const auto* host = std::get_if<HostName>(&service.host)) host_names_.add(service.name, host->name);
    host_names_.settle();
    for (const Tier& tier : view_.policy->tiers) {
        const std::string_view holder = texts_.keep("tiers." + tier.name);
        for (const Target& target : tier.allow) holders_.add(target.span, holder);
    }
    const Node& node = view_.policy->nodes[view_.node];
    for (const Input& input : node.inputs)
        holders_.add(input.span, texts_.keep(fmt::format("nodes.{}.input.{}", node.name, input.name)));
    holders_.settle();
    output_ = texts_.keep(fmt::format("nodes.{}.output", node.name));
}

// Who is in a tier is taken from the policy: in the Ruleset a source that is in several tiers has the name of one of them.
void Compiled::add_tier(const TierReach& tier) {
    const auto [at, fresh] = tiers_.try_emplace(tier.tier);
    Own& own = at->second;
    if (fresh && tier.tier <= view_.policy->tiers.size()) add_people(view_.policy->tiers[tier.tier - 1], own);
    for (const Area& area : tier.areas) {
        if (area.object >= ruleset_.objects.size()) continue;
        own.areas.add({area.destination, area.ports}, area.object);
        own.services.add(ruleset_.objects[area.object].name, area.object);
    }
}

void Compiled::add_people(const Tier& tier, Own& own) const {
    std::vector<Box> networks;
    for (const Source& source : tier.who) {
        own.people.add(source.label, true);
        for (const Range& range : ranges_of(*view_.policy, *view_.addresses, source.host)) {
            if (range.single()) {
                own.hosts.add(range, source.label);
                continue;
            }
            networks.push_back({.source = range});
            own.networks.push_back(source.label);
        }
    }
    own.by_network.emplace(&Box::source, std::move(networks));
}

const std::string_view* Compiled::Own::find(const Range& source) const {
    if (const std::string_view* host = hosts.find(source)) return host;
    if (!by_network) return nullptr;
    std::size_t first = networks.size();
    by_network->each(source, [&](std::size_t at) {
        if (by_network->boxes()[at].source.holds(source)) first = std::min(first, at);
    });
    return first < networks.size() ? &networks[first] : nullptr;
}

Words Compiled::words_of(const LabelledBox& labelled) const {
    const auto [subject, object] = labelled.cause;
    return words_of(subject == ir::Cause::none ? view_.policy->nodes[view_.node].name : ruleset_.subjects[subject].name,
                    object);
}

Words Compiled::words_of(std::string_view who, std::uint32_t object) const {
    if (object == ir::Cause::none) return {.who = who, .service = {}, .span = {}};
    return {.who = who, .service = ruleset_.objects[object].name, .span = ruleset_.objects[object].span};
}

std::optional<Words> Compiled::find(const Box& box) const {
    if (const LabelledBox* found = boxes_.find(box)) return words_of(*found);
    if (box.direction == Direction::forward) {
        for (const auto& [tier, own] : tiers_) {
            const std::uint32_t* area = own.areas.find({box.destination, box.ports});
            const std::string_view* who = area != nullptr ? own.find(box.source) : nullptr;
            if (who != nullptr) return words_of(*who, *area);
        }
    }
    const LabelledBox* holder = holder_of(box);
    return holder != nullptr ? std::optional(words_of(*holder)) : std::nullopt;
}

const LabelledBox* Compiled::holder_of(const Box& box) const {
    if (!index_) index_.emplace(reach_.boxes);
    const Box* holder = index_->holder(box);
    if (holder == nullptr) return nullptr;
    return &*std::ranges::lower_bound(reach_.boxes, *holder, {}, &LabelledBox::box);
}

std::vector<Range> Compiled::cut(std::uint32_t tier, const Range& source) const {
    const auto at = tiers_.find(tier);
    if (source.single() || at == tiers_.end() || at->second.find(source) != nullptr) return {source};
    std::vector<u128> begins{source.lo};
    const auto cut_at = [&](const Range& entry) {
        if (entry.lo > source.lo) begins.push_back(entry.lo);
        if (entry.hi < source.hi) begins.push_back(entry.hi + 1);
    };
    std::vector<Range> wide;
    if (const auto& networks = at->second.by_network)
        networks->each(source, [&](std::size_t i) { wide.push_back(networks->boxes()[i].source); });
    std::ranges::for_each(wide, cut_at);
    const AddressSet networks(std::move(wide));
    const auto address = [&](u128 bits) { return Range{source.family, bits, bits}; };
    for (const auto& [host, who] : at->second.hosts.between(address(source.lo), address(source.hi)))
        if (!networks.holds(host)) cut_at(host);
    std::ranges::sort(begins);
    const auto repeated = std::ranges::unique(begins);
    begins.erase(repeated.begin(), repeated.end());
    std::vector<Range> parts;
    for (std::size_t i = 0; i < begins.size(); ++i)
        parts.push_back({source.family, begins[i], i + 1 < begins.size() ? begins[i + 1] - 1 : source.hi});
    return parts;
}

std::optional<Words> Compiled::find(const Words& words) const {
    if (const Span* span = pairs_.find({words.who, words.service})) return Words{words.who, words.service, *span};
    for (const auto& [tier, own] : tiers_) {
        const std::uint32_t* object = own.services.find(words.service);
        if (object != nullptr && own.people.find(words.who) != nullptr) return words_of(words.who, *object);
    }
    return std::nullopt;
}

bool Compiled::allows(const Box& box) const {
    if (!coverage_) coverage_.emplace(reach_);
    if (!of_some_addresses(box)) return coverage_->uncovered(box).empty();
    // Nothing but an input or output opens addresses that no policy names.
    Box whole = box;
    Range& end = own_end(whole);
    end = {end.family, 0, 0};
    return coverage_->uncovered(whole).empty();
}

std::vector<Box> Compiled::take(std::vector<Box>& boxes) const {
    if (!coverage_) coverage_.emplace(reach_);
    std::vector<Box> taken;
    std::vector<Box> left;
    for (const Box& box : boxes) {
        if (find(box) || (of_some_addresses(box) && allows(box))) {
            taken.push_back(box);
            continue;
        }
        const std::vector<Box> rest = of_some_addresses(box) ? std::vector{box} : coverage_->uncovered(box);
        left.insert(left.end(), rest.begin(), rest.end());
        if (rest == std::vector{box}) continue;
        std::vector<LabelledBox> labelled;
        for (const Box& one : rest) labelled.push_back({.box = one});
        std::ranges::copy(BoxIndex(labelled).uncovered(box), std::back_inserter(taken));
    }
    boxes = std::move(left);
    return taken;
}

std::string_view Compiled::host_name(std::string_view service) const {
    if (const std::string_view* found = host_names_.find(service)) return *found;
    return view_.addresses->contains(std::string(service)) ? service : std::string_view();
}

std::string_view Compiled::holder(const Span& span) const {
    const std::string_view* found = holders_.find(span);
    return found != nullptr ? *found : output_;
}

// The last of several that bear one address names it.
Guesses::Guesses(const View& view) : here_(view.policy->nodes[view.node].name) {
    for (const Node& node : std::views::reverse(view.policy->nodes))
        for (const auto& address : node.addresses) nodes_.add(range_of(address.value), node.name);
    nodes_.settle();
    for (const Service& service : std::views::reverse(view.policy->services))
        for (const Range& host : ranges_of(*view.policy, *view.addresses, service.host))
            for (const Ports& ports : service.ports) services_.add({host, ports}, service.name);
    services_.settle();
}

Words Guesses::of(const Box& box, Arena& texts) const {
    Words words;
    if (box.direction == Direction::output)
        words.who = here_;
    else if (const std::string_view* node = nodes_.find(box.source))
        words.who = *node;
    else
        words.who = texts.keep(to_string(box.source));
    if (box.direction == Direction::input) return words;
    if (const std::string_view* service = services_.find({box.destination, box.ports})) words.service = *service;
    return words;
}

}  // namespace policyc
