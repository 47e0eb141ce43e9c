// What of a table differs, whatever it means: differing_chains(), and judges().
#include "compiler/access.h"

#include <algorithm>
#include <map>

namespace policyc {

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

}  // namespace policyc
