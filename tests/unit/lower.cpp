// What lowering opens, and above all what it doesn't: policies are made by hand, so that nothing of the parser is involved.
#include "compiler/lower.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "compiler/access.h"
#include "judged.h"

using namespace policyc;

namespace {

constexpr Days today{std::chrono::days{20000}};

Address address(const char* text) {
    return *parse_address(text);
}
Range range(const char* text) {
    return parse_cidr(text)->range;
}
Ports tcp(std::uint16_t lo, std::uint16_t hi) {
    return {Protocol::tcp, lo, hi};
}

Node node(const char* name, const char* at) {
    Node n;
    n.name = name;
    n.addresses.push_back({address(at), {}});
    return n;
}

// gw (10.0.50.2 on wg0, serves 10.0.13.0/24), alice, bob; one empty tier "t" of alice.
Policy base() {
    Policy policy;
    Node gw = node("gw", "10.0.50.2");
    gw.role = Role::gateway;
    gw.scope = Scope::tunnel;
    gw.interface = Spanned<std::string>{"wg0", {}};
    gw.serves.push_back({range("10.0.13.0/24"), {}});
    policy.nodes = {gw, node("alice", "10.0.50.11"), node("bob", "10.0.50.12")};
    Tier tier;
    tier.name = "t";
    tier.who = {{NodeRef{1}, "alice", {0, 1, 2}}};
    policy.tiers = {tier};
    return policy;
}

Target target(Host host, Ports ports, const char* label = "x") {
    return {std::move(host), ports, std::nullopt, label, {0, 5, 6}, {}};
}

std::vector<Box> opened(const Policy& policy, const Addresses& addresses = {}) {
    return boxes_of(lower(policy, addresses, 0, today));
}

Box box(const char* from, const char* to, Ports ports) {
    return {Direction::forward, range(from), range(to), ports};
}

}  // namespace

TEST_CASE("lower: a permission opens its own source, destination and port") {
    Policy policy = base();
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    CHECK(opened(policy) == std::vector{box("10.0.50.11", "10.0.13.20", tcp(80, 80))});
}

TEST_CASE("lower: what is empty, unknown, expired or not in force opens nothing") {
    Policy policy = base();
    SUBCASE("a tier without targets") {}
    SUBCASE("a name without an address") {
        policy.tiers[0].allow = {target(HostName{"nowhere.example"}, tcp(80, 80))};
    }
    SUBCASE("nobody") {
        policy.tiers[0].who.clear();
        policy.tiers[0].allow = {target(range("10.0.13.0/24"), {Protocol::any, 0, 0})};
    }
    SUBCASE("an expired tier") {
        policy.tiers[0].expires = {today - std::chrono::days{1}, {}};
        policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    }
    SUBCASE("a grant") {
        policy.tiers[0].grant = Grant{};
        policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    }
    SUBCASE("a bastion") {
        policy.tiers[0].bastion = Bastion{};
        policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    }
    SUBCASE("an expired service") {
        Service service{.name = "s",
                        .host = range("10.0.13.20"),
                        .ports = {tcp(80, 80)},
                        .expires = {{today - std::chrono::days{1}, {}}}};
        policy.services = {service};
        policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
        policy.tiers[0].allow[0].service = 0;
        policy.tiers[0].allow[0].expires = service.expires;
    }
    SUBCASE("another port of the host of an expired service") {
        policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(22, 22))};
        policy.tiers[0].allow[0].expires = {today - std::chrono::days{1}, {}};
    }
    SUBCASE("IPv6 where it is denied") {
        policy.nodes[1].addresses.push_back({address("fd00::11"), {}});
        policy.tiers[0].allow = {target(range("fd00:13::20"), tcp(80, 80))};
    }
    SUBCASE("two families that don't meet") {
        policy.ipv6 = Ipv6::dual;
        policy.tiers[0].allow = {target(range("fd00:13::20"), tcp(80, 80))};
    }
    const ir::Ruleset ruleset = lower(policy, {}, 0, today);
    CHECK(boxes_of(ruleset).empty());
    // and no rule is left that would accept without a look-up
    for (const ir::Chain& chain : ruleset.chains)
        if (chain.name == "tiers" || chain.name == "to_host") {
            for (const ir::Rule& rule : chain.rules) {
                REQUIRE(rule.statements.size() == 1);
                CHECK(std::holds_alternative<ir::Jump>(rule.statements[0]));
            }
        }
}

