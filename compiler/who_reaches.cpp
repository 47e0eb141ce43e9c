// Reads who reaches what back out of a Ruleset; entry point reach_of(). Sets of permissions are known by their names, who may use those of a tier by the rules.
#include "compiler/who_reaches.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "compiler/program.h"

namespace policyc {

namespace {

using program::By;
using program::Permissions;
using program::TierChain;

constexpr int most_jumps = 8;  // jumps; lower() writes four

Direction direction_of(program::Kind kind) {
    switch (kind) {
        case program::Kind::allow: return Direction::forward;
        case program::Kind::input: return Direction::input;
        case program::Kind::output: return Direction::output;
    }
    return Direction::forward;
}

// The box of an element; of a tier's own set, without the source.
Box box_of(const Permissions& permissions, const ir::Elements& elements, std::size_t element) {
    Box box{.direction = direction_of(permissions.kind)};
    box.source.family = box.destination.family = permissions.family;
    box.ports.protocol = permissions.protocol;
    box.ports.lo = box.ports.hi = 0;
    std::size_t field = 0;
    const auto next = [&] { return elements.bound(element, field++); };
    if (permissions.kind != program::Kind::output && permissions.tier == 0) {
        const auto side = next();
        box.source = {permissions.family, side.lo, side.hi};
    }
    if (permissions.kind != program::Kind::input) {
        const auto side = next();
        box.destination = {permissions.family, side.lo, side.hi};
    }
    if (permissions.protocol == Protocol::tcp || permissions.protocol == Protocol::udp) {
        const auto side = next();
        box.ports.lo = static_cast<std::uint16_t>(side.lo);
        box.ports.hi = static_cast<std::uint16_t>(side.hi);
    }
    return box;
}

// The family of a look-up by the source of the flow alone.
std::optional<Family> by_source(const std::vector<ir::Field>& fields) {
    if (fields == std::vector{ir::Field::ct_saddr4}) return Family::ipv4;
    if (fields == std::vector{ir::Field::ct_saddr6}) return Family::ipv6;
    return std::nullopt;
}

class Reader {
public:
    explicit Reader(const ir::Ruleset& ruleset) : ruleset_(ruleset) {
        for (const ir::Set& set : ruleset.sets) sets_.emplace(set.name, &set);
        for (const ir::Chain& chain : ruleset.chains) chains_.emplace(chain.name, &chain);
    }

    Reach run() {
        std::vector<std::pair<std::string_view, Permissions>> found;
        std::set<std::string_view> seen;
        std::size_t boxes = 0;
        for (const ir::Set& set : ruleset_.sets) {
            const std::string_view name = program::whole_name(set.name);
            const auto permissions = program::permissions_of(name);
            if (!permissions) continue;
            if (seen.insert(name).second) found.emplace_back(name, *permissions);
            if (permissions->tier == 0) boxes += set.elements.size();
        }
        reach_.boxes.reserve(boxes);
        for (const auto& [name, permissions] : found) read(name, permissions, {});
        if (!std::ranges::is_sorted(reach_.boxes, {}, &LabelledBox::box))
            std::ranges::stable_sort(reach_.boxes, {}, &LabelledBox::box);
        const auto repeated = std::ranges::unique(reach_.boxes, {}, &LabelledBox::box);
        reach_.boxes.erase(repeated.begin(), repeated.end());

        walk("tiers", {}, most_jumps);
        for (auto& [key, tier] : tiers_) {
            if (tier.reachers.empty() || tier.areas.empty()) continue;
            const auto key_of = [](const Area& area) { return std::pair(area.destination, area.ports); };
            std::ranges::stable_sort(tier.areas, {}, key_of);
            const auto again = std::ranges::unique(tier.areas, {}, key_of);
            tier.areas.erase(again.begin(), again.end());
            std::ranges::stable_sort(tier.reachers, {}, &Reacher::range);
            reach_.tiers.push_back(std::move(tier));
        }
        return std::move(reach_);
    }

private:
    struct Within {
        std::size_t field;
        ir::Elements::Bound bound;
    };

    // The elements of a set, or of its parts that the maps between lead to.
    void read(std::string_view name, const Permissions& permissions, const std::vector<Within>& within) {
        const auto types = program::types_of(program::fields_of(permissions));
        if (const auto set = sets_.find(name);
            set != sets_.end() && !set->second->dynamic && set->second->types == types)
            take(*set->second, permissions, within);
        const std::string prefix = program::prefix_of(permissions.tier == 0 ? By::connection : By::packet);
        const auto map = sets_.find(prefix + program::shard_map(name));
        const auto fields = program::shard_fields(types);
        if (map == sets_.end() || within.size() >= fields.size()) return;
        const ir::Set& shards = *map->second;
        const std::size_t field = fields[within.size()];
        if (shards.map_to != ir::MapTo::verdict || shards.types != std::vector{types[field]}) return;
        for (std::size_t i = 0; i < shards.elements.size(); ++i) {
            const std::uint32_t verdict = shards.elements.value(i);
            if (verdict >= shards.verdicts.size()) continue;
            std::vector<Within> inner = within;
            inner.push_back({field, shards.elements.bound(i, 0)});
            const std::string& chain = shards.verdicts[verdict].chain;
            if (chain.starts_with(prefix)) read(std::string_view(chain).substr(prefix.size()), permissions, inner);
        }
    }

