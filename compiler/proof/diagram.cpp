// Sets of points and what can be asked about them; entry points in diagram.h.
#include "compiler/proof/diagram.h"

#include <cmath>
#include <stdexcept>

#include "compiler/proof/builder.h"

namespace policyc::proof {
namespace {

constexpr u128 most = ~u128{0};

Count exactly(u128 points) {
    return {points, true, static_cast<long double>(points)};
}

Count operator+(const Count& a, const Count& b) {
    const bool exact = a.exact && b.exact && a.points <= most - b.points;
    return {exact ? a.points + b.points : most, exact, a.about + b.about};
}

Count operator*(const Count& a, const Count& b) {
    if ((a.exact && a.points == 0) || (b.exact && b.points == 0)) return {};
    const bool exact = a.exact && b.exact && a.points <= most / b.points;
    return {exact ? a.points * b.points : most, exact, a.about * b.about};
}

}  // namespace

Diagrams::Diagrams(std::vector<Level> levels, Limits limits) : levels_(std::move(levels)), algebra_(levels_, limits) {}

// Runs what may throw Full, and turns that into an Error.
template <typename Operation>
Result<Set> Diagrams::guarded(const Operation& operation) {
    algebra_.begin();
    try {
        return Set{operation()};
    } catch (const Full&) {
        const Limits limits = algebra_.limits();
        if (algebra_.arena().edges() > limits.edges)
            return Error{"its diagram has more than " + std::to_string(limits.edges) + " edges", {}, {}};
        return Error{"its diagram takes more than " + std::to_string(limits.steps) + " steps", {}, {}};
    }
}

Built Diagrams::build(const Boxes& boxes) {
    for (std::size_t box = 0; box < boxes.size(); ++box) {
        const Set tail = boxes.tail(box);
        // A node that leads back to its own level would make equal sets differ, and a proof of nothing.
        if (tail != everything && boxes.depth(box) > algebra_.arena().level(tail.id))
            throw std::invalid_argument("a tail that looks at a level which its box narrows");
    }
    Builder builder(levels_, algebra_, boxes);
    Built built{guarded([&] { return builder.build(); }), {}};
    if (!built.set) built.entangled = most_entangled(boxes, builder.most_cut(64));
    return built;
}

Result<Set> Diagrams::box(std::span<const Interval> box) {
    return guarded([&] {
        Id id = everything.id;
        for (std::size_t level = levels_.size(); level-- > 0;)
            id = algebra_.between(level, levels_[level].max, box[level], id);
        return id;
    });
}

Result<Set> Diagrams::unite(const Result<Set>& a, const Result<Set>& b) {
    if (!a || !b) return a ? b : a;
    return guarded([&] { return algebra_.unite(a.value().id, b.value().id); });
}

Result<Set> Diagrams::unite(std::span<const Set> sets) {
    return guarded([&] {
        std::vector<Id> ids;
        for (const Set set : sets) ids.push_back(set.id);
        return algebra_.unite(std::move(ids));
    });
}

Result<Set> Diagrams::intersect(const Result<Set>& a, const Result<Set>& b) {
    if (!a || !b) return a ? b : a;
    return guarded([&] { return algebra_.intersect(a.value().id, b.value().id); });
}

Result<Set> Diagrams::subtract(const Result<Set>& a, const Result<Set>& b) {
    if (!a || !b) return a ? b : a;
    return guarded([&] { return algebra_.subtract(a.value().id, b.value().id); });
}

Result<Set> Diagrams::restrict(const Result<Set>& set, std::size_t level, Interval interval) {
    if (!set) return set;
    return guarded([&] {
        return algebra_.intersect(set.value().id, algebra_.between(level, levels_[level].max, interval, everything.id));
    });
}

bool Diagrams::contains(Set set, std::span<const u128> point) const {
    const Arena& arena = algebra_.arena();
    Id id = set.id;
    while (id > everything.id) id = arena.to(id, arena.find(id, point[arena.level(id)]));
    return id == everything.id;
}

std::optional<std::vector<u128>> Diagrams::witness(Set set) const {
    if (set == nothing) return std::nullopt;
    const Arena& arena = algebra_.arena();
    std::vector<u128> point(levels_.size());
    for (Id id = set.id; id > everything.id;) {
        // Neighbours differ, so the second edge leads somewhere when the first doesn't.
        const std::uint32_t edge = arena.to(id, 0) == nothing.id ? 1 : 0;
        point[arena.level(id)] = arena.low(id, edge);
        id = arena.to(id, edge);
    }
    return point;
}

Count Diagrams::count(Set set) const {
    std::vector<std::optional<Count>> known(algebra_.arena().nodes());
    known[nothing.id] = Count{};
    known[everything.id] = exactly(1);
    return count(set.id, known) * points_of_levels(0, algebra_.arena().level(set.id));
}

// Of the levels from its own on.
Count Diagrams::count(Id id, std::vector<std::optional<Count>>& known) const {
    if (known[id]) return *known[id];
    const Arena& arena = algebra_.arena();
    const std::size_t level = arena.level(id);
    Count sum;
    for (std::uint32_t edge = 0; edge < arena.degree(id); ++edge) {
        const Id to = arena.to(id, edge);
        const u128 end = edge + 1 < arena.degree(id) ? arena.low(id, edge + 1) - 1 : levels_[level].max;
        sum = sum +
              exactly(end - arena.low(id, edge) + 1) * points_of_levels(level + 1, arena.level(to)) * count(to, known);
    }
    known[id] = sum;
    return sum;
}

Count Diagrams::points_of_levels(std::size_t begin, std::size_t end) const {
    Count points = exactly(1);
    for (std::size_t level = begin; level < end; ++level) {
        const u128 max = levels_[level].max;
        points = points * (max == most ? Count{most, false, std::exp2(128.0L)} : exactly(max + 1));
    }
    return points;
}

bool Diagrams::for_each_box(Set set, const Visit& visit) const {
    std::vector<Interval> box(levels_.size());
    return walk(set.id, 0, box, visit);
}

bool Diagrams::walk(Id id, std::size_t level, std::vector<Interval>& box, const Visit& visit) const {
    if (id == nothing.id) return true;
    if (level == levels_.size()) return visit(box);
    const Arena& arena = algebra_.arena();
    if (arena.level(id) != level) {
        box[level] = {0, levels_[level].max};
        return walk(id, level + 1, box, visit);
    }
    for (std::uint32_t edge = 0; edge < arena.degree(id); ++edge) {
        box[level] = {arena.low(id, edge),
                      edge + 1 < arena.degree(id) ? arena.low(id, edge + 1) - 1 : levels_[level].max};
        if (!walk(arena.to(id, edge), level + 1, box, visit)) return false;
    }
    return true;
}

std::size_t Diagrams::edges(Set set) const {
    const Arena& arena = algebra_.arena();
    std::vector<bool> seen(arena.nodes());
    std::vector<Id> left{set.id};
    std::size_t edges = 0;
    seen[set.id] = true;
    while (!left.empty()) {
        const Id id = left.back();
        left.pop_back();
        edges += arena.degree(id);
        for (std::uint32_t edge = 0; edge < arena.degree(id); ++edge) {
            const Id to = arena.to(id, edge);
            if (!seen[to]) left.push_back(to);
            seen[to] = true;
        }
    }
    return edges;
}

}  // namespace policyc::proof
