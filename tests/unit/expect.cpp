// [[test]]: each way to fail, and random small policies against an evaluator that tries every packet.
#include "policy/expect.h"

#include <doctest/doctest.h>

#include <chrono>
#include <random>

#include "policy/reach.h"

using namespace policyc;

namespace {

constexpr Days today{std::chrono::year{2026} / 11 / 24};

// A policy in the making. Places are numbers that only count up.
struct Draft {
    Policy policy;
    Addresses addresses;
    std::uint32_t place = 0;

    Span span() {
        ++place;
        return {0, place * 10, place * 10 + 5};
    }
    std::size_t node(const std::string& name, std::vector<const char*> with, Scope scope = Scope::none) {
        Node node;
        node.name = name;
        node.span = span();
        node.scope = scope;
        for (const char* address : with) node.addresses.push_back({parse_address(address).value(), span()});
        policy.nodes.push_back(node);
        return policy.nodes.size() - 1;
    }
    std::size_t network(const std::string& name, const char* range) {
        policy.networks.push_back({name, span(), {{parse_cidr(range)->range, span()}}});
        return policy.networks.size() - 1;
    }
    std::size_t service(const std::string& name, Host host, Ports ports) {
        Service service;
        service.name = name;
        service.span = span();
        service.host = std::move(host);
        service.ports = {ports};
        policy.services.push_back(service);
        return policy.services.size() - 1;
    }
    Source source(std::size_t node) { return {NodeRef{node}, policy.nodes[node].name, span()}; }
    Source source(const char* range) { return {parse_cidr(range)->range, range, span()}; }
    Target target(std::size_t service) {
        const Service& s = policy.services[service];
        return {s.host, s.ports[0], service, s.name, span(), s.span};
    }
    Target target(const std::string& label, Host host, Ports ports) {
        return {std::move(host), ports, {}, label, span(), {}};
    }
    Target target(const char* range, Ports ports) { return target(range, parse_cidr(range)->range, ports); }
    Tier& tier(const std::string& name, std::vector<Source> who, std::vector<Target> allow) {
        Tier tier;
        tier.name = name;
        tier.span = span();
        tier.who = std::move(who);
        tier.allow = std::move(allow);
        policy.tiers.push_back(std::move(tier));
        return policy.tiers.back();
    }
    Expectation& test(std::vector<Source> from) {
        Expectation test;
        test.name = "a test";
        test.span = span();
        test.from = std::move(from);
        test.from_span = span();
        policy.tests.push_back(std::move(test));
        return policy.tests.back();
    }
    Expectation::List list(std::vector<Target> targets) { return {std::move(targets), span()}; }

    [[nodiscard]] Diagnostics judged(Days day = today) const {
        Diagnostics diagnostics;
        judge(policy, addresses, day, diagnostics);
        return diagnostics;
    }
};

constexpr Ports tcp(std::uint16_t port) {
    return {Protocol::tcp, port, port};
}
constexpr Ports everything{Protocol::any, 0, 0};
constexpr Ports ping{Protocol::ping, 0, 0};

// All that one diagnostic says, without places.
std::string told(const Diagnostics& diagnostics) {
    std::string text;
    for (const Diagnostic& d : diagnostics.all()) {
        text += std::string(info(d.code).name) + " " + d.message + "\n  ^ " + d.primary.text + "\n";
        for (const Label& label : d.secondary) text += "  - " + label.text + "\n";
        for (const Remark& remark : d.remarks) text += "  = " + remark.text + "\n";
    }
    return text;
}

// laptop and phone behind extgw01, which serves home; grafana is open to the laptop.
struct Home : Draft {
    std::size_t home = network("home", "10.69.13.0/24");
    std::size_t gateway = node("extgw01", {"10.69.50.2"}, Scope::tunnel);
    std::size_t laptop = node("laptop", {"10.69.50.11"});
    std::size_t phone = node("phone", {"10.69.50.12"});
    std::size_t grafana = service("grafana", HostName{"grafana.home"}, tcp(3000));

