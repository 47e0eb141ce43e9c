#include "policy/address.h"

#include <doctest/doctest.h>

#include <random>

#include "policy/model.h"

using namespace policyc;

namespace {

Range range(const char* text) {
    return parse_cidr(text).value().range;
}

Range between(const char* lo, const char* hi) {
    return {parse_address(lo)->family, parse_address(lo)->bits, parse_address(hi)->bits};
}

std::string text(const AddressSet& set) {
    std::string result;
    for (const Range& r : set.ranges()) result += (result.empty() ? "" : " ") + to_string(r);
    return result;
}

}  // namespace

TEST_CASE("addresses are read in their numeric forms only") {
    CHECK(parse_address("10.69.13.5") == Address{Family::ipv4, 0x0a450d05});
    CHECK(parse_address("255.255.255.255") == Address{Family::ipv4, 0xffffffff});
    CHECK(parse_address("::") == Address{Family::ipv6, 0});
    CHECK(parse_address("fd69::1")->bits == ((u128{0xfd69} << 112U) | 1U));
    CHECK(parse_address("::ffff:10.0.0.1")->bits == 0xffff0a000001);
    for (const char* wrong : {"",           "10.69.13",    "10.69.13.256",  "10.69.13.05",       "010.69.13.5",
                              "0x0a.1.1.1", "10.69.13.5 ", " 10.69.13.5",   "1.2.3.4.5",         "167772165",
                              "fd69::1::2", "fd69:::1",    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0",
                              "[::1]",      "12345::",     "g::",           "1:2:3:4:5:6:7::8",  "localhost"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_address(wrong));
    }
    CHECK_FALSE(parse_address(std::string_view("10.0.0.1\0", 9)));
}

TEST_CASE("addresses are printed as RFC 5952 has it") {
    for (const char* same :
         {"0.0.0.0", "10.69.13.5", "255.255.255.255", "::", "::1", "fd69::1", "fd69:0:0:1::1", "2001:db8::1:0:0:1",
          "2001:db8:0:1:1:1:1:1", "::ffff:10.0.0.1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
        CHECK(to_string(parse_address(same).value()) == same);
    }
    CHECK(to_string(parse_address("FD69:0:0:0:0:0:0:00a1").value()) == "fd69::a1");
    CHECK(to_string(parse_address("2001:db8:0:0:1:0:0:1").value()) == "2001:db8::1:0:0:1");
}

TEST_CASE("networks are ranges, and host bits are seen") {
    CHECK(to_string(range("10.69.13.0/24")) == "10.69.13.0/24");
    CHECK(range("0.0.0.0/0") == Range{Family::ipv4, 0, 0xffffffff});
    CHECK(range("::/0") == Range{Family::ipv6, 0, ~u128{0}});
    CHECK(range("fd69::1/128").single());
    CHECK_FALSE(parse_cidr("10.69.13.0/24")->host_bits);
    CHECK(parse_cidr("10.69.13.7/24")->host_bits);
    CHECK(parse_cidr("10.69.13.7/24")->range == range("10.69.13.0/24"));
    CHECK(parse_cidr("10.69.13.7")->length == 32);
    for (const char* wrong : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8/8",
                              "::/129", "/8", "10.0.0.0/255.0.0.0", "10.0.0.0/ 8", "10.0.0.0/4294967304"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_cidr(wrong));
    }
}

TEST_CASE("ranges are printed as the shortest thing that is true") {
    CHECK(to_string(between("10.69.13.5", "10.69.13.5")) == "10.69.13.5");
    CHECK(to_string(between("10.69.13.5", "10.69.13.9")) == "10.69.13.5-10.69.13.9");
    CHECK(to_string(between("10.69.13.4", "10.69.13.7")) == "10.69.13.4/30");
    CHECK(to_string(between("10.69.13.2", "10.69.13.5")) == "10.69.13.2-10.69.13.5");
    CHECK(to_string(Range{Family::ipv6, 0, top(Family::ipv6)}) == "::/0");
    CHECK(prefix_length(Range{Family::ipv6, 0, top(Family::ipv6)}) == 0);
    CHECK(prefix_length(Range{Family::ipv4, 0, top(Family::ipv4)}) == 0);
    CHECK_FALSE(prefix_length(Range{Family::ipv6, 1, top(Family::ipv6)}));
    CHECK_FALSE(prefix_length(between("10.0.0.1", "10.0.0.2")));
}

