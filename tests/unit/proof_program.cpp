// What a program does, against what the policy means: what lower() makes is proved in every form, and what is damaged is not. tests/proof/test_mutants.py does more damage.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "backends/json.h"
#include "backends/read_written.h"
#include "backends/text.h"
#include "checked.h"
#include "compiler/driver/prove.h"
#include "compiler/layout.h"
#include "compiler/lower.h"
#include "compiler/proof/prove.h"
#include "draft.h"

using namespace policyc;
using Found = proof::Proof::Found;

namespace {

const std::vector<const char*> layouts{"tuples",        "pairs",         "pairs,jumps=0",        "tuples,shard=1",
                                       "pairs,shard=1", "pairs,shard=3", "pairs,shard=2,jumps=0"};

// A gateway that judges everything, with a service, an input, an output and rates.
const char* const text = R"(version = 1
[networks]
home = ["10.69.13.0/24"]
[nodes.vps]
role = "hub"
address = "10.69.50.1"
endpoint = "203.0.113.1:51820"
[nodes.gw]
role = "gateway"
address = "10.69.50.2"
interface = "wg0"
peer = "vps"
listen_port = 51821
serves = ["home"]
scope = "host"
output = ["web", "home:22"]
[nodes.gw.input]
ssh = { from = ["laptop"] }
dns = { from = ["laptop", "10.69.13.0/24"], limit = "5/second" }
)";

struct Program {
    Checked checked;
    std::size_t node = 0;
    ir::Ruleset ruleset;

    explicit Program(const std::string& policy, const char* layout = "tuples") : checked(policy) {
        CAPTURE(checked.said());
        REQUIRE(checked.policy);
        const auto& nodes = checked.policy->nodes;
        node = static_cast<std::size_t>(std::ranges::find(nodes, "gw", &Node::name) - nodes.begin());
        ruleset = lower(*checked.policy, {}, node, today, parse_layout(layout).value());
    }

    proof::Proof proof(const proof::Servers& served = {}) const {
        return proof::prove(*checked.policy, {}, node, today, ruleset, served);
    }
    ir::Set& set(const std::string& name) { return *std::ranges::find(ruleset.sets, name, &ir::Set::name); }
    ir::Chain& chain(const std::string& name) { return *std::ranges::find(ruleset.chains, name, &ir::Chain::name); }

    // What is said of it.
    std::string said() const {
        const proof::Proof found = proof();
        const char* const words[] = {"same", "differs", "not understood", "too large"};
        std::string out = words[static_cast<std::size_t>(found.found)];
        if (!found.error.message.empty()) out += ": " + found.error.message;
        const Span span = found.error.span;
        if (span.valid()) out += " (line " + std::to_string(checked.sources.position(span.file, span.begin).line) + ")";
        return out;
    }
};

std::string tunnel_policy(const std::string& more = "") {
    return base + tier("\"laptop\"", "\"web\"", more);
}

void remove_element(ir::Set& set, std::size_t element) {
    ir::Elements left(set.types, set.interval);
    for (std::size_t i = 0; i < set.elements.size(); ++i)
        if (i != element) left.add_key(set.elements.key(i), {}, set.elements.value(i));
    set.elements = std::move(left);
}

}  // namespace

TEST_CASE("proof: what is compiled is what the policy means, in every form, and a packet shows what isn't") {
    for (const char* layout : layouts) {
        CAPTURE(std::string(layout));
        CHECK(Program(tunnel_policy(), layout).said() == "same");
        CHECK(Program(tunnel_policy("limit = \"5/second\""), layout).said() == "same");
    }
}

TEST_CASE("proof: an element less, one more") {
    Program program(tunnel_policy());
    remove_element(program.set("allow_tcp4"), 0);
    CHECK(program.said() ==
          "differs: the first packet of a flow from 10.69.50.11 to 10.69.13.80, 443/tcp, forwarded from the tunnel to "
          "another interface would be refused, and the policy allows "
          "it (line 15)");
    Program wider(tunnel_policy());
    wider.set("allow_tcp4").elements.add({{0x0a45320b, 0x0a45320b}, {0x0a450d50, 0x0a450d50}, {444, 444}});
    CHECK(wider.said() ==
          "differs: the first packet of a flow from 10.69.50.11 to 10.69.13.80, 444/tcp, forwarded from the tunnel to "
          "another interface would be let through, and the policy denies it");
}

