// The difference of what two Rulesets let through; entry point gaps().
#include "compiler/gaps.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "compiler/coverage.h"

namespace policyc {

namespace {

using Areas = std::vector<Area>;

// Areas as boxes of one and the same source, so that they can be subtracted.
std::vector<LabelledBox> as_boxes(const std::vector<const TierReach*>& tiers) {
    std::vector<LabelledBox> boxes;
    for (const TierReach* tier : tiers)
        for (const Area& area : tier->areas) boxes.push_back({area.from({area.destination.family, 0, 0}), {}});
    std::ranges::sort(boxes, {}, &LabelledBox::box);
    const auto repeated = std::ranges::unique(boxes, {}, &LabelledBox::box);
    boxes.erase(repeated.begin(), repeated.end());
    return boxes;
}

// What others leave of the areas of a tier.
struct Rest {
    Areas whole;
    Areas parts;   // of which something is covered
    Areas at_own;  // those of the whole ones that hold an own address of this host
};

Rest rest_of(const Areas& areas, const std::vector<const TierReach*>& others) {
    const std::vector<LabelledBox> boxes = as_boxes(others);
    const BoxIndex by(boxes);
    Rest rest;
    for (const Area& area : areas) {
        const Box box = area.from({area.destination.family, 0, 0});
        const std::vector<Box> left = by.uncovered(box);
        if (!left.empty()) (left == std::vector{box} ? rest.whole : rest.parts).push_back(area);
    }
    return rest;
}

class Comparison {
public:
    Comparison(const Reach& from, const Reach& in, const OwnAddresses& own, const CutSource& cut_source)
        : from_(from), in_(in), own_(in, own), cut_source_(cut_source) {}

    Gaps run() {
        for (const LabelledBox& labelled : from_.boxes)
            if (auto gap = gap_of(labelled.box)) result_.boxes.push_back(std::move(*gap));
        for (const TierReach& tier : from_.tiers)
            for (const Reacher& reacher : tier.reachers) look_at(tier, reacher.range);

        std::size_t boxes = result_.boxes.size();
        for (const auto& [areas, gap] : wide_) boxes += gap.size();
        for (auto& [areas, gap] : wide_) {
            if (boxes > most_boxes && gap.size() > few_boxes) {
                result_.tiers.push_back(std::move(gap));
                continue;
            }
            for (const Range& source : gap.sources)
                for (const Area& area : gap.areas)
                    if (area.destination.family == source.family) add({nullptr, {}}, area.from(source));
        }
        const auto box_of = [](const Gap& gap) -> const Box& { return *gap.box; };
        if (!std::ranges::is_sorted(result_.boxes, {}, box_of)) std::ranges::sort(result_.boxes, {}, box_of);
        const auto repeated = std::ranges::unique(result_.boxes, {}, box_of);
        result_.boxes.erase(repeated.begin(), repeated.end());
        return std::move(result_);
    }

private:
    [[nodiscard]] std::optional<Gap> gap_of(const Box& box) {
        if (!in_.meets(box)) return own_.concerns(box) ? less_own(box, {box}) : Gap{&box, {}};
        std::vector<Box> pieces = in_.uncovered(box);
        if (pieces.empty()) return std::nullopt;
        return own_.concerns(box) ? less_own(box, pieces) : Gap{&box, std::move(pieces)};
    }

    [[nodiscard]] std::optional<Gap> less_own(const Box& box, const std::vector<Box>& missing) {
        std::vector<Box> pieces = own_.uncovered(missing);
        if (pieces.empty()) return std::nullopt;
        if (pieces == std::vector{box}) pieces.clear();
        return Gap{&box, std::move(pieces)};
    }

    // Of a box that no Reach has.
    void add(Gap gap, const Box& box) {
        gap.box = &result_.multiplied.emplace_back(box);
        result_.boxes.push_back(std::move(gap));
    }

    // What a source reaches by a tier: first what the tiers that it is in on the other side leave of it, which is the same for many sources.
    void look_at(const TierReach& tier, const Range& source) {
        const auto& [others, partly] = in_.holders(source);
        const Rest& rest = rest_of_tier(tier, others);
        if (rest.whole.empty() && rest.parts.empty()) return;
        if (cut_source_ == nullptr) return add_rest(tier, source, rest, partly);
        for (const Range& one : cut_source_(tier.tier, source)) add_rest(tier, one, rest, partly);
    }

    void add_rest(const TierReach& tier, const Range& source, const Rest& rest, bool partly) {
        const auto one_by_one = [&](const Areas& areas, bool covered) {
            for (const Area& area : areas)
                if (area.destination.family == source.family) {
                    const Box box = area.from(source);
                    if (auto gap = covered ? gap_of(box) : less_own(box, {box})) add(std::move(*gap), box);
                }
        };
        one_by_one(rest.parts, true);
        if (rest.whole.empty()) return;
        const OwnCoverage::Look look = own_.look(source);
        if (partly || look == OwnCoverage::Look::all) {
            one_by_one(rest.whole, partly);
            return;
        }
        const bool split = look == OwnCoverage::Look::at_own && !rest.at_own.empty();
        if (split) one_by_one(rest.at_own, false);
        auto [at, fresh] = wide_.try_emplace({&rest, source.family, split}, WideGap{tier.tier, {}, {}});
        if (fresh)
            std::ranges::copy_if(rest.whole, std::back_inserter(at->second.areas), [&](const Area& area) {
                return area.destination.family == source.family && !(split && own_.own(area.destination));
            });
        at->second.sources.push_back(source);
    }

    const Rest& rest_of_tier(const TierReach& tier, const std::vector<const TierReach*>& others) {
        const auto [at, fresh] = rest_.try_emplace({&tier, others});
        if (!fresh) return at->second;
        // One of the others often covers most: only what that leaves is held against all of them.
        const Areas* least = &tier.areas;
        for (const TierReach* other : others) {
            const auto [pair, first] = rest_by_one_.try_emplace({&tier, other});
            if (first) {
                Rest rest = rest_of(tier.areas, {other});
                pair->second = std::move(rest.whole);
                pair->second.insert(pair->second.end(), rest.parts.begin(), rest.parts.end());
            }
            if (pair->second.size() < least->size()) least = &pair->second;
            if (least->empty()) break;
        }
        Rest& rest = at->second;
        if (!least->empty()) rest = rest_of(*least, others);
        std::ranges::copy_if(rest.whole, std::back_inserter(rest.at_own),
                             [&](const Area& area) { return own_.own(area.destination); });
        return rest;
    }

    const Reach& from_;
    Coverage in_;
    OwnCoverage own_;
    const CutSource& cut_source_;
    Gaps result_;
    std::map<std::tuple<const Rest*, Family, bool>, WideGap> wide_;
    std::map<std::pair<const TierReach*, const TierReach*>, Areas> rest_by_one_;
    std::map<std::pair<const TierReach*, std::vector<const TierReach*>>, Rest> rest_;
};

}  // namespace

Gaps gaps(const Reach& from, const Reach& in, const OwnAddresses& own, const CutSource& cut_source) {
    return Comparison(from, in, own, cut_source).run();
}

}  // namespace policyc
