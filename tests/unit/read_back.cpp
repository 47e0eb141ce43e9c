// What is written is read back as it was, by readers that share nothing with the writers; and what is damaged is not.
#include "backends/read_written.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "../kernel/tools/mutate.h"
#include "../kernel/tools/samples.h"
#include "backends/json.h"
#include "backends/read_json.h"
#include "backends/read_text.h"
#include "backends/text.h"

using namespace policyc;
using namespace policyc::ir;

namespace {

// Also what is no part of equality, and is in text and JSON: the numbers of counters.
bool alike(const Ruleset& a, const Ruleset& b) {
    const auto numbers = [](const Ruleset& ruleset) {
        std::vector<std::uint64_t> all;
        for (const Counter& counter : ruleset.counters) all.insert(all.end(), {counter.packets, counter.bytes});
        for (const Chain& chain : ruleset.chains)
            for (const Rule& rule : chain.rules)
                for (const Statement& statement : rule.statements)
                    if (const auto* count = std::get_if<Count>(&statement))
                        all.insert(all.end(), {count->packets, count->bytes});
        return all;
    };
    return same(a, b) && numbers(a) == numbers(b);
}

std::string said(const Result<Ruleset>& read) {
    return read ? "fine" : read.error().message;
}

// A table of one chain of one rule, or of one set.
std::string of_rule(const std::string& statements) {
    return "add table inet policyc\ndelete table inet policyc\ntable inet policyc {\n\tchain c {\n\t\t" + statements +
           "\n\t}\n}\n";
}
std::string of_set(const std::string& lines) {
    return "add table inet policyc\ndelete table inet policyc\ntable inet policyc {\n\tset s {\n" + lines +
           "\n\t}\n\tchain c {\n\t}\n}\n";
}

std::string of_commands(const std::string& commands) {
    return R"({"nftables":[{"add":{"table":{"family":"inet","name":"policyc"}}},
{"delete":{"table":{"family":"inet","name":"policyc"}}},
{"add":{"table":{"family":"inet","name":"policyc"}}},
{"add":{"chain":{"family":"inet","table":"policyc","name":"c"}}},
)" + commands +
           "]}";
}
std::string of_expression(const std::string& expression) {
    return of_commands(R"({"add":{"rule":{"family":"inet","table":"policyc","chain":"c","expr":[)" + expression +
                       "]}}}");
}
std::string of_json_set(const std::string& members) {
    return of_commands(R"({"add":{"set":{"family":"inet","table":"policyc","name":"s",)" + members + "}}}");
}

// Where a text says nothing to nft: spaces, ends of lines and what follows a #.
bool says_nothing(const std::string& text, std::size_t at) {
    if (std::string(" \t\n").find(text[at]) != std::string::npos) return true;
    const std::size_t line = text.rfind('\n', at) + 1;
    std::size_t quotes = 0;
    for (std::size_t i = line; i <= at; ++i) {
        if (text[i] == '#' && quotes % 2 == 0) return true;
        if (text[i] == '"') ++quotes;
    }
    return false;
}

}  // namespace

TEST_CASE("read back: every statement, field and kind of set") {
    Sources sources;
    sources.add("policy.toml", "version=1\ngrafana=1\njelly=1\n0123456789\n");
    for (const Ruleset& ruleset : {samples::everything(), samples::small(), samples::edited(), samples::refused(),
                                   samples::large(3000, false), samples::large(3000, true)}) {
        for (const Sources* of : {static_cast<const Sources*>(nullptr), &std::as_const(sources)}) {
            const auto text = read_back_text(to_nft(ruleset, of), ruleset);
            REQUIRE_MESSAGE(text.ok(), said(text));
            CHECK(alike(text.value(), ruleset));
        }
        const auto json = read_back_json(to_json(ruleset), ruleset);
        REQUIRE_MESSAGE(json.ok(), said(json));
        CHECK(alike(json.value(), ruleset));
    }
    CHECK(read_back_text(to_nft({}, nullptr), {}).ok());
    CHECK(read_back_json(to_json({}), {}).ok());
}

