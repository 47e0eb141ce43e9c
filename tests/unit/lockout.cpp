// Which line an apply that is refused points at: that which let the session in before, where it was edited.
#include <doctest/doctest.h>

#include <algorithm>

#include "backends/sessions.h"
#include "gateway.h"

using namespace policyc;

namespace {

// The name that is underlined when an apply of that is refused, and the line that is said to be gone.
std::string refused(Gateway& gw, const std::string& now) {
    gw.write(now);
    Report report;
    report.talk = false;
    CHECK(verb_apply(gw.options, gw.world, report) == 1);
    CAPTURE(render(report.diagnostics, report.sources, false));
    REQUIRE(report.diagnostics.errors() == 1);
    const auto found = std::ranges::find(report.diagnostics.all(), Code::E0901, &Diagnostic::code);
    REQUIRE(found != report.diagnostics.all().end());
    const Span span = found->primary.span;
    std::string at(report.sources.text(span.file).substr(span.begin, span.end - span.begin));
    for (const Remark& remark : found->remarks)
        if (remark.text.starts_with("it came in by ")) {
            const std::string& text = remark.text;
            const std::string line = text.substr(text.find(".toml:") + 5);
            at += ", " + text.substr(14, text.find(" at ") - 14) + line.substr(0, line.find(' '));
        }
    return at;
}

std::string refused_at(const std::string& last, const std::string& now, const char* client = "10.0.0.3",
                       std::uint16_t port = 22) {
    Gateway gw;
    gw.apply(last);
    gw.world.own_sessions = [&] {
        return std::vector<Session>{
            {*parse_address(client), 51544, *parse_address("10.0.0.1"), port, Tracked::unknown, "wg0"}};
    };
    return refused(gw, now);
}

std::string admin(const char* target, const char* more = "") {
    return "[tiers.admin]\nwho = [\"laptop\"]\nallow = [\"gw:" + std::string(target) + "\"]\n" + more;
}

}  // namespace

TEST_CASE("an apply that would cut the session points at the line that let it in") {
    const std::string by_input = policy("input.ssh = { from = [\"laptop\"] }");
    const std::string moved = "input.ssh = { from = [\"laptop\"], ports = 2222 }\n";
    CHECK(refused_at(by_input, policy(moved)) == "ssh");
    // Rather than at another that names the port, and never let that in.
    const std::string other = "input.backup = { from = [\"phone\"], ports = 22 }\n";
    CHECK(refused_at(by_input, policy(other + moved)) == "ssh");
    CHECK(refused_at(by_input, policy(other)) == "gw, `input.ssh`:8");
    CHECK(refused_at(by_input, policy()) == "gw, `input.ssh`:8");
    // Not at one that let in others by that port.
    const std::string both = "input.ssh = { from = [\"laptop\"] }\n" + other;
    CHECK(refused_at(policy(both), policy("input.backup = { from = [\"phone\"], ports = 2222 }")) ==
          "gw, `input.ssh`:8");
    CHECK(refused_at(policy(both), policy(moved), "10.0.0.2") == "gw, `input.backup`:9");

    CHECK(refused_at(policy("", admin("22")), policy("", admin("2222"))) == "\"gw:2222\"");
    CHECK(refused_at(policy("", admin("22")), policy("", admin("80\", \"gw:2222"))) == "\"gw:80\"");
    CHECK(refused_at(policy("", admin("22")), policy("", "[tiers.admin]\nwho = [\"phone\"]\nallow = [\"gw:22\"]\n")) ==
          "admin");
    CHECK(refused_at(policy("", admin("22")), policy()) == "gw, `tiers.admin`:20");
    // Tiers that were not in force.
    for (const char* not_now : {"expires = 2020-01-01\n", "grant = { max = \"4h\" }\n"})
        CHECK(refused_at(policy("input.ssh = { from = [\"laptop\"] }", admin("22", not_now)),
                         policy("", admin("2222"))) == "gw, `input.ssh`:8");
}

TEST_CASE("an apply that would refuse the session as spoofed points at who is behind the tunnel now") {
    Gateway gw;
    const std::string now = policy(host + "input.ssh = { from = [\"10.1.0.0/24\"] }");
    gw.apply(now);
    gw.world.own_sessions = [&] {
        return std::vector<Session>{
            {*parse_address("10.1.0.7"), 51544, *parse_address("10.1.0.1"), 22, Tracked::unknown, "eth0"}};
    };
    CHECK(refused(gw, now + "[nodes.tv]\naddress = \"10.1.0.7\"\n") == "\"10.1.0.7\"");
}

TEST_CASE("an apply that would cut the tunnel points at the line that let it in") {
    const auto wg = [](const char* ports) {
        return policy(host + "input.wg = { from = [\"0.0.0.0/0\"], ports = \"" + ports + "\" }");
    };
    Gateway gw;
    gw.apply(wg("51820/udp"));
    gw.world.own_sessions = [] { return std::vector<Session>{}; };
    gw.world.tunnel_flows = [](const std::string& interface) {
        return std::vector<TunnelFlow>{{.peer = *parse_address("203.0.113.7"),
                                        .peer_port = 40000,
                                        .here = *parse_address("192.0.2.1"),
                                        .port = 51820,
                                        .interface = "eth0",
                                        .tunnel = interface}};
    };
    CHECK(refused(gw, wg("51821/udp")) == "wg");
    CHECK(refused(gw, policy(host)) == "gw, `input.wg`:9");
}