    Home() {
        policy.nodes[gateway].serves.push_back({parse_cidr("10.69.13.0/24")->range, span()});
        addresses["grafana.home"] = {parse_address("10.69.13.30").value()};
        tier("vpn", {source(laptop)}, {target(grafana)});
    }
    Target all_of_home() { return target("home", NetworkRef{home}, everything); }
};

}  // namespace

TEST_CASE("what is as expected is not spoken of") {
    Home draft;
    Expectation& test = draft.test({draft.source(draft.laptop)});
    test.allow = draft.list({draft.target(draft.grafana)});
    test.only = draft.list({draft.target(draft.grafana)});
    test.deny = draft.list({draft.target("10.69.13.30", tcp(3001)), draft.target("10.69.13.31", everything)});
    draft.test({draft.source(draft.phone)}).deny = draft.list({draft.all_of_home()});
    draft.test({draft.source(draft.phone)}).only = draft.list({});
    CHECK(told(draft.judged()).empty());
}

TEST_CASE("an entry that allows more than `only` lists is named, with an example and how much it is") {
    Home draft;
    draft.policy.tiers[0].who.push_back(draft.source(draft.phone));
    draft.policy.tiers[0].allow.push_back(draft.target("home", NetworkRef{draft.home}, tcp(443)));
    draft.test({draft.source(draft.laptop), draft.source(draft.phone)}).only =
        draft.list({draft.target(draft.grafana)});
    const Diagnostics diagnostics = draft.judged();
    CHECK(told(diagnostics) ==
          "E0701 test failed: \"a test\"\n"
          "  ^ expected exactly these\n"
          "  - this entry allows more\n"
          "  = for example  laptop 10.69.50.11 -> 10.69.13.1:443/tcp  on extgw01, forward\n"
          "  = in all: 2 sources x 256 addresses x 443/tcp, nothing else; nothing that is listed is missing\n"
          "  = remove `home:443` from tier `vpn`, or add it to `only`; nothing was compiled\n");
    CHECK(diagnostics.all()[0].primary.span == draft.policy.tests[0].only->span);
    CHECK(diagnostics.all()[0].secondary[0].span == draft.policy.tiers[0].allow[1].span);
}

TEST_CASE("what `allow` lists and nothing allows is missing, and the entry that nearly does is pointed at") {
    Home draft;
    draft.test({draft.source(draft.phone)}).allow = draft.list({draft.target(draft.grafana)});
    const Diagnostics diagnostics = draft.judged();
    CHECK(told(diagnostics) ==
          "E0701 test failed: \"a test\"\n"
          "  ^ expected to be open, and nothing allows it\n"
          "  - allowed here, but not to phone\n"
          "  = for example  phone 10.69.50.12 -> 10.69.13.30:3000/tcp  is denied  on extgw01, forward\n"
          "  = in all: 1 source x 1 address x 3000/tcp\n"
          "  = add phone to `who` of tier `vpn`, or to another tier\n");
    CHECK(diagnostics.all()[0].primary.span == draft.policy.tests[0].allow->targets[0].span);
    CHECK(diagnostics.all()[0].secondary[0].span == draft.policy.tiers[0].allow[0].span);
}

TEST_CASE("partly open fails both `allow` and `deny`") {
    Home draft;
    Expectation& test = draft.test({draft.source(draft.laptop)});
    test.allow = draft.list({draft.target("home", NetworkRef{draft.home}, tcp(3000))});
    test.deny = test.allow;
    CHECK(told(draft.judged()) ==
          "E0701 test failed: \"a test\"\n"
          "  ^ only a part of this is allowed\n"
          "  = for example  laptop 10.69.50.11 -> 10.69.13.1:3000/tcp  is denied  on extgw01, forward\n"
          "  = in all: 1 source x 255 addresses x 3000/tcp\n"
          "  = add it to `allow` of a tier whose `who` names the source, or take it out of the test\n"
          "E0701 test failed: \"a test\"\n"
          "  ^ expected to be closed\n"
          "  - this entry lets it through\n"
          "  = for example  laptop 10.69.50.11 -> 10.69.13.30:3000/tcp  on extgw01, forward\n"
          "  = in all: 1 source x 1 address x 3000/tcp\n"
          "  = remove `grafana` from tier `vpn`, or take `home:3000` out of `deny`; nothing was compiled\n");
}

