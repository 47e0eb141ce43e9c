// Policy files to trees: order, places, fragments, and what is refused before or by the TOML parser.
#include "policy/parse.h"

#include <doctest/doctest.h>

#include "policy/bytes.h"
#include "policy/scan.h"

using namespace policyc;

namespace {

struct Parsed {
    FakeFiles files;
    Sources sources;
    Diagnostics diagnostics;
    std::optional<Ast> ast;

    explicit Parsed(std::map<std::string, std::string> texts) {
        files.files = std::move(texts);
        ast = parse("policy.toml", files, sources, diagnostics);
        diagnostics.finish(sources);
    }
    explicit Parsed(const std::string& text) : Parsed(std::map<std::string, std::string>{{"policy.toml", text}}) {}

    std::string said() const { return render(diagnostics, sources, false); }
    // The codes of all that was reported: "E0003 E0006".
    std::string codes() const {
        std::string text;
        for (const Diagnostic& diagnostic : diagnostics.all())
            text += (text.empty() ? "" : " ") + std::string(info(diagnostic.code).name);
        return text;
    }
    std::string at(Span span) const {
        return span.valid() ? sources.text(span.file).substr(span.begin, span.end - span.begin) : "nowhere";
    }
};

std::string keys(const Table& table) {
    std::string text;
    for (const Entry& entry : table.entries) text += (text.empty() ? "" : " ") + entry.key;
    return text;
}

const Value& value(const Table& table, std::string_view key) {
    const Entry* entry = table.find(key);
    REQUIRE(entry != nullptr);
    return entry->value;
}

}  // namespace

TEST_CASE("tables keep the order of the text, however they are written") {
    const Parsed parsed(
        "version = 1\n"
        "[nodes.zeta]\n"
        "input.ssh = { from = [\"b\"] }\n"
        "address = \"10.0.0.1\"\n"
        "input.\"a b\".from = []\n"
        "[nodes.alpha]\n"
        "[services]\n"
        "z = \"h:1\"\n"
        "a = \"h:2\"\n"
        "[[test]]\n"
        "[[test]]\n");
    REQUIRE(parsed.ast);
    const Table& root = parsed.ast->root;
    CHECK(keys(root) == "version nodes services test");
    CHECK(keys(*value(root, "nodes").table()) == "zeta alpha");
    const Table& zeta = *value(*value(root, "nodes").table(), "zeta").table();
    CHECK(keys(zeta) == "input address");
    CHECK(keys(*value(zeta, "input").table()) == "ssh a b");
    CHECK(keys(*value(root, "services").table()) == "z a");
    CHECK(value(root, "test").array()->items.size() == 2);
}

TEST_CASE("places are those of the bytes") {
    const Parsed parsed(
        "x = [ \"\xc3\xa9\xe2\x82\xac\", \"host:80\" ] # \xc3\xa9\n"
        "\"quoted\" = 'a:b'\n"
        "esc = \"a\\u0062c\"\n"
        "long = \"\"\"one\ntwo\"\"\"\n"
        "[a.'b c']\n"
        "d = 2026-12-31\n");
    REQUIRE(parsed.ast);
    const Table& root = parsed.ast->root;
    const Array& list = *value(root, "x").array();
    CHECK(parsed.at(value(root, "x").span) == "[ \"\xc3\xa9\xe2\x82\xac\", \"host:80\" ]");
    CHECK(parsed.at(list.items[0].span) == "\"\xc3\xa9\xe2\x82\xac\"");
    CHECK(parsed.at(list.items[1].span) == "\"host:80\"");
    CHECK(parsed.at(list.items[1].inside(5, 2)) == "80");
    CHECK(parsed.at(root.find("quoted")->key_span) == "\"quoted\"");
    CHECK(parsed.at(value(root, "quoted").inside(2, 1)) == "b");
    // With escapes and in long strings the bytes are elsewhere: the whole is pointed at.
    CHECK(*value(root, "esc").string() == "abc");
    CHECK(parsed.at(value(root, "esc").inside(2, 1)) == "\"a\\u0062c\"");
    CHECK(parsed.at(value(root, "long").inside(0, 3)) == "\"\"\"one\ntwo\"\"\"");
    const Entry& inner = value(root, "a").table()->entries.front();
    CHECK(parsed.at(inner.key_span) == "'b c'");
    CHECK(*value(*inner.value.table(), "d").date() == std::chrono::sys_days(std::chrono::year(2026) / 12 / 31));
}