    void take(const ir::Set& set, const Permissions& permissions, const std::vector<Within>& within) {
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            const bool found = std::ranges::all_of(within, [&](const Within& w) {
                const auto bound = set.elements.bound(i, w.field);
                return w.bound.lo <= bound.lo && bound.hi <= w.bound.hi;
            });
            if (!found) continue;
            const Box box = box_of(permissions, set.elements, i);
            const ir::Cause cause = set.elements.cause(i);
            if (permissions.tier == 0)
                reach_.boxes.push_back({box, cause});
            else
                of_tier(permissions.tier, permissions.limit != 0)
                    .areas.push_back({box.destination, box.ports, cause.object});
        }
    }

    TierReach& of_tier(std::uint32_t tier, bool limited) {
        TierReach& found = tiers_[{tier, limited}];
        found.tier = tier;
        found.limited = limited;
        return found;
    }

    // Follows a chain for these sources (all, where there are none yet) to the chains of tiers.
    void walk(const std::string& name, const std::optional<Reacher>& reacher, int depth) {
        if (const auto end = program::tier_chain_of(name);
            end && (end->use == TierChain::Use::free || end->use == TierChain::Use::limited)) {
            auto& reachers = of_tier(end->tier, end->use == TierChain::Use::limited).reachers;
            if (reacher) {
                reachers.push_back(*reacher);
            } else {
                for (const Family family : {Family::ipv4, Family::ipv6}) reachers.push_back({{family, 0, top(family)}});
            }
            return;
        }
        const auto chain = chains_.find(name);
        if (depth == 0 || chain == chains_.end()) return;
        for (const ir::Rule& rule : chain->second->rules) follow(rule.statements, reacher, depth - 1);
    }

    void follow(const std::vector<ir::Statement>& rule, const std::optional<Reacher>& reacher, int depth) {
        if (rule.empty()) return;
        const auto* jump = std::get_if<ir::Jump>(&rule.back());
        if (rule.size() == 1 && jump != nullptr) walk(jump->chain, reacher, depth);
        if (const auto* lookup = std::get_if<ir::LookupVerdict>(&rule.front()); lookup != nullptr && rule.size() == 1)
            each(lookup->fields, lookup->map, reacher, [&](const ir::Set& map, std::size_t i, const Reacher& found) {
                const std::uint32_t verdict = map.elements.value(i);
                if (verdict < map.verdicts.size()) walk(map.verdicts[verdict].chain, found, depth);
            });
        if (const auto* lookup = std::get_if<ir::Lookup>(&rule.front());
            lookup != nullptr && !lookup->negate && rule.size() == 2 && jump != nullptr)
            each(lookup->fields, lookup->set, reacher,
                 [&](const ir::Set&, std::size_t, const Reacher& found) { walk(jump->chain, found, depth); });
    }

    template <typename Visit>
    void each(const std::vector<ir::Field>& fields, const std::string& name, const std::optional<Reacher>& reacher,
              const Visit& visit) {
        const auto family = by_source(fields);
        const auto set = sets_.find(name);
        if (!family || set == sets_.end() || set->second->types != program::types_of(fields)) return;
        const ir::Elements& elements = set->second->elements;
        for (std::size_t i = 0; i < elements.size(); ++i) {
            const auto bound = elements.bound(i, 0);
            Reacher found{{*family, bound.lo, bound.hi}, elements.cause(i).subject};
            if (reacher) {
                if (!found.range.meets(reacher->range)) continue;
                found.range.lo = std::max(found.range.lo, reacher->range.lo);
                found.range.hi = std::min(found.range.hi, reacher->range.hi);
            }
            visit(*set->second, i, found);
        }
    }

    const ir::Ruleset& ruleset_;
    std::map<std::string, const ir::Set*, std::less<>> sets_;
    std::map<std::string, const ir::Chain*, std::less<>> chains_;
    std::map<std::pair<std::uint32_t, bool>, TierReach> tiers_;
    Reach reach_;
};

}  // namespace

Reach reach_of(const ir::Ruleset& ruleset) {
    return Reader(ruleset).run();
}

std::vector<Box> boxes_of(const ir::Ruleset& ruleset) {
    const Reach reach = reach_of(ruleset);
    std::vector<Box> boxes;
    for (const LabelledBox& labelled : reach.boxes) boxes.push_back(labelled.box);
    for (const TierReach& tier : reach.tiers)
        for (const Reacher& reacher : tier.reachers)
            for (const Area& area : tier.areas)
                if (area.destination.family == reacher.range.family) boxes.push_back(area.from(reacher.range));
    std::ranges::sort(boxes);
    const auto repeated = std::ranges::unique(boxes);
    boxes.erase(repeated.begin(), repeated.end());
    return boxes;
}

}  // namespace policyc
