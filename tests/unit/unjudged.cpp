// What no node judges: entries of tiers and what tests deny, and that nothing is said where it isn't certain.
#include "policy/unjudged.h"

#include <doctest/doctest.h>

#include "checked.h"

using namespace policyc;

namespace {

// A hub, a gateway and two clients, with lines of one's own for each; what is added begins at line 28.
struct Roads {
    std::string top;
    std::string hub;
    std::string gateway;
    std::string laptop = "peer = \"vps\"\n";
    std::string phone = "peer = \"vps\"\n";

    [[nodiscard]] std::string with(const std::string& more) const {
        return "version = 1\n" + top +
               "[networks]\nhome = [\"10.69.13.0/24\"]\n"
               "[nodes.vps]\nrole = \"hub\"\naddress = \"10.69.50.1\"\ninterface = \"wg1\"\n"
               "endpoint = \"198.51.100.1:51820\"\n" +
               hub +
               "[nodes.gw]\nrole = \"gateway\"\npeer = \"vps\"\naddress = \"10.69.50.2\"\ninterface = \"wg0\"\n"
               "serves = [\"home\"]\n" +
               gateway + "[nodes.laptop]\naddress = \"10.69.50.11\"\n" + laptop +
               "[nodes.phone]\naddress = \"10.69.50.12\"\n" + phone + more;
    }
};

std::string list(const std::string& words) {
    std::string text;
    for (std::size_t at = 0, end = 0; at <= words.size(); at = end + 1) {
        end = std::min(words.find(' ', at), words.size());
        text += (text.empty() ? "\"" : ", \"") + words.substr(at, end - at) + "\"";
    }
    return "[" + text + "]";
}

// What is said of it: the entry, and the label and help that name a node.
std::string said(const std::string& text, const Addresses& addresses = {}) {
    const Checked checked(text);
    REQUIRE_MESSAGE(checked.policy, checked.said());
    Diagnostics diagnostics;
    warn_unjudged(*checked.policy, addresses, diagnostics);
    std::string out;
    for (const Diagnostic& d : diagnostics.all())
        out +=
            checked.at(d.primary.span) + ": " + d.remarks.front().text.substr(13) + ": " + d.remarks.back().text + "\n";
    return out;
}

std::string denied(const Roads& roads, const std::string& from, const std::string& deny) {
    return said(roads.with("[[test]]\nname = \"t\"\nfrom = " + list(from) + "\ndeny = " + list(deny) + "\n"));
}

std::string allowed(const Roads& roads, const std::string& who, const std::string& allow, const std::string& more = {},
                    const Addresses& addresses = {}) {
    return said(roads.with("[tiers.t]\nwho = " + list(who) + "\nallow = " + list(allow) + "\n" + more), addresses);
}

}  // namespace

TEST_CASE("what a test denies and no node judges is said, with an example and the node that could") {
    const Roads roads;
    const std::string by_hub = ": scope = \"tunnel\" on vps judges what goes from tunnel to tunnel\n";
    const std::string at_hub = ": scope = \"tunnel\" on vps judges what comes out of the tunnel\n";
    CHECK(denied(roads, "phone", "laptop:*") == "\"laptop:*\": phone 10.69.50.12 -> 10.69.50.11:22/tcp" + by_hub);
    CHECK(denied(roads, "phone", "vps:443 laptop:80/udp") ==
          "\"vps:443\": phone 10.69.50.12 -> 10.69.50.1:443/tcp" + at_hub +
              "\"laptop:80/udp\": phone 10.69.50.12 -> 10.69.50.11:80/udp" + by_hub);
    CHECK(denied(roads, "laptop phone", "10.69.50.8/29:22") ==
          "\"10.69.50.8/29:22\": phone 10.69.50.12 -> 10.69.50.11:22/tcp" + by_hub);
    CHECK(denied(roads, "home", "gw:22") ==
          "\"gw:22\": home 10.69.13.1 -> 10.69.50.2:22/tcp: "
          "scope = \"host\" on gw judges it\n");
    CHECK(
        denied(roads, "10.69.13.9", "home:22") ==
        "\"home:22\": 10.69.13.9 -> 10.69.13.1:22/tcp: scope = \"host\" on gw judges it, where it passes that host\n");
    CHECK(denied(roads, "home", "home:22").find("10.69.13.1 -> 10.69.13.2:22/tcp") != std::string::npos);
    CHECK(denied(roads, "home", "10.69.13.1:22").find("10.69.13.2 -> 10.69.13.1:22/tcp") != std::string::npos);
    // Without `output` nobody judges what the gateway sends.
    CHECK(denied(roads, "gw", "10.69.13.5:22") ==
          "\"10.69.13.5:22\": gw 10.69.50.2 -> 10.69.13.5:22/tcp: "
          "scope = \"host\" with `output` on gw judges it\n");
    CHECK(denied(roads, "gw", "phone:22") == "\"phone:22\": gw 10.69.50.2 -> 10.69.50.12:22/tcp" + by_hub);
    CHECK(denied(roads, "vps", "phone:22") ==
          "\"phone:22\": vps 10.69.50.1 -> 10.69.50.12:22/tcp: scope = \"tunnel\" on phone judges what comes out of "
          "the tunnel\n");
    // IPv6 too, where there is any.
    Roads dual;
    dual.top = "ipv6 = \"dual\"\n";
    std::string text = dual.with("[[test]]\nname = \"t\"\nfrom = [\"fd69::12\"]\ndeny = [\"[fd69::11]:22\"]\n");
    for (const char* end : {"50.1\"", "50.2\"", "50.11\"", "50.12\""}) {
        const std::string address = "\"10.69." + std::string(end);
        const std::string six = "\"fd69::" + std::string(end).substr(3);
        text.replace(text.find("address = " + address) + 10, address.size(), "[" + address + ", " + six + "]");
    }
    CHECK(said(text) == "\"[fd69::11]:22\": fd69::12 -> [fd69::11]:22/tcp" + by_hub);
}

