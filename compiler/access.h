// Ruleset to access: who reaches what, read back out of the sets of a Ruleset, and the difference of two in the policy's words.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir.h"
#include "compiler/layout.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

enum class Direction : std::uint8_t { forward, input, output };

// A box of flows: every source, destination and port of the three ranges. An `input` box has no destination (this host), an `output`
// box no source; in a Change they may have one: the addresses of this host that it is about (own_end.h).
struct Box {
    Direction direction{};
    Range source;
    Range destination;
    Ports ports;
    bool others = false;  // where `ports` is any: what is neither TCP, UDP nor ping, and no more

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
    Layout layout;                         // that the policy is compiled with
    const ir::Ruleset* ruleset = nullptr;  // what lower() makes of all this, where somebody has it already
};

// Texts and lists are those of the Changes that it is one of.
struct Change {
    enum class Kind : std::uint8_t { gain, loss, move };
    enum class Cause : std::uint8_t { edit, dns, drift };
    Kind kind{};
    Cause cause{};
    std::string_view who;      // "phone", "lan but laptop"; empty for a service that moves
    std::string_view among;    // "(laptop, phone among them)": for people to read
    std::string_view service;  // "grafana", or "" where the destination has no name, and for a person who moves
    // "10.69.13.30:3000/tcp"; for a move the old and the new address, "10.69.13.20 -> 10.69.13.21"
    std::string_view destination;
    std::string_view file;  // of the line that causes it; "" where there is none
    std::size_t line = 0;
    std::string_view reason;     // "tiers.vpn", "removed", "DNS, locked 2 h ago", "not from policyc"
    std::span<const Box> boxes;  // what comes or goes, whole, no flow twice; of a move, what is now
    std::span<const Box> left;   // of a move: where it was
    // Where one line tells of many people: all of them. `boxes` are then those of the first, and the same of the others.
    std::span<const Range> people;
};

// A list of changes, and the memory of what they refer to. There may be millions.
class Changes {
public:
    Changes(std::shared_ptr<const void> memory, std::vector<Change> list)
        : memory_(std::move(memory)), list_(std::move(list)) {}
    Changes() = default;

    [[nodiscard]] auto begin() const { return list_.begin(); }
    [[nodiscard]] auto end() const { return list_.end(); }
    [[nodiscard]] bool empty() const { return list_.empty(); }
    [[nodiscard]] std::size_t size() const { return list_.size(); }
    const Change& operator[](std::size_t i) const { return list_[i]; }

private:
    std::shared_ptr<const void> memory_;
    std::vector<Change> list_;
};

// What changes for people when `before` (as it is in the kernel) is replaced by `after`. `old_view` describes the policy that was applied last,
// where it is known: it names what goes. Sorted; one line per person and service.
Changes changes(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                const std::optional<View>& old_view);

// Whether packets of that direction are judged at all: a Ruleset without such a base chain lets them pass.
bool judges(const ir::Ruleset& ruleset, Direction direction);

// The chains that are not the same in both (elements of sets apart), in order of their names.
std::vector<std::string> differing_chains(const ir::Ruleset& before, const ir::Ruleset& after);

}  // namespace policyc
