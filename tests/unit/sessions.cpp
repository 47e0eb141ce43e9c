// The session that an apply is typed in: how it is found, and when it would be cut.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "backends/sessions.h"
#include "checked.h"
#include "compiler/dormant.h"
#include "compiler/driver/lockout.h"
#include "compiler/lower.h"
#include "draft.h"

using namespace policyc;

namespace {

Session session(const char* client, const char* interface, std::uint16_t port = 22) {
    return {*parse_address(client), 51544, *parse_address("10.69.50.2"), port, Tracked::unknown, interface};
}

// That carries wg0, from that endpoint to this host.
TunnelFlow tunnel(const char* peer, const char* here) {
    return {.peer = *parse_address(peer),
            .peer_port = 40000,
            .here = *parse_address(here),
            .port = 51820,
            .interface = "eth0",
            .tunnel = "wg0"};
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
    CHECK(*read ==
          Session{*parse_address("10.69.99.4"), 51544, *parse_address("10.69.50.2"), 22, Tracked::unknown, ""});
    const auto scoped = parse_ssh_connection("fe80::1%eth0 51544 fe80::2%eth0 2222");
    REQUIRE(scoped);
    CHECK(to_string(scoped->client) == "fe80::1");
    CHECK(scoped->interface == "eth0");
    CHECK(parse_ssh_connection("::ffff:10.69.99.4 51544 ::ffff:10.69.50.2 22") == read);
    CHECK(parse_ssh_connection("::ffff:10.69.99.4 51544 10.69.50.2 22") == read);
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
    CHECK(found.at(4711) ==
          Session{*parse_address("10.69.99.4"), 51544, *parse_address("10.69.50.2"), 22, Tracked::unknown, ""});
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
    CHECK(find_lockout({laptop}, {}, std::nullopt, narrow) == Lockout{laptop});
    CHECK(find_lockout({laptop}, {}, wide, narrow) == Lockout{laptop});
    CHECK(find_lockout({session("10.69.50.12", "wg0"), laptop}, {}, wide, narrow) == Lockout{laptop});
    // It is refused already; it is allowed; it comes by another way, which is not judged; nothing is judged.
    CHECK_FALSE(find_lockout({laptop}, {}, narrow, narrow));
    CHECK_FALSE(find_lockout({laptop}, {}, narrow, wide));
    CHECK_FALSE(find_lockout({session("10.69.50.11", "eth0")}, {}, wide, narrow));
    CHECK_FALSE(find_lockout({laptop}, {}, wide, {}));
    CHECK_FALSE(find_lockout({}, {}, wide, narrow));
    // The port counts.
    CHECK(find_lockout({session("10.69.50.11", "wg0", 2222)}, {}, std::nullopt, wide).has_value());
    // Rules that nobody knows may let it pass.
    ir::Ruleset odd = narrow;
    for (ir::Chain& chain : odd.chains)
        if (chain.base && chain.base->hook == ir::Hook::input)
            chain.rules.insert(chain.rules.begin(), ir::Rule{{ir::Unknown{"odd"}}});
    CHECK(find_lockout({laptop}, {}, odd, narrow) == Lockout{laptop});
}

TEST_CASE("a session is cut where a rule that somebody put into the table carries it") {
    const ir::Ruleset narrow =
        compiled(Checked(std::string(gateway) + "input.ssh = { from = [\"phone\"] }\n" + people));
    const ir::Ruleset wide =
        compiled(Checked(std::string(gateway) + "input.ssh = { from = [\"phone\", \"laptop\"] }\n" + people));
    const Session laptop = session("10.69.50.11", "wg0");
    const auto by_hand = [&](const std::vector<ir::Statement>& statements) {
        ir::Ruleset edited = narrow;
        for (ir::Chain& chain : edited.chains)
            if (chain.base && chain.base->hook == ir::Hook::input)
                chain.rules.insert(chain.rules.begin(), ir::Rule{statements});
        return edited;
    };
    const ir::MatchState under_way{.established = true, .related = true};
    const ir::MatchPort from{ir::Field::tcp_sport, laptop.client_port};
    const Lockout cut{.session = laptop, .under_way = true};
    for (const std::vector<ir::Statement>& carries : std::vector<std::vector<ir::Statement>>{
             {under_way, ir::Count{}, ir::Accept{}},
             {ir::MatchConfirmed{}, ir::Accept{}},
             {ir::MatchAssured{}, ir::MatchReply{false}, ir::Accept{}},
             {ir::MatchReply{}, ir::Accept{}},  // it was picked up the wrong way round
             {ir::MatchL4{ir::L4::tcp}, ir::MatchSyn{true}, ir::Accept{}},
             {under_way, from, ir::Accept{}},
             {under_way, ir::Unknown{"meta mark 7"}, ir::Accept{}}}) {
        const ir::Ruleset before = by_hand(carries);
        CHECK(find_lockout({laptop}, {}, before, narrow) == cut);
        // It may begin.
        CHECK_FALSE(find_lockout({laptop}, {}, before, wide));
        CHECK_FALSE(find_lockout({session("10.69.50.12", "wg0")}, {}, before, narrow));
    }
    for (const std::vector<ir::Statement>& carries_not :
         std::vector<std::vector<ir::Statement>>{{ir::MatchState{.related = true}, ir::Accept{}},
                                                 {under_way, ir::MatchPort{ir::Field::tcp_sport, 1000}, ir::Accept{}},
                                                 {under_way, ir::MatchL4{ir::L4::udp}, ir::Accept{}},
                                                 {under_way, ir::Count{}}})
        CHECK_FALSE(find_lockout({laptop}, {}, by_hand(carries_not), narrow));
    // Who may begin is told so.
    CHECK(find_lockout({laptop}, {}, by_hand({ir::MatchState{.established = true, .fresh = true}, ir::Accept{}}),
                       narrow) == Lockout{laptop});
    // What it was about is known of either direction.
    ir::Ruleset turned = by_hand(
        {ir::MatchReply{}, ir::Lookup{{ir::Field::ct_saddr4, ir::Field::ct_daddr4, ir::Field::ct_proto_dst}, "mine"},
         ir::Accept{}});
    ir::Set& mine = turned.sets.emplace_back();
    mine.name = "mine";
    mine.types = {ir::Type::ipv4_addr, ir::Type::ipv4_addr, ir::Type::inet_service};
    mine.elements = ir::Elements(mine.types, false);
    CHECK_FALSE(find_lockout({laptop}, {}, turned, narrow));
    const u128 here = laptop.here.bits;
    const u128 client = laptop.client.bits;
    mine.elements.add({{here, here}, {client, client}, {laptop.client_port, laptop.client_port}});
    CHECK(find_lockout({laptop}, {}, turned, narrow) == cut);

    const Checked checked(std::string(gateway) + "input.ssh = { from = [\"phone\"] }\n" + people);
    Diagnostics diagnostics;
    report_lockout(cut, *checked.policy, 0, "", diagnostics);
    CHECK(render(diagnostics, checked.sources, false)
              .find("10.69.50.2:22/tcp is let through by the live ruleset, as what is under way, and denied by this "
                    "policy") != std::string::npos);
}

TEST_CASE("a tunnel is cut where a rule that somebody put into the table carries it") {
    const std::string host = std::string(gateway) + "scope = \"host\"\ninput.ssh = { from = [\"laptop\"] }\n";
    const ir::Ruleset deaf = compiled(Checked(host + people));
    const ir::Ruleset mute = compiled(Checked(host + "output = [\"10.69.13.5:53\"]\n" + people));
    ir::Ruleset by_hand = deaf;
    for (ir::Chain& chain : by_hand.chains)
        if (chain.base && chain.base->hook == ir::Hook::input)
            chain.rules.insert(chain.rules.begin(), ir::Rule{{ir::MatchState{.established = true}, ir::Accept{}}});
    TunnelFlow flow = tunnel("203.0.113.7", "192.0.2.1");
    const Lockout cut{.tunnel = flow, .under_way = true};
    CHECK(find_lockout({}, {flow}, by_hand, deaf) == cut);
    CHECK_FALSE(find_lockout({}, {flow}, by_hand, compiled(Checked(host + "listen_port = 51820\n" + people))));
    // As the answer to what this host began it goes on, until what this host sends is judged.
    CHECK(find_lockout({}, {flow}, deaf, mute) == cut);
    CHECK_FALSE(find_lockout({}, {flow}, mute, deaf));
    flow.keeps_alive = true;
    CHECK_FALSE(find_lockout({}, {flow}, by_hand, deaf));
}

TEST_CASE("what connection tracking has of a flow") {
    // struct nlattr: length, type; the status is in network byte order: seen, assured, confirmed; and with its destination rewritten.
    const auto status = [](unsigned char low, unsigned char high = 0) {
        return std::string{8, 0, 3, 0, 0, 0, static_cast<char>(high), static_cast<char>(low)};
    };
    const std::string zone{6, 0, 18, 0, 0, 7, 0, 0};
    CHECK(tracked_in(status(0x0e)) == Tracked::plain);
    CHECK(tracked_in(zone + status(0xae, 1)) == Tracked::rewritten);
    CHECK(tracked_in(status(0x1e, 0)) == Tracked::plain);  // its source was
    CHECK(tracked_in("") == Tracked::unknown);
    CHECK(tracked_in(zone) == Tracked::unknown);
    CHECK(tracked_in(status(0x2e).substr(0, 7)) == Tracked::unknown);
    CHECK(tracked_in(status(0x2e) + zone.substr(0, 5)) == Tracked::unknown);
    CHECK(tracked_in(std::string{6, 0, 3, 0, 0, 0x20, 0, 0}) == Tracked::unknown);
}

TEST_CASE("a flow is asked for by what this host sends") {
    const std::string four =
        request_for_flow({*parse_address("10.69.50.2"), *parse_address("10.69.99.4"), 22, 51544, 6});
    REQUIRE(four.size() == 72);
    CHECK(four.substr(4, 2) == std::string{1, 1});  // IPCTNL_MSG_CT_GET, NFNL_SUBSYS_CTNETLINK
    CHECK(four.substr(16, 1) == std::string{2});    // AF_INET
    CHECK(four.substr(22, 1) == std::string{2});    // CTA_TUPLE_REPLY
    CHECK(four.find(std::string{8, 0, 1, 0, 10, 69, 50, 2, 8, 0, 2, 0, 10, 69, 99, 4}) != std::string::npos);
    CHECK(four.find(std::string{5, 0, 1, 0, 6}) != std::string::npos);
    CHECK(four.ends_with(std::string{6, 0, 2, 0, 0, 22, 0, 0, 6, 0, 3, 0, '\xc9', 'X', 0, 0}));
    const std::string six = request_for_flow({*parse_address("fe80::2"), *parse_address("fe80::1"), 1, 2, 17});
    CHECK(six.substr(16, 1) == std::string{10});
    CHECK(six.size() == four.size() + 24);
}

TEST_CASE("a session is cut where the tracking of connections has it otherwise than plainly") {
    const std::string ssh = "input.ssh = { from = [\"laptop\"] }\n";
    const ir::Ruleset wanted = compiled(Checked(gateway + ssh + people));
    const ir::Ruleset host = compiled(Checked(gateway + ssh + "scope = \"host\"\nlisten_port = 51820\n" + people));
    using State = FirstPacket::State;
    using Does = ForeignChain::Does;
    const std::vector<ForeignChain> others{{"ip nat", "pre", "prerouting", {}, "pre", Does::translates},
                                           {"ip6 nat", "six", "prerouting", {}, "six", Does::translates},
                                           {"ip nat", "post", "postrouting", {}, "post", Does::translates},
                                           {"inet nat", "both", "prerouting", {}, "both", Does::translates}};
    const TrackedHow loose{true, others};
    const TrackedHow strict{false, others};
    Session laptop = session("10.69.50.11", "wg0");
    const auto cut = [&](const Session& one, State state, std::string by = {}, bool by_tunnel = false) {
        return Lockout{
            .session = one, .tunnel = by_tunnel ? one.tunnel : std::nullopt, .state = state, .by = std::move(by)};
    };
    for (const Tracked kept : {Tracked::unknown, Tracked::plain}) {
        laptop.tracked = kept;
        CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, wanted, strict));
    }
    laptop.tracked = Tracked::absent;
    CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, wanted, loose));
    CHECK(find_lockout({laptop}, {}, std::nullopt, wanted, strict) == cut(laptop, State::invalid));
    // The table that is there would have cut it already; here nothing judges it.
    CHECK_FALSE(find_lockout({laptop}, {}, wanted, wanted, strict));
    laptop.interface = "eth0";
    CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, wanted, strict));
    CHECK(find_lockout({laptop}, {}, wanted, host, strict).has_value());
    laptop.interface = "wg0";
    TrackedHow exempt = loose;
    exempt.others.push_back({"ip raw", "early", "prerouting", {}, "early", Does::untracks});
    exempt.others.push_back({"ip raw", "out", "output", {}, "out", Does::untracks});
    CHECK(find_lockout({laptop}, {}, std::nullopt, wanted, exempt) ==
          cut(laptop, State::untracked, "chain early of table ip raw"));
    laptop.tracked = Tracked::rewritten;
    CHECK(find_lockout({laptop}, {}, std::nullopt, wanted, loose) ==
          cut(laptop, State::rewritten, "chain pre of table ip nat or chain both of table inet nat"));
    // What no permission has is said first.
    Session phone = session("10.69.50.12", "wg0");
    phone.tracked = Tracked::rewritten;
    CHECK(find_lockout({phone}, {}, std::nullopt, wanted, loose) == cut(phone, State::fresh));
    // Of the tunnel, UDP: nothing is invalid. That this host would begin it anew is no help.
    laptop.tracked = Tracked::plain;
    laptop.tunnel = tunnel("203.0.113.7", "192.0.2.1");
    laptop.tunnel->keeps_alive = true;
    laptop.tunnel->tracked = Tracked::absent;
    CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, host, strict));
    CHECK(find_lockout({laptop}, {}, std::nullopt, host, exempt) ==
          cut(laptop, State::untracked, "chain early of table ip raw", true));
    CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, wanted, exempt));
    laptop.tunnel->tracked = Tracked::rewritten;
    const auto by_tunnel = find_lockout({laptop}, {}, std::nullopt, host, {});
    REQUIRE(by_tunnel);
    CHECK(*by_tunnel == cut(laptop, State::rewritten, "", true));
    const Checked checked(gateway + ssh + people);
    Diagnostics diagnostics;
    report_lockout(*by_tunnel, *checked.policy, 0, why_unjudged({}), diagnostics);
    CHECK(render(diagnostics, checked.sources, false)
              .find("192.0.2.1:51820/udp, which carries wg0, is let through now, where there is no table inet policyc, "
                    "and would be cut: its destination was rewritten, which is refused") != std::string::npos);
}

