// Other tables at the hooks where policyc judges, and programs beside them: report_neighbours(), report_programs().
#pragma once

#include <cstddef>

#include "compiler/driver/report.h"
#include "compiler/driver/tunnel.h"
#include "compiler/driver/world.h"
#include "compiler/kernel.h"

namespace policyc {

// Where this node judges packets, notes every base chain of another table that may refuse what it allows, since a packet passes only when all
// base chains accept it, and those that make policyc refuse it; and warns of those that may let packets past it. Never an error: what can't be read is noted too. Returns the number of notes.
std::size_t report_neighbours(bool judges, Kernel& kernel, Report& report);

// Warns of what is no chain and may let packets past the policy, as verify does: programs at the tunnel, tables of iptables-legacy, source
// routes that this host takes. Returns the number of notes.
std::size_t report_programs(const Tunnel& tunnel, const World& world, Report& report);

}  // namespace policyc
