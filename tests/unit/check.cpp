// Trees to policies: what is built from a right policy, and how a wrong one is told.
#include "checked.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "policy/keys.h"

using namespace policyc;

namespace {

std::string text_of(const Policy& policy, const Host& host) {
    struct Visitor {
        const Policy& policy;
        std::string operator()(const NodeRef& ref) const { return "node " + policy.nodes[ref.node].name; }
        std::string operator()(const NetworkRef& ref) const { return "network " + policy.networks[ref.network].name; }
        std::string operator()(const Range& range) const { return to_string(range); }
        std::string operator()(const HostName& name) const { return "name " + name.name; }
    };
    return std::visit(Visitor{policy}, host);
}

std::string text_of(const Policy& policy, const std::vector<Target>& targets) {
    std::string text;
    for (const Target& target : targets) {
        text += text_of(policy, target.host) + " " + to_string(target.ports);
        if (target.service) text += " by " + policy.services[*target.service].name;
        text += "; ";
    }
    return text;
}

std::string text_of(const Policy& policy, const std::vector<Source>& sources) {
    std::string text;
    for (const Source& source : sources) text += text_of(policy, source.host) + "; ";
    return text;
}

std::string example(const std::string& name) {
    // Tests run anywhere in the tree of the build.
    std::ifstream file(std::string(POLICYC_SOURCE) + "/policy/examples/" + name);
    std::stringstream text;
    text << file.rdbuf();
    REQUIRE(file.good());
    return text.str();
}

}  // namespace

TEST_CASE("the examples hold, without a warning") {
    const Checked homelab(example("homelab.toml"));
    CHECK(homelab.said() == "");
    REQUIRE(homelab.policy);
    const Policy& p = *homelab.policy;
    CHECK(p.nodes.size() == 4);
    CHECK(p.services.size() == 6);
    REQUIRE(p.tiers.size() == 2);
    CHECK(text_of(p, p.tiers[0].who) == "node laptop; node phone; ");
    CHECK(text_of(p, p.tiers[0].allow) ==
          "name monitoring01.home.2rjus.net 3000/tcp by grafana; name jelly01.home.2rjus.net 8096/tcp by jellyfin; "
          "name sonarr-jail.home.2rjus.net 8989/tcp by sonarr; name radarr-jail.home.2rjus.net 7878/tcp by radarr; "
          "name nzbget-jail.home.2rjus.net 6789/tcp by nzbget; 10.69.13.5 53/udp by dns; 10.69.13.5 53/tcp by dns; ");
    CHECK(to_string(*p.tiers[0].limit) == "50/second");
    CHECK(text_of(p, p.tiers[1].allow) == "network home *; ");
    REQUIRE(p.tiers[1].grant);
    CHECK(p.tiers[1].grant->max == Seconds(4 * 3600));
    CHECK(p.tiers[1].grant->standard == Seconds(3600));
    CHECK(p.tiers[1].grant->reason);
    REQUIRE(p.tiers[1].bastion);
    CHECK(p.nodes[p.tiers[1].bastion->node].name == "extgw01");
    CHECK(p.tiers[1].log_new);

    const Node& vps = p.nodes[0];
    CHECK(vps.role == Role::hub);
    CHECK(vps.scope == Scope::none);
    CHECK(std::get<std::string>(vps.endpoint->host) == "vps.2rjus.net");
    CHECK(vps.endpoint->port == 51820);
    CHECK(vps.untouched.interfaces[0].value == "wg0");
    CHECK(to_string(vps.untouched.ranges[0].value) == "10.69.222.0/24");
    const Node& gateway = p.nodes[1];
    CHECK(gateway.scope == Scope::tunnel);
    CHECK(gateway.peer == 0U);
    CHECK(to_string(gateway.serves[0].value) == "10.69.13.0/24");
    REQUIRE(gateway.inputs.size() == 2);
    CHECK(to_string(gateway.inputs[0].ports[0]) == "22/tcp");
    CHECK(to_string(gateway.inputs[1].ports[0]) == "ping");
    CHECK(text_of(p, gateway.inputs[0].from) == "node laptop; node phone; ");
    CHECK_FALSE(gateway.output);
    CHECK(p.nodes[2].dns->split == std::vector<std::string>{"home.2rjus.net"});
    CHECK(p.nodes[3].dns->all);

    REQUIRE(p.resolve.servers.size() == 1);
    CHECK(to_string(p.resolve.servers[0].address) == "10.69.13.5");
    CHECK(p.resolve.servers[0].port == 53);
    CHECK(p.resolve.within.size() == 1);
    CHECK(homelab.at(p.resolve.within_span) == "[\"home\"]");
    CHECK(p.resolve.stale_keep == Seconds(7 * 86400));
    CHECK(p.log.nflog_group == std::uint16_t{5});
    REQUIRE(p.tests.size() == 4);
    CHECK(homelab.at(p.tests[0].span) == "[[test]]");
    CHECK(homelab.at(p.tests[0].only->span) ==
          "only = [\"grafana\", \"media\", \"dns\", \"extgw01:22\", \"extgw01:ping\"]");
    CHECK(p.tests[1].with == std::vector<std::size_t>{1});
    CHECK(text_of(p, p.tests[2].deny->targets) == "node laptop *; node phone *; 10.69.222.0/24 *; ");

    const Checked minimal(example("minimal.toml"));
    CHECK(minimal.said() == "");
    REQUIRE(minimal.policy);
    CHECK(minimal.policy->nodes[1].role == Role::client);
    CHECK(minimal.policy->nodes[1].scope == Scope::none);
    CHECK(minimal.policy->resolve.within.size() == 1);
}