TEST_CASE("a session is cut with the tunnel that carries it, unless this host begins that anew") {
    const std::string host = std::string(gateway) + "scope = \"host\"\ninput.ssh = { from = [\"laptop\"] }\n";
    const ir::Ruleset deaf = compiled(Checked(host + people));
    const ir::Ruleset listens = compiled(Checked(host + "listen_port = 51820\n" + people));
    const ir::Ruleset mute = compiled(Checked(host + "output = [\"10.69.13.5:53\"]\n" + people));
    Session laptop = session("10.69.50.11", "wg0");
    CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, deaf));
    laptop.tunnel = tunnel("203.0.113.7", "192.0.2.1");
    const Lockout by_tunnel{.session = laptop, .tunnel = laptop.tunnel};
    CHECK(find_lockout({laptop}, {}, std::nullopt, deaf) == by_tunnel);
    CHECK(find_lockout({laptop}, {}, listens, deaf) == by_tunnel);
    CHECK_FALSE(find_lockout({laptop}, {}, deaf, deaf));
    CHECK_FALSE(find_lockout({laptop}, {}, std::nullopt, listens));
    // Where this host sends by itself, its own packets are enough, if they may go.
    Session dialled = laptop;
    dialled.tunnel->keeps_alive = true;
    CHECK_FALSE(find_lockout({dialled}, {}, std::nullopt, deaf));
    CHECK(find_lockout({dialled}, {}, std::nullopt, mute) == Lockout{.session = dialled, .tunnel = dialled.tunnel});
    // It listens elsewhere than the policy says.
    laptop.tunnel->port = 51821;
    const Checked checked(host + "listen_port = 51820\n" + people);
    CHECK(find_lockout({laptop}, {}, std::nullopt, listens) == Lockout{.session = laptop, .tunnel = laptop.tunnel});
    Diagnostics diagnostics;
    report_lockout({.session = laptop, .tunnel = laptop.tunnel}, *checked.policy, 0, why_unjudged({}), diagnostics);
    const std::string said = render(diagnostics, checked.sources, false);
    CHECK(said.find("203.0.113.7:40000 -> 192.0.2.1:51821/udp, which carries wg0, is let through now") !=
          std::string::npos);
    CHECK(said.find("write listen_port = 51821 for this node (it says 51820, and the interface listens on another)") !=
          std::string::npos);
}