TEST_CASE("a set joins what overlaps and what touches, within a family") {
    AddressSet set({between("10.0.0.4", "10.0.0.7"), between("10.0.0.0", "10.0.0.3"), between("10.0.0.9", "10.0.0.9"),
                    between("::", "::1"), between("0.0.0.0", "0.0.0.0")});
    CHECK(text(set) == "0.0.0.0 10.0.0.0/29 10.0.0.9 ::/127");
    set.add(between("10.0.0.8", "10.0.0.8"));
    CHECK(text(set) == "0.0.0.0 10.0.0.0-10.0.0.9 ::/127");
    set.add(range("255.255.255.255"));
    set.add(range("255.255.255.254"));
    CHECK(text(set) == "0.0.0.0 10.0.0.0-10.0.0.9 255.255.255.254/31 ::/127");
    CHECK(set.ranges(Family::ipv6) == std::vector<Range>{between("::", "::1")});
}

TEST_CASE("the highest IPv6 address has no successor") {
    const Range highest{Family::ipv6, top(Family::ipv6), top(Family::ipv6)};
    AddressSet set({highest, between("::", "::")});
    CHECK(set.ranges().size() == 2);
    set.add(highest);
    set.add(Range{Family::ipv6, top(Family::ipv6) - 1, top(Family::ipv6) - 1});
    CHECK(set.ranges().size() == 2);
    set.add(range("::/0"));
    CHECK(text(set) == "::/0");
    set.subtract(highest);
    CHECK_FALSE(set.holds(highest));
    CHECK(set.holds(Range{Family::ipv6, 0, top(Family::ipv6) - 1}));
    set.add(highest);
    set.subtract(range("::"));
    CHECK(set.ranges() == std::vector<Range>{{Family::ipv6, 1, top(Family::ipv6)}});
    set.subtract(range("::/0"));
    CHECK(set.empty());
}

TEST_CASE("a set of 16 addresses behaves as 16 bits do") {
    std::mt19937 random(5);
    const std::array<u128, 3> bases{0, 0x0a000000, top(Family::ipv6) - 15};
    for (int round = 0; round < 3000; ++round) {
        const u128 base = bases.at(static_cast<std::size_t>(round) % 3);
        const Family family = round % 3 == 2 ? Family::ipv6 : Family::ipv4;
        AddressSet set;
        std::array<bool, 16> bits{};
        for (int step = 0; step < 8; ++step) {
            unsigned lo = random() % 16;
            unsigned hi = random() % 16;
            if (lo > hi) std::swap(lo, hi);
            const Range r{family, base + lo, base + hi};
            const bool adding = random() % 2 == 0;
            for (unsigned i = lo; i <= hi; ++i) bits.at(i) = adding;
            adding ? set.add(r) : set.subtract(r);
            for (unsigned a = 0; a < 16; ++a) {
                const Range one{family, base + a, base + a};
                REQUIRE(set.holds(one) == bits.at(a));
                REQUIRE(set.meets(one) == bits.at(a));
            }
            REQUIRE(set.holds(r) == adding);
            REQUIRE(set.meets(r) == adding);
            REQUIRE(AddressSet(set.ranges()).ranges() == set.ranges());
        }
    }
}

TEST_CASE("port items and rates are printed as they are written") {
    CHECK(to_string(Ports{Protocol::tcp, 3000, 3000}) == "3000/tcp");
    CHECK(to_string(Ports{Protocol::udp, 8000, 8100}) == "8000-8100/udp");
    CHECK(to_string(Ports{Protocol::tcp, 1, 65535}) == "*/tcp");
    CHECK(to_string(Ports{Protocol::ping, 0, 0}) == "ping");
    CHECK(to_string(Ports{Protocol::any, 0, 0}) == "*");
    CHECK(to_string(Rate{50, Rate::Unit::second}) == "50/second");
    CHECK(to_string(Rate{1, Rate::Unit::day}) == "1/day");
}
