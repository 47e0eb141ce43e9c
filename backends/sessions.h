// The SSH session that a command was typed in, and where its packets come in: own_sessions().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backends/tracked.h"
#include "policy/address.h"

namespace policyc {

// The flow that carries a WireGuard tunnel, between this host and the endpoint of a peer.
struct TunnelFlow {
    Address peer;
    std::uint16_t peer_port = 0;
    Address here;
    std::uint16_t port = 0;
    std::string interface;     // of this host
    bool keeps_alive = false;  // this host sends by itself, and would begin the flow anew
    Tracked tracked = Tracked::unknown;
    std::string tunnel = {};  // WireGuard's own interface

    bool operator==(const TunnelFlow&) const = default;
};

// A TCP connection to this host. `interface` is where its packets come in: the zone of an address (RFC 4007, 11) says it, else where this host would send its answers; "" where the
// kernel doesn't say.
struct Session {
    Address client;
    std::uint16_t client_port = 0;
    Address here;
    std::uint16_t port = 0;
    Tracked tracked = Tracked::unknown;
    std::string interface;
    std::optional<TunnelFlow> tunnel =
        std::nullopt;  // that it comes through, where that is a tunnel whose endpoint is known

    bool operator==(const Session&) const = default;
};

// By SSH_CONNECTION (ssh(1)), as `ssh_connection` has it: the open connections of this network namespace from that client to that port, whichever port they come from, since a
// terminal that was left and joined again keeps the old words. Without it (sudo takes it away), or where that client has none, those of the sshd that this process descends
// from; a terminal that was joined again from elsewhere has no such ancestor: then all to that port, of which one is it. Empty where it was typed elsewhere.
std::vector<Session> own_sessions(const std::optional<std::string>& ssh_connection);

// Of each peer of that WireGuard interface that was heard since the interface is up: the flow that carries it; who was heard last comes first. At most 64, since one is cut as all are.
std::vector<TunnelFlow> tunnel_flows(const std::string& interface);

// "10.69.99.4 51544 10.69.50.2 22", or "fe80::1%eth0 51544 fe80::2%eth0 22". Nothing where it is something else. IPv4 in IPv6 (RFC 4291, 2.5.5.2) is IPv4.
std::optional<Session> parse_ssh_connection(const std::string& text);

// The open connections in the text of /proc/PID/net/tcp or tcp6 (proc(5)), by the inode of their socket, without their interfaces. IPv4 in IPv6 is IPv4.
std::map<std::uint64_t, Session> open_connections_in(const std::string& text);

}  // namespace policyc
