// Builds the union of boxes. Entry point Builder::build.
#include "compiler/proof/builder.h"

#include <algorithm>
#include <numeric>

namespace policyc::proof {
namespace {

void add(std::vector<Edge>& edges, u128 low, Id to) {
    if (edges.empty() || edges.back().to != to) edges.push_back({low, to});
}

}  // namespace

Builder::Builder(const std::vector<Level>& levels, Algebra& algebra, const Boxes& boxes)
    : levels_(levels), algebra_(algebra), boxes_(boxes), cuts_(boxes.size()) {}

Id Builder::build() {
    List all(boxes_.size());
    std::iota(all.begin(), all.end(), 0U);
    return build(0, std::move(all));
}

std::vector<std::size_t> Builder::most_cut(std::size_t count) const {
    std::vector<std::size_t> boxes(cuts_.size());
    std::iota(boxes.begin(), boxes.end(), std::size_t{0});
    const auto end = boxes.begin() + static_cast<std::ptrdiff_t>(std::min(count, boxes.size()));
    std::partial_sort(boxes.begin(), end, boxes.end(), [this](std::size_t a, std::size_t b) {
        return cuts_[a] != cuts_[b] ? cuts_[a] > cuts_[b] : a < b;
    });
    boxes.erase(end, boxes.end());
    return boxes;
}

Id Builder::build(std::size_t level, List boxes) {
    while (level < levels_.size() && boxes_.whole(level)) ++level;
    if (boxes.size() == 1) return build_one(level, boxes.front());
    algebra_.work(boxes.size());
    const Id tails = take_tails(level, boxes);
    if (boxes.empty() || tails == everything.id) return tails;
    std::vector<Placed> placed;
    placed.reserve(boxes.size());
    for (const std::uint32_t box : boxes) placed.push_back({boxes_.at(box, level), box});
    boxes = {};
    const auto in_order = [](const Placed& a, const Placed& b) {
        return a.interval.lo != b.interval.lo ? a.interval.lo < b.interval.lo : a.interval.hi < b.interval.hi;
    };
    if (!std::ranges::is_sorted(placed, in_order)) std::ranges::sort(placed, in_order);
    bool apart = true;
    for (std::size_t i = 1; apart && i < placed.size(); ++i) {
        const Interval& before = placed[i - 1].interval;
        const Interval& here = placed[i].interval;
        apart = before == here || before.hi < here.lo;
    }
    return algebra_.unite(tails, apart ? build_apart(level, placed) : build_overlapping(level, placed));
}

Id Builder::build_one(std::size_t level, std::uint32_t box) {
    Id id = boxes_.tail(box).id;
    algebra_.work(1);
    for (std::size_t at = levels_.size(); at-- > level;)
        id = algebra_.between(at, levels_[at].max, boxes_.at(box, at), id);
    return id;
}

// Those that from here on are as large as their tails: their union, without them.
Id Builder::take_tails(std::size_t level, List& boxes) {
    std::vector<Id> tails;
    std::erase_if(boxes, [&](std::uint32_t box) {
        const Id tail = boxes_.tail(box).id;
        const bool take = algebra_.arena().level(tail) <= level;
        if (take) tails.push_back(tail);
        return take;
    });
    return algebra_.unite(std::move(tails));
}

// Boxes of which any two have the same interval here, or intervals that don't meet.
Id Builder::build_apart(std::size_t level, const std::vector<Placed>& sorted) {
    std::vector<Edge> edges;
    u128 next = 0;  // where the last interval ended
    bool full = false;
    for (std::size_t i = 0; i < sorted.size();) {
        const Interval& interval = sorted[i].interval;
        const std::size_t first = i;
        while (i < sorted.size() && sorted[i].interval == interval) ++i;
        if (next < interval.lo) add(edges, next, nothing.id);
        if (i - first == 1) {
            add(edges, interval.lo, build_one(level + 1, sorted[first].box));
        } else {
            List same;
            same.reserve(i - first);
            for (std::size_t one = first; one < i; ++one) same.push_back(sorted[one].box);
            add(edges, interval.lo, build(level + 1, std::move(same)));
        }
        next = interval.hi + 1;
        full = interval.hi == levels_[level].max;
    }
    if (!full) add(edges, next, nothing.id);
    return algebra_.make(level, edges);
}

Id Builder::build_overlapping(std::size_t level, const std::vector<Placed>& sorted) {
    Halves halves{level, {}, {}};
    std::vector<u128>& bounds = halves.bounds;
    bounds.push_back(0);
    for (const auto& [interval, box] : sorted) {
        bounds.push_back(interval.lo);
        if (interval.hi < levels_[level].max) bounds.push_back(interval.hi + 1);
    }
    std::ranges::sort(bounds);
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    const auto index = [&](u128 bound) {
        return static_cast<std::uint32_t>(std::ranges::lower_bound(bounds, bound) - bounds.begin());
    };
    const auto end = static_cast<std::uint32_t>(bounds.size());
    std::vector<Item> items;
    items.reserve(sorted.size());
    for (const auto& [interval, box] : sorted) {
        items.push_back({box, index(interval.lo), interval.hi < levels_[level].max ? index(interval.hi + 1) : end});
    }
    halve(halves, 0, end, std::move(items), nothing.id);
    return algebra_.make(level, halves.edges);
}

// The edges from one bound to another, where `items` meet what is between, and `around` is what fills it anyway.
void Builder::halve(Halves& halves, std::uint32_t begin, std::uint32_t end, std::vector<Item> items, Id around) {
    algebra_.work(1 + items.size());
    const std::uint32_t middle = begin + (end - begin) / 2;
    List filling;
    std::vector<Item> left;
    std::vector<Item> right;
    for (const Item& item : items) {
        ++cuts_[item.box];
        if (item.begin <= begin && end <= item.end) {
            filling.push_back(item.box);
            continue;
        }
        if (item.begin < middle) left.push_back(item);
        if (item.end > middle) right.push_back(item);
    }
    items = {};
    if (!filling.empty()) around = algebra_.unite(around, build(halves.level + 1, std::move(filling)));
    if ((left.empty() && right.empty()) || around == everything.id) {
        add(halves.edges, halves.bounds[begin], around);
        return;
    }
    halve(halves, begin, middle, std::move(left), around);
    halve(halves, middle, end, std::move(right), around);
}

}  // namespace policyc::proof
