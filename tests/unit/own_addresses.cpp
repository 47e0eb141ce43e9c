// The difference of two policies at this host's own addresses, which tiers open as inputs and outputs do: the same flow is told once, and not where it stays.
#include "compiler/own_addresses.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "gateway.h"

using namespace policyc;

namespace {

const std::string ssh = "input.ssh = { from = [\"phone\"] }\n";
const std::string all = "input.all = { from = [\"phone\"], ports = [\"*\"] }\n";
const std::string web_out = "output = [\"web\"]\n";

std::string tier(const std::string& who, const std::string& allow) {
    return "[tiers.own]\nwho = [\"" + who + "\"]\nallow = [\"" + allow + "\"]\n";
}

const std::vector<const char*> forms{"tuples", "pairs", "pairs,jumps=0", "tuples,shard=1", "pairs,shard=2"};

// The lines of changes and remarks, single spaces between words, less the place and the reason; the same in every form.
std::vector<std::string> told(const std::string& before, const std::string& after) {
    std::vector<std::string> first;
    for (const char* form : forms) {
        Gateway gw;
        gw.world.layout = parse_layout(form).value();
        gw.apply(before);
        const Ran ran = gw.diff(after);
        std::vector<std::string> lines;
        for (std::size_t at = ran.out.find('\n') + 1; at < ran.out.size();) {
            const std::size_t end = ran.out.find('\n', at);
            std::string line = ran.out.substr(at, end - at);
            at = end + 1;
            if (!line.starts_with("  ")) continue;
            if (const std::size_t place = line.find("/policy.toml"); place != std::string::npos)
                line.resize(line.rfind("  ", place));
            std::string words;
            for (const char c : line)
                if (c != ' ' || (!words.empty() && words.back() != ' ')) words += c;
            while (!words.empty() && words.back() == ' ') words.pop_back();
            lines.push_back(words);
        }
        if (form == forms.front()) first = lines;
        CAPTURE(std::string(form));
        CHECK(lines == first);
    }
    return first;
}

// With the service where the gateway doesn't serve: in scope tunnel, what goes to its own side is never judged.
std::string away(std::string text) {
    text.replace(text.find("serves = [\"10.1."), 16, "serves = [\"10.9.");
    return text;
}

using Lines = std::vector<std::string>;

std::string dual(std::string text) {
    for (const char n : {'1', '2', '3'}) {
        const std::string one = std::string("\"10.0.0.") + n + "\"";
        text.replace(text.find("address = " + one) + 10, one.size(), "[" + one + ", \"fd00::" + n + "\"]");
    }
    return text;
}

}  // namespace

TEST_CASE("a tier that opens at an own address what an input opens already is no gain") {
    for (const std::string& scope : {std::string(), host}) {
        const std::string before = policy(scope + ssh);
        CHECK(told(before, policy(scope + ssh, tier("phone", "gw:22"))) == Lines{});
        CHECK(told(policy(scope + ssh, tier("phone", "gw:22")), before) == Lines{});
        CHECK(told(before, policy(scope + ssh, tier("phone\", \"laptop", "gw:22"))) ==
              Lines{"+ laptop gains gw 10.0.0.1:22/tcp"});
        CHECK(told(before, policy(scope + ssh, tier("phone", "gw:22\", \"gw:23"))) ==
              Lines{"+ phone gains gw 10.0.0.1:23/tcp"});
        CHECK(told(before, policy(scope + ssh, tier("phone", "10.0.0.0/24:22"))) ==
              Lines{"+ phone gains 10.0.0.0/24 10.0.0.0/24:22/tcp but 10.0.0.1"});
        CHECK(told(before, policy(scope + ssh, tier("phone", "10.0.0.0/24:*"))) ==
              Lines{"+ phone gains 10.0.0.0/24 10.0.0.0/24:* but 10.0.0.1:22/tcp"});
        CHECK(told(before, policy(scope + ssh, tier("10.0.0.0/24", "gw:22"))) ==
              Lines{"+ 10.0.0.0/24 but phone (laptop among them) gains gw 10.0.0.1:22/tcp"});
        CHECK(told(policy(scope + ssh, tier("phone", "10.0.0.0/24:22")), before) ==
              Lines{"- phone loses 10.0.0.0/24 10.0.0.0/24:22/tcp but 10.0.0.1"});
    }
}

