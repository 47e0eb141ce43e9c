// Sets of points as interval decision diagrams: built from boxes, compared, united, intersected, subtracted, counted and looked into.
//
// A point has a value for each of the levels that a Diagrams is made with, in their order. A diagram knows nothing of what they stand for. Sets are canonical:
// two of one Diagrams are equal exactly when they are the same node, so comparing costs nothing, whatever they were made from.
//
// A Diagrams is for one family of addresses. No flow has a source of one family and a destination of the other, so both in one diagram would be points
// that don't exist, and those of IPv4 would take 20 bytes an edge where 8 do.
//
// How large a diagram grows depends on the order of levels, and in the worst case is exponential in their number: what many points share should come last.
// Limits bound it. An operation that reaches a limit gives an Error and no set; so does one whose operand is an Error, so operations can be nested and
// looked at once. Two Results can't be compared: what could not be computed is never equal to anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "compiler/proof/algebra.h"
#include "compiler/proof/boxes.h"
#include "policy/result.h"

namespace policyc::proof {

// How many points. There may be more than 128 bits can say.
struct Count {
    u128 points = 0;        // the highest number where there are more
    bool exact = true;      // there are no more
    long double about = 0;  // good to a few parts in 10^18, where `exact` isn't
};

// What boxes came to. Where `set` is an Error, `entangled` holds the numbers of up to 8 boxes that make the diagram large, the worst first: those that
// cut most of the others, of which a sample was put together in several orders to see when it grows.
struct Built {
    Result<Set> set;
    std::vector<std::size_t> entangled;
};

class Diagrams {
public:
    explicit Diagrams(std::vector<Level> levels, Limits limits = {});

    [[nodiscard]] const std::vector<Level>& levels() const { return levels_; }

    // The union of boxes, all at once: for many, much quicker than one after the other. `tail`s are sets of this Diagrams.
    Built build(const Boxes& boxes);
    Result<Set> box(std::span<const Interval> box);

    Result<Set> unite(const Result<Set>& a, const Result<Set>& b);
    // Of many: much quicker than one after the other.
    Result<Set> unite(std::span<const Set> sets);
    Result<Set> intersect(const Result<Set>& a, const Result<Set>& b);
    Result<Set> subtract(const Result<Set>& a, const Result<Set>& b);
    // The points of `set` whose value at `level` is in the interval.
    Result<Set> restrict(const Result<Set>& set, std::size_t level, Interval interval);

    [[nodiscard]] bool contains(Set set, std::span<const u128> point) const;
    // The smallest point, by the first level, then the next; none of the empty set.
    [[nodiscard]] std::optional<std::vector<u128>> witness(Set set) const;
    [[nodiscard]] Count count(Set set) const;
    // The set as disjoint boxes, in the order of their smallest points, until there are no more or `visit` says false. Whether it saw all.
    using Visit = std::function<bool(std::span<const Interval> box)>;
    bool for_each_box(Set set, const Visit& visit) const;

    // Edges of this set; edges and bytes of all that was ever made here.
    [[nodiscard]] std::size_t edges(Set set) const;
    [[nodiscard]] std::size_t edges() const { return algebra_.arena().edges(); }
    [[nodiscard]] std::size_t bytes() const { return algebra_.bytes(); }

private:
    template <typename Operation>
    Result<Set> guarded(const Operation& operation);
    Count count(Id id, std::vector<std::optional<Count>>& known) const;
    [[nodiscard]] Count points_of_levels(std::size_t begin, std::size_t end) const;
    bool walk(Id id, std::size_t level, std::vector<Interval>& box, const Visit& visit) const;
    std::vector<std::size_t> most_entangled(const Boxes& boxes, const std::vector<std::size_t>& candidates);

    std::vector<Level> levels_;
    Algebra algebra_;
};

}  // namespace policyc::proof
