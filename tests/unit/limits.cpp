// What diff says of rates where a tier meets an input or the output, and where who or what has a rate moves.
#include "compiler/limits.h"

#include <doctest/doctest.h>

#include "gateway.h"

using namespace policyc;

namespace {

const std::string slow_ssh = "input.ssh = { from = [\"phone\"], limit = \"6/minute\" }\n";

std::string tier_of(const std::string& who, const std::string& allow, const std::string& limit) {
    const std::string rate = limit.empty() ? "" : "limit = \"" + limit + "\"\n";
    return "[tiers.own]\nwho = [\"" + who + "\"]\nallow = [\"" + allow + "\"]\n" + rate;
}

}  // namespace

TEST_CASE("at this host's own address a tier's rate and an input's add up") {
    Gateway gw;
    gw.apply(policy(slow_ssh));
    Ran ran = gw.diff(policy(slow_ssh, tier_of("phone", "gw:22", "10/minute")));
    CHECK(ran.says("! new connections to gw:22/tcp: 10/minute plus 6/minute instead of 6/minute, for phone\n"));
    CHECK(ran.widens());
    ran = gw.diff(policy(slow_ssh, tier_of("phone", "gw:22", "")));
    CHECK(ran.says("! new connections to input.ssh (10.0.0.1:22/tcp): no limit instead of 6/minute, for phone\n"));
    CHECK(ran.widens());
    // The input goes, and what stays at one address has no limit any more.
    ran = gw.diff(policy("", tier_of("phone", "10.0.0.0/24:22", "")));
    CHECK(ran.says("! new connections to input.ssh (10.0.0.1:22/tcp): no limit instead of 6/minute, for phone\n"));
    CHECK(ran.says("loses"));
    CHECK(ran.widens());

    gw.apply(policy(slow_ssh, tier_of("phone", "gw:22", "10/minute")));
    ran = gw.diff(policy(slow_ssh));
    CHECK(ran.says(
        "! new connections to input.ssh (10.0.0.1:22/tcp): 6/minute instead of 10/minute plus 6/minute, for phone\n"));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());
}

TEST_CASE("what this host may send by its output has no limit") {
    const std::string own = tier_of("gw", "phone:80", "5/minute");
    Gateway gw;
    gw.apply(policy("output = [\"10.0.0.2:22\"]\n", own));
    Ran ran = gw.diff(policy("output = [\"10.0.0.2:22\", \"10.0.0.2:80\"]\n", own));
    CHECK(ran.says("! new connections to phone:80/tcp: no limit instead of 5/minute, for gw\n"));
    CHECK(ran.widens());
    // Without output nothing of it is judged, and a limit is none.
    gw.apply(policy("", own));
    ran = gw.diff(policy("", tier_of("gw", "phone:80", "6/minute")));
    CHECK_FALSE(ran.says("! new connections"));
    CHECK_FALSE(ran.widens());
}

TEST_CASE("who or what moves keeps its rate, or comes and goes") {
    const auto at = [](std::string text, const std::string& from, const std::string& to) {
        text.replace(text.find(from), from.size(), to);
        return text;
    };
    const std::string limited = policy("", "", "", ", limit = \"9/minute\"");
    Gateway gw;
    gw.apply(limited);
    CHECK(gw.diff(at(limited, "10.1.0.5", "10.1.0.6")).says("~ web  moves  10.1.0.5 -> 10.1.0.6"));
    CHECK(gw.diff(at(limited, "10.0.0.2", "10.0.0.9")).says("~ phone  moves  10.0.0.2 -> 10.0.0.9"));
    for (const auto& [from, to] : {std::pair("10.1.0.5", "10.1.0.6"), std::pair("10.0.0.2", "10.0.0.9")}) {
        const Ran ran = gw.diff(at(policy(), from, to));
        CHECK(ran.says("gains  web"));
        CHECK(ran.says("loses  web"));
        CHECK_FALSE(ran.says("moves"));
    }
}