TEST_CASE("references: the table of the language, cell by cell") {
    const std::string names = base +
                              "two = { host = \"home\", ports = [80, \"53/udp\"] }\n"
                              "[groups]\n"
                              "people = [\"laptop\", \"10.9.0.0/16\"]\n"
                              "things = [\"web\", \"gw:22\", \"inner\"]\n"
                              "inner = [\"two\", \"home:ping\"]\n";
    const auto targets = [&](const std::string& list) {
        const Checked checked(names + tier("\"people\"", list));
        return checked.policy ? text_of(*checked.policy, checked.policy->tiers[0].allow) : checked.places();
    };
    CHECK(targets("\"web\"") == "10.69.13.80 443/tcp by web; ");
    CHECK(targets("\"two\"") == "network home 80/tcp by two; network home 53/udp by two; ");
    CHECK(targets("\"gw:22\"") == "node gw 22/tcp; ");
    CHECK(targets("\"home:8000-8100/udp\"") == "network home 8000-8100/udp; ");
    CHECK(targets("\"10.69.13.9:*/tcp\"") == "10.69.13.9 */tcp; ");
    CHECK(targets("\"10.69.13.0/25:*\"") == "10.69.13.0/25 *; ");
    CHECK(targets("\"[fd69::1]:22\"") == "fd69::1 22/tcp; ");
    CHECK(targets("\"[fd69::/64]:ping\"") == "fd69::/64 ping; ");
    CHECK(targets("\"things\"") ==
          "10.69.13.80 443/tcp by web; node gw 22/tcp; network home 80/tcp by two; network home 53/udp by two; network "
          "home ping; ");
    CHECK(targets("\"people:22\"") == "node laptop 22/tcp; 10.9.0.0/16 22/tcp; ");
    // A service with a port item is its host; its own ports don't count.
    CHECK(targets("\"two:22\"") == "network home 22/tcp; ");
    CHECK(targets("\"web\", \"web\", \"things\", \"gw:22\"")
              .starts_with("10.69.13.80 443/tcp by web; node gw 22/tcp; network home 80"));
    // What is written twice is there once, but a service's own port ends with the service.
    CHECK(targets("\"web\", \"web:443\"") == "10.69.13.80 443/tcp by web; 10.69.13.80 443/tcp; ");
    CHECK(targets("") == "");

    const auto sources = [&](const std::string& list) {
        const Checked checked(names + tier(list, "\"web\""));
        return checked.policy ? text_of(*checked.policy, checked.policy->tiers[0].who) : checked.places();
    };
    CHECK(sources("\"laptop\", \"home\", \"10.1.2.3\", \"fd69::/64\"") ==
          "node laptop; network home; 10.1.2.3; fd69::/64; ");
    CHECK(sources("\"people\", \"laptop\"") == "node laptop; 10.9.0.0/16; ");
    CHECK(sources("\"web\"") == "E0202:19");
    CHECK(sources("\"things\"") == "E0202:19");
    CHECK(sources("\"laptop:22\"") == "E0204:19");
    CHECK(sources("\"people:22\"") == "E0204:19");
    CHECK(targets("\"laptop\"") == "E0203:20");
    CHECK(targets("\"home\"") == "E0203:20");
    CHECK(targets("\"10.1.2.3\"") == "E0203:20");
    CHECK(targets("\"people\"") == "E0203:20");
    CHECK(targets("\"things:22\"") == "E0207:20");
}

