// The forms that the sets of tiers can have: when each is chosen, and that all of them judge every packet alike.
#include "compiler/layout.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "compiler/access.h"
#include "compiler/lower.h"
#include "compiler/membership.h"
#include "compiler/program.h"
#include "compiler/shards.h"
#include "draft.h"
#include "judged.h"

using namespace policyc;
using Verdict = Judged::Verdict;

namespace {

Address address(const char* text) {
    return *parse_address(text);
}

// gw, and so many clients c0, c1, ... with 10.0.50.16, .17, ...
Draft network(std::size_t clients) {
    Draft draft;
    const std::size_t gw = draft.node("gw", {"10.0.50.2"}, Scope::tunnel);
    draft.policy.nodes[gw].interface = Spanned<std::string>{"wg0", {}};
    draft.policy.nodes[gw].role = Role::gateway;
    for (std::size_t i = 0; i < clients; ++i) {
        const std::string at = "10.0.50." + std::to_string(16 + i);
        draft.node("c" + std::to_string(i), {at.c_str()});
    }
    return draft;
}

// The clients from `first` on, `count` of them.
std::vector<Source> clients(Draft& draft, std::size_t first, std::size_t count) {
    std::vector<Source> list;
    for (std::size_t i = first; i < first + count; ++i) list.push_back(draft.source(1 + i));
    return list;
}

std::vector<Target> services(Draft& draft, std::size_t count) {
    std::vector<Target> list;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string at = "10.0.13." + std::to_string(i);
        list.push_back(draft.target("s" + std::to_string(i), parse_cidr(at)->range, tcp(443)));
    }
    return list;
}

ir::Ruleset lowered(const Draft& draft, const char* layout) {
    return lower(draft.policy, draft.addresses, 0, today, parse_layout(layout).value());
}

const ir::Set* find_set(const ir::Ruleset& ruleset, const std::string& name) {
    const auto found = std::ranges::find(ruleset.sets, name, &ir::Set::name);
    return found == ruleset.sets.end() ? nullptr : &*found;
}

const ir::Chain* find_chain(const ir::Ruleset& ruleset, const std::string& name) {
    const auto found = std::ranges::find(ruleset.chains, name, &ir::Chain::name);
    return found == ruleset.chains.end() ? nullptr : &*found;
}

std::size_t elements(const ir::Ruleset& ruleset) {
    std::size_t count = 0;
    for (const ir::Set& set : ruleset.sets) count += set.elements.size();
    return count;
}

TestPacket packet(const char* from, const char* to, std::uint16_t port) {
    return {address(from), address(to), ir::L4::tcp, port};
}

// "jump a, jump b"
std::string jumps(const ir::Chain& chain) {
    std::string text;
    for (const ir::Rule& rule : chain.rules)
        for (const ir::Statement& statement : rule.statements)
            if (const auto* jump = std::get_if<ir::Jump>(&statement)) text += (text.empty() ? "" : " ") + jump->chain;
    return text;
}

const std::vector<const char*> layouts{"tuples",        "pairs",         "pairs,jumps=0",        "tuples,shard=1",
                                       "pairs,shard=1", "pairs,shard=3", "pairs,shard=2,jumps=0"};

}  // namespace

TEST_CASE("layout: a tier gets sets of its own where its product is large and much larger than its parts") {
    const auto alone = [](std::size_t people, std::size_t things) {
        Draft draft = network(people);
        draft.tier("t", clients(draft, 0, people), services(draft, things));
        return find_set(lowered(draft, "automatic"), "tier1_tcp4") != nullptr;
    };
    CHECK_FALSE(alone(22, 23));
    CHECK(alone(23, 23));
    CHECK_FALSE(alone(4, 200));  // 800 are less than four times 204
    CHECK_FALSE(alone(200, 3));
    CHECK(alone(200, 5));
}

TEST_CASE("layout: ranges count for more") {
    Draft draft = network(20);
    const auto prefers = [](TierSize size) { return prefers_pairs(std::vector{size}); };
    CHECK_FALSE(prefers({.range_sources = 1, .exact_keys = 16}));
    CHECK(prefers({.range_sources = 1, .exact_keys = 17}));
    CHECK(prefers({.exact_sources = 17, .range_keys = 1}));
    CHECK_FALSE(prefers({.exact_sources = 3, .range_keys = 100}));
    CHECK_FALSE(prefers_pairs({}));
    // families don't multiply with each other
    CHECK_FALSE(prefers_pairs(std::vector<TierSize>{{.exact_sources = 500}, {.exact_keys = 500}}));
}

