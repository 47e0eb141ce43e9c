// A Ruleset against the policy: prove_compiled() before anything is printed or sent, and prove_expected() of its tests; find_proof() of what the kernel holds, effect_of() of what somebody else wrote, check_listed() of what a list of
// changes says of both.
#pragma once

#include "compiler/driver/difference.h"
#include "compiler/driver/world.h"
#include "compiler/proof/prove.h"
#include "compiler/server_ports.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

// The same hook, as the diagrams know it.
proof::Hook proof_hook(Direction direction);

// Whether the Ruleset lets through what the policy says, from wherever it is.
proof::Proof find_proof(const Policy& policy, const Addresses& addresses, std::size_t node, const ir::Ruleset& ruleset,
                        const ServerPorts& live, const World& world);

// An error where the Ruleset lets through another packet than the policy, or something in it is not known: then policyc is wrong, not the policy. Or
// where the policy is too entangled to be proved; then it is about a line of it.
// `live`: ports that something serves at beside those of the policy (pipeline.h, add_live_server_ports).
Result<void> prove_compiled(const Policy& policy, const Addresses& addresses, std::size_t node,
                            const ir::Ruleset& ruleset, const ServerPorts& live, const World& world);

// An error where a [[test]] that was judged to hold doesn't, by the diagrams. Then policyc is wrong.
Result<void> prove_expected(const Policy& policy, const Addresses& addresses, const World& world);

// What it opens and closes that the policy of the view takes the place of the table, both where that isn't known.
proof::Effect effect_of(const ir::Ruleset& table, const View& view);

// Asks the diagrams whether the changes and remarks are all that opens and closes where the policy takes the place of `table`, which `last` made where it is known, and adds a remark
// where they are not, or where that can't be told, since what both allow is too entangled. Tables with rules that nobody knows, or without a chain that the policy needs, are not looked at.
void check_listed(const ir::Ruleset& table, const View& now, const View* last, const ServerPorts& live,
                  const World& world, Difference& differs, proof::Limits limits = {});

}  // namespace policyc
