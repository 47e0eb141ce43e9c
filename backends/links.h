// The network interfaces of this network namespace, and which of them leads where: links(), own_addresses(), way_to().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/address.h"

namespace policyc {

struct Link {
    std::string name;
    bool wireguard = false;  // the kernel's own; that of wireguard-go is a tun like any other
    std::string master;      // the bridge, bond or VRF that it is a part of: hooks see its packets as that one's
    bool xdp = false;        // a BPF program sees what comes in before all hooks
    bool filters = false;  // tc filters at its ingress or egress see it too (tc-bpf by tcx apart, which no qdisc shows)
};

// In the kernel's order. Nothing where it doesn't say.
std::optional<std::vector<Link>> links();

// The addresses of this host, but for those of loopback; none where the kernel doesn't say. (getifaddrs(3))
std::vector<Address> own_addresses();

struct WayOut {
    std::string interface;          // "" where the kernel doesn't say
    std::optional<Address> source;  // the address of this host that it would choose; where one was given, that
};

// Where this host sends what goes to that address, from that one of its own and with that mark, where there are such. (RTM_GETROUTE, rtnetlink(7))
WayOut way_to(const Address& to, const std::optional<Address>& from, std::uint32_t mark = 0);

}  // namespace policyc
