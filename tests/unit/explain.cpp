// explain: what it says of every kind of question, and that policy, diagram and kernel are compared.
#include "compiler/explain.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <vector>

#include "checked.h"
#include "compiler/driver/agreement.h"
#include "gateway.h"

using namespace policyc;

namespace {

constexpr const char* house = R"(version = 1
ipv6 = "dual"
[networks]
home = ["10.1.0.0/24", "fd01:1::/64"]
office = ["192.0.2.0/24"]
[nodes.gw]
role = "gateway"
address = ["10.0.0.1", "fd01::1"]
interface = "wg0"
serves = ["home"]
listen_port = 51820
scope = "tunnel"
untouched = ["if:wg-old", "10.9.0.0/24"]
input.ssh = { from = ["phone"], limit = "6/minute" }
[nodes.phone]
address = ["10.0.0.2", "fd01::2"]
[nodes.laptop]
address = ["10.0.0.3", "fd01::3"]
[services]
web = "10.1.0.5:443"
films = { host = "films.home.example", ports = 8096, limit = "20/second", log = "new" }
music = "music.home.example:4533"
paper = { host = "10.1.0.6", ports = 631, expires = 2026-10-31 }
nas = "10.1.0.7:445"
backup = "10.1.0.8:22"
quiet = "10.1.0.9:25"
camera = "10.1.0.10:554/udp"
[groups]
people = ["phone", "laptop"]
nobody = []
media = ["films", "web"]
[tiers.vpn]
who = ["people"]
allow = ["web", "films", "music", "paper", "camera"]
limit = "50/second"
[tiers.work]
who = ["laptop", "office"]
allow = ["nas"]
expires = 2027-01-31
[tiers.full]
who = ["people"]
allow = ["backup"]
grant = { max = "4h", by = ["wheel"] }
[tiers.session]
who = ["people"]
allow = ["10.1.0.8:23"]
bastion = { node = "gw", auth = ["publickey"] }
)";

constexpr const char* lock = R"(version = 1

[names."films.home.example"]
addresses = ["10.1.0.20", "fd01:1::20"]
ttl = 60
resolved = "2026-11-24T10:00:00Z"
)";

struct House : Gateway {
    std::string policy = house;

    House() { write(lock, "policy.lock"); }

    Ran ask(const std::string& from, const std::string& to, const std::string& in = "") {
        write(policy);
        options.from = from;
        options.target = to;
        options.in = in.empty() ? std::optional<std::string>() : in;
        options.node = "gw";
        return run(verb_explain);
    }
    House& with(const std::string& old, const std::string& now) {
        REQUIRE(policy.find(old) != std::string::npos);
        policy.replace(policy.find(old), old.size(), now);
        return *this;
    }
};

struct Question {
    std::string from, to, in;
    int status;
    std::vector<std::string> says;
};

void check_all(House& here, const std::vector<Question>& questions) {
    for (const Question& q : questions) {
        const Ran ran = here.ask(q.from, q.to, q.in);
        INFO(q.from, " -> ", q.to, "\n", ran.out, ran.error ? ran.error->message : "");
        CHECK(ran.status == q.status);
        for (const std::string& words : q.says) {
            INFO(words);
            CHECK(ran.says(words));
        }
    }
}

}  // namespace

TEST_CASE("what is allowed is shown by its lines, with the age of the address, rates and dates") {
    House here;
    check_all(here,
              {{"phone",
                "films",
                "",
                0,
                {"allowed: phone -> films:8096/tcp\n", "10.0.0.2, fd01::2", "10.1.0.20, fd01:1::20",
                 "films.home.example, locked 2 h ago", "forwards it from wg0 to another interface", "policy.toml:34:17",
                 "tiers.vpn, at most 50/second, at most 20/second, logged", "holds phone", "\n  implied on gw\n",
                 "ICMP errors about a flow that is tracked"}},
               {"laptop", "nas", "", 0, {"tiers.work, until 2027-01-31"}},
               {"192.0.2.7", "10.1.0.7:445", "", 0, {"allowed: 192.0.2.7 -> 10.1.0.7:445/tcp"}},
               {"phone", "gw:22", "", 0, {"is where it goes, and it comes from wg0", "input.ssh, at most 6/minute"}},
               // By the name of its host, as somebody may have it in the clipboard.
               {"phone", "films.home.example:8096", "", 0, {"allowed: phone -> films:8096/tcp"}},
               {"phone", "Films.Home.Example", "", 0, {"allowed: phone -> films:8096/tcp"}}});
}

