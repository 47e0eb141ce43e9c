// policy.lock: what is written can be read back, and every way to break the file is an error with its place.
#include "policy/lock.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "policy/lock_plain.h"

using namespace policyc;

namespace {

Address address(const char* text) {
    return parse_address(text).value();
}

Time at(int day, int seconds) {
    return Time{std::chrono::sys_days{std::chrono::year{2026} / 11 / day}} + std::chrono::seconds{seconds};
}

struct Read {
    Sources sources;
    Diagnostics diagnostics;
    std::optional<Lock> lock;

    explicit Read(std::string text) {
        const std::uint32_t file = sources.add("policy.lock", std::move(text));
        lock = parse_lock(file, sources, diagnostics);
    }
    // "E0313 line:column" of each error.
    std::string errors() {
        std::string out;
        diagnostics.finish(sources);
        for (const Diagnostic& diagnostic : diagnostics.all()) {
            const Position place = sources.position(diagnostic.primary.span.file, diagnostic.primary.span.begin);
            out += (out.empty() ? "" : ", ") + std::string(info(diagnostic.code).name) + " " +
                   std::to_string(place.line) + ":" + std::to_string(place.column);
        }
        return out;
    }
};

const std::string good =
    "version = 1\n"
    "\n"
    "[names.\"jelly01.home.example\"]\n"
    "addresses = [\"10.69.13.20\"]\n"
    "ttl = 300\n"
    "resolved = \"2026-11-24T08:16:07Z\"\n";

std::string with(std::string text, const std::string& from, const std::string& to) {
    const std::size_t begin = text.find(from);
    REQUIRE(begin != std::string::npos);
    return text.replace(begin, from.size(), to);
}

}  // namespace

TEST_CASE("a lock as it is committed") {
    Lock lock;
    lock["b.home.example"] = {{address("10.69.13.20"), address("fd69:13::20")}, {"c.home.example"}, 60, at(24, 29767)};
    lock["a.home.example"] = {{}, {}, 0, at(1, 0)};
    CHECK(write_lock(lock) ==
          "# What each host name of the policy resolved to. `policyc resolve` writes this file: commit it, and don't "
          "edit it.\n"
          "version = 1\n"
          "\n"
          "[names.\"a.home.example\"]\n"
          "addresses = []\n"
          "ttl = 0\n"
          "resolved = \"2026-11-01T00:00:00Z\"\n"
          "\n"
          "[names.\"b.home.example\"]\n"
          "addresses = [\"10.69.13.20\", \"fd69:13::20\"]\n"
          "cnames = [\"c.home.example\"]\n"
          "ttl = 60\n"
          "resolved = \"2026-11-24T08:16:07Z\"\n");
    Read read(write_lock(lock));
    CHECK(read.errors() == "");
    REQUIRE(read.lock);
    CHECK(*read.lock == lock);
}

TEST_CASE("a lock without names, and one with odd ones") {
    Lock lock;
    Read none(write_lock(lock));
    REQUIRE(none.lock);
    CHECK(none.lock->empty());
    lock["version"] = {{address("10.0.0.1")}, {}, 1, at(1, 1)};
    lock["names"] = {{address("10.0.0.2")}, {"a\"b\\c"}, 1, at(1, 1)};
    lock["_x.home-1.example"] = {{address("::1:2")}, {}, 1, at(1, 1)};
    Read read(write_lock(lock));
    CHECK(read.errors() == "");
    REQUIRE(read.lock);
    CHECK(*read.lock == lock);
}

TEST_CASE("a list that was merged by hand is put in order") {
    Read read(with(good, "[\"10.69.13.20\"]", "[\"10.69.13.21\", \"10.69.13.20\"]"));
    REQUIRE(read.lock);
    CHECK(read.lock->at("jelly01.home.example").addresses ==
          std::vector{address("10.69.13.20"), address("10.69.13.21")});
}

