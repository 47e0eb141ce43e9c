// All that a Ruleset lets through, to be asked what of a box it does not.
#pragma once

#include <vector>

#include "compiler/who_reaches.h"

namespace policyc {

class Coverage {
public:
    // `reach` must outlive this.
    explicit Coverage(const Reach& reach);

    // Whether something may cover some of the box. False: nothing does.
    [[nodiscard]] bool meets(const Box& box) const;
    // The parts of the box that nothing covers: sorted and disjoint.
    [[nodiscard]] std::vector<Box> uncovered(const Box& box) const;

    // The tiers that every address of the range is in, and whether anything else is about some of them.
    struct Holders {
        std::vector<const TierReach*> tiers;
        bool partly = false;
    };
    [[nodiscard]] Holders holders(const Range& source) const;

private:
    struct Tier {
        const TierReach* reach;
        AddressSet sources;
        std::vector<const Area*> hosts;  // by destination
        NetworksByEnd networks;          // likewise
    };
    static std::vector<Area> meeting(const Tier& tier, const Range& destination);

    BoxIndex boxes_;
    AddressSet sources_;  // of boxes
    std::vector<Tier> tiers_;
};

}  // namespace policyc
