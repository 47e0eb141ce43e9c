// The ports of a host's servers; entry points in servers.h.
#include "compiler/proof/servers.h"

#include <algorithm>

#include "compiler/proof/places.h"

namespace policyc::proof {
namespace {

// Below 512 nothing begins a TCP connection. Of a range of more than 16 ports, those count that no client uses: from 1024 of TCP, and below where Linux begins.
constexpr Interval privileged{1, 511};
constexpr u128 most_ports = 16;
constexpr u128 first_of_range = 1024;
constexpr u128 last_of_range = 32767;
constexpr Interval served_ports{1, 65535};

void add(const Ports& ports, Servers& servers) {
    if (ports.protocol != Protocol::tcp && ports.protocol != Protocol::udp) return;
    Interval interval{ports.lo, ports.hi};
    if (interval == served_ports) return;
    const bool tcp = ports.protocol == Protocol::tcp;
    if (interval.hi - interval.lo + 1 > most_ports) {
        if (tcp) interval.lo = std::max(interval.lo, first_of_range);
        interval.hi = std::min(interval.hi, last_of_range);
    }
    if (interval.lo <= interval.hi) (tcp ? servers.tcp : servers.udp).push_back(interval);
}

// WireGuard's own port is open already, and not for what a permission says.
std::vector<Interval> without(const std::vector<Interval>& intervals, u128 port) {
    std::vector<Interval> out;
    for (const Interval& interval : intervals) {
        if (interval.lo < port) out.push_back({interval.lo, std::min(interval.hi, port - 1)});
        if (interval.hi > port) out.push_back({std::max(interval.lo, port + 1), interval.hi});
    }
    return out;
}

}  // namespace

Servers servers_of(const Policy& policy, const Addresses& addresses, std::size_t node) {
    Servers servers;
    servers.tcp.push_back(privileged);
    for (const Input& input : policy.nodes[node].inputs)
        for (const Ports& ports : input.ports) add(ports, servers);
    const AddressSet near = near_side(policy, node);
    const std::vector<Range> own = ranges_of(policy, addresses, NodeRef{node});
    // By its address in the tunnel, or by a network of the near side, where it may have another.
    const auto names_this_host = [&](const Range& range) {
        const bool holds = std::ranges::any_of(own, [&](const Range& address) { return range.holds(address); });
        return holds || (!range.single() && near.meets(range));
    };
    for (const Tier& tier : policy.tiers) {
        for (const Target& target : tier.allow) {
            const std::vector<Range> ranges = ranges_of(policy, addresses, target.host);
            if (std::ranges::any_of(ranges, names_this_host)) add(target.ports, servers);
        }
    }
    if (policy.nodes[node].scope == Scope::host)
        if (const auto port = wireguard_port(policy.nodes[node])) servers.udp = without(servers.udp, *port);
    if (policy.nodes[node].scope == Scope::host && policy.nodes[node].output)
        if (const auto port = wireguard_port(policy.nodes[node])) servers.outer.push_back({*port, *port});
    servers.tcp = joined(std::move(servers.tcp));
    servers.udp = joined(std::move(servers.udp));
    return servers;
}

std::vector<Interval> joined(std::vector<Interval> intervals) {
    std::ranges::sort(intervals, {}, &Interval::lo);
    std::vector<Interval> out;
    for (const Interval& interval : intervals) {
        if (!out.empty() && interval.lo <= out.back().hi + 1)
            out.back().hi = std::max(out.back().hi, interval.hi);
        else
            out.push_back(interval);
    }
    return out;
}

}  // namespace policyc::proof