TEST_CASE("one of two sources is enough to fail `deny`, and not enough to hold `allow`") {
    Home draft;
    Expectation& test = draft.test({draft.source(draft.phone), draft.source(draft.laptop)});
    test.allow = draft.list({draft.target(draft.grafana)});
    test.deny = draft.list({draft.target(draft.grafana)});
    const Diagnostics diagnostics = draft.judged();
    REQUIRE(diagnostics.all().size() == 2);
    CHECK(diagnostics.all()[0].remarks[0].text.find("phone 10.69.50.12") != std::string::npos);
    CHECK(diagnostics.all()[1].remarks[0].text.find("laptop 10.69.50.11") != std::string::npos);
}

TEST_CASE("`only` tells of what is missing too") {
    Home draft;
    draft.policy.tiers[0].allow.push_back(draft.target("home", NetworkRef{draft.home}, ping));
    draft.test({draft.source(draft.laptop)}).only =
        draft.list({draft.target(draft.grafana), draft.target("10.69.13.5", tcp(53))});
    CHECK(told(draft.judged()) ==
          "E0701 test failed: \"a test\"\n"
          "  ^ expected exactly these\n"
          "  - this entry allows more\n"
          "  - expected to be open, and nothing allows it\n"
          "  = for example  laptop 10.69.50.11 -> 10.69.13.1 ping  on extgw01, forward\n"
          "  = in all: 1 source x 256 addresses x ping, nothing else\n"
          "  = and for example  laptop 10.69.50.11 -> 10.69.13.5:53/tcp  is listed and denied\n"
          "  = remove `home:ping` from tier `vpn`, or add it to `only`; nothing was compiled\n");
    draft.policy.tiers[0].allow.pop_back();
    CHECK(told(draft.judged()).find("nothing more than what is listed is allowed") != std::string::npos);
}

TEST_CASE("a tier with a grant or a bastion is in force only `with` it") {
    for (const bool bastion : {false, true}) {
        Home draft;
        Tier& tier = draft.tier("full", {draft.source(draft.phone)}, {draft.all_of_home()});
        bastion ? void(tier.bastion = Bastion{}) : void(tier.grant = Grant{});
        draft.test({draft.source(draft.phone)}).deny = draft.list({draft.all_of_home()});
        Expectation& granted = draft.test({draft.source(draft.phone)});
        granted.with = {1};
        granted.only = draft.list({draft.all_of_home()});
        CHECK(told(draft.judged()).empty());
        draft.policy.tests.clear();
        draft.test({draft.source(draft.phone)}).allow =
            draft.list({draft.target("home", NetworkRef{draft.home}, tcp(22))});
        const std::string text = told(draft.judged());
        CHECK(text.find(bastion
                            ? "tier `full` would allow it, but is in force only for what its bastion sends"
                            : "tier `full` would allow it, but is in force only while granted") != std::string::npos);
        CHECK(text.find("give it with = \"full\"") != std::string::npos);
        // Not even then for one who isn't in `who`.
        draft.policy.tests[0].with = {1};
        CHECK(told(draft.judged()).empty());
        draft.policy.tests[0].from = {draft.source(draft.laptop)};
        CHECK(draft.judged().errors() == 1);
    }
}

TEST_CASE("what has expired is closed, from the day after") {
    Home draft;
    draft.policy.tiers[0].expires = {today, draft.span()};
    draft.test({draft.source(draft.laptop)}).allow = draft.list({draft.target(draft.grafana)});
    CHECK(told(draft.judged()).empty());
    CHECK(told(draft.judged(today + std::chrono::days{1})).find("it was allowed up to 2026-11-24") !=
          std::string::npos);
    draft.policy.tiers[0].expires.reset();
    draft.policy.services[draft.grafana].expires = {today, draft.span()};
    CHECK(told(draft.judged()).empty());
    const Diagnostics late = draft.judged(today + std::chrono::days{1});
    REQUIRE(late.errors() == 1);
    CHECK(late.all()[0].secondary[0].span == draft.policy.services[draft.grafana].expires->span);
}

