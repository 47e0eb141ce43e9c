// What a packet is beside its point: what connection tracking and its own header say of it. And how the program's fields are read of such packets.
//
// A flow is judged by its beginning, so its verdict may not depend on any of this; docs/language.md says which packets are refused (or implied) for what they are.
#pragma once

#include <optional>
#include <vector>

#include "compiler/ir.h"
#include "compiler/proof/meaning.h"

namespace policyc::proof {

enum class Bit : std::uint8_t { no, yes, either };

struct Phase {
    enum class Kind : std::uint8_t {
        flow,       // a packet of the flow that its point is of
        message,    // an ICMP message about some flow; its point is its own (Meaning::errors)
        rewritten,  // of a flow whose destination was rewritten; its point is its own, as it is now
        turned,     // of a session that connection tracking has the wrong way round: its point is what it really is
        stray,      // connection tracking has no flow for it, or calls it invalid
    };
    Kind kind{};
    Way way{};              // of its point
    bool reply = false;     // what `ct direction` says
    ir::MatchState states;  // what `ct state` may say
    Bit confirmed = Bit::either;
    Bit assured = Bit::either;
    Bit syn = Bit::either;        // of TCP: begins a connection
    Bit hop_limit = Bit::either;  // of IPv6: 255
    const char* words = "";       // "the first packet of a flow"

    [[nodiscard]] bool tracked() const { return kind != Kind::stray; }
};

// All that a packet can be. Without `rates`, what only rates look at is left open, which makes them fewer.
std::vector<Phase> phases(bool rates);

// Where a field of the program is found.
struct Reading {
    enum class From : std::uint8_t {
        absent,  // no such packet has it
        point,   // it is that field of the point
        client,  // the port that this host begins the flow from: none of its servers' (servers.h)
        any,     // nothing is known of it
    };
    From from = From::absent;
    Field field{};
    std::optional<u128> protocol;  // only packets of that protocol have it

    bool operator==(const Reading&) const = default;
};

// Not of names of interfaces.
Reading reading_of(ir::Field field, const Phase& phase, Hook hook, Family family);

// The protocol and types of the ICMP messages that begin a flow or are a stray, whose packets are of one of `types`: as values of Field::port.
std::vector<Interval> icmp_ports(const std::vector<std::uint8_t>& types, const Phase& phase, Family family);

}  // namespace policyc::proof
