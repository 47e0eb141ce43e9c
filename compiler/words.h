// What people call the permissions of a policy: who and what, and the line that says so.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "compiler/arena.h"
#include "compiler/box_tree.h"
#include "compiler/coverage.h"
#include "compiler/flat.h"
#include "compiler/who_reaches.h"

namespace policyc {

// A permission's person and service as the policy words them, and where it says so. The texts are those of the policy,
// of its Ruleset or of an arena.
struct Words {
    std::string_view who;
    std::string_view service;
    Span span;
    bool operator<(const Words& other) const { return std::tie(who, service) < std::tie(other.who, other.service); }
};

// One policy with its addresses, compiled: the words of all that it lets through.
class Compiled {
public:
    // What lower() makes of the view, and the reach of that. Both outlive this, and so does what the view points to.
    Compiled(const View& view, const ir::Ruleset& ruleset, const Reach& reach);

    // The words of this very box, or of one that holds it, as somebody may have put a part of it into the kernel. Quickest where they are asked for in order.
    [[nodiscard]] std::optional<Words> find(const Box& box) const;
    // A source of a tier, cut where it is several neighbours that lowering joined: what each entry of the policy holds of it, by networks first, and what none does.
    [[nodiscard]] std::vector<Range> cut(std::uint32_t tier, const Range& source) const;
    // The same person and service, at whatever address.
    [[nodiscard]] std::optional<Words> find(const Words& words) const;
    // Whether it lets all of the box through, whatever lets it.
    [[nodiscard]] bool allows(const Box& box) const;
    // Takes what it lets through out of the boxes, and gives it.
    std::vector<Box> take(std::vector<Box>& boxes) const;
    [[nodiscard]] const View& view() const { return view_; }

    // The host name behind a service's label, or "".
    [[nodiscard]] std::string_view host_name(std::string_view service) const;
    // "tiers.vpn", "nodes.extgw01.input.ssh": what holds the line.
    [[nodiscard]] std::string_view holder(const Span& span) const;

private:
    // A tier with sets of its own.
    struct Own {
        Flat<Range, std::string_view> hosts;      // who is in it, by single address
        std::vector<std::string_view> networks;   // who else, in the order of the policy
        std::optional<NetworksByEnd> by_network;  // their places there
        Flat<std::string_view, bool> people;
        Flat<std::pair<Range, Ports>, std::uint32_t> areas;  // to objects
        Flat<std::string_view, std::uint32_t> services;      // the first object of that name

        // Whoever all of it is of; null where it is several, or nobody.
        [[nodiscard]] const std::string_view* find(const Range& source) const;
    };

    void add_tier(const TierReach& tier);
    void add_people(const Tier& tier, Own& own) const;
    [[nodiscard]] const LabelledBox* holder_of(const Box& box) const;
    [[nodiscard]] Words words_of(const LabelledBox& labelled) const;
    [[nodiscard]] Words words_of(std::string_view who, std::uint32_t object) const;

    View view_;
    const ir::Ruleset& ruleset_;
    const Reach& reach_;
    mutable std::optional<Coverage> coverage_;  // made when it is first asked
    mutable BoxFinder boxes_;                   // remembers where it was
    mutable std::optional<BoxIndex> index_;     // made when it is first asked
    Flat<std::pair<std::string_view, std::string_view>, Span> pairs_;
    std::map<std::uint32_t, Own> tiers_;
    Flat<std::string_view, std::string_view> host_names_;
    Flat<Span, std::string_view> holders_;
    std::string_view output_;  // holds what holders_ doesn't
    Arena texts_;
};

// Names for boxes that no policy explains: the nodes and services that bear their addresses, else the addresses themselves, which are put into the arena.
class Guesses {
public:
    // What the view points to must outlive this.
    explicit Guesses(const View& view);

    [[nodiscard]] Words of(const Box& box, Arena& texts) const;

private:
    std::string_view here_;
    Flat<Range, std::string_view> nodes_;
    Flat<std::pair<Range, Ports>, std::string_view> services_;
};

}  // namespace policyc
