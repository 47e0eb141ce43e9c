// The diagram of a policy: against the areas that [[test]] is judged on, and point by point where those don't look. tests/proof compares it with the naive evaluator.
#include "compiler/proof/meaning.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>

#include "checked.h"
#include "compiler/lower.h"
#include "compiler/proof/prove.h"
#include "draft.h"
#include "policy/reach.h"

using namespace policyc;
using namespace policyc::proof;

namespace {

// A packet, in the terms of a policy: "10.0.0.1".
struct Asked {
    Hook hook{};
    Way way{};
    Side in{};
    Side out{};
    Address source;
    Address destination;
    u128 protocol = 0;
    u128 port = 0;
};

class Worlds {
public:
    Worlds(const Policy& policy, const Addresses& addresses, std::size_t node) {
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const Meant meant =
                meaning_of(policy, addresses, node, today, family, family == Family::ipv4 ? four_ : six_);
            REQUIRE(meant.meaning.ok());
            (family == Family::ipv4 ? in_four_ : in_six_) = meant.meaning.value();
        }
    }

    [[nodiscard]] std::string verdict(const Asked& asked) const {
        const bool four = asked.source.family == Family::ipv4;
        const Diagrams& diagrams = four ? four_ : six_;
        const Meaning& meaning = four ? in_four_ : in_six_;
        const std::array<u128, flow_fields> point{static_cast<u128>(asked.hook),
                                                  static_cast<u128>(asked.way),
                                                  static_cast<u128>(asked.in),
                                                  static_cast<u128>(asked.out),
                                                  asked.destination.bits,
                                                  asked.protocol,
                                                  asked.port,
                                                  asked.source.bits};
        if (!diagrams.contains(meaning.possible, point)) return "impossible";
        if (!diagrams.contains(meaning.judged, point)) return "not judged";
        return diagrams.contains(meaning.allowed, point) ? "allow" : "deny";
    }

    // Each is part of the one before.
    void check_nested() {
        for (Diagrams* diagrams : {&four_, &six_}) {
            const Meaning& meaning = diagrams == &four_ ? in_four_ : in_six_;
            CHECK(diagrams->subtract(meaning.judged, meaning.possible).value() == nothing);
            CHECK(diagrams->subtract(meaning.allowed, meaning.judged).value() == nothing);
        }
    }

private:
    Diagrams four_{flow_levels(Family::ipv4)};
    Diagrams six_{flow_levels(Family::ipv6)};
    Meaning in_four_{};
    Meaning in_six_{};
};

class Dice {
public:
    explicit Dice(unsigned seed) : random_(seed) {}
    unsigned operator()(unsigned sides) { return static_cast<unsigned>(random_() % sides); }

    // One of the last six addresses of a family, or some of them.
    Address address(Family family) { return {family, top(family) - (*this)(6)}; }
    Range range(bool six) {
        const Family family = six && (*this)(2) == 0 ? Family::ipv6 : Family::ipv4;
        const Address a = address(family);
        const Address b = (*this)(2) == 0 ? a : address(family);
        return {family, std::min(a, b).bits, std::max(a, b).bits};
    }
    Ports ports() {
        const auto protocol = (*this)(2) == 0 ? Protocol::tcp : Protocol::udp;
        switch ((*this)(6)) {
            case 0: return everything_goes;
            case 1: return policyc::ping;
            case 2: return {protocol, 1, 65535};
            default: break;
        }
        const auto lo = static_cast<std::uint16_t>(1 + (*this)(3));
        return {protocol, lo, static_cast<std::uint16_t>(lo + (*this)(3))};
    }

private:
    static constexpr Ports everything_goes = policyc::everything;
    std::mt19937 random_;
};