TEST_CASE("targets know their entry and their definition") {
    const Checked checked(base + "[groups]\ng = [\"web\", \"gw:22\"]\n" + tier("\"laptop\"", "\"g\""));
    REQUIRE(checked.policy);
    const std::vector<Target>& targets = checked.policy->tiers[0].allow;
    REQUIRE(targets.size() == 2);
    CHECK(checked.at(targets[0].span) == "\"g\"");
    CHECK(checked.at(targets[0].definition) == "\"10.69.13.80:443\"");
    CHECK(targets[0].label == "web");
    CHECK(checked.at(targets[1].definition) == "\"gw:22\"");
    CHECK(targets[1].label == "gw");
    CHECK(checked.at(checked.policy->services[0].host_span) == "10.69.13.80");
    CHECK(checked.at(checked.policy->tiers[0].span) == "t");
}

TEST_CASE("a service's last day is that of its host, whatever the port") {
    const Checked checked(base + "old = { host = \"10.69.13.9\", ports = 80, expires = 2020-01-01 }\n" +
                          tier("\"laptop\"", "\"old\", \"old:22\", \"web:22\", \"10.69.13.9:23\""));
    REQUIRE(checked.policy);
    std::string held;
    for (const Target& target : checked.policy->tiers[0].allow)
        held += holds_on(target.expires, std::chrono::year(2026) / 1 / 1) ? "yes " : "no ";
    CHECK(held == "no no yes yes ");
}

TEST_CASE("port items") {
    const auto ports = [](const std::string& item) {
        const Checked checked(base + "x = \"h.example:" + item + "\"\n" + tier("\"laptop\"", "\"x\", \"web\""));
        return checked.policy ? to_string(checked.policy->services[1].ports[0]) : checked.places();
    };
    CHECK(ports("22") == "22/tcp");
    CHECK(ports("22/tcp") == "22/tcp");
    CHECK(ports("1/udp") == "1/udp");
    CHECK(ports("65535") == "65535/tcp");
    CHECK(ports("8000-8100/udp") == "8000-8100/udp");
    CHECK(ports("5-5") == "5/tcp");
    CHECK(ports("*/udp") == "*/udp");
    CHECK(ports("*") == "*");
    CHECK(ports("ping") == "ping");
    for (const char* item : {"0", "65536", "80960", "1-65536", "0-5", "99999999999999999999999"}) {
        CAPTURE(item);
        CHECK(ports(item) == "E0103:13");
    }
    for (const char* item : {"", "http", "22/", "22/sctp", "22/TCP", "-5", "5-", "10-5", "022", "+5", " 5", "5 ", "*-5",
                             "ping/udp", "icmp", "**", "1,2", "5/tcp/udp"}) {
        CAPTURE(item);
        CHECK(ports(item) == "E0107:13");
    }
}

