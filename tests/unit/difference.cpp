// What diff and apply say of a table that is not there, not theirs, or of another policy: the verbs on a kernel in memory.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "gateway.h"

using namespace policyc;

namespace {

struct Edit {
    std::string before;
    std::string after;
    std::string words;
    bool widens;
    bool narrows;
};

}  // namespace

TEST_CASE("a first apply says what it closes") {
    Gateway gw;
    Ran ran = gw.apply(policy());
    CHECK(ran.status == 0);
    CHECK(ran.says("applied, where there was no table inet policyc"));
    CHECK(ran.says("+ phone   gains  web"));
    CHECK(ran.says("  ! whatever else enters or leaves wg0 is refused from now on unless the policy allows it\n"));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());

    Gateway other;
    ran = other.apply(policy(host + "listen_port = 51820\nuntouched = [\"if:docker0\"]\n"));
    CHECK(
        ran.says("! scope is \"host\": everything else to and through this host is refused from now on unless the "
                 "policy allows it, on every interface: whoever is logged in from outside wg0 too\n"));
    CHECK(ran.says("! implied, for WireGuard: 51820/udp from anywhere to this host over IPv4\n"));
    CHECK(ran.says("! untouched: interface docker0\n"));
    CHECK(ran.narrows());
}

TEST_CASE("a table that is gone, as after a reboot, is nobody's doing") {
    Gateway gw;
    gw.apply(policy());
    gw.kernel.loaded.reset();
    ++gw.kernel.generation;
    for (const Verb::Run verb : {verb_diff, verb_apply}) {
        const Ran ran = gw.run(verb);
        CHECK(ran.says("+ phone   gains  web"));
        CHECK(ran.says("tiers.vpn\n"));
        CHECK_FALSE(ran.says("not by policyc"));
        CHECK_FALSE(ran.says("not from policyc"));
        CHECK_FALSE(ran.says("missing"));
        CHECK(ran.record.at("changes").at(0).at("cause") == "edit");
    }
}

TEST_CASE("a name that loses its address closes what it opened, and DNS is named; a test that names it waits") {
    const std::string text = one_person + R"([services]
web = "web.example:443"
[tiers.vpn]
who = ["phone"]
allow = ["web"]
[[test]]
name = "phone has web"
from = ["phone"]
allow = ["web"]
)";
    const auto lock = [](const std::string& addresses) { return lock_of("web.example", addresses); };
    Gateway gw;
    gw.write(lock("\"10.1.0.9\""), "policy.lock");
    CHECK(gw.apply(text).says("+ phone  gains  web"));
    gw.write(lock(""), "policy.lock");
    const Ran ran = gw.run(verb_apply);
    CHECK(ran.status == 0);
    CHECK(ran.says("- phone  loses  web"));
    CHECK(ran.says("web.example has no address any more"));
    CHECK(ran.record.at("changes")[0].at("cause") == "dns");
    CHECK(gw.run(verb_diff).status == 0);

    // Why it has none is said as it is: nobody answered, only IPv6 is left, or the last answer is too old.
    const auto again = [&](const std::string& now_locked, const std::string& now_text) {
        gw.write(lock("\"10.1.0.9\""), "policy.lock");
        gw.apply(text);
        gw.write(now_locked, "policy.lock");
        return gw.apply(now_text);
    };
    CHECK(again("version = 1\n", text).says("no address of web.example is known"));
    CHECK(again(lock("\"fd01::9\""), text).says("web.example has only IPv6 addresses now"));
    CHECK(again(lock("\"10.1.0.9\""), text + "[resolve]\nstale.keep = \"1h\"\n")
              .says("what is known of web.example is older than stale.keep"));
}

TEST_CASE("a host whose name is another node's keeps its firewall") {
    Gateway gw;
    gw.apply(policy());
    gw.options.node = "phone";
    const Ran ran = gw.run(verb_apply);
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message == "table inet policyc is not `phone`'s: this would remove it");
    CHECK(gw.kernel.loaded);
    // The node itself may leave its table behind.
    gw.options.node.reset();
    CHECK(gw.apply(policy("scope = \"none\"\n")).says("table inet policyc removed"));
}