TEST_CASE("proof: what is shown is a packet that somebody meets, where there is one") {
    const auto first = [](const std::string& chain, std::vector<ir::Statement> statements) {
        Program program(tunnel_policy());
        auto& rules = program.chain(chain).rules;
        rules.insert(rules.begin(), {std::move(statements)});
        return program.said();
    };
    const std::string across = "forwarded from the tunnel to another interface would be let through";
    CHECK(first("judged", {ir::MatchL4{ir::L4::tcp}, ir::Accept{}})
              .starts_with("differs: the first packet of a flow from 10.69.50.11 to 10.69.13.0, 1/tcp, " + across));
    CHECK(first("judged", {ir::MatchL4{ir::L4::udp}, ir::Accept{}})
              .starts_with("differs: the first packet of a flow from 10.69.50.11 to 10.69.13.0, 1/udp, " + across));
    // An ICMP message may well be of type 0, and what leaves by the tunnel comes from elsewhere first.
    CHECK(first("judged", {ir::MatchIcmp{Family::ipv4, {0}}, ir::Accept{}}).find(", ICMP type 0 code 0, " + across) !=
          std::string::npos);
    CHECK(first("judged", {ir::MatchName{ir::Field::oifname, "wg0"}, ir::MatchL4{ir::L4::tcp}, ir::Accept{}})
              .find("1/tcp, forwarded from another interface to the tunnel would be let through") != std::string::npos);
    // Where there is no other, it is what there is.
    CHECK(first("from_tunnel", {ir::MatchName{ir::Field::oifname, "wg0"}, ir::MatchL4{ir::L4::tcp}, ir::Accept{}})
              .find("1/tcp, forwarded from the tunnel to the tunnel would be let through") != std::string::npos);
}

TEST_CASE("proof: chains that let through too much") {
    const auto with = [](const std::string& chain, std::size_t at, ir::Rule rule) {
        Program program(tunnel_policy());
        auto& rules = program.chain(chain).rules;
        rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(std::min(at, rules.size())), std::move(rule));
        return program.said();
    };
    CHECK(with("judged", 99, {{ir::Accept{}}}) == "same");  // behind the end
    CHECK(with("judged", 0, {{ir::MatchState{.established = true}, ir::Accept{}}})
              .starts_with("differs: a packet of a flow that was answered from "));
    CHECK(with("judged", 0, {{ir::MatchState{.invalid = true}, ir::Accept{}}})
              .starts_with("differs: a packet that is no part of a flow"));
    CHECK(with("judged", 0, {{ir::MatchState{.untracked = true}, ir::Accept{}}})
              .starts_with("differs: a packet that is not tracked"));
    CHECK(with("from_tunnel", 0, {{ir::MatchDnat{}, ir::Accept{}}})
              .starts_with("differs: a packet of a flow whose destination was rewritten"));
    CHECK(with("judged", 0, {{ir::MatchState{.related = true}, ir::MatchIcmp{Family::ipv4, {5}}, ir::Accept{}}})
              .starts_with("differs: an ICMP message about a flow from 10.69.50.1"));
    CHECK(with("from_tunnel", 0, {{ir::MatchFamily{Family::ipv6}, ir::Accept{}}}).starts_with("differs: "));
    CHECK(with("forward", 0, {{ir::MatchName{ir::Field::iifname, "eth0"}, ir::Drop{}}}).starts_with("differs: "));
    // What only logs and counts changes nothing.
    CHECK(with("forward", 0, {{ir::Limit{{5, Rate::Unit::second}, 5}, ir::LogPacket{"x", {}}}}) == "same");
}

TEST_CASE("proof: a key that leads to two chains may go to either") {
    Program program(tunnel_policy());
    ir::Set map{.name = "m", .types = {ir::Type::ipv4_addr}, .map_to = ir::MapTo::verdict};
    map.elements = ir::Elements(map.types, false);
    map.verdicts = {{false, "tiers"}, {false, "denied"}};
    map.elements.add({{0x0a450d50, 0x0a450d50}}, {}, 0);
    const auto rule = [] { return ir::Rule{{ir::LookupVerdict{{ir::Field::ct_daddr4}, "m"}}, "", {}, 0}; };
    program.ruleset.sets.push_back(map);
    auto& rules = program.chain("judged").rules;
    const auto jump = std::ranges::find_if(
        rules, [](const ir::Rule& one) { return std::holds_alternative<ir::Jump>(one.statements.back()); });
    rules.insert(jump, rule());
    CHECK(program.said() == "same");
    program.set("m").elements.add({{0x0a450d50, 0x0a450d50}}, {}, 1);
    CHECK(program.said().find(" would be refused, and the policy allows it") != std::string::npos);
}

