// Answers joined with the lock, and what is believed of both: names_of(), addresses_of(), settle(), parse_hosts().
#include <doctest/doctest.h>

#include <string>

#include "policy/lock.h"

using namespace policyc;

namespace {

Address address(const char* text) {
    return parse_address(text).value();
}
Range range(const char* text) {
    return parse_cidr(text).value().range;
}

const Time now = Time{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}} + std::chrono::hours{12};
const std::string name = "jelly01.home.example";

LockEntry entry(std::vector<Address> addresses) {
    return {std::move(addresses), {}, 300, now - std::chrono::hours{2}};
}

Answer answer(Outcome outcome, std::vector<Address> addresses = {}) {
    Answer out;
    out.outcome = outcome;
    out.addresses = std::move(addresses);
    out.ttl = 60;
    out.server = "10.69.13.5";
    return out;
}

Span span(std::uint32_t at) {
    return {0, at, at + 1};
}

Policy policy_of(const std::vector<std::string>& names) {
    Policy policy;
    policy.resolve.within = {range("10.69.13.0/24")};
    policy.resolve.within_span = span(900);
    for (const std::string& host : names) {
        Service service;
        service.name = "s" + std::to_string(policy.services.size());
        service.host = HostName{host};
        service.host_span = span(static_cast<std::uint32_t>(10 + policy.services.size()));
        policy.services.push_back(service);
    }
    return policy;
}

struct Run {
    Diagnostics diagnostics;
    Settled settled;

    Run(const Policy& policy, const Lock& before, const std::map<std::string, Answer>& answers, bool lenient = false)
        : settled(settle(policy, before, answers, now, lenient, diagnostics)) {}

    [[nodiscard]] std::string codes() const {
        std::string out;
        for (const Diagnostic& diagnostic : diagnostics.all()) out += std::string(info(diagnostic.code).name) + " ";
        return out;
    }
    // Message, label and remarks of the only diagnostic, a line each.
    [[nodiscard]] std::string text() const {
        REQUIRE(diagnostics.all().size() == 1);
        const Diagnostic& diagnostic = diagnostics.all()[0];
        std::string out = diagnostic.message + "\n" + diagnostic.primary.text + "\n";
        for (const Label& label : diagnostic.secondary) out += "also: " + label.text + "\n";
        for (const Remark& remark : diagnostic.remarks) {
            out += (remark.kind == Remark::Kind::help ? "help: " : "note: ") + remark.text + "\n";
        }
        return out;
    }
};

}  // namespace

TEST_CASE("hosts(5) is read as the C library reads it") {
    const Addresses hosts = parse_hosts(
        "127.0.0.1 localhost\n"
        "::1\tlocalhost  ip6-localhost # comment\n"
        "  10.69.13.20   Jelly01.Home.Example. jelly01 \r\n"
        "# 10.69.13.99 jelly01\n"
        "10.69.13.21 jelly01\n"
        "10.69.13.21 jelly01\n"
        "nonsense jelly02\n"
        "10.69.13.300 jelly02\n"
        "10.69.13.22\n"
        "10.69.13.23 last");
    CHECK(hosts.size() == 5);
    CHECK(hosts.at("localhost") == std::vector{address("127.0.0.1"), address("::1")});
    CHECK(hosts.at("jelly01.home.example") == std::vector{address("10.69.13.20")});
    CHECK(hosts.at("jelly01") == std::vector{address("10.69.13.20"), address("10.69.13.21")});
    CHECK(hosts.at("last") == std::vector{address("10.69.13.23")});
    CHECK(parse_hosts("").empty());
}

TEST_CASE("names of a policy: services first, then what lists say") {
    Policy policy = policy_of({"b.example", "a.example", "b.example"});
    Target direct;
    direct.host = HostName{"c.example"};
    direct.span = span(70);
    direct.definition = span(71);
    Target service = direct;
    service.host = HostName{"a.example"};
    policy.tiers.push_back({});
    policy.tiers[0].allow = {direct, service};
    policy.nodes.push_back({});
    policy.nodes[0].endpoint = Endpoint{std::string("vps.example"), 51820, span(1)};
    Target sent = direct;
    sent.host = HostName{"d.example"};
    policy.nodes[0].output = std::vector{sent};
    policy.tests.push_back({});
    Target tested = direct;
    tested.host = HostName{"e.example"};
    policy.tests[0].deny = Expectation::List{{tested}, span(80)};
    const std::vector<NameUse> uses = names_of(policy);
    REQUIRE(uses.size() == 5);
    const char* expected[] = {"a.example", "b.example", "c.example", "d.example", "e.example"};
    for (std::size_t i = 0; i < 5; ++i) CHECK(uses[i].name == expected[i]);
    CHECK(uses[0].span == span(11));
    CHECK(uses[1].span == span(10));
    CHECK(uses[2].span == span(71));
}