TEST_CASE("a table of that name that judges nothing is a first apply") {
    Gateway gw;
    gw.write(policy());
    gw.kernel.loaded = ir::Ruleset{};
    Ran ran = gw.run(verb_diff);
    CHECK(ran.says("+ phone   gains  web"));
    CHECK(ran.says("! whatever else enters or leaves wg0 is refused from now on unless the policy allows it\n"));
    CHECK_FALSE(ran.says("differs"));
    CHECK_FALSE(ran.widens());
    // What somebody else has there may refuse what the policy allows, and goes.
    gw.kernel.loaded->chains.push_back({.name = "guard", .base = {}, .comment = {}, .rules = {}});
    ran = gw.run(verb_diff);
    CHECK(ran.says("+ phone   gains  web"));
    CHECK(ran.says("! differs, and no record says who wrote it: chain guard\n"));
    CHECK_FALSE(ran.says("chain judged"));
    CHECK(ran.widens());
}

TEST_CASE("what is missing is called missing") {
    Gateway gw;
    gw.apply(policy());
    std::erase_if(gw.table().chains, [](const ir::Chain& chain) { return chain.name == "to_tunnel"; });
    gw.chain("forward").rules.clear();
    const Ran ran = gw.run(verb_diff);
    CHECK(ran.says("! missing from the kernel: chain to_tunnel\n"));
    CHECK(ran.says("! missing from the kernel: chain forward, rule 1: "));
    CHECK_FALSE(ran.says("not from policyc"));
    CHECK(ran.widens());
    CHECK_FALSE(ran.narrows());
}