// A `*` permission of a pair covers the addresses of an ICMP message between them, whatever that is about: the fast ways ask for `established`.
TEST_CASE("proof: ICMP messages don't take the fast ways") {
    const std::string policy = base + tier("\"laptop\"", "\"10.69.13.80:*\"");
    CHECK(Program(policy).said() == "same");
    Program program(policy);
    for (ir::Rule& rule : program.chain("from_tunnel").rules)
        if (std::ranges::any_of(rule.statements,
                                [](const ir::Statement& s) { return std::holds_alternative<ir::MatchAssured>(s); }))
            std::erase_if(rule.statements,
                          [](const ir::Statement& s) { return std::holds_alternative<ir::MatchState>(s); });
    CHECK(program.said().starts_with(
        "differs: an ICMP message about a flow from 10.69.50.11 to 10.69.13.80, ICMP type "));
}

TEST_CASE("proof: rates") {
    const auto set_rate = [](Program& program, const std::string& chain, std::uint32_t count) {
        for (ir::Rule& rule : program.chain(chain).rules)
            for (ir::Statement& statement : rule.statements)
                if (auto* update = std::get_if<ir::UpdateRate>(&statement)) update->rate.count = update->burst = count;
    };
    const std::string flow = "differs: the first packet of a flow from 10.69.50.11 to 10.69.13.80, 443/tcp";
    const std::string used_up = " would be let through while its 5/second is used up, and the policy denies it then";
    const std::string policy = tunnel_policy("limit = \"5/second\"");
    Program none(policy);
    for (ir::Rule& rule : none.chain("limit1").rules)
        std::erase_if(rule.statements,
                      [](const ir::Statement& s) { return std::holds_alternative<ir::UpdateRate>(s); });
    CHECK(none.said().starts_with(flow));
    CHECK(none.said().ends_with(used_up + " (line 15)"));
    Program other(policy);
    set_rate(other, "limit1", 6);
    CHECK(other.said().starts_with(flow));
    CHECK(other.said().ends_with(used_up + " (line 15)"));
    Program burst(policy);
    for (ir::Rule& rule : burst.chain("limit1").rules)
        for (ir::Statement& statement : rule.statements)
            if (auto* update = std::get_if<ir::UpdateRate>(&statement)) update->burst = 6;
    CHECK(burst.said() == "not understood: rule 2 of chain limit1: another burst than the rate");
    // Of two rates one must have room.
    const std::string two = policy + "\n[tiers.more]\nwho = [\"laptop\"]\nallow = [\"web\"]\nlimit = \"6/second\"\n";
    CHECK(Program(two).said() == "same");
    Program neither(two);
    auto& last = neither.chain("judged").rules;
    last.insert(
        last.end() - 1,
        {{ir::MatchL4{ir::L4::tcp},
          ir::Lookup{{ir::Field::ct_saddr4, ir::Field::ct_daddr4, ir::Field::ct_proto_dst}, "allow_limit2_tcp4"},
          ir::Accept{}}});
    CHECK(neither.said().starts_with(flow));
    CHECK(neither.said().find(" while its rates are used up, and the policy denies it then") != std::string::npos);
    // Another rate than its own.
    Program stranger(base + "ssh = \"10.69.13.80:22\"\n" + tier("\"laptop\"", "\"web\"", "limit = \"5/second\"") +
                     "\n[tiers.more]\nwho = [\"laptop\"]\nallow = [\"ssh\"]\nlimit = \"6/second\"\n");
    set_rate(stranger, "limit2", 5);
    CHECK(stranger.said().find(", 22/tcp, ") != std::string::npos);
    CHECK(stranger.said().find(" would be refused while 5/second is used up, and the policy allows it then") !=
          std::string::npos);
    // What is denied at any time is said as ever.
    Program wider(policy);
    wider.set("allow_limit1_tcp4").elements.add({{0x0a45320b, 0x0a45320b}, {0x0a450d50, 0x0a450d50}, {444, 444}});
    CHECK(wider.said().ends_with(" would be let through, and the policy denies it"));
    // Of what needs no rate, none is taken.
    const std::string unlimited = base + tier("\"laptop\"", "\"web\"") +
                                  "[tiers.slow]\nwho = [\"laptop\"]\nallow = [\"web\"]\nlimit = \"5/second\"\n";
    CHECK(Program(unlimited).said() == "same");
}