TEST_CASE("an answer is locked, and a repeated one changes nothing") {
    const Policy policy = policy_of({name});
    Run first(
        policy, {},
        {{name, answer(Outcome::answered, {address("10.69.13.21"), address("10.69.13.20"), address("10.69.13.21")})}});
    CHECK(first.codes() == "");
    CHECK(first.settled.changed == std::vector{name});
    const LockEntry& locked = first.settled.lock.at(name);
    CHECK(locked.addresses == std::vector{address("10.69.13.20"), address("10.69.13.21")});
    CHECK(locked.ttl == 60);
    CHECK(locked.resolved == now);

    const Lock before = {{name, entry({address("10.69.13.20")})}};
    Run again(policy, before, {{name, answer(Outcome::answered, {address("10.69.13.20")})}});
    CHECK(again.settled.lock == before);
    CHECK(again.settled.changed.empty());
    Answer other_way = answer(Outcome::answered, {address("10.69.13.20")});
    other_way.cnames = {"x.home.example"};
    Run alias(policy, before, {{name, other_way}});
    CHECK(alias.settled.changed == std::vector{name});
}

TEST_CASE("names that the policy no longer has go, names that nobody asked for stay") {
    const Lock before = {{name, entry({address("10.69.13.20")})}, {"old.example", entry({address("10.69.13.9")})}};
    Run run(policy_of({name, "new.example"}), before, {});
    CHECK(run.codes() == "");
    CHECK(run.settled.lock == Lock{{name, before.at(name)}});
    CHECK(run.settled.dropped == std::vector<std::string>{"old.example"});
    CHECK(run.settled.changed.empty());
}

TEST_CASE("silence keeps the last answer") {
    const Lock before = {{name, entry({address("10.69.13.20")})}};
    Answer silent = answer(Outcome::timeout);
    silent.detail = "no reply from 10.69.13.5";
    for (const Outcome outcome : {Outcome::timeout, Outcome::server_error, Outcome::answered}) {
        silent.outcome = outcome;  // answered without an address is no answer
        Run kept(policy_of({name}), before, {{name, silent}});
        CHECK(kept.settled.lock == before);
        CHECK(kept.text() ==
              "`jelly01.home.example` was not answered; what it last resolved to is kept\nno reply from 10.69.13.5\n"
              "note: the locked 10.69.13.20 stays in force, resolved 2 hours ago\n");
        CHECK(kept.codes() == "W0307 ");
        Run never(policy_of({name}), {}, {{name, silent}});
        CHECK(never.codes() == "E0303 ");
        CHECK(never.settled.lock.empty());
        CHECK(never.text().find("note: nothing is locked for it, so nothing is allowed to it\n") != std::string::npos);
    }
}

TEST_CASE("what hosts of a domain have in common does not make them near") {
    const Lock before = {{"jelly.home.example", entry({address("10.69.13.42")})}};
    for (const char* name : {"radar.home.example", "bar.home.example"}) {
        Run run(policy_of({name}), before, {{name, answer(Outcome::no_such_name)}});
        CHECK(run.text().find("did you mean") == std::string::npos);
    }
    Run label(policy_of({"jely.home.example"}), before, {{"jely.home.example", answer(Outcome::no_such_name)}});
    CHECK(label.text().find("did you mean `jelly.home.example`?") != std::string::npos);
    Run domain(policy_of({"jelly.hone.example"}), before, {{"jelly.hone.example", answer(Outcome::no_such_name)}});
    CHECK(domain.text().find("did you mean `jelly.home.example`?") != std::string::npos);
}