TEST_CASE("an edit that opens or closes without a permission is said in the policy's words") {
    const auto again = [](const std::string& who, const std::string& limit) {
        return "[tiers.again]\nwho = [\"" + who + "\"]\nallow = [\"web\"]\nlimit = \"" + limit + "\"";
    };
    const std::string output = "output = [\"10.1.0.9:53/udp\"]\n";
    const std::string refused = " is refused from now on unless the policy allows it";
    const std::vector<Edit> edits = {
        {policy(), policy(host),
         "scope is \"host\": what neither enters nor leaves wg0 is judged too, and everything to and through this "
         "host" +
             refused + ", on every interface",
         false, true},
        {policy(host), policy(),
         "scope is \"tunnel\": what neither enters nor leaves wg0 is no longer judged: all of it is let through", true,
         false},
        {policy(), policy("scope = \"none\""), "nothing is judged any more: policyc refuses nothing here", true, false},
        {policy(), policy(output), "what this host itself sends is judged from now on, and refused unless it is listed",
         false, true},
        {policy(output), policy(), "what this host itself sends is no longer judged: all of it is let through", true,
         false},
        {policy(host), policy(host + "untouched = [\"if:docker0\", \"172.17.0.0/16\"]"),
         "untouched from now on: 172.17.0.0/16, interface docker0: what crosses there and not the tunnel is let "
         "through",
         true, false},
        {policy(host + "untouched = [\"172.17.0.0/16\", \"172.18.0.0/16\"]"),
         policy(host + "untouched = [\"172.17.0.0/16\"]"),
         "no longer untouched: 172.18.0.0/16: what crosses there" + refused, false, true},
        {policy(host + "untouched = [\"172.17.0.0/16\"]"), policy(host + "untouched = [\"172.17.0.0/17\"]"),
         "no longer untouched: 172.17.128.0/17: what crosses there" + refused, false, true},
        {policy(host + "untouched = [\"172.17.0.0/17\"]"), policy(host + "untouched = [\"172.17.0.0/16\"]"),
         "untouched from now on: 172.17.128.0/17: what crosses there and not the tunnel is let through", true, false},
        {policy(host), policy(host + "listen_port = 51820"),
         "implied, for WireGuard: 51820/udp from anywhere to this host over IPv4", true, false},
        {policy(host + "endpoint = \"gw.example:51820\""), policy(host),
         "no longer implied, for WireGuard: 51820/udp from anywhere to this host over IPv4", false, true},
        {policy(), policy("", "limit = \"50/second\""),
         "new connections to web: 50/second instead of no limit, for phone, laptop", false, true},
        {policy("", "limit = \"50/second\""), policy(),
         "new connections to web: no limit instead of 50/second, for phone, laptop", true, false},
        {policy("", "limit = \"50/second\""), policy("", "limit = \"60/second\""),
         "new connections to web: 60/second instead of 50/second, for phone, laptop", true, false},
        {policy("", "limit = \"60/minute\""), policy("", "limit = \"1/second\""),
         "new connections to web: 1/second instead of 60/minute, for phone, laptop", false, true},
        {policy("", "limit = \"60/minute\""), policy("", "limit = \"2/second\""),
         "new connections to web: 2/second instead of 60/minute, for phone, laptop", true, true},
        {policy("", "", "", ", limit = \"9/minute\""), policy("", "", "", ", limit = \"8/minute\""),
         "new connections to web: 8/minute instead of 9/minute, for phone, laptop", false, true},
        {policy("input.ssh = { from = [\"phone\"], limit = \"6/minute\" }"),
         policy("input.ssh = { from = [\"phone\"] }"),
         "new connections to input.ssh: no limit instead of 6/minute, for phone", true, false},
        // What a tier without a limit allows again is under none.
        {policy("", "limit = \"50/second\""),
         policy("", "limit = \"50/second\"\n[tiers.fast]\nwho = [\"phone\"]\nallow = [\"10.1.0.5:443\"]"),
         "new connections to web (10.1.0.5:443/tcp): no limit instead of 50/second, for phone", true, false},
        {policy("", "limit = \"50/second\""),
         policy("", "limit = \"50/second\"\n[tiers.fast]\nwho = [\"10.0.0.0/24\"]\nallow = [\"10.1.0.0/24:*\"]"),
         "new connections to web: no limit instead of 50/second, for phone, laptop", true, false},
        // Each limited tier has a bucket of its own, and a service has one for all tiers.
        {policy("", "limit = \"3/minute\"\n" + again("laptop", "3/minute")),
         policy("", "limit = \"3/minute\"\n" + again("laptop\", \"phone", "3/minute")),
         "new connections to web: 3/minute plus 3/minute instead of 3/minute, for phone", true, false},
        {policy("", "limit = \"3/minute\"\n" + again("phone", "5/minute")), policy("", "limit = \"3/minute\""),
         "new connections to web: 3/minute instead of 3/minute plus 5/minute, for phone", false, true},
        {policy("", "limit = \"3/minute\"\n" + again("phone", "3/minute")),
         policy("", "limit = \"3/minute\"\n" + again("phone", "3/minute"), "", ", limit = \"4/minute\""),
         "new connections to web: 3/minute plus 3/minute (at most 4/minute in all) instead of 3/minute plus 3/minute, "
         "for phone",
         false, true},
        {policy("", "limit = \"3/minute\"\n" + again("phone", "7/minute")),
         policy("", "limit = \"5/minute\"\n" + again("phone", "5/minute")),
         "new connections to web: 5/minute plus 5/minute instead of 3/minute plus 7/minute, for phone", true, true},
        // Of a network what had a limit, and what gets one.
        {policy("",
                "limit = \"3/minute\"\n[tiers.all]\nwho = [\"10.0.0.0/24\"]\nallow = [\"lan:*\"]\n"
                "limit = \"3/minute\""),
         policy("",
                "limit = \"3/minute\"\n[tiers.all]\nwho = [\"10.0.0.0/24\"]\nallow = [\"lan:*\"]\n"
                "limit = \"3/minute\"\n[tiers.some]\nwho = [\"10.0.0.2/31\"]\nallow = [\"10.1.0.4/31:440-443\"]"),
         "new connections to 10.1.0.4:440-443/tcp: no limit instead of 3/minute, for 10.0.0.2/31", true, false},
        // A limit that binds nobody.
        {policy("", "limit = \"3/minute\""), policy("", "limit = \"3/minute\"", "", ", limit = \"5/minute\""),
         "the limit of services.web is 5/minute instead of none: as many new connections pass to each service as "
         "before",
         false, false},
        {policy(), policy("", again("phone", "5/minute")),
         "the limit of tiers.again is 5/minute instead of none: as many new connections pass to each service as before",
         false, false},
        {policy(), policy("source = \"masquerade\""), "source is \"masquerade\": servers see this host's address", true,
         true},
        {policy(), policy("denied = \"reject\""), "denied is \"reject\": who is refused gets an answer", false, false},
        {policy("", "", "[log]\ndenied = { limit = \"5/second\", burst = 20 }"), policy(),
         "of what is refused at most 10/second, 20 at once, is logged: it was 5/second, 20", false, false},
        {policy(), policy("", "log = \"new\""), "what begins is logged from now on: tiers.vpn", false, false},
        {policy("input.ssh = { from = [\"phone\"], log = \"new\" }"), policy("input.ssh = { from = [\"phone\"] }"),
         "what begins is no longer logged: nodes.gw.input.ssh", false, false},
        {policy(), policy("", "", "[log]\ncounters = \"none\""), "connections are no longer counted", false, false},
        {policy("", "[tiers.wide]\nwho = [\"10.0.0.0/24\"]\nallow = [\"lan:*\"]\nlimit = \"3/minute\""),
         policy("", "[tiers.wide]\nwho = [\"10.0.0.0/24\"]\nallow = [\"lan:*\"]\n"),
         "new connections to lan:*: no limit instead of 3/minute, for 10.0.0.0/24", true, false},
    };
    for (const Edit& edit : edits) {
        CAPTURE(edit.words);
        Gateway gw;
        gw.apply(edit.before);
        Ran ran = gw.diff(edit.after);
        CAPTURE(ran.out);
        CHECK(ran.status == 1);
        CHECK(ran.says("  ! " + edit.words));
        CHECK(ran.widens() == edit.widens);
        CHECK(ran.narrows() == edit.narrows);
        CHECK_FALSE(ran.says("policyc: "));
        CHECK_FALSE(ran.says("nothing above says why"));
        ran = gw.apply(edit.after);
        CHECK(ran.says("  ! " + edit.words));
        CHECK(gw.run(verb_diff).record.at("same") == true);
    }
}