TEST_CASE("the input of a judged node counts, at its tunnel addresses") {
    Home draft;
    Input input;
    input.name = "ssh";
    input.span = draft.span();
    input.from = {draft.source(draft.laptop)};
    input.ports = {tcp(22)};
    draft.policy.nodes[draft.gateway].inputs.push_back(input);
    draft.policy.nodes[draft.phone].inputs.push_back(input);  // scope none: not judged, and not counted
    draft.test({draft.source(draft.laptop)}).only =
        draft.list({draft.target(draft.grafana), draft.target("extgw01", NodeRef{draft.gateway}, tcp(22))});
    CHECK(told(draft.judged()).empty());
    draft.policy.tests[0].only->targets.pop_back();
    CHECK(told(draft.judged()) ==
          "E0701 test failed: \"a test\"\n"
          "  ^ expected exactly these\n"
          "  - `input.ssh` allows more\n"
          "  = for example  laptop 10.69.50.11 -> 10.69.50.2:22/tcp  on extgw01, input\n"
          "  = in all: 1 source x 1 address x 22/tcp, nothing else; nothing that is listed is missing\n"
          "  = remove `input.ssh` of `extgw01`, or add it to `only`; nothing was compiled\n");
    draft.policy.tests.clear();
    draft.test({draft.source(draft.phone)}).allow =
        draft.list({draft.target("extgw01", NodeRef{draft.gateway}, tcp(22))});
    CHECK(told(draft.judged()).find("add phone to `from` of `input.ssh`") != std::string::npos);
}

TEST_CASE("the output of a node counts where the node is a source") {
    Home draft;
    draft.policy.nodes[draft.gateway].output = std::vector<Target>{draft.target(draft.grafana)};
    draft.test({draft.source(draft.gateway)}).only = draft.list({draft.target(draft.grafana)});
    draft.test({draft.source(draft.phone)}).only = draft.list({});
    CHECK(told(draft.judged()).empty());
    draft.test({draft.source(draft.gateway)}).deny = draft.list({draft.all_of_home()});
    CHECK(told(draft.judged()).find("on extgw01, output") != std::string::npos);
}

TEST_CASE("`*` is every protocol, and neither TCP nor UDP nor ping alone is all of it") {
    Home draft;
    const Ports all_tcp{Protocol::tcp, 1, 65535};
    const Ports all_udp{Protocol::udp, 1, 65535};
    draft.tier(
        "most", {draft.source(draft.phone)},
        {draft.target("10.69.13.9", all_tcp), draft.target("10.69.13.9", all_udp), draft.target("10.69.13.9", ping)});
    draft.test({draft.source(draft.phone)}).allow = draft.list({draft.target("10.69.13.9", everything)});
    CHECK(told(draft.judged()).find("only a part of this is allowed") != std::string::npos);
    draft.policy.tests[0].allow =
        draft.list({draft.target("10.69.13.9", all_udp), draft.target("10.69.13.9", ping),
                    draft.target("10.69.13.9", tcp(1)), draft.target("10.69.13.9", tcp(65535))});
    CHECK(told(draft.judged()).empty());
    CHECK(reach::to_string({444, reach::Slots::other}) == "444-65535/tcp, */udp, ping and other protocols");
    CHECK(reach::to_string({0, reach::Slots::other}) == "*");
    CHECK(reach::to_string({0, 0}) == "0/tcp");
}

