// Asks compiler/proof, and says what it found: prove_compiled().
#include "compiler/driver/prove.h"

#include "compiler/driver/pipeline.h"
#include "compiler/proof/prove.h"
#include "compiler/timing.h"

namespace policyc {

namespace {

std::vector<proof::Interval> intervals(const std::vector<PortRange>& ports) {
    std::vector<proof::Interval> all;
    for (const auto& [first, last] : ports) all.push_back({first, last});
    return all;
}

}  // namespace

proof::Proof find_proof(const Policy& policy, const Addresses& addresses, std::size_t node, const ir::Ruleset& ruleset,
                        const ServerPorts& live, const World& world) {
    return proof::prove(policy, addresses, node, today(world), ruleset, {intervals(live.tcp), intervals(live.udp)});
}

Result<void> prove_compiled(const Policy& policy, const Addresses& addresses, std::size_t node,
                            const ir::Ruleset& ruleset, const ServerPorts& live, const World& world) {
    using Found = proof::Proof::Found;
    const proof::Proof proof =
        timed("prove", [&] { return find_proof(policy, addresses, node, ruleset, live, world); });
    const std::string help = "nothing was sent; please report this, with the policy";
    switch (proof.found) {
        case Found::same: return {};
        case Found::differs: return Error{"internal error: " + proof.error.message, help, proof.error.span};
        case Found::not_understood:
            return Error{"internal error: what would be sent can't be proved: " + proof.error.message, help, {}};
        case Found::too_large: return proof.error;
    }
    return {};
}

}  // namespace policyc
