// Runs the chains of a Ruleset on all packets at once.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "compiler/proof/conditions.h"

namespace policyc::proof {

// What becomes of the packets that enter a chain. Where a condition leaves it open, a point is in more than one of them, and in at least one of them always.
struct Outcome {
    Set passes = nothing;
    Set dropped = nothing;
    Set masqueraded = nothing;  // which also passes
    Set returns = nothing;      // goes on behind the jump; of a base chain, its policy decides
};

class Execution {
public:
    // `ruleset` is understood (understood.h): all that its rules name is there, and no chain leads to itself.
    Execution(Space& space, const ir::Ruleset& ruleset, Conditions& conditions);

    // Of the packets of `entering` at that place, in a base chain; its policy has been applied.
    Outcome run(const ir::Chain& base, Set entering, const Place& place);

private:
    Outcome run(const ir::Chain& chain, Set entering);
    const Outcome& outcome(const std::string& chain);
    Holds conditions_of(std::span<const ir::Statement> statements);

    Space& space_;
    Conditions& conditions_;
    std::map<std::string, const ir::Chain*, std::less<>> chains_;
    std::map<const ir::Chain*, Outcome> known_;  // of all packets, at the place of this run
};

}  // namespace policyc::proof
