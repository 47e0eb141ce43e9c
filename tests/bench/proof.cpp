// proof: what diagrams of flows cost, without a policy and without a kernel. Entry point main().
//
//   proof SHAPE N [ORDER]   builds N boxes of that shape, then the same with one edited, and takes the difference both ways
//
// SHAPE is pairs (as many hosts, each with a port for one source), pairs6 (the same in IPv6), product (sources times services, multiplied out), permissions
// (the same services for the same sources, which are one set), networks (networks of many sizes times ranges of ports), or crossing (ranges that overlap in
// every field, as nobody writes them). ORDER is that of the levels, by their letters: dprs is destination, protocol, port (r), source. On stdout it says how many
// edges there are, and what the edit changes, as `NAME VALUE`; on stderr how long each step took: `timing: NAME SECONDS`.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "compiler/proof/diagram.h"

#include "timing.h"

using namespace policyc;
using namespace policyc::proof;

namespace {

struct Flows {
    Interval destination, protocol, port, source;
};

constexpr Interval tcp{6, 6};
constexpr Interval udp{17, 17};

Interval one(u128 value) {
    return {value, value};
}

// Every eighth address is free, so that neighbours don't melt into ranges.
u128 address(bool six, std::size_t number) {
    const u128 place = number / 7 * 8 + number % 7 + 1;
    return six ? (u128{0xfd69} << 112U) + (place << 8U) : 0x0a000000U + place;
}

class Shape {
public:
    Shape(std::string name, std::size_t count, std::string order)
        : name_(std::move(name)), count_(count), order_(std::move(order)), six_(name_ == "pairs6") {}

    [[nodiscard]] std::vector<Level> levels() const {
        const u128 top = six_ ? ~u128{0} : u128{UINT32_MAX};
        std::vector<Level> levels;
        for (const char field : order_) {
            switch (field) {
                case 'd': levels.push_back({"destination", top}); break;
                case 'p': levels.push_back({"protocol", UINT8_MAX}); break;
                case 'r': levels.push_back({"port", UINT16_MAX}); break;
                default: levels.push_back({"source", top}); break;
            }
        }
        return levels;
    }

    // `edited`: the box in the middle has another destination.
    Boxes boxes(Diagrams& diagrams, bool edited) const {
        Boxes boxes(diagrams.levels());
        const auto sources = static_cast<std::size_t>(std::sqrt(static_cast<double>(count_)));
        if (name_ == "permissions") {
            Boxes people(diagrams.levels());
            for (std::size_t i = 0; i < sources; ++i)
                add(people, {{0, top()}, {0, 255}, {0, 65535}, one(source(i))}, everything);
            const Set who = diagrams.build(people).set.value();
            for (std::size_t i = 0; i < count_; ++i) {
                Flows flows = host(i, 0, edited);
                flows.source = {0, top()};
                add(boxes, flows, who);
            }
            return boxes;
        }
        std::mt19937_64 random(1);
        for (std::size_t i = 0; i < count_; ++i) {
            if (name_ == "product") {
                add(boxes, host(i / sources, i % sources, edited && i % sources == 0), everything);
            } else if (name_ == "networks") {
                add(boxes, network(random, edited && i == count_ / 2), everything);
            } else if (name_ == "crossing") {
                add(boxes, crossing(random), everything);
            } else {
                add(boxes, host(i, i % 1000, edited), everything);
            }
        }
        return boxes;
    }

private:
    [[nodiscard]] u128 top() const { return six_ ? ~u128{0} : u128{UINT32_MAX}; }
    [[nodiscard]] u128 source(std::size_t number) const {
        return address(six_, number) + (six_ ? u128{1} << 64U : u128{0x80000000U});
    }

    [[nodiscard]] Flows host(std::size_t service, std::size_t from, bool edited) const {
        const std::size_t middle =
            name_ == "product" ? static_cast<std::size_t>(std::sqrt(static_cast<double>(count_))) / 2 : count_ / 2;
        const u128 destination = address(six_, edited && service == middle ? count_ + 8 : service);
        return {one(destination), service % 3 == 0 ? udp : tcp, one(1 + service % 50000), one(source(from))};
    }
    // One place in two is in a network, however many there are.
    Flows network(std::mt19937_64& random, bool edited) const {
        const auto prefix = [&](u128 base, unsigned shortest) {
            const unsigned bits = static_cast<unsigned>(random() % (33 - shortest));
            const u128 mask = (u128{1} << bits) - 1;
            const u128 lo = (base + random() % (200 * count_)) & ~mask;
            return Interval{lo, lo | mask};
        };
        Flows flows{prefix(0x0a000000U, 22), random() % 3 == 0 ? udp : tcp, {}, prefix(0xac000000U, 22)};
        const u128 port = 1 + random() % 60000;
        flows.port = {port, port + random() % 16 * (random() % 100)};
        if (edited) flows.destination = {0x0b000000U, 0x0b0000ffU};
        return flows;
    }
    static Flows crossing(std::mt19937_64& random) {
        const auto some = [&](u128 max) {
            const u128 lo = random() % max / 16 * 15;
            return Interval{lo, lo + max / 16};
        };
        return {some(UINT32_MAX), {0, 255}, some(UINT16_MAX), some(UINT32_MAX)};
    }
    void add(Boxes& boxes, const Flows& flows, Set tail) const {
        std::vector<Interval> box;
        for (const char field : order_)
            box.push_back(field == 'd'   ? flows.destination
                          : field == 'p' ? flows.protocol
                          : field == 'r' ? flows.port
                                         : flows.source);
        boxes.add(box, tail);
    }

    std::string name_;
    std::size_t count_;
    std::string order_;
    bool six_;
};

Result<Set> build(Diagrams& diagrams, const Boxes& boxes, const char* name) {
    const Timing timing(name);
    return diagrams.build(boxes).set;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: proof SHAPE N [ORDER]\n");
        return 2;
    }
    const Shape shape(argv[1], std::strtoul(argv[2], nullptr, 10), argc > 3 ? argv[3] : "dprs");
    Diagrams diagrams(shape.levels());
    const Boxes before = shape.boxes(diagrams, false);
    const Result<Set> old_set = build(diagrams, before, "build");
    if (!old_set) {
        std::fprintf(stderr, "%s\n", old_set.error().message.c_str());
        return 1;
    }
    std::printf("edges %zu\nmade %zu\nbytes %zu\n", diagrams.edges(old_set.value()), diagrams.edges(),
                diagrams.bytes());
    const Result<Set> new_set = build(diagrams, shape.boxes(diagrams, true), "again");
    Set gain;
    Set loss;
    {
        const Timing timing("difference");
        gain = diagrams.subtract(new_set, old_set).value();
        loss = diagrams.subtract(old_set, new_set).value();
    }
    std::printf("gained %.0Lf\nlost %.0Lf\n", diagrams.count(gain).about, diagrams.count(loss).about);
    return 0;
}