TEST_CASE("what others come through is cut with the port of WireGuard") {
    const std::string host = std::string(gateway) + "scope = \"host\"\ninput.ssh = { from = [\"laptop\"] }\n";
    const ir::Ruleset deaf = compiled(Checked(host + people));
    const ir::Ruleset listens = compiled(Checked(host + "listen_port = 51820\n" + people));
    const TunnelFlow phone = tunnel("203.0.113.8", "192.0.2.1");
    const Lockout others{.session = std::nullopt, .tunnel = phone};
    CHECK(find_lockout({}, {phone}, std::nullopt, deaf) == others);
    CHECK(find_lockout({}, {phone}, listens, deaf) == others);
    CHECK_FALSE(find_lockout({}, {phone}, deaf, deaf));
    CHECK_FALSE(find_lockout({}, {phone}, std::nullopt, listens));
    CHECK_FALSE(find_lockout({}, {phone}, listens, {}));
    CHECK_FALSE(find_lockout({}, {phone}, std::nullopt, compiled(Checked(std::string(gateway) + people))));
    // The caller's own session is told of first; the second of two counts as well.
    const Session console = session("10.69.50.12", "wg0");
    CHECK(find_lockout({console}, {phone}, std::nullopt, deaf) == Lockout{console});
    TunnelFlow dialled = phone;
    dialled.keeps_alive = true;
    CHECK_FALSE(find_lockout({}, {dialled}, std::nullopt, deaf));
    CHECK(find_lockout({}, {dialled, phone}, std::nullopt, deaf) == others);
    // IPv6 is denied, and the port open over IPv4.
    const TunnelFlow six = tunnel("2001:db8::8", "2001:db8::1");
    const auto cut = find_lockout({}, {phone, six}, std::nullopt, listens);
    REQUIRE(cut);
    CHECK(cut->tunnel == six);

    const auto said = [&](const Lockout& lockout, const std::string& policy) {
        const Checked checked(policy);
        REQUIRE(checked.policy);
        Diagnostics diagnostics;
        report_lockout(lockout, *checked.policy, 0, "", diagnostics);
        return render(diagnostics, checked.sources, false);
    };
    const std::string plain = said(others, host + people);
    CAPTURE(plain);
    for (const char* words :
         {"error[E0901]: apply refused: the tunnel that others come through would be cut",
          "a peer of wg0 comes from 203.0.113.8",
          "203.0.113.8:40000 -> 192.0.2.1:51820/udp, which carries wg0, is allowed by the live ruleset and denied by "
          "this policy",
          "help: write listen_port = 51820 for this node; where this host dials that peer, name it as `peer`; or "
          "`policyc "
          "apply --force-lockout` cuts it"})
        CHECK(plain.find(words) != std::string::npos);
    TunnelFlow elsewhere = phone;
    elsewhere.port = 51821;
    CHECK(
        said({.session = std::nullopt, .tunnel = elsewhere}, host + "endpoint = \"gw.example:51820\"\n" + people)
            .find("help: write port 51821 in its `endpoint`, which the interface listens on; where this host dials") !=
        std::string::npos);
}