TEST_CASE("a name that resolves to nothing fails the test, whatever is expected of it") {
    Home draft;
    draft.addresses.clear();
    const std::size_t empty = draft.network("empty", "10.0.0.0/8");
    draft.policy.networks[empty].ranges.clear();
    const auto listed = draft.list({draft.target(draft.grafana)});
    draft.test({draft.source(draft.laptop)}).allow = listed;
    draft.test({draft.source(draft.laptop)}).deny = listed;
    draft.test({draft.source(draft.laptop)}).only = listed;
    draft.test({Source{NetworkRef{empty}, "empty", draft.span()}}).deny = draft.list({draft.all_of_home()});
    draft.test({}).deny = draft.list({draft.all_of_home()});
    const Diagnostics diagnostics = draft.judged();
    REQUIRE(diagnostics.all().size() == 5);
    for (const Diagnostic& diagnostic : diagnostics.all()) CHECK(diagnostic.code == Code::E0702);
    CHECK(diagnostics.all()[0].message == "test \"a test\" can't hold: `grafana` has no address");
    CHECK(diagnostics.all()[3].message == "test \"a test\" can't hold: `empty` has no address");
    CHECK(diagnostics.all()[4].message == "test \"a test\" can't hold: `from` names nobody");
}

TEST_CASE("IPv6 is denied unless the policy has it") {
    Draft draft;
    const std::size_t laptop = draft.node("laptop", {"10.0.0.1", "fd69::1"});
    draft.node("gw", {"10.0.0.2", "fd69::2"}, Scope::tunnel);
    draft.addresses["both"] = {parse_address("10.1.0.1").value(), parse_address("fd01::1").value()};
    draft.addresses["six"] = {parse_address("fd01::6").value()};
    const std::size_t both = draft.service("both", HostName{"both"}, tcp(80));
    const std::size_t six = draft.service("six", HostName{"six"}, tcp(80));
    draft.tier("t", {draft.source(laptop)}, {draft.target(both), draft.target(six)});
    draft.test({draft.source(laptop)}).only = draft.list({draft.target(both)});
    draft.test({draft.source(laptop)}).deny = draft.list({draft.target("fd00::/8", everything), draft.target(six)});
    CHECK(told(draft.judged()).empty());
    draft.policy.ipv6 = Ipv6::dual;
    CHECK(draft.judged().errors() == 2);
    draft.policy.ipv6 = Ipv6::deny;
    draft.policy.tests.clear();
    draft.test({draft.source(laptop)}).allow = draft.list({draft.target(six)});
    CHECK(told(draft.judged()).find("`six` has IPv6 addresses only, and this policy denies IPv6") != std::string::npos);
    draft.policy.tests.clear();
    draft.policy.ipv6 = Ipv6::dual;
    draft.test({draft.source("10.0.0.1")}).allow = draft.list({draft.target(six)});
    CHECK(told(draft.judged()).find("`six` has no address of a family that `from` has") != std::string::npos);
}

// ---- against trying every packet --------------------------------------------------------------------------------------

namespace {

struct Packet {
    Address source;
    Address destination;
    std::uint32_t slot = 0;
};

bool holds(const Policy& policy, const Addresses& addresses, const Host& host, const Address& address) {
    for (const Range& range : reach::addresses_of_host(policy, addresses, host)) {
        if (range.holds(range_of(address))) return true;
    }
    return false;
}

bool port_holds(const Ports& ports, std::uint32_t slot) {
    switch (ports.protocol) {
        case Protocol::any: return true;
        case Protocol::tcp: return slot < 65536 && ports.lo <= slot && slot <= ports.hi;
        case Protocol::udp:
            return slot >= 65536 && slot < 131072 && ports.lo <= slot - 65536 && slot - 65536 <= ports.hi;
        case Protocol::ping: return slot == reach::Slots::ping;
    }
    return false;
}

// The definition, read off docs/language.md for one packet at a time.
class EveryPacket {
public:
    EveryPacket(const Draft& draft, const Expectation& test)
        : policy_(draft.policy), addresses_(draft.addresses), test_(test) {}

