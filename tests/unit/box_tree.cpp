// BoxTree, and BoxIndex over many boxes, against a look at each box.
#include "compiler/box_tree.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "compiler/box.h"

using namespace policyc;

namespace {

// So small that most boxes overlap many others.
constexpr unsigned places = 8, ports = 5;

class Boxes {
public:
    explicit Boxes(unsigned seed) : random_(seed) {}

    unsigned below(unsigned end) { return static_cast<unsigned>(random_() % end); }

    Box one() {
        constexpr std::array directions{Direction::forward, Direction::forward, Direction::forward, Direction::input,
                                        Direction::output};
        Box box{.direction = directions.at(below(5)), .source = range(), .destination = range(), .ports = {}};
        box.ports.protocol =
            std::array{Protocol::any, Protocol::tcp, Protocol::tcp, Protocol::udp, Protocol::ping}.at(below(5));
        box.ports.lo = box.ports.hi = 0;
        box.others = box.ports.protocol == Protocol::any && below(3) == 0;
        if (box.ports.protocol == Protocol::tcp || box.ports.protocol == Protocol::udp) {
            const Range port = range();
            box.ports.lo = static_cast<std::uint16_t>(std::min<u128>(port.lo, ports));
            box.ports.hi = static_cast<std::uint16_t>(std::min<u128>(port.hi, ports));
        }
        return box;
    }

    std::vector<LabelledBox> sorted(std::size_t count) {
        std::vector<LabelledBox> boxes;
        for (std::size_t i = 0; i < count; ++i) boxes.push_back({one(), {}});
        std::ranges::sort(boxes, {}, &LabelledBox::box);
        const auto repeated = std::ranges::unique(boxes, {}, &LabelledBox::box);
        boxes.erase(repeated.begin(), repeated.end());
        return boxes;
    }

private:
    Range range() {
        const unsigned lo = below(places);
        const unsigned size = std::array{0U, 0U, 0U, 1U, 3U}.at(below(5));
        return {below(6) == 0 ? Family::ipv6 : Family::ipv4, lo, std::min(lo + size, places)};
    }

    std::mt19937 random_;
};

bool same_port(const Box& a, const Box& b) {
    const auto any = [](const Box& box) { return box.ports.protocol == Protocol::any && !box.others; };
    const auto others = [](const Box& box) { return box.ports.protocol == Protocol::any; };
    if (others(a) && others(b)) return true;
    if (any(a) || any(b)) return true;
    return a.ports.protocol == b.ports.protocol && a.ports.lo <= b.ports.hi && b.ports.lo <= a.ports.hi;
}

bool have_a_flow_in_common(const Box& a, const Box& b) {
    return a.direction == b.direction && a.source.meets(b.source) && a.destination.meets(b.destination) &&
           same_port(a, b);
}

}  // namespace

TEST_CASE("many boxes: the index says what a look at each of them says") {
    Boxes boxes(21);
    for (int round = 0; round < 60; ++round) {
        const std::vector<LabelledBox> all = boxes.sorted(boxes.below(400));
        const BoxIndex index(all);
        for (int question = 0; question < 120; ++question) {
            const Box box = boxes.one();
            std::vector<LabelledBox> met;
            std::ranges::copy_if(all, std::back_inserter(met),
                                 [&](const LabelledBox& by) { return have_a_flow_in_common(box, by.box); });
            REQUIRE(index.meets(box) == !met.empty());
            // One that is asked once looks at each.
            REQUIRE(index.uncovered(box) == BoxIndex(met).uncovered(box));
        }
    }
}

TEST_CASE("networks by an end: those that meet a range") {
    Boxes boxes(22);
    for (const auto end : {&Box::source, &Box::destination})
        for (int round = 0; round < 40; ++round) {
            std::vector<Box> list;
            for (unsigned i = boxes.below(200); i > 0; --i) list.push_back(boxes.one());
            const NetworksByEnd index(end, list);
            for (int question = 0; question < 60; ++question) {
                const Range range = boxes.one().*end;
                std::vector<std::size_t> wanted;
                for (std::size_t i = 0; i < list.size(); ++i)
                    if ((list[i].*end).meets(range)) wanted.push_back(i);
                std::vector<std::size_t> found;
                index.each(range, [&](std::size_t at) { found.push_back(at); });
                std::ranges::sort(found);
                REQUIRE(found == wanted);
            }
        }
}

TEST_CASE("a box is found among many without a look at more than a few") {
    constexpr unsigned count = 4096;
    const auto box = [](u128 source, u128 size, u128 destination, unsigned port, unsigned more) {
        return Box{Direction::forward,
                   {Family::ipv4, source, source + size},
                   {Family::ipv4, destination, destination},
                   {Protocol::tcp, static_cast<std::uint16_t>(port), static_cast<std::uint16_t>(port + more)}};
    };
    using Shape = Box (*)(decltype(box)&, unsigned);
    const auto check = [&](const char* name, Shape shape, std::size_t most) {
        std::vector<Box> boxes;
        for (unsigned i = 0; i < count; ++i) boxes.push_back(shape(box, i));
        BoxTree tree;
        for (const Box& one : boxes) tree.add(one);
        std::size_t looks = 0;
        std::size_t found = 0;
        for (int round = 0; round < 2; ++round) {
            looks = found = 0;
            for (unsigned i = 0; i < count; i += 64) {
                const Extent whole = extent_of(boxes[i]);
                tree.any(
                    [&](const Extent& by) {
                        ++looks;
                        return meets(by, whole);
                    },
                    [&](const Box&) {
                        ++found;
                        return false;
                    });
            }
        }
        CHECK_MESSAGE(looks < most * (count / 64), name, ": ", looks);
        CHECK_MESSAGE(found >= count / 64, name);
    };
    check(
        "one network, a range of ports each", [](auto& box, unsigned i) { return box(0, 255, i, 1000, 9); }, 100);
    check(
        "networks, each with a host elsewhere",
        [](auto& box, unsigned i) { return box(u128{16} * i, 15, u128{i} * 1237 % count, 1000 + i % 50, 9); }, 100);
    check(
        "one host, ranges of ports", [](auto& box, unsigned i) { return box(7, 0, 7, 8 * i, 7); }, 100);
    check(
        "people in their network",
        [](auto& box, unsigned i) { return i % 2 == 0 ? box(0, count, i, 80, 1) : box(i, 0, i * 613 % count, 22, 3); },
        200);
}