TEST_CASE("a name that does not exist") {
    const Lock before = {{"radarr-jail.home.example", entry({address("10.69.13.42")})}};
    Run never(policy_of({"radar-jail.home.example"}), before,
              {{"radar-jail.home.example", answer(Outcome::no_such_name)}});
    CHECK(never.codes() == "E0301 ");
    CHECK(never.settled.lock.empty());
    CHECK(never.text() ==
          "`radar-jail.home.example` does not exist (NXDOMAIN)\nasked 10.69.13.5 just now\n"
          "note: policy.lock has `radarr-jail.home.example` = 10.69.13.42, resolved 2 hours ago\n"
          "help: did you mean `radarr-jail.home.example`?\n"
          "note: NXDOMAIN is an answer, not an outage: nothing is locked for it, so nothing is allowed to it\n");

    Run gone(policy_of({"radarr-jail.home.example"}), before,
             {{"radarr-jail.home.example", answer(Outcome::no_such_name)}});
    CHECK(gone.codes() == "W0308 ");
    CHECK(gone.settled.lock.at("radarr-jail.home.example").addresses.empty());
    CHECK(gone.settled.lock.at("radarr-jail.home.example").resolved == now);
    CHECK(gone.settled.changed.size() == 1);
    // Whoever looks the lock up next, in the same run, has nothing to add.
    addresses_of(policy_of({"radarr-jail.home.example"}), gone.settled.lock, {}, now, gone.diagnostics);
    CHECK(gone.codes() == "W0308 ");
    CHECK(gone.text().find("note: 10.69.13.42, resolved 2 hours ago, is no longer allowed\n") != std::string::npos);

    Run still(policy_of({"radarr-jail.home.example"}), gone.settled.lock,
              {{"radarr-jail.home.example", answer(Outcome::no_address)}});
    CHECK(still.codes() == "W0308 ");
    CHECK(still.settled.lock == gone.settled.lock);
    CHECK(still.settled.changed.empty());

    Run bare(policy_of({name}), {}, {{name, answer(Outcome::no_address)}});
    CHECK(bare.codes() == "E0309 ");
}

TEST_CASE("an answer outside `within` is refused and the old one kept") {
    const Lock before = {{name, entry({address("10.69.13.30")})}};
    const std::map<std::string, Answer> lie = {
        {name, answer(Outcome::answered, {address("10.69.13.30"), address("203.0.113.9")})}};
    Run run(policy_of({name}), before, lie);
    CHECK(run.codes() == "E0302 ");
    CHECK(run.settled.lock == before);
    CHECK(run.settled.changed.empty());
    CHECK(run.text() ==
          "`jelly01.home.example` resolves outside [resolve].within\n10.69.13.5 answered 203.0.113.9\n"
          "also: only answers in 10.69.13.0/24 are believed\n"
          "note: refused, because a changed DNS record would otherwise open the firewall; the locked 10.69.13.30 stays "
          "in force\n"
          "help: if this move is meant, add the new network to [networks] and to `within`\n");
    Run fresh(policy_of({name}), {}, lie);
    CHECK(fresh.codes() == "E0302 ");
    CHECK(fresh.settled.lock.empty());

    Policy open = policy_of({name});
    open.resolve.within = {range("0.0.0.0/0")};
    CHECK(Run(open, {}, lie).codes() == "");
    for (const char* nonsense : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"}) {
        Run odd(open, {}, {{name, answer(Outcome::answered, {address(nonsense)})}});
        CHECK(odd.codes() == "E0302 ");
        CHECK(odd.settled.lock.empty());
    }
    Policy nothing = policy_of({name});
    nothing.resolve.within.clear();
    nothing.resolve.within_span = {};
    Run none(nothing, {}, {{name, answer(Outcome::answered, {address("10.69.13.30")})}});
    CHECK(none.codes() == "E0302 ");
    CHECK(none.settled.lock.empty());
    CHECK(none.text().find("`within` is not set and means all of [networks], which are none") != std::string::npos);
    Diagnostics diagnostics;
    CHECK(addresses_of(nothing, {{name, entry({address("10.69.13.30")})}}, {}, now, diagnostics).at(name).empty());
    CHECK(diagnostics.has(Code::E0302));
}

TEST_CASE("IPv6 answers matter only where IPv6 does") {
    Policy policy = policy_of({name});
    const std::map<std::string, Answer> both = {
        {name, answer(Outcome::answered, {address("10.69.13.20"), address("2001:db8::1")})}};
    Run denied(policy, {}, both);
    CHECK(denied.codes() == "");
    CHECK(denied.settled.lock.at(name).addresses.size() == 2);
    policy.ipv6 = Ipv6::dual;
    CHECK(Run(policy, {}, both).codes() == "E0302 ");
    policy.resolve.within.push_back(range("2001:db8::/32"));
    CHECK(Run(policy, {}, both).codes() == "");
}

