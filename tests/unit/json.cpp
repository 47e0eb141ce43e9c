// JSON out and in; what nft itself prints is compared in tests/kernel/test_backends.py.
#include "backends/json.h"

#include <doctest/doctest.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "../kernel/tools/samples.h"

using namespace policyc;
using namespace policyc::ir;
using nlohmann::ordered_json;

namespace {

// The commands of to_json() as a listing: what was added is what is there.
std::string as_listing(const std::string& commands) {
    ordered_json items = ordered_json::array();
    int tables = 0;
    const ordered_json document = ordered_json::parse(commands);
    for (const ordered_json& command : document["nftables"]) {
        if (command.contains("delete")) items.clear();
        if (command.contains("add")) items.push_back(command["add"]);
        tables += command.contains("delete") ? 1 : 0;
    }
    CHECK(tables == 1);
    return ordered_json{{"nftables", items}}.dump();
}

std::string listing(const std::string& items) {
    return R"({"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "policyc", "handle": 2}},
        {"counter": {"family": "inet", "name": "svc_a", "table": "policyc", "handle": 1, "packets": 3, "bytes": 4}},
        {"chain": {"family": "inet", "table": "policyc", "name": "c", "handle": 1}},)" +
           items + "]}";
}

Ruleset read(const std::string& items) {
    const auto result = from_json(listing(items));
    REQUIRE_MESSAGE(result.ok(), items);
    return result.value();
}

// The one statement of a rule that is listed so.
Statement statement(const std::string& expr) {
    const Ruleset r =
        read(R"({"rule": {"family": "inet", "table": "policyc", "chain": "c", "handle": 7, "expr": [)" + expr + "]}}");
    REQUIRE(r.chains.at(0).rules.size() == 1);
    REQUIRE(r.chains[0].rules[0].statements.size() == 1);
    return r.chains[0].rules[0].statements[0];
}

bool unknown(const std::string& expr) {
    return std::holds_alternative<Unknown>(statement(expr));
}

std::string set_with(const std::string& attributes) {
    return R"({"set": {"family": "inet", "name": "s", "table": "policyc", "handle": 3, )" + attributes + "}}";
}

}  // namespace

TEST_CASE("what is written reads back the same") {
    for (const Ruleset& ruleset :
         {samples::everything(), samples::small(), samples::large(1000, false), samples::large(100, true)}) {
        const auto back = from_json(as_listing(to_json(ruleset)));
        REQUIRE(back.ok());
        CHECK(back.value().unknown.empty());
        CHECK(same(ruleset, back.value()));
    }
    const auto back = from_json(as_listing(to_json(samples::everything())));
    CHECK(back.value().counters[0].packets == 5);
    CHECK(back.value().counters[0].bytes == 777);
}

TEST_CASE("each set and each rule reads back the same by itself") {
    const Ruleset whole = samples::everything();
    const Ruleset back = from_json(as_listing(to_json(whole))).value();
    for (std::size_t i = 0; i < whole.sets.size(); ++i) {
        CAPTURE(whole.sets[i].name);
        CHECK(same(whole.sets[i], whole.counters, back.sets.at(i), back.counters));
    }
    for (std::size_t i = 0; i < whole.chains.size(); ++i) {
        for (std::size_t j = 0; j < whole.chains[i].rules.size(); ++j) {
            CAPTURE(whole.chains[i].name);
            CAPTURE(j);
            CHECK(same(whole.chains[i].rules[j], back.chains.at(i).rules.at(j)));
        }
    }
}

TEST_CASE("JSON of nothing only takes the table away") {
    CHECK(to_json({}) ==
          "{\"nftables\":[\n"
          "{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"policyc\"}}},\n"
          "{\"delete\":{\"table\":{\"family\":\"inet\",\"name\":\"policyc\"}}}\n"
          "]}\n");
}

TEST_CASE("JSON of a small ruleset") {
    Ruleset small = samples::small();
    CHECK(to_json(small) ==
          R"({"nftables":[
{"add":{"table":{"family":"inet","name":"policyc"}}},
{"delete":{"table":{"family":"inet","name":"policyc"}}},
{"add":{"table":{"family":"inet","name":"policyc"}}},
{"add":{"set":{"family":"inet","table":"policyc","name":"allow_tcp4","type":["ipv4_addr","ipv4_addr","inet_service"],"size":2,"elem":[
{"concat":["10.69.50.11","10.69.13.20",8096]},
{"concat":["10.69.50.11","10.69.13.30",3000]}
]}}},
{"add":{"chain":{"family":"inet","table":"policyc","name":"forward","type":"filter","hook":"forward","prio":-10,"policy":"drop"}}},
{"add":{"rule":{"family":"inet","table":"policyc","chain":"forward","expr":[{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}},{"match":{"op":"==","left":{"concat":[{"ct":{"key":"ip saddr","dir":"original"}},{"ct":{"key":"ip daddr","dir":"original"}},{"ct":{"key":"proto-dst","dir":"original"}}]},"right":"@allow_tcp4"}},{"accept":null}]}}}
]}
)");
}