TEST_CASE("what is denied is told what would allow it") {
    House here;
    check_all(
        here,
        {{"phone",
          "films:22",
          "",
          1,
          {"denied: phone -> films:22/tcp\n", "no line of the policy allows it",
           "  it would be allowed\n    on port 8096  "}},
         {"phone", "camera:554", "", 1, {"on port 554/udp", "tiers.vpn"}},
         {"phone", "nas", "", 1, {"for laptop, office", "tiers.work"}},
         {"phone", "backup", "", 1, {"with a grant of tier full, at most 4h, given by wheel", "tiers.full"}},
         {"phone", "10.1.0.8:23", "", 1, {"from a session on gw", "tiers.session"}},
         {"phone", "paper", "", 1, {"had it not expired on 2026-10-31", "policy.toml:23"}},
         {"phone", "quiet", "", 1, {"denied: phone -> quiet:25/tcp"}},
         {"phone",
          "music",
          "",
          1,
          {"music.home.example has no address: it is in neither the lock nor /etc/hosts", "once it has an address"}},
         {"phone", "gw:80", "", 1, {"on port 22"}},
         {"laptop", "gw:22", "", 1, {"for phone", "input.ssh"}},
         {"phone", "laptop:22", "", 1, {"forwards it from wg0 to the same"}}});
}

TEST_CASE("of a protocol that is open as a whole, port 0 is not, and the rest is named") {
    House here;
    here.with("allow = [\"nas\"]", "allow = [\"10.1.0.7:*/tcp\", \"10.1.0.9:*/tcp\", \"10.1.0.9:*/udp\"]")
        .with("from = [\"phone\"],", "from = [\"phone\"], ports = [\"*/tcp\"],");
    check_all(here,
              {{"laptop", "10.1.0.7:*", "", 1, {"10.1.0.7:0/tcp would be allowed\n    on any other port of tcp  "}},
               {"laptop", "10.1.0.7:53/udp", "", 1, {"it would be allowed\n    on any port of tcp  "}},
               {"laptop", "10.1.0.9:*", "", 1, {"on any other port of tcp  ", "on any port of udp  "}},
               {"phone", "gw:*", "", 1, {"10.0.0.1:0/tcp would be allowed\n    on any other port of tcp  "}}});
}

TEST_CASE("why a name has no address is said as it is") {
    House here;
    here.with("music = ", "old = \"old.home.example:80\"\ngone = \"gone.home.example:80\"\nmusic = ")
        .with("\"music\", ", "\"old\", \"gone\", \"music\", ")
        .with("[nodes.gw]", "[resolve]\nstale.keep = \"7d\"\n[nodes.gw]");
    const auto entry = [](const std::string& name, const std::string& addresses, const std::string& day) {
        return fmt::format("\n[names.\"{}.home.example\"]\naddresses = [{}]\nttl = 60\nresolved = \"{}T10:00:00Z\"\n",
                           name, addresses, day);
    };
    here.write("version = 1\n" + entry("gone", "", "2026-11-24") + entry("old", "\"10.1.0.30\"", "2026-11-10"),
               "policy.lock");
    check_all(
        here,
        {{"phone",
          "old",
          "",
          1,
          {"what the lock has for old.home.example is older than stale.keep, and no longer counts",
           "once `policyc resolve` gets an answer again"}},
         {"phone", "gone", "", 1, {"gone.home.example has no address: the lock says so", "once it has an address"}},
         {"phone", "music", "", 1, {"music.home.example has no address: it is in neither the lock nor /etc/hosts"}}});
    // Of the family that is denied only, in the lock or in /etc/hosts.
    here.policy = policyc::policy("", "", "", "")
                      .replace(policyc::policy().find("[services]"), 10, "[services]\nsix = \"six.home.example:80\"");
    here.with("allow = [\"web\"", "allow = [\"six\", \"web\"");
    const auto check_six = [&] {
        check_all(here,
                  {{"phone",
                    "six",
                    "",
                    1,
                    {"six.home.example has no IPv4 address, and IPv6 is denied", "once it has an IPv4 address"}}});
    };
    here.write("version = 1\n" + entry("six", "\"fd01:1::9\"", "2026-11-24"), "policy.lock");
    check_six();
    here.write("version = 1\n", "policy.lock");
    here.write("fd01:1::9 six.home.example\n", "hosts");
    here.world.hosts_file = (here.folder / "hosts").string();
    check_six();
}

