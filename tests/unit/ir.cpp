// Elements and equality of rulesets.
#include "compiler/ir.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "../kernel/tools/samples.h"

using namespace policyc;
using namespace policyc::ir;
using samples::at;
using samples::one;
using samples::port;
using samples::rule;

TEST_CASE("elements keep keys as the kernel does") {
    Elements elements({Type::ipv4_addr, Type::inet_service}, false);
    elements.add({one("10.0.0.1"), port(22)}, {1, 2});
    CHECK(elements.size() == 1);
    CHECK(elements.key(0) == std::string_view("\x0a\0\0\x01\0\x16\0\0", 8));
    CHECK(elements.bound(0, 0).lo == at("10.0.0.1"));
    CHECK(elements.bound(0, 1).hi == 22);
    CHECK(elements.cause(0).subject == 1);
    CHECK(elements.cause(0).object == 2);
    CHECK(elements.value(0) == UINT32_MAX);
}

TEST_CASE("interval elements keep both ends") {
    Elements elements({Type::ipv6_addr, Type::inet_service}, true);
    elements.add({samples::span("fd00::", "fd00::ffff"), port(1, 65535)});
    CHECK(elements.key(0).size() == 40);
    CHECK(elements.bound(0, 0).lo == at("fd00::"));
    CHECK(elements.bound(0, 0).hi == at("fd00::ffff"));
    CHECK(elements.bound(0, 1).lo == 1);
    CHECK(elements.bound(0, 1).hi == 65535);
}

TEST_CASE("sort orders by key and keeps the first of equals") {
    Elements elements({Type::inet_service}, false);
    elements.add({port(443)}, {1, 1}, 1);
    elements.add({port(22)}, {2, 2}, 2);
    elements.add({port(443)}, {3, 3}, 3);
    CHECK_FALSE(elements.sorted());
    elements.sort();
    REQUIRE(elements.size() == 2);
    CHECK(elements.sorted());
    CHECK(elements.bound(0, 0).lo == 22);
    CHECK(elements.value(0) == 2);
    CHECK(elements.bound(1, 0).lo == 443);
    CHECK(elements.cause(1).subject == 1);
    CHECK(elements.value(1) == 1);
}

TEST_CASE("interface names") {
    Elements elements({Type::ifname}, false);
    elements.add_name("wg-ext");
    elements.add_name("fifteen.letters");
    elements.add_name("wg-ext");
    elements.sort();
    REQUIRE(elements.size() == 2);
    CHECK(elements.name(0) == "fifteen.letters");
    CHECK(elements.name(1) == "wg-ext");
}

TEST_CASE("a counter that only a later element has leaves the earlier without") {
    Elements elements({Type::inet_service}, false);
    elements.add({port(1)});
    elements.add({port(2)}, {}, 7);
    elements.add({port(3)});
    CHECK(elements.value(0) == UINT32_MAX);
    CHECK(elements.value(1) == 7);
    CHECK(elements.value(2) == UINT32_MAX);
}

TEST_CASE("kernel_text") {
    CHECK(kernel_text("laptop's grafana", 128) == "laptop's grafana");
    CHECK(kernel_text("a\"b\nc\td\x7f", 128) == "a'b?c?d?");
    CHECK(kernel_text("h\xc3\xa9", 3) == "h\xc3\xa9");
    CHECK(kernel_text("h\xc3\xa9", 2) == "h");  // never half a character
    CHECK(kernel_text("\xff\xc3(\xed\xa0\x80", 128) == "?\?(?\?\?");
    CHECK(kernel_text(kernel_text("\xff\"", 128), 128) == kernel_text("\xff\"", 128));
    CHECK(kernel_text(std::string(500, 'x'), max_comment).size() == 128);
    CHECK(log_prefix("deny $iif ") == "deny ?iif ");
    CHECK(log_prefix(std::string(500, 'x')).size() == 127);
}