TEST_CASE("proof: what comes out of the tunnel is masqueraded, and nothing else") {
    std::string policy = tunnel_policy();
    policy.insert(policy.find("serves ="), "source = \"masquerade\"\n");
    CHECK(Program(policy).said() == "same");
    Program all(policy);
    auto& statements = all.chain("source_nat").rules[0].statements;
    statements.erase(statements.begin());
    CHECK(all.said().find(" would be refused, or not leave with the address it should") != std::string::npos);
    Program none(policy);
    none.chain("source_nat").rules.clear();
    CHECK(none.said().find(" would be refused, or not leave with the address it should") != std::string::npos);
}

TEST_CASE("proof: what isn't known isn't fine") {
    const auto with = [](const auto& change) {
        Program program(tunnel_policy());
        change(program);
        return program.said();
    };
    CHECK(with([](Program& p) {
              p.ruleset.foreign.push_back({ir::Foreign::Kind::table, "", "the table is dormant", 0});
          }) == "not understood: the table is dormant");
    CHECK(with([](Program& p) { p.chain("denied").rules[0].statements = {ir::Unknown{"queue"}}; }) ==
          "not understood: rule 1 of chain denied: queue");
    CHECK(with([](Program& p) { p.chain("tiers").rules[0].statements = {ir::Jump{"tiers"}}; }) ==
          "not understood: chain tiers leads to itself");
    CHECK(with([](Program& p) { p.chain("tiers").rules[0].statements = {ir::Jump{"nowhere"}}; }) ==
          "not understood: rule 1 of chain tiers leads to nowhere");
    CHECK(with([](Program& p) { p.chain("forward").base->policy_drop = false; }) ==
          "not understood: chain forward has another priority, type or policy");
    CHECK(with([](Program& p) { p.chain("forward").base->priority = 0; }) ==
          "not understood: chain forward has another priority, type or policy");
    CHECK(with([](Program& p) { p.chain("forward").base.reset(); }) == "not understood: a hook has no chain");
    CHECK(with([](Program& p) { p.chain("input").base->hook = ir::Hook::output; }) ==
          "not understood: chain input is on a hook of its own");
    CHECK(with([](Program& p) { p.set("near4").types = {ir::Type::ipv6_addr}; }).starts_with("not understood: rule "));
}

TEST_CASE("proof: an element with a timer may be gone, so it allows nothing for certain") {
    Program program(tunnel_policy());
    program.set("allow_tcp4").timed = true;
    CHECK(program.said().find("would be refused") != std::string::npos);
}

TEST_CASE("proof: scope host, with all that is implied, outputs and what serves beside the policy") {
    std::string policy = text;
    policy += "[nodes.laptop]\naddress = \"10.69.50.11\"\n[services]\nweb = \"10.69.13.80:443\"\n" +
              tier("\"laptop\"", "\"web\", \"home:ping\"");
    for (const char* layout : layouts) CHECK(Program(policy, layout).said() == "same");
    for (const char* what : {"untouched = [\"if:docker0\", \"if:old0\"]", "untouched = [\"10.99.0.0/16\"]"}) {
        std::string other = policy;
        other.insert(other.find("scope ="), std::string(what) + "\n");
        CAPTURE(other);
        CHECK(Program(other).said() == "same");
    }
    const auto with = [&](const auto& change) {
        Program program(policy);
        change(program);
        return program;
    };
    // Loopback, WireGuard's own port, and the ports that only servers use.
    CHECK(with([](Program& p) { p.chain("input").rules.erase(p.chain("input").rules.begin()); })
              .said()
              .find("from loopback would be refused") != std::string::npos);
    CHECK(with([](Program& p) { p.chain("to_host").rules.erase(p.chain("to_host").rules.begin()); })
              .said()
              .find("51821/udp, to this host from") != std::string::npos);
    const auto serving = [](std::uint16_t port) {
        return [port](Program& p) {
            ir::Set& set = p.set("server_ports");
            set.elements.add({{port, port}});
            set.elements.sort();
        };
    };
    CHECK(with(serving(8080)).proof().found == Found::differs);
    CHECK(with(serving(8080)).proof({{{8080, 8080}}, {}}).found == Found::same);
    CHECK(with([](Program& p) { remove_element(p.set("server_ports"), 0); })
              .said()
              .find("picked up the wrong way round") != std::string::npos);
}