TEST_CASE("layout: what is written for tests is read, and nothing else") {
    CHECK(parse_layout("tuples")->form == Layout::Form::tuples);
    CHECK(parse_layout("pairs,shard=4,jumps=0")->shard == 4);
    CHECK(parse_layout("pairs,shard=4,jumps=0")->jumps == 0);
    CHECK(parse_layout("automatic")->shard == 65536);
    for (const char* other : {"", "pears", "shard=0", "shard=x", "shard=4x", "jumps=", "depth=1"})
        CHECK_MESSAGE(!parse_layout(other), std::string(other));
}

TEST_CASE("layout: as many elements as peers and services") {
    Draft draft = network(100);
    draft.tier("t", clients(draft, 0, 100), services(draft, 50));
    CHECK(elements(lowered(draft, "tuples")) > 5000);
    // who4 and turned_who4, the services, the sides
    CHECK(elements(lowered(draft, "automatic")) < 100 + 100 + 50 + 10);
}

TEST_CASE("layout: sources in the same tiers share a chain; too many chains become a set for each tier") {
    Draft draft = network(3);
    draft.tier("a", clients(draft, 0, 2), services(draft, 1));
    draft.tier("b", clients(draft, 1, 2), services(draft, 2));
    draft.tier("c", clients(draft, 0, 3), services(draft, 3));
    const ir::Ruleset few = lowered(draft, "pairs");
    const ir::Set* who = find_set(few, "who4");
    REQUIRE(who != nullptr);
    std::vector<std::string> chains;
    for (std::size_t i = 0; i < who->elements.size(); ++i)
        chains.push_back(who->verdicts.at(who->elements.value(i)).chain);
    CHECK(chains == std::vector<std::string>{"tiers_1_3", "tiers_1-3", "tiers_2-3"});
    REQUIRE(find_chain(few, "tiers_1-3") != nullptr);
    CHECK(jumps(*find_chain(few, "tiers_1-3")) == "tier1 tier2 tier3");
    CHECK(find_set(few, "tier1_who4") == nullptr);

    // 7 jumps for what is judged, and as many for what is turned
    CHECK(find_set(lowered(draft, "pairs,jumps=14"), "who4") != nullptr);
    const ir::Ruleset many = lowered(draft, "pairs,jumps=13");
    CHECK(find_set(many, "who4") == nullptr);
    CHECK(find_chain(many, "tiers_1-3") == nullptr);
    REQUIRE(find_set(many, "tier2_who4") != nullptr);
    CHECK(find_set(many, "tier2_who4")->elements.size() == 2);
}

TEST_CASE("layout: a source in one tier jumps straight to it") {
    Draft draft = network(2);
    draft.tier("a", clients(draft, 0, 2), services(draft, 1));
    const ir::Ruleset ruleset = lowered(draft, "pairs");
    const ir::Set* who = find_set(ruleset, "who4");
    REQUIRE(who != nullptr);
    CHECK(who->verdicts == std::vector<ir::ToChain>{{false, "tier1"}});
    CHECK_FALSE(who->interval);
}

TEST_CASE("layout: networks are cut where the tiers of their addresses differ") {
    const auto range = [](const char* text) { return parse_cidr(text)->range; };
    const Members members{{1, {{range("10.0.0.0/24"), {}}, {range("10.0.0.9"), {}}}},
                          {2, {{range("10.0.0.7"), {}}, {range("10.0.0.8"), {}}, {range("10.1.0.0/31"), {}}}}};
    std::string text;
    for (const Atom& atom : atoms_of(members, Family::ipv4)) {
        text += to_string(atom.source) + ":";
        for (const std::uint32_t tier : atom.tiers) text += std::to_string(tier);
        text += " ";
    }
    CHECK(text == "10.0.0.0-10.0.0.6:1 10.0.0.7-10.0.0.8:12 10.0.0.9-10.0.0.255:1 10.1.0.0/31:2 ");
    CHECK(atoms_of(members, Family::ipv6).empty());
    const Members all{{1, {{{Family::ipv6, 0, top(Family::ipv6)}, {}}}}, {2, {{{Family::ipv6, 5, 5}, {}}}}};
    REQUIRE(atoms_of(all, Family::ipv6).size() == 3);
    CHECK(atoms_of(all, Family::ipv6).back().source.hi == top(Family::ipv6));
}

