// What diff says of what scope tunnel leaves alone: nothing, where that is certain.
#include "compiler/implied.h"

#include <doctest/doctest.h>

#include "checked.h"
#include "gateway.h"

using namespace policyc;

namespace {

std::string with_tier(const std::string& who, const std::string& allow, const std::string& more = "") {
    return policy("", "[tiers.own]\nwho = [\"" + who + "\"]\nallow = [\"" + allow + "\"]\n" + more);
}

Range range(const char* text) {
    return parse_cidr(text)->range;
}

}  // namespace

TEST_CASE("in scope tunnel, what this host receives from its own side is never judged: nothing of it comes or goes") {
    const auto from = [](const std::string& who) { return policy("input.ssh = { from = [" + who + "] }\n"); };
    Gateway gw;
    gw.apply(from("\"phone\""));
    const Ran ran = gw.diff(from("\"phone\", \"10.1.0.0/24\", \"10.1.0.9\""));
    CAPTURE(ran.out);
    CHECK_FALSE(ran.says("  gains"));
    CHECK_FALSE(ran.widens());
    CHECK(gw.diff(from("\"phone\", \"10.1.0.0/23\"")).says("10.1.1.0/24  gains  input.ssh"));
    CHECK_FALSE(gw.diff(from("\"phone\", \"gw\"")).says("  gains"));
    gw.apply(from("\"phone\", \"10.1.0.0/24\""));
    CHECK_FALSE(gw.diff(from("\"phone\"")).says("  loses"));
}

TEST_CASE(
    "in scope tunnel, what places on this host's own side send each other is never judged: none of it comes or goes") {
    Gateway gw;
    CHECK_FALSE(gw.diff(with_tier("lan", "10.1.0.7:443")).says("lan  gains"));  // nor where there is no table yet
    gw.apply(policy());
    for (const char* what : {"10.1.0.7:443", "10.1.0.0/24:*", "gw:22", "web"}) {
        const Ran ran = gw.diff(with_tier("lan", what));
        CAPTURE(ran.out);
        CHECK(ran.status == 1);
        CHECK(ran.says("no permission comes or goes; "));
        CHECK_FALSE(ran.widens());
        CHECK_FALSE(ran.narrows());
    }
    // What is elsewhere is told, and only that.
    CHECK(gw.diff(with_tier("lan", "phone:443")).says("lan  gains  phone  10.0.0.2:443/tcp"));
    CHECK(gw.diff(with_tier("10.1.0.0/23", "web")).says("10.1.1.0/24  gains  web"));
    const Ran part = gw.diff(with_tier("10.1.0.0/23", "10.1.0.0/23:22"));
    CHECK(part.says("10.1.0.0/24  gains  10.1.0.0/23  10.1.1.0/24:22/tcp"));
    CHECK(part.says("10.1.1.0/24  gains  10.1.0.0/23  10.1.0.0/23:22/tcp"));
    CHECK(gw.diff(with_tier("lan", "10.1.0.0/23:22")).says("10.1.1.0/24:22/tcp"));
    gw.apply(with_tier("lan", "web\", \"phone:443"));
    const Ran less = gw.diff(policy());
    CAPTURE(less.out);
    CHECK(less.says("loses  phone"));
    CHECK_FALSE(less.says("loses  web"));
    // In scope host all of it is judged.
    gw.apply(policy(host));
    CHECK(gw.diff(policy(host, "[tiers.own]\nwho = [\"lan\"]\nallow = [\"10.1.0.7:443\"]\n")).says("lan  gains"));
}

TEST_CASE("in scope tunnel, what this host sends to its own side is never judged: none of it comes or goes") {
    const auto with = [](const std::string& output, const std::string& tier = "") {
        return policy("output = [" + output + "]\n", tier);
    };
    const auto tier = [](const std::string& who, const std::string& allow) {
        return "[tiers.own]\nwho = [\"" + who + "\"]\nallow = [\"" + allow + "\"]\n";
    };
    Gateway gw;
    CHECK_FALSE(gw.diff(with("\"lan:*\"")).says("gw  gains"));  // nor where there is no table yet
    gw.apply(with(""));
    for (const char* what : {"\"lan:*\"", "\"web\"", "\"10.1.0.7:443\"", "\"gw:22\""}) {
        const Ran ran = gw.diff(with(what));
        CAPTURE(ran.out);
        CHECK(ran.says("no permission comes or goes; "));
        CHECK_FALSE(ran.widens());
        CHECK_FALSE(ran.narrows());
    }
    CHECK_FALSE(gw.diff(with("", tier("gw", "lan:*\", \"gw:22"))).says("  gains"));
    // What is elsewhere is told, and only that.
    CHECK(gw.diff(with("\"phone:443\", \"lan:443\"")).says("1 wider;"));
    CHECK(gw.diff(with("\"10.1.0.0/23:22\"")).says("gw  gains  10.1.0.0/23  10.1.1.0/24:22/tcp"));
    CHECK(gw.diff(with("", tier("gw", "10.1.0.0/23:22"))).says("gw  gains  10.1.0.0/23  10.1.1.0/24:22/tcp"));
    CHECK(gw.diff(with("", tier("gw", "phone:22"))).says("gw  gains  phone"));
    gw.apply(with("\"lan:*\", \"phone:443\"", tier("gw", "lan:22")));
    const Ran less = gw.diff(with(""));
    CAPTURE(less.out);
    CHECK(less.says("gw  loses  phone"));
    CHECK(less.says("1 narrower;"));
    // What another node serves too may be behind the tunnel.
    const std::string exit = "[nodes.exit]\naddress = \"10.0.0.9\"\nserves = [\"10.1.0.0/28\"]\n";
    gw.apply(with("", exit));
    CHECK(gw.diff(with("\"lan:22\"", exit)).says("gw  gains  lan  10.1.0.0/28:22/tcp"));
}

