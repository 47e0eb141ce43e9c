// Lines of a difference: true of all that they name, and in the words of the policy, where people and services lie in networks.
#include "compiler/lines.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "compiler/box_text.h"
#include "gateway.h"

using namespace policyc;

namespace {

const std::string world = R"(version = 1
[networks]
home = ["10.1.0.0/24"]
lan = ["10.0.0.0/24"]
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
serves = ["home"]
[nodes.phone]
address = "{phone}"
[nodes.laptop]
address = "{laptop}"
[services]
web = "{web}:443"
tv = "{tv}:443"
)";

struct At {
    std::string phone = "10.0.0.2";
    std::string laptop = "10.0.0.3";
    std::string web = "10.1.0.5";
    std::string tv = "10.1.0.6";
};

// A tier for each "who: what, what".
std::string tiers(const std::vector<std::string>& list, const At& at = {}) {
    std::string text = world;
    for (const auto& [mark, value] : {std::pair("{phone}", at.phone), std::pair("{laptop}", at.laptop),
                                      std::pair("{web}", at.web), std::pair("{tv}", at.tv)})
        text.replace(text.find(mark), std::string(mark).size(), value);
    const auto quoted = [](std::string names) {
        for (std::size_t i = 0; (i = names.find(", ", i)) != std::string::npos; i += 4) names.replace(i, 2, "\", \"");
        return "[\"" + names + "\"]";
    };
    int number = 0;
    for (const std::string& tier : list) {
        const std::size_t colon = tier.find(": ");
        text += fmt::format("[tiers.t{}]\nwho = {}\nallow = {}\n", ++number, quoted(tier.substr(0, colon)),
                            quoted(tier.substr(colon + 2)));
    }
    return text;
}