TEST_CASE("proof: an input may name WireGuard's own port, which is open already") {
    const std::string both = std::string("version = 1\nipv6 = \"dual\"\n") + R"([nodes.gw]
role = "gateway"
address = ["10.69.50.2", "fd69:50::2"]
interface = "wg0"
listen_port = 51821
scope = "host"
input.wireguard = { from = ["203.0.113.0/24"] }
)";
    for (const char* layout : layouts) {
        CHECK(Program(both, layout).said() == "same");
        CHECK(Program(both + "output = [\"10.69.13.5:53/udp\"]\n", layout).said() == "same");
        CHECK(Program(both + "input.many = { from = [\"10.69.13.0/24\"], ports = [\"51810-51830/udp\"] }\n", layout)
                  .said() == "same");
    }
}

TEST_CASE("proof: random policies, in every form") {
    std::mt19937 random(7);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const auto range = [&](const std::string& net) {
        return parse_cidr(net + std::to_string(random() % 8 & ~1U) + (chance(30) ? "/31" : "/32"))->range;
    };
    for (int round = 0; round < 40; ++round) {
        Draft draft;
        draft.policy.ipv6 = chance(50) ? Ipv6::dual : Ipv6::deny;
        const std::size_t gw = draft.node("gw", {"10.0.50.2"}, chance(50) ? Scope::host : Scope::tunnel);
        Node& node = draft.policy.nodes[gw];
        node.interface = Spanned<std::string>{"wg0", {}};
        if (chance(50)) node.output = std::vector<Target>{};
        if (chance(30)) node.source = SourceNat::masquerade;
        if (chance(30)) node.untouched.interfaces.push_back({"old0", {}});
        if (chance(30)) node.untouched.ranges.push_back({range("10.9.0."), {}});
        if (chance(50)) node.serves.push_back({parse_cidr("10.0.50.4/31")->range, {}});
        draft.node("other", {"10.0.50.1"});
        draft.policy.nodes[1].serves.push_back({parse_cidr("10.0.50.6/31")->range, {}});
        const auto ports = [&]() -> Ports {
            const auto lo = static_cast<std::uint16_t>(1 + random() % 4 * 300);
            const auto protocol = static_cast<Protocol>(random() % 4);
            if (protocol == Protocol::any || protocol == Protocol::ping) return {protocol, 0, 0};
            return {protocol, lo, static_cast<std::uint16_t>(chance(30) ? lo + 40 : lo)};
        };
        const auto sources = [&] {
            std::vector<Source> who;
            for (unsigned i = 0; i < random() % 4; ++i) {
                const Range from = range(chance(20) ? "fd00::" : "10.0.50.");
                who.push_back({from, to_string(from), draft.span()});
            }
            return who;
        };
        const auto targets = [&] {
            std::vector<Target> allow;
            for (unsigned i = 0; i < random() % 5; ++i) {
                const Range to = range(chance(20) ? "fd00::" : "10.0.50.");
                allow.push_back(draft.target(to_string(to), to, ports()));
            }
            return allow;
        };
        for (unsigned t = 0; t < 1 + random() % 4; ++t) {
            Tier& tier = draft.tier("t" + std::to_string(t), sources(), targets());
            if (chance(30)) tier.limit = Rate{5 + t, Rate::Unit::second};
        }
        if (chance(60)) draft.policy.nodes[gw].inputs.push_back({"in", draft.span(), sources(), {ports()}, {}, false});
        if (draft.policy.nodes[gw].output) draft.policy.nodes[gw].output = targets();
        for (const char* layout : layouts) {
            CAPTURE(round);
            CAPTURE(std::string(layout));
            const ir::Ruleset ruleset = lower(draft.policy, draft.addresses, gw, today, parse_layout(layout).value());
            // As it is read from what is printed of it.
            CHECK(read_back_json(to_json(ruleset), ruleset).ok());
            const Result<ir::Ruleset> printed = read_back_text(to_nft(ruleset, nullptr), ruleset);
            REQUIRE(printed.ok());
            const proof::Proof proof = proof::prove(draft.policy, draft.addresses, gw, today, printed.value());
            CHECK(proof.error.message == "");
            CHECK(proof.found == Found::same);
        }
    }
}