TEST_CASE("what begins to be judged outside the tunnel passed before: nothing opens") {
    const std::string from_lan = "input.ssh = { from = [\"lan\"] }\n";
    const std::string port = "listen_port = 51820\n";
    const std::string apart = "untouched = [\"if:docker0\"]\n";
    for (const auto& [before, after, opens] : {
             std::tuple(policy(), policy(host), false),
             std::tuple(policy(), policy(host + from_lan), false),
             std::tuple(policy(), policy(host + apart), false),
             // Who is in the tunnel could not send that.
             std::tuple(policy(), policy(host + "input.ssh = { from = [\"phone\"] }"), true),
             std::tuple(policy(port), policy(host + port), true),
         }) {
        CAPTURE(after);
        Gateway gw;
        gw.apply(before);
        const Ran ran = gw.diff(after);
        CAPTURE(ran.out);
        CHECK(ran.widens() == opens);
        CHECK(ran.narrows());
        CHECK(ran.says(" wider") == (opens && ran.says(" gains ")));
    }
    Gateway gw;
    gw.apply(policy(host));
    CHECK(gw.diff(policy(host + from_lan)).widens());
}

TEST_CASE("another address of this host is said") {
    Gateway gw;
    gw.apply(policy());
    std::string edited = policy();
    edited.replace(edited.find("10.0.0.1"), 8, "10.0.0.9");
    const Ran ran = gw.diff(edited);
    CHECK(ran.status == 1);
    CHECK(ran.says("! this host is 10.0.0.9 in the tunnel instead of 10.0.0.1\n"));
    CHECK_FALSE(ran.says("nothing above says why"));
}

TEST_CASE("another tunnel is said, and IPv6 that begins to be let through") {
    Gateway gw;
    gw.apply(policy());
    std::string edited = policy();
    edited.replace(edited.find("wg0"), 3, "wg1");
    Ran ran = gw.diff(edited);
    CHECK(
        ran.says("! the tunnel is wg1 instead of wg0: what enters or leaves wg1 is judged from now on, and wg0 no "
                 "longer is\n"));
    CHECK(ran.widens());
    CHECK(ran.narrows());

    std::string dual = "ipv6 = \"dual\"\n" + policy();
    dual = policy("", "", "ipv6 = \"dual\"");
    for (const auto& [one, two] : {std::pair{"\"10.0.0.1\"", "[\"10.0.0.1\", \"fd00::1\"]"},
                                   std::pair{"\"10.0.0.2\"", "[\"10.0.0.2\", \"fd00::2\"]"},
                                   std::pair{"\"10.0.0.3\"", "[\"10.0.0.3\", \"fd00::3\"]"}})
        dual.replace(dual.find(one), std::string(one).size(), two);
    ran = gw.diff(dual);
    CHECK(ran.says("! ipv6 is \"dual\": IPv6 that enters or leaves wg0 is judged like IPv4"));
    CHECK(ran.widens());
    gw.apply(dual);
    ran = gw.diff(policy());
    CHECK(ran.says("! ipv6 is \"deny\": all IPv6 that enters or leaves wg0 is refused from now on"));
    CHECK(ran.narrows());
}