TEST_CASE("layout: large sets are split by destination, along the same networks when an element comes") {
    Draft draft = network(1);
    draft.tier("a", clients(draft, 0, 1), services(draft, 20));
    const auto parts = [&](const char* layout) {
        std::vector<std::string> names;
        for (const ir::Set& set : lowered(draft, layout).sets)
            if (set.name.starts_with("allow_tcp4_at_")) {
                CHECK(set.elements.size() <= 8);
                names.push_back(set.name);
            }
        return names;
    };
    CHECK(parts("tuples,shard=20").empty());
    const std::vector<std::string> before = parts("tuples,shard=8");
    CHECK(before == std::vector<std::string>{"allow_tcp4_at_10.0.13.0/29", "allow_tcp4_at_10.0.13.8/29",
                                             "allow_tcp4_at_10.0.13.16/28"});
    draft.policy.tiers[0].allow.push_back(draft.target("x", parse_cidr("10.0.13.40")->range, tcp(443)));
    std::vector<std::string> after = parts("tuples,shard=8");
    REQUIRE(after.size() == 4);
    after.pop_back();
    CHECK(after == before);

    const ir::Ruleset ruleset = lowered(draft, "tuples,shard=8");
    const ir::Set* map = find_set(ruleset, "allow_tcp4_shards");
    REQUIRE(map != nullptr);
    CHECK(map->interval);
    CHECK(map->verdicts.front().chain == "allow_tcp4_at_10.0.13.0/29");
    CHECK(find_chain(ruleset, "allow_tcp4_at_10.0.13.0/29") != nullptr);
    CHECK(find_set(ruleset, "allow_tcp4") == nullptr);
}

TEST_CASE("layout: what has one destination is split by source") {
    Draft draft = network(9);
    draft.tier("a", clients(draft, 0, 9), services(draft, 1));
    const ir::Ruleset ruleset = lowered(draft, "tuples,shard=4");
    CHECK(find_set(ruleset, "allow_tcp4_at_10.0.13.0/32") == nullptr);
    REQUIRE(find_set(ruleset, "allow_tcp4_at_10.0.13.0/32_shards") != nullptr);
    const ir::Set* part = find_set(ruleset, "allow_tcp4_at_10.0.13.0/32_at_10.0.50.16/30");
    REQUIRE(part != nullptr);
    CHECK(part->elements.size() == 4);
    CHECK(Judged(ruleset).judge("tiers", packet("10.0.50.24", "10.0.13.0", 443)) == Verdict::accept);
    CHECK(Judged(ruleset).judge("tiers", packet("10.0.50.25", "10.0.13.0", 443)) == Verdict::none);
}

TEST_CASE("names of parts lead back to the whole") {
    using namespace policyc::program;
    const Range network = parse_cidr("fd69:13::/32")->range;
    CHECK(shard_name("tier3_tcp6", network) == "tier3_tcp6_at_fd69-13--/32");
    CHECK(whole_name("tier3_tcp6_at_fd69-13--/32") == "tier3_tcp6");
    CHECK(whole_name("allow_tcp4_at_10.0.0.0/32_at_10.0.0.0/9_shards") == "allow_tcp4");
    CHECK(whole_name("who4_shards") == "who4");
    CHECK(whole_name("allow_tcp4") == "allow_tcp4");
    CHECK(tier_chain_of("tier12_limits") == TierChain{12, TierChain::Use::limited});
    for (const auto use : {TierChain::Use::free, TierChain::Use::limited, TierChain::Use::turned, TierChain::Use::log})
        CHECK(tier_chain_of(name_of(TierChain{7, use})) == TierChain{7, use});
    for (const char* other : {"tier", "tier0", "tier01", "tierx", "tiers_1", "tier1_", "log_tier1_limits", "limit1"})
        CHECK_MESSAGE(!tier_chain_of(other), std::string(other));
}

TEST_CASE(
    "layout: a packet over its rate in one tier is let through by another, and one that needs no rate takes no token") {
    Draft draft = network(1);
    draft.tier("slow", clients(draft, 0, 1), services(draft, 2)).limit = Rate{5, Rate::Unit::second};
    draft.tier("free", clients(draft, 0, 1), services(draft, 1));
    for (const char* layout : layouts) {
        CAPTURE(std::string(layout));
        const ir::Ruleset ruleset = lowered(draft, layout);
        Judged full(ruleset, false);
        CHECK(full.judge("tiers", packet("10.0.50.16", "10.0.13.0", 443)) == Verdict::accept);
        CHECK(full.buckets == 0);
        CHECK(full.judge("tiers", packet("10.0.50.16", "10.0.13.1", 443)) == Verdict::none);
        CHECK(full.buckets == 1);
        CHECK(Judged(ruleset).judge("tiers", packet("10.0.50.16", "10.0.13.1", 443)) == Verdict::accept);
    }
}

