// Whether a Ruleset is one whose meaning is known: what isn't, is not verified, never fine.
#pragma once

#include "compiler/ir.h"
#include "policy/model.h"
#include "policy/result.h"

namespace policyc::proof {

// Nothing foreign and no statement unknown; each set, map and chain that a rule names is there, once, and of the types that it reads; no chain leads to itself, or deeper than
// the kernel goes; a rate has buckets of its own, one for each source, that keep what they hold long enough. And the base chains are the node's: of the hooks that it judges,
// with the priority, type and policy of docs/internals.md, and no others.
Result<void> understood(const ir::Ruleset& ruleset, const Node& node);

}  // namespace policyc::proof
