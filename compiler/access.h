// Ruleset to access: who reaches what, read back out of the sets of a Ruleset, and the difference of two in the policy's words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir.h"
#include "compiler/layout.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

enum class Direction : std::uint8_t { forward, input, output };

// A box of flows: every source, destination and port of the three ranges. An `input` box has no destination (this host), an `output`
// box no source.
struct Box {
    Direction direction{};
    Range source;
    Range destination;
    Ports ports;

    auto operator<=>(const Box&) const = default;
};

// Everything that the sets of this Ruleset let through, multiplied out and sorted: for small ones.
std::vector<Box> boxes_of(const ir::Ruleset& ruleset);

// The names that people use for addresses: nodes, services and networks of a policy, and the lines they come from.
struct View {
    const Policy* policy = nullptr;
    const Addresses* addresses = nullptr;
    const Sources* sources = nullptr;
    std::size_t node = 0;
    Days today{};
    const Lock* lock = nullptr;  // for the age of an answer, where it is known
    Time now{};
    Layout layout;  // that the policy is compiled with
};

struct Change {
    enum class Kind : std::uint8_t { gain, loss, move };
    enum class Cause : std::uint8_t { edit, dns, drift };
    Kind kind{};
    Cause cause{};
    std::string who;      // "phone"; empty for a move
    std::string service;  // "grafana", or "" where the destination has no name
    std::string
        destination;   // "10.69.13.30:3000/tcp"; for a move the old and the new address, "10.69.13.20 -> 10.69.13.21"
    std::string file;  // of the line that causes it; "" where there is none
    std::size_t line = 0;
    std::string reason;      // "tiers.vpn", "removed", "DNS, locked 2 h ago", "not from policyc"
    std::vector<Box> boxes;  // what comes or goes, whole; of a move, where the service is now
    std::vector<Box> left;   // of a move: where it was
    // Where one line tells of many people: all of them. `boxes` are then those of the first, and the same of the others.
    std::vector<Range> people;

    auto operator<=>(const Change&) const = default;
};

// What changes for people when `before` (as it is in the kernel) is replaced by `after`. `old_view` describes the policy that was applied last,
// where it is known: it names what goes. Sorted; one line per person and service.
std::vector<Change> changes(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                            const std::optional<View>& old_view);

// Whether packets of that direction are judged at all: a Ruleset without such a base chain lets them pass.
bool judges(const ir::Ruleset& ruleset, Direction direction);

// The chains that are not the same in both (elements of sets apart), in order of their names.
std::vector<std::string> differing_chains(const ir::Ruleset& before, const ir::Ruleset& after);

}  // namespace policyc