TEST_CASE("a rule is the same without what it says twice") {
    const Rule plain = rule({MatchPort{Field::tcp_dport, 22}, Accept{}});
    CHECK(same(rule({MatchL4{L4::tcp}, MatchPort{Field::tcp_dport, 22}, Accept{}}), plain));
    CHECK_FALSE(same(rule({MatchL4{L4::udp}, MatchPort{Field::tcp_dport, 22}, Accept{}}), plain));
    // After a statement that does something the match is too late to be implied.
    CHECK_FALSE(same(rule({MatchL4{L4::tcp}, Count{}, MatchPort{Field::tcp_dport, 22}, Accept{}}),
                     rule({Count{}, MatchPort{Field::tcp_dport, 22}, Accept{}})));
    const Rule source = rule({Lookup{{Field::ip_saddr}, "s"}, Drop{}});
    CHECK(same(rule({MatchFamily{Family::ipv4}, Lookup{{Field::ip_saddr}, "s"}, Drop{}}), source));
    CHECK_FALSE(same(rule({MatchFamily{Family::ipv6}, Lookup{{Field::ip_saddr}, "s"}, Drop{}}), source));
    // A look-up of the connection's tuple says nothing that nft would leave out.
    CHECK_FALSE(same(rule({MatchL4{L4::tcp}, Lookup{{Field::ct_proto_dst}, "s"}, Drop{}}),
                     rule({Lookup{{Field::ct_proto_dst}, "s"}, Drop{}})));
}

TEST_CASE("same sees every difference of a rule") {
    const std::vector<Statement> all{Lookup{{Field::ip_saddr}, "a"},
                                     Lookup{{Field::ip_saddr}, "a", true},
                                     Lookup{{Field::ip_daddr}, "a"},
                                     Lookup{{Field::ip_saddr}, "b"},
                                     MatchPort{Field::tcp_dport, 1},
                                     MatchPort{Field::tcp_dport, 2},
                                     MatchPort{Field::udp_dport, 1},
                                     MatchName{Field::iifname, "a"},
                                     MatchName{Field::iifname, "a", true},
                                     MatchName{Field::oifname, "a"},
                                     MatchName{Field::iifname, "b"},
                                     MatchL4{L4::tcp},
                                     MatchL4{L4::udp},
                                     MatchFamily{Family::ipv4},
                                     MatchFamily{Family::ipv6},
                                     MatchState{.invalid = true},
                                     MatchState{.established = true},
                                     MatchState{.related = true},
                                     MatchState{.fresh = true},
                                     MatchState{.untracked = true},
                                     MatchDnat{},
                                     MatchConfirmed{},
                                     MatchReply{true},
                                     MatchReply{false},
                                     MatchIcmp{Family::ipv4, {3}},
                                     MatchIcmp{Family::ipv6, {3}},
                                     MatchIcmp{Family::ipv4, {3, 4}},
                                     MatchHopLimit{1},
                                     MatchHopLimit{2},
                                     MatchSyn{},
                                     ClampMss{},
                                     Limit{{1, Rate::Unit::second}, 1},
                                     Limit{{1, Rate::Unit::second}, 2},
                                     Limit{{1, Rate::Unit::minute}, 1},
                                     UpdateRate{"a", Field::ip_saddr, {1, Rate::Unit::second}, 1},
                                     UpdateRate{"b", Field::ip_saddr, {1, Rate::Unit::second}, 1},
                                     UpdateRate{"a", Field::ct_saddr4, {1, Rate::Unit::second}, 1},
                                     UpdateRate{"a", Field::ip_saddr, {2, Rate::Unit::second}, 1},
                                     UpdateRate{"a", Field::ip_saddr, {1, Rate::Unit::second}, 2},
                                     LogPacket{"a", 1},
                                     LogPacket{"a", std::nullopt},
                                     LogPacket{"b", 1},
                                     Count{},
                                     CountByMap{{Field::ip_daddr}, "a"},
                                     CountByMap{{Field::ct_daddr4}, "a"},
                                     CountByMap{{Field::ip_daddr}, "b"},
                                     Accept{},
                                     Drop{},
                                     Return{},
                                     Reject{},
                                     Masquerade{},
                                     Jump{"a"},
                                     Jump{"b"},
                                     Goto{"a"}};
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < all.size(); ++j) {
            CAPTURE(i);
            CAPTURE(j);
            CHECK(same(all[i], all[j]) == (i == j));
        }
    }
    CHECK(same(Count{1, 2}, Count{}));
    CHECK_FALSE(same(Unknown{"x"}, Unknown{"x"}));
    CHECK_FALSE(same(rule({Accept{}}), rule({Accept{}}, "comment")));
    CHECK_FALSE(same(rule({Accept{}}), rule({Accept{}, Drop{}})));
    CHECK(same(rule({Accept{}}, "a\nb"), rule({Accept{}}, "a?b", {0, 1, 2})));
}