TEST_CASE("where an address may come from is said where a permission names it before and after") {
    Gateway gw;
    const std::string more = "\n[nodes.hub]\naddress = \"10.0.0.9\"\nserves = [\"10.2.0.0/24\"]\n";
    gw.apply(policy("", "[tiers.far]\nwho = [\"10.2.0.7\"]\nallow = [\"web\"]"));
    Ran ran = gw.diff(policy("", "[tiers.far]\nwho = [\"10.2.0.7\"]\nallow = [\"web\"]" + more));
    CHECK(ran.says("! what comes from 10.2.0.0/24 is refused as spoofed unless it comes out of wg0\n"));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());
    // A node without permissions changes nothing for anyone.
    ran = gw.diff(
        policy("", "[tiers.far]\nwho = [\"10.2.0.7\"]\nallow = [\"web\"]\n[nodes.hub]\naddress = \"10.0.0.9\""));
    CHECK_FALSE(ran.says("!"));
    CHECK_FALSE(ran.widens());
    CHECK_FALSE(ran.narrows());
}

TEST_CASE("what is written otherwise and means the same opens and closes nothing") {
    Gateway gw;
    gw.apply(policy("input.ssh = { from = [\"phone\"], ports = [\"2000-2040\"] }"));
    const Ran ran =
        gw.diff(policy("input.ssh = { from = [\"phone\"], ports = [\"2000-2030\", \"2031-2035\", \"2036-2040\"] }"));
    CHECK(ran.status == 1);
    CHECK(ran.says("\nno permission comes or goes; "));
    CHECK_FALSE(ran.widens());
    CHECK_FALSE(ran.narrows());
}

TEST_CASE("a rule that no edit is seen to explain is named, and counts as both") {
    const std::string bare = R"(version = 1
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
[tiers.vpn]
who = ["10.0.9.0/24"]
allow = ["10.1.0.5:443"]
)";
    Gateway gw;
    gw.apply(bare);
    const Ran ran = gw.diff(bare + "[nodes.phone]\naddress = \"10.0.0.2\"\n");
    CHECK(ran.says("! changes, and nothing above says why: chain to_tunnel, rule "));
    CHECK(ran.widens());
    CHECK(ran.narrows());
}

namespace {

// So many people in one tier of 30 services, or in two of the same.
std::string crowd(int people, bool split) {
    std::string text =
        "version = 1\n[nodes.gw]\nrole = \"gateway\"\naddress = \"10.0.0.1\"\ninterface = \"wg0\"\n"
        "serves = [\"10.1.0.0/24\"]\n";
    std::string who[2];
    for (int i = 0; i < people; ++i) {
        text += fmt::format("[nodes.p{}]\naddress = \"10.0.0.{}\"\n", i, i + 10);
        who[split ? i % 2 : 0] += fmt::format("\"p{}\", ", i);
    }
    std::string allow;
    for (int i = 0; i < 30; ++i) allow += fmt::format("\"10.1.0.{}:443\", ", i + 1);
    text += fmt::format("[tiers.a]\nwho = [{}]\nallow = [{}]\n", who[0], allow);
    if (split) text += fmt::format("[tiers.b]\nwho = [{}]\nallow = [{}]\n", who[1], allow);
    return text;
}

bool has_chain(const ir::Ruleset& ruleset, const char* name) {
    return std::ranges::find(ruleset.chains, name, &ir::Chain::name) != ruleset.chains.end();
}

}  // namespace

