// Dispatches packets to the chains of the tiers that their sources are in; entry points in tier_chains.h.
#include "compiler/tier_chains.h"

#include <algorithm>

namespace policyc {

namespace {

using program::By;
using program::Kind;
using program::TierChain;

// The kernel takes names of up to 255 bytes; people don't.
constexpr std::size_t longest_class_name = 120;

// An empty set (or map) for single addresses, and one for ranges.
struct Pair {
    ir::Set exact;
    ir::Set ranges;

    Pair(const std::string& name, Family family, ir::MapTo map_to) {
        exact = {.name = name, .types = {ir::address_type(family)}, .map_to = map_to};
        exact.elements = ir::Elements(exact.types, false);
        ranges = {.name = name + "_ranges", .types = exact.types, .interval = true, .map_to = map_to};
        ranges.elements = ir::Elements(ranges.types, true);
    }

    void add(const Atom& atom, std::uint32_t value = UINT32_MAX) {
        ir::Set& set = atom.source.single() ? exact : ranges;
        set.elements.add({{atom.source.lo, atom.source.hi}}, atom.cause, value);
    }
};

// The index of a way to that chain, which is added where it is missing.
std::uint32_t verdict(ir::Set& map, const std::string& chain) {
    const auto found = std::ranges::find(map.verdicts, chain, &ir::ToChain::chain);
    if (found != map.verdicts.end()) return static_cast<std::uint32_t>(found - map.verdicts.begin());
    map.verdicts.push_back({false, chain});
    return static_cast<std::uint32_t>(map.verdicts.size() - 1);
}

}  // namespace

TierChains::TierChains(const Policy& policy, const Members& members, bool output, const Layout& layout,
                       ir::Ruleset& out)
    : policy_(policy), members_(members), output_(output), most_jumps_(layout.jumps), out_(out) {
    if (members.empty()) return;
    constexpr std::string_view log = "log_";
    for (const ir::Set& set : out.sets) {
        const bool logs = set.name.starts_with(log);
        const auto sets = program::permissions_of(std::string_view(set.name).substr(logs ? log.size() : 0));
        if (!sets || sets->tier == 0) continue;
        Has& has = tiers_[sets->tier];
        (sets->family == Family::ipv4 ? has.ipv4 : has.ipv6) = true;
        if (logs)
            has.log = true;
        else
            (sets->limit == 0 ? has.free : has.limited) = true;
        if (!logs && sets->protocol != Protocol::ping) has.turned = true;
    }

    std::map<std::pair<Family, bool>, std::vector<Atom>> atoms;
    for (const Family family : {Family::ipv4, Family::ipv6})
        for (const bool of_turned : {false, true}) {
            const auto& found = atoms[{family, of_turned}] = atoms_of(members_of(family, of_turned), family);
            by_map_ = by_map_ && find_classes(found, of_turned);
        }
    if (!by_map_) classes_.clear();
    if (by_map_)
        for (const auto& [which, found] : atoms) add_maps(found, which.first, which.second);
    for (const auto& [tier, has] : tiers_)
        if (!by_map_ || has.log) add_sets(tier);
}

// The chains of these tiers, those that need no rate first: a flow that one of them covers takes nothing from a bucket.
std::vector<std::string> TierChains::chains_of(const std::vector<std::uint32_t>& tiers, bool turned) const {
    std::vector<std::string> chains;
    const auto add_all = [&](bool Has::*wanted, TierChain::Use use) {
        for (const std::uint32_t tier : tiers)
            if (tiers_.at(tier).*wanted) chains.push_back(program::name_of(TierChain{tier, use}));
    };
    if (turned) {
        add_all(&Has::turned, TierChain::Use::turned);
    } else {
        add_all(&Has::free, TierChain::Use::free);
        add_all(&Has::limited, TierChain::Use::limited);
    }
    return chains;
}

// Of the tiers that have anything for that family.
Members TierChains::members_of(Family family, bool turned) const {
    Members members;
    for (const auto& [tier, has] : tiers_)
        if ((family == Family::ipv4 ? has.ipv4 : has.ipv6) && (!turned || has.turned))
            members.emplace(tier, members_.at(tier));
    return members;
}

// Whether the chains of classes stay few and short.
bool TierChains::find_classes(const std::vector<Atom>& atoms, bool turned) {
    std::size_t jumps = 0;
    for (const auto& [name, chains] : classes_) jumps += chains.size();
    for (const Atom& atom : atoms) {
        std::vector<std::string> chains = chains_of(atom.tiers, turned);
        if (chains.size() == 1) continue;
        std::string name = program::class_name(atom.tiers, turned);
        if (name.size() > longest_class_name) return false;
        const std::size_t more = chains.size();
        if (!classes_.try_emplace(std::move(name), std::move(chains)).second) continue;
        jumps += more;
        if (jumps > most_jumps_) return false;
    }
    return true;
}

void TierChains::add_maps(const std::vector<Atom>& atoms, Family family, bool turned) {
    Pair maps(program::who_map(family, turned), family, ir::MapTo::verdict);
    for (const Atom& atom : atoms) {
        const std::vector<std::string> chains = chains_of(atom.tiers, turned);
        const std::string chain = chains.size() == 1 ? chains.front() : program::class_name(atom.tiers, turned);
        maps.add(atom, verdict(atom.source.single() ? maps.exact : maps.ranges, chain));
    }
    maps.exact.comment = maps.ranges.comment = turned
                                                   ? "the same for sessions that were picked up in the wrong direction"
                                                   : "who is in which of the tiers with sets of their own";
    add(std::move(maps.exact));
    add(std::move(maps.ranges));
}

void TierChains::add_sets(std::uint32_t tier) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        const Has& has = tiers_.at(tier);
        if (!(family == Family::ipv4 ? has.ipv4 : has.ipv6)) continue;
        Pair sets(program::who_set(tier, family), family, ir::MapTo::nothing);
        for (const Atom& atom : atoms_of({{tier, members_.at(tier)}}, family)) sets.add(atom);
        sets.exact.comment = sets.ranges.comment = "who is in " + title(tier);
        add(std::move(sets.exact));
        add(std::move(sets.ranges));
    }
}