TEST_CASE("same sees every difference of a ruleset") {
    const Ruleset whole = samples::everything();
    CHECK(same(whole, whole));

    const auto differs = [&whole](auto change) {
        Ruleset other = whole;
        change(other);
        return !same(whole, other) && !same(other, whole);
    };
    const auto set = [](Ruleset& r, std::string_view name) -> Set& {
        return *std::find_if(r.sets.begin(), r.sets.end(), [&](const Set& s) { return s.name == name; });
    };
    CHECK(differs([](Ruleset& r) { r.chains.pop_back(); }));
    CHECK(differs([](Ruleset& r) { r.sets.pop_back(); }));
    CHECK(differs([](Ruleset& r) { r.counters.pop_back(); }));
    CHECK(differs([](Ruleset& r) { r.foreign.push_back({Foreign::Kind::flowtable, "f", "flowtable f", 0}); }));
    CHECK(differs([](Ruleset& r) { r.chains.back().name = "other"; }));
    CHECK(differs([](Ruleset& r) { r.chains.back().base.reset(); }));
    CHECK(differs([](Ruleset& r) { r.chains.back().base->priority = 1; }));
    CHECK(differs([](Ruleset& r) { r.chains.back().base->policy_drop = true; }));
    CHECK(differs([](Ruleset& r) { std::swap(r.chains[2].rules[0], r.chains[2].rules[1]); }));
    CHECK(differs([&](Ruleset& r) { set(r, "allow_tcp4").elements.add({one("1.2.3.4"), one("1.2.3.4"), port(1)}); }));
    CHECK(differs([&](Ruleset& r) { set(r, "allow_tcp4").size = 3; }));
    CHECK(differs([&](Ruleset& r) { set(r, "rate1_ip4").timeout = 1; }));
    CHECK(differs([&](Ruleset& r) { set(r, "rate1_ip4").dynamic = false; }));
    CHECK(differs([](Ruleset& r) { r.counters[0].comment = "other"; }));
    CHECK(differs([](Ruleset& r) { std::swap(r.counters[0].name, r.counters[1].name); }));

    // What the kernel does not keep: order of sets, chains and counters, numbers, causes, what the text alone bears.
    Ruleset other = whole;
    std::reverse(other.sets.begin(), other.sets.end());
    std::reverse(other.chains.begin(), other.chains.end());
    other.node.clear();
    other.subjects.clear();
    other.objects.clear();
    other.counters[0].packets = 99;
    for (Chain& chain : other.chains) chain.comment.clear();
    set(other, "rate1_ip4").elements.add({one("1.2.3.4")});
    CHECK(same(whole, other));

    // Maps name counters by index: another order of the counters is the same if the names agree.
    Ruleset moved = whole;
    std::swap(moved.counters[0], moved.counters[1]);
    CHECK_FALSE(same(whole, moved));
    for (Set& s : moved.sets) {
        if (s.map_to != MapTo::counter) continue;
        Elements elements(s.types, s.interval);
        for (std::size_t i = 0; i < s.elements.size(); ++i) {
            std::vector<Elements::Bound> key;
            for (std::size_t field = 0; field < s.types.size(); ++field) key.push_back(s.elements.bound(i, field));
            const std::uint32_t counter = s.elements.value(i);
            elements.add(key, {}, counter == 0 ? 1 : counter == 1 ? 0 : counter);
        }
        s.elements = elements;
    }
    CHECK(same(whole, moved));
}