TEST_CASE("numbers read as words do") {
    const auto match = [](const char* left, const char* op, const char* right) {
        return fmt::format(R"({{"match": {{"op": "{}", "left": {}, "right": {}}}}})", op, left, right);
    };
    CHECK(same(statement(match(R"({"meta": {"key": "l4proto"}})", "==", "6")), MatchL4{L4::tcp}));
    CHECK(same(statement(match(R"({"meta": {"key": "l4proto"}})", "==", "\"ipv6-icmp\"")), MatchL4{L4::icmpv6}));
    CHECK(same(statement(match(R"({"meta": {"key": "nfproto"}})", "==", "10")), MatchFamily{Family::ipv6}));
    CHECK(same(statement(match(R"({"ct": {"key": "state"}})", "in", "[1, 64]")),
               MatchState{.invalid = true, .untracked = true}));
    CHECK(same(statement(match(R"({"ct": {"key": "state"}})", "in", "\"new\"")), MatchState{.fresh = true}));
    CHECK(same(statement(match(R"({"ct": {"key": "status"}})", "in", "32")), MatchDnat{}));
    CHECK(same(statement(match(R"({"ct": {"key": "status"}})", "in", R"("confirmed")")), MatchConfirmed{}));
    CHECK(same(statement(match(R"({"ct": {"key": "direction"}})", "==", "1")), MatchReply{true}));
    const char* icmp = R"({"payload": {"protocol": "icmp", "field": "type"}})";
    CHECK(same(statement(match(icmp, "==", R"({"set": [12, 3, "time-exceeded"]})")),
               MatchIcmp{Family::ipv4, {3, 11, 12}}));
    CHECK(same(statement(match(R"({"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": ["syn", "rst"]}]})",
                               "==", "\"syn\"")),
               MatchSyn{}));
    CHECK(same(statement(R"({"reject": {"type": "icmpx", "expr": 3}})"), Reject{}));
    CHECK(same(statement(R"({"counter": null})"), Count{}));
    const auto counted = std::get<Count>(statement(R"({"counter": {"packets": 3, "bytes": 180}})"));
    CHECK(counted.packets == 3);
    CHECK(counted.bytes == 180);
}

TEST_CASE("what policyc does not write stays unknown") {
    CHECK(unknown(R"({"queue": {"num": 1}})"));
    CHECK(unknown(R"({"accept": 1})"));
    CHECK(unknown(R"({"match": {"op": "!=", "left": {"meta": {"key": "l4proto"}}, "right": 6}})"));
    CHECK(unknown(R"({"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": [6, 17]}}})"));
    CHECK(
        unknown(R"({"match": {"op": "<", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}})"));
    CHECK(unknown(
        R"({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [1, 2]}}})"));
    CHECK(
        unknown(R"({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 22}})"));
    CHECK(unknown(
        R"({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "1.2.3.4"}})"));
    CHECK(unknown(R"({"match": {"op": "==", "left": {"ct": {"key": "ip saddr", "dir": "reply"}}, "right": "@s"}})"));
    CHECK(unknown(R"({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": [1, 128]}})"));
    CHECK(unknown(R"({"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": [1, 64]}}})"));
    CHECK(unknown(R"({"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": [16, 32]}})"));
    CHECK(unknown(R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "wg*"}})"));
    CHECK(unknown(R"({"limit": {"rate": 1, "burst": 5, "per": "second", "inv": true}})"));
    CHECK(unknown(R"({"limit": {"rate": 1, "burst": 5, "per": "week"}})"));
    CHECK(unknown(R"({"log": {"prefix": "x", "group": 5, "snaplen": 10}})"));
    CHECK(unknown(R"({"log": {"prefix": "x"}})"));
    CHECK(unknown(R"({"reject": null})"));
    CHECK(unknown(R"({"masquerade": {"flags": "random"}})"));
    CHECK(unknown(R"({"counter": "svc_a"})"));
    CHECK(unknown(
        R"({"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@r", "stmt": [{"limit": {"rate": 1, "burst": 1, "per": "second"}}]}})"));
    CHECK(unknown(R"("accept")"));
    const Statement kept = statement(R"({"queue": {"num": 1}})");
    CHECK(std::get<Unknown>(kept).text == R"({"queue":{"num":1}})");
}

TEST_CASE("an unknown statement is written back as it was read") {
    Ruleset ruleset = samples::small();
    ruleset.chains[0].rules.push_back(samples::rule({Unknown{R"({"queue":{"num":1}})"}}));
    CHECK(to_json(ruleset).find(R"("expr":[{"queue":{"num":1}}])") != std::string::npos);
    ruleset.chains[0].rules.back() = samples::rule({Unknown{"no JSON"}, Accept{}});
    CHECK(to_json(ruleset).find(R"("expr":[{"unknown":"no JSON"},{"accept":null}])") != std::string::npos);
}

