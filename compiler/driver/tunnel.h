// The interface that the policy names, and whether this host has it: report_tunnel().
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "compiler/driver/report.h"
#include "compiler/driver/world.h"
#include "policy/model.h"

namespace policyc {

struct Tunnel {
    std::string node;
    std::string interface;  // "" where nothing is judged
    std::string place;      // that says so: "policy.toml:12"
    bool judges_all = false;
};

Tunnel tunnel_of(const Node& node, const Sources& sources);

// Why the tunnel must not take the place of `last`, which is what the table that is there was made for: that interface is here and would no longer be judged, and the new one, a
// name that is mistaken perhaps, is not.
std::optional<Error> leaves_open(const Tunnel& tunnel, const std::string& last, const World& world);

// Warns where the interface isn't there now: a name that is mistaken judges nothing. Never an error, since at boot the interface may come
// after the rules. Returns the number of notes.
std::size_t report_tunnel(const Tunnel& tunnel, const World& world, Report& report);

}  // namespace policyc
