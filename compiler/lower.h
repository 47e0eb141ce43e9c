// Policy to Ruleset, for one node: the program of chains and rules, and the sets that say who may reach what.
#pragma once

#include "compiler/ir.h"
#include "compiler/layout.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

// The Ruleset of `node` (an index into policy.nodes, whose scope and interface check() has seen to) on that day. Same inputs, same
// Ruleset. Nothing can go wrong here: a name without an address yields no element. In scope none the Ruleset is empty.
ir::Ruleset lower(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                  const Layout& layout = {});

}  // namespace policyc
