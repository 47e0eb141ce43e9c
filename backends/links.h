// The network interfaces of this network namespace: links().
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace policyc {

struct Link {
    std::string name;
    bool wireguard = false;  // the kernel's own; that of wireguard-go is a tun like any other
};

// In the kernel's order. Nothing where it doesn't say.
std::optional<std::vector<Link>> links();

}  // namespace policyc