TEST_CASE("lower: replies to what this host began are not taken for sessions with its servers") {
    Policy policy = base();
    Input input;
    input.name = "x";
    input.from = policy.tiers[0].who;
    const auto server_ports = [&](Ports ports) {
        input.ports = {ports};
        policy.nodes[0].inputs = {input};
        std::string out;
        for (const ir::Set& set : lower(policy, {}, 0, today).sets) {
            if (set.name != "server_ports") continue;
            for (std::size_t i = 0; i < set.elements.size(); ++i) {
                const auto bound = set.elements.bound(i, 0);
                out += std::to_string(static_cast<unsigned>(bound.lo)) + "-" +
                       std::to_string(static_cast<unsigned>(bound.hi)) + " ";
            }
        }
        return out;
    };
    CHECK(server_ports(tcp(22, 22)) == "1-511 ");
    CHECK(server_ports(tcp(40000, 40000)) == "1-511 40000-40000 ");
    CHECK(server_ports(tcp(8000, 65535)) == "1-511 8000-32767 ");
    CHECK(server_ports(tcp(33000, 65535)) == "1-511 ");
    CHECK(server_ports(tcp(1, 65535)) == "1-511 ");
    CHECK(server_ports({Protocol::udp, 8000, 8000}) == "1-511 ");
}

TEST_CASE("lower: another node's address is behind the tunnel, whatever network this node serves") {
    Policy policy = base();
    policy.nodes[0].serves.push_back({range("10.0.0.0/16"), {}});
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    const ir::Ruleset ruleset = lower(policy, {}, 0, today);
    TestPacket packet{policy.nodes[1].addresses[0].value, address("10.0.13.20"), ir::L4::tcp, 80};
    CHECK(Judged(ruleset).judge("forward", packet) == Judged::Verdict::accept);
    // Another address of that network is none of the tunnel's.
    packet.source = address("10.0.99.1");
    CHECK(Judged(ruleset).judge("forward", packet) == Judged::Verdict::drop);
}

TEST_CASE("lower: a date holds through its last day") {
    Policy policy = base();
    policy.tiers[0].expires = {today, {}};
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    CHECK(opened(policy).size() == 1);
}

TEST_CASE("lower: scope none leaves no table") {
    Policy policy = base();
    policy.nodes[0].scope = Scope::none;
    CHECK(lower(policy, {}, 0, today).empty());
}

TEST_CASE("lower: short port ranges are expanded, long ones and networks are intervals that don't overlap") {
    Policy policy = base();
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(100, 115)), target(range("10.0.13.20"), tcp(200, 216)),
                             target(range("10.0.13.0/24"), tcp(210, 300))};
    const ir::Ruleset ruleset = lower(policy, {}, 0, today);
    const auto set = [&](const char* name) {
        return std::ranges::find_if(ruleset.sets, [&](const ir::Set& s) { return s.name == name; });
    };
    REQUIRE(set("allow_tcp4") != ruleset.sets.end());
    CHECK(set("allow_tcp4")->elements.size() == 16);
    REQUIRE(set("allow_tcp4_ranges") != ruleset.sets.end());
    const std::vector<Box> boxes = opened(policy);
    for (std::size_t i = 0; i < boxes.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            CHECK_FALSE((boxes[i].destination.meets(boxes[j].destination) && boxes[i].ports.lo <= boxes[j].ports.hi &&
                         boxes[j].ports.lo <= boxes[i].ports.hi));
}

TEST_CASE("lower: limited permissions go through their bucket, unlimited ones don't") {
    Policy policy = base();
    policy.tiers[0].limit = Rate{50, Rate::Unit::second};
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80))};
    const ir::Ruleset ruleset = lower(policy, {}, 0, today);
    CHECK(std::ranges::any_of(ruleset.sets, [](const ir::Set& s) { return s.name == "allow_limit1_tcp4"; }));
    CHECK(std::ranges::none_of(ruleset.sets, [](const ir::Set& s) { return s.name == "allow_tcp4"; }));
    const auto rate = std::ranges::find_if(ruleset.sets, [](const ir::Set& s) { return s.dynamic; });
    REQUIRE(rate != ruleset.sets.end());
    CHECK(rate->name == "rate1_ip4");
}