TEST_CASE("a list of what comes and goes is complete, or a packet shows what it leaves out") {
    const Program before(tunnel_policy());
    const Program after(base + tier("\"laptop\"", "\"home:8080/udp\""));
    proof::Listed web{.family = Family::ipv4, .box = {}, .sources = {}};
    const auto levels = proof::flow_levels(Family::ipv4);
    for (std::size_t i = 0; i < levels.size(); ++i) web.box[i] = {0, levels[i].max};
    const auto narrow = [](proof::Listed& flows, proof::Field field, proof::Interval to) {
        flows.box[proof::place(field)] = to;
    };
    const auto bits = [](const char* address) { return parse_address(address)->bits; };
    narrow(web, proof::Field::source, proof::just(bits("10.69.50.11")));
    proof::Listed udp = web;
    narrow(web, proof::Field::destination, proof::just(bits("10.69.13.80")));
    narrow(web, proof::Field::protocol, proof::just(proof::tcp_number));
    narrow(web, proof::Field::port, proof::just(443));
    narrow(udp, proof::Field::destination, {bits("10.69.13.0"), bits("10.69.13.255")});
    narrow(udp, proof::Field::protocol, proof::just(proof::udp_number));
    narrow(udp, proof::Field::port, proof::just(8080));
    const std::vector gains{udp};
    const std::vector losses{web};
    const auto ask = [&](std::span<const proof::Listed> come, std::span<const proof::Listed> go) {
        return proof::unlisted(*after.checked.policy, {}, after.node, today, before.ruleset, {}, come, go);
    };
    const proof::Unlisted whole = ask(gains, losses);
    CHECK(whole.found == Found::same);
    CHECK(whole.opens == "");
    CHECK(whole.closes == "");
    CHECK(ask({}, losses).opens ==
          "the first packet of a flow from 10.69.50.11 to 10.69.13.0, 8080/udp, forwarded from the tunnel to another "
          "interface");
    CHECK(ask(gains, {}).closes ==
          "the first packet of a flow from 10.69.50.11 to 10.69.13.80, 443/tcp, forwarded from the tunnel to another "
          "interface");
    // A port too few, and one that begins in the wrong place.
    proof::Listed less = udp;
    narrow(less, proof::Field::destination, {bits("10.69.13.0"), bits("10.69.13.254")});
    CHECK(ask(std::vector{less}, losses).opens.find("to 10.69.13.255, 8080/udp") != std::string::npos);
    proof::Listed here = udp;
    narrow(here, proof::Field::hook, proof::just(proof::Hook::input));
    CHECK(ask(std::vector{here}, losses).opens != "");
    // Many people as one.
    const std::vector<Range> people{range_of(*parse_address("10.69.50.10")), range_of(*parse_address("10.69.50.11"))};
    proof::Listed many = udp;
    many.sources = people;
    CHECK(ask(std::vector{many}, losses).opens == "");
    many.sources = std::span(people).first(1);
    CHECK(ask(std::vector{many}, losses).opens != "");
}

TEST_CASE("what a list leaves out is marked as opening") {
    const Program before(tunnel_policy());
    const Program after(base + tier("\"laptop\"", "\"web\", \"home:8080/udp\""));
    const Addresses addresses;
    const View now{.policy = &*after.checked.policy,
                   .addresses = &addresses,
                   .sources = &after.checked.sources,
                   .node = after.node,
                   .today = today};
    World world;
    world.now = Time(std::chrono::duration_cast<std::chrono::seconds>(today.time_since_epoch()));
    Difference silent;
    check_listed(before.ruleset, now, nullptr, {}, world, silent);
    REQUIRE(silent.remarks.size() == 1);
    CHECK(silent.remarks[0].text.starts_with(
        "opens, and nothing above says so: the first packet of a flow from 10.69.50.11"));
    CHECK(silent.widens());
    CHECK_FALSE(silent.narrows());

    Difference same;
    check_listed(after.ruleset, now, nullptr, {}, world, same);
    CHECK(same.remarks.empty());

    // Where that can't be told it may be anything.
    Difference entangled;
    check_listed(after.ruleset, now, nullptr, {}, world, entangled, {.edges = 10});
    REQUIRE(entangled.remarks.size() == 1);
    CHECK(entangled.remarks[0].text.starts_with("may open and close more than is listed, since "));
    CHECK(entangled.widens());
    CHECK(entangled.narrows());
}