TEST_CASE("a near miss that is none is not shown") {
    House here;
    CHECK_FALSE(here.ask("phone", "quiet").says("it would be allowed"));
    CHECK_FALSE(here.ask("phone", "web").says("it would be allowed"));
    CHECK_FALSE(here.ask("phone", "films:22").says("for phone"));
}

TEST_CASE("who sends and has no place may be the node itself") {
    const std::string own = " is an address of gw itself";
    House here;
    for (const char* in : {"10.0.0.99", "203.0.113.9"}) {
        const Ran ran = here.ask(in, "web");
        CAPTURE(ran.out);
        CHECK(ran.says("it would be allowed\n    if " + (in + own) + ", whose own packets are not judged  "));
        CHECK(ran.says("policy.toml:6\n"));
    }
    here.with("scope = \"tunnel\"", "scope = \"host\"\noutput = [\"web\"]");
    check_all(here, {{"203.0.113.9", "web", "", 1, {"if 203.0.113.9" + own + "  ", "policy.toml:13  output\n"}},
                     {"10.1.0.99", "web", "", 1, {"if 10.1.0.99" + own}},
                     {"203.0.113.9", "gw:80", "", 1, {"if 203.0.113.9" + own}}});
    // Nothing would pass, it comes in, it is somebody else's, or several are meant.
    CHECK_FALSE(here.ask("203.0.113.9", "films").says(own));
    CHECK_FALSE(here.ask("203.0.113.9", "web", "eth0").says(own));
    CHECK_FALSE(here.ask("10.1.0.7", "web").says(own));
    CHECK_FALSE(here.ask("192.0.2.7", "web").says(own));
    CHECK_FALSE(here.ask("203.0.113.8/31", "web").says(own));
    here.world.own_addresses = [] { return std::vector<Address>{}; };
    here.world.way_to = [](const Address&) { return std::string("eth0"); };
    here.options.live = true;
    CHECK_FALSE(here.ask("203.0.113.9", "web").says(own));
}

TEST_CASE("what is not judged says why, and passes") {
    House here;
    check_all(here, {{"10.1.0.5",
                      "10.1.0.6:22",
                      "",
                      0,
                      {"not judged: 10.1.0.5", "it neither enters nor leaves through wg0: policyc has no opinion"}},
                     {"gw", "web", "", 0, {"gw has no `output`: what it sends itself is not judged"}},
                     {"gw", "gw:22", "", 0, {"not judged"}}});
    here.with("scope = \"tunnel\"", "scope = \"none\"");
    check_all(here, {{"phone", "web", "", 0, {"not judged", "the scope of gw is \"none\""}}});
}

TEST_CASE("who says to be somebody else is told so") {
    House here;
    check_all(here, {{"10.0.0.99", "web", "", 1, {"spoofed: 10.0.0.99 is no address behind wg0"}},
                     {"10.1.0.5", "web", "wg0", 1, {"spoofed: 10.1.0.5 is no address behind wg0"}},
                     {"gw", "web", "wg0", 1, {"spoofed: 10.0.0.1 is no address"}}});
    here.with("scope = \"tunnel\"", "scope = \"host\"");
    check_all(here, {{"phone", "web", "eth0", 1, {"spoofed: the place of 10.0.0.2 is behind wg0"}}});
    CHECK(here.ask("phone", "web", "lo").error->message.find("nothing comes in through `lo`") != std::string::npos);
}

