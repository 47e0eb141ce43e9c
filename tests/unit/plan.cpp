// The changes between two Rulesets; that a kernel takes them as they are meant is tested in tests/kernel/test_netlink.py.
#include "compiler/plan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "../kernel/tools/samples.h"
#include "compiler/dormant.h"

using namespace policyc;
using namespace policyc::ir;

namespace {

// As the kernel gives it back: every rule has a handle.
Ruleset held(Ruleset ruleset) {
    std::uint64_t handle = 100;
    for (Chain& chain : ruleset.chains)
        for (Rule& rule : chain.rules) rule.handle = handle++;
    return ruleset;
}

Set& find(Ruleset& ruleset, const char* name) {
    return *std::ranges::find(ruleset.sets, name, &Set::name);
}
Chain& find_chain(Ruleset& ruleset, const char* name) {
    return *std::ranges::find(ruleset.chains, name, &Chain::name);
}

}  // namespace

TEST_CASE("plan: nothing changes where nothing differs, but for numbers and places") {
    const Ruleset before = held(samples::everything());
    Ruleset after = samples::everything();
    after.counters[0].packets = 99;
    CHECK(plan(&before, after).empty());
    CHECK(plan(nullptr, Ruleset{}).empty());
}

TEST_CASE("plan: a table that comes and one that goes") {
    const Ruleset all = samples::everything();
    const Plan comes = plan(nullptr, all);
    CHECK(comes.add_table);
    CHECK(comes.add_sets.size() == all.sets.size());
    CHECK(comes.add_chains.size() == all.chains.size());
    std::size_t rules = 0;
    for (const Chain& chain : all.chains) rules += chain.rules.size();
    CHECK(comes.rules() == rules);
    CHECK(comes.chains() == all.chains.size());
    const Plan goes = plan(&all, Ruleset{});
    CHECK(goes.rules() == rules);
    CHECK(goes.chains() == all.chains.size());
    CHECK(goes.delete_table);
    CHECK(goes.elements() == comes.elements());
    // An empty table that is there is one too many.
    const Ruleset empty;
    CHECK(plan(&empty, empty).delete_table);
}

TEST_CASE("plan: an address that moved is one element that goes and one that comes") {
    const Ruleset before = held(samples::small());
    Ruleset after = samples::small();
    Set& set = after.sets[0];
    set.elements = Elements(set.types, false);
    set.elements.add({samples::one("10.69.50.11"), samples::one("10.69.13.31"), samples::port(3000)}, {0, 0});
    set.elements.add({samples::one("10.69.50.11"), samples::one("10.69.13.20"), samples::port(8096)}, {0, 1});
    set.elements.sort();
    const Plan p = plan(&before, after);
    CHECK(p.elements() == 2);
    CHECK(p.rules() == 0);
    REQUIRE(p.change_elements.size() == 1);
    CHECK(before.sets[0].elements.bound(p.change_elements[0].gone.at(0), 1).lo == samples::at("10.69.13.30"));
    CHECK(set.elements.bound(p.change_elements[0].fresh.at(0), 1).lo == samples::at("10.69.13.31"));
}

TEST_CASE("plan: a rule that comes stands behind the one before it, and nothing else moves") {
    const Ruleset before = held(samples::everything());
    Ruleset after = samples::everything();
    auto& rules = find_chain(after, "matches").rules;
    rules.insert(rules.begin() + 3, {{Count{}, Drop{}}, "new", {}, 0});
    const Plan p = plan(&before, after);
    CHECK(p.rules() == 1);
    REQUIRE(p.add_rules.size() == 1);
    CHECK(p.add_rules[0].behind == std::ranges::find(before.chains, "matches", &Chain::name)->rules[2].handle);
    rules.erase(rules.begin());
    const Plan q = plan(&before, after);
    CHECK(q.delete_rules.size() == 1);
    CHECK(q.add_rules.size() == 1);
}

TEST_CASE("plan: what can't be changed in place is made anew, with all that names it") {
    const Ruleset before = held(samples::everything());
    Ruleset after = samples::everything();
    find(after, "allow_tcp4").size = 4;
    const Plan p = plan(&before, after);
    CHECK(p.delete_sets.size() == 1);
    CHECK(p.add_sets.size() == 1);
    CHECK(p.delete_rules.size() == 2);  // the rules that look it up
    CHECK(p.add_rules.size() == 2);

    after = samples::everything();
    find_chain(after, "input").base->priority = 5;
    const Plan q = plan(&before, after);
    CHECK(q.delete_chains.size() == 1);
    CHECK(q.add_chains.size() == 1);
    CHECK(q.delete_rules.empty());
    CHECK(q.add_rules.size() == find_chain(after, "input").rules.size());

    after = samples::everything();
    after.counters[0].comment = "another";
    const Plan r = plan(&before, after);
    CHECK(r.delete_counters.size() == 1);
    CHECK(r.add_counters.size() == 1);
    CHECK(r.elements() == 4);  // of two maps: each of the elements that name it goes and comes
}

TEST_CASE("plan: a policy is set in place") {
    const Ruleset before = held(samples::everything());
    Ruleset after = samples::everything();
    find_chain(after, "forward").base->policy_drop = true;
    const Plan p = plan(&before, after);
    CHECK(p.set_policy.size() == 1);
    CHECK(p.delete_chains.empty());
    CHECK(p.rules() == 0);
    CHECK(p.chains() == 1);
}