Draft random_policy(Dice& dice) {
    Draft draft;
    const bool six = dice(2) == 0;
    if (six) draft.policy.ipv6 = dice(4) == 0 ? Ipv6::deny : Ipv6::dual;
    for (const char* name : {"one", "two", "three"}) {
        const std::size_t n = draft.node(name, {}, dice(3) == 0 ? Scope::host : Scope::tunnel);
        Node& node = draft.policy.nodes[n];
        node.addresses.push_back({dice.address(Family::ipv4), draft.span()});
        if (six) node.addresses.push_back({dice.address(Family::ipv6), draft.span()});
        if (dice(3) == 0) node.serves.push_back({dice.range(six), draft.span()});
    }
    draft.network("net", "10.0.0.0/8");
    draft.policy.networks[0].ranges = {{dice.range(six), {}}, {dice.range(six), {}}};
    draft.addresses["name"] = {dice.address(Family::ipv4)};
    for (const char* name : {"fresh", "old"}) {
        const std::size_t s = draft.service(name, HostName{"name"}, dice.ports());
        if (dice(3) == 0) draft.policy.services[s].expires = {today - std::chrono::days{dice(2)}, {}};
    }
    const auto sources = [&](unsigned most) {
        std::vector<Source> list;
        for (unsigned i = dice(most + 1); i > 0; --i) {
            const unsigned kind = dice(5);
            if (kind < 3) list.push_back(draft.source(kind));
            if (kind == 3) list.push_back({NetworkRef{0}, "net", draft.span()});
            if (kind == 4) list.push_back({dice.range(six), "10.0.0.0", draft.span()});
        }
        return list;
    };
    const auto targets = [&](unsigned most) {
        std::vector<Target> list;
        for (unsigned i = dice(most + 1); i > 0; --i) {
            const unsigned kind = dice(5);
            if (kind < 2) list.push_back(draft.target(kind));
            if (kind == 2) list.push_back(draft.target("net", NetworkRef{0}, dice.ports()));
            if (kind == 3) list.push_back(draft.target("one", NodeRef{0}, dice.ports()));
            if (kind == 4) list.push_back(draft.target("10.0.0.0", dice.range(six), dice.ports()));
        }
        return list;
    };
    for (unsigned i = 1 + dice(3); i > 0; --i) {
        Tier& tier = draft.tier("tier", sources(3), targets(4));
        if (dice(6) == 0) tier.grant = Grant{};
        if (dice(6) == 0) tier.bastion = Bastion{};
        if (dice(6) == 0) tier.expires = {today - std::chrono::days{dice(2)}, {}};
    }
    for (Node& node : draft.policy.nodes) {
        if (dice(2) == 0) node.inputs.push_back({"in", draft.span(), sources(2), {dice.ports()}, {}, false});
        if (dice(2) == 0) node.output = targets(2);
    }
    return draft;
}

// The slots of reach.h, and what they are in a packet.
struct Slot {
    std::uint32_t slot;
    u128 protocol, port;
};
std::vector<Slot> slots(Family family) {
    std::vector<Slot> all;
    for (const std::uint32_t port : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 65535U}) {
        all.push_back({port, 6, port});
        all.push_back({reach::Slots::udp + port, 17, port});
    }
    const bool four = family == Family::ipv4;
    all.push_back({reach::Slots::ping, four ? 1U : 58U, four ? 2048U : 32768U});
    all.push_back({reach::Slots::other, four ? 1U : 58U, four ? 0U : 33024U});  // the answer
    all.push_back({reach::Slots::other, four ? 58U : 1U, four ? 32768U : 2048U});
    all.push_back({reach::Slots::other, 47, 22});
    return all;
}

}  // namespace

