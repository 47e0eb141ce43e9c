// Sets of the points of meaning.h, for what computes with many of them: no Result to look at, and no pair computed twice.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "compiler/proof/meaning.h"

namespace policyc::proof {

class Space {
public:
    explicit Space(Family family, Limits limits = {}) : family_(family), diagrams_(flow_levels(family), limits) {}

    // A limit of the diagrams was reached. Thrown by everything below.
    struct TooLarge {
        Error error;
    };

    Set unite(Set a, Set b) { return known(Operation::unite, a, b); }
    Set intersect(Set a, Set b) { return known(Operation::intersect, a, b); }
    Set subtract(Set a, Set b) { return known(Operation::subtract, a, b); }
    Set unite(std::span<const Set> sets);
    Set build(const Boxes& boxes);
    Set box(const FlowBox& box);
    // The points whose value of that field is in the interval.
    Set where(Field field, Interval interval);

    [[nodiscard]] FlowBox whole() const { return any_flow(family_); }
    [[nodiscard]] Family family() const { return family_; }
    [[nodiscard]] Diagrams& diagrams() { return diagrams_; }
    [[nodiscard]] const Diagrams& diagrams() const { return diagrams_; }

private:
    enum class Operation : std::uint8_t { unite, intersect, subtract };
    struct Key {
        Operation operation{};
        Set a;
        Set b;

        bool operator==(const Key&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    Set known(Operation operation, Set a, Set b);
    static Set valid(const Result<Set>& set);

    Family family_;
    Diagrams diagrams_;
    std::unordered_map<Key, Set, Hash> known_;
};

}  // namespace policyc::proof
