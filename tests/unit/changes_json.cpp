// The records of changes: one for each destination and run of ports.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway.h"

using namespace policyc;

namespace {

// "gain phone 10.1.0.5 443 tcp"
std::vector<std::string> lines_of(const Ran& ran) {
    std::vector<std::string> lines;
    for (const auto& one : ran.record.at("changes")) {
        std::string line;
        for (const char* key : {"change", "who", "destination", "port", "proto"})
            if (!one.at(key).is_null()) line += (line.empty() ? "" : " ") + one.at(key).get<std::string>();
        lines.push_back(line);
    }
    return lines;
}

}  // namespace

TEST_CASE("a change is a record for each destination and run of ports") {
    Gateway gw;
    gw.apply(policy("", "", "ipv6 = \"deny\""));
    const Ran ran =
        gw.diff(policy("input.mixed = { from = [\"phone\"], ports = [\"22\", \"ping\", \"6000-6063/udp\"] }",
                       R"([tiers.more]
who = ["phone"]
allow = ["10.1.0.6:80", "10.1.0.6:81", "10.1.0.6:8000-8100", "10.1.0.6:53/udp", "10.1.0.32/28:25", "10.1.0.7:ping",
         "10.1.0.8:*", "10.1.0.9:*/tcp"]
)"));
    const std::vector<std::string> expected = {
        "gain phone 10.1.0.32/28 25 tcp",    "gain phone 10.1.0.6 80-81 tcp",
        "gain phone 10.1.0.6 8000-8100 tcp", "gain phone 10.1.0.6 53 udp",
        "gain phone 10.1.0.7  ping",         "gain phone 10.1.0.8 * any",
        "gain phone 10.1.0.9 * tcp",         "gain phone gw 22 tcp",
        "gain phone gw 6000-6063 udp",       "gain phone gw  ping",
    };
    std::vector<std::string> seen = lines_of(ran);
    std::vector<std::string> wanted = expected;
    std::ranges::sort(seen);
    std::ranges::sort(wanted);
    CHECK(fmt::format("{}", fmt::join(seen, "\n")) == fmt::format("{}", fmt::join(wanted, "\n")));
    for (const auto& one : ran.record.at("changes")) {
        CHECK(one.at("sources") == std::vector<std::string>{"10.0.0.2"});
        CHECK(one.at("cause") == "edit");
        CHECK(one.at("line").get<int>() > 0);
    }
}

TEST_CASE("IPv6 destinations are addresses, and what the host itself sends has no source") {
    Gateway gw;
    std::string dual = policy("output = [\"[fd00:1::9]:53/udp\"]",
                              "[tiers.more]\nwho = [\"phone\"]\nallow = [\"[fd00:1::5]:443\"]", "ipv6 = \"dual\"");
    for (const auto& [one, two] : {std::pair{"\"10.0.0.1\"", "[\"10.0.0.1\", \"fd00::1\"]"},
                                   std::pair{"\"10.0.0.2\"", "[\"10.0.0.2\", \"fd00::2\"]"},
                                   std::pair{"\"10.0.0.3\"", "[\"10.0.0.3\", \"fd00::3\"]"}})
        dual.replace(dual.find(one), std::string(one).size(), two);
    const Ran ran = gw.diff(dual);
    std::size_t found = 0;
    for (const auto& one : ran.record.at("changes")) {
        if (one.at("destination") == "fd00:1::5") {
            ++found;
            CHECK(one.at("port") == "443");
            CHECK(one.at("sources") == std::vector<std::string>{"fd00::2"});
        }
        if (one.at("destination") == "fd00:1::9") {
            ++found;
            CHECK(one.at("who") == "gw");
            CHECK(one.at("port") == "53");
            CHECK(one.at("proto") == "udp");
            CHECK(one.at("sources").empty());
        }
    }
    CHECK(found == 2);
}

TEST_CASE("a move says where the service was and where it is") {
    Gateway gw;
    std::string named = policy();
    named.replace(named.find("10.1.0.5"), 8, "web.example");
    const auto answer = [&](const char* address) {
        gw.resolver.answers["web.example"] = {.outcome = Outcome::answered,
                                              .addresses = {parse_address(address).value()}};
        gw.run(verb_resolve);
    };
    gw.write(named);
    answer("10.1.0.5");
    gw.apply(named);
    answer("10.1.0.6");
    const Ran ran = gw.run(verb_diff);
    CHECK(lines_of(ran) == std::vector<std::string>{"move 10.1.0.6 443 tcp", "move 10.1.0.6 8080 tcp"});
    const auto& one = ran.record.at("changes").at(0);
    CHECK(one.at("service") == "web");
    CHECK(one.at("was") == std::vector<std::string>{"10.1.0.5"});
    CHECK(one.at("sources") == std::vector<std::string>{"10.0.0.2", "10.0.0.3"});
    CHECK(one.at("cause") == "dns");
}
