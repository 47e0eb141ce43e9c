// The difference of what two Rulesets let through, in whatever forms they are: against every flow of a small world, and in words.
#include "compiler/gaps.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "compiler/lower.h"
#include "draft.h"

using namespace policyc;

namespace {

const std::vector<const char*> layouts{"tuples", "pairs", "pairs,jumps=0", "tuples,shard=1", "pairs,shard=2"};

// gw, and so many clients c0, c1, ... with 10.0.50.16, .17, ...
Draft network(std::size_t clients) {
    Draft draft;
    const std::size_t gw = draft.node("gw", {"10.0.50.2"}, Scope::tunnel);
    draft.policy.nodes[gw].interface = Spanned<std::string>{"wg0", {}};
    for (std::size_t i = 0; i < clients; ++i) {
        const std::string at = "10.0.50." + std::to_string(16 + i);
        draft.node("c" + std::to_string(i), {at.c_str()});
    }
    return draft;
}

// All clients and so many services.
Draft big(std::size_t clients, std::size_t services) {
    Draft draft = network(clients);
    std::vector<Source> who;
    std::vector<Target> allow;
    for (std::size_t i = 0; i < clients; ++i) who.push_back(draft.source(1 + i));
    for (std::size_t i = 0; i < services; ++i) {
        const std::string at = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
        allow.push_back(draft.target("s" + std::to_string(i), parse_cidr(at)->range, tcp(443)));
    }
    draft.tier("t", std::move(who), std::move(allow));
    return draft;
}

ir::Ruleset lowered(const Draft& draft, const char* layout = "automatic") {
    return lower(draft.policy, draft.addresses, 0, today, parse_layout(layout).value());
}

// `any` is what is neither TCP, UDP nor ping.
struct Flow {
    u128 source, destination;
    Protocol protocol;
    std::uint16_t port;
};

bool covers(const Box& box, const Flow& flow) {
    if (box.direction != Direction::forward) return false;
    if (flow.source < box.source.lo || box.source.hi < flow.source) return false;
    if (flow.destination < box.destination.lo || box.destination.hi < flow.destination) return false;
    if (box.ports.protocol == Protocol::any) return !box.others || flow.protocol == Protocol::any;
    return box.ports.protocol == flow.protocol && box.ports.lo <= flow.port && flow.port <= box.ports.hi;
}

bool any_covers(const std::vector<Box>& boxes, const Flow& flow) {
    return std::ranges::any_of(boxes, [&](const Box& box) { return covers(box, flow); });
}

std::vector<Box> pieces_of(const Gaps& gaps) {
    std::vector<Box> pieces;
    for (const Gap& gap : gaps.boxes) {
        const auto missing = gap.missing();
        CHECK_FALSE(missing.empty());
        pieces.insert(pieces.end(), missing.begin(), missing.end());
    }
    for (const WideGap& gap : gaps.tiers)
        for (const Range& source : gap.sources)
            for (const Area& area : gap.areas) pieces.push_back(area.from(source));
    return pieces;
}

struct Edited {
    Draft before;
    Draft after;
    Sources sources;
    View old_view, new_view;

    Edited(Draft old_draft, Draft new_draft) : before(std::move(old_draft)), after(std::move(new_draft)) {
        sources.add("policy.toml", std::string(100000, '\n'));
        old_view = {&before.policy, &before.addresses, &sources, 0, today};
        new_view = {&after.policy, &after.addresses, &sources, 0, today};
    }

    // "+ c3 s0 10.0.0.0:443/tcp tiers.t"
    [[nodiscard]] std::vector<std::string> lines(const char* old_layout = "automatic",
                                                 const char* new_layout = "automatic") {
        old_view.layout = parse_layout(old_layout).value();
        new_view.layout = parse_layout(new_layout).value();
        std::vector<std::string> out;
        for (const Change& change :
             changes(lowered(before, old_layout), lowered(after, new_layout), new_view, old_view))
            out.push_back((change.kind == Change::Kind::gain   ? "+ "
                           : change.kind == Change::Kind::loss ? "- "
                                                               : "~ ") +
                          fmt::format("{} {} {} {} {}", change.who, change.service, change.destination, change.reason,
                                      change.line));
        return out;
    }
};

}  // namespace