TEST_CASE("a node dials the tunnel whose other end is its peer's endpoint") {
    const auto dials = [](const std::string& endpoint, const std::vector<TunnelFlow>& heard) {
        const Checked checked(std::string(gateway) +
                              "scope = \"host\"\npeer = \"vps\"\n[nodes.vps]\naddress = \"10.69.50.1\"\n" + endpoint +
                              people);
        REQUIRE(checked.policy);
        return is_dialled(heard.front(), heard, *checked.policy, checked.policy->nodes[0]);
    };
    const TunnelFlow vps = tunnel("203.0.113.7", "192.0.2.1");
    const TunnelFlow laptop = tunnel("203.0.113.8", "192.0.2.1");
    const std::string by_address = "endpoint = \"203.0.113.7:40000\"\n";
    const std::string by_name = "endpoint = \"vps.example:40000\"\n";
    CHECK(dials(by_address, {vps, laptop}));
    CHECK_FALSE(dials(by_address, {laptop, vps}));
    CHECK_FALSE(dials("endpoint = \"203.0.113.7:40001\"\n", {vps}));
    CHECK(dials(by_name, {vps}));
    CHECK_FALSE(dials(by_name, {vps, laptop}));
    CHECK_FALSE(dials("", {vps}));
}

TEST_CASE("the place of a lock-out is the input of that port, or the node") {
    const Checked phone(std::string(gateway) + "input.ssh = { from = [\"phone\"] }\n" + people);
    REQUIRE(phone.policy);
    const Node& node = phone.policy->nodes[0];
    Diagnostics diagnostics;
    report_lockout({session("10.69.50.11", "wg0")}, *phone.policy, 0, "", diagnostics);
    report_lockout({session("10.69.50.11", "", 2222)}, *phone.policy, 0, "table inet policyc is dormant", diagnostics);
    REQUIRE(diagnostics.all().size() == 2);
    CHECK(diagnostics.all()[0].primary.span == node.inputs[0].span);
    CHECK(diagnostics.all()[0].primary.text == "your session comes from 10.69.50.11 over wg0");
    CHECK(diagnostics.all()[1].primary.span == node.span);
    CHECK(diagnostics.all()[1].primary.text == "your session comes from 10.69.50.11");
    CHECK(render(diagnostics, phone.sources, false)
              .find(":2222/tcp is let through now, where table inet policyc is dormant, and denied by this policy") !=
          std::string::npos);
}