    [[nodiscard]] bool permitted(const Packet& packet) const {
        if (policy_.ipv6 == Ipv6::deny && packet.source.family == Family::ipv6) return false;
        for (std::size_t i = 0; i < policy_.tiers.size(); ++i) {
            const Tier& tier = policy_.tiers[i];
            if (!holds_on(tier.expires, today)) continue;
            const bool with = std::find(test_.with.begin(), test_.with.end(), i) != test_.with.end();
            if ((tier.grant || tier.bastion) && !with) continue;
            if (from(tier.who, packet.source) && to(tier.allow, packet)) return true;
        }
        for (const Node& node : policy_.nodes) {
            if (node.scope == Scope::none) continue;
            const bool here = std::any_of(node.addresses.begin(), node.addresses.end(),
                                          [&](const auto& address) { return address.value == packet.destination; });
            for (const Input& input : node.inputs) {
                if (!here || !from(input.from, packet.source)) continue;
                for (const Ports& ports : input.ports) {
                    if (port_holds(ports, packet.slot)) return true;
                }
            }
        }
        for (const Source& source : test_.from) {
            const auto* ref = std::get_if<NodeRef>(&source.host);
            if (ref == nullptr || !holds(policy_, addresses_, source.host, packet.source)) continue;
            if (policy_.nodes[ref->node].output && to(*policy_.nodes[ref->node].output, packet)) return true;
        }
        return false;
    }
    [[nodiscard]] bool from(const std::vector<Source>& list, const Address& source) const {
        return std::any_of(list.begin(), list.end(),
                           [&](const Source& s) { return holds(policy_, addresses_, s.host, source); });
    }
    [[nodiscard]] bool to(const std::vector<Target>& list, const Packet& packet) const {
        return std::any_of(list.begin(), list.end(), [&](const Target& t) {
            if (t.service && !holds_on(policy_.services[*t.service].expires, today)) return false;
            return listed(t, packet);
        });
    }
    // In a list of the test an expired service is still what it names.
    [[nodiscard]] bool listed(const Target& t, const Packet& packet) const {
        return port_holds(t.ports, packet.slot) && holds(policy_, addresses_, t.host, packet.destination);
    }
    [[nodiscard]] bool listed(const std::vector<Target>& list, const Packet& packet) const {
        return std::any_of(list.begin(), list.end(), [&](const Target& t) { return listed(t, packet); });
    }

private:
    const Policy& policy_;
    const Addresses& addresses_;
    const Expectation& test_;
};

// Eight addresses of each family, at the ends of their spaces, and every port at which something can begin or end.
std::vector<Address> universe(bool six) {
    std::vector<Address> all;
    for (unsigned i = 0; i < 6; ++i) all.push_back({Family::ipv4, top(Family::ipv4) - i});
    for (unsigned i = 0; six && i < 6; ++i) all.push_back({Family::ipv6, top(Family::ipv6) - i});
    return all;
}
const std::vector<std::uint32_t> slots{0, 1, 2, 3, 4, 65535, 65536, 65537, 65538, 65539, 65540, 131071, 131072, 131073};

class Dice {
public:
    explicit Dice(unsigned seed) : random_(seed) {}
    unsigned operator()(unsigned sides) { return static_cast<unsigned>(random_() % sides); }