TEST_CASE("layout: what begins is logged once where a tier that covers it says so, by whichever it passes") {
    Draft draft = network(2);
    draft.policy.log.counters = false;
    draft.tier("quiet", clients(draft, 0, 2), services(draft, 2));
    draft.tier("loud", clients(draft, 1, 1), services(draft, 1)).log_new = true;
    draft.tier("louder", clients(draft, 1, 1), services(draft, 1)).log_new = true;
    for (const char* layout : layouts) {
        CAPTURE(std::string(layout));
        const ir::Ruleset ruleset = lowered(draft, layout);
        Judged judged(ruleset);
        const auto logs = [&](const char* from, const char* to) {
            CHECK(judged.judge("tiers", packet(from, to, 443)) == Verdict::accept);
            return judged.logs;
        };
        CHECK(logs("10.0.50.16", "10.0.13.0") == 0);
        CHECK(logs("10.0.50.17", "10.0.13.0") == 1);
        CHECK(logs("10.0.50.17", "10.0.13.1") == 0);
    }
    CHECK(find_set(lowered(draft, "pairs"), "log_tier2_tcp4")->elements.size() == 1);
}

TEST_CASE("layout: a tier that is not in force, or for nobody, has no sets") {
    Draft draft = network(1);
    SUBCASE("expired") {
        draft.tier("t", clients(draft, 0, 1), services(draft, 1)).expires = {today - std::chrono::days{1}, {}};
    }
    SUBCASE("a grant") {
        draft.tier("t", clients(draft, 0, 1), services(draft, 1)).grant = Grant{};
    }
    SUBCASE("a bastion") {
        draft.tier("t", clients(draft, 0, 1), services(draft, 1)).bastion = Bastion{};
    }
    SUBCASE("nobody") {
        draft.tier("t", {}, services(draft, 1));
    }
    SUBCASE("nothing") {
        draft.tier("t", clients(draft, 0, 1), {});
    }
    SUBCASE("names without an address") {
        draft.tier("t", clients(draft, 0, 1), {draft.target("x", HostName{"nowhere.example"}, tcp(1))});
    }
    const ir::Ruleset ruleset = lowered(draft, "pairs");
    CHECK(std::ranges::none_of(ruleset.sets, [](const ir::Set& set) {
        return set.name.starts_with("tier") || set.name.find("who") != std::string::npos;
    }));
    CHECK(find_chain(ruleset, "tiers")->rules.empty());
}

// An answer is judged like what it answers, and the fast chains say of both what the slow ones say: of pings they need not know.
void check_ways(const ir::Ruleset& plain, const ir::Ruleset& other, const TestPacket& one) {
    const bool icmp = one.l4 == ir::L4::icmp || one.l4 == ir::L4::icmpv6;
    const TestPacket answer{one.destination, one.source, one.l4, icmp ? one.port : std::uint16_t{40000}, true,
                            one.port};
    const Verdict wanted = Judged(plain).judge("tiers", one);
    CAPTURE(to_string(one.source));
    CAPTURE(to_string(one.destination));
    CAPTURE(one.port);
    REQUIRE(Judged(other).judge("tiers", answer) == wanted);
    for (const Verdict fast : {Judged(other).judge("fast_original", one), Judged(other).judge("fast_reply", answer)})
        REQUIRE((fast == wanted || (icmp && fast == Verdict::none)));
}

// Of a flow that is under way, in both directions and from every side: what the forward chain says with its fast ways is what it says without them.
void check_forward(const ir::Ruleset& ruleset, const TestPacket& one) {
    const bool icmp = one.l4 == ir::L4::icmp || one.l4 == ir::L4::icmpv6;
    TestPacket answer{one.destination, one.source, one.l4, icmp ? one.port : std::uint16_t{40000}, true, one.port};
    for (TestPacket packet : {one, answer}) {
        packet.confirmed = true;
        packet.syn = false;
        for (const auto& [in, out] : {std::pair("wg0", "lan0"), std::pair("lan0", "wg0"), std::pair("wg0", "wg0")}) {
            packet.way_in = in;
            packet.way_out = out;
            packet.assured = false;
            const Verdict slow = Judged(ruleset, false).judge("forward", packet);
            packet.assured = true;
            const Verdict fast = Judged(ruleset, false).judge("forward", packet);
            if (fast == slow) continue;
            CAPTURE(to_string(packet.source));
            CAPTURE(to_string(packet.destination));
            CAPTURE(packet.port);
            CAPTURE(packet.reply);
            CAPTURE(packet.way_in);
            CAPTURE(packet.way_out);
            REQUIRE(fast == slow);
        }
    }
}