TEST_CASE("random policies: what the diagram allows is what the areas of [[test]] permit, without what is spoofed") {
    std::size_t allowed = 0;
    for (unsigned seed = 0; seed < 600; ++seed) {
        CAPTURE(seed);
        Dice dice(seed);
        const Draft draft = random_policy(dice);
        const Policy& policy = draft.policy;
        const Node& node = policy.nodes[0];
        Worlds worlds(policy, draft.addresses, 0);
        worlds.check_nested();
        const reach::Permissions permissions = reach::permissions_of(policy, draft.addresses, today);
        using Kind = reach::Permission::Kind;
        const auto permits = [&](Kind kind, const Asked& asked, std::uint32_t slot) {
            const reach::Area wanted{range_of(asked.destination), {slot, slot}, 0};
            for (const reach::Area& area : permissions.areas.areas()) {
                const reach::Permission& permission = permissions.list[area.owner];
                if (permission.kind != kind || permission.expired || !area.holds(wanted)) continue;
                if (kind != Kind::tier && permission.index != 0) continue;
                if (kind == Kind::tier &&
                    (policy.tiers[permission.index].grant || policy.tiers[permission.index].bastion))
                    continue;
                if (permissions.sources[permission.sources].holds(range_of(asked.source))) return true;
            }
            return false;
        };
        // By hand, an address at a time.
        const auto has = [&](std::size_t i, const Address& address) {
            return std::ranges::any_of(policy.nodes[i].addresses,
                                       [&](const auto& own) { return own.value == address; });
        };
        const auto holds = [&](std::size_t i, const Address& address) {
            return has(i, address) || std::ranges::any_of(policy.nodes[i].serves, [&](const auto& served) {
                       return served.value.holds(range_of(address));
                   });
        };
        const auto near = [&](const Address& address) {
            return holds(0, address) && !has(1, address) && !has(2, address);
        };
        const auto named = [&](const Address& address) {
            const auto in = [&](const std::vector<Source>& list) {
                return std::ranges::any_of(list, [&](const Source& source) {
                    const auto ranges = reach::addresses_of_host(policy, draft.addresses, source.host);
                    return std::ranges::any_of(ranges, [&](const Range& r) { return r.holds(range_of(address)); });
                });
            };
            return std::ranges::any_of(policy.tiers, [&](const Tier& tier) { return in(tier.who); }) ||
                   std::ranges::any_of(policy.nodes, [&](const Node& of) {
                       return std::ranges::any_of(of.inputs, [&](const Input& input) { return in(input.from); });
                   });
        };
        const auto genuine = [&](Side side, const Address& address) {
            const bool far = !near(address) && (holds(1, address) || holds(2, address));
            return side == Side::tunnel ? !near(address) && (far || named(address)) : !far;
        };
        // Who answers need not be a source of the tunnel, only none of this side.
        const auto answers = [&](Side side, const Address& address) {
            return side == Side::tunnel ? !near(address) : genuine(side, address);
        };
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            for (unsigned from = 0; from < 7; ++from) {
                for (unsigned to = 0; to < 7; ++to) {
                    for (const Slot& slot : slots(family)) {
                        Asked asked{.source = {family, top(family) - from},
                                    .destination = {family, top(family) - to},
                                    .protocol = slot.protocol,
                                    .port = slot.port};
                        const auto expect = [&](Hook hook, Way way, Side in, Side out, bool permitted) {
                            asked.hook = hook;
                            asked.way = way;
                            asked.in = in;
                            asked.out = out;
                            const bool ok = permitted && (family == Family::ipv4 || policy.ipv6 == Ipv6::dual);
                            allowed += ok;
                            REQUIRE(worlds.verdict(asked) == (ok ? "allow" : "deny"));
                        };
                        const bool tiers = permits(Kind::tier, asked, slot.slot);
                        const auto& sender = asked.source;
                        const auto& receiver = asked.destination;
                        using enum Side;
                        expect(Hook::forward, Way::begin, tunnel, other, tiers && genuine(tunnel, sender));
                        expect(Hook::forward, Way::begin, other, tunnel, tiers && genuine(other, sender));
                        expect(Hook::forward, Way::reply, tunnel, tunnel, tiers && answers(tunnel, receiver));
                        expect(Hook::forward, Way::reply, other, tunnel, tiers && answers(other, receiver));
                        if (near(receiver) && node.serves.empty()) {
                            const bool to_host = tiers || permits(Kind::input, asked, slot.slot);
                            expect(Hook::input, Way::begin, tunnel, other, to_host && genuine(tunnel, sender));
                            if (node.output) expect(Hook::output, Way::reply, other, tunnel, to_host);
                        }
                        if (node.output && node.serves.empty() && near(sender)) {
                            const bool from_host = tiers || permits(Kind::output, asked, slot.slot);
                            expect(Hook::output, Way::begin, other, tunnel, from_host);
                            expect(Hook::input, Way::reply, tunnel, other, from_host && answers(tunnel, receiver));
                        }
                    }
                }
            }
        }
    }
    CHECK(allowed > 20000);
}