// "- lan loses web 10.1.0.5:443/tcp": without places and reasons, which come after them.
std::vector<std::string> lines(const std::string& before, const std::string& after, const char* layout = "automatic") {
    Gateway gw;
    gw.world.layout = parse_layout(layout).value();
    gw.apply(before);
    const Ran ran = gw.diff(after);
    std::vector<std::string> out;
    std::size_t at = ran.out.find('\n') + 1;
    while (at < ran.out.size()) {
        const std::size_t end = ran.out.find('\n', at);
        std::string line = ran.out.substr(at, end - at);
        at = end + 1;
        line.resize(std::min(line.size(), line.find("/policy.toml") == std::string::npos
                                              ? line.size()
                                              : line.rfind("  ", line.find("/policy.toml"))));
        std::string words;
        for (const char c : line)
            if (c != ' ' || (!words.empty() && words.back() != ' ')) words += c;
        while (!words.empty() && words.back() == ' ') words.pop_back();
        if (words.starts_with("+") || words.starts_with("-") || words.starts_with("~") || words.starts_with("!"))
            out.push_back(words);
    }
    return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("who loses what stays allowed by another entry is not in the line") {
    for (const char* layout : {"tuples", "pairs"}) {
        CAPTURE(layout);
        const auto diff = [&](const Lines& before, const Lines& after) {
            return lines(tiers(before), tiers(after), layout);
        };
        CHECK(diff({"lan: web", "laptop: web"}, {"laptop: web"}) ==
              Lines{"- lan but laptop (phone among them) loses web 10.1.0.5:443/tcp"});
        CHECK(diff({"laptop: home:80"}, {"lan: home:80", "laptop: home:80"}) ==
              Lines{"+ lan but laptop (phone among them) gains home 10.1.0.0/24:80/tcp"});
        CHECK(diff({"laptop: home:*", "phone: tv"}, {"laptop: web", "phone: tv"}) ==
              Lines{"- laptop loses home 10.1.0.0/24:* but 10.1.0.5:443/tcp"});
        CHECK(diff({"laptop: home:*"}, {"laptop: web, home:22, tv"}) ==
              Lines{"- laptop loses home 10.1.0.0/24:* but 22/tcp, 10.1.0.5-10.1.0.6:443/tcp"});
        CHECK(diff({"laptop: web"}, {"laptop: home:443"}) ==
              Lines{"+ laptop gains home 10.1.0.0/24:443/tcp but 10.1.0.5"});
        CHECK(diff({"laptop: 10.1.0.9:*"}, {"laptop: 10.1.0.9:80"}) ==
              Lines{"- laptop loses 10.1.0.9 10.1.0.9:* but 80/tcp"});
        CHECK(diff({"laptop: 10.1.0.9:*"}, {"laptop: 10.1.0.9:*/tcp, 10.1.0.9:*/udp, 10.1.0.9:ping"}) ==
              Lines{"- laptop loses 10.1.0.9 10.1.0.9:* but */tcp, */udp, ping"});
        CHECK(diff({"lan: home:80"}, {"10.0.0.0/25: home:80"}) ==
              Lines{"- 10.0.0.128/25 loses home 10.1.0.0/24:80/tcp"});
        CHECK(diff({"10.0.0.0/25: web"}, {"10.0.0.2/31: web"}).size() == 1);
    }
}

TEST_CASE("people who keep different things of what their network loses have lines of their own") {
    for (const char* layout : {"tuples", "pairs"}) {
        CAPTURE(layout);
        CHECK(lines(tiers({"lan: home:*", "laptop: web"}), tiers({"laptop: web"}), layout) ==
              Lines{"- lan but laptop (phone among them) loses home 10.1.0.0/24:*",
                    "- laptop loses home 10.1.0.0/24:* but 10.1.0.5:443/tcp"});
    }
}

TEST_CASE("people in a network are named") {
    CHECK(lines(tiers({"lan: web"}), tiers({"lan: web, tv"})) ==
          Lines{"+ lan (phone, laptop among them) gains tv 10.1.0.6:443/tcp"});
    CHECK(lines(tiers({"10.0.0.0/30: web"}), tiers({"10.0.0.3: tv", "10.0.0.0/30: web"})) ==
          Lines{"+ 10.0.0.3 (laptop) gains tv 10.1.0.6:443/tcp"});
}

TEST_CASE("who is in several networks of a tier has the name of the first one") {
    const auto both = [](const std::string& first, const std::string& second) {
        return fmt::format("{}", fmt::join(lines(tiers({"10.0.0.0/25: web"}),
                                                 tiers({"10.0.0.0/25: web", first + ", " + second + ": tv"}), "pairs"),
                                           "\n"));
    };
    CHECK(both("10.0.0.0/25", "lan") ==
          "+ 10.0.0.0/25 (phone, laptop among them) gains tv 10.1.0.6:443/tcp\n"
          "+ 10.0.0.128/25 gains tv 10.1.0.6:443/tcp");
    CHECK(both("lan", "10.0.0.0/25") == "+ lan (phone, laptop among them) gains tv 10.1.0.6:443/tcp");
}

TEST_CASE("who or what exchanges addresses has moved, and what is allowed before and after is on neither side") {
    const Lines both{"phone: web", "laptop: tv"};
    CHECK(lines(tiers(both), tiers(both, {.phone = "10.0.0.3", .laptop = "10.0.0.2"})) ==
          Lines{"~ laptop moves 10.0.0.3 -> 10.0.0.2", "~ phone moves 10.0.0.2 -> 10.0.0.3"});
    CHECK(lines(tiers(both), tiers(both, {.web = "10.1.0.6", .tv = "10.1.0.5"})) ==
          Lines{"~ tv moves 10.1.0.6 -> 10.1.0.5", "~ web moves 10.1.0.5 -> 10.1.0.6"});
    const Lines shared{"phone, laptop: web", "laptop: tv"};
    CHECK(lines(tiers(shared), tiers(shared, {.phone = "10.0.0.3", .laptop = "10.0.0.2"})) ==
          Lines{"~ laptop moves 10.0.0.3 -> 10.0.0.2"});
    CHECK(
        lines(tiers({"phone, laptop: web"}), tiers({"phone, laptop: web"}, {.phone = "10.0.0.3", .laptop = "10.0.0.2"}))
            .empty());
    CHECK(lines(tiers({"phone: web, tv"}), tiers({"phone: web, tv"}, {.web = "10.1.0.6", .tv = "10.1.0.5"})).empty());
    // What else an edit does is told beside it.
    CHECK(lines(tiers({"phone: web"}), tiers({"phone: web, tv"}, {.phone = "10.0.0.9"})) ==
          Lines{"+ phone gains tv 10.1.0.6:443/tcp", "~ phone moves 10.0.0.2 -> 10.0.0.9"});
}

TEST_CASE("who has another address and not just the same is not said to gain what it loses") {
    CHECK(lines(tiers({"phone: 10.1.0.9:80"}), tiers({"phone: 10.1.0.9:80, 10.1.0.9:81"}, {.phone = "10.0.0.9"})) ==
          Lines{"+ phone (10.0.0.9) gains 10.1.0.9 10.1.0.9:80-81/tcp",
                "- phone (10.0.0.2) loses 10.1.0.9 10.1.0.9:80/tcp"});
}

TEST_CASE("a person's move is a record with both addresses") {
    Gateway gw;
    gw.apply(tiers({"phone: web"}));
    const Ran ran = gw.diff(tiers({"phone: web"}, {.phone = "10.0.0.9"}));
    REQUIRE(ran.record.at("changes").size() == 1);
    const auto& one = ran.record.at("changes").at(0);
    CHECK(one.at("change") == "move");
    CHECK(one.at("who") == "phone");
    CHECK(one.at("service").is_null());
    CHECK(one.at("sources") == Lines{"10.0.0.9"});
    CHECK(one.at("was") == Lines{"10.0.0.2"});
    CHECK(one.at("destination") == "10.1.0.5");
    CHECK(ran.widens());
    CHECK(ran.narrows());
}

TEST_CASE("lists of boxes: the same flows, each once, and each list the product of its ends") {
    std::mt19937 random(5);
    const auto range = [&] {
        const u128 a = random() % 5;
        return Range{Family::ipv4, a, std::min<u128>(4, a + random() % 3)};
    };
    const std::vector<Ports> choices{{Protocol::any, 0, 0},
                                     {Protocol::tcp, 1, 3},
                                     {Protocol::tcp, 2, 2},
                                     {Protocol::udp, 2, 2},
                                     {Protocol::ping, 0, 0}};
    using Flow = std::tuple<u128, u128, unsigned>;  // the last one: a few protocols and ports
    const auto flows_of = [&](const Box& box, std::multiset<Flow>& flows) {
        for (u128 s = box.source.lo; s <= box.source.hi; ++s)
            for (u128 d = box.destination.lo; d <= box.destination.hi; ++d) {
                const auto protocol = box.ports.protocol;
                const bool any = protocol == Protocol::any;
                if (any) flows.insert({s, d, 0});
                if ((any && !box.others) || protocol == Protocol::ping) flows.insert({s, d, 1});
                for (unsigned port = 1; port <= 4; ++port) {
                    const bool in = box.ports.lo <= port && port <= box.ports.hi;
                    if ((any && !box.others) || (protocol == Protocol::tcp && in)) flows.insert({s, d, 10 + port});
                    if ((any && !box.others) || (protocol == Protocol::udp && in)) flows.insert({s, d, 20 + port});
                }
            }
    };
    for (int round = 0; round < 500; ++round) {
        std::vector<Box> boxes;
        for (unsigned i = 0; i < 1 + random() % 5; ++i)
            boxes.push_back({Direction::forward, range(), range(), choices[random() % choices.size()]});
        std::multiset<Flow> wanted;
        for (const Box& box : boxes) flows_of(box, wanted);
        std::multiset<Flow> seen;
        for (const std::vector<Box>& list : by_sources(boxes)) {
            std::multiset<Flow> product;
            std::set<u128> sources;
            std::set<std::pair<u128, unsigned>> reached;
            for (const Box& box : list) flows_of(box, product);
            for (const auto& [s, d, p] : product) {
                sources.insert(s);
                reached.insert({d, p});
            }
            REQUIRE(product.size() == sources.size() * reached.size());
            seen.insert(product.begin(), product.end());
        }
        REQUIRE(std::set<Flow>(wanted.begin(), wanted.end()) == std::set<Flow>(seen.begin(), seen.end()));
        REQUIRE(seen.size() == std::set<Flow>(seen.begin(), seen.end()).size());
    }
}