TEST_CASE("where all IPv6 is denied, a lock-out says what lets it in") {
    const std::string host = std::string(gateway) + "scope = \"host\"\ninput.ssh = { from = [\"laptop\"] }\n";
    const auto said = [&](const std::string& policy, bool by_tunnel, const char* here) {
        const Checked checked(policy);
        REQUIRE(checked.policy);
        Session laptop{*parse_address("fd69::11"), 51544, *parse_address(here), 22, Tracked::unknown, "wg0"};
        laptop.tunnel = tunnel("2001:db8::7", "2001:db8::1");
        Diagnostics diagnostics;
        report_lockout({.session = laptop, .tunnel = by_tunnel ? laptop.tunnel : std::nullopt}, *checked.policy, 0, "",
                       diagnostics);
        return render(diagnostics, checked.sources, false);
    };
    const auto has = [](const std::string& text, const char* words) {
        CAPTURE(text);
        CHECK(text.find(words) != std::string::npos);
    };
    const std::string plain = said(host + people, false, "fd69::2");
    has(plain, "denied by this policy, which denies IPv6 altogether");
    has(plain, "help: write ipv6 = \"dual\", and allow it, as with an `input` of this node");
    std::string written = host + people;
    written.replace(written.find("version = 1\n"), 12, "version = 1\nipv6 = \"deny\"\n");
    has(said(written, false, "fd69::2"), ":2:8\n");
    has(said(host + people, true, "fd69::2"),
        "help: write ipv6 = \"dual\", and write listen_port = 51820 for this node");
    has(said(host + "listen_port = 51820\n" + people, true, "fd69::2"), "help: write ipv6 = \"dual\"; or `policyc");
}

