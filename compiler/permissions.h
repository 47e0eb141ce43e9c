// The permissions of a policy that are in force for one node on one day, as sets of a Ruleset.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compiler/disjoint.h"
#include "compiler/ir.h"
#include "compiler/layout.h"
#include "compiler/membership.h"
#include "compiler/program.h"
#include "policy/distinct.h"
#include "policy/lock.h"
#include "policy/model.h"
#include "policy/result.h"

namespace policyc {

// The addresses that a host stands for, without families that the policy denies. Names without an address have none.
std::vector<Range> ranges_of(const Policy& policy, const Addresses& addresses, const Host& host);

// A rate that some permissions are under: one bucket per source address.
struct Limiter {
    std::string what;  // "tier vpn", for comments
    Rate rate;
    Span span;
};

// Collects permissions into sets: exact ones into hash sets as they come, ranges aside, to be cut into disjoint intervals by finish().
class PermissionSets {
public:
    PermissionSets(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                   const Layout& layout);

    // Adds every permission of the policy to the Ruleset's sets, with its subjects, objects and counters.
    void collect(ir::Ruleset& ruleset);

    // What collect() found. The sources of the tiers that got sets of their own; what these sets say they may reach is in the Ruleset.
    [[nodiscard]] const Members& members() const { return members_; }
    // The chain "limitN" asks the limiters (1 or 2 of them, indices into limiters()) of limit_classes()[N - 1].
    [[nodiscard]] const std::vector<Limiter>& limiters() const { return limiters_; }
    [[nodiscard]] const std::vector<std::vector<std::size_t>>& limit_classes() const { return classes_; }

private:
    using Named = std::pair<std::string, Span>;
    struct NamedHash {
        std::size_t operator()(const Named& named) const;
    };
    static std::vector<ir::Label> labels(std::vector<Named> named);
    // One set in the making.
    struct Building {
        ir::Elements exact;
        std::vector<Cuboid> ranges;
    };
    // A permission without source and target: which sets it goes to.
    struct Way {
        program::Kind kind{};
        std::uint32_t limit = 0;
        bool log = false;
        std::uint32_t tier = 0;  // with sets of its own, as in program::Permissions
    };

    [[nodiscard]] bool stands_alone(const Tier& tier) const;
    void add_tier(const Tier& tier, std::uint32_t number);
    // Its addresses, and their numbers among the subjects.
    std::vector<std::pair<Range, std::uint32_t>> sources_of(const Tier& tier);
    void add_inputs(const Node& node);
    void add_output(const Node& node);
    void add_counters(ir::Ruleset& ruleset);
    void add(const Way& way, const Range* source, const Range* destination, const Ports& ports, ir::Cause cause);
    Building& building(const std::string& name, const std::vector<ir::Type>& types);
    static void put(Building& set, std::span<const ir::Elements::Bound> whole, ir::Cause cause, std::uint32_t counter);
    std::uint32_t limit_of(std::optional<std::size_t> first, std::optional<std::size_t> second);
    std::size_t limiter(const std::string& what, const Rate& rate, Span span);
    std::uint32_t subject(const Source& source);
    std::uint32_t object(const std::string& label, Span span);
    [[nodiscard]] Error too_many(const TooManyCuboids& found) const;
    void finish(ir::Ruleset& ruleset);

    const Policy& policy_;
    const Addresses& addresses_;
    std::size_t node_;
    Days today_;
    Layout layout_;
    Members members_;
    std::vector<Limiter> limiters_;
    std::vector<std::vector<std::size_t>> classes_;
    std::map<std::size_t, std::size_t> service_limiters_;
    std::map<std::size_t, bool> counted_;  // services that some tier in force reaches
    std::map<std::string, Building> sets_;
    // The set that add() came to last: many permissions in a row go there.
    program::Permissions last_{};
    Building* building_ = nullptr;
    Distinct<Named, NamedHash> subjects_;
    Distinct<Named, NamedHash> objects_;
};

}  // namespace policyc
