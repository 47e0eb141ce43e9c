// The sets @server_ports and @server_udp_ports: ports of this host that something serves at, so that nothing begins a connection from them.
//
// Where nothing tracked connections before, conntrack picks up a session with this host whose server speaks first as if the host had begun it. What
// arrives at one of these ports is therefore no reply, and what leaves from one begins nothing: both are judged by what the packet itself says. A port
// that is missing here costs revocation: such a session lives on. One too many costs connections that the host begins from it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/ir.h"
#include "policy/address.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

using PortRange = std::pair<std::uint16_t, std::uint16_t>;  // first and last

struct ServerPorts {
    std::vector<PortRange> tcp;
    std::vector<PortRange> udp;

    bool operator==(const ServerPorts&) const = default;
};

// The name of the set of that protocol, which is TCP or UDP.
const char* server_ports_set(Protocol protocol);

// The set with these ports: sorted, neighbours and what overlaps joined.
ir::Set make_server_ports(Protocol protocol, std::vector<PortRange> ports);

// The ports of one protocol that are this node's by its policy. `near`: its own addresses and the networks it serves.
std::vector<PortRange> named_server_ports(const Policy& policy, const Addresses& addresses, const Node& node,
                                          const AddressSet& near, Protocol protocol);

// The ports of the sets, where the Ruleset has them.
ServerPorts server_ports_of(const ir::Ruleset& ruleset);

// More ports for the sets, where the Ruleset has them.
void add_server_ports(ir::Ruleset& ruleset, const ServerPorts& ports);

}  // namespace policyc
