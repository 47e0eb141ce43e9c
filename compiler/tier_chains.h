// The chains of the tiers that have sets of their own, and how a packet finds those that its source is in. docs/internals.md, "Two forms".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/layout.h"
#include "compiler/lookups.h"
#include "compiler/membership.h"

namespace policyc {

class TierChains {
public:
    // The sets of the tiers themselves must be in the Ruleset; those that say who is in which tier are added to it.
    // `output`: whether what this host sends is judged, too.
    TierChains(const Policy& policy, const Members& members, bool output, const Layout& layout, ir::Ruleset& out);

    // All chains of tiers. `admitted`: what becomes of a flow that a tier covers.
    void add_chains(const ir::Statement& admitted, std::size_t limits, Lookups& lookups);
    // The rules that send a packet to the chains of its tiers, where it is to be judged, or judged as turned.
    // `how`: where the source is read from.
    void add_jumps(std::vector<ir::Rule>& rules, Lookups& lookups, const Lookups::How& how) const;
    void add_turned_jumps(std::vector<ir::Rule>& rules, Lookups& lookups, const Lookups::How& how) const;
    // Logs what begins, in front of an `accept`, and accepts it where a tier wants it logged. The chains behind it are added.
    void add_logs(std::vector<ir::Rule>& rules, const ir::LogPacket& log, Lookups& lookups);

private:
    // Which sets a tier has.
    struct Has {
        bool ipv4 = false, ipv6 = false;
        bool free = false, limited = false, turned = false, log = false;
    };

    [[nodiscard]] std::vector<std::string> chains_of(const std::vector<std::uint32_t>& tiers, bool turned) const;
    [[nodiscard]] Members members_of(Family family, bool turned) const;
    bool find_classes(const std::vector<Atom>& atoms, bool turned);
    void add_maps(const std::vector<Atom>& atoms, Family family, bool turned);
    void add_sets(std::uint32_t tier);
    void add_both_ways(std::vector<ir::Rule>& rules, const program::Permissions& sets, const Statements& verdict,
                       bool turned, Lookups& lookups) const;
    void add(ir::Set set);

    [[nodiscard]] std::string title(std::uint32_t tier) const;

    const Policy& policy_;
    const Members& members_;
    bool output_;
    std::size_t most_jumps_;
    ir::Ruleset& out_;
    std::map<std::uint32_t, Has> tiers_;
    std::map<std::string, std::vector<std::string>> classes_;  // chains that jump to others
    bool by_map_ = true;
};

}  // namespace policyc