TEST_CASE("a broken lock is an error with its place, and never an empty lock") {
    struct Case {
        std::string text;
        const char* errors;
    };
    std::string many = "[";
    for (int i = 1; i <= 65; ++i) many += "\"10.69.13." + std::to_string(i) + "\", ";
    const std::vector<Case> cases = {
        {"", "E0311 1:1"},
        {with(good, "version = 1\n", ""), "E0311 1:1"},
        {with(good, "version = 1", "version = 2"), "E0311 1:11"},
        {with(good, "version = 1", "version = \"1\""), "E0311 1:11"},
        {with(good, "version = 1", "version = 1\nnodes = 3"), "E0312 2:1"},
        {"version = 1\nnames = 3\n", "E0313 2:9"},
        {"version = 1\nnames.x = 3\n", "E0313 2:11"},
        {with(good, "addresses", "adresses"), "E0313 3:8, E0312 4:1"},
        {with(good, "ttl = 300\n", ""), "E0313 3:8"},
        {with(good, "jelly01.home", "Jelly01.home"), "E0313 3:8"},
        {with(good, "example\"", "example.\""), "E0313 3:8"},
        {with(good, "[\"10.69.13.20\"]", "\"10.69.13.20\""), "E0313 4:13"},
        {with(good, "10.69.13.20", "10.69.13.300"), "E0313 4:14"},
        {with(good, "10.69.13.20", "10.69.13.0/24"), "E0313 4:14"},
        {with(good, "10.69.13.20", "other.home.example"), "E0313 4:14"},
        {with(good, "\"10.69.13.20\"", "\"10.69.13.20\", \"10.69.13.20\""), "E0314 4:29"},
        {with(good, "\"10.69.13.20\"", "\"fd69::1\", \"fd69:0::1\""), "E0314 4:25"},
        {with(good, "[\"10.69.13.20\"]", many + "]"), "E0304 4:13"},
        {with(good, "300", "-1"), "E0313 5:7"},
        {with(good, "300", "4294967296"), "E0313 5:7"},
        {with(good, "2026-11-24T08:16:07Z", "2026-11-31T08:16:07Z"), "E0313 6:12"},
        {with(good, "2026-11-24T08:16:07Z", "2026-11-24 08:16:07"), "E0313 6:12"},
        {with(good, "\"2026-11-24T08:16:07Z\"", "2026-11-24"), "E0313 6:12"},
        {with(good, "addresses =", "<<<<<<< HEAD\naddresses = []\n=======\naddresses ="), "E0310 4:1"},
    };
    for (const Case& broken : cases) {
        CAPTURE(broken.text);
        Read read(broken.text);
        CHECK_FALSE(read.lock.has_value());
        CHECK(read.errors() == broken.errors);
    }
}

TEST_CASE("what the parser refuses is no lock either") {
    for (const std::string& text : {good + good.substr(good.find('[')), good + "[names.\"x\n",
                                    with(good, "jelly01", "jelly\xFF"), with(good, "20\"", std::string("20\0\"", 4)),
                                    good.substr(0, good.size() - 3), with(good, "ttl = 300", "ttl = 300\nttl = 300")}) {
        CAPTURE(text);
        Read read(text);
        CHECK_FALSE(read.lock.has_value());
        CHECK(read.diagnostics.errors() > 0);
    }
}

TEST_CASE("a merge conflict says how to mend it") {
    Read read("version = 1\n<<<<<<< HEAD\n=======\n>>>>>>> other\n");
    REQUIRE(read.diagnostics.all().size() == 1);
    const Diagnostic& diagnostic = read.diagnostics.all()[0];
    CHECK(diagnostic.message == "policy.lock has a merge conflict");
    REQUIRE(diagnostic.secondary.size() == 1);
    CHECK(read.sources.position(0, diagnostic.secondary[0].span.begin).line == 4);
    REQUIRE(diagnostic.remarks.size() == 1);
    CHECK(diagnostic.remarks[0].text.find("git checkout --ours") != std::string::npos);
}

TEST_CASE("the quick reader takes only what the slow one reads alike") {
    Lock lock;
    lock["a.example"] = {
        {address("10.69.13.20"), address("fd69:13::20")}, {"b.example", "c.example"}, 60, at(24, 29767)};
    lock["b.example"] = {{}, {}, 0, at(1, 0)};
    const std::string text = write_lock(lock);
    CHECK(read_plain_lock(text, 0) == lock);
    CHECK_FALSE(read_plain_lock(text + "\n", 0));
    CHECK_FALSE(read_plain_lock("", 0));
    CHECK_FALSE(read_plain_lock(with(text, "ttl = 60", "ttl = 060"), 0));
    CHECK_FALSE(read_plain_lock(with(text, "a.example", "c.example"), 0));    // out of order
    CHECK_FALSE(read_plain_lock(with(text, "[names.\"b", "[names.\"a"), 0));  // twice
    Read spaced(with(text, "ttl = 60", "ttl  = 60"));  // the slow one takes what was put otherwise
    CHECK(spaced.lock == lock);
    std::mt19937 random(1);
    const std::string letters = "\"\\.,= []\n0123456789abAB:\xC3";
    int taken = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = text;
        const std::size_t place = 120 + random() % (text.size() - 120);
        if (random() % 2 == 0) {
            changed[place] = letters[random() % letters.size()];
        } else {
            changed.erase(place, 1 + random() % 3);
        }
        const std::optional<Lock> quick = read_plain_lock(changed, 0);
        if (!quick) continue;
        ++taken;
        changed.insert(0, "# so that only the slow one can read it\n");
        Read slow(changed);
        CAPTURE(changed);
        CHECK(slow.lock == quick);
    }
    CHECK(taken > 100);
}

TEST_CASE("ten thousand names are read back whole") {
    Lock lock;
    for (unsigned i = 0; i < 10'000; ++i) {
        lock["host" + std::to_string(i) + ".home.example"] = {
            {Address{Family::ipv4, 0x0A000000U + i}}, {}, i, at(24, static_cast<int>(i))};
    }
    Read read(write_lock(lock));
    REQUIRE(read.lock);
    CHECK(*read.lock == lock);
}