TEST_CASE("nothing of the table is skipped") {
    const auto found = [](const std::string& item) { return read(item).unknown.size(); };
    CHECK(found(R"({"flowtable": {"family": "inet", "table": "policyc", "name": "f", "handle": 1}})") == 1);
    CHECK(found(R"({"table": {"family": "inet", "name": "policyc", "handle": 1, "flags": ["dormant"]}})") == 1);
    CHECK(found(R"({"quota": {"family": "inet", "table": "policyc", "name": "q", "handle": 1}})") == 1);
    CHECK(
        found(
            R"({"chain": {"family": "inet", "table": "policyc", "name": "d", "handle": 1, "type": "filter", "hook": "ingress", "dev": "x", "prio": 0, "policy": "accept"}})") ==
        1);
    CHECK(
        found(
            R"({"chain": {"family": "inet", "table": "policyc", "name": "d", "handle": 1, "type": "route", "hook": "output", "prio": 0, "policy": "accept"}})") ==
        1);
    CHECK(
        found(
            R"({"map": {"family": "inet", "table": "policyc", "name": "v", "handle": 1, "type": "ipv4_addr", "map": "verdict"}})") ==
        1);
    CHECK(
        found(R"({"rule": {"family": "inet", "table": "policyc", "chain": "not_listed", "handle": 1, "expr": []}})") ==
        1);
    CHECK(found(set_with(R"("type": "mark")")) == 1);
    CHECK(found(set_with(R"("type": "ipv4_addr", "flags": ["constant"])")) == 1);
    CHECK(found(set_with(R"("type": "ipv4_addr", "gc-interval": 10)")) == 1);
    CHECK(
        found(set_with(
            R"("type": "ipv4_addr", "elem": ["1.2.3.4", "*", {"elem": {"val": "1.2.3.5", "comment": "x"}}, "host"])")) ==
        3);
    CHECK(found(set_with(R"("type": "ipv4_addr", "elem": [{"range": ["1.2.3.4", "1.2.3.5"]}])")) ==
          1);  // no interval set
    CHECK(found(set_with(
              R"("type": "ipv4_addr", "flags": ["interval"], "elem": [{"prefix": {"addr": "1.2.3.4", "len": 24}}])")) ==
          1);
    CHECK(found(set_with(
              R"("type": "ipv4_addr", "flags": ["interval"], "elem": [{"range": ["1.2.3.5", "1.2.3.4"]}])")) == 1);
    CHECK(found(set_with(R"("type": ["ipv4_addr", "inet_service"], "elem": [{"concat": ["1.2.3.4"]}])")) == 1);
    CHECK(
        found(
            R"({"map": {"family": "inet", "table": "policyc", "name": "m", "handle": 1, "type": "inet_service", "map": "counter", "elem": [[22, "no_such_counter"]]}})") ==
        1);
    // Other people's tables are none of it.
    CHECK(found(R"({"chain": {"family": "inet", "table": "docker", "name": "x", "handle": 1, "type": "route"}})") == 0);
    CHECK(found(R"({"chain": {"family": "ip", "table": "policyc", "name": "x", "handle": 1, "type": "route"}})") == 0);
}

TEST_CASE("elements read in every form") {
    const Ruleset r = read(set_with(
        R"("type": "ipv4_addr", "flags": ["interval"], "elem": ["10.0.0.1", {"prefix": {"addr": "10.1.0.0", "len": 16}}, {"range": ["11.0.0.1", "11.0.0.5"]}, {"prefix": {"addr": "0.0.0.0", "len": 0}}])"));
    const Elements& elements = r.sets.at(0).elements;
    REQUIRE(elements.size() == 4);
    CHECK(elements.bound(0, 0).hi == UINT32_MAX);
    CHECK(elements.bound(1, 0).hi == samples::at("10.0.0.1"));
    CHECK(elements.bound(2, 0).hi == samples::at("10.1.255.255"));
    CHECK(elements.bound(3, 0).hi == samples::at("11.0.0.5"));
    // The order of keys is not promised by JSON.
    const Ruleset late = read(set_with(R"("elem": [22, 80], "type": "inet_service")"));
    CHECK(late.sets.at(0).elements.size() == 2);
    const Ruleset later = read(set_with(R"("type": "inet_service", "elem": [22, 80], "flags": ["interval"])"));
    CHECK(later.unknown.size() == 1);
    // Elements of a dynamic set belong to its rules.
    const Ruleset dynamic = read(set_with(
        R"("type": "ipv4_addr", "size": 9, "flags": ["timeout"], "timeout": 60, "elem": [{"elem": {"val": "1.2.3.4", "expires": 5}}])"));
    CHECK(dynamic.unknown.empty());
    CHECK(dynamic.sets.at(0).dynamic);
    CHECK(dynamic.sets.at(0).timeout == 60);
    CHECK(dynamic.sets.at(0).elements.empty());
}

TEST_CASE("what is no listing is an error") {
    for (const char* text : {"", "{", "[]", "{}", "null", "{\"nftables\": 1}", "{\"nftables\": [}",
                             "{\"nftables\": []} x", "table inet policyc {\n}"}) {
        CAPTURE(text);
        CHECK_FALSE(from_json(text).ok());
    }
    CHECK_FALSE(from_json(std::string(100000, '[')).ok());
    CHECK_FALSE(from_json("{\"nftables\": " + std::string(100, '[') + std::string(100, ']') + "}").ok());
    CHECK(from_json("{\"nftables\": []}").ok());
}