TEST_CASE("64 addresses are believed, 65 are not") {
    std::vector<Address> addresses;
    for (unsigned i = 1; i <= 64; ++i) addresses.push_back({Family::ipv4, 0x0A450D00U + i});
    CHECK(Run(policy_of({name}), {}, {{name, answer(Outcome::answered, addresses)}}).codes() == "");
    addresses.push_back({Family::ipv4, 0x0A450D00U + 65});
    const Lock before = {{name, entry({address("10.69.13.30")})}};
    Run run(policy_of({name}), before, {{name, answer(Outcome::answered, addresses)}});
    CHECK(run.codes() == "E0304 ");
    CHECK(run.settled.lock == before);
    CHECK(run.text().find("10.69.13.5 answered 65 of them\n") != std::string::npos);
}

TEST_CASE("an apply that must go on is warned instead") {
    std::vector<Address> many;
    for (unsigned i = 1; i <= 65; ++i) many.push_back({Family::ipv4, 0x0A450D00U + i});
    for (const Answer& bad : {answer(Outcome::no_such_name), answer(Outcome::no_address), answer(Outcome::timeout),
                              answer(Outcome::server_error), answer(Outcome::answered, {address("203.0.113.9")}),
                              answer(Outcome::answered, many)}) {
        Run run(policy_of({name}), {}, {{name, bad}}, true);
        CHECK(run.codes() == "W0306 ");
        CHECK(run.diagnostics.errors() == 0);
        CHECK(run.settled.lock.empty());
        CHECK(run.text().find("so nothing is allowed to it") != std::string::npos);
    }
}

TEST_CASE("addresses come from the lock, else from /etc/hosts, and never from nowhere") {
    Policy policy = policy_of({name, "hosts.example", "unknown.example", "empty.example", "outside.example"});
    Lock lock = {{name, entry({address("10.69.13.20")})},
                 {"empty.example", entry({})},
                 {"outside.example", entry({address("10.69.13.40"), address("203.0.113.9")})}};
    const Addresses hosts = {{name, {address("10.69.13.99")}}, {"hosts.example", {address("10.69.13.50")}}};
    Diagnostics diagnostics;
    const Addresses found = addresses_of(policy, lock, hosts, now, diagnostics);
    CHECK(found.at(name) == std::vector{address("10.69.13.20")});
    CHECK(found.at("hosts.example") == std::vector{address("10.69.13.50")});
    CHECK(found.at("outside.example") == std::vector{address("10.69.13.40")});
    CHECK(found.count("unknown.example") == 0);
    CHECK(found.count("empty.example") == 0);
    CHECK(diagnostics.all().size() == 3);
    CHECK(diagnostics.has(Code::W0305));
    CHECK(diagnostics.has(Code::W0308));
    CHECK(diagnostics.has(Code::E0302));

    Diagnostics more;
    const Addresses local = {{"hosts.example", std::vector<Address>(65, address("10.69.13.50"))}};
    CHECK(addresses_of(policy_of({"hosts.example"}), {}, local, now, more).empty());
    CHECK(more.has(Code::E0304));
    Diagnostics outside;
    CHECK(addresses_of(policy_of({"hosts.example"}), {}, {{"hosts.example", {address("127.0.1.1")}}}, now, outside)
              .at("hosts.example")
              .empty());
    CHECK(outside.has(Code::E0302));
}

TEST_CASE("a host with an IPv6 address under ipv6 = deny") {
    Policy policy = policy_of({name});
    policy.ipv6_span = span(4);
    const Lock lock = {{name, entry({address("10.69.13.20"), address("fd69:13::20")})}};
    Diagnostics diagnostics;
    CHECK(addresses_of(policy, lock, {}, now, diagnostics).at(name) == std::vector{address("10.69.13.20")});
    REQUIRE(diagnostics.all().size() == 1);
    CHECK(diagnostics.all()[0].code == Code::W0601);
    CHECK(diagnostics.all()[0].message == "`jelly01.home.example` also has an IPv6 address, which this policy denies");
    CHECK(diagnostics.all()[0].primary.text == "AAAA fd69:13::20, A 10.69.13.20");

    policy.ipv6 = Ipv6::dual;
    policy.resolve.within.push_back(range("fd69:13::/64"));
    Diagnostics dual;
    CHECK(addresses_of(policy, lock, {}, now, dual).at(name).size() == 2);
    CHECK(dual.all().empty());
}