TEST_CASE("rates, durations and dates") {
    const auto limit = [](const std::string& rate) {
        const Checked checked(base + tier("\"laptop\"", "\"web\"", "limit = " + rate + "\n"));
        return checked.policy ? to_string(*checked.policy->tiers[0].limit) : checked.places();
    };
    CHECK(limit("\"6/minute\"") == "6/minute");
    CHECK(limit("\"100/hour\"") == "100/hour");
    CHECK(limit("\"1000/day\"") == "1000/day");
    for (const char* rate : {"\"\"", "\"50\"", "\"50/\"", "\"50/s\"", "\"/second\"", "\"-1/second\"", "\"0/second\"",
                             "\"1.5/second\"", "\"50/seconds\"", "\"99999999999/second\""}) {
        CAPTURE(rate);
        CHECK(limit(rate) == "E0108:16");
    }
    CHECK(limit("50") == "E0102:16");

    const auto overlap = [](const std::string& duration) {
        const Checked checked(base + tier("\"laptop\"", "\"web\"") + "[resolve]\noverlap = " + duration + "\n");
        return checked.policy ? std::to_string(checked.policy->resolve.overlap->count()) : checked.places();
    };
    CHECK(overlap("\"30s\"") == "30");
    CHECK(overlap("\"15m\"") == "900");
    CHECK(overlap("\"4h\"") == "14400");
    CHECK(overlap("\"7d\"") == "604800");
    for (const char* duration : {"\"\"", "\"s\"", "\"30\"", "\"0s\"", "\"-1s\"", "\"1w\"", "\"1.5h\"", "\"1h30m\"",
                                 "\"18446744073709551616s\"", "\"3651d\""}) {
        CAPTURE(duration);
        CHECK(overlap(duration) == "E0109:17");
    }

    const Checked checked(base + tier("\"laptop\"", "\"web\"", "expires = 2026-12-31\n"));
    REQUIRE(checked.policy);
    const auto& expires = checked.policy->tiers[0].expires;
    CHECK(holds_on(expires, std::chrono::year(2026) / 12 / 31));
    CHECK_FALSE(holds_on(expires, std::chrono::year(2027) / 1 / 1));
    CHECK(Checked(base + tier("\"laptop\"", "\"web\"", "expires = \"2026-12-31\"\n")).places() == "E0102:16");
    CHECK(Checked(base + tier("\"laptop\"", "\"web\"", "expires = 2026-12-31T00:00:00Z\n")).places() == "E0102:16");
}

TEST_CASE("hosts of services") {
    const auto host = [](const std::string& written) {
        const Checked checked(base + "x = { host = \"" + written + "\", ports = 80 }\n" +
                              tier("\"laptop\"", "\"x\", \"web\""));
        return checked.policy ? text_of(*checked.policy, checked.policy->services[1].host) : checked.places();
    };
    CHECK(host("Jelly01.Home.Example.") == "name jelly01.home.example");
    CHECK(host("_dmarc.a-b.example") == "name _dmarc.a-b.example");
    CHECK(host("jelly01") == "name jelly01");
    CHECK(host("home") == "network home");
    CHECK(host("gw") == "node gw");
    CHECK(host("10.69.13.5") == "10.69.13.5");
    CHECK(host("10.69.13.0/28") == "10.69.13.0/28");
    CHECK(host("fd69::1") == "fd69::1");
    for (const char* written :
         {"", "a..b", ".a", "-a", "a-", "a b", "caf\xc3\xa9", "a:80", "http://a", "*", "*.example", "[fd69::1]"}) {
        CAPTURE(written);
        CHECK(host(written) == "E0113:13");
    }
    CHECK(host(std::string(64, 'a')) == "E0113:13");
    for (const char* written :
         {"10.69.13.256", "10.69.13", "1", "10.69.13.0/33", "10.69.13.1-10.69.13.5", "0x7f.1", "home/24"}) {
        CAPTURE(written);
        CHECK(host(written) == "E0112:13");
    }
    CHECK(host("web") == "E0202:13");
}