TEST_CASE("an input comes and goes but at the own address that a tier opens") {
    for (const std::string& scope : {std::string(), host}) {
        const std::string stays = tier("phone", "gw:22");
        CHECK(told(policy(scope + ssh, stays), policy(scope, stays)) ==
              Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1"});
        CHECK(told(policy(scope, stays), policy(scope + ssh, stays)) ==
              Lines{"+ phone gains input.ssh gw:22/tcp but 10.0.0.1"});
        CHECK(told(policy(scope + ssh), policy(scope, stays)) ==
              Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1"});
        const std::string wide = tier("10.0.0.0/24", "10.0.0.0/24:*");
        CHECK(told(policy(scope + ssh, wide), policy(scope, wide)) ==
              Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1"});
        CHECK(told(policy(scope + all, stays), policy(scope, stays)) ==
              Lines{"- phone loses input.all gw:* but 10.0.0.1:22/tcp, 10.1.0.5:443/tcp, 10.1.0.5:8080/tcp"});
        // Whoever is in no such tier loses all of it, and so does every port but that one.
        const std::string two = "input.two = { from = [\"10.0.0.0/24\"], ports = [\"22\", \"23\"] }\n";
        CHECK(told(policy(scope + two, stays), policy(scope, stays)) ==
              Lines{"- 10.0.0.0/24 but phone (laptop among them) loses input.two gw:22-23/tcp",
                    "- phone loses input.two gw:23/tcp; gw:22/tcp but 10.0.0.1"});
        // Another host's address is none of this one.
        const std::string other = tier("phone", "laptop:22");
        CHECK(told(policy(scope + ssh, other), policy(scope, other)) == Lines{"- phone loses input.ssh gw:22/tcp"});
    }
}

TEST_CASE("an input comes and goes but where a tier opens a place in a network that this host serves") {
    for (const std::string& scope : {std::string(), host}) {
        const auto goes = [&](const std::string& allow, const std::string& who = "phone") {
            return told(policy(scope + ssh, tier(who, allow)), policy(scope, tier(who, allow)));
        };
        CHECK(goes("lan:22") == Lines{"- phone loses input.ssh gw:22/tcp but 10.1.0.0/24"});
        CHECK(goes("lan:*", "10.0.0.0/24") == Lines{"- phone loses input.ssh gw:22/tcp but 10.1.0.0/24"});
        CHECK(goes("10.0.0.0/8:22") == Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1, 10.1.0.0/24"});
        CHECK(goes("10.1.0.1:22\", \"gw:22") == Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1, 10.1.0.1"});
        CHECK(goes("0.0.0.0/0:22") == Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1, 10.1.0.0/24"});
        // Other ports, other people, other networks.
        CHECK(goes("lan:23") == Lines{"- phone loses input.ssh gw:22/tcp"});
        CHECK(goes("lan:22", "laptop") == Lines{"- phone loses input.ssh gw:22/tcp"});
        CHECK(goes("10.2.0.0/24:22") == Lines{"- phone loses input.ssh gw:22/tcp"});
        CHECK(told(policy(scope + all, tier("phone", "lan:22")), policy(scope, tier("phone", "lan:22"))) ==
              Lines{"- phone loses input.all gw:* but 10.1.0.0/24:22/tcp, 10.1.0.5:443/tcp, 10.1.0.5:8080/tcp"});
        CHECK(told(policy(scope + ssh), policy(scope, tier("phone", "lan:22"))) ==
              Lines{"+ phone gains lan 10.1.0.0/24:22/tcp", "- phone loses input.ssh gw:22/tcp but 10.1.0.0/24"});
        CHECK(told(policy(scope, tier("phone", "lan:22")), policy(scope + ssh, tier("phone", "lan:22"))) ==
              Lines{"+ phone gains input.ssh gw:22/tcp but 10.1.0.0/24"});
        // What the tier opens is more than that: other hosts are there.
        CHECK(told(policy(scope + ssh), policy(scope + ssh, tier("phone", "lan:22"))) ==
              Lines{"+ phone gains lan 10.1.0.0/24:22/tcp"});
    }
    Gateway gw;
    gw.apply(policy(ssh, tier("phone", "lan:22")));
    const Ran ran = gw.diff(policy("", tier("phone", "lan:22")));
    CHECK(ran.record.at("changes")[0].at("except") == std::vector<std::string>{"10.1.0.0/24"});
}

TEST_CASE("an input of both families is told once, less the addresses of each that a tier opens") {
    const std::string top = "ipv6 = \"dual\"\n";
    const auto of = [&](const std::string& node, const std::string& allow) {
        return dual(policy(node, tier("phone", allow), top));
    };
    CHECK(told(of(ssh, "gw:22"), of("", "gw:22")) ==
          Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1, [fd00::1]"});
    CHECK(told(of(ssh, "10.0.0.1:22"), of("", "10.0.0.1:22")) ==
          Lines{"- phone loses input.ssh gw:22/tcp but 10.0.0.1"});
    CHECK(told(of(all, "[fd00::1]:22"), of("", "[fd00::1]:22")) ==
          Lines{"- phone loses input.all gw:* but 10.1.0.5:443/tcp, 10.1.0.5:8080/tcp, [fd00::1]:22/tcp"});
}

TEST_CASE("what this host sends by a tier of its own and by output is told likewise") {
    for (const std::string& scope : {std::string(), host}) {
        const std::string stays = tier("gw", "web");
        const std::string none = "output = []\n";
        CHECK(told(away(policy(scope + web_out)), away(policy(scope + web_out, stays))) ==
              Lines{"! tiers.own names this host as a source: it allows what this host itself sends, as output does"});
        CHECK(told(away(policy(scope + web_out, stays)), away(policy(scope + none, stays))) ==
              Lines{"- gw but 10.0.0.1 loses web 10.1.0.5:443/tcp, 10.1.0.5:8080/tcp"});
        CHECK(told(away(policy(scope + none, stays)), away(policy(scope + web_out, stays))) ==
              Lines{"+ gw but 10.0.0.1 gains web 10.1.0.5:443/tcp, 10.1.0.5:8080/tcp"});
        const std::string any = "output = [\"10.1.0.5:*\"]\n";
        CHECK(told(away(policy(scope + any, stays)), away(policy(scope + none, stays))) ==
              Lines{"- gw (10.0.0.1) loses 10.1.0.5 10.1.0.5:* but 443/tcp, 8080/tcp",
                    "- gw but 10.0.0.1 loses 10.1.0.5 10.1.0.5:*"});
        CHECK(told(away(policy(scope + web_out)), away(policy(scope + web_out, tier("10.0.0.0/30", "10.1.0.5:443")))) ==
              Lines{"+ 10.0.0.0 gains 10.1.0.5 10.1.0.5:443/tcp"});
    }
}

TEST_CASE("what this host sends is nobody's gain where it isn't judged") {
    CHECK(told(policy(), policy("", tier("gw", "10.1.0.9:53"))) ==
          Lines{"! tiers.own names this host as a source, but without output nothing that this host sends is judged"});
    CHECK(told(policy("", tier("gw", "10.1.0.9:53")), policy()) ==
          Lines{"! no tier names this host as a source any more"});
}

TEST_CASE("the reason is the line that opens or opened it") {
    Gateway gw;
    gw.apply(away(policy("output = []", tier("gw", "web"))));
    CHECK(gw.diff(away(policy(web_out, tier("gw", "web")))).says("nodes.gw.output\n"));
    gw.apply(away(policy(web_out, tier("gw", "web"))));
    const Ran ran = gw.diff(away(policy("output = []", tier("gw", "web"))));
    CHECK(ran.says("removed\n"));
    CHECK(ran.record.at("changes")[0].at("line") == 8);
}

TEST_CASE("the record says at which of its addresses this host is no part of a change") {
    Gateway gw;
    const std::string stays = tier("phone", "gw:22") + "[tiers.out]\nwho = [\"gw\"]\nallow = [\"10.1.0.5:443\"]\n";
    gw.apply(away(policy(all + "output = [\"10.1.0.5:*\"]\n", stays)));
    const Ran ran = gw.diff(away(policy("output = []\n", stays)));
    std::size_t found = 0;
    for (const auto& one : ran.record.at("changes")) {
        CAPTURE(one.dump());
        CHECK(one.at("change") == "loss");
        if (one.at("destination") == "gw") {
            const bool excepted = one.at("port") == "22" && one.at("proto") == "tcp";
            CHECK(one.contains("except") == excepted);
            CHECK(one.at("sources") == std::vector<std::string>{"10.0.0.2"});
            if (excepted) CHECK(one.at("except") == std::vector<std::string>{"10.0.0.1"});
            found += excepted ? 1 : 0;
        } else if (one.contains("except")) {
            CHECK(one.at("except") == std::vector<std::string>{"10.0.0.1"});
            CHECK(one.at("sources").empty());
            CHECK(one.at("port") == "*");
            CHECK(one.at("proto") == "any");
            ++found;
        } else {
            CHECK(one.at("sources") == std::vector<std::string>{"10.0.0.1"});
            CHECK(one.at("port") != "443");
            ++found;
        }
    }
    CHECK(found == 7);
}

TEST_CASE("an address that this host doesn't have on both sides is judged as what it is") {
    Gateway gw;
    gw.apply(policy(ssh));
    std::string edited = policy(ssh, tier("phone", "10.0.0.1:22"));
    edited.replace(edited.find("address = \"10.0.0.1\""), 20, "address = \"10.0.0.9\"");
    CHECK(gw.diff(edited).says("+ phone  gains  10.0.0.1  10.0.0.1:22/tcp"));
}

TEST_CASE("a hand that takes an input out of the kernel is seen where a tier stays") {
    Gateway gw;
    const std::string text = policy(ssh, tier("phone", "gw:22"));
    gw.apply(text);
    for (ir::Set& set : gw.table().sets)
        if (set.name == "input_tcp4") set.elements = ir::Elements(set.types, false);
    const Ran ran = gw.diff(text);
    CHECK(ran.says("gw:22/tcp but 10.0.0.1"));
    CHECK(ran.says("was taken out of the kernel, not by policyc"));
}
