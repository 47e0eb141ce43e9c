#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "policy/diagnostic.h"
#include "policy/excerpt.h"

using namespace policyc;

namespace {

// One file and the means to point at words in it.
struct Page {
    Sources sources;
    std::uint32_t file;

    explicit Page(const std::string& text) : file(sources.add("policy.toml", text)) {}

    [[nodiscard]] Span word(const std::string& word, std::size_t nth = 0) const {
        std::size_t at = sources.text(file).find(word);
        while (nth-- > 0) at = sources.text(file).find(word, at + 1);
        REQUIRE(at != std::string::npos);
        return {file, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + word.size())};
    }
    [[nodiscard]] std::string text(const Diagnostics& diagnostics, bool color = false) const {
        return "\n" + render(diagnostics, sources, color);
    }
};

std::string lines(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "#\n";
    return text;
}

}  // namespace

TEST_CASE("one place, help and note") {
    const Page page(lines(63) + "alow  = [\"grafana\", \"media\", \"dns\"]\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word("alow"), "unknown key `alow` in [tiers.vpn]", "not a key of a tier")
        .help("did you mean `allow`?")
        .note("a tier takes: who, allow, limit, log, bastion, grant, expires");
    CHECK(page.text(diagnostics) == R"(
error[E0101]: unknown key `alow` in [tiers.vpn]
  --> policy.toml:64:1
   |
64 | alow  = ["grafana", "media", "dns"]
   | ^^^^ not a key of a tier
   |
   = help: did you mean `allow`?
   = note: a tier takes: who, allow, limit, log, bastion, grant, expires
)");
}

TEST_CASE("two places, in the order of their lines, with `...` between distant ones") {
    const Page page(lines(8) + "jellyfin = \"jelly01:8096\"\n" + lines(7) + "media   = [\"jellyfn\", \"sonarr\"]\n");
    Diagnostics diagnostics;
    diagnostics
        .report(Code::E0101, page.word("\"jellyfn\""), "`jellyfn` is not a service, group, node or network",
                "not found")
        .also(page.word("jellyfin"), "a service with a similar name is defined here")
        .help("did you mean `jellyfin`?");
    CHECK(page.text(diagnostics) == R"(
error[E0101]: `jellyfn` is not a service, group, node or network
  --> policy.toml:17:12
   |
 9 | jellyfin = "jelly01:8096"
   | -------- a service with a similar name is defined here
...
17 | media   = ["jellyfn", "sonarr"]
   |            ^^^^^^^^^ not found
   |
   = help: did you mean `jellyfin`?
)");
}

TEST_CASE("near lines stand together, and a single line between is shown") {
    const Page page("a = 1\nb = 2\nc = 3\nd = 4\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::W0601, page.word("d"), "message", "fourth")
        .also(page.word("a"), "first")
        .also(page.word("b"), "second");
    CHECK(page.text(diagnostics) == R"(
warning[W0601]: message
 --> policy.toml:4:1
  |
1 | a = 1
  | - first
2 | b = 2
  | - second
3 | c = 3
4 | d = 4
  | ^ fourth
)");
}

TEST_CASE("each label of a line has a row, from left to right") {
    const Page page("allow = [\"grafana\", \"jellyfin\", \"media\"]\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::W0601, page.word("\"jellyfin\""), "this entry allows nothing new", "allows laptop")
        .also(page.word("\"media\""), "... which is allowed here")
        .also(page.word("allow"), "");
    CHECK(page.text(diagnostics) == R"(
warning[W0601]: this entry allows nothing new
 --> policy.toml:1:21
  |
1 | allow = ["grafana", "jellyfin", "media"]
  | -----
  |                     ^^^^^^^^^^ allows laptop
  |                                 ------- ... which is allowed here
)");
}

TEST_CASE("the other half may be in another file") {
    Page page("[services]\na = \"x:1\"\n");
    const std::uint32_t other = page.sources.add("policy.d/b.toml", "# more\n\n[services]\na = \"y:1\"\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, {other, 19, 20}, "`a` is defined twice", "again here")
        .also(page.word("a = "), "first here");
    CHECK(page.text(diagnostics) == R"(
error[E0101]: `a` is defined twice
 --> policy.d/b.toml:4:1
  |
4 | a = "y:1"
  | ^ again here
 ::: policy.toml:2:1
  |
2 | a = "x:1"
  | ---- first here
)");
}

TEST_CASE("a diagnostic without a place has no excerpt, and two are apart") {
    const Page page("a = 1\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0001, {}, "cannot read x: does not exist")
        .help("name a file\nor two")
        .also({}, "nowhere");
    diagnostics.report(Code::E0101, page.word("a"), "message");
    CHECK(page.text(diagnostics) == R"(
error[E0001]: cannot read x: does not exist
  = help: name a file
          or two

error[E0101]: message
 --> policy.toml:1:1
  |
1 | a = 1
  | ^
)");
}

TEST_CASE("tabs, wide characters and combining marks keep the underline in place") {
    const Page page("\tname = [\"\xe5\xae\xb6\", \"e\xcc\x81t\", \"dns\"]\r\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word("\"dns\""), "message", "here").also(page.word("\xe5\xae\xb6"), "wide");
    CHECK(page.text(diagnostics) ==
          "\nerror[E0101]: message\n"
          " --> policy.toml:1:22\n"
          "  |\n"
          "1 |     name = [\"\xe5\xae\xb6\", \"e\xcc\x81t\", \"dns\"]\n"
          "  |              -- wide\n"
          "  |                         ^^^^^ here\n");
}

TEST_CASE("what a file holds can't steer the terminal") {
    const Page page("a = \"\x1b[31m\xe2\x80\xae\xff\x7f\" # b\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word("# b"), "seen \x1b[0m", "la\nbel")
        .note(
            "a\x07"
            "b");
    CHECK(page.text(diagnostics) ==
          "\nerror[E0101]: seen \xe2\x90\x9b[0m\n"
          " --> policy.toml:1:16\n"
          "  |\n"
          "1 | a = \"\xe2\x90\x9b[31m\xef\xbf\xbd\xef\xbf\xbd\xe2\x90\xa1\" # b\n"
          "  |                ^^^ la\xe2\x90\x8a"
          "bel\n"
          "  |\n"
          "  = note: a\xe2\x90\x87"
          "b\n");
}

TEST_CASE("an empty span, the end of the file and a span over several lines") {
    const Page page("a = [\n  1,   \n  2\n]\nb");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, {0, 23, 23}, "message", "ends here").also({0, 4, 20}, "list");
    CHECK(page.text(diagnostics) == R"(
error[E0101]: message
 --> policy.toml:5:2
  |
1 | a = [
  |     - list
...
5 | b
  |  ^ ends here
)");
}

TEST_CASE("a long line is trimmed around its labels") {
    const std::string filler(500, 'x');
    const Page page("a = \"" + filler + "\", \"target\", \"" + filler + "\"\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word("\"target\""), "message", "here");
    const std::string text = page.text(diagnostics);
    CHECK(text.find("1 | ...xxxx") != std::string::npos);
    CHECK(text.find("xxxx...\n") != std::string::npos);
    std::size_t begin = 0;
    std::vector<std::string> rows;
    for (std::size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
        rows.push_back(text.substr(begin, end - begin));
        CHECK(rows.back().size() <= widest_line + 4 + 6);
    }
    REQUIRE(rows.size() == 6);
    CHECK(rows[5].find("^^^^^^^^ here") == rows[4].find("\"target\""));
}

TEST_CASE("labels far apart on a long line are shown one after the other") {
    const std::string filler(500, 'x');
    const Page page("first = \"" + filler + "\", \"target\"\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word("\"target\""), "message", "here").also(page.word("first"), "there");
    const std::string text = page.text(diagnostics);
    CHECK(text.find("1 | first = \"xxx") != std::string::npos);
    CHECK(text.find("  | ----- there\n1 | ...xxx") != std::string::npos);
    CHECK(text.find("\"target\"\n") != std::string::npos);
}

TEST_CASE("a label longer than a row is cut at the row's end") {
    const std::string filler(500, 'x');
    const Page page("a = \"" + filler + "\"\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word(filler), "message", "here");
    CHECK(page.text(diagnostics)
              .find("| ..." + std::string(160, 'x') + "...\n  |    " + std::string(160, '^') + " here\n") !=
          std::string::npos);
}

TEST_CASE("colour only where it was asked for") {
    const Page page("a = 1\nb = 2\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::E0101, page.word("a"), "message", "here").also(page.word("b"), "there").help("way out");
    CHECK(page.text(diagnostics).find('\x1b') == std::string::npos);
    CHECK(page.text(diagnostics, true) ==
          "\n\x1b[1;31merror[E0101]\x1b[0m\x1b[1m: message\x1b[0m\n"
          "\x1b[1;34m -->\x1b[0m policy.toml:1:1\n"
          "\x1b[1;34m  |\x1b[0m\n"
          "\x1b[1;34m1 |\x1b[0m a = 1\n"
          "\x1b[1;34m  |\x1b[0m \x1b[1;31m^ here\x1b[0m\n"
          "\x1b[1;34m2 |\x1b[0m b = 2\n"
          "\x1b[1;34m  |\x1b[0m \x1b[1;34m- there\x1b[0m\n"
          "\x1b[1;34m  |\x1b[0m\n"
          "  \x1b[1;34m=\x1b[0m \x1b[1mhelp\x1b[0m: way out\n");
}

TEST_CASE("the JSON holds all that the text says") {
    const Page page("a = 1\nb = \"\xff\"\n");
    Diagnostics diagnostics;
    diagnostics.report(Code::W0601, page.word("b"), "bad \xff byte", "here")
        .also(page.word("1"), "there")
        .help("h")
        .note("n");
    diagnostics.report(Code::E0001, {}, "nowhere");
    const auto json = nlohmann::json::parse(render_json(diagnostics, page.sources));
    REQUIRE(json.size() == 2);
    CHECK(json[0]["code"] == "W0601");
    CHECK(json[0]["severity"] == "warning");
    CHECK(json[0]["message"] == "bad \xef\xbf\xbd byte");
    CHECK(json[0]["file"] == "policy.toml");
    CHECK(json[0]["line"] == 2);
    CHECK(json[0]["column"] == 1);
    CHECK(json[0]["end_line"] == 2);
    CHECK(json[0]["end_column"] == 2);
    CHECK(json[0]["label"] == "here");
    CHECK(json[0]["secondary"][0]["column"] == 5);
    CHECK(json[0]["secondary"][0]["label"] == "there");
    CHECK(json[0]["remarks"] == nlohmann::json::parse(R"([{"kind":"help","text":"h"},{"kind":"note","text":"n"}])"));
    CHECK(json[1]["file"].is_null());
    CHECK(json[1]["severity"] == "error");
    CHECK(render_json(Diagnostics{}, page.sources) == "[]");
}

TEST_CASE("what repeats itself is shown so often and no more, and the JSON holds all") {
    const Page page("a = 1\n");
    Diagnostics diagnostics;
    for (int i = 0; i < 25; ++i) diagnostics.report(Code::W0601, {}, "warning " + std::to_string(i));
    for (int i = 0; i < 101; ++i) diagnostics.report(Code::E0201, {}, "error " + std::to_string(i));
    const std::string text = render(diagnostics, page.sources, false);
    CHECK(text.find("warning[W0601]: warning 19\n") != std::string::npos);
    CHECK(text.find("warning 20") == std::string::npos);
    CHECK(text.find("\nwarning[W0601]: 5 more like these\n") != std::string::npos);
    CHECK(text.find("error[E0201]: error 99\n") != std::string::npos);
    CHECK(text.find("error 100") == std::string::npos);
    CHECK(text.find("\nerror[E0201]: 1 more like these\n") != std::string::npos);
    CHECK(nlohmann::json::parse(render_json(diagnostics, page.sources)).size() == 126);
}

TEST_CASE("of a very long line only what is near the focus is looked at, and it looks the same") {
    std::string line;
    for (int i = 0; i < 40'000; ++i) line += i % 9 == 0 ? "\xc3\xb6" : "x";
    for (const std::size_t begin : {0U, 1U, 500U, 20'000U, 39'995U, 39'999U}) {
        const Excerpt shown = cut(line, {begin, begin + 3});
        CHECK(shown.columns.size() - 1 == widest_line);
        CHECK(shown.first <= begin);
        CHECK(begin < shown.first + widest_line);
        CHECK(shown.text.starts_with("...") == (shown.first > 0));
        CHECK(shown.text.ends_with("...") == (shown.first + widest_line < 40'000));
        // What is printed at its column is the character itself.
        const std::size_t column = shown.column(begin);
        std::size_t byte = 0;
        for (std::size_t i = 0; i < column; ++i)
            byte += (static_cast<unsigned char>(shown.text[byte]) >= 0xc0U) ? 2 : 1;
        CHECK(shown.text[byte] == (begin % 9 == 0 ? '\xc3' : 'x'));
    }
    CHECK(fits(line, 100, 200));
    CHECK_FALSE(fits(line, 100, 300));
    CHECK_FALSE(fits(line, 100, 30'000));
}