TEST_CASE("of a network that a gateway is in, it is left out where what it sends to its own side could be judged") {
    const std::string tier = "[tiers.own]\nwho = [\"10.0.0.0/29\"]\nallow = [\"lan:22\"]\n";
    Gateway gw;
    gw.apply(policy());
    CHECK(gw.diff(policy("", tier)).says("10.0.0.0/29 (phone, laptop among them)  gains"));
    gw.apply(policy("output = []\n"));
    const Ran ran = gw.diff(policy("output = []\n", tier));
    CAPTURE(ran.out);
    CHECK(ran.says("10.0.0.0/29 but 10.0.0.1 (phone, laptop among them)  gains"));
}

TEST_CASE("what another node serves too may be behind the tunnel, and is told") {
    const auto with = [](const std::string& serves, const char* allow) {
        return with_tier("lan", allow, "[nodes.exit]\naddress = \"10.0.0.9\"\nserves = [\"" + serves + "\"]\n");
    };
    Gateway gw;
    for (const char* serves : {"0.0.0.0/0", "10.1.0.0/28"}) {
        gw.apply(with(serves, "phone:443"));
        CHECK(gw.diff(with(serves, "phone:443\", \"10.1.0.7:443")).says("lan  gains  10.1.0.7"));
    }
    gw.apply(with("10.2.0.0/24", "phone:443"));
    CHECK_FALSE(gw.diff(with("10.2.0.0/24", "phone:443\", \"10.1.0.7:443")).says("  gains"));
}

TEST_CASE("of those who are told together, nothing is left that is never judged") {
    const Checked checked(base);
    REQUIRE(checked.policy);
    const Beside beside(*checked.policy, 0);
    const Range laptop = range("10.69.50.11");
    const Range nas = range("10.69.13.9");
    const Range wide = range("10.69.12.0/23");
    const Ports ssh{Protocol::tcp, 22, 22};
    const Area near{range("10.69.13.80"), ssh};
    const Area far{laptop, ssh};
    const Area both{wide, ssh};
    Gaps gaps;
    gaps.tiers = {{3, {laptop, nas, wide}, {near, far, both}}, {4, {nas}, {near}}};
    beside.take_out(gaps);

    REQUIRE(gaps.tiers.size() == 2);
    CHECK(gaps.tiers[0].sources == std::vector{laptop});
    CHECK(gaps.tiers[0].areas.size() == 3);
    CHECK(gaps.tiers[1].sources == std::vector{nas, wide});
    REQUIRE(gaps.tiers[1].areas.size() == 1);
    CHECK(gaps.tiers[1].areas.front().destination == laptop);
    std::vector<std::string> left;
    for (const Gap& gap : gaps.boxes)
        for (const Box& box : gap.missing()) left.push_back(to_string(box.source) + " " + to_string(box.destination));
    CHECK(left == std::vector<std::string>{"10.69.12.0/24 10.69.12.0/23", "10.69.13.0/24 10.69.12.0/24",
                                           "10.69.12.0/24 10.69.13.80", "10.69.13.9 10.69.12.0/24"});
}

TEST_CASE("nor does the rate of what is never judged change anything") {
    const auto with = [](const char* rate, const char* who = "lan", const char* what = "web\", \"gw:22") {
        return with_tier(who, what, std::string("limit = \"") + rate + "\"\n");
    };
    Gateway gw;
    gw.apply(with("2/minute"));
    Ran ran = gw.diff(with("3/minute"));
    CAPTURE(ran.out);
    CHECK_FALSE(ran.says("new connections to "));
    CHECK_FALSE(ran.widens());
    gw.apply(with("2/minute", "10.1.0.0/23", "10.1.0.0/23:22"));
    ran = gw.diff(with("3/minute", "10.1.0.0/23", "10.1.0.0/23:22"));
    CHECK(ran.says("new connections to 10.1.1.0/24:22/tcp: 3/minute instead of 2/minute, for 10.1.0.0/24"));
    CHECK(ran.says("new connections to 10.1.0.0/23:22/tcp: 3/minute instead of 2/minute, for 10.1.1.0/24"));
    const auto sent = [&](const char* rate, const char* what) {
        return policy("output = []\n", std::string("[tiers.own]\nwho = [\"gw\"]\nallow = [\"") + what +
                                           "\"]\nlimit = \"" + rate + "\"\n");
    };
    gw.apply(sent("2/minute", "web"));
    CHECK_FALSE(gw.diff(sent("3/minute", "web")).says("new connections to "));
    gw.apply(sent("2/minute", "phone:22"));
    CHECK(gw.diff(sent("3/minute", "phone:22")).says("new connections to "));
}

TEST_CASE("what was on this side and is behind the tunnel now is told") {
    const auto with = [](bool moved, const std::string& tier) {
        std::string text = policy("input.ssh = { from = [\"phone\"] }\n", tier);
        if (!moved) return text;
        text.replace(text.find("serves = [\"10.1.0.0/24\"]"), 24, "");
        return text + "[nodes.exit]\naddress = \"10.0.0.9\"\nserves = [\"lan\"]\n";
    };
    Gateway gw;
    gw.apply(with(false, ""));
    const Ran ran = gw.diff(with(true, "[tiers.own]\nwho = [\"lan\"]\nallow = [\"gw:22\", \"10.1.0.7:443\"]\n"));
    CAPTURE(ran.out);
    CHECK(ran.says("lan  gains  10.1.0.7"));
    CHECK(ran.says("lan  gains  gw"));
}