TEST_CASE("gaps: exactly the flows that one side lets through and the other doesn't") {
    std::mt19937 random(7);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const auto range = [&] {
        const unsigned at = random() % 6;
        const unsigned last = chance(40) ? at + random() % (6 - at) : at;
        const Address base = *parse_address("10.0.50.0");
        return Range{Family::ipv4, base.bits + at, base.bits + last};
    };
    const auto some = [&] {
        Draft draft = network(0);
        for (unsigned t = 0; t < random() % 4; ++t) {
            std::vector<Source> who;
            for (unsigned i = 0; i < 1 + random() % 3; ++i) who.push_back({range(), "x", draft.span()});
            std::vector<Target> allow;
            for (unsigned i = 0; i < 1 + random() % 4; ++i) {
                const auto lo = static_cast<std::uint16_t>(1 + random() % 3);
                const auto hi = static_cast<std::uint16_t>(chance(20) ? lo + 20 : lo);
                const Ports ports = chance(15) ? everything : Ports{chance(70) ? Protocol::tcp : Protocol::udp, lo, hi};
                allow.push_back(draft.target("y", range(), ports));
            }
            draft.tier("t", std::move(who), std::move(allow));
            if (chance(30)) draft.policy.tiers.back().limit = Rate{5, Rate::Unit::second};
        }
        return draft;
    };
    int different = 0;
    for (int round = 0; round < 300; ++round) {
        const Draft one = some();
        Draft two = some();
        if (chance(50)) {  // mostly the same
            two = one;
            if (!two.policy.tiers.empty() && chance(80))
                two.policy.tiers[0].allow.push_back(two.target("z", range(), tcp(2)));
            if (!two.policy.tiers.empty() && chance(50))
                two.policy.tiers.back().who.push_back({range(), "w", two.span()});
        }
        const std::vector<Box> from = boxes_of(lowered(one, "tuples"));
        const std::vector<Box> in = boxes_of(lowered(two, "tuples"));
        for (const char* a : layouts)
            for (const char* b : layouts) {
                const std::vector<Box> pieces = pieces_of(gaps(reach_of(lowered(one, a)), reach_of(lowered(two, b))));
                for (u128 s = 0; s < 7; ++s)
                    for (u128 d = 0; d < 7; ++d)
                        for (const Protocol protocol : {Protocol::any, Protocol::ping, Protocol::tcp, Protocol::udp})
                            for (const std::uint16_t port : {1, 2, 3, 10, 23}) {
                                const u128 base = parse_address("10.0.50.0")->bits;
                                const bool ported = protocol == Protocol::tcp || protocol == Protocol::udp;
                                if (!ported && port != 1) continue;
                                const Flow flow{base + s, base + d, protocol, ported ? port : std::uint16_t{0}};
                                const bool wanted = any_covers(from, flow) && !any_covers(in, flow);
                                different += wanted ? 1 : 0;
                                if (any_covers(pieces, flow) == wanted) continue;
                                CAPTURE(round);
                                CAPTURE(std::string(a));
                                CAPTURE(std::string(b));
                                FAIL("told what is not, or not told what is");
                            }
            }
    }
    CHECK(different > 10000);
}

TEST_CASE("changes: a tier that only takes another form changes nothing for anybody") {
    const Draft draft = big(30, 30);
    Edited edited(draft, draft);
    for (const char* a : layouts)
        for (const char* b : layouts) {
            CAPTURE(std::string(a));
            CAPTURE(std::string(b));
            CHECK(edited.lines(a, b).empty());
        }
}

TEST_CASE("changes: the same lines in every form") {
    const Draft draft = big(30, 30);
    Draft after = draft;
    SUBCASE("a member leaves") {
        after.policy.tiers[0].who.erase(after.policy.tiers[0].who.begin() + 3);
    }
    SUBCASE("a member leaves a tier, and stays in a part of another") {
        after.policy.tiers[0].who.erase(after.policy.tiers[0].who.begin() + 3);
        after.tier("u", {after.source(4)}, {after.policy.tiers[0].allow[7], after.policy.tiers[0].allow[8]});
    }
    SUBCASE("a service goes") {
        after.policy.tiers[0].allow.pop_back();
    }
    SUBCASE("a service comes, and one of another tier") {
        after.policy.tiers[0].allow.push_back(after.target("new", parse_cidr("10.0.9.9")->range, tcp(1)));
        after.tier("u", {after.source(5)}, {after.target("other", parse_cidr("10.0.9.10")->range, tcp(1))});
    }
    SUBCASE("the tier goes") {
        after.policy.tiers.clear();
    }
    Edited edited(draft, after);
    const std::vector<std::string> wanted = edited.lines("tuples", "tuples");
    CHECK_FALSE(wanted.empty());
    for (const char* a : layouts)
        for (const char* b : layouts) {
            CAPTURE(std::string(a));
            CAPTURE(std::string(b));
            CHECK(edited.lines(a, b) == wanted);
        }
}