// Random policies in every form, and every packet of a small world.
TEST_CASE("layout: every form judges every packet alike") {
    std::mt19937 random(5);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const auto range = [&](const std::string& net, unsigned last) {
        const unsigned at = random() % last;
        return parse_cidr(net + std::to_string(at & ~1U) + (chance(30) ? "/31" : chance(10) ? "/32" : ""))->range;
    };
    for (int round = 0; round < 60; ++round) {
        Draft draft = network(0);
        draft.policy.ipv6 = chance(50) ? Ipv6::dual : Ipv6::deny;
        draft.policy.log.counters = chance(50);
        if (chance(50)) {
            draft.policy.nodes[0].serves.push_back({parse_cidr("10.0.50.4/31")->range, {}});
            const std::size_t other = draft.node("other", {"10.0.50.1"});
            draft.policy.nodes[other].serves.push_back({parse_cidr("10.0.50.6/31")->range, {}});
        }
        for (unsigned t = 0; t < 1 + random() % 4; ++t) {
            std::vector<Source> who;
            for (unsigned i = 0; i < random() % 4; ++i) {
                const Range from = range(chance(20) ? "fd00::" : "10.0.50.", 8);
                who.push_back({from, to_string(from), draft.span()});
            }
            std::vector<Target> allow;
            for (unsigned i = 0; i < random() % 5; ++i) {
                const Range to = range(chance(20) ? "fd00::" : "10.0.50.", 8);
                const auto lo = static_cast<std::uint16_t>(1 + random() % 4);
                const auto hi = static_cast<std::uint16_t>(chance(20) ? lo + 20 : lo + random() % 2);
                const Protocol protocol = static_cast<Protocol>(random() % 4);
                const bool ports = protocol == Protocol::tcp || protocol == Protocol::udp;
                const auto zero = static_cast<std::uint16_t>(0);
                allow.push_back(draft.target(to_string(to), to, {protocol, ports ? lo : zero, ports ? hi : zero}));
            }
            Tier& tier = draft.tier("t" + std::to_string(t), std::move(who), std::move(allow));
            if (chance(30)) tier.limit = Rate{5, Rate::Unit::second};
            tier.log_new = chance(30);
        }
        const ir::Ruleset plain = lowered(draft, "tuples");
        for (const char* layout : layouts) {
            CAPTURE(round);
            CAPTURE(std::string(layout));
            const ir::Ruleset other = lowered(draft, layout);
            for (const ir::Set& set : other.sets) CHECK(set.elements.sorted());
            for (const bool room : {true, false})
                for (const bool turned : {false, true})
                    for (const char* net : {"10.0.50.", "fd00::"})
                        for (int from = 0; from < 9; ++from)
                            for (int to = 0; to < 9; ++to)
                                for (const auto& [l4, port] :
                                     std::vector<std::pair<ir::L4, std::uint16_t>>{{ir::L4::tcp, 1},
                                                                                   {ir::L4::tcp, 3},
                                                                                   {ir::L4::tcp, 20},
                                                                                   {ir::L4::udp, 2},
                                                                                   {ir::L4::icmp, 8 * 256},
                                                                                   {ir::L4::icmpv6, 128 * 256},
                                                                                   {ir::L4::icmp, 0}}) {
                                    const TestPacket one{address((net + std::to_string(from)).c_str()),
                                                         address((net + std::to_string(to)).c_str()), l4, port, turned};
                                    Judged a(plain, room);
                                    Judged b(other, room);
                                    const char* chain = turned ? "turned" : "tiers";
                                    if (!turned && room) check_ways(plain, other, one);
                                    if (!turned && room && port != 3 && port != 20) check_forward(other, one);
                                    const Verdict wanted = a.judge(chain, one);
                                    const Verdict got = b.judge(chain, one);
                                    if (got == wanted && (a.logs > 0) == (b.logs > 0) && a.counted == b.counted &&
                                        (a.buckets > 0) == (b.buckets > 0))
                                        continue;
                                    CAPTURE(turned);
                                    CAPTURE(room);
                                    CAPTURE(from);
                                    CAPTURE(to);
                                    CAPTURE(port);
                                    REQUIRE(got == wanted);
                                    REQUIRE((b.logs > 0) == (a.logs > 0));
                                    REQUIRE(b.counted == a.counted);
                                    REQUIRE((b.buckets > 0) == (a.buckets > 0));
                                }
        }
    }
}
