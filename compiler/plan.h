// Ruleset x Ruleset to the least set of changes that turns the one into the other: what a kernel backend sends, and what people are told would change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

// Indices into the two Rulesets, which must outlive the plan. What goes is of `before`, what comes of `after`. Something whose kind
// can't be changed in place (a set's key, a chain's hook) both goes and comes.
struct Plan {
    struct RulePlace {
        std::uint32_t chain = 0;
        std::uint32_t rule = 0;
    };
    // A rule that comes stands behind the kept rule with this handle, or at the beginning of its chain (0).
    struct NewRule {
        RulePlace place;
        std::uint64_t behind = 0;
    };
    // Of a set that stays: elements of the old one that go and elements of the new one that come, both in the set's order.
    struct Elements {
        std::uint32_t before = 0;
        std::uint32_t after = 0;
        std::vector<std::uint32_t> gone;
        std::vector<std::uint32_t> fresh;
    };

    const ir::Ruleset* before = nullptr;
    const ir::Ruleset* after = nullptr;

    bool add_table = false;
    bool delete_table = false;  // then nothing else is in the plan
    bool replace_table =
        false;  // it bears what can't be taken from it (is_marked()): all of it goes, and all of `after` comes
    bool wake_table = false;  // it is dormant

    std::vector<RulePlace> delete_rules;  // none of a chain that goes: its rules go with it
    std::vector<std::uint32_t> delete_sets;
    std::vector<std::uint32_t> delete_chains;
    std::vector<std::uint32_t> delete_counters;
    std::vector<std::uint32_t> delete_foreign;

    std::vector<std::uint32_t> add_counters;
    std::vector<std::uint32_t> add_sets;  // with all their elements
    std::vector<std::uint32_t> add_chains;
    std::vector<std::uint32_t> set_policy;  // chains of `after` that stay and get another policy
    std::vector<Elements> change_elements;
    std::vector<NewRule> add_rules;  // by chain, from the last to the first of those behind one kept rule

    [[nodiscard]] bool empty() const;
    // Elements that go or come, with those of whole sets; the kernel's own entries of rate sets apart. Here and below, of a table that is made anew what comes.
    [[nodiscard]] std::size_t elements() const;
    // Rules that go or come, with those of whole chains.
    [[nodiscard]] std::size_t rules() const;
    // Chains that go or come or get another policy. One whose hook differs goes and comes.
    [[nodiscard]] std::size_t chains() const;
};

// Deterministic. `before` is null where there is no table; an empty `after` means that there shall be none.
Plan plan(const ir::Ruleset* before, const ir::Ruleset& after);

}  // namespace policyc
