#include "policy/diagnostic.h"

#include <doctest/doctest.h>

#include <set>

#include "policy/files.h"

using namespace policyc;

TEST_CASE("the table of codes is whole") {
    std::set<std::string_view> names;
    for (const CodeInfo& code : all_codes()) {
        CHECK(names.insert(code.name).second);
        CHECK(code.name.size() == 5);
        CHECK(!code.title.empty());
        CHECK(&info(code.code) == &code);
        CHECK((code.severity == Severity::warning) == (code.name[0] == 'W'));
    }
    CHECK(info(Code::E0101).name == "E0101");
    CHECK(info(Code::W0601).severity == Severity::warning);
}

TEST_CASE("diagnostics are sorted by place and given once, those without a place last") {
    Sources sources;
    sources.add("a.toml", "one\ntwo\n");
    sources.add("b.toml", "three\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, {}, "nowhere");
    diagnostics.report(Code::E0101, {1, 0, 5}, "third");
    diagnostics.report(Code::E0101, {0, 4, 7}, "second");
    diagnostics.report(Code::E0101, {0, 0, 3}, "first").help("as before");
    diagnostics.report(Code::E0101, {0, 4, 7}, "second");
    diagnostics.report(Code::E0101, {0, 0, 3}, "first").help("another");
    diagnostics.finish(sources);
    std::vector<std::string> messages;
    for (const Diagnostic& diagnostic : diagnostics.all()) messages.push_back(diagnostic.message);
    CHECK(messages == std::vector<std::string>{"first", "first", "second", "third", "nowhere"});
    CHECK(diagnostics.errors() == 5);
    CHECK(diagnostics.has(Code::E0101));
    CHECK_FALSE(diagnostics.has(Code::W0601));
}

TEST_CASE("a warning is silent where its line says so, an error never is") {
    const auto left = [](const std::string& line, Code code) {
        Sources sources;
        sources.add("a.toml", "x = 0\n" + line + "\ny = 0\n");
        Diagnostics diagnostics;
        diagnostics.report(code, {0, 6, 7}, "seen");
        diagnostics.finish(sources);
        return diagnostics.all().size();
    };
    CHECK(left("a = 1 # policyc: allow W0601", Code::W0601) == 0);
    CHECK(left("a = 1 # why # policyc: allow W0601  ", Code::W0601) == 0);
    CHECK(left("a = 1 # policyc: allow W0305, W0601", Code::W0601) == 0);
    CHECK(left("a = 1 # policyc: allow W0305", Code::W0601) == 1);
    CHECK(left("a = 1 # policyc: allow W0601 because", Code::W0601) == 1);
    CHECK(left("a = 1 # policyc: allow", Code::W0601) == 1);
    CHECK(left("a = \"# policyc: allow W0601\"", Code::W0601) == 1);
    CHECK(left("a = 1", Code::W0601) == 1);
    CHECK(left("a = 1 # policyc: allow E0101", Code::E0101) == 1);
}

TEST_CASE("a warning without a place can't be silenced") {
    Diagnostics diagnostics;
    diagnostics.report(Code::W0601, {}, "seen");
    diagnostics.finish(Sources{});
    CHECK(diagnostics.all().size() == 1);
    CHECK(diagnostics.errors() == 0);
}

TEST_CASE("the nearest name is the one that was meant") {
    const std::vector<std::string> known{"grafana", "jellyfin", "sonarr", "radarr", "nzbget", "dns", "home"};
    CHECK(nearest("jellyfn", known) == "jellyfin");
    CHECK(nearest("jelylfin", known) == "jellyfin");
    CHECK(nearest("Grafana", known) == "grafana");
    CHECK(nearest("sonar", known) == "sonarr");
    CHECK(nearest("dsn", known) == "dns");
    CHECK(nearest("dn", known) == "dns");
    CHECK(nearest("hme", known) == "home");
    CHECK(nearest("prometheus", known).empty());
    CHECK(nearest("x", known).empty());
    CHECK(nearest("xx", known).empty());
    CHECK(nearest("", known).empty());
    CHECK(nearest("abc", {}).empty());
    CHECK(nearest("ab", {"ba", "ac"}) == "ba");  // as near as the other: the first
    CHECK(nearest("home", known).empty());       // the name itself is no suggestion
}

TEST_CASE("files in memory fail and match as real ones do") {
    FakeFiles files;
    files.files = {{"p/a.toml", "a"}, {"p/b.toml", "bb"}, {"p/.c.toml", "c"}, {"p/q/d.toml", "d"}, {"e.toml", "e"}};
    files.failures["p/b.toml"] = "cannot read p/b.toml: permission denied";
    CHECK(files.read("p/a.toml", 1).value() == "a");
    CHECK(files.read("none", 9).error().message == "cannot read none: does not exist");
    CHECK(files.read("p/b.toml", 9).error().message == "cannot read p/b.toml: permission denied");
    files.failures.clear();
    CHECK(files.read("p/b.toml", 1).error().message == "cannot read p/b.toml: is larger than 1 bytes");
    CHECK(files.match("p", "*.toml").value() == std::vector<std::string>{"p/a.toml", "p/b.toml"});
    CHECK(files.match("", "?.toml").value() == std::vector<std::string>{"e.toml"});
    CHECK(files.match("none", "*").value().empty());
    CHECK(files.write("e.toml", "new", 0644).ok());
    CHECK(files.read("e.toml", 9).value() == "new");
}
