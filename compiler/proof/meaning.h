// What a policy means for one node on one day: which packets it judges, and which of them it allows. Written from docs/language.md, section 2, and nothing else.
//
// A point is a packet of a flow as it passes one hook of the node:
//
//   hook         forward, input or output
//   way          whether the packet goes the way of the one that began the flow, or is a reply
//   in, out      what kind of interface this packet enters and leaves through. At the input hook `out` is not read and at output `in` is not: there all values
//                are alike
//   destination, protocol, port, source
//                of the packet that began the flow, whichever way this one goes. `protocol` is the number in the IP header. `port` is the destination port; of
//                ICMP (in the family's own kind) it is type * 256 + code, of the request where there is one. Where a protocol has neither, all its values are alike
//
// All packets of a flow that differ in something else (source port, length, which interface of a kind) are one point. No points are:
//
//   - what connection tracking has no flow for: invalid and untracked packets, neighbour discovery among them, and ICMP errors about a tracked flow
//   - flows whose destination was rewritten
//   - TCP packets of a flow that this host began from a port that only servers use, and such UDP packets in the tunnel: the source port of a flow that this
//     host begins is one that clients use
//
// A rate allows what it covers: a point is a packet of which there are few, and `unlimited` and `without` say which rates count. Loopback is allowed, where it is,
// whatever families the policy has.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/proof/diagram.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc::proof {

// The levels, in this order. What many permissions share is their sources, so these are last; networks with ranges of ports make protocol and port before
// the destination a hundred times as large (measured on 10^5 of them).
enum class Field : std::uint8_t { hook, way, in, out, destination, protocol, port, source };
inline constexpr std::size_t flow_fields = 8;
constexpr std::size_t place(Field field) {
    return static_cast<std::size_t>(field);
}

// An interval for each level, and one of a single value.
using FlowBox = std::array<Interval, flow_fields>;
template <typename T>
constexpr Interval just(T value) {
    const auto number = static_cast<u128>(value);
    return {number, number};
}

enum class Hook : std::uint8_t { forward, input, output };
enum class Way : std::uint8_t { begin, reply };
// `tunnel` is the node's WireGuard interface, `untouched` one that the node must not judge; loopback is a kind of its own, also where it is untouched.
enum class Side : std::uint8_t { tunnel, other, untouched, loopback };

std::vector<Level> flow_levels(Family family);

// The box of all points; and of those of a box the ones that ports are about.
FlowBox any_flow(Family family);
void narrow(FlowBox& flows, Family family, const Ports& ports);

// Numbers of the IANA registry.
inline constexpr u128 icmp_number = 1, tcp_number = 6, udp_number = 17, icmpv6_number = 58;
constexpr u128 icmp_of(Family family) {
    return family == Family::ipv4 ? icmp_number : icmpv6_number;
}
// The `port` of a ping: type 8 (RFC 792) or 128 (RFC 4443), code 0.
constexpr u128 echo_request_of(Family family) {
    return (family == Family::ipv4 ? 8 : 128) * 256;
}

struct Meaning {
    Set possible;  // what a packet can be: nothing is forwarded from or to loopback. The others are part of it
    Set judged;    // the rest of what is possible is left alone: it passes
    Set allowed;   // of the judged ones
    // Of the allowed ones: what passes though its source has used up every rate of the policy, and what passes though it has used up that rate. A reply takes
    // nothing from a rate.
    Set unlimited;
    std::vector<std::pair<Rate, Set>> without;
    // ICMP messages about a tracked flow, which are no points of that flow: source, destination, protocol and port are those of the message itself, and the way is
    // that in which it goes with the flow. Which of them are allowed.
    Set errors;
};

// `diagrams` is made with the levels of that family, and so with one for each. A policy whose diagram is too large is an Error, whose help names the entries
// that are the most entangled; `entangled` says where they are written.
struct Meant {
    Result<Meaning> meaning;
    std::vector<Span> entangled;
};
Meant meaning_of(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, Family family,
                 Diagrams& diagrams);

}  // namespace policyc::proof
