// Why something comes or goes where several things happened to one person and service: each line and record has its own cause, and its own place.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway.h"

using namespace policyc;

namespace {

using Records = std::vector<std::string>;

const std::string base = R"(version = 1
[networks]
home = ["10.1.0.0/16"]
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
[nodes.phone]
address = "10.0.0.2"
)";

std::string nas(const std::string& ports) {
    return base + "[services]\nnas = { host = \"nas.example\", ports = [" + ports +
           "] }\n[tiers.vpn]\nwho = [\"phone\"]\nallow = [\"nas\"]\n";
}

void lock(Gateway& gw, const std::string& addresses) {
    gw.write("version = 1\n\n[names.\"nas.example\"]\naddresses = [" + addresses +
                 "]\nttl = 300\nresolved = \"2026-11-24T10:00:00Z\"\n",
             "policy.lock");
}

// "gain 10.1.0.5:22 dns", sorted; with the line of the policy where that is asked for.
Records records(const Ran& ran, bool with_line = false) {
    Records all;
    for (const auto& one : ran.record.at("changes")) {
        std::string text = fmt::format("{} {}:{} {}", one.at("change").get<std::string>(),
                                       one.at("destination").get<std::string>(), one.at("port").get<std::string>(),
                                       one.at("cause").get<std::string>());
        if (with_line) text += fmt::format(" {}", one.at("line").get<int>());
        all.push_back(text);
    }
    std::ranges::sort(all);
    return all;
}

// What somebody made of the table by hand: that of another policy.
void put(Gateway& gw, const std::string& text, const std::string& addresses) {
    Gateway other;
    lock(other, addresses);
    other.apply(text);
    gw.table() = *other.kernel.loaded;
}

constexpr const char* five = R"("10.1.0.5")";
constexpr const char* both = R"("10.1.0.5", "10.1.0.6")";

}  // namespace

TEST_CASE("an edit and an answer of DNS at once") {
    Gateway gw;
    lock(gw, five);
    gw.apply(nas("22, 445"));
    lock(gw, both);
    const Ran more = gw.diff(nas("22, 445, 8080"));
    CHECK(records(more) == Records{"gain 10.1.0.5:8080 edit", "gain 10.1.0.6:22 dns", "gain 10.1.0.6:445 dns",
                                   "gain 10.1.0.6:8080 edit"});
    CHECK(more.says("DNS, locked 2 h ago"));
    gw.apply(nas("22, 445, 8080"));
    lock(gw, five);
    const Ran fewer = gw.diff(nas("22"));
    CHECK(records(fewer) == Records{"loss 10.1.0.5:445 edit", "loss 10.1.0.5:8080 edit", "loss 10.1.0.6:22 dns",
                                    "loss 10.1.0.6:445 edit", "loss 10.1.0.6:8080 edit"});
}

TEST_CASE("somebody took an element out of the kernel, and the policy was edited or a name got another address") {
    Gateway gw;
    lock(gw, five);
    gw.apply(nas("22, 445"));
    put(gw, nas("22"), five);
    CHECK(records(gw.diff(nas("22, 445, 8080"))) == Records{"gain 10.1.0.5:445 drift", "gain 10.1.0.5:8080 edit"});
    lock(gw, both);
    CHECK(records(gw.diff(nas("22, 445"))) ==
          Records{"gain 10.1.0.5:445 drift", "gain 10.1.0.6:22 dns", "gain 10.1.0.6:445 dns"});
    CHECK(gw.run(verb_diff).says("was taken out of the kernel, not by policyc"));
    // Put in by hand, beside what was edited out.
    lock(gw, five);
    put(gw, nas("22, 445, 99"), five);
    CHECK(records(gw.diff(nas("22"))) == Records{"loss 10.1.0.5:445 edit", "loss 10.1.0.5:99 drift"});
}

TEST_CASE("several entries open one service, each on its own line") {
    const auto tiers = [](const std::string& x, const std::string& y, const std::string& z) {
        return base + fmt::format("[services]\nnas = {{ host = \"10.1.0.5\", ports = [1] }}\n"
                                  "[tiers]\nx = {{ who = [\"phone\"], allow = [\"nas:{}\"] }}\n"
                                  "y = {{ who = [\"phone\"], allow = [\"nas:{}\"] }}\n"
                                  "z = {{ who = [\"phone\"], allow = [\"nas:{}\"] }}\n",
                                  x, y, z);
    };
    Gateway gw;
    CHECK(records(gw.apply(tiers("22", "445", "23")), true) ==
          Records{"gain 10.1.0.5:22 edit 13", "gain 10.1.0.5:23 edit 15", "gain 10.1.0.5:445 edit 14"});
    CHECK(records(gw.diff(tiers("22", "446", "24")), true) ==
          Records{"gain 10.1.0.5:24 edit 15", "gain 10.1.0.5:446 edit 14", "loss 10.1.0.5:23 edit 15",
                  "loss 10.1.0.5:445 edit 14"});
}

TEST_CASE("a tier that waits for a grant from now on") {
    const auto policy = [](const std::string& more) {
        return base + "[tiers.vpn]\nwho = [\"phone\"]\nallow = [\"home:22\"]\n" + more;
    };
    Gateway gw;
    gw.apply(policy(""));
    const std::string grant = "grant = { max = \"4h\", default = \"1h\", by = [\"wheel\"] }\n";
    CHECK(gw.diff(policy(grant)).says("needs a grant now"));
    CHECK(gw.diff(base).says("removed"));
}
