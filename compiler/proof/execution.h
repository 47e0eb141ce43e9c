// Runs the chains of a Ruleset on many packets at once.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>

#include "compiler/proof/conditions.h"

namespace policyc::proof {

enum class Verdict : std::uint8_t { pass, drop, masquerade };

// Asks of packets that should all get one verdict which might get another. A rule divides the packets that come to it; to do so with all that are asked about would make
// another large set of each rule. So what they have in common on the way to a rule is kept beside them, as is what surely got its verdict before, and the sets
// that are made are as small as what a rule looks up.
class Execution {
public:
    // `ruleset` is understood (understood.h): all that its rules name is there, and no chain leads to itself.
    Execution(Space& space, const ir::Ruleset& ruleset, Conditions& conditions);

    // Of the packets of `entering` at that place, in a base chain, those that don't surely get the verdict. What passes is masqueraded or not where a chain of type nat is asked;
    // in others nothing is.
    Set not_surely(Verdict expected, const ir::Chain& base, Set entering, const Place& place);

private:
    // The packets at a place in a chain: those of `all` that are `within` as well. Those that are `settled` too surely got the expected verdict before.
    struct Packets {
        Set all = nothing;
        Set within = everything;
        Set settled = nothing;

        auto operator<=>(const Packets&) const = default;
    };
    // What comes out at the end of the chain.
    Packets run(const ir::Chain& chain, Packets packets);
    Packets through(const std::string& name, Packets packets);
    Set unsettled(const Packets& packets);
    // Of the packets, those that `holds` may hold for get the verdict.
    void decide(Verdict verdict, const Holds& holds, Packets& packets);
    Holds conditions_of(std::span<const ir::Statement> statements);

    Space& space_;
    Conditions& conditions_;
    std::map<std::string, const ir::Chain*, std::less<>> chains_;
    std::map<std::pair<const ir::Chain*, Packets>, Packets> known_;  // what run() gave, in this run
    Verdict expected_{};
    Set wrong_ = nothing;
};

}  // namespace policyc::proof
