// [[test]]: each way to fail, and how long it takes.
#include "policy/expect.h"

#include <doctest/doctest.h>

#include <chrono>

#include "draft.h"
#include "policy/reach.h"

using namespace policyc;

namespace {

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

TEST_CASE("what a node itself would send is denied in its output") {
    Home draft;
    draft.test({draft.source(draft.gateway)}).allow = draft.list({draft.target(draft.grafana)});
    const std::string said = told(draft.judged());
    CAPTURE(said);
    CHECK(said.find("extgw01 10.69.50.2 -> 10.69.13.30:3000/tcp  is denied  on extgw01, output\n") !=
          std::string::npos);
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

TEST_CASE("the example bears the name and an address of the first who is meant") {
    Home draft;
    draft.policy.tiers[0].who = {draft.source("10.69.50.0/24")};
    draft.test({draft.source(draft.phone), draft.source("10.69.50.0/24")}).deny =
        draft.list({draft.target(draft.grafana)});
    CHECK(told(draft.judged()).find("for example  phone 10.69.50.12 -> 10.69.13.30:3000/tcp  on") != std::string::npos);
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
        CHECK(told(draft.judged()).find("add laptop to `who` of tier `full`") != std::string::npos);
    }
}

TEST_CASE("who is in no `who` is told of a tier that is in force, and of no other") {
    enum class Asleep { grant, bastion, expired };
    for (const Asleep asleep : {Asleep::grant, Asleep::bastion, Asleep::expired}) {
        Home draft;
        Tier& full = draft.tier("full", {draft.source(draft.laptop)}, {draft.all_of_home()});
        switch (asleep) {
            case Asleep::grant: full.grant = Grant{}; break;
            case Asleep::bastion: full.bastion = Bastion{}; break;
            case Asleep::expired: full.expires = {today - std::chrono::days{1}, draft.span()}; break;
        }
        draft.test({draft.source(draft.phone)}).allow = draft.list({draft.target(draft.grafana)});
        const std::string text = told(draft.judged());
        CAPTURE(text);
        CHECK(text.find("add phone to `who` of tier `vpn`, or to another tier") != std::string::npos);
        CHECK(text.find("full") == std::string::npos);
        // Where no other tier allows it, none is named.
        draft.policy.tests[0].allow = draft.list({draft.target("10.69.13.5", tcp(53))});
        const std::string alone = told(draft.judged());
        CAPTURE(alone);
        CHECK(alone.find("but not to") == std::string::npos);
        CHECK(alone.find("add it to `allow` of a tier whose `who` names the source") != std::string::npos);
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
    const Spanned<Days> last_day{today, draft.span()};
    draft.policy.services[draft.grafana].expires = last_day;
    for (Target& target : draft.policy.tiers[0].allow)
        if (target.service == draft.grafana) target.expires = last_day;
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
    CHECK(reach::slots_of(everything) == reach::Slots{0, reach::Slots::other});
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
    const reach::Permissions permissions = reach::permissions_of(draft.policy, draft.addresses, today);
    for (const reach::Area& area : permissions.areas.areas()) {
        CHECK(area.destination.family == Family::ipv4);
    }
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
