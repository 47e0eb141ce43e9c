// The set @server_ports: TCP ports of this host that something listens on, so that nothing begins a connection from them.
//
// Where nothing tracked connections before, conntrack picks up a session with this host whose server speaks first as if
// the host had begun it. What arrives at one of these ports is therefore no reply, and is judged by what the packet
// itself says. A port that is missing here costs revocation: such a session lives on. One too many costs connections that
// the host begins from it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

using PortRange = std::pair<std::uint16_t, std::uint16_t>;  // first and last

// The set with these ports: sorted, neighbours and what overlaps joined.
ir::Set make_server_ports(std::vector<PortRange> ports);

// The ports of the set, where the Ruleset has it.
std::vector<PortRange> server_ports_of(const ir::Ruleset& ruleset);

// More ports for the set, where the Ruleset has it.
void add_server_ports(ir::Ruleset& ruleset, const std::vector<PortRange>& ports);

}  // namespace policyc