TEST_CASE("read back: any change is seen") {
    samples::Mutator mutator(5);
    Ruleset before = samples::everything();
    std::size_t changed = 0;
    for (int round = 0; round < 300; ++round) {
        if (round % 30 == 0) before = samples::everything();
        Ruleset after = before;
        mutator.mutate(after);
        CAPTURE(round);
        const std::string text = to_nft(after, nullptr);
        const std::string json = to_json(after);
        REQUIRE(read_back_text(text, after).ok());
        REQUIRE(read_back_json(json, after).ok());
        const bool differs = !same(before, after);
        REQUIRE(read_back_text(text, before).ok() != differs);
        REQUIRE(read_back_json(json, before).ok() != differs);
        changed += differs ? 1 : 0;
        before = std::move(after);
    }
    CHECK(changed > 200);
}

TEST_CASE("read back: text that is damaged anywhere is an error or another Ruleset") {
    const Ruleset whole = samples::everything();
    const std::string text = to_nft(whole, nullptr);
    std::mt19937 random(11);
    const std::string letters = "0123456789abefx .:-_/@{}(),;!=&|\"#\n";
    std::size_t understood = 0;
    for (std::size_t at = 0; at < text.size(); at += 1 + random() % 3) {
        if (says_nothing(text, at)) continue;
        std::string other = text;
        other[at] = letters[random() % letters.size()];
        std::string less = text;
        less.erase(at, 1);
        for (const std::string& damaged : {other, less}) {
            if (damaged == text) continue;
            const auto read = read_text(damaged);
            CAPTURE(text.substr(text.rfind('\n', at) + 1, text.find('\n', at) - text.rfind('\n', at) - 1));
            CAPTURE(damaged[at]);
            CHECK_FALSE((read && alike(read.value(), whole)));
            understood += read ? 1 : 0;
        }
    }
    CHECK(understood > 300);
    // And lines that go, or come twice.
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin) + 1;
        const std::string line = text.substr(begin, end - begin);
        if (line.find_first_not_of(" \t\n") != std::string::npos && line[line.find_first_not_of('\t')] != '#') {
            CAPTURE(line);
            const auto without = read_text(text.substr(0, begin) + text.substr(end));
            CHECK_FALSE((without && alike(without.value(), whole)));
            const auto twice = read_text(text.substr(0, end) + text.substr(begin));
            CHECK_FALSE((twice && alike(twice.value(), whole)));
        }
        begin = end;
    }
}

TEST_CASE("read back: JSON that is damaged anywhere is an error or another Ruleset") {
    const Ruleset whole = samples::everything();
    const std::string json = to_json(whole);
    std::mt19937 random(12);
    const std::string letters = "0123456789abefx .:-_/@{}[],!=&|\"\n";
    std::size_t understood = 0;
    for (std::size_t at = random() % 3; at < json.size(); at += 1 + random() % 15) {
        if (json[at] == '\n' || json[at] == ' ') continue;
        std::string other = json;
        other[at] = letters[random() % letters.size()];
        std::string less = json;
        less.erase(at, 1);
        for (const std::string& damaged : {other, less}) {
            if (damaged == json) continue;
            const auto read = read_json(damaged);
            CAPTURE(json.substr(std::max<std::size_t>(at, 40) - 40, 80));
            CAPTURE(damaged[at]);
            CHECK_FALSE((read && alike(read.value(), whole)));
            understood += read ? 1 : 0;
        }
    }
    CHECK(understood > 50);
    for (std::size_t begin = 0; begin < json.size();) {
        const std::size_t end = json.find('\n', begin) + 1;
        CAPTURE(json.substr(begin, end - begin));
        const auto without = read_json(json.substr(0, begin) + json.substr(end));
        CHECK_FALSE((without && alike(without.value(), whole)));
        begin = end;
    }
}

