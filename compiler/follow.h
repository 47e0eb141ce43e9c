// Follows the packet that begins a flow through the chains of a Ruleset, rule by rule, and notes which sets it is looked up in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir.h"
#include "compiler/kernel.h"
#include "policy/result.h"

namespace policyc {

// The first packet of a flow, new to the connection tracking: of TCP, its SYN. Or one of a session that is under way.
struct FirstPacket {
    ir::Hook hook{};
    std::string in, out;  // names of interfaces; "" where the hook has none
    Address source;
    Address destination;
    std::optional<ir::L4> protocol;   // nothing: one without ports
    std::uint16_t port = 0;           // that it goes to; of ICMP, type * 256 + code
    std::uint16_t from_port = 49152;  // of no server: Linux begins connections from ports like this one
    enum class State : std::uint8_t {
        fresh,
        established,  // the other side's next one: of TCP, without a SYN
        reply,        // the same, where the tracking has it that this side began
        invalid,
        untracked,
        rewritten  // its destination
    };
    State state = State::fresh;
};

// One look-up of the packet in a set or map, and what it found.
struct Asking {
    const ir::Set* set = nullptr;
    std::string key;  // see point_of()
    std::optional<Held> held;
};

struct Followed {
    enum class Verdict : std::uint8_t {
        accept,
        drop,       // or reject
        no_chain,   // nothing is hooked there: it passes
        unreadable  // a rule on the way is not understood
    };
    Verdict verdict{};
    std::vector<Asking> asked;            // in the order of the rules
    std::optional<std::size_t> decisive;  // of `asked`: the last one that held the packet before it was accepted
    std::string counter;                  // that counts it
    std::string rule;                     // the comment of the rule that ended it
    bool rated = false;                   // a rate was asked, and is taken to have room
    bool rejected = false;                // dropped, and the sender is told

    [[nodiscard]] bool passes() const { return verdict == Verdict::accept || verdict == Verdict::no_chain; }
};

// Looks a key up in a set; an Error ends the walk.
using LookUp = std::function<Result<std::optional<Held>>(const ir::Set& set, std::string_view key)>;

// The sets that `asked` points to are those of `ruleset`.
Result<Followed> follow(const ir::Ruleset& ruleset, const FirstPacket& packet, const LookUp& look_up);

}  // namespace policyc
