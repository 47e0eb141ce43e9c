// What one Ruleset lets through and another doesn't.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "compiler/own_addresses.h"
#include "compiler/who_reaches.h"

namespace policyc {

// A box of which something is missing on the other side.
struct Gap {
    const Box* box;           // of the Reach that has it, or of Gaps::multiplied
    std::vector<Box> pieces;  // what is missing of it, disjoint; empty where that is all of it, as it mostly is

    [[nodiscard]] std::span<const Box> missing() const { return pieces.empty() ? std::span(box, 1) : pieces; }
};

// All of these areas of a tier for all of these sources of it.
struct WideGap {
    std::uint32_t tier = 0;
    std::vector<Range> sources;
    std::vector<Area> areas;

    [[nodiscard]] std::size_t size() const { return sources.size() * areas.size(); }
};

struct Gaps {
    std::vector<Gap> boxes;      // sorted, each box once
    std::vector<WideGap> tiers;  // where one line for each source and service would be too many to read
    std::deque<Box> multiplied;  // boxes of tiers
};

// From this many boxes on, those of tiers are told together; ones of up to this many lines are still told one by one.
inline constexpr std::size_t most_boxes = 100'000;
inline constexpr std::size_t few_boxes = 1'000;

// A source of a tier, which may be several neighbours, cut into whom it stands for.
using CutSource = std::function<std::vector<Range>(std::uint32_t tier, const Range& source)>;

// What `from`, which must outlive this, lets through and `in` doesn't. Sources that are in the same tiers on either side are compared once, so that it takes time with what
// differs and with the size of the sets, not with what they stand for.
// Sources are cut by `cut_source` where something of them is missing.
// At an own address of this host, what a tier of `in` lets through is not missing of an input or output, nor the other way round.
Gaps gaps(const Reach& from, const Reach& in, const OwnAddresses& own = {}, const CutSource& cut_source = {});

}  // namespace policyc