    Range range(bool six) {
        const Family family = six && (*this)(2) == 0 ? Family::ipv6 : Family::ipv4;
        const u128 base = top(family) - 5;
        unsigned lo = (*this)(6);
        unsigned hi = (*this)(2) == 0 ? lo : (*this)(6);
        if (lo > hi) std::swap(lo, hi);
        return {family, base + lo, base + hi};
    }
    Ports ports() {
        const auto protocol = (*this)(2) == 0 ? Protocol::tcp : Protocol::udp;
        switch ((*this)(6)) {
            case 0: return everything;
            case 1: return ping;
            case 2: return {protocol, 1, 65535};
            default: break;
        }
        const auto lo = static_cast<std::uint16_t>(1 + (*this)(3));
        const auto hi = static_cast<std::uint16_t>((*this)(2) == 0 ? lo : lo + (*this)(2));
        return {protocol, lo, hi};
    }

private:
    std::mt19937 random_;
};

Draft random_policy(Dice& dice) {
    Draft draft;
    const bool six = dice(2) == 0;
    if (six) draft.policy.ipv6 = dice(4) == 0 ? Ipv6::deny : Ipv6::dual;
    const auto some = [&](unsigned most) { return dice(most + 1); };
    for (const char* name : {"one", "two"}) {
        const std::size_t n = draft.node(name, {}, dice(2) == 0 ? Scope::none : Scope::tunnel);
        draft.policy.nodes[n].addresses.push_back({{Family::ipv4, top(Family::ipv4) - dice(6)}, draft.span()});
        if (six) draft.policy.nodes[n].addresses.push_back({{Family::ipv6, top(Family::ipv6) - dice(6)}, draft.span()});
    }
    draft.network("net", "10.0.0.0/8");
    draft.policy.networks[0].ranges = {{dice.range(six), {}}, {dice.range(six), {}}};
    draft.addresses["name"] = {{Family::ipv4, top(Family::ipv4) - dice(6)}};
    for (const char* name : {"fresh", "old"}) {
        const std::size_t s = draft.service(name, HostName{"name"}, dice.ports());
        if (dice(4) == 0) draft.policy.services[s].expires = {today - std::chrono::days{dice(2)}, {}};
    }
    const auto sources = [&](unsigned most) {
        std::vector<Source> list;
        for (unsigned i = some(most); i > 0; --i) {
            const unsigned kind = dice(4);
            if (kind < 2) {
                list.push_back(draft.source(kind));
            } else if (kind == 2) {
                list.push_back({NetworkRef{0}, "net", draft.span()});
            } else {
                list.push_back({dice.range(six), "10.0.0.0", draft.span()});
            }
        }
        return list;
    };
    const auto targets = [&](unsigned most) {
        std::vector<Target> list;
        for (unsigned i = some(most); i > 0; --i) {
            switch (dice(5)) {
                case 0: list.push_back(draft.target(std::size_t{dice(2)})); break;
                case 1: list.push_back(draft.target("one", NodeRef{dice(2)}, dice.ports())); break;
                case 2: list.push_back(draft.target("net", NetworkRef{0}, dice.ports())); break;
                default: list.push_back(draft.target("10.0.0.0", dice.range(six), dice.ports())); break;
            }
        }
        return list;
    };
    for (unsigned i = 1 + some(3); i > 0; --i) {
        Tier& tier = draft.tier("tier", sources(3), targets(4));
        if (dice(4) == 0) tier.grant = Grant{};
        if (dice(6) == 0) tier.bastion = Bastion{};
        if (dice(6) == 0) tier.expires = {today - std::chrono::days{dice(2)}, {}};
    }
    for (Node& node : draft.policy.nodes) {
        if (dice(2) == 0) node.inputs.push_back({"in", draft.span(), sources(2), {dice.ports()}, {}, false});
        if (dice(3) == 0) node.output = targets(2);
    }
    Expectation& test = draft.test(sources(2));
    if (dice(2) == 0) test.with = {dice(static_cast<unsigned>(draft.policy.tiers.size()))};
    switch (dice(6)) {
        case 0: test.allow = draft.list(targets(3)); break;
        case 1: test.deny = draft.list(targets(3)); break;
        case 2: test.only = draft.list(draft.policy.tiers[0].allow); break;  // likely to hold
        case 3: test.allow = draft.list(draft.policy.tiers[0].allow); break;
        case 4:
            test.only = draft.list(
                {draft.target("10.0.0.0", Range{Family::ipv4, top(Family::ipv4) - 5, top(Family::ipv4)}, everything)});
            break;
        default: test.only = draft.list(targets(3)); break;
    }
    return draft;
}

// The flow that a note shows: "for example  [laptop ]SOURCE -> DESTINATION...".
Packet shown(const std::string& note) {
    const std::size_t arrow = note.find(" -> ");
    REQUIRE(arrow != std::string::npos);
    Packet packet;
    const std::size_t space = note.rfind(' ', arrow - 1);
    packet.source = parse_address(note.substr(space + 1, arrow - space - 1)).value();
    std::string rest = note.substr(arrow + 4);
    rest.resize(std::min(rest.size(), rest.find("  ")));
    if (const std::size_t word = rest.find(' '); word != std::string::npos) {
        packet.slot = rest.substr(word) == " ping" ? reach::Slots::ping : reach::Slots::other;
        packet.destination = parse_address(rest.substr(0, word)).value();
        return packet;
    }
    const std::size_t colon = rest.rfind(':');
    std::string address = rest.substr(0, colon);
    if (address.front() == '[') address = address.substr(1, address.size() - 2);
    packet.destination = parse_address(address).value();
    packet.slot = static_cast<std::uint32_t>(std::stoul(rest.substr(colon + 1))) + (rest.ends_with("/udp") ? 65536 : 0);
    return packet;
}

}  // namespace