TEST_CASE("an interface that the policy doesn't name is noted where the kernel isn't asked") {
    House here;
    const std::string none = "the policy names no interface `";
    const std::string beside = "` of gw: it is taken for one beside the tunnel\n";
    CHECK(here.ask("phone", "web", "eth0").notes.ends_with(none + "eth0" + beside));
    CHECK(
        here.ask("phone", "web", "wg00").notes.ends_with(none + "wg00" + beside + "   = help: did you mean `wg0`?\n"));
    for (const char* named : {"wg0", "wg-old", ""})
        CHECK(here.ask("phone", "web", named).notes.find(none) == std::string::npos);
    // --live knows which are there.
    here.options.live = true;
    here.links = {{"lo"}, {"eth0"}};
    CHECK(here.ask("phone", "web", "eth0").notes.find(none) == std::string::npos);
    CHECK(here.ask("phone", "web", "wg00").error->message == "there is no interface `wg00` here");
}

TEST_CASE("in scope host what is implied and what is untouched has its own words") {
    House here;
    here.with("scope = \"tunnel\"", "scope = \"host\"\noutput = [\"web\"]");
    check_all(here, {{"198.51.100.1", "gw:51820/udp", "", 0, {"WireGuard itself is implied"}},
                     {"198.51.100.1", "gw:51821/udp", "", 1, {"no line of the policy allows it"}},
                     {"gw", "gw:5", "", 0, {"loopback is implied"}},
                     {"10.9.0.7", "gw:5", "", 0, {"not judged", "`untouched` holds its address", "policy.toml:14"}},
                     {"10.1.0.9", "10.9.0.7:5", "", 0, {"`untouched` holds its address"}},
                     {"10.1.0.9", "10.1.0.7:5", "wg-old", 0, {"comes through an interface of `untouched`"}},
                     {"gw", "web", "", 0, {"sends it itself, to another interface", "output", "policy.toml:13"}},
                     {"gw", "films", "", 1, {"no line of the policy allows it"}},
                     {"10.1.0.9", "gw:22", "", 1, {"for phone"}}});
}

TEST_CASE("IPv6 that is denied says so, and what IPv4 would do") {
    House here;
    here.with("ipv6 = \"dual\"", "ipv6 = \"deny\"").with("[\"10.0.0.2\", \"fd01::2\"]", "\"10.0.0.2\"");
    here.with("[\"10.0.0.1\", \"fd01::1\"]", "\"10.0.0.1\"");
    check_all(here,
              {{"laptop", "[fd01:1::20]:8096", "", 1, {"IPv6 is denied everywhere: ipv6 = \"deny\"", "policy.toml:2"}},
               {"phone", "[fd01:1::20]:8096", "", 1, {"`phone` and `fd01:1::20` have no address of one family"}},
               {"fd01::3", "films", "", 1, {"over IPv4: 10.0.0.3 -> 10.1.0.20:8096/tcp"}},
               {"laptop", "films", "", 0, {"allowed: laptop -> films:8096/tcp"}}});
}

TEST_CASE("what holds many is allowed in part, with an example of what is not") {
    House here;
    check_all(here,
              {{"phone",
                "home:443",
                "",
                1,
                {"partly allowed: phone -> home:443/tcp", "denied, for example: phone 10.0.0.2 -> 10.1.0.1:443/tcp",
                 "allowed, for example: phone 10.0.0.2 -> 10.1.0.5:443/tcp", "a part of it"}},
               {"people",
                "media",
                "",
                0,
                {"allowed: people -> media\n", "phone   films:8096/tcp", "laptop  web:443/tcp", "tiers.vpn"}},
               {"people",
                "nas",
                "",
                1,
                {"partly allowed: people -> nas", "would be allowed for laptop, office", "tiers.work, until 2027-01-31",
                 "for example, denied: phone 10.0.0.2 -> 10.1.0.7:445/tcp", "` says more of one"}},
               {"office", "nas", "", 0, {"allowed: office -> nas:445/tcp"}},
               {"0.0.0.0/0", "web", "", 1, {"partly allowed", "spoofed", "not judged"}},
               {"nobody", "web", "", 1, {"denied: nobody -> web\n", "`nobody` holds nothing"}}});
}

