// Union, intersection and difference of the nodes of an arena, each pair once, and the budget that they and the building of diagrams draw on. Only
// for compiler/proof itself: diagram.h is what others use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "compiler/proof/arena.h"

namespace policyc::proof {

struct Limits {
    std::size_t edges =
        32'000'000;  // of the whole arena; 8 bytes each, 20 where the level is wider than 32 bits, and as much again for look-up
    std::size_t steps = 1'000'000'000;  // of one operation: edges and boxes looked at. 5 to 10 s.
};

// A limit was reached. Thrown from the depth of a recursion, caught by Diagrams.
struct Full {};

class Algebra {
public:
    Algebra(const std::vector<Level>& levels, Limits limits) : arena_(levels), limits_(limits) {}

    [[nodiscard]] const Arena& arena() const { return arena_; }
    // Before each operation.
    void begin() {
        scratch_.clear();
        steps_ = 0;
    }
    [[nodiscard]] Limits limits() const { return limits_; }
    void limit(Limits limits) { limits_ = limits; }
    [[nodiscard]] std::size_t bytes() const {
        return arena_.bytes() + (memo_.capacity() + large_memo_.capacity()) * sizeof(Memo);
    }

    // These throw Full.
    Id unite(Id a, Id b) { return apply(Operation::unite, a, b); }
    Id intersect(Id a, Id b) { return apply(Operation::intersect, a, b); }
    Id subtract(Id a, Id b) { return apply(Operation::subtract, a, b); }
    // Of many at once, which makes no sets in between. Throws Full.
    Id unite(std::vector<Id> all);
    Id make(std::size_t level, std::span<const Edge> edges);
    // The points whose value at `level` is in the interval and that are in `below`, which looks at later levels only.
    Id between(std::size_t level, u128 max, Interval interval, Id below);
    void work(std::size_t steps) {
        steps_ += steps;
        if (steps_ > limits_.steps) throw Full{};
    }

private:
    enum class Operation : std::uint8_t { none, unite, intersect, subtract };
    // Of the last pair with this hash: one that comes again is not computed again, mostly.
    struct Memo {
        Operation operation = Operation::none;
        Id a = 0;
        Id b = 0;
        Id result = 0;
    };

    Id apply(Operation operation, Id a, Id b);
    Id merge(Operation operation, Id a, Id b);
    // Whether the result is known from that side alone.
    static bool decides(Operation operation, Id id, bool first);
    static std::size_t slot(Operation operation, Id a, Id b, const std::vector<Memo>& memo);
    [[nodiscard]] bool large(Id id) const;
    void grow_memo();

    struct HashOfIds {
        std::size_t operator()(const std::vector<Id>& ids) const;
    };

    Arena arena_;
    Limits limits_;
    std::size_t steps_ = 0;
    std::unordered_map<std::vector<Id>, Id, HashOfIds> united_;  // of three and more
    std::vector<Edge> scratch_;  // of the nodes that are being made, one behind the other
    std::vector<Memo> memo_ = std::vector<Memo>(1024);
    // Of nodes with many edges. What is below a pair of these would have pushed it out of the other by the time it comes again, and then all of that is computed again.
    std::vector<Memo> large_memo_ = std::vector<Memo>(1024);
};

}  // namespace policyc::proof