TEST_CASE("read back: what is written wrong is an error that says where") {
    Ruleset meant = samples::small();
    const std::string text = to_nft(meant, nullptr);
    const auto replaced = [](std::string in, const std::string& what, const std::string& by) {
        REQUIRE(in.find(what) != std::string::npos);
        return in.replace(in.find(what), what.size(), by);
    };
    CHECK(said(read_back_text(replaced(text, "8096", "8097"), meant)) ==
          "internal error: the text that was written says something else: set allow_tcp4 differs");
    CHECK(said(read_back_text(replaced(text, "policy drop", "policy accept"), meant)) ==
          "internal error: the text that was written says something else: chain forward differs");
    CHECK(said(read_back_text(replaced(text, " accept\n", " queue\n"), meant)) ==
          "internal error: the text that was written can't be read: line 22: `queue` begins no statement that policyc "
          "knows");
    CHECK(said(read_back_json(replaced(to_json(meant), "8096", "8097"), meant)) ==
          "internal error: the JSON that was written says something else: set allow_tcp4 differs");
    CHECK(said(read_back_json(replaced(to_json(meant), "accept", "queue"), meant)) ==
          "internal error: the JSON that was written can't be read: line 10: no statement that policyc knows: "
          "`{'queue':null}`");
    // A name that begins with @ is a set to JSON, and a name between quotes to text.
    meant.chains[0].rules.push_back(samples::rule({MatchName{Field::iifname, "@allow_tcp4"}, Accept{}}));
    CHECK(read_back_text(to_nft(meant, nullptr), meant).ok());
    CHECK(said(read_back_json(to_json(meant), meant)) ==
          "internal error: the JSON that was written says something else: chain forward differs");
    // A rule that is only shown is not there.
    meant.chains[0].rules = {samples::rule({Unknown{"queue"}, Accept{}})};
    CHECK_FALSE(read_back_text(to_nft(meant, nullptr), meant).ok());
    CHECK_FALSE(read_back_json(to_json(meant), meant).ok());
}