TEST_CASE("of a source that holds several, each line says whom of them it is for") {
    House here;
    here.with("nobody = []", "nobody = []\nalone = [\"phone\"]").with("from = [\"phone\"]", "from = [\"alone\"]");
    here.with("[tiers.work]\nwho = [\"laptop\", \"office\"]",
              "[tiers.work]\nwho = [\"laptop\", \"phone\", \"office\", \"10.0.0.16/28\"]");
    const std::string nas = here.ask("10.0.0.0/24", "nas").out;
    CAPTURE(nas);
    CHECK(nas.find("laptop 10.0.0.3 is in 10.0.0.0/24") != std::string::npos);
    CHECK(nas.find("phone 10.0.0.2 is in 10.0.0.0/24") != std::string::npos);
    CHECK(nas.find("10.0.0.16/28 is in 10.0.0.0/24") != std::string::npos);
    CHECK(nas.find("tiers.work, until 2027-01-31, a part of it") != std::string::npos);
    CHECK(nas.find("office") == nas.rfind("office"));  // in the line, and not below it
    CHECK(nas.find("holds 10.0.0.0/24") == std::string::npos);
    CHECK(nas.find("taken to be so of what no node has of 10.0.0.0/24: ") != std::string::npos);
    check_all(here,
              {{"10.0.0.0/24", "web", "", 1, {"phone 10.0.0.2, laptop 10.0.0.3 are in 10.0.0.0/24"}},
               {"10.0.0.0/24",
                "gw:22",
                "",
                1,
                {"phone 10.0.0.2 is in 10.0.0.0/24", "  10.0.0.3 -> 10.0.0.1:22/tcp would be allowed\n    for phone"}},
               {"10.0.0.2/31", "web", "", 0, {"holds 10.0.0.2/31"}},
               {"192.0.2.0/23", "nas", "", 1, {"office 192.0.2.0/24 is in 192.0.2.0/23"}},
               {"192.0.2.0/25", "nas", "", 0, {"holds 192.0.2.0/25"}},
               {"phone", "nas", "", 0, {"holds phone"}}});
    std::string many;
    for (int i = 16; i < 26; ++i) many += "\"10.0.0." + std::to_string(i) + "\", ";
    here.with("\"10.0.0.16/28\"", many);
    CHECK(here.ask("10.0.0.0/24", "nas").says("10.0.0.19 is in 10.0.0.0/24; 6 more entries hold some of it"));
}

TEST_CASE("more answers than anybody reads are refused") {
    House here;
    std::string many = "many = [";
    for (int i = 1; i <= 200; ++i) many += "\"10.1.0." + std::to_string(i) + ":1\", ";
    here.with("nobody = []", "nobody = []\n" + many + "]");
    const Ran ran = here.ask("people", "many");
    CHECK(ran.status == 2);
    CHECK(ran.error->message == "that is 2 people and 200 targets, and 256 answers are the most that are given");
    CHECK(here.ask("phone", "many").status == 1);
}

TEST_CASE("the diagram says the same, and sees where it is not the same policy") {
    const Checked here(house);
    const Checked other(std::string(house) + "[tiers.more]\nwho = [\"phone\"]\nallow = [\"nas\"]\n");
    REQUIRE((here.policy && other.policy));
    const Days day{std::chrono::year{2026} / 11 / 24};
    const Addresses addresses{{"films.home.example", {parse_address("10.1.0.20").value()}}};
    const explain::Asked asked{*here.policy, addresses, 0, day, {}};
    const explain::Asked asked_other{*other.policy, addresses, 0, day, {}};
    PolicyDiagrams same(asked);
    PolicyDiagrams differs(asked_other);

    Expectation question;
    question.from = {{NodeRef{1}, "phone", {}}, {NodeRef{2}, "laptop", {}}};
    question.allow.emplace();
    question.allow->targets = {{NetworkRef{0}, {Protocol::tcp, 445, 445}, {}, "home", {}, {}, {}}};
    const auto answers = explain::explain(asked, question);
    REQUIRE(answers.ok());
    REQUIRE(answers.value().size() == 2);
    int different = 0;
    for (const explain::Answer& answer : answers.value()) {
        CHECK_FALSE(answer.parts.empty());
        for (const explain::Part& part : answer.parts) {
            CHECK(same.shares(part, question.allow->targets[0].ports).value() == part.shares);
            if (!(differs.shares(part, question.allow->targets[0].ports).value() == part.shares)) ++different;
        }
    }
    // The phone may not reach any of it here, and a part of it there; of IPv6, nothing either way.
    CHECK(different == 1);
    CHECK(words_of({true, true, false}) == "allowed and denied");

    const Lock no_lock;
    Explained explained{asked, no_lock, {}, "phone", "home:445", "policy.toml", answers.value(), {}, {}};
    Report report;
    CHECK(compare_with_diagram(explained, report).ok());
    bool& allowed = explained.answers[0].parts[0].shares.allowed;
    allowed = !allowed;
    const Result<void> compared = compare_with_diagram(explained, report);
    REQUIRE_FALSE(compared.ok());
    CHECK(compared.error().message.starts_with("internal error: the answers about phone 10.0.0.2 -> 10.1.0."));
}

