// Where a table is not as it was meant, thing by thing, in nft's words: there is no line of a policy behind it.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

struct Drift {
    std::vector<std::string> foreign;  // "chain tiers, rule 1: counter accept", "set tunnel4 holds 8.8.8.8 too"
    std::vector<std::string>
        otherwise;                     // there and meant, not like that: "chain forward: its hook, priority or policy"
    std::vector<std::string> missing;  // "chain denied", "set tunnel4: 10.69.50.11"
    bool unproved = false;             // some of it is nothing that the diagrams see

    [[nodiscard]] bool empty() const { return foreign.empty() && otherwise.empty() && missing.empty(); }
};

// Chains, counters and sets of `seen` that are not those of `meant`. Elements of sets of permissions are left out unless they
// are asked for: what they let through is told as access.
Drift drift(const ir::Ruleset& seen, const ir::Ruleset& meant, bool permissions);

}  // namespace policyc