TEST_CASE("read text: what is not understood is an error with its line") {
    CHECK(said(read_text(of_rule("accept"))) == "fine");
    const auto rule = [](const std::string& statements) { return said(read_text(of_rule(statements))); };
    CHECK(rule("queue") == "line 5: `queue` begins no statement that policyc knows");
    CHECK(rule("") == "fine");
    CHECK(rule("tcp dport 22-23 accept") == "line 5: `22-23` is no number up to 65535");
    CHECK(rule("tcp dport 022") == "line 5: `022` is no number up to 65535");
    CHECK(rule("tcp dport 65536") == "line 5: `65536` is no number up to 65535");
    CHECK(rule("tcp dport != 22") == "line 5: `22` is nothing that policyc compares this with");
    CHECK(rule("ip saddr 10.0.0.1") == "line 5: `10.0.0.1` is nothing that policyc compares this with");
    CHECK(rule("iifname \"wg*\"") == "line 5: `\"wg*\"` is not the name of one interface");
    CHECK(rule("iifname wg0") == "line 5: `wg0` stands where the name of an interface should, between quotes");
    CHECK(rule("iifname \"accept") == "line 5: `\"accept\"` has no end on its line");
    CHECK(rule("ct state new,new") == "line 5: `new` is no state of a connection, or stands there twice");
    CHECK(rule("ct state new, accept") == "line 5: `accept` is no state of a connection, or stands there twice");
    CHECK(rule("ct status & (assured|dnat) == dnat") == "line 5: `dnat` stands where `assured` should");
    CHECK(rule("tcp flags & (syn|ack) == syn") == "line 5: `ack` stands where `rst` should");
    CHECK(rule("limit rate over 10/second burst 5 packets") == "line 5: `over` is no rate such as 10/second");
    CHECK(rule("limit rate 10/second burst 5 bytes") == "line 5: `bytes` stands where `packets` should");
    CHECK(rule("limit rate 10/second") == "line 5: the end of the line stands where `burst` should");
    CHECK(rule("log prefix \"a $x\" level info") == "line 5: `\"a $x\"` can't be the prefix of a log line");
    CHECK(rule("log prefix \"a\"") == "line 5: the end of the line stands where `level` should");
    CHECK(rule("icmp type { }") == "line 5: `}` stands where a number should");
    CHECK(rule("icmp type { 8, 3 }") == "line 5: `}` comes after types that don't rise");
    CHECK(rule("accept comment \"\x01\"") == "line 5: `\"?\"` can't be a comment");
    CHECK(rule("accept comment \"a\" drop") == "line 5: `drop` stands where the line should end");
    CHECK(rule("accept; drop") == "line 5: `;` begins no statement that policyc knows");
    CHECK(rule("accept \\") == "line 5: `\\` is no part of a ruleset");
    CHECK(rule("jump 1st") == "line 5: `1st` can't be a name");
    CHECK(rule("jump @s") == "line 5: `@` stands where the name of a chain should");
    CHECK(rule("\"accept\"") == "line 5: `\"accept\"` begins no statement that policyc knows");
    CHECK(rule("type filter hook forward priority srcnat; policy drop;") ==
          "line 5: `srcnat` begins no priority at this hook");
    CHECK(rule("type filter hook forward priority filter - 5 - 5; policy drop;") ==
          "line 5: `-` stands where `;` should");
    CHECK(rule("type filter hook forward priority security + 2147483647; policy drop;") ==
          "line 5: `security` begins a priority that is too far");
    CHECK(rule("type filter hook prerouting priority 0; policy drop;") ==
          "line 5: `prerouting` is no hook that policyc knows");
    CHECK(rule("type filter hook forward priority 0;") == "line 5: the end of the line stands where `policy` should");

    const auto set = [](const std::string& lines) { return said(read_text(of_set(lines))); };
    CHECK(set("type ipv4_addr\nelements = {\n10.0.0.1,\n10.0.0.2,\n}") == "fine");
    CHECK(set("type ipv4_addr\nelements = {\n10.0.0.1,\n10.0.0.1,\n}") == "line 6: `elements` of s has one twice");
    CHECK(set("type ipv4_addr\nelements = {\n10.0.0.0/8,\n}") == "line 7: `10.0.0.0/8` is no key of that type");
    CHECK(set("type ipv4_addr\nflags interval\nelements = {\n10.0.0.1/8,\n}") ==
          "line 8: `10.0.0.1/8` is no key of that type");
    CHECK(set("type ipv4_addr\nflags interval\nelements = {\n10.0.0.0/33,\n}") ==
          "line 8: `10.0.0.0/33` is no key of that type");
    CHECK(set("type ipv4_addr\nflags interval\nelements = {\n10.0.0.2-10.0.0.1,\n}") ==
          "line 8: `10.0.0.2-10.0.0.1` is no key of that type");
    for (const char* word : {"10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.1.", "10.0.0.1.2", "fd00::1", "1"})
        CHECK_FALSE(set("type ipv4_addr\nelements = {\n" + std::string(word) + ",\n}") == "fine");
    CHECK(set("type ipv4_addr\nelements = {\n10.0.0.1\n}") == "line 7: the end of the line stands where `,` should");
    CHECK(set("type ipv4_addr\nelements = {\n10.0.0.1 timeout 5s,\n}") ==
          "line 7: `timeout` stands in a set without it");
    CHECK(set("type ipv4_addr\nelements = {\n10.0.0.1 : jump c,\n}") == "line 7: `:` stands where `,` should");
    CHECK(set("type ipv4_addr\nelements = {\n}") == "line 6: `elements` has none");
    CHECK(set("type ipv4_addr\nflags constant") == "line 6: `constant` is no flag, or stands there twice");
    CHECK(set("type ipv4_addr\nflags dynamic") == "line 6: `dynamic` begins flags that don't go together");
    CHECK(set("type ipv4_addr\ntimeout 5s") == "line 6: `5s` can't be the life of a set");
    CHECK(set("type ipv4_addr\nflags timeout\ntimeout 5m") == "line 7: `5m` is no time such as 10s");
    CHECK(set("type ipv4_addr\ncounter") == "line 6: `counter` stands where `}` should");
    CHECK(set("type ether_addr") == "line 5: `ether_addr` is no type that policyc knows");
    const std::string twice = "add table inet policyc\ndelete table inet policyc\ntable inet policyc {\n";
    CHECK(said(read_text(twice + "}\n")) == "line 4: `}` stands where a chain should");
    CHECK(said(read_text(twice + "chain c {\n}\nchain c {\n}\n}\n")) == "line 6: `c` is the name of two chains");
    CHECK(said(read_text(twice + "chain c {\n}\n}\nadd rule inet filter input accept\n")) ==
          "line 7: `add` stands where the text should end");
    CHECK(said(read_text("table inet policyc {\n}\n")) == "line 1: `table` stands where `add` should");
    CHECK(said(read_text("")) == "line 1: the end stands where `add` should");
}

