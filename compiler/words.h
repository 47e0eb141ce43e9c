// What people call the permissions of a policy: who and what, and the line that says so.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "compiler/who_reaches.h"

namespace policyc {

// A permission's person and service as the policy words them, and where it says so.
struct Words {
    std::string who;
    std::string service;
    Span span;
    bool operator<(const Words& other) const { return std::tie(who, service) < std::tie(other.who, other.service); }
};

// One policy with its addresses, compiled: the words of all that it lets through.
class Compiled {
public:
    Compiled(const View& view, ir::Ruleset ruleset);

    // The words of this very box.
    [[nodiscard]] std::optional<Words> find(const Box& box) const;
    // The same person and service, at whatever address.
    [[nodiscard]] std::optional<Words> find(const Words& words) const;
    [[nodiscard]] const View& view() const { return view_; }

    // The host name behind a service's label, or "".
    [[nodiscard]] std::string host_name(const std::string& service) const;
    // "tiers.vpn", "nodes.extgw01.input.ssh": what holds the line.
    [[nodiscard]] std::string holder(const Span& span) const;

private:
    // A tier with sets of its own.
    struct Own {
        std::map<Range, std::string> hosts;  // who is in it, by single address
        std::vector<std::pair<Range, std::string>> networks;
        std::set<std::string> people;
        std::map<std::pair<Range, Ports>, std::uint32_t> areas;  // to objects
        std::map<std::string, std::uint32_t> services;           // the first object of that name
    };

    void add_tier(const TierReach& tier);
    [[nodiscard]] Words words_of(const LabelledBox& labelled) const;
    [[nodiscard]] Words words_of(std::string who, std::uint32_t object) const;

    View view_;
    ir::Ruleset ruleset_;
    std::map<Box, Words> boxes_;
    std::set<Words> pairs_;
    std::map<std::uint32_t, Own> tiers_;
    std::map<std::string, std::string> host_names_;
    std::map<Span, std::string> holders_;
};

// Names for a box that no policy explains: the nodes and services that bear its addresses, else the addresses themselves.
Words guess(const Box& box, const View& view);

}  // namespace policyc
