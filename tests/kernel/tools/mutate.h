// Small random changes of a Ruleset, such as an edit of a policy, a hand in the table or another version of policyc would make.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir.h"

namespace samples {

using namespace policyc;
using namespace policyc::ir;

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : random_(seed) {}

    // One to six changes.
    void mutate(Ruleset& ruleset) {
        for (std::size_t i = 0, changes = 1 + below(6); i < changes; ++i) {
            switch (below(12)) {
                case 0: remove_rule(ruleset); break;
                case 1: move_rule(ruleset); break;
                case 2: repeat_rule(ruleset); break;
                case 3: ruleset.chains[below(ruleset.chains.size())].rules.push_back({{Count{}}, word(), {}, 0}); break;
                case 4: flip_policy(ruleset); break;
                case 5: move_hook(ruleset); break;
                case 6: remake_set(ruleset); break;
                case 7: rename_counter(ruleset); break;
                default: change_elements(ruleset); break;
            }
        }
    }

    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

private:
    std::string word() { return std::string(1 + below(5), static_cast<char>('a' + below(26))); }

    Chain& some_chain(Ruleset& ruleset) { return ruleset.chains[below(ruleset.chains.size())]; }

    void remove_rule(Ruleset& ruleset) {
        auto& rules = some_chain(ruleset).rules;
        if (!rules.empty()) rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(below(rules.size())));
    }
    void move_rule(Ruleset& ruleset) {
        auto& rules = some_chain(ruleset).rules;
        if (rules.size() > 1) std::swap(rules[below(rules.size())], rules[below(rules.size())]);
    }
    void repeat_rule(Ruleset& ruleset) {
        auto& rules = some_chain(ruleset).rules;
        if (rules.empty()) return;
        const Rule copy = rules[below(rules.size())];
        rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(below(rules.size() + 1)), copy);
    }
    void flip_policy(Ruleset& ruleset) {
        Chain& chain = some_chain(ruleset);
        if (chain.base && !chain.base->nat) chain.base->policy_drop = !chain.base->policy_drop;
    }
    void move_hook(Ruleset& ruleset) {
        Chain& chain = some_chain(ruleset);
        if (chain.base && !chain.base->nat) chain.base->priority += static_cast<int>(below(5)) - 2;
    }
    void rename_counter(Ruleset& ruleset) {
        if (!ruleset.counters.empty()) ruleset.counters[below(ruleset.counters.size())].comment = word();
    }
    // Another size: such a set can't be changed in place.
    void remake_set(Ruleset& ruleset) {
        Set& set = ruleset.sets[below(ruleset.sets.size())];
        if (!set.dynamic && !set.interval) set.size = static_cast<std::uint32_t>(set.elements.size() + 1 + below(100));
    }

    void change_elements(Ruleset& ruleset) {
        Set& set = ruleset.sets[below(ruleset.sets.size())];
        if (set.dynamic || set.types[0] == Type::ifname) return;
        std::vector<std::vector<Elements::Bound>> keys;
        Elements out(set.types, set.interval);
        const std::size_t values = set.map_to == MapTo::counter   ? ruleset.counters.size()
                                   : set.map_to == MapTo::verdict ? set.verdicts.size()
                                                                  : 0;
        const auto put = [&](const std::vector<Elements::Bound>& key, std::uint32_t value, Life life) {
            // Disjoint, as whoever makes a Ruleset sees to it.
            const bool meets = std::ranges::any_of(keys, [&](const auto& other) {
                for (std::size_t f = 0; f < key.size(); ++f)
                    if (key[f].hi < other[f].lo || other[f].hi < key[f].lo) return false;
                return true;
            });
            if (meets) return;
            keys.push_back(key);
            out.add(key, {}, values == 0 ? UINT32_MAX : value < values ? value : 0U);
            out.set_life(life);
        };
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            if (below(4) == 0) continue;
            std::vector<Elements::Bound> key;
            for (std::size_t f = 0; f < set.types.size(); ++f) key.push_back(set.elements.bound(i, f));
            const bool other_value = values != 0 && below(5) == 0;
            Life life = set.elements.life(i);
            life.left = 0;
            if (set.timed && below(3) == 0) life.timeout = 1000 * (600 + below(600));
            put(key, other_value ? static_cast<std::uint32_t>(below(values)) : set.elements.value(i), life);
        }
        const std::size_t room = set.size == 0 ? 4 : set.size - std::min<std::size_t>(set.size, out.size());
        for (std::size_t i = 0, more = std::min(room, below(5)); i < more; ++i) {
            std::vector<Elements::Bound> key;
            for (const Type type : set.types) {
                const u128 top = type == Type::inet_service ? u128{0xffff}
                                 : type == Type::ipv4_addr  ? u128{0xffffffff}
                                                            : ~u128{0};
                u128 lo = (u128{random_()} << 64U | random_()) & top;
                if (below(4) == 0) lo = below(2) == 0 ? 0 : top;
                u128 hi = lo;
                if (set.interval && below(2) == 0) hi = top - lo < 1000 ? top : lo + below(1000);
                key.push_back({lo, hi});
            }
            put(key, static_cast<std::uint32_t>(below(values)), set.timed && below(2) == 0 ? Life{3600000, 0} : Life{});
        }
        out.sort();
        set.elements = std::move(out);
    }

    std::mt19937_64 random_;
};

}  // namespace samples