TEST_CASE("of several sessions of one client, the one that SSH_CONNECTION names comes first") {
    // Sockets of this process on loopback, which the kernel lists in the order they were made.
    struct Socket {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        Socket() = default;
        explicit Socket(int from) : fd(accept(from, nullptr, nullptr)) {}
        Socket(const Socket&) = delete;
        Socket& operator=(const Socket&) = delete;
        ~Socket() { close(fd); }
        [[nodiscard]] std::uint16_t port() const {
            sockaddr_in at{};
            socklen_t size = sizeof at;
            REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
            return ntohs(at.sin_port);
        }
    };
    const Socket server;
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(server.fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(listen(server.fd, 3) == 0);
    at.sin_port = htons(server.port());
    const std::array<Socket, 3> clients;
    for (const Socket& client : clients) REQUIRE(connect(client.fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    const Socket one(server.fd);
    const Socket two(server.fd);
    const Socket three(server.fd);
    for (const Socket& client : clients) {
        const auto found =
            own_sessions("127.0.0.1 " + std::to_string(client.port()) + " 127.0.0.1 " + std::to_string(server.port()));
        REQUIRE(found.size() == 3);
        CHECK(found[0].client_port == client.port());
    }
    // Where the named one is gone, all the others stay as they are.
    CHECK(own_sessions("127.0.0.1 1 127.0.0.1 " + std::to_string(server.port())).size() == 3);
}
