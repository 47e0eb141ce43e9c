// The network interfaces of this network namespace, and which of them leads where: links(), interface_to().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/address.h"

namespace policyc {

struct Link {
    std::string name;
    bool wireguard = false;  // the kernel's own; that of wireguard-go is a tun like any other
};

// In the kernel's order. Nothing where it doesn't say.
std::optional<std::vector<Link>> links();

// Where this host sends what goes to that address, from that one of its own: "" where the kernel doesn't say. (RTM_GETROUTE, rtnetlink(7))
std::string interface_to(const Address& to, const Address& from);

}  // namespace policyc