namespace {

// One line: hook, way, in, out, source, destination, protocol, port.
std::string ask(const Worlds& worlds, const std::string& line) {
    std::istringstream words(line);
    std::string hook, way, in, out, from, to;
    unsigned protocol = 0;
    unsigned port = 0;
    words >> hook >> way >> in >> out >> from >> to >> protocol >> port;
    const auto side = [](const std::string& name) {
        return name == "tunnel"      ? Side::tunnel
               : name == "untouched" ? Side::untouched
               : name == "loopback"  ? Side::loopback
                                     : Side::other;
    };
    return worlds.verdict({hook == "forward" ? Hook::forward
                           : hook == "input" ? Hook::input
                                             : Hook::output,
                           way == "begin" ? Way::begin : Way::reply, side(in), side(out), parse_address(from).value(),
                           parse_address(to).value(), protocol, port});
}

void expect_lines(const Worlds& worlds, std::initializer_list<std::pair<const char*, const char*>> lines) {
    for (const auto& [line, verdict] : lines) {
        CAPTURE(line);
        CHECK(ask(worlds, line) == verdict);
    }
}

// A gateway that judges everything, with a peer, an interface and a network that are none of its business.
const char* const host_scope = R"(version = 1
[networks]
home = ["10.69.13.0/24"]
old = ["10.69.222.0/24"]
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
untouched = ["if:old0", "old"]
input.ssh = { from = ["10.69.50.11"] }
{output}
[nodes.laptop]
address = "10.69.50.11"
[tiers.t]
who = ["laptop"]
allow = ["home:443", "old:*", "gw:ping"]
)";

Worlds of_text(std::string text, const std::string& output) {
    text.replace(text.find("{output}"), 8, output);
    const Checked checked(text);
    INFO(checked.said());
    REQUIRE(checked.policy.has_value());
    return {*checked.policy, {}, 1};
}

}  // namespace