TEST_CASE("a node that could send it through one that judges is named with that one") {
    const auto label = [](const Roads& roads, const std::string& from, const std::string& deny) {
        const Checked checked(
            roads.with("[[test]]\nname = \"t\"\nfrom = [\"" + from + "\"]\ndeny = [\"" + deny + "\"]\n"));
        REQUIRE_MESSAGE(checked.policy, checked.said());
        Diagnostics diagnostics;
        warn_unjudged(*checked.policy, {}, diagnostics);
        REQUIRE(diagnostics.all().size() == 1);
        return diagnostics.all().front().primary.text;
    };
    Roads roads;
    const std::string certain = "some of it passes, whatever the policy says";
    const std::string through_gateway = "some of it passes, unless `vps` sends it through `gw`";
    CHECK(label(roads, "phone", "laptop:22") == through_gateway);
    CHECK(label(roads, "vps", "laptop:22") == through_gateway);
    CHECK(label(roads, "phone", "vps:22") == certain);
    CHECK(label(roads, "gw", "phone:22") == certain);
    CHECK(label(roads, "home", "gw:22") == certain);
    roads.gateway = "scope = \"none\"\n";
    CHECK(label(roads, "phone", "laptop:22") == certain);
}

TEST_CASE("what a test denies is not spoken of where some node judges it, or may") {
    Roads roads;
    CHECK(denied(roads, "phone vps laptop", "home:22 gw:22") == "");
    CHECK(denied(roads, "home", "laptop:22 vps:22") == "");
    CHECK(denied(roads, "phone", "192.0.2.0/24:* phone:*") == "");
    CHECK(denied(roads, "10.69.13.9", "10.69.13.9:*") == "");
    CHECK(denied(roads, "192.0.2.0/24", "laptop:* home:* vps:*") == "");
    // A hub that judges, what it sends itself apart.
    roads.hub = "scope = \"tunnel\"\n";
    CHECK(denied(roads, "phone gw", "laptop:* vps:*") == "");
    CHECK(denied(roads, "vps", "phone:22") != "");
    roads.hub = "scope = \"tunnel\"\noutput = []\n";
    CHECK(denied(roads, "vps", "phone:22") == "");
    // What judges all it sees, at home or elsewhere.
    roads = Roads();
    roads.gateway = "scope = \"host\"\n";
    CHECK(denied(roads, "home", "gw:22 home:22") == "");
    roads = Roads();
    roads.phone = "peer = \"vps\"\nscope = \"host\"\ninterface = \"wg0\"\n";
    CHECK(denied(roads, "home", "gw:22 home:22") == "");
    CHECK(denied(roads, "laptop", "vps:22") != "");
    roads.gateway = "scope = \"none\"\n";
    CHECK(denied(roads, "home", "laptop:22") == "");
    roads.phone = "peer = \"vps\"\n";
    CHECK(denied(roads, "home", "laptop:22") != "");
    // Nobody says how the phone is connected.
    roads = Roads();
    roads.phone = "";
    CHECK(denied(roads, "phone", "laptop:* vps:*") == "");
    // By way of the gateway.
    roads = Roads();
    roads.laptop = "peer = \"gw\"\n";
    CHECK(denied(roads, "laptop", "phone:*") == "");
    // A ring, and two who dial each other.
    roads = Roads();
    roads.hub = "peer = \"laptop\"\n";
    CHECK(denied(roads, "phone", "laptop:22") != "");
    roads.laptop = "peer = \"phone\"\n";
    CHECK(denied(roads, "phone", "laptop:22") == "");
    // What another serves too may be behind the tunnel.
    roads = Roads();
    const std::string other = "[nodes.lab]\npeer = \"vps\"\naddress = \"10.69.50.3\"\nserves = [\"10.69.13.0/25\"]\n";
    const auto home = [&](const std::string& from) {
        return said(roads.with(other + "[[test]]\nname = \"t\"\nfrom = [\"" + from + "\"]\ndeny = [\"gw:22\"]\n"));
    };
    CHECK(home("10.69.13.0/25") == "");
    CHECK(home("10.69.13.128/25") != "");
}

