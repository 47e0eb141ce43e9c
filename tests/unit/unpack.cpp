// A batch on a table that is there: what it would make is what was wanted, whatever was there before.
#include "backends/netlink/unpack.h"

#include <doctest/doctest.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>

#include "../kernel/tools/mutate.h"
#include "../kernel/tools/samples.h"
#include "backends/netlink/batch.h"

using namespace policyc;
using namespace policyc::ir;

namespace {

// As if read from a kernel.
Ruleset with_handles(Ruleset ruleset) {
    std::uint64_t handle = 0;
    for (Chain& chain : ruleset.chains)
        for (Rule& rule : chain.rules) rule.handle = ++handle;
    return ruleset;
}

std::string batch(const Ruleset* before, const Ruleset& after) {
    const netlink::Batch batch = netlink::encode(plan(before, after), 7);
    REQUIRE_FALSE(batch.unknown);
    return batch.bytes;
}

}  // namespace

TEST_CASE("unpack: from nothing, and to nothing") {
    for (const Ruleset& ruleset : {samples::everything(), samples::small(), samples::large(20000, true)}) {
        const auto made = netlink::unpack(nullptr, batch(nullptr, ruleset));
        REQUIRE(made.ok());
        REQUIRE(made.value());
        CHECK(same(*made.value(), ruleset));
        const Ruleset before = with_handles(ruleset);
        const auto gone = netlink::unpack(&before, batch(&before, {}));
        REQUIRE(gone.ok());
        CHECK_FALSE(gone.value());
    }
}

TEST_CASE("unpack: any change") {
    samples::Mutator mutator(3);
    Ruleset before = samples::everything();
    std::size_t changed = 0;
    for (int round = 0; round < 400; ++round) {
        if (round % 40 == 0) before = round % 80 == 0 ? samples::everything() : samples::small();
        Ruleset after = before;
        mutator.mutate(after);
        const Ruleset there = with_handles(before);
        const auto made = netlink::unpack(&there, batch(&there, after));
        CAPTURE(round);
        REQUIRE(made.ok());
        REQUIRE(made.value());
        REQUIRE(same(*made.value(), after));
        changed += same(before, after) ? 0 : 1;
        before = std::move(after);
    }
    CHECK(changed > 300);
}

TEST_CASE("unpack: a map keeps no verdict that led to a chain that is gone") {
    const auto with = [](const std::vector<std::string>& chains) {
        Ruleset ruleset;
        Set map{.name = "m", .types = {Type::ipv4_addr}, .map_to = MapTo::verdict};
        map.elements = Elements(map.types, false);
        for (const std::string& chain : chains) {
            ruleset.chains.push_back({chain, {}, {}, {}});
            const std::uint32_t address = static_cast<std::uint32_t>(chain.back());
            map.elements.add({{address, address}}, {}, static_cast<std::uint32_t>(map.verdicts.size()));
            map.verdicts.push_back({false, chain});
        }
        ruleset.sets.push_back(std::move(map));
        return ruleset;
    };
    const Ruleset there = with_handles(with({"a", "b", "c"}));
    const Ruleset less = with({"b", "c"});
    const auto made = netlink::unpack(&there, batch(&there, less));
    REQUIRE(made.ok());
    CHECK(same(made.value().value(), less));
    CHECK(made.value()->sets[0].verdicts == less.sets[0].verdicts);
}

TEST_CASE("unpack: what the kernel would refuse makes no sense") {
    const Ruleset small = samples::small();
    const std::string first = batch(nullptr, small);
    const Ruleset there = with_handles(small);
    CHECK_FALSE(netlink::unpack(&there, first).ok());  // all of it is there
    Ruleset less = small;
    less.chains[0].rules.pop_back();
    const std::string removes = batch(&there, less);
    CHECK(netlink::unpack(&there, removes).ok());
    const Ruleset gone = with_handles(less);
    CHECK_FALSE(netlink::unpack(&gone, removes).ok());
    CHECK_FALSE(netlink::unpack(nullptr, removes).ok());
    CHECK_FALSE(netlink::unpack(nullptr, first.substr(0, first.size() - 8)).ok());
}

TEST_CASE("unpack: a table that sleeps wakes up") {
    Ruleset there = with_handles(samples::small());
    there.foreign.push_back({Foreign::Kind::table, "", "the table is dormant: it judges nothing", 0});
    const auto made = netlink::unpack(&there, batch(&there, samples::small()));
    REQUIRE(made.ok());
    CHECK(same(made.value().value(), samples::small()));
}

TEST_CASE("unpack: a table with a comment comes anew, and what is left of a life goes on") {
    Ruleset there = with_handles(samples::everything());
    there.foreign = {{Foreign::Kind::table, "", "the table has a comment", 0},
                     {Foreign::Kind::object, "mine", "quota mine", NFT_OBJECT_QUOTA}};
    Ruleset after = samples::everything();
    Set& grants = *std::ranges::find(after.sets, "grants4", &Set::name);
    Elements lives(grants.types, grants.interval);
    for (std::size_t i = 0; i < grants.elements.size(); ++i) {
        lives.add_key(grants.elements.key(i));
        Life life = grants.elements.life(i);
        if (life.timeout != 0) life.left = 5000;
        lives.set_life(life);
    }
    grants.elements = lives;
    const auto made = netlink::unpack(&there, batch(&there, after));
    REQUIRE(made.ok());
    CHECK(same(made.value().value(), after));
    const Set& back = *std::ranges::find(made.value()->sets, "grants4", &Set::name);
    CHECK(back.elements.life(0) == Life{3600000, 5000});
    CHECK(back.elements.life(1) == Life{});
}

TEST_CASE("unpack: what goes of two objects of one name is the one of that type") {
    Ruleset there = with_handles(samples::everything());
    const std::string name = there.counters[0].name;
    there.foreign = {{Foreign::Kind::object, name, "quota", NFT_OBJECT_QUOTA},
                     {Foreign::Kind::object, name, "limit", NFT_OBJECT_LIMIT}};
    const auto made = netlink::unpack(&there, batch(&there, samples::everything()));
    REQUIRE(made.ok());
    CHECK(same(made.value().value(), samples::everything()));
    // And where the counter goes, its maps apart, the others stay named.
    Ruleset less = samples::everything();
    less.counters.push_back({"more", "", {}, 0, 0});
    Ruleset more = with_handles(less);
    const std::string bytes = batch(&more, samples::everything());
    more.foreign = {{Foreign::Kind::object, "more", "quota", NFT_OBJECT_QUOTA}};
    const auto left = netlink::unpack(&more, bytes);
    REQUIRE(left.ok());
    CHECK(left.value()->foreign.size() == 1);
    CHECK(left.value()->counters.size() == samples::everything().counters.size());
}

TEST_CASE("unpack: a set that had a comment is no longer foreign when it came anew") {
    Ruleset there = with_handles(samples::small());
    there.foreign = {{Foreign::Kind::set, "allow_tcp4", "set allow_tcp4 has a comment", 0},
                     {Foreign::Kind::element, "allow_tcp4", "an element", 0}};
    const auto made = netlink::unpack(&there, batch(&there, samples::small()));
    REQUIRE(made.ok());
    CHECK(same(made.value().value(), samples::small()));
}