TEST_CASE("scope host: what is left alone, what is implied, what is spoofed") {
    const Worlds worlds = of_text(host_scope, "output = [\"home:53/udp\"]");
    expect_lines(
        worlds,
        {
            {"forward begin tunnel other 10.69.50.11 10.69.13.5 6 443", "allow"},
            {"forward begin tunnel other 10.69.50.11 10.69.13.5 6 444", "deny"},
            {"forward begin tunnel other 10.69.50.11 10.69.13.5 17 443", "deny"},
            {"forward begin other other 10.69.13.9 10.69.13.5 6 443", "deny"},
            {"forward begin other other 10.69.50.11 10.69.13.5 6 443", "deny"},  // its place is behind the tunnel
            {"forward begin tunnel other 10.69.13.9 10.69.13.5 6 443", "deny"},
            {"forward reply other tunnel 10.69.50.11 10.69.13.5 6 443", "allow"},
            {"forward reply tunnel other 10.69.50.11 10.69.13.5 6 443", "deny"},  // the one who answers isn't there
            // untouched: neither judged by interface nor by network, but through the tunnel
            {"forward begin untouched other 10.1.1.1 10.1.1.2 6 80", "not judged"},
            {"forward begin other untouched 10.1.1.1 10.1.1.2 6 80", "not judged"},
            {"forward begin other other 10.1.1.1 10.69.222.2 6 80", "not judged"},
            {"forward reply other other 10.69.222.2 10.1.1.2 6 80", "not judged"},
            {"forward begin other other 10.1.1.1 10.1.1.2 6 80", "deny"},
            {"forward begin tunnel untouched 10.69.50.11 10.69.222.2 6 80", "allow"},
            {"forward begin tunnel other 10.69.50.1 10.69.222.2 6 80", "deny"},
            {"forward begin loopback other 127.0.0.1 10.1.1.2 6 80", "impossible"},
            {"forward begin tunnel loopback 127.0.0.1 10.1.1.2 6 80", "impossible"},
            {"input begin untouched other 10.1.1.1 10.69.50.2 6 22", "not judged"},
            {"input begin other untouched 10.1.1.1 10.69.50.2 6 22", "deny"},  // `out` is not read
            {"input begin other other 10.69.222.1 10.69.50.2 6 22", "not judged"},
            {"output begin untouched other 10.69.50.2 10.1.1.1 6 22", "deny"},  // `in` is not read
            {"output begin tunnel other 10.69.50.2 10.69.13.5 17 53", "allow"},
            {"output begin other untouched 10.69.50.2 10.1.1.1 6 22", "not judged"},
            // to this host
            {"input begin tunnel other 10.69.50.11 10.69.50.2 6 22", "allow"},
            {"input begin tunnel other 10.69.50.11 10.1.1.1 6 22", "allow"},  // any of its addresses
            {"input begin tunnel other 10.69.50.1 10.69.50.2 6 22", "deny"},
            {"output reply other tunnel 10.69.50.11 10.69.50.2 6 22", "allow"},
            {"input begin tunnel other 10.69.50.11 10.69.50.2 1 2048", "allow"},
            {"input begin tunnel other 10.69.50.11 10.69.50.2 1 2049", "deny"},
            {"input begin tunnel other 10.69.50.11 10.69.50.2 58 32768", "deny"},
            // implied
            {"input begin other other 198.51.100.7 10.69.50.2 17 51821", "allow"},
            {"input begin other other 198.51.100.7 10.69.50.2 17 51820", "deny"},
            {"input begin other other 10.69.50.1 10.69.50.2 17 51821", "deny"},
            {"output reply other other 198.51.100.7 10.69.50.2 17 51821", "allow"},
            {"output begin other other 10.69.50.2 203.0.113.1 17 51820", "allow"},
            {"output begin other other 10.69.50.2 203.0.113.1 17 51821", "deny"},
            {"input reply other other 10.69.50.2 203.0.113.1 17 51820", "allow"},
            {"forward begin other other 10.1.1.1 203.0.113.1 17 51820", "deny"},
            {"input begin loopback other 127.0.0.1 127.0.0.1 6 80", "allow"},
            {"output begin other loopback 127.0.0.1 127.0.0.1 6 80", "allow"},
            {"input begin loopback other 10.69.50.11 127.0.0.1 6 80", "allow"},  // spoofed, elsewhere
            {"input begin loopback other ::1 ::1 6 80", "allow"},                // although IPv6 is denied
            {"input begin other other fd69::1 fd69::2 6 22", "deny"},
            // from this host
            {"output begin other other 10.69.50.2 10.69.13.5 17 53", "allow"},
            {"output begin other other 10.69.50.2 10.69.13.5 6 53", "deny"},
            {"input reply other other 10.69.50.2 10.69.13.5 17 53", "allow"},
            {"input reply other other 10.69.50.2 10.1.1.1 17 53", "deny"},
        });
}

TEST_CASE("without output, this host sends what it likes and is answered; untouched loopback is left alone") {
    std::string text = host_scope;
    text.replace(text.find("if:old0"), 7, "if:lo");
    expect_lines(of_text(text, ""),
                 {
                     {"output begin other tunnel 10.69.50.2 10.1.1.1 6 22", "not judged"},
                     {"output begin other loopback 127.0.0.1 127.0.0.1 6 80", "not judged"},
                     {"input begin loopback other 127.0.0.1 127.0.0.1 6 80", "not judged"},
                     {"input reply other other 10.69.50.2 10.1.1.1 6 22", "allow"},
                     {"input reply tunnel other 10.69.50.2 10.1.1.1 6 22", "deny"},    // no source of the tunnel
                     {"input reply tunnel other 10.69.50.2 10.69.13.5 6 22", "deny"},  // spoofed
                     {"input reply tunnel other 10.69.50.2 10.69.50.11 6 22", "allow"},
                     {"input begin other other 10.1.1.1 10.69.50.2 6 22", "deny"},
                 });
}

