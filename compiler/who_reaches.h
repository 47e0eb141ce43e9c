// Who reaches what, read out of the sets of a Ruleset without multiplying out what the Ruleset doesn't.
#pragma once

#include <vector>

#include "compiler/access.h"
#include "compiler/box.h"

namespace policyc {

// What one source reaches: destinations and ports.
struct Area {
    Range destination;
    Ports ports;
    std::uint32_t object = ir::Cause::none;  // into Ruleset::objects

    [[nodiscard]] Box from(const Range& source) const { return {Direction::forward, source, destination, ports}; }
};

struct Reacher {
    Range range;
    std::uint32_t subject = ir::Cause::none;  // into Ruleset::subjects
};

// The sets of one tier and those whom the chain `tiers` sends there: each of them reaches each area of its family.
struct TierReach {
    std::uint32_t tier = 0;
    bool limited = false;
    std::vector<Reacher> reachers;  // sorted by range
    std::vector<Area> areas;        // sorted by destination and ports, each once
};

struct Reach {
    std::vector<LabelledBox> boxes;  // of the sets whose elements say all of it; sorted, each once
    std::vector<TierReach> tiers;    // those that somebody reaches
};

// An element of a part of a set that was split counts where the map of the parts leads to it. Sets that have the name of permissions and other
// keys are left out, and so is what no rule of the form that lower() writes leads to: rules and declarations are compared elsewhere.
Reach reach_of(const ir::Ruleset& ruleset);

}  // namespace policyc