TEST_CASE("changes: people of a network in one tier and of themselves in another have their names") {
    Draft draft = network(1);
    draft.tier("house", {draft.source("10.0.50.0/24")}, {draft.target("tv", parse_cidr("10.0.9.1")->range, tcp(1))});
    Draft after = draft;
    after.tier("own", {after.source(1)}, {after.target("desk", parse_cidr("10.0.9.2")->range, tcp(1))});
    Edited edited(draft, after);
    const std::vector<std::string> wanted = edited.lines("tuples", "tuples");
    REQUIRE(wanted.size() == 1);
    CHECK(wanted[0].starts_with("+ c0 desk 10.0.9.2:1/tcp tiers.own"));
    CHECK(edited.lines("pairs", "pairs") == wanted);
}

TEST_CASE("changes: where hundreds of thousands of permissions come or go, those of a tier are one line") {
    const Draft draft = big(150, 1000);
    Draft after = draft;
    after.policy.tiers.clear();
    Edited edited(draft, after);
    std::vector<std::string> lines = edited.lines();
    REQUIRE(lines.size() == 1);
    CHECK(
        lines[0].starts_with("- c0 and 149 more s0 and 999 more 10.0.0.0:443/tcp, 10.0.0.1:443/tcp, 10.0.0.2:443/tcp "
                             "and 997 more removed"));
    Edited back(after, draft);
    lines = back.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].starts_with("+ c0 and 149 more s0 and 999 more "));
    CHECK(lines[0].find(" tiers.t ") != std::string::npos);
    // Its entries are of many lines, and the place is that of the tier.
    const auto line = [&](const Draft& of) {
        const Span& span = of.policy.tiers.front().span;
        return " " + std::to_string(back.sources.line_number(span.file, span.begin));
    };
    CHECK(lines[0].ends_with(line(draft)));
    CHECK(edited.lines()[0].ends_with(line(draft)));
}

TEST_CASE("reading back: a part of a split set counts where the map leads to it") {
    Draft draft = big(1, 20);
    const ir::Ruleset whole = lowered(draft, "tuples,shard=4");
    const std::size_t all = boxes_of(whole).size();
    CHECK(all == 20);
    const auto edited = [&](const auto& edit) {
        ir::Ruleset ruleset = whole;
        for (ir::Set& set : ruleset.sets)
            if (set.name == "allow_tcp4_shards") edit(set);
        return boxes_of(ruleset).size();
    };
    CHECK(edited([](ir::Set&) {}) == 20);
    CHECK(edited([](ir::Set& map) { map.elements = ir::Elements(map.types, true); }) == 0);
    CHECK(edited([](ir::Set& map) { std::swap(map.verdicts[0], map.verdicts[1]); }) < 20);
    CHECK(edited([](ir::Set& map) { map.verdicts[0].chain = "denied"; }) < 20);
}

TEST_CASE("reading back: a part of who is in a tier counts for the addresses that the map leads to it") {
    ir::Ruleset ruleset = lowered(big(3, 2), "pairs,shard=1");
    for (ir::Set& set : ruleset.sets)
        if (set.name == "who4_shards") {
            REQUIRE(set.verdicts.size() == 3);
            std::swap(set.verdicts[0], set.verdicts[1]);
        }
    CHECK(boxes_of(ruleset).size() == 2);
}

TEST_CASE("reading back: who is in a tier is what the rules say") {
    Draft draft = big(3, 2);
    for (const char* layout : {"pairs", "pairs,jumps=0", "pairs,shard=1"}) {
        CAPTURE(layout);
        const ir::Ruleset whole = lowered(draft, layout);
        CHECK(boxes_of(whole).size() == 6);
        ir::Ruleset ruleset = whole;
        for (ir::Chain& chain : ruleset.chains)
            if (chain.name == "tiers") chain.rules.clear();
        CHECK(boxes_of(ruleset).empty());
        for (ir::Chain& chain : ruleset.chains)
            if (chain.name == "tiers") chain.rules.push_back({{ir::Jump{"tier1"}}, "", {}});
        REQUIRE(boxes_of(ruleset).size() == 2);
        CHECK(boxes_of(ruleset)[0].source == Range{Family::ipv4, 0, top(Family::ipv4)});
    }
}
