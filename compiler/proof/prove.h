// Compiled = policy: whether a Ruleset lets through what the policy allows, and nothing else. And whether a list says all that changes
// where a policy takes the place of a table. docs/proof.md says what that is worth.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>

#include "compiler/ir.h"
#include "compiler/proof/meaning.h"
#include "compiler/proof/packet.h"
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
        too_large,       // of the diagrams; `error` names what is entangled
    };
    Found found = Found::same;
    Error error;
    // Of `differs`: the point of that packet, by the levels of meaning.h, and what it is.
    struct Counterexample {
        Family family{};
        std::array<u128, flow_fields> point{};
        Phase phase;
    };
    std::optional<Counterexample> counterexample;
    std::size_t edges = 0;  // of all diagrams
    std::size_t bytes = 0;
};
Proof prove(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, const ir::Ruleset& ruleset,
            const Servers& served = {}, Limits limits = {});

// Where the policy takes the place of the table: whether any packet, in whatever state, may pass that does not surely pass now, and whether any may be refused that
// is not surely refused now. Both where that isn't known.
struct Effect {
    bool opens = true;
    bool closes = true;
};
Effect effect(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, const ir::Ruleset& table,
              const Servers& served);

// Flows that somebody lists as coming or going. Where there are `sources`, that of the box doesn't count.
struct Listed {
    Family family{};
    FlowBox box;
    std::span<const Range> sources;
};

// Where the policy takes the place of the table: the first packet of a flow that did not pass, or not surely, and will, and one the other way round, neither of a flow that is
// listed. In words, "" where there is none. Rates are taken to have room; nothing is said of what answers, and what is implied for WireGuard inside the tunnel.
struct Unlisted {
    Proof::Found found = Proof::Found::same;  // else nothing is known, and `error` says why
    Error error;
    std::string opens;
    std::string closes;
};
Unlisted unlisted(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                  const ir::Ruleset& table, const Servers& served, std::span<const Listed> gains,
                  std::span<const Listed> losses, Limits limits = {});

}  // namespace policyc::proof
