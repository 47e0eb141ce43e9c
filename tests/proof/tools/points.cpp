// points: asks the diagrams of policies about packets, one a line. Entry point main().
//
//   load POLICY LOCK NODE DAY                                   the policy that is asked from here on, on that day (days since 1970-01-01)
//   HOOK WAY IN OUT SOURCE DESTINATION PROTOCOL PORT   WAY is begin or reply; IN and OUT are names of interfaces, or - where there is none; PROTOCOL and
//                                                               PORT are the numbers of compiler/proof/meaning.h, of the packet that began the flow
//
// Each line is answered by one: `ok EDGES` or `error ...`, and `allow`, `deny`, `not judged` or `impossible`.
#include <chrono>
#include <iostream>
#include <memory>
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
        } else {
            std::cout << asked.verdict(words) << std::endl;
        }
    }
}