std::string TierChains::title(std::uint32_t tier) const {
    return "tier " + policy_.tiers[tier - 1].name;
}

void TierChains::add(ir::Set set) {
    if (set.elements.empty()) return;
    if (!set.interval) set.size = size_to_declare(set.elements.size());
    out_.sets.push_back(std::move(set));
}

// Packets that go the way of who began, and answers: as conntrack tells them apart, or the other way round where it has them turned.
void TierChains::add_both_ways(std::vector<ir::Rule>& rules, const program::Permissions& sets,
                               const Statements& verdict, bool turned, Lookups& lookups) const {
    for (const By by : {By::packet, By::answer}) {
        if (turned && by == By::answer && !output_) continue;
        lookups.permissions(rules, sets, verdict,
                            {.way = turned ? Lookups::Way::list : Lookups::Way::map,
                             .by = by,
                             .ping = !turned,
                             .first = {ir::MatchReply{(by == By::answer) != turned}}});
    }
}

void TierChains::add_chains(const ir::Statement& admitted, std::size_t limits, Lookups& lookups) {
    const auto chain = [&](TierChain name, const char* more, std::vector<ir::Rule> rules) {
        out_.chains.push_back({program::name_of(name), {}, title(name.tier) + more, std::move(rules)});
    };
    for (const auto& [tier, has] : tiers_) {
        const auto sets = [number = tier](std::size_t limit) {
            return program::Permissions{
                .kind = Kind::allow, .limit = static_cast<std::uint32_t>(limit), .tier = number};
        };
        if (has.free) {
            std::vector<ir::Rule> rules;
            add_both_ways(rules, sets(0), {admitted}, false, lookups);
            chain({tier, TierChain::Use::free}, "", std::move(rules));
        }
        if (has.limited) {
            std::vector<ir::Rule> rules;
            for (std::size_t limit = 1; limit <= limits; ++limit)
                add_both_ways(rules, sets(limit), {ir::Jump{"limit" + std::to_string(limit)}}, false, lookups);
            chain({tier, TierChain::Use::limited}, ": what is under a rate", std::move(rules));
        }
        if (has.turned) {
            std::vector<ir::Rule> rules;
            for (std::size_t limit = 0; limit <= limits; ++limit)
                add_both_ways(rules, sets(limit), {ir::Accept{}}, true, lookups);
            chain({tier, TierChain::Use::turned}, ", judged by the packet", std::move(rules));
        }
    }
    for (const auto& [name, chains] : classes_) {
        std::vector<ir::Rule> rules;
        for (const std::string& one : chains) rules.push_back(make_rule({ir::Jump{one}}));
        out_.chains.push_back({name, {}, "of who is in just these tiers", std::move(rules)});
    }
}

void TierChains::add_jumps(std::vector<ir::Rule>& rules, Lookups& lookups, const Lookups::How& how) const {
    for (const Family family : lookups.families())
        lookups.verdicts(rules, program::who_map(family, false), family, how);
    if (by_map_) return;
    for (const auto use : {TierChain::Use::free, TierChain::Use::limited})
        for (const auto& [tier, has] : tiers_)
            for (const Family family : lookups.families())
                if (use == TierChain::Use::free ? has.free : has.limited)
                    lookups.members(rules, program::who_set(tier, family), family,
                                    {ir::Jump{program::name_of(TierChain{tier, use})}}, how);
}

void TierChains::add_turned_jumps(std::vector<ir::Rule>& rules, Lookups& lookups, const Lookups::How& how) const {
    for (const Family family : lookups.families()) lookups.verdicts(rules, program::who_map(family, true), family, how);
    if (by_map_) return;
    for (const auto& [tier, has] : tiers_)
        for (const Family family : lookups.families())
            if (has.turned)
                lookups.members(rules, program::who_set(tier, family), family,
                                {ir::Jump{program::name_of(TierChain{tier, TierChain::Use::turned})}}, how);
}

void TierChains::add_logs(std::vector<ir::Rule>& rules, const ir::LogPacket& log, Lookups& lookups) {
    for (const auto& [tier, has] : tiers_) {
        if (!has.log) continue;
        const std::string name = program::name_of(TierChain{tier, TierChain::Use::log});
        std::vector<ir::Rule> inner;
        lookups.permissions(inner, {.kind = Kind::allow, .tier = tier}, {log, ir::Accept{}},
                            {.way = Lookups::Way::list, .prefix = "log_"});
        out_.chains.push_back({name, {}, title(tier) + ": logs what begins", std::move(inner)});
        for (const Family family : lookups.families())
            lookups.members(rules, program::who_set(tier, family), family, {ir::Jump{name}}, {});
    }
}

}  // namespace policyc
