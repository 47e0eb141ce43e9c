// A box as three intervals.
#pragma once

#include <array>

#include "compiler/access.h"
#include "compiler/ir.h"

namespace policyc {

// Sources, destinations, and a part of the line of ports. Without the direction and the families.
using Extent = std::array<ir::Elements::Bound, 3>;

Extent extent_of(const Box& box);
bool meets(const Extent& a, const Extent& b);
bool holds(const Extent& outer, const Extent& inner);

// Protocols and ports on one line, so that any protocol is an interval as well: other protocols, ping, then the ports of TCP and those of UDP.
namespace port_line {

inline constexpr unsigned others_at = 0, ping_at = 1, tcp_at = 2, udp_at = tcp_at + UINT16_MAX + 1,
                          end_of_line = udp_at + UINT16_MAX;

}  // namespace port_line

}  // namespace policyc
