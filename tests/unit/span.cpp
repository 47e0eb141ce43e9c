#include "policy/span.h"

#include <doctest/doctest.h>

using namespace policyc;

namespace {

std::pair<std::size_t, std::size_t> at(const Sources& sources, std::uint32_t offset) {
    const Position position = sources.position(0, offset);
    return {position.line, position.column};
}

using Pair = std::pair<std::size_t, std::size_t>;

}  // namespace

TEST_CASE("offsets become lines and columns of characters") {
    Sources sources;
    REQUIRE(sources.add("a.toml", "one\ntw\xc3\xb6 x\r\n\nend") == 0);
    CHECK(at(sources, 0) == Pair{1, 1});
    CHECK(at(sources, 3) == Pair{1, 4});  // the line end itself
    CHECK(at(sources, 4) == Pair{2, 1});
    CHECK(at(sources, 8) == Pair{2, 4});  // after the two bytes of one character
    CHECK(at(sources, 12) == Pair{3, 1});
    CHECK(at(sources, 13) == Pair{4, 1});
    CHECK(at(sources, 16) == Pair{4, 4});
    CHECK(at(sources, 999) == Pair{4, 4});
    CHECK(sources.line(0, 1) == "one");
    CHECK(sources.line(0, 2) == "tw\xc3\xb6 x");
    CHECK(sources.line(0, 3).empty());
    CHECK(sources.line(0, 4) == "end");
    CHECK(sources.line(0, 0).empty());
    CHECK(sources.line(0, 5).empty());
}

TEST_CASE("lines and columns become offsets, clamped to the line") {
    Sources sources;
    sources.add("a.toml", "one\ntw\xc3\xb6 x\r\n\nend");
    CHECK(sources.offset(0, {1, 1}) == 0);
    CHECK(sources.offset(0, {1, 99}) == 3);
    CHECK(sources.offset(0, {2, 4}) == 8);
    CHECK(sources.offset(0, {2, 99}) == 10);  // before the carriage return
    CHECK(sources.offset(0, {3, 1}) == 12);
    CHECK(sources.offset(0, {4, 2}) == 14);
    CHECK(sources.offset(0, {9, 1}) == 16);
    CHECK(sources.offset(0, {0, 0}) == 0);
}

TEST_CASE("an empty file has one empty line") {
    Sources sources;
    sources.add("a.toml", "");
    CHECK(at(sources, 0) == Pair{1, 1});
    CHECK(sources.line(0, 1).empty());
    CHECK(sources.offset(0, {1, 1}) == 0);
}

TEST_CASE("a place is a file and a line") {
    Sources sources;
    sources.add("policy.toml", "a\nb\n");
    CHECK(sources.place({0, 2, 3}) == "policy.toml:2");
    CHECK(sources.place({}).empty());
}

TEST_CASE("columns of a long line are the same as those that are counted") {
    std::string text = "first\n";
    for (int i = 0; i < 3000; ++i) text += i % 7 == 0 ? "\xc3\xb6" : "x";
    text += "\nlast";
    Sources sources;
    sources.add("a.toml", text);
    std::size_t column = 1;
    for (std::uint32_t offset = 6; text[offset] != '\n'; ++offset) {
        CHECK(at(sources, offset) == Pair{2, column});
        if ((static_cast<unsigned char>(text[offset]) & 0xc0U) != 0x80U) ++column;
    }
    CHECK(at(sources, static_cast<std::uint32_t>(text.size())) == Pair{3, 5});
}
