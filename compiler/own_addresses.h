// What tiers open at this host's own addresses as inputs and outputs do: the same packet passes by either.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "compiler/who_reaches.h"

namespace policyc {

// Addresses of this host, and whether what it receives and what it sends is judged before and after.
struct OwnAddresses {
    std::vector<Range> all;     // before or after
    std::vector<Range> judged;  // those of them that its inputs and outputs are about on the side that is asked
    bool receiving = true;
    bool sending = true;
    std::vector<Range> served;  // where it may have others, which no line says: a tier opens these too
};

// The addresses of the node that the view is of, and the networks that it serves.
std::vector<Range> own_addresses(const View& view);
std::vector<Range> served_networks(const View& view);

// Boxes by one of their ends.
class BoxesByEnd {
public:
    BoxesByEnd(Range Box::*end, std::vector<Box> boxes);

    template <typename Visit>
    void each(const Range& meeting, const Visit& visit) const {
        const auto first = find(meeting);
        for (auto at = first; at != hosts_.end() && ((*at).*end_).meets(meeting); ++at) visit(*at);
        networks_.each(meeting, [&](std::size_t at) { visit(networks_.boxes()[at]); });
    }

    [[nodiscard]] bool empty() const { return hosts_.empty() && networks_.boxes().empty(); }

private:
    [[nodiscard]] std::vector<Box>::const_iterator find(const Range& meeting) const;

    Range Box::*end_;
    std::vector<Box> hosts_;
    NetworksByEnd networks_;
};

// What of a box that nothing of its own kind covers is covered by the other kind: of a tier's by the inputs and outputs, of an input or output by the tiers.
class OwnCoverage {
public:
    // Both must outlive this.
    OwnCoverage(const Reach& in, const OwnAddresses& own);

    // Whether any of it could be.
    [[nodiscard]] bool concerns(const Box& box) const;
    // What is left of disjoint boxes, disjoint. What this host sends or receives where that is not judged is no news either.
    [[nodiscard]] std::vector<Box> uncovered(const std::vector<Box>& boxes);

    // What of a tier's areas has to be looked at for each source: nothing, those that hold an own address, or all.
    enum class Look : std::uint8_t { none, at_own, all };
    [[nodiscard]] Look look(const Range& source) const;
    [[nodiscard]] bool own(const Range& range) const;

private:
    struct Tiers {
        BoxesByEnd to_own;                                                 // by source
        BoxesByEnd from_own;                                               // by destination
        std::vector<std::pair<AddressSet, std::vector<Box>>> wide_to_own;  // who, and what; the boxes have no source
    };
    const Tiers& tiers();
    [[nodiscard]] std::vector<Box> others_about(const Box& box);
    [[nodiscard]] bool judged(const Box& box) const;

    const Reach& in_;
    const OwnAddresses& own_;
    BoxesByEnd inputs_;           // by source
    BoxesByEnd outputs_;          // by destination
    std::optional<Tiers> tiers_;  // made when it is first asked
};

}  // namespace policyc
