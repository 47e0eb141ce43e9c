// What has to change between two Rulesets; entry point plan().
#include "compiler/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "compiler/common_rules.h"
#include "compiler/dormant.h"

namespace policyc {

namespace {

using namespace ir;

using NameSet = std::set<std::string_view>;

// A concatenation of intervals in which more changes than one in this many elements is made anew: each change costs the kernel a walk over all of
// it. That isn't free: the kernel puts a new interval set into force a moment after the rules that ask it, and for that moment it is empty. So small
// ones stay, up to this much work (changes times elements: half a second), and so do plain intervals, where a change costs little.
constexpr std::size_t patient_share = 8;
constexpr std::size_t patient_work = 100'000;

const Ruleset nothing;

template <typename T>
std::map<std::string_view, std::uint32_t> by_name(const std::vector<T>& things) {
    std::map<std::string_view, std::uint32_t> out;
    for (std::uint32_t i = 0; i < things.size(); ++i) out.emplace(things[i].name, i);
    return out;
}

// The sets, maps and chains that a rule names.
struct NamesOf {
    NameSet& sets;
    NameSet& chains;

    void operator()(const Lookup& s) const { sets.insert(s.set); }
    void operator()(const UpdateRate& s) const { sets.insert(s.set); }
    void operator()(const CountByMap& s) const { sets.insert(s.map); }
    void operator()(const LookupVerdict& s) const { sets.insert(s.map); }
    void operator()(const Jump& s) const { chains.insert(s.chain); }
    void operator()(const Goto& s) const { chains.insert(s.chain); }
    template <typename T>
    void operator()(const T&) const {}
};

// The rates that rules put into a set.
std::vector<const UpdateRate*> rates_of(const Ruleset& ruleset, const std::string& set) {
    std::vector<const UpdateRate*> out;
    for (const Chain& chain : ruleset.chains)
        for (const Rule& rule : chain.rules)
            for (const Statement& statement : rule.statements)
                if (const auto* update = std::get_if<UpdateRate>(&statement); update != nullptr && update->set == set)
                    out.push_back(update);
    return out;
}

class Planner {
public:
    Planner(const Ruleset* before, const Ruleset& after)
        : before_(before != nullptr && !is_marked(*before) ? *before : nothing), after_(after) {
        out_.before = before != nullptr ? before : &nothing;
        out_.after = &after;
        out_.replace_table = before != nullptr && !after.empty() && is_marked(*before);
        out_.add_table = before == nullptr && !after.empty();
        out_.delete_table = before != nullptr && after.empty();
    }

    Plan run() {
        if (after_.empty()) return std::move(out_);
        take_foreign();
        compare_counters();
        compare_chains();
        compare_sets();
        compare_rules();
        return std::move(out_);
    }

private:
    // What is foreign goes; ours of the same name, which it took the place of or spoiled, comes anew.
    void take_foreign() {
        for (std::uint32_t i = 0; i < before_.foreign.size(); ++i) {
            const Foreign& foreign = before_.foreign[i];
            switch (foreign.kind) {
                case Foreign::Kind::table: out_.wake_table = true; continue;
                case Foreign::Kind::element: spoiled_.insert(foreign.name); continue;
                case Foreign::Kind::set: spoiled_.insert(foreign.name); break;
                case Foreign::Kind::chain: moved_chains_.insert(foreign.name); break;
                case Foreign::Kind::object:
                case Foreign::Kind::flowtable: break;
            }
            const auto named = [&](const auto& thing) { return thing.name == foreign.name; };
            // One that was read all the same goes as what it is.
            if (foreign.kind == Foreign::Kind::chain && std::ranges::any_of(before_.chains, named)) continue;
            if (foreign.kind == Foreign::Kind::set && std::ranges::any_of(before_.sets, named)) continue;
            out_.delete_foreign.push_back(i);
        }
    }

    void compare_counters() {
        const auto old = by_name(before_.counters);
        const auto fresh = by_name(after_.counters);
        for (std::uint32_t i = 0; i < after_.counters.size(); ++i) {
            const auto found = old.find(after_.counters[i].name);
            if (found == old.end()) {
                out_.add_counters.push_back(i);
            } else if (!same(before_.counters[found->second], after_.counters[i])) {
                out_.delete_counters.push_back(found->second);
                out_.add_counters.push_back(i);
                moved_counters_.insert(after_.counters[i].name);
            }
        }
        for (std::uint32_t i = 0; i < before_.counters.size(); ++i)
            if (!fresh.contains(before_.counters[i].name)) out_.delete_counters.push_back(i);
    }