TEST_CASE("plan: another timeout is another element, time that passed is not") {
    Ruleset before = held(samples::everything());
    Ruleset after = samples::everything();
    Set& grants = find(before, "grants4");
    Elements passed(grants.types, false);
    passed.add_key(grants.elements.key(0));
    passed.set_life({3600000, 5});
    passed.add_key(grants.elements.key(1));
    grants.elements = passed;
    CHECK(plan(&before, after).empty());
    Elements longer(grants.types, false);
    longer.add_key(grants.elements.key(0));
    longer.set_life({7200000, 0});
    longer.add_key(grants.elements.key(1));
    find(after, "grants4").elements = longer;
    CHECK(plan(&before, after).elements() == 2);
}

TEST_CASE("plan: what is foreign goes, and what it spoiled comes anew") {
    Ruleset before = held(samples::small());
    before.foreign = {{Foreign::Kind::set, "mine", "set mine", 0},
                      {Foreign::Kind::object, "q", "object q", 2},
                      {Foreign::Kind::element, "allow_tcp4", "an element", 0},
                      {Foreign::Kind::table, "", dormant_text, 0}};
    before.chains[0].rules.push_back({{Unknown{"[ queue ]"}}, "", {}, 200});
    const Ruleset after = samples::small();
    const Plan p = plan(&before, after);
    CHECK(p.wake_table);
    CHECK(p.delete_foreign == std::vector<std::uint32_t>{0, 1});
    CHECK(p.delete_sets.size() == 1);
    CHECK(p.add_sets.size() == 1);
    CHECK(p.delete_rules.size() == 2);
    CHECK(p.add_rules.size() == 1);
}

TEST_CASE("plan: a large interval concatenation with many changes is made anew, no other set ever") {
    const auto every_second = [](const Set& set) {
        Elements fewer(set.types, set.interval);
        for (std::size_t i = 0; i < set.elements.size(); i += 2) fewer.add_key(set.elements.key(i));
        return fewer;
    };
    const auto changed = [&](std::size_t size, bool interval) {
        const Ruleset before = held(samples::large(size, interval));
        Ruleset after = samples::large(size, interval);
        after.sets[0].elements = every_second(after.sets[0]);
        return plan(&before, after);
    };
    CHECK(changed(1000, true).add_sets.size() == 1);
    CHECK(changed(1000, false).add_sets.empty());
    CHECK(changed(1000, false).elements() == 500);
    // A new interval set is empty for a moment, and what it allows is refused: a small one stays.
    CHECK(changed(400, true).add_sets.empty());
    CHECK(changed(400, true).elements() == 200);

    Ruleset before = samples::small();
    Set plain = samples::set_of("tunnel4", {Type::ipv4_addr}, true);
    for (unsigned i = 0; i < 10'000; ++i) plain.elements.add({{i * 8U, i * 8U + 3U}});
    before.sets.push_back(plain);
    Ruleset after = before;
    after.sets.back().elements = every_second(plain);
    const Plan plains = plan(&before, after);
    CHECK(plains.add_sets.empty());
    CHECK(plains.elements() == 5000);
}

TEST_CASE("plan: another rate makes the set of its buckets anew, for each keeps the rate it began with") {
    const Ruleset before = held(samples::everything());
    Ruleset after = samples::everything();
    for (Chain& chain : after.chains)
        for (Rule& rule : chain.rules)
            for (Statement& statement : rule.statements)
                if (auto* update = std::get_if<UpdateRate>(&statement); update != nullptr && update->set == "rate1_ip6")
                    update->rate.count += 1;
    const Plan p = plan(&before, after);
    REQUIRE(p.add_sets.size() == 1);
    CHECK(after.sets[p.add_sets[0]].name == "rate1_ip6");
    CHECK(p.delete_sets.size() == 1);
}

TEST_CASE("plan: a set that has a comment comes anew, once") {
    Ruleset before = held(samples::small());
    before.foreign = {{Foreign::Kind::set, "allow_tcp4", "set allow_tcp4 has a comment", 0}};
    const Ruleset after = samples::small();
    const Plan p = plan(&before, after);
    CHECK(p.delete_foreign.empty());
    CHECK(p.delete_sets.size() == 1);
    CHECK(p.elements() == 4);
}

TEST_CASE("plan: a table that bears what can't be taken from it is made anew") {
    Ruleset before = held(samples::everything());
    for (const char* text : {"the table has a comment", owned_text}) {
        before.foreign = {{Foreign::Kind::table, "", dormant_text, 0},
                          {Foreign::Kind::table, "", text, 0},
                          {Foreign::Kind::set, "mine", "set mine", 0}};
        const Ruleset after = samples::everything();
        const Plan p = plan(&before, after);
        CHECK(p.replace_table);
        CHECK_FALSE(p.wake_table);
        CHECK_FALSE(p.empty());
        CHECK(p.delete_foreign.empty());
        CHECK(p.add_sets.size() == after.sets.size());
        CHECK(p.elements() == plan(nullptr, after).elements());
        const Ruleset none;
        const Plan gone = plan(&before, none);
        CHECK(gone.delete_table);
        CHECK_FALSE(gone.replace_table);
    }
}