// ---- the kernel ----------------------------------------------------------------------------------------------------

namespace {

struct Live : House {
    Live() {
        options.node = "gw";
        CHECK(apply(policy).status == 0);
        options.live = true;
    }
};

}  // namespace

TEST_CASE("the kernel is asked by its own look-ups") {
    Live here;
    here.kernel.loaded->counters.front().packets = 7;
    const int before = here.kernel.look_ups;
    const Ran ran = here.ask("phone", "web");
    CHECK(ran.status == 0);
    CHECK(here.kernel.look_ups > before);
    CHECK(ran.says("  in the kernel\n    passes   phone 10.0.0.2 -> 10.1.0.5:443/tcp\n"));
    CHECK(ran.says("element  allow_limit1_tcp4 { 10.0.0.2 . 10.1.0.5 . 443 }"));
    CHECK(ran.says("rate     a source above it is dropped; how much of it is used was not asked"));
    CHECK(ran.says("counter  svc_web: 7 packets, 0 bytes of new connections"));
    const Ran denied = here.ask("phone", "nas");
    CHECK(denied.status == 1);
    CHECK(denied.says("dropped     phone 10.0.0.2 -> 10.1.0.7:445/tcp, not allowed by the policy"));
    CHECK(denied.says("in none of  allow_tcp4, "));
    CHECK(here.ask("gw", "web").says("passes, for nothing is judged there"));
    CHECK(here.ask("people", "media").says("kernel: passes"));
}

TEST_CASE("an element that goes by itself says when") {
    Live here;
    for (ir::Set& set : here.kernel.loaded->sets) {
        if (set.name != "allow_limit1_tcp4") continue;
        ir::Elements timed(set.types, false);
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            timed.add_key(set.elements.key(i));
            timed.set_life({3'600'000, 2'460'000});
        }
        set.elements = timed;
        set.timed = true;
    }
    const Ran ran = here.ask("phone", "web");
    CHECK(ran.says("{ 10.0.0.2 . 10.1.0.5 . 443 }, 41 min left"));
    CHECK(ran.says("the table is not what this policy makes"));
}

TEST_CASE("a table of somebody else's making is called so, and is no internal error") {
    Live here;
    ir::Set& set = here.set("allow_limit1_tcp4");
    set.elements = ir::Elements(set.types, false);
    const Ran ran = here.ask("phone", "web");
    CHECK(ran.status == 1);
    CHECK_FALSE(ran.error);
    CHECK(ran.says("allowed: phone -> web:443/tcp"));
    CHECK(ran.says("dropped"));
    CHECK(ran.says("the table is not what this policy makes: `policyc diff "));
    here.kernel.loaded.reset();
    const Ran gone = here.ask("phone", "nas");
    CHECK(gone.status == 1);
    CHECK(gone.says("there is no table inet policyc: everything passes"));
    CHECK(here.ask("phone", "web").status == 0);
}

TEST_CASE("look-ups that find what is not listed, or don't what is, are an internal error") {
    Live here;
    here.kernel.finds_nothing = true;
    const Ran ran = here.ask("phone", "web");
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message.starts_with("internal error: by its own look-ups the kernel drops it (phone 10.0.0.2"));
    CHECK(ran.out.empty());
}