    static bool can_stay(const Chain& old, const Chain& fresh) {
        if (old.base.has_value() != fresh.base.has_value()) return false;
        return !old.base || (old.base->hook == fresh.base->hook && old.base->priority == fresh.base->priority &&
                             old.base->nat == fresh.base->nat);
    }

    void compare_chains() {
        const auto old = by_name(before_.chains);
        const auto fresh = by_name(after_.chains);
        for (std::uint32_t i = 0; i < after_.chains.size(); ++i) {
            const Chain& chain = after_.chains[i];
            const auto found = old.find(chain.name);
            if (found == old.end()) {
                out_.add_chains.push_back(i);
            } else if (moved_chains_.contains(chain.name) || !can_stay(before_.chains[found->second], chain)) {
                out_.delete_chains.push_back(found->second);
                out_.add_chains.push_back(i);
                moved_chains_.insert(chain.name);
            } else {
                kept_chains_.emplace_back(found->second, i);
                if (chain.base && before_.chains[found->second].base->policy_drop != chain.base->policy_drop)
                    out_.set_policy.push_back(i);
            }
        }
        for (std::uint32_t i = 0; i < before_.chains.size(); ++i)
            if (!fresh.contains(before_.chains[i].name)) out_.delete_chains.push_back(i);
    }

    void compare_sets() {
        const auto old = by_name(before_.sets);
        const auto fresh = by_name(after_.sets);
        for (std::uint32_t i = 0; i < after_.sets.size(); ++i) {
            const auto found = old.find(after_.sets[i].name);
            if (found == old.end()) {
                out_.add_sets.push_back(i);
                if (spoiled_.contains(after_.sets[i].name)) moved_sets_.insert(after_.sets[i].name);
                continue;
            }
            Plan::Elements change{.before = found->second, .after = i, .gone = {}, .fresh = {}};
            if (spoiled_.contains(after_.sets[i].name) || !same_frame(before_.sets[found->second], after_.sets[i]) ||
                !same_rates(after_.sets[i]) || !compare_elements(change)) {
                out_.delete_sets.push_back(found->second);
                out_.add_sets.push_back(i);
                moved_sets_.insert(after_.sets[i].name);
            } else if (!change.gone.empty() || !change.fresh.empty()) {
                out_.change_elements.push_back(std::move(change));
            }
        }
        for (std::uint32_t i = 0; i < before_.sets.size(); ++i)
            if (!fresh.contains(before_.sets[i].name)) out_.delete_sets.push_back(i);
    }

    // Whether what the element names is still the same thing afterwards.
    [[nodiscard]] bool value_stays(const Set& set, std::size_t i) const {
        const std::uint32_t value = set.elements.value(i);
        switch (set.map_to) {
            case MapTo::nothing: return true;
            case MapTo::counter:
                return value < after_.counters.size() && !moved_counters_.contains(after_.counters[value].name);
            case MapTo::verdict:
                return value < set.verdicts.size() && !moved_chains_.contains(set.verdicts[value].chain);
        }
        return false;
    }

    // An entry of a rate set keeps the rate it was made with for as long as its source is active: another rate needs another set.
    [[nodiscard]] bool same_rates(const Set& set) const {
        if (!set.dynamic) return true;
        return std::ranges::equal(rates_of(before_, set.name), rates_of(after_, set.name),
                                  [](const UpdateRate* a, const UpdateRate* b) { return same(*a, *b); });
    }

    // False where the set had better be made anew.
    [[nodiscard]] bool compare_elements(Plan::Elements& change) const {
        const Set& old = before_.sets[change.before];
        const Set& fresh = after_.sets[change.after];
        if (fresh.dynamic) return true;
        const ir::Elements& a = old.elements;
        const ir::Elements& b = fresh.elements;
        if (!a.sorted() || !b.sorted()) return false;
        std::uint32_t i = 0;
        std::uint32_t j = 0;
        while (i < a.size() || j < b.size()) {
            const int way = i == a.size() ? 1 : j == b.size() ? -1 : a.key(i).compare(b.key(j));
            if (way < 0) {
                change.gone.push_back(i++);
            } else if (way > 0) {
                change.fresh.push_back(j++);
            } else {
                // A new timeout is a new element: adding one that is there changes nothing before Linux 6.12.
                const bool stays = a.life(i).timeout == b.life(j).timeout &&
                                   same_value(old, i, before_.counters, fresh, j, after_.counters) &&
                                   value_stays(fresh, j);
                if (!stays) {
                    change.gone.push_back(i);
                    change.fresh.push_back(j);
                }
                ++i;
                ++j;
            }
        }
        if (!fresh.interval || fresh.types.size() == 1) return true;
        const std::size_t changes = change.gone.size() + change.fresh.size();
        return changes <= 2 + b.size() / patient_share || changes * std::max(a.size(), b.size()) <= patient_work;
    }

