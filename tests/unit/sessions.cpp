// The session that an apply is typed in: how it is found, and when it would be cut.
#include <doctest/doctest.h>

#include "backends/sessions.h"
#include "checked.h"
#include "compiler/driver/lockout.h"
#include "compiler/lower.h"
#include "draft.h"

using namespace policyc;

namespace {

Session session(const char* client, const char* interface, std::uint16_t port = 22) {
    return {*parse_address(client), 51544, *parse_address("10.69.50.2"), port, interface};
}

ir::Ruleset compiled(const Checked& checked) {
    CAPTURE(checked.said());
    REQUIRE(checked.policy);
    return lower(*checked.policy, {}, 0, today, {});
}

const char* const gateway = R"(version = 1
[nodes.gw]
role = "gateway"
address = "10.69.50.2"
interface = "wg0"
)";
const char* const people = R"(
[nodes.laptop]
address = "10.69.50.11"
[nodes.phone]
address = "10.69.50.12"
)";

}  // namespace

TEST_CASE("SSH_CONNECTION is four words") {
    const auto read = parse_ssh_connection("10.69.99.4 51544 10.69.50.2 22");
    REQUIRE(read);
    CHECK(*read == Session{*parse_address("10.69.99.4"), 51544, *parse_address("10.69.50.2"), 22, ""});
    const auto scoped = parse_ssh_connection("fe80::1%eth0 51544 fe80::2%eth0 2222");
    REQUIRE(scoped);
    CHECK(to_string(scoped->client) == "fe80::1");
    for (const char* text :
         {"", "10.69.99.4 51544 10.69.50.2", "10.69.99.4 51544 10.69.50.2 22 1", "laptop 51544 gw 22",
          "10.69.99.4 99999 10.69.50.2 22", "10.69.99.4 51544 fd00::1 22", "10.69.99.4 x 10.69.50.2 22"})
        CHECK_FALSE(parse_ssh_connection(text));
}

TEST_CASE("open connections of /proc/net/tcp") {
    // What a little-endian kernel writes.
    const std::string four =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17 1 0 100 0 0 10 "
        "0\n"
        "   1: 0232450A:0016 0463450A:C958 01 00000000:00000000 02:00000000 00000000     0        0 4711 4 0 20 4 31 "
        "10 -1\n"
        "   2: 0232450A\n";
    const auto found = open_connections_in(four);
    REQUIRE(found.size() == 1);
    CHECK(found.at(4711) == Session{*parse_address("10.69.99.4"), 51544, *parse_address("10.69.50.2"), 22, ""});
    const std::string six =
        "   0: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:C958 01 0:0 0:0 0 0 0 12 1\n"
        "   1: 0000000000000000FFFF00000232450A:0016 0000000000000000FFFF00000463450A:C958 01 0:0 0:0 0 0 0 13 1\n";
    const auto wide = open_connections_in(six);
    REQUIRE(wide.size() == 2);
    CHECK(to_string(wide.at(12).client) == "2001:db8::2");
    CHECK(wide.at(13) == found.at(4711));
}

TEST_CASE("a session is cut where it passes now, and would not") {
    const Checked phone(std::string(gateway) + "input.ssh = { from = [\"phone\"] }\n" + people);
    const Checked both(std::string(gateway) + "input.ssh = { from = [\"phone\", \"laptop\"] }\n" + people);
    const ir::Ruleset narrow = compiled(phone);
    const ir::Ruleset wide = compiled(both);
    const Session laptop = session("10.69.50.11", "wg0");
    CHECK(find_lockout({laptop}, std::nullopt, narrow) == Lockout{laptop});
    CHECK(find_lockout({laptop}, wide, narrow) == Lockout{laptop});
    CHECK(find_lockout({session("10.69.50.12", "wg0"), laptop}, wide, narrow) == Lockout{laptop});
    // It is refused already; it is allowed; it comes by another way, which is not judged; nothing is judged.
    CHECK_FALSE(find_lockout({laptop}, narrow, narrow));
    CHECK_FALSE(find_lockout({laptop}, narrow, wide));
    CHECK_FALSE(find_lockout({session("10.69.50.11", "eth0")}, wide, narrow));
    CHECK_FALSE(find_lockout({laptop}, wide, {}));
    CHECK_FALSE(find_lockout({}, wide, narrow));
    // The port counts.
    CHECK(find_lockout({session("10.69.50.11", "wg0", 2222)}, std::nullopt, wide).has_value());
    // Rules that nobody knows may let it pass.
    ir::Ruleset odd = narrow;
    for (ir::Chain& chain : odd.chains)
        if (chain.base && chain.base->hook == ir::Hook::input)
            chain.rules.insert(chain.rules.begin(), ir::Rule{{ir::Unknown{"odd"}}});
    CHECK(find_lockout({laptop}, odd, narrow) == Lockout{laptop});
}

