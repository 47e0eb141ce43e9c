// What else on this host has a say in which packets pass: surroundings().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/world.h"
#include "compiler/kernel.h"
#include "policy/model.h"

namespace policyc {

// A thing that stands beside `table inet policyc`, and what it can do to what the policy says.
struct Surrounding {
    enum class Effect : std::uint8_t {
        neither,  // nothing to what the policy says
        narrows,  // may refuse what the policy allows
        widens,   // may let through what the policy denies
        breaks,   // lets packets past policyc
    };
    Effect effect{};
    std::string words;  // "chain input of table inet nixos-fw drops what it does not accept itself (input hook)"
    std::string why;    // what that means for the policy; "" where it says so itself
};

const char* word(Surrounding::Effect effect);

// What that chain can do.
Surrounding surrounding(const ForeignChain& chain);

// That WireGuard listens on a port which that node refuses to all: whoever dials this host can't come in. Of a node that dials its `peer`, where it doesn't keep alive, or others were heard.
std::optional<Surrounding> refused_tunnel(const Policy& policy, const Node& node, const World& world);

// What sees packets of that interface and is no chain that can be read: programs at it, and tables of iptables-legacy.
std::vector<Surrounding> programs(const std::string& interface, const World& world);

// That this host sends packets on to where their IP options say, after the policy was asked about the address of this host that they came for: by which
// interfaces they may come in, that one first.
std::optional<Surrounding> source_routing(const std::string& interface, const World& world);

// The chains of other tables, the tables of iptables-legacy, and the settings of the kernel (networking/ip-sysctl) that matter to that node. The worst first.
Result<std::vector<Surrounding>> surroundings(const Policy& policy, const Node& node, Kernel& kernel,
                                              const World& world);

}  // namespace policyc