TEST_CASE("random small policies: the same verdict as by trying every packet, and each example is one") {
    int failed = 0;
    int held = 0;
    for (unsigned seed = 0; seed < 4000; ++seed) {
        CAPTURE(seed);
        Dice dice(seed);
        const Draft draft = random_policy(dice);
        const Expectation& test = draft.policy.tests[0];
        const EveryPacket truth(draft, test);
        bool missing = false;
        bool open = false;
        bool extra = false;
        const auto wrong = [&](const Packet& packet) {
            const bool permitted = truth.permitted(packet);
            if (test.allow) return truth.listed(test.allow->targets, packet) && !permitted;
            if (test.deny) return truth.listed(test.deny->targets, packet) && permitted;
            return truth.listed(test.only->targets, packet) != permitted;
        };
        const bool six = draft.policy.ipv6 == Ipv6::dual;
        for (const Address& source : universe(six)) {
            if (!truth.from(test.from, source)) continue;
            for (const Address& destination : universe(six)) {
                if (source.family != destination.family) continue;
                for (std::uint32_t slot : slots) {
                    const Packet packet{source, destination, slot};
                    if (!wrong(packet)) continue;
                    const bool permitted = truth.permitted(packet);
                    (test.deny ? open : permitted ? extra : missing) = true;
                }
            }
        }
        const bool expected = missing || open || extra;
        const Diagnostics diagnostics = draft.judged();
        REQUIRE(diagnostics.has(Code::E0701) == expected);
        (expected ? failed : held) += 1;
        for (const Diagnostic& diagnostic : diagnostics.all()) {
            for (const Remark& remark : diagnostic.remarks) {
                if (remark.text.find(" -> ") == std::string::npos) continue;
                CAPTURE(remark.text);
                const Packet packet = shown(remark.text);
                REQUIRE(truth.from(test.from, packet.source));
                REQUIRE(wrong(packet));
            }
            if (diagnostic.code == Code::E0701 && test.only) {
                CHECK((diagnostic.primary.text == "expected exactly these") == extra);
            }
        }
    }
    // Both must be common, or the comparison says little.
    CHECK(failed > 1000);
    CHECK(held > 500);
}

TEST_CASE("a hundred thousand services, and 300 peers x 300 services, are judged quickly") {
    Draft draft;
    const auto begin = std::chrono::steady_clock::now();
    std::vector<Source> peers;
    for (unsigned i = 0; i < 300; ++i) {
        draft.node("peer" + std::to_string(i), {"10.0.0.1"});
        draft.policy.nodes.back().addresses[0].value.bits = 0x0a000001 + 2 * i;
        peers.push_back(draft.source(i));
    }
    std::vector<Target> many;
    for (unsigned i = 0; i < 100'000; ++i) {
        const Range host = range_of({Family::ipv4, 0x0b000000 + i});
        many.push_back(draft.target("10.0.0.0", host, tcp(static_cast<std::uint16_t>(1 + i % 60000))));
    }
    draft.tier("many", peers, many);
    // A tier of its own for each peer.
    for (unsigned i = 0; i < 300; ++i) draft.tier("own", {peers[i]}, {many.begin(), many.begin() + 300});
    Expectation& test = draft.test(peers);
    test.only = draft.list(many);
    test.allow = draft.list(many);
    test.deny = draft.list({draft.target("12.0.0.0/8", everything)});
    draft.test(peers).deny = draft.list({draft.target("11.0.0.0/8", everything)});  // fails for all of them
    draft.test({peers[7]}).only = draft.list({draft.target("11.0.0.0/8", everything)});
    CHECK(draft.judged().errors() == 2);
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    MESSAGE("judged in ", seconds, " s");
    CHECK(seconds < 20);
}
