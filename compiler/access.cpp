// Ruleset to boxes of flows, and how much of a table differs; entry points boxes_of() and extent().
#include "compiler/access.h"

#include <algorithm>
#include <map>

#include "compiler/box.h"
#include "compiler/program.h"

namespace policyc {

namespace {

Direction direction_of(program::Kind kind) {
    switch (kind) {
        case program::Kind::allow: return Direction::forward;
        case program::Kind::input: return Direction::input;
        case program::Kind::output: return Direction::output;
    }
    return Direction::forward;
}

Box box_of(const program::Permissions& permissions, const ir::Elements& elements, std::size_t element) {
    Box box{.direction = direction_of(permissions.kind)};
    box.source.family = box.destination.family = permissions.family;
    box.ports.protocol = permissions.protocol;
    box.ports.lo = box.ports.hi = 0;
    std::size_t field = 0;
    const auto next = [&] { return elements.bound(element, field++); };
    if (permissions.kind != program::Kind::output) {
        const auto side = next();
        box.source = {permissions.family, side.lo, side.hi};
    }
    if (permissions.kind != program::Kind::input) {
        const auto side = next();
        box.destination = {permissions.family, side.lo, side.hi};
    }
    if (permissions.protocol == Protocol::tcp || permissions.protocol == Protocol::udp) {
        const auto side = next();
        box.ports.lo = static_cast<std::uint16_t>(side.lo);
        box.ports.hi = static_cast<std::uint16_t>(side.hi);
    }
    return box;
}

// The keys of one set that the other does not hold; both are sorted.
std::size_t missing(const ir::Elements& from, const ir::Elements& in) {
    std::size_t count = 0;
    std::size_t other = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
        while (other < in.size() && in.key(other) < from.key(i)) ++other;
        if (other == in.size() || in.key(other) != from.key(i)) ++count;
    }
    return count;
}

// Everything of a Ruleset but the elements of its sets, so that same() says whether the rest differs.
ir::Ruleset without_elements(const ir::Ruleset& ruleset) {
    ir::Ruleset rest{
        .node = ruleset.node, .counters = ruleset.counters, .chains = ruleset.chains, .foreign = ruleset.foreign};
    for (const ir::Set& set : ruleset.sets) {
        ir::Set bare{.name = set.name,
                     .types = set.types,
                     .interval = set.interval,
                     .map_to = set.map_to,
                     .dynamic = set.dynamic,
                     .timeout = set.timeout};
        bare.elements = ir::Elements(set.types, set.interval);
        rest.sets.push_back(std::move(bare));
    }
    return rest;
}

}  // namespace

std::vector<LabelledBox> labelled_boxes(const ir::Ruleset& ruleset) {
    std::vector<LabelledBox> boxes;
    for (const ir::Set& set : ruleset.sets) {
        const auto permissions = program::permissions_of(set.name);
        if (!permissions || set.dynamic) continue;
        // A set of that name with another key is not ours to read; rules and declarations are compared elsewhere.
        if (program::types_of(program::fields_of(permissions->kind, permissions->protocol, permissions->family)) !=
            set.types)
            continue;
        for (std::size_t i = 0; i < set.elements.size(); ++i)
            boxes.push_back({box_of(*permissions, set.elements, i), set.elements.cause(i)});
    }
    std::ranges::stable_sort(boxes, {}, &LabelledBox::box);
    const auto repeated = std::ranges::unique(boxes, {}, &LabelledBox::box);
    boxes.erase(repeated.begin(), repeated.end());
    return boxes;
}

std::vector<Box> boxes_of(const ir::Ruleset& ruleset) {
    std::vector<Box> boxes;
    for (const LabelledBox& labelled : labelled_boxes(ruleset)) boxes.push_back(labelled.box);
    return boxes;
}

bool judges(const ir::Ruleset& ruleset, Direction direction) {
    const ir::Hook hook = direction == Direction::input    ? ir::Hook::input
                          : direction == Direction::output ? ir::Hook::output
                                                           : ir::Hook::forward;
    return std::ranges::any_of(
        ruleset.chains, [&](const ir::Chain& c) { return c.base && c.base->hook == hook && c.base->policy_drop; });
}

std::vector<std::string> differing_chains(const ir::Ruleset& before, const ir::Ruleset& after) {
    std::map<std::string, std::pair<const ir::Chain*, const ir::Chain*>> chains;
    for (const ir::Chain& chain : before.chains) chains[chain.name].first = &chain;
    for (const ir::Chain& chain : after.chains) chains[chain.name].second = &chain;
    std::vector<std::string> names;
    for (const auto& [name, pair] : chains) {
        const auto [old_chain, new_chain] = pair;
        if (old_chain == nullptr || new_chain == nullptr || !ir::same(*old_chain, *new_chain)) names.push_back(name);
    }
    return names;
}

Extent extent(const ir::Ruleset& before, const ir::Ruleset& after) {
    Extent result;
    std::map<std::string, std::pair<const ir::Set*, const ir::Set*>> sets;
    for (const ir::Set& set : before.sets) sets[set.name].first = &set;
    for (const ir::Set& set : after.sets) sets[set.name].second = &set;
    for (const auto& [name, pair] : sets) {
        const auto [old_set, new_set] = pair;
        if ((old_set != nullptr && old_set->dynamic) || (new_set != nullptr && new_set->dynamic)) continue;
        const ir::Set* only = old_set == nullptr ? new_set : new_set == nullptr ? old_set : nullptr;
        if (only != nullptr)
            result.elements += only->elements.size();
        else if (old_set->types != new_set->types || old_set->interval != new_set->interval)
            result.elements += old_set->elements.size() + new_set->elements.size();
        else
            result.elements +=
                missing(old_set->elements, new_set->elements) + missing(new_set->elements, old_set->elements);
    }
    result.rules = !ir::same(without_elements(before), without_elements(after));
    return result;
}

}  // namespace policyc