TEST_CASE("a byte order mark and CRLF change nothing") {
    const Parsed parsed("\xef\xbb\xbfversion = 1\r\nx = \"y\"\r\n");
    REQUIRE(parsed.ast);
    CHECK(parsed.at(value(parsed.ast->root, "x").span) == "\"y\"");
}

TEST_CASE("what TOML has and the language has not") {
    const Parsed parsed("a = 1.5\nb = 12:00:00\nc = 2026-01-01T00:00:00Z\nd = true\n");
    REQUIRE(parsed.ast);
    const Table& root = parsed.ast->root;
    CHECK(std::get<Unused>(value(root, "a").data).what == "a number with a fraction");
    CHECK(std::get<Unused>(value(root, "b").data).what == "a time");
    CHECK(std::get<Unused>(value(root, "c").data).what == "a date with a time");
    CHECK(*value(root, "d").boolean());
}

TEST_CASE("a syntax error shows its place") {
    const Parsed parsed("version = 1\nipv6 = deny\n");
    CHECK_FALSE(parsed.ast);
    CHECK(parsed.codes() == "E0002");
    CHECK(parsed.said().find(" --> policy.toml:2:") != std::string::npos);
    for (const char* text :
         {"a = ", "a = [1", "a = {b = 1", "a = \"x", "a = \"\"\"x", "[a", "[[a]", "[=", "[[}", "= 1", "a b = 1",
          "a = 1 2", "{", "a = '", "\x01 = 1", "a = 2026-02-31", "a = 99999999999999999999"}) {
        CAPTURE(text);
        CHECK(Parsed(text).codes() == "E0002");
    }
}

// toml++ has a way to where it says that no way leads: seen with the undefined behaviour sanitizer.
TEST_CASE("a letter of another script outside of quotes is a syntax error") {
    for (const char* letter : {"\xc3\xa9", "\xd1\x8f", "\xe2\x82\xac", "\xef\xbb\xbb"}) {
        for (const std::string& text :
             {std::string(letter), std::string(letter) + " = 1\n", "a = " + std::string(letter) + "\n",
              "a = [ 1, " + std::string(letter) + " ]\n", "[ " + std::string(letter) + " ]\n"}) {
            CAPTURE(text);
            CHECK(Parsed("version = 1\n" + text).codes() == "E0002");
        }
    }
}

TEST_CASE("a key that is set twice is shown at both places, and all of them at once") {
    const Parsed parsed(
        "version = 1\n"
        "version = 1\n"
        "[services]\n"
        "a.host = \"x\"\n"
        "a = { host = \"y\" }\n"
        "[services]\n"
        "[nodes.n]\n"
        "dns = { split = [], split = [] }\n");
    CHECK_FALSE(parsed.ast);
    CHECK(parsed.codes() == "E0003 E0003 E0003");
    CHECK(
        parsed.said().starts_with("error[E0003]: `version` is set twice\n"
                                  " --> policy.toml:2:1\n"
                                  "  |\n"
                                  "1 | version = 1\n"
                                  "  | ------- first set here\n"
                                  "2 | version = 1\n"
                                  "  | ^^^^^^^ again here\n"
                                  "  |\n"
                                  "  = help: remove one of the two, or make them one\n"));
    CHECK(parsed.said().find("[services] is set twice") != std::string::npos);
    CHECK(parsed.said().find("`nodes.n.dns.split` is set twice") != std::string::npos);
    // Each [[test]] has a table of its own, and so have the elements of a list.
    const Parsed fine(
        "[[test]]\nname = \"a\"\nx.y = 1\n[[test]]\nname = \"b\"\nx.y = 1\n[list]\na = [{b = 1}, {b = 2}]\n");
    CHECK(fine.ast);
    const Parsed elements("[[test]]\n[test.sub]\na = 1\n[[test]]\n[test.sub]\na = 1\nb = 1\nb = 2\n");
    CHECK(elements.codes() == "E0003");
}

