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
// A rate allows what it covers: a point is a packet of which there are few. Loopback is allowed, where it is, whatever families the policy has.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/proof/diagram.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc::proof {

// The levels, in this order. What many permissions share is their sources, so these are last; networks with ranges of ports make protocol and port before
// the destination a hundred times as large (measured on 10^5 of them).
enum class Field : std::uint8_t { hook, way, in, out, destination, protocol, port, source };
inline constexpr std::size_t flow_fields = 8;

enum class Hook : std::uint8_t { forward, input, output };
enum class Way : std::uint8_t { begin, reply };
// `tunnel` is the node's WireGuard interface, `untouched` one that the node must not judge; loopback is a kind of its own, also where it is untouched.
enum class Side : std::uint8_t { tunnel, other, untouched, loopback };

std::vector<Level> flow_levels(Family family);

struct Meaning {
    Set possible;  // what a packet can be: nothing is forwarded from or to loopback. The others are part of it
    Set judged;    // the rest of what is possible is left alone: it passes
    Set allowed;   // of the judged ones
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
