// Compiled = policy: whether a Ruleset lets through what the policy allows, and nothing else. docs/proof.md says what that is worth.
#pragma once

#include <array>
#include <optional>

#include "compiler/ir.h"
#include "compiler/proof/meaning.h"
#include "compiler/proof/servers.h"
#include "policy/model.h"
#include "policy/names.h"
#include "policy/result.h"

namespace policyc::proof {

// Both families, every hook, both ways, in every phase of a flow (packet.h). `served`: ports of this host that something serves at beside those of the policy; the program may
// know of them or not.
struct Proof {
    enum class Found : std::uint8_t {
        same,
        differs,         // `error` has a packet that is treated otherwise than the policy says, in words
        not_understood,  // `error` says what
        too_large,       // `error` names what is entangled
    };
    Found found = Found::same;
    Error error;
    // Of `differs`: the point of that packet, by the levels of meaning.h.
    struct Counterexample {
        Family family{};
        std::array<u128, flow_fields> point{};
    };
    std::optional<Counterexample> counterexample;
    std::size_t edges = 0;  // of all diagrams
    std::size_t bytes = 0;
};
Proof prove(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, const ir::Ruleset& ruleset,
            const Servers& served = {});

}  // namespace policyc::proof