TEST_CASE("lower: a SYN takes from the bucket though its flow is known, and what is no SYN takes nothing") {
    Policy policy = base();
    policy.tiers[0].limit = Rate{50, Rate::Unit::second};
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80)),
                             target(range("10.0.13.20"), {Protocol::udp, 80, 80})};
    const ir::Ruleset ruleset = lower(policy, {}, 0, today);
    using Verdict = Judged::Verdict;
    for (const bool confirmed : {false, true})
        for (const bool room : {false, true}) {
            TestPacket packet{policy.nodes[1].addresses[0].value, address("10.0.13.20"), ir::L4::tcp, 80};
            packet.confirmed = confirmed;
            Judged judged(ruleset, room);
            CHECK(judged.judge("tiers", packet) == (room ? Verdict::accept : Verdict::none));
            CHECK(judged.buckets > 0);
            packet.syn = false;
            CHECK(judged.judge("tiers", packet) == Verdict::accept);
            CHECK(judged.buckets == 0);
            packet.l4 = ir::L4::udp;
            CHECK(judged.judge("tiers", packet) == (room || confirmed ? Verdict::accept : Verdict::none));
            CHECK((judged.buckets > 0) == !confirmed);
        }
}

TEST_CASE("lower: the same inputs give the same Ruleset") {
    Policy policy = base();
    policy.tiers[0].allow = {target(range("10.0.13.20"), tcp(80, 80)),
                             target(range("10.0.13.0/24"), {Protocol::any, 0, 0})};
    CHECK(ir::same(lower(policy, {}, 0, today), lower(policy, {}, 0, today)));
}

TEST_CASE("changes: people and services by name, causes told apart") {
    Sources sources;
    sources.add("policy.toml", "0123456789\n");
    Policy old_policy = base();
    old_policy.services = {Service{.name = "web", .host = HostName{"web.example"}, .ports = {tcp(80, 80)}}};
    old_policy.tiers[0].allow = {target(HostName{"web.example"}, tcp(80, 80), "web")};
    old_policy.tiers[0].allow[0].service = 0;
    const Addresses at20{{"web.example", {address("10.0.13.20")}}};
    const Addresses at21{{"web.example", {address("10.0.13.21")}}};
    const View old_view{&old_policy, &at20, &sources, 0, today};
    const ir::Ruleset before = lower(old_policy, at20, 0, today);

    SUBCASE("nothing") {
        CHECK(changes(before, before, old_view, old_view).empty());
    }
    SUBCASE("a move by DNS") {
        const View view{&old_policy, &at21, &sources, 0, today};
        const auto list = changes(before, lower(old_policy, at21, 0, today), view, old_view);
        REQUIRE(list.size() == 1);
        CHECK(list[0].kind == Change::Kind::move);
        CHECK(list[0].cause == Change::Cause::dns);
        CHECK(list[0].service == "web");
        CHECK(list[0].destination == "10.0.13.20 -> 10.0.13.21");
    }
    SUBCASE("an edit that gives and one that takes") {
        Policy policy = old_policy;
        policy.tiers[0].who = {{NodeRef{2}, "bob", {0, 3, 4}}};
        const View view{&policy, &at20, &sources, 0, today};
        const auto list = changes(before, lower(policy, at20, 0, today), view, old_view);
        REQUIRE(list.size() == 2);
        CHECK(list[0].kind == Change::Kind::gain);
        CHECK(list[0].who == "bob");
        CHECK(list[0].destination == "10.0.13.20:80/tcp");
        CHECK(list[0].reason == "tiers.t");
        CHECK(list[0].line == 1);
        CHECK(list[1].kind == Change::Kind::loss);
        CHECK(list[1].who == "alice");
        CHECK(list[1].cause == Change::Cause::edit);
    }
    SUBCASE("somebody opened the kernel") {
        ir::Ruleset kernel = before;
        for (ir::Set& set : kernel.sets)
            if (set.name == "allow_tcp4") {
                set.elements.add({{address("10.0.50.12").bits, address("10.0.50.12").bits},
                                  {address("10.0.13.99").bits, address("10.0.13.99").bits},
                                  {22, 22}});
                set.elements.sort();
            }
        const auto list = changes(kernel, before, old_view, old_view);
        REQUIRE(list.size() == 1);
        CHECK(list[0].kind == Change::Kind::loss);
        CHECK(list[0].cause == Change::Cause::drift);
        CHECK(list[0].who == "bob");
        CHECK(list[0].destination == "10.0.13.99:22/tcp");
    }
    SUBCASE("a wider permission hides the loss of a narrower one") {
        Policy policy = old_policy;
        policy.tiers[0].allow = {target(range("10.0.13.0/24"), {Protocol::any, 0, 0}, "home")};
        const View view{&policy, &at20, &sources, 0, today};
        const auto list = changes(before, lower(policy, at20, 0, today), view, old_view);
        REQUIRE(list.size() == 1);
        CHECK(list[0].kind == Change::Kind::gain);
        CHECK(list[0].destination == "10.0.13.0/24:* but 10.0.13.20:80/tcp");
    }
}