TEST_CASE("scope tunnel and none") {
    std::string text = host_scope;
    text.replace(text.find("scope = \"host\""), 14, "scope = \"tunnel\"");
    expect_lines(of_text(text, "output = []"),
                 {
                     {"forward begin tunnel other 10.69.50.11 10.69.13.5 6 443", "allow"},
                     {"forward begin other other 10.1.1.1 10.1.1.2 6 80", "not judged"},
                     {"input begin other other 198.51.100.7 10.69.50.2 17 51821", "not judged"},
                     {"input begin tunnel other 10.69.50.11 10.69.50.2 17 51821", "deny"},  // not implied here
                     {"output begin other tunnel 10.69.50.2 10.69.50.1 17 51820", "deny"},
                     {"output begin other other 10.69.50.2 10.1.1.1 6 22", "not judged"},
                     {"input begin loopback other 127.0.0.1 127.0.0.1 6 80", "not judged"},
                 });
    text.replace(text.find("scope = \"tunnel\""), 16, "scope = \"none\"");
    expect_lines(of_text(text, "output = []"),
                 {
                     {"forward begin tunnel other 10.69.50.11 10.69.13.5 6 443", "not judged"},
                     {"output begin other tunnel 10.69.50.2 10.69.50.1 17 51820", "not judged"},
                 });
}

TEST_CASE("a policy whose diagram is too large: the entries that overlap the most are named") {
    Draft draft;
    draft.node("gw", {"10.0.0.1"}, Scope::tunnel);
    draft.node("laptop", {"10.0.0.2"});
    std::vector<Target> plain;
    for (unsigned i = 0; i < 200; ++i)
        plain.push_back(draft.target("plain", Range{Family::ipv4, 0x0a010000U + 7 * i, 0x0a010000U + 7 * i}, tcp(1)));
    draft.tier("plain", {draft.source(1)}, plain);
    for (unsigned i = 0; i < 12; ++i) {
        const Range who{Family::ipv4, 0x0b000000U + 50 * i, 0x0b001000U + 70 * i};
        const Range where{Family::ipv4, 0x0a010000U + 30 * i, 0x0a018000U + 70 * i};
        const auto lo = static_cast<std::uint16_t>(100 + 100 * i);
        draft.tier("wild" + std::to_string(i), {{who, "who", draft.span()}},
                   {draft.target("wild", where, {Protocol::tcp, lo, static_cast<std::uint16_t>(3000 + 200 * i)})});
    }
    Diagrams diagrams(flow_levels(Family::ipv4), {1000, 1'000'000'000});
    const Meant meant = meaning_of(draft.policy, {}, 0, today, Family::ipv4, diagrams);
    REQUIRE_FALSE(meant.meaning.ok());
    CHECK(meant.meaning.error().message == "this policy is too entangled: its diagram has more than 1000 edges");
    const std::string& help = meant.meaning.error().help;
    CAPTURE(help);
    CHECK(help.starts_with("what overlaps the most with the rest: `wild:"));
    CHECK(help.find(" of tiers.wild") != std::string::npos);
    CHECK(help.find("plain") == std::string::npos);
    REQUIRE(meant.entangled.size() == 8);
    CHECK(meant.meaning.error().span == meant.entangled.front());
    Diagrams roomy(flow_levels(Family::ipv4));
    CHECK(meaning_of(draft.policy, {}, 0, today, Family::ipv4, roomy).meaning.ok());

    // The policy's own diagram has room, and following its program has not.
    draft.policy.nodes[0].interface = {"wg0", draft.span()};
    const ir::Ruleset program = lower(draft.policy, {}, 0, today);
    const auto proved = [&](std::size_t edges) { return prove(draft.policy, {}, 0, today, program, {}, {edges}); };
    CHECK(proved(32'000'000).found == Proof::Found::same);
    const Proof proof = proved(roomy.edges() + 10);
    CHECK(proof.found == Proof::Found::too_large);
    CHECK(proof.error.message.starts_with("this policy is too entangled to be proved: its diagram has more than "));
    CHECK(proof.error.help.starts_with("what overlaps the most with the rest: `wild:"));
}