TEST_CASE("bytes that are no text are told with byte and line") {
    CHECK(Parsed(std::string("version = 1\n\0", 13)).said() ==
          "error[E0004]: byte 0x00 in line 2 is not UTF-8 text\n"
          " --> policy.toml:2:1\n"
          "  |\n"
          "2 | \xe2\x90\x80\n"
          "  | ^ a NUL byte\n"
          "  |\n"
          "  = help: this does not look like a text file\n");
    const Parsed parsed("version = 1\n# caf\xe9\n");
    CHECK(parsed.codes() == "E0004");
    CHECK(parsed.diagnostics.all()[0].message == "byte 0xe9 in line 2 is not UTF-8 text");
}

TEST_CASE("UTF-8 as RFC 3629 has it") {
    CHECK_FALSE(first_odd_byte("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"));
    for (const char* text : {"ab\xc0\xaf", "ab\xe0\x80\x80", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80",
                             "ab\xf8\x88\x80\x80\x80", "ab\x80", "ab\xe2\x82", "ab\xff"}) {
        CAPTURE(text);
        CHECK(first_odd_byte(text) == 2U);
    }
    CHECK(first_odd_byte(std::string_view("a\0b", 3)) == 1U);
}

TEST_CASE("deep nesting is refused before the parser meets it") {
    std::string keys = "a";
    for (int i = 0; i < 100'000; ++i) keys += ".a";
    const std::string brackets(1'000'000, '[');
    std::string braces;
    for (int i = 0; i < 100'000; ++i) braces += "{a=";
    for (const std::string& text :
         {keys + " = 1", "[" + keys + "]", "[[" + keys + "]]", "a = " + brackets, "a = " + braces}) {
        const Parsed parsed(text);
        CHECK_FALSE(parsed.ast);
        CHECK(parsed.codes() == "E0005");
    }
    // Brackets that are no nesting.
    CHECK(Parsed("a = \"" + brackets + "\" # " + brackets + "\nb = '''" + brackets + "'''\n").ast);
    CHECK(Parsed("a.b.c.d.e.f.g.h = [[[[[[1]]]]]]").ast);
    CHECK(Parsed("a = " + std::string(16, '[') + "1" + std::string(16, ']')).ast);
    CHECK(Parsed("a = " + std::string(17, '[') + std::string(17, ']')).codes() == "E0005");
    CHECK(Parsed("a = " + std::string(15, '[') + "{b = 1}" + std::string(15, ']')).ast);
    CHECK(Parsed("a = " + std::string(16, '[') + "{b = 1}" + std::string(16, ']')).codes() == "E0005");
}

TEST_CASE("the scanner gets to the end of anything") {
    const std::string pieces = "a=\"'[]{},.#\n \t\\\r\x01";
    std::uint32_t state = 1;
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (int i = 0; i < 40; ++i) {
            state = state * 1664525U + 1013904223U;
            text += pieces[(state >> 16U) % pieces.size()];
        }
        std::size_t found = 0;
        scan_keys(text, [&](const KeySite& site) {
            ++found;
            CHECK(site.key.begin <= site.key.end);
            CHECK(site.value.end <= text.size());
        });
        CHECK(found <= text.size());
        const Parsed parsed(text);  // the same for all of parse()
        CHECK(parsed.ast.has_value() == (parsed.diagnostics.errors() == 0));
    }
}

TEST_CASE("files that can't be read") {
    Parsed gone(std::map<std::string, std::string>{});
    CHECK(gone.said() ==
          "error[E0001]: cannot read policy.toml: does not exist\n"
          "  = help: correct the name; `policyc init` writes a first policy\n");
    const Parsed large(std::string(max_policy_bytes + 1, '#'));
    CHECK(large.codes() == "E0001");
    CHECK(large.said().find("is larger than") != std::string::npos);

    FakeFiles files;
    files.failures["policy.toml"] = "cannot read policy.toml: is a directory";
    Sources sources;
    Diagnostics diagnostics;
    CHECK_FALSE(parse("policy.toml", files, sources, diagnostics));
    CHECK(render(diagnostics, sources, false) == "error[E0001]: cannot read policy.toml: is a directory\n");
}

TEST_CASE("fragments join: lists one behind the other, in the order of their names") {
    const Parsed parsed(
        {{"policy.toml", "include = [\"policy.d/*.toml\"]\n[groups]\ng = [\"root\"]\n[tiers.t]\nallow = [\"a\"]\n"},
         {"policy.d/20.toml", "[groups]\ng = [\"twenty\"]\n[services]\ns = \"h:1\"\n"},
         {"policy.d/10.toml", "[groups]\ng = [\"ten\"]\n[tiers.t]\nallow = [\"b\"]\nlimit = \"1/day\"\n[[test]]\n"},
         {"policy.d/readme.md", "not TOML"}});
    REQUIRE(parsed.ast);
    const Table& root = parsed.ast->root;
    std::string members;
    for (const Value& item : value(*value(root, "groups").table(), "g").array()->items) members += *item.string() + " ";
    CHECK(members == "root ten twenty ");
    CHECK(value(*value(*value(root, "tiers").table(), "t").table(), "allow").array()->items.size() == 2);
    CHECK(keys(root) == "include groups tiers test services");
    CHECK(parsed.sources.size() == 3);
}

TEST_CASE("what two files both set is an error with both places") {
    const Parsed parsed({{"policy.toml", "include = [\"more.toml\"]\n[services]\na = \"h:1\"\n"},
                         {"more.toml", "[services]\na = \"h:2\"\n"}});
    CHECK_FALSE(parsed.ast);
    CHECK(parsed.said() ==
          "error[E0003]: `services.a` is set twice\n"
          " --> more.toml:2:1\n"
          "  |\n"
          "2 | a = \"h:2\"\n"
          "  | ^ again here\n"
          " ::: policy.toml:3:1\n"
          "  |\n"
          "3 | a = \"h:1\"\n"
          "  | - first set here\n"
          "  |\n"
          "  = help: lists of several files join, anything else is set once: remove one of the two\n");
}

TEST_CASE("a fragment holds groups, services, tiers and tests") {
    const Parsed parsed(
        {{"policy.toml", "include = \"more.toml\"\n"},
         {"more.toml", "ipv6 = \"dual\"\ninclude = [\"x\"]\n[nodes.n]\n[resolve]\n[log]\n[networks]\n"}});
    CHECK_FALSE(parsed.ast);
    CHECK(parsed.codes() == "E0006 E0006 E0006 E0006 E0006 E0006");
}

TEST_CASE("what an include names") {
    CHECK(Parsed("include = [\"none.d/*.toml\"]").ast);
    CHECK(Parsed("include = [\"none.toml\"]").codes() == "E0001");
    CHECK(Parsed("include = [\"*/x.toml\"]").codes() == "E0006");
    CHECK(Parsed("include = [\"policy.d/\"]").codes() == "E0006");
    CHECK(Parsed("include = 3").codes() == "E0102");
    CHECK(Parsed("include = [3]").codes() == "E0102");
    CHECK(Parsed("include = [\"*.toml\", \"policy.toml\"]").ast);  // not itself
    // All broken files are told of at once.
    const Parsed parsed(
        {{"policy.toml", "include = [\"a.toml\", \"b.toml\", \"a.toml\"]\n"}, {"a.toml", "x"}, {"b.toml", "y"}});
    CHECK(parsed.codes() == "E0002 E0002");
}

TEST_CASE("includes are relative to the file that has them") {
    FakeFiles files;
    files.files = {{"/etc/p/policy.toml", "include = [\"policy.d/*.toml\"]\n"},
                   {"/etc/p/policy.d/a.toml", "[groups]\n"},
                   {"policy.d/b.toml", "["}};
    Sources sources;
    Diagnostics diagnostics;
    REQUIRE(parse("/etc/p/policy.toml", files, sources, diagnostics));
    REQUIRE(sources.size() == 2);
    CHECK(sources.name(1) == "/etc/p/policy.d/a.toml");
}

TEST_CASE("a private key is masked before anything can show it") {
    const std::string key = "VpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVps0=";
    for (const std::string& line :
         {"private_key = \"" + key + "\"", "nodes.a.\"private_key\" = '" + key + "'",
          "a = { x = 1, preshared_key = \"\"\"" + key + "\"\"\" }", "private_key_file = \"" + key + "\"",
          "private_key = " + key, "private_key = \"" + key}) {
        CAPTURE(line);
        const Parsed parsed("version = 1\n" + line + " # comment\n");
        REQUIRE(parsed.sources.size() == 1);
        CHECK(parsed.sources.text(0).find("VpsVps") == std::string::npos);
        CHECK(parsed.sources.text(0).size() == line.size() + 23);
    }
    const Parsed parsed("public_key = \"" + key + "\"\nprivate_key_file = \"/run/keys/wg0\"\n");
    REQUIRE(parsed.ast);
    CHECK(*value(parsed.ast->root, "public_key").string() == key);
    CHECK(*value(parsed.ast->root, "private_key_file").string() == "/run/keys/wg0");
}

TEST_CASE("one line of a million bytes costs no more than as many lines") {
    std::string text = "x = [";
    for (int i = 0; i < 100'000; ++i) text += "\"\xc3\xa9 name\",";
    const Parsed parsed(text + "]\n");
    REQUIRE(parsed.ast);
    CHECK(parsed.at(value(parsed.ast->root, "x").array()->items[99'999].span) == "\"\xc3\xa9 name\"");
}

TEST_CASE("syntax errors are told in our own words, each with a way out") {
    const std::vector<std::pair<std::string, std::string>> mistakes{
        {"a = gateway", "text without quotes"},
        {"a =\n", "a value is missing"},
        {"a\n", "a `=` is missing"},
        {"a = [1 2]", "a comma or a `]` is missing"},
        {"a = [1,, 2]", "a comma too many"},
        {"a = {b = 1,}", "a comma too many"},
        {"a = {b = 1 c = 2}", "a comma or a `}` is missing"},
        {"a = {b = 1\n}", "a comma or a `}` is missing"},
        {"a = [1", "the file ends too early"},
        {"a = \"x\nb = 1\n", "a string is not closed in its line"},
        {"a = 'x\nb = 1\n", "a string is not closed in its line"},
        {"a = \"\\q\"", "an unknown escape"},
        {"a = \"\\ud800\"", "an escape for no character"},
        {"a = 012", "a number that begins with 0"},
        {"a = 10.69.50.2", "a number that can't be read"},
        {"a = 2026-13-01", "a date that can't be read"},
        {"a = 99999999999999999999", "a number that is too large"},
        {"a = 1 b = 2", "more than one thing in a line"},
        {"[a", "the file ends too early"},
        {"[]", "a header that names no table"},
        {"= 1", "no key can begin like this"},
        {"a = \"x\x01\"", "a control character"},
    };
    for (const auto& [text, message] : mistakes) {
        CAPTURE(text);
        const Parsed parsed(text);
        REQUIRE(parsed.diagnostics.all().size() == 1);
        const Diagnostic& found = parsed.diagnostics.all()[0];
        CHECK(found.code == Code::E0002);
        CHECK(found.message == "this is not TOML: " + message);
        REQUIRE(found.remarks.size() == 1);
        CHECK(found.remarks[0].kind == Remark::Kind::help);
    }
}