TEST_CASE("names that are locked and not used are told in one warning, at the first of them") {
    const Policy policy = policy_of({name});
    Lock lock{{name, {{address("10.69.13.20")}, {}, 300, {}, {}}}};
    Diagnostics none;
    warn_unused(policy, lock, none);
    CHECK(none.all().empty());
    for (const char* other : {"a.example", "b.example", "c.example", "d.example", "zz.example"})
        lock[other].span = {3, 10, static_cast<std::uint32_t>(10 + *other)};
    Diagnostics diagnostics;
    warn_unused(policy, lock, diagnostics);
    REQUIRE(diagnostics.all().size() == 1);
    const Diagnostic& one = diagnostics.all()[0];
    CHECK(one.code == Code::W0316);
    CHECK(one.primary.span == lock.at("a.example").span);
    CHECK(
        one.message ==
        "`a.example`, `b.example`, `c.example`, `d.example` and 1 more are locked, and the policy does not have them");
}

TEST_CASE("an answer that was not confirmed for longer than stale.keep counts for nothing") {
    Policy policy = policy_of({name});
    policy.resolve.stale_keep = std::chrono::hours{4};
    policy.resolve.stale_span = span(950);
    const std::vector<Address> addresses{address("10.69.13.20")};
    const auto found = [&](Time resolved) {
        Diagnostics diagnostics;
        const Addresses at = addresses_of(policy, {{name, {addresses, {}, 300, resolved}}}, {}, now, diagnostics);
        CHECK(diagnostics.has(Code::W0315) == at.empty());
        CHECK(diagnostics.errors() == 0);
        if (at.empty()) {
            CHECK(diagnostics.all()[0].message ==
                  "`s0` is closed: what policy.lock has for `jelly01.home.example` is too old");
        }
        return !at.empty();
    };
    CHECK(found(now));
    CHECK(found(now - std::chrono::hours{4}));
    CHECK_FALSE(found(now - std::chrono::hours{4} - std::chrono::seconds{1}));
    policy.resolve.stale_keep.reset();
    CHECK(found(now - std::chrono::years{10}));
}

TEST_CASE("what is confirmed is dated anew only when a quarter of stale.keep has gone by") {
    Policy policy = policy_of({name});
    const std::map<std::string, Answer> same = {{name, answer(Outcome::answered, {address("10.69.13.20")})}};
    const auto dated = [&](Time resolved) {
        const Lock before = {{name, {{address("10.69.13.20")}, {}, 300, resolved}}};
        Run run(policy, before, same);
        CHECK(run.codes() == "");
        CHECK(run.settled.changed.empty());
        CHECK(run.settled.lock.at(name).ttl == 300);
        return run.settled.lock.at(name).resolved;
    };
    const Time old = now - std::chrono::hours{24 * 300};
    CHECK(dated(old) == old);  // no `keep`: the lock never changes of itself
    CHECK(dated(now + std::chrono::hours{1}) == now);
    CHECK(dated(now + std::chrono::minutes{2}) == now + std::chrono::minutes{2});  // clocks differ a little
    policy.resolve.stale_keep = std::chrono::hours{4};
    CHECK(dated(old) == now);
    CHECK(dated(now - std::chrono::hours{1}) == now);
    CHECK(dated(now - std::chrono::minutes{59}) == now - std::chrono::minutes{59});
    CHECK(dated(now + std::chrono::hours{1}) == now);  // a clock was wrong
    // Silence confirms nothing, and says what becomes of it.
    const Lock before = {{name, {{address("10.69.13.20")}, {}, 300, now - std::chrono::hours{5}}}};
    Run silent(policy, before, {{name, answer(Outcome::timeout)}});
    CHECK(silent.settled.lock == before);
    // Nor does what still has no address keep a date that is yet to come.
    const Lock none = {{name, {{}, {}, 300, now + std::chrono::hours{1}}}};
    CHECK(Run(policy, none, {{name, answer(Outcome::no_address)}}).settled.lock.at(name).resolved == now);
    CHECK(silent.text().find("older than `stale.keep` lets it be, so nothing is allowed to it") != std::string::npos);
}
