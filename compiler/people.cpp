// Finds nodes by their addresses; entry point People.
#include "compiler/people.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/box_text.h"
#include "policy/text.h"

namespace policyc {

People::People(const View& view) : dual_(view.policy->ipv6 == Ipv6::dual) {
    for (const Network& network : view.policy->networks) networks_.emplace(network.name, &network);
    const std::vector<Node>& nodes = view.policy->nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const Node& node = nodes[i];
        names_.emplace(node.name, &node);
        if (i == view.node) continue;
        for (const auto& address : node.addresses) nodes_.emplace_back(range_of(address.value), node.name);
    }
    std::ranges::sort(nodes_);
}

bool People::one_person(std::string_view label) const {
    return names_.contains(label);
}

bool People::lives_at(std::string_view label, const Range& range) const {
    const auto node = names_.find(label);
    const auto is_it = [&](const auto& address) { return range_of(address.value) == range; };
    return node != names_.end() && std::ranges::any_of(node->second->addresses, is_it);
}

bool People::of_both_families(std::string_view label) const {
    const auto both = [](const auto& list) {
        return std::ranges::any_of(list,
                                   [&](const auto& one) { return one.value.family != list.front().value.family; });
    };
    if (const auto node = names_.find(label); node != names_.end()) return both(node->second->addresses);
    const auto network = networks_.find(label);
    return network != networks_.end() && both(network->second->ranges);
}

People::Called People::called(std::string_view label, const AddressSet& sources, bool elsewhere, bool received) const {
    const bool person = one_person(label);
    const bool half = received && dual_ && sources.ranges().front().family == sources.ranges().back().family;
    const bool of_more = half && of_both_families(label);
    std::string who = person || of_more ? std::string(label) : text(label, sources);
    // Of a network of one family what is said by the names of nodes is half of these.
    if (of_more || (half && !who.starts_with(label)) || (elsewhere && who == label)) {
        const std::string ranges = ranges_text(sources, [](const Range& range) { return to_string(range); });
        const bool says_so = ranges == who;
        return {std::move(who), says_so ? "" : fmt::format("({})", ranges)};
    }
    return {std::move(who), person ? std::string() : among(label, sources)};
}

std::optional<Span> People::place_of(std::string_view label) const {
    if (const auto node = names_.find(label); node != names_.end() && !node->second->addresses.empty())
        return node->second->addresses.front().span;
    if (const auto network = networks_.find(label); network != networks_.end()) return network->second->span;
    return std::nullopt;
}

std::optional<AddressSet> People::whole_of(std::string_view label) const {
    if (const auto network = networks_.find(label); network != networks_.end()) {
        std::vector<Range> ranges;
        for (const auto& range : network->second->ranges) ranges.push_back(range.value);
        return AddressSet(std::move(ranges));
    }
    if (const auto cidr = parse_cidr(label)) return AddressSet({cidr->range});
    return std::nullopt;
}

std::string People::name(const Range& range) const {
    const auto at = std::ranges::lower_bound(nodes_, range, {}, &std::pair<Range, std::string_view>::first);
    return at != nodes_.end() && at->first == range ? std::string(at->second) : to_string(range);
}

std::string People::text(std::string_view label, const AddressSet& sources) const {
    const auto named = [&](const Range& range) { return name(range); };
    const std::optional<AddressSet> whole = whole_of(label);
    if (!whole) return ranges_text(sources, named);
    // Of families that nothing is about nothing is said.
    AddressSet left_out;
    for (const Family family : {Family::ipv4, Family::ipv6})
        if (!sources.ranges(family).empty())
            for (const Range& range : whole->ranges(family)) left_out.add(range);
    for (const Range& range : sources.ranges()) left_out.subtract(range);
    if (left_out.empty()) return std::string(label);
    const std::size_t parts = sources.ranges().size();
    if (left_out.ranges().size() >= parts) return ranges_text(sources, named);
    // A node by its name where all of it that is in there is left out; once, though it may have an address of each family.
    const auto left_out_whole = [&](const Node& node) {
        return std::ranges::all_of(node.addresses, [&](const auto& address) {
            const Range range = range_of(address.value);
            return !whole->holds(range) || sources.ranges(range.family).empty() || left_out.holds(range);
        });
    };
    std::vector<std::string> texts;
    for (const Range& range : left_out.ranges()) {
        std::string text = name(range);
        if (const auto node = names_.find(text); node != names_.end() && !left_out_whole(*node->second))
            text = to_string(range);
        if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
    }
    return fmt::format("{} but {}", label, few(texts));
}

std::string People::among(std::string_view label, const AddressSet& sources) const {
    constexpr std::size_t shown = 3;
    std::vector<std::string> names;
    std::size_t all = 0;
    const Family family = sources.ranges().front().family;  // a node has one address of each
    const auto first_of = &std::pair<Range, std::string_view>::first;
    for (const Range& range : sources.ranges(family)) {
        if (range.single() && !parse_address(label)) continue;
        const auto first = std::ranges::lower_bound(nodes_, Range{range.family, range.lo, range.lo}, {}, first_of);
        const auto last = std::ranges::upper_bound(nodes_, Range{range.family, range.hi, range.hi}, {}, first_of);
        all += static_cast<std::size_t>(last - first);
        for (auto at = first; at != last && names.size() < shown; ++at) names.emplace_back(at->second);
    }
    if (names.empty()) return "";
    if (parse_address(label)) return fmt::format("({})", names.front());
    const std::string more = all > names.size() ? fmt::format(" and {} more", all - names.size()) : "";
    return fmt::format("({}{} among them)", fmt::join(names, ", "), more);
}

}  // namespace policyc
