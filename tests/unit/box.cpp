// BoxIndex against every point of a small universe, and the names of sets against themselves.
#include "compiler/box.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "compiler/program.h"

using namespace policyc;

namespace {

constexpr unsigned size = 5;

// `any` is what is neither TCP, UDP nor ping.
struct Flow {
    u128 source, destination;
    Protocol protocol;
    std::uint16_t port;
};

bool covers(const Box& box, const Flow& flow) {
    if (flow.source < box.source.lo || box.source.hi < flow.source) return false;
    if (flow.destination < box.destination.lo || box.destination.hi < flow.destination) return false;
    if (box.ports.protocol == Protocol::any) return !box.others || flow.protocol == Protocol::any;
    return box.ports.protocol == flow.protocol && box.ports.lo <= flow.port && flow.port <= box.ports.hi;
}

}  // namespace

TEST_CASE("uncovered: exactly the flows of the box that no other box covers") {
    std::mt19937 random(11);
    const auto range = [&] {
        const u128 a = random() % size;
        const u128 b = random() % size;
        return Range{Family::ipv4, std::min(a, b), std::max(a, b)};
    };
    const auto box = [&](bool any) {
        const auto a = static_cast<std::uint16_t>(random() % size);
        const auto b = static_cast<std::uint16_t>(random() % size);
        const Ports ports =
            any ? Ports{Protocol::any, 0, 0}
                : Ports{random() % 2 == 0 ? Protocol::tcp : Protocol::udp, std::min(a, b), std::max(a, b)};
        return Box{Direction::forward, range(), range(), ports};
    };
    for (int round = 0; round < 400; ++round) {
        std::vector<LabelledBox> others;
        for (unsigned i = 0; i < random() % 6; ++i) others.push_back({box(random() % 4 == 0), {}});
        std::ranges::sort(others, {}, &LabelledBox::box);
        const Box whole = box(random() % 4 == 0);
        const std::vector<Box> pieces = BoxIndex(others).uncovered(whole);
        const auto check = [&](const Flow& flow) {
            const auto holds = [&](const Box& b) { return covers(b, flow); };
            const bool wanted = covers(whole, flow) && std::ranges::none_of(others, holds, &LabelledBox::box);
            REQUIRE(std::ranges::count_if(pieces, holds) == (wanted ? 1 : 0));
        };
        for (u128 s = 0; s < size; ++s)
            for (u128 d = 0; d < size; ++d) {
                for (std::uint16_t p = 0; p < size; ++p)
                    for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) check({s, d, protocol, p});
                check({s, d, Protocol::any, 0});
                check({s, d, Protocol::ping, 0});
            }
        if (!BoxIndex(others).meets(whole)) REQUIRE(pieces == std::vector{whole});
    }
}

TEST_CASE("a box is found wherever the search before it ended") {
    std::mt19937 random(12);
    std::vector<LabelledBox> sorted;
    for (unsigned i = 0; i < 100; ++i)
        for (const std::uint16_t port : {1, 3}) {
            const Range source{Family::ipv4, 2 * i, 2 * i};
            sorted.push_back({{Direction::forward, source, source, {Protocol::tcp, port, port}}, {i, port}});
        }
    BoxFinder finder(sorted);
    const auto check = [&](unsigned source, std::uint16_t port) {
        const Range at{Family::ipv4, source, source};
        const LabelledBox* found = finder.find({Direction::forward, at, at, {Protocol::tcp, port, port}});
        const bool there = source % 2 == 0 && source < 200 && (port == 1 || port == 3);
        REQUIRE((found != nullptr) == there);
        if (!there) return;
        CHECK(found->cause.subject == source / 2);
        CHECK(found->cause.object == port);
    };
    for (unsigned source = 0; source < 210; ++source)
        for (std::uint16_t port = 0; port < 5; ++port) check(source, port);
    for (unsigned source = 210; source-- > 0;)
        for (std::uint16_t port = 5; port-- > 0;) check(source, port);
    for (int i = 0; i < 10000; ++i) check(random() % 210, static_cast<std::uint16_t>(random() % 5));
    CHECK(BoxFinder({}).find(sorted[0].box) == nullptr);
}

TEST_CASE("names of sets: what is written is read") {
    using namespace policyc::program;
    for (const Kind kind : {Kind::allow, Kind::input, Kind::output})
        for (const std::uint32_t limit : {0U, 1U, 37U})
            for (const Protocol protocol : {Protocol::any, Protocol::tcp, Protocol::udp, Protocol::ping})
                for (const Family family : {Family::ipv4, Family::ipv6})
                    for (const bool interval : {false, true}) {
                        const Permissions p{kind, limit, protocol, family, interval};
                        REQUIRE(permissions_of(name_of(p)) == p);
                    }
    CHECK(name_of({Kind::allow, 0, Protocol::tcp, Family::ipv4, false}) == "allow_tcp4");
    CHECK(name_of({Kind::input, 2, Protocol::udp, Family::ipv6, true}) == "input_limit2_udp6_ranges");
    for (const char* other : {"", "tunnel4", "allow", "allow_tcp", "allow_tcp4x", "allow_limit0_tcp4",
                              "allow_limit_tcp4", "rate1_ip4", "log_allow_tcp4"})
        CHECK_MESSAGE(!permissions_of(other), other);
}