TEST_CASE("read JSON: what is not understood is an error with its line") {
    const auto rule = [](const std::string& expression) { return said(read_json(of_expression(expression))); };
    CHECK(rule(R"({"accept":null})") == "fine");
    for (const char* wrong :
         {R"({"accept":1})", R"({"accept":null,"drop":null})", R"({"queue":null})", R"("accept")", R"({})",
          R"({"jump":{"target":"1"}})", R"({"jump":{"target":"c","x":1}})", R"({"log":{"prefix":"a"}})",
          R"({"limit":{"rate":1,"burst":1,"per":"second","inv":true}})",
          R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":65536}})",
          R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":"22"}})",
          R"({"match":{"op":"!=","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}})",
          R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.0.0.1"}})",
          R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"wg*"}})",
          R"({"match":{"op":"==","left":{"ct":{"key":"state"}},"right":"new"}})",
          R"({"match":{"op":"!=","left":{"ct":{"key":"direction"}},"right":"reply"}})",
          R"({"match":{"op":"==","left":{"payload":{"protocol":"icmp","field":"type"}},"right":{"set":[8,3]}}})",
          R"({"counter":{"packets":-1,"bytes":0}})", R"({"reject":{"type":"tcp reset"}})"}) {
        CAPTURE(std::string(wrong));
        CHECK(rule(wrong).starts_with("line 5: no statement that policyc knows: `"));
    }
    CHECK(rule(R"({"counter":{"packets":1.5,"bytes":0}})") == "line 5: no whole number: 1.5");
    CHECK(rule(R"({"accept":null,"accept":null})") == "line 5: a key that is there twice: accept");
    CHECK(rule("") == "line 5: a rule of no chain, or without statements");
    CHECK(rule("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]") == "line 5: too many levels");

    const auto set = [](const std::string& members) { return said(read_json(of_json_set(members))); };
    CHECK(set(R"("type":"ipv4_addr","elem":["10.0.0.1"])") == "fine");
    CHECK(set(R"("type":"ipv4_addr","elem":["10.0.0.1","10.0.0.1"])") == "line 5: an element that is there twice");
    CHECK(set(R"("type":"ipv4_addr","elem":[])") == "line 5: a set with an empty list of elements");
    CHECK(set(R"("type":"ipv4_addr","elem":["10.0.0.1"],"size":1)") == "line 5: a key behind the elements of a set");
    for (const char* key : {R"("10.0.0.0/8")", R"({"prefix":{"addr":"10.0.0.0","len":8}})", "1", "null", "[]", "{}",
                            R"({"range":["10.0.0.1","10.0.0.2"]})", R"({"concat":["10.0.0.1"]})"})
        CHECK(set(R"("type":"ipv4_addr","elem":[)" + std::string(key) + "]") ==
              "line 5: a key that is not of the type of the set");
    for (const char* key : {R"({"prefix":{"addr":"10.0.0.1","len":8}})", R"({"range":["10.0.0.2","10.0.0.1"]})"})
        CHECK(set(R"("type":"ipv4_addr","flags":["interval"],"elem":[)" + std::string(key) + "]") ==
              "line 5: a key that is not of the type of the set");
    CHECK(set(R"("type":"ifname","elem":["@x"])") == "line 5: a key that is not of the type of the set");
    CHECK(set(R"("type":"ipv4_addr","elem":[{"elem":{"val":"10.0.0.1","timeout":5}}])") ==
          "line 5: an element with a life that it can't have");
    CHECK(set(R"("type":"ipv4_addr","flags":["constant"])") == "line 5: flags that policyc doesn't know");
    CHECK(set(R"("type":"ipv4_addr","policy":"memory")") == "line 5: a set with a key that policyc doesn't know");
    CHECK(said(read_json(of_commands(R"({"add":{"quota":{"family":"inet","table":"policyc","name":"q"}}})"))) ==
          "line 5: an object that policyc doesn't know");
    CHECK(said(read_json(of_commands(R"({"add":{"chain":{"family":"inet","table":"filter","name":"q"}}})"))) ==
          "line 5: something outside of table inet policyc");
    CHECK(said(read_json(of_commands(R"({"flush":{"ruleset":null}})"))) ==
          "line 5: a command that doesn't belong here");
    for (const char* other : {"", "[]", "1", "{}", R"({"nftables":{}})", R"({"nftables":[]})", R"({"other":[]})",
                              R"({"nftables":[1]})", R"({"nftables":[],"nftables":[]})", R"({"nftables":[])"}) {
        CAPTURE(std::string(other));
        CHECK_FALSE(read_json(other).ok());
    }
}
