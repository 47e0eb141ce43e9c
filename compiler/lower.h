// Policy to Ruleset, for one node: the program of chains and rules, and the sets that say who may reach what.
#pragma once

#include <stdexcept>
#include <utility>

#include "compiler/ir.h"
#include "compiler/layout.h"
#include "policy/lock.h"
#include "policy/model.h"
#include "policy/result.h"

namespace policyc {

// Thrown by lower() where a policy overlaps in so many ways that its sets would hold more than Layout::ranges. `error` names entries that do.
struct TooEntangled : std::runtime_error {
    explicit TooEntangled(Error trouble) : std::runtime_error(trouble.message), error(std::move(trouble)) {}
    Error error;
};

// The Ruleset of `node` (an index into policy.nodes, whose scope and interface check() has seen to) on that day. Same inputs, same
// Ruleset. Nothing else can go wrong here: a name without an address yields no element. In scope none the Ruleset is empty.
ir::Ruleset lower(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                  const Layout& layout = {});

}  // namespace policyc
