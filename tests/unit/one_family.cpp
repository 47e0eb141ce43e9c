// What holds in one family only is said to, by list, explain and diff.
#include <doctest/doctest.h>

#include <algorithm>

#include "gateway.h"

using namespace policyc;

namespace {

struct Written {
    std::string ipv6 = "dual";
    std::string gw;
    std::string hub = "vps.example:51821";
};

std::string text_of(const Written& written) {
    return "version = 1\nipv6 = \"" + written.ipv6 + R"("
[networks]
lan = ["10.1.0.0/24", "fd01::/64"]
[nodes.gw]
role = "gateway"
address = ["10.0.0.1", "fd00::1"]
interface = "wg0"
)" + written.gw +
           R"([nodes.hub]
role = "hub"
address = ["10.0.0.4", "fd00::4"]
endpoint = ")" +
           written.hub + R"("
[nodes.phone]
address = ["10.0.0.2", "fd00::2"]
[nodes.laptop]
address = ["10.0.0.3", "fd00::3"]
[tiers.vpn]
who = ["phone"]
allow = ["10.9.0.5:443", "10.9.0.5:80"]
)";
}

std::string ssh_from(const std::string& from, const std::string& ipv6 = "dual") {
    return text_of({.ipv6 = ipv6, .gw = "input.ssh = { from = [" + from + "] }\n"});
}

// The one line of what comes or goes, single spaces between words, less the place and the reason.
std::string told(const Ran& ran) {
    std::string words;
    int count = 0;
    for (std::size_t at = 0; at < ran.out.size();) {
        const std::string line = ran.out.substr(at, ran.out.find('\n', at) - at);
        at += line.size() + 1;
        if (!line.starts_with("  + ") && !line.starts_with("  - ")) continue;
        ++count;
        words.clear();
        for (const char c : line.substr(0, line.find("/policy.toml")))
            if (c != ' ' || (!words.empty() && words.back() != ' ')) words += c;
    }
    CAPTURE(ran.out);
    CHECK(count == 1);
    return words.substr(0, words.find(" /tmp"));
}

std::string told(const std::string& before, const std::string& after) {
    Gateway gw;
    gw.apply(before);
    return told(gw.diff(after));
}

// Of the record of list or explain.
std::vector<std::string> implied(Gateway& gw, Verb::Run verb) {
    std::vector<std::string> all;
    const Ran ran = gw.run(verb);
    for (const auto& row : ran.record.at("implied"))
        all.push_back(row.is_object() ? row.at("what").get<std::string>() : row.get<std::string>());
    return all;
}

}  // namespace

TEST_CASE("what an input loses or gains in one family is said by its addresses") {
    CHECK(told(ssh_from("\"phone\""), ssh_from("\"10.0.0.2\"")) == "- phone (fd00::2) loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"phone\""), ssh_from("\"fd00::2\"")) == "- phone (10.0.0.2) loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"10.0.0.2\""), ssh_from("\"phone\"")) == "+ phone (fd00::2) gains input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"lan\""), ssh_from("\"10.1.0.0/24\"")) == "- lan (fd01::/64) loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"lan\""), ssh_from("\"10.1.0.0/24\", \"fd01::/65\"")) ==
          "- lan (fd01::8000:0:0:0/65) loses input.ssh gw:22/tcp");
    // A node of a network of one family has an address of the other too.
    CHECK(told(ssh_from("\"10.0.0.2\", \"fd00::2/127\""), ssh_from("\"10.0.0.2\", \"fd00::3\"")) ==
          "- phone (fd00::2) loses input.ssh gw:22/tcp");
    // All of it, and what says by itself of which family it is.
    CHECK(told(ssh_from("\"phone\", \"laptop\""), ssh_from("\"phone\"")) == "- laptop loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"phone\", \"lan\""), ssh_from("\"phone\"")) == "- lan loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"phone\", \"fd01::/64\""), ssh_from("\"phone\"")) == "- fd01::/64 loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"phone\", \"laptop\"", "deny"), ssh_from("\"phone\"", "deny")) ==
          "- laptop loses input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"phone\", \"lan\"", "deny"), ssh_from("\"phone\"", "deny")) ==
          "- lan loses input.ssh gw:22/tcp");
}

TEST_CASE("with a family what an input is open to of it comes and goes") {
    CHECK(told(ssh_from("\"phone\"", "deny"), ssh_from("\"phone\"")) == "+ phone (fd00::2) gains input.ssh gw:22/tcp");
    CHECK(told(ssh_from("\"phone\""), ssh_from("\"phone\"", "deny")) == "- phone (fd00::2) loses input.ssh gw:22/tcp");
}