TEST_CASE("`only` is spoken of where none of what it could be about is judged") {
    Roads roads;
    const auto only = [&](const std::string& from) {
        return said(roads.with("[[test]]\nname = \"t\"\nfrom = [\"" + from + "\"]\nonly = []\n"));
    };
    CHECK(only("gw") ==
          "only = []: gw 10.69.50.2 -> 10.69.50.1:22/tcp: scope = \"tunnel\" on vps judges what comes "
          "out of the tunnel\n");
    CHECK(only("phone") == "");
    CHECK(only("home") == "");
    CHECK(only("192.0.2.1") == "");
    roads.gateway = "output = []\n";
    CHECK(only("gw") == "");
}

TEST_CASE("an entry of a tier that no node judges is said") {
    const Roads roads;
    CHECK(allowed(roads, "10.69.13.9", "10.69.13.30:3000") ==
          "\"10.69.13.30:3000\": 10.69.13.9 -> 10.69.13.30:3000/tcp: scope = \"host\" on gw judges it, where it passes "
          "that host\n");
    CHECK(allowed(roads, "home", "gw:22 laptop:22") ==
          "\"gw:22\": home 10.69.13.1 -> 10.69.50.2:22/tcp: scope = \"host\" on gw judges it\n");
    // The hub may send it through the gateway, which then judges it.
    CHECK(allowed(roads, "laptop", "phone:22 home:22") == "");
    CHECK(allowed(roads, "vps", "phone:22") == "");
    // By way of nobody, or where nobody who is connected could.
    CHECK(allowed(roads, "laptop", "vps:22") ==
          "\"vps:22\": laptop 10.69.50.11 -> 10.69.50.1:22/tcp: scope = \"tunnel\" "
          "on vps judges what comes out of the tunnel\n");
    Roads apart;
    apart.gateway =
        "scope = \"none\"\n[nodes.lab]\naddress = \"10.69.50.3\"\ninterface = \"wg0\"\nscope = \"tunnel\"\n";
    CHECK(allowed(apart, "laptop", "phone:22 home:22") ==
          "\"phone:22\": laptop 10.69.50.11 -> 10.69.50.12:22/tcp: scope = \"tunnel\" on vps judges what goes from "
          "tunnel to tunnel\n"
          "\"home:22\": laptop 10.69.50.11 -> 10.69.13.1:22/tcp: scope = \"tunnel\" on vps judges what goes from "
          "tunnel to tunnel\n");
    // A host name by its address, and a group by all that it holds.
    const std::string more = "[services]\ngrafana = \"g.example:3000\"\n";
    const Addresses near{{"g.example", {parse_address("10.69.13.30").value()}}};
    const Addresses far{{"g.example", {parse_address("192.0.2.30").value()}}};
    CHECK(allowed(roads, "home", "grafana", more, near) != "");
    CHECK(allowed(roads, "home", "grafana", more, far) == "");
    CHECK(allowed(roads, "home", "grafana", more) == "");
    const std::string group = "[groups]\ng = [\"home:22\", \"gw:22\"]\nh = [\"home:22\", \"laptop:22\"]\n";
    CHECK(allowed(roads, "home", "g h", group).starts_with("\"g\": "));
    // Not where a part of it may be judged.
    CHECK(allowed(roads, "home", "10.69.0.0/16:22") == "");
    CHECK(allowed(roads, "home", "10.69.12.0/23:22") == "");
    CHECK(allowed(roads, "home phone", "home:22") == "");
    CHECK(allowed(roads, "10.69.13.0/24 192.0.2.1", "home:22") == "");
    CHECK(allowed(roads, "gw", "gw:22") == "");
    CHECK(allowed(roads, "home", "home:22", "bastion = { node = \"gw\" }\n") == "");
    Roads host;
    host.gateway = "scope = \"host\"\n";
    CHECK(allowed(host, "home", "gw:22 home:22") == "");
    // Where nothing is judged anywhere, one entry more is no news.
    Roads none;
    none.gateway = "scope = \"none\"\n";
    CHECK(allowed(none, "home", "home:22") == "");
    CHECK(denied(none, "home", "home:22") != "");
}
