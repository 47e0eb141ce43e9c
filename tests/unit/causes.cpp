// Why something comes or goes where several things happened to one person and service: each line and record has its own cause, and its own place.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "gateway.h"

using namespace policyc;

namespace {

using Records = std::vector<std::string>;

const std::string& base = one_person;

std::string nas(const std::string& ports) {
    return base + "[services]\nnas = { host = \"nas.example\", ports = [" + ports +
           "] }\n[tiers.vpn]\nwho = [\"phone\"]\nallow = [\"nas\"]\n";
}

void lock(Gateway& gw, const std::string& addresses) {
    gw.write(lock_of("nas.example", addresses), "policy.lock");
}

// "gain 10.1.0.5:22 dns", sorted; with the line of the policy where that is asked for.
Records records(const Ran& ran, bool with_line = false) {
    Records all;
    for (const auto& one : ran.record.at("changes")) {
        std::string text =
            fmt::format("{} {}:{} {}", one.at("change").get<std::string>(), one.at("destination").get<std::string>(),
                        one.at("port").get<std::string>(), one.at("cause").get<std::string>());
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
        return base + fmt::format(
                          "[services]\nnas = {{ host = \"10.1.0.5\", ports = [1] }}\n"
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

TEST_CASE("a range of ports that grows while its name moves") {
    Gateway gw;
    lock(gw, five);
    gw.apply(nas("\"85-90\""));
    lock(gw, R"("10.1.0.6")");
    CHECK(records(gw.diff(nas("\"85-95\""))) ==
          Records{"gain 10.1.0.6:85-90 dns", "gain 10.1.0.6:91-95 edit", "loss 10.1.0.5:85-90 dns"});
    // Likewise of a range that is one element, and not one for each port.
    lock(gw, five);
    gw.apply(nas("\"1000-2000\""));
    lock(gw, R"("10.1.0.6")");
    CHECK(records(gw.diff(nas("\"1000-3000\""))) ==
          Records{"gain 10.1.0.6:1000-2000 dns", "gain 10.1.0.6:2001-3000 edit", "loss 10.1.0.5:1000-2000 dns"});
    lock(gw, five);
    gw.apply(nas("\"85-90\""));
    // An element that is gone from the kernel, of a range that the new policy has as another one.
    lock(gw, five);
    put(gw, base, five);
    CHECK(records(gw.diff(nas("\"84-91\""))) ==
          Records{"gain 10.1.0.5:84 edit", "gain 10.1.0.5:85-90 drift", "gain 10.1.0.5:91 edit"});
}

TEST_CASE("a name moves, and an entry beside it is cut otherwise than before") {
    Gateway gw;
    lock(gw, five);
    const std::string wide = "\"10.0.0.0/29\"";
    const auto policy = [&](const std::string& more) {
        std::string text = nas("\"85-90\"");
        text.replace(text.find("\"phone\"]"), 7, wide);
        return text + more;
    };
    gw.apply(policy(""));
    lock(gw, R"("10.1.0.6")");
    const Ran ran = gw.diff(policy("[tiers.u]\nwho = [\"phone\"]\nallow = [\"10.1.0.0/29:85\"]\n"));
    for (const auto& one : ran.record.at("changes"))
        if (one.at("service") == "nas") CHECK(one.at("cause") == "dns");
    CHECK(ran.says("DNS, locked 2 h ago"));
}

TEST_CASE("what has expired is told by what goes, not by whom it is of") {
    const auto tiers = [](const std::string& expiry, const std::string& entries) {
        return base + "[services]\nweb = \"10.1.0.5:80\"\n[tiers.t]\nwho = [\"phone\"]\nallow = [" + entries + "]\n" +
               expiry + "[tiers.u]\nwho = [\"phone\"]\nallow = [\"10.1.0.9:50-60\"]\n";
    };
    Gateway gw;
    gw.apply(tiers("", "\"web\", \"10.1.0.9:1-100\""));
    const Ran ran = gw.diff(tiers("expires = 2026-11-02\n", "\"web\", \"10.1.0.9:1-100\""));
    CHECK_FALSE(ran.says("removed"));
    const Ran both = gw.diff(tiers("expires = 2026-11-02\n", "\"web\""));
    CHECK(both.says("expired"));
    CHECK(both.says("removed"));
}

TEST_CASE("what grows has not moved") {
    const auto at = [](const std::string& host) {
        return base + "[services]\nnas = \"" + host + ":22\"\n[tiers.vpn]\nwho = [\"phone\"]\nallow = [\"nas\"]\n";
    };
    Gateway gw;
    gw.apply(at("10.1.0.4"));
    CHECK(gw.diff(at("10.1.0.5")).says("~ nas"));
    const Ran ran = gw.diff(at("10.1.1.0/24"));
    CHECK_FALSE(ran.says("~ nas"));
    CHECK(ran.says("1 wider"));
}

TEST_CASE("neighbours that a wider entry joins to one source") {
    const auto policy = [](const std::string& staff) {
        std::string services;
        std::string some;
        std::string more;
        for (int i = 0; i < 20; ++i) {
            services += fmt::format("s{} = {{ host = \"10.1.0.{}\", ports = [80, \"1000-1005\"] }}\n", i, 20 + i);
            (i < 10 ? some : more) += fmt::format("\"s{}\", ", i);
        }
        return base + "[services]\ndns = { host = \"10.1.0.5\", ports = [53] }\n" + services +
               "[tiers.everybody]\nwho = [\"10.8.0.0/16\"]\nallow = [" + some +
               "]\n[tiers.staff]\nwho = [\"10.8.0.0/25\", \"10.8.0.128/25\"]\nallow = [" + more + staff + "]\n";
    };
    const auto told = [](const Ran& ran) {
        Records all;
        for (const auto& one : ran.record.at("changes"))
            all.push_back(fmt::format("{} {} {} {} {}", one.at("change").get<std::string>(),
                                      one.at("who").get<std::string>(), one.at("sources").at(0).get<std::string>(),
                                      one.at("service").dump(), one.at("line").is_number()));
        std::ranges::sort(all);
        return all;
    };
    Gateway gw;
    gw.apply(policy("\"dns\""));
    const Ran lost = gw.diff(policy(""));
    CHECK(told(lost) ==
          Records{"loss 10.8.0.0/25 10.8.0.0/25 \"dns\" true", "loss 10.8.0.128/25 10.8.0.128/25 \"dns\" true"});
    CHECK(lost.says("removed"));
    put(gw, policy(""), five);
    CHECK(told(gw.diff(policy("\"dns\""))) ==
          Records{"gain 10.8.0.0/25 10.8.0.0/25 \"dns\" true", "gain 10.8.0.128/25 10.8.0.128/25 \"dns\" true"});
    CHECK(gw.run(verb_diff).says("was taken out of the kernel, not by policyc"));
}

TEST_CASE("what is gone from the kernel, and the new policy doesn't want either, opens nothing") {
    Gateway gw;
    lock(gw, five);
    gw.apply(nas("22, 23, 445"));
    put(gw, nas("22, 23"), five);
    const Ran ran = gw.diff(nas("22"));
    CHECK(records(ran) == Records{"loss 10.1.0.5:23 edit"});
    CHECK(ran.says("missing from the kernel: "));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());
    CHECK(gw.diff(nas("22, 445")).widens());
}

TEST_CASE("a policy of the record, or one that was never in force, that is too entangled to be compiled") {
    const std::string plain = base + "[tiers.vpn]\nwho = [\"phone\"]\nallow = [\"10.1.0.9:22\", \"10.1.0.9:80\"]\n";
    const std::string fewer = base + "[tiers.vpn]\nwho = [\"phone\"]\nallow = [\"10.1.0.9:22\"]\n";
    const auto wide = [](const std::string& expires) {
        return "[tiers.a]\nwho = [\"10.0.0.0/24\"]\nallow = [\"10.1.0.0/24:1-10000\"]\n" + expires +
               "[tiers.b]\nwho = [\"10.0.0.0/25\"]\nallow = [\"10.1.0.0/25:5000-20000\"]\n" + expires;
    };
    Gateway gw;
    gw.apply(plain + wide(""));
    gw.world.layout = parse_layout("ranges=2").value();
    const Ran ran = gw.diff(fewer);
    CHECK(ran.status == 1);
    CHECK(ran.notes.find("is too entangled for this policyc; without the record") != std::string::npos);
    gw.apply(plain);
    const Ran lost = gw.diff(fewer + wide("expires = 2020-01-01\n"));
    CHECK(records(lost) == Records{"loss 10.1.0.9:80 edit"});
    CHECK_FALSE(lost.says("expired "));
}

TEST_CASE("who is left out of a network is named once, and only where all of it is") {
    const std::string top = R"(version = 1
ipv6 = "dual"
[networks]
home = ["10.1.0.0/24", "fd01::/64"]
lan = ["10.9.1.0/28", "fd09:1::/124"]
[nodes.gw]
role = "gateway"
address = ["10.9.0.1", "fd09::1"]
interface = "wg0"
serves = ["home"]
)";
    const auto input = [&](const char* from) {
        return top + "input.ssh = { from = [\"" + from + "\"] }\n[nodes.b]\naddress = [\"10.9.1.3\", \"fd09:1::3\"]\n";
    };
    Gateway gw;
    gw.apply(input("lan"));
    CHECK(gw.diff(input("b")).says("- lan but b  loses"));

    const std::string last = top +
                             "[nodes.a]\naddress = [\"10.9.1.3\", \"fd09:1::3\"]\n[tiers.t2]\nwho = [\"10.9.1.0/29\", "
                             "\"a\"]\nallow = [\"home:80\"]\n";
    gw.world.layout = parse_layout("pairs").value();
    gw.apply(last);
    const Ran ran = gw.diff(last + "[tiers.t0]\nwho = [\"a\", \"lan\"]\nallow = [\"home:90\"]\n");
    CHECK(ran.says("+ lan but fd09:1::3 (a among them)"));
}

TEST_CASE("a person who moves into a network has some of it by that network") {
    const auto at = [](const std::string& address) {
        std::string text = base;
        text.insert(text.find("[nodes.gw]"), "lan = [\"10.9.1.0/24\"]\n");
        text += "[nodes.b]\naddress = \"" + address +
                "\"\n[services]\nweb = \"10.1.0.5:80\"\nnas = \"10.1.0.6:445\"\n"
                "[tiers.t]\nwho = [\"b\"]\nallow = [\"web\", \"nas\"]\n"
                "[tiers.u]\nwho = [\"lan\"]\nallow = [\"web\"]\n";
        return text;
    };
    Gateway gw;
    gw.apply(at("10.9.0.12"));
    const Ran ran = gw.diff(at("10.9.1.12"));
    CHECK(ran.says("- b (10.9.0.12)  loses  web"));
    CHECK(ran.says("~ b "));
    CHECK(ran.says("its address was edited"));
}

TEST_CASE("what expired has one place, whoever loses it") {
    const auto until = [](const char* day) {
        std::string text = base;
        text.insert(text.find("[nodes.gw]"), "lan = [\"10.9.1.0/24\"]\n");
        return text + "[nodes.b]\naddress = \"10.9.1.12\"\n[services]\ns = \"10.1.0.5:80\"\n" +
               "t = { host = \"10.1.0.5\", ports = [443], expires = " + day + " }\n" +
               "[tiers.t]\nwho = [\"phone\", \"lan\"]\nallow = [\"s\", \"t\"]\n[tiers.u]\nwho = [\"b\"]\nallow = "
               "[\"home:22\"]\n";
    };
    Gateway gw;
    gw.world.layout = parse_layout("tuples").value();
    gw.apply(until("2026-12-31"));
    // A line further down than in the last policy.
    const Ran ran = gw.diff("\n" + until("2026-11-02"));
    REQUIRE(ran.record.at("changes").size() == 2);
    for (const auto& one : ran.record.at("changes")) CHECK(one.at("line") == 19);
}

TEST_CASE("a part of what the last policy allows, that somebody put in its place, has the line of that") {
    const auto tier = [](const char* who) {
        std::string text = base;
        text.insert(text.find("[nodes.gw]"), "lan = [\"10.9.1.0/24\"]\n");
        return text + "[services]\nweb = \"10.1.0.5:80\"\n[tiers.t]\nwho = [" + who + "]\nallow = [\"web\"]\n";
    };
    Gateway gw;
    gw.apply(tier("\"lan\", \"phone\""));
    put(gw, tier("\"10.9.1.7\", \"phone\""), five);
    const Ran ran = gw.diff(tier("\"phone\""));
    CHECK(records(ran, true) == Records{"loss 10.1.0.5:80 edit 15"});
    CHECK(ran.says("- 10.9.1.7  loses  web"));
}