TEST_CASE("the record of an input of one family has the sources of that") {
    Gateway gw;
    gw.apply(ssh_from("\"phone\""));
    const Ran ran = gw.diff(ssh_from("\"10.0.0.2\""));
    REQUIRE(ran.record.at("changes").size() == 1);
    const auto& one = ran.record.at("changes")[0];
    CHECK(one.at("who") == "phone");
    CHECK(one.at("destination") == "gw");
    CHECK(one.at("sources") == std::vector<std::string>{"fd00::2"});
}

TEST_CASE("WireGuard is let in and out over the families that the policy has") {
    const std::string gateway = host + "listen_port = 51820\npeer = \"hub\"\noutput = [\"10.9.0.5:443\"]\n";
    for (const bool dual : {false, true}) {
        CAPTURE(dual);
        Gateway gw;
        gw.options.node = "gw";
        gw.options.format = "json";
        gw.options.from = "phone";
        gw.options.target = "10.9.0.5:443";
        const std::string over = dual ? "" : " over IPv4";
        const auto write = [&](const std::string& hub) {
            gw.write(text_of({.ipv6 = dual ? "dual" : "deny", .gw = gateway, .hub = hub}));
        };
        write("vps.example:51821");
        for (const Verb::Run verb : {verb_list, verb_explain}) {
            const std::vector<std::string> all = implied(gw, verb);
            CHECK(std::ranges::count(all, "WireGuard from anywhere" + over + ": 51820/udp") == 1);
            CHECK(std::ranges::count(
                      all, "WireGuard to hub, anywhere" + over + " since its endpoint is a name: 51821/udp") == 1);
        }
        // The family of an address is seen.
        write("192.0.2.1:51821");
        CHECK(std::ranges::count(implied(gw, verb_list), "WireGuard to hub at 192.0.2.1: 51821/udp") == 1);
    }
}

TEST_CASE("diff says over which families WireGuard's ports come and go") {
    const std::string without = host + "output = [\"10.9.0.5:443\"]\n";
    const std::string with = without + "listen_port = 51820\npeer = \"hub\"\n";
    const std::string here = "implied, for WireGuard: 51820/udp from anywhere to this host";
    const std::string there = "implied, for WireGuard: 51821/udp from this host to ";
    for (const bool dual : {false, true}) {
        CAPTURE(dual);
        const std::string ipv6 = dual ? "dual" : "deny";
        const std::string over = dual ? "\n" : " over IPv4\n";
        Gateway gw;
        Ran ran = gw.apply(text_of({.ipv6 = ipv6, .gw = with}));
        CHECK(ran.says("! " + here + over));
        ran = gw.diff(text_of({.ipv6 = ipv6, .gw = without}));
        CHECK(ran.says("! no longer " + here + over));
        CHECK(ran.says("! no longer " + there + "anywhere" + over));
        gw.apply(text_of({.ipv6 = ipv6, .gw = without}));
        ran = gw.diff(text_of({.ipv6 = ipv6, .gw = with}));
        CHECK(ran.says("! " + here + over));
        CHECK(ran.says("! " + there + "anywhere" + over));
        CHECK(gw.diff(text_of({.ipv6 = ipv6, .gw = with, .hub = "[2001:db8::1]:51821"})).says(there) == dual);
    }
    // That IPv6 is let through is said of all.
    Gateway gw;
    gw.apply(text_of({.ipv6 = "deny", .gw = with}));
    CHECK_FALSE(gw.diff(text_of({.gw = with})).says("implied, for WireGuard"));
    gw.apply(text_of({.ipv6 = "deny", .gw = with, .hub = "[2001:db8::1]:51821"}));
    CHECK(gw.diff(text_of({.gw = with, .hub = "[2001:db8::1]:51821"})).says("! " + there + "2001:db8::1\n"));
}

TEST_CASE("what an input opens in both families is said once") {
    Gateway gw;
    const std::string policy = text_of({.gw = "input.all = { from = [\"phone\"], ports = [\"*\"] }\n"
                                              "input.some = { from = [\"laptop\"], ports = [\"*/tcp\", \"ping\"] }\n"});
    gw.options.node = "gw";
    const Ran ran = gw.diff(policy);
    CAPTURE(ran.out);
    CHECK(ran.says("gains  input.all   gw:*  "));
    CHECK(ran.says("gains  input.some  gw:*/tcp, gw:ping  "));
}
