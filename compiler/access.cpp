// How much of a table differs; entry points extent() and differing_chains().
#include "compiler/access.h"

#include <algorithm>
#include <map>

namespace policyc {

namespace {

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
