// Makes and widens the sets of the ports that servers of this host use; entry points in server_ports.h.
#include "compiler/server_ports.h"

#include <algorithm>

#include "compiler/permissions.h"

namespace policyc {

namespace {

// No program uses a TCP port up to this one to begin a connection from (NFS and rsh begin at 512).
constexpr std::uint16_t last_server_port = 511;
constexpr std::uint16_t first_user_port = 1024;
// Where Linux begins to choose ports for connections it begins (net.ipv4.ip_local_port_range), never one that something listens on.
constexpr std::uint16_t first_ephemeral_port = 32768;
// A range of at most this many ports is taken for ports that something listens on.
constexpr int listening_ports = 16;

std::vector<PortRange> ports_of(const ir::Ruleset& ruleset, Protocol protocol) {
    std::vector<PortRange> ports;
    const auto set = std::ranges::find(ruleset.sets, server_ports_set(protocol), &ir::Set::name);
    if (set == ruleset.sets.end() || set->types != std::vector{ir::Type::inet_service}) return ports;
    for (std::size_t i = 0; i < set->elements.size(); ++i) {
        const auto bound = set->elements.bound(i, 0);
        ports.emplace_back(static_cast<std::uint16_t>(bound.lo), static_cast<std::uint16_t>(bound.hi));
    }
    return ports;
}

void add_ports(ir::Ruleset& ruleset, Protocol protocol, const std::vector<PortRange>& ports) {
    const auto set = std::ranges::find(ruleset.sets, server_ports_set(protocol), &ir::Set::name);
    if (set == ruleset.sets.end()) return;
    std::vector<PortRange> all = ports_of(ruleset, protocol);
    all.insert(all.end(), ports.begin(), ports.end());
    *set = make_server_ports(protocol, std::move(all));
}

}  // namespace

const char* server_ports_set(Protocol protocol) {
    return protocol == Protocol::udp ? "server_udp_ports" : "server_ports";
}

ir::Set make_server_ports(Protocol protocol, std::vector<PortRange> ports) {
    std::ranges::sort(ports);
    std::vector<PortRange> joined;
    for (const PortRange& range : ports) {
        if (!joined.empty() && int{range.first} <= int{joined.back().second} + 1)
            joined.back().second = std::max(joined.back().second, range.second);
        else
            joined.push_back(range);
    }
    ir::Set set{.name = server_ports_set(protocol),
                .types = {ir::Type::inet_service},
                .interval = true,
                .comment = protocol == Protocol::udp ? "of this host: it begins nothing in the tunnel from them"
                                                     : "of this host: nothing begins a TCP connection from them"};
    set.elements = ir::Elements(set.types, true);
    for (const auto& [first, last] : joined) set.elements.add({{first, last}});
    set.elements.sort();
    return set;
}

std::vector<PortRange> named_server_ports(const Policy& policy, const Addresses& addresses, const Node& node,
                                          const AddressSet& near, Protocol protocol) {
    std::vector<PortRange> ports;
    if (protocol == Protocol::tcp) ports.emplace_back(1, last_server_port);
    // Of a wide range, those that this host may begin connections from are left out; apply adds the ports that something listens on.
    const auto add = [&](const Ports& p) {
        if (p.protocol != protocol || (p.lo == 1 && p.hi == UINT16_MAX)) return;
        const bool wide = p.hi - p.lo >= listening_ports;
        const auto hi = wide ? std::min<std::uint16_t>(p.hi, first_ephemeral_port - 1) : p.hi;
        const auto lo = wide && protocol == Protocol::tcp ? std::max(p.lo, first_user_port) : p.lo;
        // WireGuard's own is open both ways, whoever names it.
        const auto implied =
            node.scope == Scope::host && protocol == Protocol::udp ? wireguard_port(node) : std::nullopt;
        const bool split = implied && lo <= *implied && *implied <= hi;
        if (!split && lo <= hi) ports.emplace_back(lo, hi);
        if (split && lo < *implied) ports.emplace_back(lo, *implied - 1);
        if (split && *implied < hi) ports.emplace_back(*implied + 1, hi);
    };
    for (const Input& input : node.inputs) std::ranges::for_each(input.ports, add);
    // By its address in the tunnel, or in a network of this side, where it may have another.
    const auto holds_this_host = [&](const Range& range) {
        const bool own =
            std::ranges::any_of(node.addresses, [&](const auto& a) { return range.holds(range_of(a.value)); });
        return own || (!range.single() && near.meets(range));
    };
    for (const Tier& tier : policy.tiers)
        for (const Target& target : tier.allow)
            if (std::ranges::any_of(ranges_of(policy, addresses, target.host), holds_this_host)) add(target.ports);
    return ports;
}

ServerPorts server_ports_of(const ir::Ruleset& ruleset) {
    return {ports_of(ruleset, Protocol::tcp), ports_of(ruleset, Protocol::udp)};
}

void add_server_ports(ir::Ruleset& ruleset, const ServerPorts& ports) {
    add_ports(ruleset, Protocol::tcp, ports.tcp);
    add_ports(ruleset, Protocol::udp, ports.udp);
}

}  // namespace policyc