    // Whether the rule in the kernel can stand for the new one.
    [[nodiscard]] bool stays(const Rule& old, const Rule& fresh) const {
        if (!same(old, fresh)) return false;
        NameSet sets;
        NameSet chains;
        for (const Statement& statement : fresh.statements) std::visit(NamesOf{sets, chains}, statement);
        const auto moved = [](const NameSet& names, const NameSet& of) {
            return std::ranges::any_of(names, [&](std::string_view name) { return of.contains(name); });
        };
        return !moved(sets, moved_sets_) && !moved(chains, moved_chains_);
    }

    void compare_rules() {
        for (const std::uint32_t chain : out_.add_chains) add_all(chain);
        for (const auto& [old, fresh] : kept_chains_) {
            const std::vector<Rule>& a = before_.chains[old].rules;
            const std::vector<Rule>& b = after_.chains[fresh].rules;
            const auto kept = common_rules(a, b, [this](const Rule& x, const Rule& y) { return stays(x, y); });
            std::size_t next = 0;  // of kept
            for (std::uint32_t i = 0; i < a.size(); ++i) {
                if (next < kept.size() && kept[next].first == i)
                    ++next;
                else
                    out_.delete_rules.push_back({old, i});
            }
            // The new rules behind each kept one, the last of them first, so that each goes right behind it.
            for (std::size_t k = 0; k <= kept.size(); ++k) {
                const std::size_t from = k == 0 ? 0 : kept[k - 1].second + 1;
                const std::size_t to = k == kept.size() ? b.size() : kept[k].second;
                const std::uint64_t behind = k == 0 ? 0 : a[kept[k - 1].first].handle;
                for (std::size_t j = to; j-- > from;)
                    out_.add_rules.push_back({{fresh, static_cast<std::uint32_t>(j)}, behind});
            }
        }
    }

    void add_all(std::uint32_t chain) {
        for (std::size_t j = after_.chains[chain].rules.size(); j-- > 0;)
            out_.add_rules.push_back({{chain, static_cast<std::uint32_t>(j)}, 0});
    }

    const Ruleset& before_;  // nothing where the table is made anew
    const Ruleset& after_;
    Plan out_;
    NameSet spoiled_;  // sets that hold, or are, something foreign
    NameSet moved_sets_;
    NameSet moved_chains_;
    NameSet moved_counters_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> kept_chains_;
};

}  // namespace

bool Plan::empty() const {
    return !add_table && !delete_table && !replace_table && !wake_table && delete_rules.empty() &&
           delete_sets.empty() && delete_chains.empty() && delete_counters.empty() && delete_foreign.empty() &&
           add_counters.empty() && add_sets.empty() && add_chains.empty() && set_policy.empty() &&
           change_elements.empty() && add_rules.empty();
}

std::size_t Plan::elements() const {
    std::size_t count = 0;
    const auto all = [&](const Set& set) { count += set.dynamic ? 0 : set.elements.size(); };
    if (delete_table) std::ranges::for_each(before->sets, all);
    for (const std::uint32_t set : delete_sets) all(before->sets[set]);
    for (const std::uint32_t set : add_sets) all(after->sets[set]);
    for (const Elements& change : change_elements) count += change.gone.size() + change.fresh.size();
    return count;
}

std::size_t Plan::rules() const {
    std::size_t count = delete_rules.size() + add_rules.size();
    const auto all = [&](const Chain& chain) { count += chain.rules.size(); };
    if (delete_table) std::ranges::for_each(before->chains, all);
    for (const std::uint32_t chain : delete_chains) all(before->chains[chain]);
    return count;
}

std::size_t Plan::chains() const {
    const std::size_t with_table = delete_table ? before->chains.size() : 0;
    return with_table + delete_chains.size() + add_chains.size() + set_policy.size();
}

Plan plan(const Ruleset* before, const Ruleset& after) {
    return Planner(before, after).run();
}

}  // namespace policyc
