// explain: which lines of the policy are shown of an answer, and how often.
#include <doctest/doctest.h>

#include <string>

#include "gateway.h"

using namespace policyc;

namespace {

constexpr const char* itemized = R"(version = 1
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
serves = ["10.1.0.0/24"]
input.a = { from = ["laptop"], ports = ["22", "53/udp", "ping"] }
input.dns = { from = ["phone"] }
[nodes.phone]
address = "10.0.0.2"
[nodes.laptop]
address = "10.0.0.3"
[services]
nas = { host = "10.1.0.7", ports = ["22", "1-100"] }
halves = { host = "10.1.0.11", ports = ["1-100", "101-200"] }
slow = { host = "10.1.0.12", ports = 22, limit = "5/minute" }
[groups]
both = ["slow", "10.1.0.12:22", "10.1.0.12:20-30"]
[tiers.work]
who = ["laptop"]
allow = ["nas", "halves", "10.1.0.7:20-30", "both"]
)";

struct Lines : Gateway {
    Lines() { write(itemized); }

    Ran ask(const std::string& from, const std::string& to) {
        options.from = from;
        options.target = to;
        options.node = "gw";
        Ran ran = run(verb_explain);
        REQUIRE(ran.error == std::nullopt);
        return ran;
    }
    // How many lines say that they are of that holder, and how many records are of it.
    std::size_t count(const std::string& from, const std::string& to, const std::string& holder) {
        const Ran ran = ask(from, to);
        INFO(from, " -> ", to, "\n", ran.out);
        std::size_t lines = 0;
        for (std::size_t at = ran.out.find("^ " + holder); at != std::string::npos;
             at = ran.out.find("^ " + holder, at + 1))
            ++lines;
        options.format = "json";
        const Ran json = ask(from, to);
        options.format = "text";
        std::size_t records = 0;
        for (const auto& line : json.record.at("answers").at(0).at("allowed_by")) records += line.at("via") == holder;
        CHECK(records == lines);
        return lines;
    }
};

}  // namespace

TEST_CASE("a line is shown once, however many items its ports have") {
    Lines here;
    CHECK(here.count("laptop", "gw:22", "input.a") == 1);
    CHECK(here.count("phone", "gw:53/udp", "input.dns") == 1);
    CHECK(here.count("laptop", "10.1.0.7:22", "tiers.work") == 2);  // of the service and of the address
    CHECK(here.ask("laptop", "gw:20-30").says("input.a, a part of it"));
    // Items that hold it only together are one line that holds it whole.
    const Ran halves = here.ask("laptop", "10.1.0.11:50-150");
    CHECK(halves.says("^ tiers.work\n"));
    CHECK_FALSE(halves.says("a part of it"));
    CHECK(here.ask("laptop", "10.1.0.11:150-250").says("^ tiers.work, a part of it"));
}

TEST_CASE("an entry that opens something on different terms is shown with each of them") {
    Lines here;
    CHECK(here.count("laptop", "10.1.0.12:22", "tiers.work") == 2);
    CHECK(here.ask("laptop", "10.1.0.12:22").says("^ tiers.work, at most 5/minute"));
}