TEST_CASE("a change is told with the entry that makes it, and what passes unlisted is none") {
    const auto two = [](const std::string& more) {
        return policy("", "[tiers.more]\nwho = [\"phone\"]\nallow = [" + more + "]\n");
    };
    Gateway gw;
    gw.apply(two(""));
    CHECK(gw.diff(two("\"web:22\"")).says("  tiers.more\n"));
    std::string without = two("\"web:22\"");
    without.replace(without.find("\"web\"]"), 6, "]");
    gw.apply(without);
    CHECK_FALSE(gw.diff(two("\"web:22\"")).says("tiers.more"));
    gw.apply(two("\"web:22\""));
    const Ran ran = gw.diff(two(""));
    CHECK(ran.says("removed\n"));
    CHECK_FALSE(ran.says("edited"));

    const std::string port = host + "listen_port = 51820\n";
    gw.apply(policy(port));
    const std::string listed = "input.wireguard = { from = [\"0.0.0.0/0\"] }\n";
    const Ran implied = gw.diff(policy(port + listed));
    CAPTURE(implied.out);
    CHECK_FALSE(implied.says("  gains"));
    CHECK(gw.diff(policy(port + "input.vpn = { from = [\"0.0.0.0/0\"], ports = [\"51819-51820/udp\"] }\n"))
              .says("gains  input.vpn  gw:51819/udp"));
}

TEST_CASE("of a service whose ports have other rates, those that are meant are told") {
    const auto wide = [](const std::string& allow) {
        return policy("", "limit = \"2/minute\"\n" + tier_of("phone", allow, ""));
    };
    Gateway gw;
    gw.apply(wide("10.1.0.5:8080"));
    CHECK(gw.diff(wide("10.1.0.5:443\", \"10.1.0.5:8080"))
              .says("! new connections to web (10.1.0.5:443/tcp): no limit instead of 2/minute, for phone\n"));
}

TEST_CASE("an entry that is no service is told with its ports") {
    const auto beside = [](const std::string& top, const std::string& allow) {
        return policy("", "[tiers.own]\nwho = [\"phone\"]\nallow = [\"10.1.0.9:1\"" + allow + "]\n", top,
                      ", limit = \"5/second\"");
    };
    const auto wide = [](std::string text) {
        text.replace(text.find("[443, 8080]"), 11, "[\"5000-6000\", \"*/udp\"]");
        return text;
    };
    Gateway gw;
    gw.apply(wide(beside("", "")));
    CHECK(gw.diff(wide(beside("", ", \"10.1.0.5:5500\"")))
              .says("! new connections to 10.1.0.5:5500/tcp: no limit instead of 5/second, for phone\n"));
    CHECK(gw.diff(wide(beside("", ", \"web:53/udp\"")))
              .says("! new connections to web:53/udp: no limit instead of 5/second, for phone\n"));
    CHECK(gw.diff(wide(beside("", ", \"web:*\"")))
              .says("! new connections to web: no limit instead of 5/second, for phone\n"));

    const auto dual = [](const std::string& limit) {
        return "version = 1\nipv6 = \"dual\"\n"
               "[nodes.gw]\nrole = \"gateway\"\naddress = [\"10.0.0.1\", \"fd00::1\"]\ninterface = \"wg0\"\n"
               "serves = [\"10.1.0.0/24\", \"fd01::/64\"]\n"
               "[nodes.phone]\naddress = [\"10.0.0.2\", \"fd00::2\"]\n" +
               tier_of("phone", "[fd01::5]:443", limit);
    };
    gw.apply(dual("5/second"));
    CHECK(gw.diff(dual("")).says("! new connections to [fd01::5]:443/tcp: no limit instead of 5/second, for phone\n"));
}

TEST_CASE("nobody is named with a port that another has a limit on") {
    const auto both = [](const std::string& rate) {
        std::string text = policy("", "limit = \"" + rate + "\"\n" + tier_of("laptop", "10.1.0.5:443", rate));
        const std::string all = "who = [\"phone\", \"laptop\"]";
        return text.replace(text.find(all), all.size(), "who = [\"phone\"]");
    };
    Gateway gw;
    gw.apply(both("2/minute"));
    const Ran ran = gw.diff(both("3/minute"));
    CAPTURE(ran.out);
    CHECK(ran.says("! new connections to web: 3/minute instead of 2/minute, for phone\n"));
    CHECK(ran.says("! new connections to web (10.1.0.5:443/tcp): 3/minute instead of 2/minute, for laptop\n"));
}

TEST_CASE("of a service that another entry names in part, the rest is told by its ports") {
    const auto both = [](const std::string& rate) {
        return policy("", "limit = \"" + rate + "\"\n", tier_of("phone\", \"laptop", "10.1.0.5:443", "5/minute"));
    };
    Gateway gw;
    gw.apply(both("2/minute"));
    const Ran ran = gw.diff(both("3/minute"));
    CAPTURE(ran.out);
    CHECK(ran.says("! new connections to web (10.1.0.5:8080/tcp): 3/minute instead of 2/minute, for "));
}