TEST_CASE("a tier that gets sets of its own, or loses them, opens and closes nothing by that") {
    for (const bool split : {false, true}) {
        CAPTURE(split);
        Gateway gw;
        gw.apply(crowd(30, split));
        CHECK(has_chain(*gw.kernel.loaded, "tier1") != split);
        Ran ran = gw.diff(crowd(30, !split));
        CHECK(ran.says("no permission comes or goes"));
        CHECK_FALSE(ran.says("  ! "));
        CHECK_FALSE(ran.widens());
        CHECK_FALSE(ran.narrows());
        CHECK(ran.record.at("changes").empty());
        ran = gw.apply(crowd(30, !split));
        CHECK(ran.status == 0);
        CHECK(has_chain(*gw.kernel.loaded, "tier1") == split);
        CHECK(gw.run(verb_diff).says("no difference"));
    }
}

TEST_CASE("one more person can be what gives a tier sets of its own") {
    Gateway gw;
    gw.apply(crowd(17, false));
    CHECK_FALSE(has_chain(*gw.kernel.loaded, "tier1"));
    const Ran ran = gw.diff(crowd(18, false));
    CHECK(ran.record.at("changes").size() == 30);
    CHECK(ran.says("+ p17  gains  10.1.0.1 "));
    CHECK(ran.says("\n30 wider; "));
    CHECK_FALSE(ran.says("  ! "));
    CHECK_FALSE(ran.narrows());
}

TEST_CASE("who is put into a tier of its own sets by hand is named") {
    Gateway gw;
    gw.apply(crowd(30, false));
    const auto who = std::ranges::find(gw.table().sets, "who4", &ir::Set::name);
    REQUIRE(who != gw.kernel.loaded->sets.end());
    const u128 stranger = parse_address("10.0.0.99")->bits;
    who->elements.add({{stranger, stranger}}, {}, 0);
    who->elements.sort();
    const Ran ran = gw.run(verb_diff);
    CHECK(ran.record.at("changes").size() == 30);
    CHECK(ran.says("- 10.0.0.99  loses "));
    CHECK(ran.says("not from policyc"));
    CHECK(ran.record.at("changes").at(0).at("cause") == "drift");
}

TEST_CASE("a counter that goes is neither an element nor a rule") {
    Gateway gw;
    gw.apply(policy());
    gw.table().counters.push_back({.name = "mine"});
    const Ran ran = gw.run(verb_diff);
    CHECK(ran.says("; no elements would change, no rule changes\n"));
    CHECK(ran.record["elements"] == 0);
    CHECK(ran.record["rules"] == 0);
    CHECK(gw.run(verb_apply).says("; no elements changed, no rule changed\n"));
}

TEST_CASE("a rule that goes is counted") {
    Gateway gw;
    gw.apply(policy());
    gw.chain("forward").rules.push_back({{ir::Accept{}}, "", {}});
    CHECK(gw.run(verb_diff).says("; no elements would change, 1 rule changes\n"));
    CHECK(gw.run(verb_apply).says("; no elements changed, 1 rule changed\n"));
}

TEST_CASE("chains are counted as chains, and not as rules") {
    Gateway gw;
    gw.apply(policy());
    gw.chain("forward").base->policy_drop = !gw.chain("forward").base->policy_drop;
    CHECK(gw.run(verb_diff).says("; no elements would change, 1 chain changes\n"));
    ir::Chain mine{.name = "mine"};
    mine.rules.push_back({{ir::Accept{}}, "", {}});
    mine.rules.push_back({{ir::Drop{}}, "", {}});
    gw.table().chains.push_back(mine);
    const Ran ran = gw.run(verb_apply);
    CHECK(ran.says("; no elements changed, 2 rules and 2 chains changed\n"));
    CHECK(ran.record["rules"] == 2);
}

TEST_CASE("a person who moves to another class of tiers is an element that changes") {
    const auto with = [](const std::string& who) {
        return policy("", "\n[tiers.more]\nwho = [" + who + "]\nallow = [\"10.1.0.9:80\"]\n");
    };
    Gateway gw;
    gw.world.layout = parse_layout("pairs").value();
    gw.apply(with("\"laptop\""));
    const Ran ran = gw.diff(with("\"laptop\", \"phone\""));
    // who4 and turned_who4: the one that goes and the one that comes.
    CHECK(ran.says("1 wider; 4 elements would change, no rule changes\n"));
}
