// points: asks the diagrams of policies about packets, one a line. Entry point main().
//
//   load POLICY LOCK NODE DAY                                   the policy that is asked from here on, on that day (days since 1970-01-01)
//   HOOK WAY IN OUT SOURCE DESTINATION PROTOCOL PORT   WAY is begin or reply; IN and OUT are names of interfaces, or - where there is none; PROTOCOL and
//                                                               PORT are the numbers of compiler/proof/meaning.h, of the packet that began the flow
//   boundaries NUMBER SEED                                      where its diagrams change
//
// Each line is answered by one: `ok EDGES` or `error ...`, and `allow`, `deny`, `not judged` or `impossible`. The last by at most so many lines
// HOOK IN OUT SOURCE DESTINATION PROTOCOL PORT, drawn from all, and an empty one: packets that begin a flow, of which one number is at an edge of the diagram or
// beside it, and the others are inside. IN and OUT are kinds: tunnel, other, untouched, loopback, or - where there is none.
#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>

#include "compiler/proof/meaning.h"
#include "loaded.h"

using namespace policyc;
using namespace policyc::proof;

namespace {

class Asked {
public:
    // What went wrong, or nothing.
    std::string load(const std::string& path, const std::string& lock_path, const std::string& name, Days day) {
        if (std::string trouble = loaded_.load(path, lock_path, name); !trouble.empty()) return trouble;
        node_ = &loaded_.policy.nodes[loaded_.node];
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            World& world = family == Family::ipv4 ? four_ : six_;
            world.diagrams = std::make_unique<Diagrams>(flow_levels(family));
            const Meant meant =
                meaning_of(loaded_.policy, loaded_.addresses, loaded_.node, day, family, *world.diagrams);
            if (!meant.meaning) return meant.meaning.error().message;
            world.meaning = meant.meaning.value();
        }
        return "";
    }

    [[nodiscard]] std::size_t edges() const {
        return four_.diagrams->edges(four_.meaning.allowed) + six_.diagrams->edges(six_.meaning.allowed);
    }

    void boundaries(std::istream& words, std::ostream& out) {
        std::size_t number = 0;
        unsigned seed = 0;
        words >> number >> seed;
        std::vector<std::string> lines;
        for (const Family family : {Family::ipv4, Family::ipv6}) add_boundaries(family, lines);
        std::mt19937 engine(seed);
        std::ranges::shuffle(lines, engine);
        lines.resize(std::min(number, lines.size()));
        for (const std::string& line : lines) out << line << '\n';
        out << std::endl;
    }

    std::string verdict(std::istream& words) {
        std::string hook, way, in, out, from, to;
        unsigned protocol = 0;
        unsigned port = 0;
        words >> hook >> way >> in >> out >> from >> to >> protocol >> port;
        const auto source = parse_address(from);
        const auto destination = parse_address(to);
        if (!words || !source || !destination || source->family != destination->family) return "error bad line";
        const World& world = source->family == Family::ipv4 ? four_ : six_;
        const std::vector<u128> point{hook == "forward" ? 0U
                                      : hook == "input" ? 1U
                                                        : 2U,
                                      way == "begin" ? 0U : 1U,
                                      side(in),
                                      side(out),
                                      destination->bits,
                                      protocol,
                                      port,
                                      source->bits};
        if (!world.diagrams->contains(world.meaning.possible, point)) return "impossible";
        if (!world.diagrams->contains(world.meaning.judged, point)) return "not judged";
        return world.diagrams->contains(world.meaning.allowed, point) ? "allow" : "deny";
    }

private:
    struct World {
        std::unique_ptr<Diagrams> diagrams;
        Meaning meaning;
    };

    // Of each box that is allowed: low - 1, low, high and high + 1 of each of its numbers, the others at an end of theirs.
    void add_boundaries(Family family, std::vector<std::string>& lines) const {
        const World& world = family == Family::ipv4 ? four_ : six_;
        const std::vector<Level> levels = flow_levels(family);
        bool low = false;
        world.diagrams->for_each_box(world.meaning.allowed, [&](std::span<const Interval> box) {
            if (box[place(Field::way)].lo > static_cast<u128>(Way::begin)) return true;  // the first of its values
            low = !low;
            std::vector<u128> inside;
            for (const Interval& interval : box) inside.push_back(low ? interval.lo : interval.hi);
            inside[place(Field::way)] = static_cast<u128>(Way::begin);
            for (const Field field : {Field::destination, Field::protocol, Field::port, Field::source}) {
                const auto [lo, hi] = box[place(field)];
                std::vector<u128> values{lo, hi};
                if (lo > 0) values.push_back(lo - 1);
                if (hi < levels[place(field)].max) values.push_back(hi + 1);
                for (const u128 value : values) {
                    std::vector<u128> point = inside;
                    point[place(field)] = value;
                    lines.push_back(text(point, family));
                }
            }
            return true;
        });
    }

    static std::string text(const std::vector<u128>& point, Family family) {
        const auto at = [&](Field field) { return static_cast<std::size_t>(point[place(field)]); };
        constexpr std::array hooks{"forward", "input", "output"};
        constexpr std::array sides{"tunnel", "other", "untouched", "loopback"};
        const std::size_t hook = at(Field::hook);
        std::ostringstream line;
        line << hooks.at(hook) << ' ' << (hook == 2 ? "-" : sides.at(at(Field::in))) << ' '
             << (hook == 1 ? "-" : sides.at(at(Field::out))) << ' '
             << to_string(Address{family, point[place(Field::source)]}) << ' '
             << to_string(Address{family, point[place(Field::destination)]}) << ' ' << at(Field::protocol) << ' '
             << at(Field::port);
        return line.str();
    }

    [[nodiscard]] u128 side(const std::string& interface) const {
        Side side = Side::other;
        for (const auto& untouched : node_->untouched.interfaces)
            if (untouched.value == interface) side = Side::untouched;
        if (interface == "lo") side = Side::loopback;
        if (node_->interface && node_->interface->value == interface) side = Side::tunnel;
        return static_cast<u128>(side);
    }

    LoadedPolicy loaded_;
    const Node* node_ = nullptr;
    World four_;
    World six_;
};

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    Asked asked;
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        if (line.starts_with("load ")) {
            std::string load, policy, lock, node;
            int day = 0;
            words >> load >> policy >> lock >> node >> day;
            const std::string trouble = asked.load(policy, lock, node, Days{std::chrono::days{day}});
            std::cout << (trouble.empty() ? "ok " + std::to_string(asked.edges()) : "error " + trouble) << std::endl;
        } else if (line.starts_with("boundaries ")) {
            std::string boundaries;
            words >> boundaries;
            asked.boundaries(words, std::cout);
        } else {
            std::cout << asked.verdict(words) << std::endl;
        }
    }
}