TEST_CASE("a session is cut with the tunnel that carries it, unless this host begins that anew") {
    const std::string host = std::string(gateway) + "scope = \"host\"\ninput.ssh = { from = [\"laptop\"] }\n";
    const ir::Ruleset deaf = compiled(Checked(host + people));
    const ir::Ruleset listens = compiled(Checked(host + "listen_port = 51820\n" + people));
    const ir::Ruleset mute = compiled(Checked(host + "output = [\"10.69.13.5:53\"]\n" + people));
    Session laptop = session("10.69.50.11", "wg0");
    CHECK_FALSE(find_lockout({laptop}, std::nullopt, deaf));
    laptop.tunnel = TunnelFlow{*parse_address("203.0.113.7"), 40000, *parse_address("192.0.2.1"), 51820, "eth0", false};
    const Lockout by_tunnel{.session = laptop, .by_tunnel = true};
    CHECK(find_lockout({laptop}, std::nullopt, deaf) == by_tunnel);
    CHECK(find_lockout({laptop}, listens, deaf) == by_tunnel);
    CHECK_FALSE(find_lockout({laptop}, deaf, deaf));
    CHECK_FALSE(find_lockout({laptop}, std::nullopt, listens));
    // Where this host sends by itself, its own packets are enough, if they may go.
    Session dialled = laptop;
    dialled.tunnel->keeps_alive = true;
    CHECK_FALSE(find_lockout({dialled}, std::nullopt, deaf));
    CHECK(find_lockout({dialled}, std::nullopt, mute) == Lockout{.session = dialled, .by_tunnel = true});
    // It listens elsewhere than the policy says.
    laptop.tunnel->port = 51821;
    const Checked checked(host + "listen_port = 51820\n" + people);
    CHECK(find_lockout({laptop}, std::nullopt, listens) == Lockout{.session = laptop, .by_tunnel = true});
    Diagnostics diagnostics;
    report_lockout({.session = laptop, .by_tunnel = true}, checked.policy->nodes[0], true, diagnostics);
    const std::string said = render(diagnostics, checked.sources, false);
    CHECK(said.find("203.0.113.7:40000 -> 192.0.2.1:51821/udp, which carries wg0, is let through now") !=
          std::string::npos);
    CHECK(said.find("write listen_port = 51821 for this node (it says 51820, and the interface listens on another)") !=
          std::string::npos);
}

TEST_CASE("the place of a lock-out is the input of that port, or the node") {
    const Checked phone(std::string(gateway) + "input.ssh = { from = [\"phone\"] }\n" + people);
    REQUIRE(phone.policy);
    const Node& node = phone.policy->nodes[0];
    Diagnostics diagnostics;
    report_lockout({session("10.69.50.11", "wg0")}, node, false, diagnostics);
    report_lockout({session("10.69.50.11", "", 2222)}, node, true, diagnostics);
    REQUIRE(diagnostics.all().size() == 2);
    CHECK(diagnostics.all()[0].primary.span == node.inputs[0].span);
    CHECK(diagnostics.all()[0].primary.text == "your session comes from 10.69.50.11 over wg0");
    CHECK(diagnostics.all()[1].primary.span == node.span);
    CHECK(diagnostics.all()[1].primary.text == "your session comes from 10.69.50.11");
}
