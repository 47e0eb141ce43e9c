// Policy to the sets of a Ruleset; entry point PermissionSets::collect().
#include "compiler/permissions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "compiler/lower.h"
#include "compiler/shards.h"

namespace policyc {

namespace {

using program::Kind;

// A port range up to this many ports becomes that many exact elements: a hash look-up is cheaper than an interval one, and so is a change.
constexpr unsigned expanded_ports = 16;

ir::Elements::Bound bound(const Range& range) {
    return {range.lo, range.hi};
}

bool exact(std::span<const ir::Elements::Bound> key) {
    return std::ranges::all_of(key, [](const auto& b) { return b.lo == b.hi; });
}

bool has_ports(Protocol protocol) {
    return protocol == Protocol::tcp || protocol == Protocol::udp;
}

}  // namespace

std::vector<Range> ranges_of(const Policy& policy, const Addresses& addresses, const Host& host) {
    struct Visitor {
        const Policy& policy;
        const Addresses& addresses;
        std::vector<Range> out;
        void operator()(const NodeRef& ref) {
            for (const auto& address : policy.nodes[ref.node].addresses) out.push_back(range_of(address.value));
        }
        void operator()(const NetworkRef& ref) {
            for (const auto& range : policy.networks[ref.network].ranges) out.push_back(range.value);
        }
        void operator()(const Range& range) { out.push_back(range); }
        void operator()(const HostName& name) {
            const auto found = addresses.find(name.name);
            if (found == addresses.end()) return;
            for (const Address& address : found->second) out.push_back(range_of(address));
        }
    } visitor{policy, addresses, {}};
    std::visit(visitor, host);
    if (policy.ipv6 == Ipv6::deny)
        std::erase_if(visitor.out, [](const Range& range) { return range.family == Family::ipv6; });
    return visitor.out;
}

std::size_t PermissionSets::NamedHash::operator()(const Named& named) const {
    const auto& [name, span] = named;
    std::uint64_t hash = std::hash<std::string>()(name);
    hash ^= (std::uint64_t{span.file} << 32U | span.begin) * 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 32U);
}

std::vector<ir::Label> PermissionSets::labels(std::vector<Named> named) {
    std::vector<ir::Label> out;
    out.reserve(named.size());
    for (auto& [name, span] : named) out.push_back({std::move(name), span});
    return out;
}

PermissionSets::PermissionSets(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                               const Layout& layout)
    : policy_(policy), addresses_(addresses), node_(node), today_(today), layout_(layout) {}

void PermissionSets::collect(ir::Ruleset& ruleset) {
    for (std::uint32_t i = 0; i < policy_.tiers.size(); ++i) {
        const Tier& tier = policy_.tiers[i];
        if (!tier.grant && !tier.bastion && holds_on(tier.expires, today_)) add_tier(tier, i + 1);
    }
    add_inputs(policy_.nodes[node_]);
    add_output(policy_.nodes[node_]);
    if (policy_.log.counters) add_counters(ruleset);
    finish(ruleset);
    ruleset.subjects = labels(subjects_.take());
    ruleset.objects = labels(objects_.take());
}

bool PermissionSets::stands_alone(const Tier& tier) const {
    switch (layout_.form) {
        case Layout::Form::tuples: return false;
        case Layout::Form::pairs: return true;
        case Layout::Form::automatic: break;
    }
    std::array<TierSize, 2> sizes{};
    for (const Source& source : tier.who)
        for (const Range& range : ranges_of(policy_, addresses_, source.host)) {
            TierSize& size = sizes.at(static_cast<std::size_t>(range.family));
            ++(range.single() ? size.exact_sources : size.range_sources);
        }
    for (const Target& target : tier.allow) {
        if (!holds_on(target.expires, today_)) continue;
        const std::size_t ports = std::size_t{target.ports.hi} - target.ports.lo + 1;
        for (const Range& range : ranges_of(policy_, addresses_, target.host)) {
            TierSize& size = sizes.at(static_cast<std::size_t>(range.family));
            if (range.single() && ports <= expanded_ports)
                size.exact_keys += ports;
            else
                ++size.range_keys;
        }
    }
    return prefers_pairs(sizes);
}

void PermissionSets::add_tier(const Tier& tier, std::uint32_t number) {
    const bool somebody = std::ranges::any_of(
        tier.who, [&](const Source& source) { return !ranges_of(policy_, addresses_, source.host).empty(); });
    const bool alone = somebody && stands_alone(tier);
    std::optional<std::size_t> tier_limiter;
    std::vector<std::pair<Range, std::uint32_t>> sources;
    for (const Target& target : tier.allow) {
        Way way{.kind = Kind::allow, .log = tier.log_new};
        std::optional<std::size_t> service_limiter;
        if (!holds_on(target.expires, today_)) continue;
        if (target.service) {
            const Service& service = policy_.services[*target.service];
            way.log = way.log || service.log_new;
            counted_[*target.service] = true;
            if (service.limit) {
                const auto [at, fresh] = service_limiters_.try_emplace(*target.service);
                if (fresh) at->second = limiter("service " + service.name, *service.limit, service.span);
                service_limiter = at->second;
            }
        }
        const std::vector<Range> destinations = ranges_of(policy_, addresses_, target.host);
        if (destinations.empty() || tier.who.empty()) continue;
        if (tier.limit && !tier_limiter) tier_limiter = limiter("tier " + tier.name, *tier.limit, tier.span);
        way.limit = limit_of(tier_limiter, service_limiter);
        const std::uint32_t what = object(target.label, target.span);
        if (alone) {
            way.tier = number;
            for (const Range& to : destinations) add(way, nullptr, &to, target.ports, {ir::Cause::none, what});
            continue;
        }
        if (sources.empty()) sources = sources_of(tier);
        for (const auto& [from, who] : sources)
            for (const Range& to : destinations)
                if (from.family == to.family) add(way, &from, &to, target.ports, {who, what});
    }
    if (!alone) return;
    for (const auto& [from, who] : sources_of(tier)) members_[number].push_back({from, {who, ir::Cause::none}});
}

std::vector<std::pair<Range, std::uint32_t>> PermissionSets::sources_of(const Tier& tier) {
    std::vector<std::pair<Range, std::uint32_t>> sources;
    for (const Source& source : tier.who) {
        const std::uint32_t who = subject(source);
        for (const Range& from : ranges_of(policy_, addresses_, source.host)) sources.emplace_back(from, who);
    }
    return sources;
}

void PermissionSets::add_inputs(const Node& node) {
    for (const Input& input : node.inputs) {
        if (input.from.empty() || input.ports.empty()) continue;
        std::optional<std::size_t> input_limiter;
        if (input.limit) input_limiter = limiter("input." + input.name, *input.limit, input.span);
        const Way way{Kind::input, limit_of(input_limiter, std::nullopt), input.log_new};
        const std::uint32_t what = object("input." + input.name, input.span);
        for (const Source& source : input.from) {
            const ir::Cause cause{subject(source), what};
            for (const Range& from : ranges_of(policy_, addresses_, source.host))
                for (const Ports& ports : input.ports) add(way, &from, nullptr, ports, cause);
        }
    }
}

void PermissionSets::add_output(const Node& node) {
    if (!node.output) return;
    for (const Target& target : *node.output) {
        if (!holds_on(target.expires, today_)) continue;
        const ir::Cause cause{ir::Cause::none, object(target.label, target.span)};
        for (const Range& to : ranges_of(policy_, addresses_, target.host))
            add({.kind = Kind::output}, nullptr, &to, target.ports, cause);
    }
}

void PermissionSets::add_counters(ir::Ruleset& ruleset) {
    for (const auto& [index, used] : counted_) {
        const Service& service = policy_.services[index];
        const std::vector<Range> hosts = ranges_of(policy_, addresses_, service.host);
        if (hosts.empty()) continue;
        const auto counter = static_cast<std::uint32_t>(ruleset.counters.size());
        ruleset.counters.push_back({.name = "svc_" + service.name, .comment = service.name, .span = service.span});
        for (const Range& host : hosts) {
            for (const Ports& ports : service.ports) {
                std::vector<ir::Type> types{ir::address_type(host.family)};
                std::vector<ir::Elements::Bound> key{bound(host)};
                if (has_ports(ports.protocol)) {
                    types.push_back(ir::Type::inet_service);
                    key.push_back({ports.lo, ports.hi});
                }
                put(building("count_" + program::suffix(ports.protocol, host.family), types), key, {}, counter);
            }
        }
    }
}

void PermissionSets::add(const Way& way, const Range* source, const Range* destination, const Ports& ports,
                         ir::Cause cause) {
    const Family family = source != nullptr ? source->family : destination->family;
    program::Permissions set{way.kind, way.limit, ports.protocol, family, false, way.tier};
    std::array<ir::Elements::Bound, 3> room{};
    std::size_t fields = 0;
    if (source != nullptr) room.at(fields++) = bound(*source);
    if (destination != nullptr) room.at(fields++) = bound(*destination);
    if (has_ports(ports.protocol)) room.at(fields++) = {ports.lo, ports.hi};
    const std::span key = std::span(room).first(fields);
    const auto types = [&] { return program::types_of(program::fields_of(set)); };
    if (building_ == nullptr || last_ != set) {
        building_ = &building(program::name_of(set), types());
        last_ = set;
    }
    put(*building_, key, cause, UINT32_MAX);
    if (!way.log) return;
    set.limit = 0;
    put(building("log_" + program::name_of(set), types()), key, cause, UINT32_MAX);
}

PermissionSets::Building& PermissionSets::building(const std::string& name, const std::vector<ir::Type>& types) {
    auto [at, fresh] = sets_.try_emplace(name);
    if (fresh) at->second.exact = ir::Elements(types, false);
    return at->second;
}

// Exact keys and short port ranges of exact hosts go to the hash set, the rest to the interval set beside it.
void PermissionSets::put(Building& set, std::span<const ir::Elements::Bound> whole, ir::Cause cause,
                         std::uint32_t counter) {
    Cuboid cuboid{.cause = cause, .counter = counter};
    std::ranges::copy(whole, cuboid.sides.begin());
    const std::span key = std::span(cuboid.sides).first(whole.size());
    const bool ports_last = set.exact.types().back() == ir::Type::inet_service;
    const ir::Elements::Bound last = key.back();
    if (ports_last && last.hi - last.lo < expanded_ports) {
        key.back() = {last.lo, last.lo};
        if (exact(key)) {
            for (u128 port = last.lo; port <= last.hi; ++port) {
                key.back() = {port, port};
                set.exact.add(key, cause, counter);
            }
            return;
        }
        key.back() = last;
    }
    if (exact(key)) {
        set.exact.add(key, cause, counter);
        return;
    }
    set.ranges.push_back(cuboid);
}

std::uint32_t PermissionSets::limit_of(std::optional<std::size_t> first, std::optional<std::size_t> second) {
    std::vector<std::size_t> wanted;
    if (first) wanted.push_back(*first);
    if (second) wanted.push_back(*second);
    if (wanted.empty()) return 0;
    const auto found = std::ranges::find(classes_, wanted);
    if (found != classes_.end()) return static_cast<std::uint32_t>(found - classes_.begin()) + 1;
    classes_.push_back(std::move(wanted));
    return static_cast<std::uint32_t>(classes_.size());
}

std::size_t PermissionSets::limiter(const std::string& what, const Rate& rate, Span span) {
    limiters_.push_back({what, rate, span});
    return limiters_.size() - 1;
}

std::uint32_t PermissionSets::subject(const Source& source) {
    return subjects_.add({source.label, source.span}).first;
}

std::uint32_t PermissionSets::object(const std::string& label, Span span) {
    return objects_.add({label, span}).first;
}

Error PermissionSets::too_many(const TooManyCuboids& found) const {
    Error error{fmt::format("this policy is too entangled: what it allows overlaps in so many ways that its sets would "
                            "hold more than {} ranges",
                            layout_.ranges),
                {},
                {}};
    std::vector<std::uint32_t> named;
    for (const ir::Cause& cause : found.overlapping) {
        if (std::ranges::find(named, cause.object) != named.end()) continue;
        const auto& [label, span] = objects_[cause.object];
        error.help += (named.empty() ? "of what overlaps the most: " : ", ") + label;
        if (named.empty()) error.span = span;
        named.push_back(cause.object);
    }
    error.help +=
        "; let tiers that allow the same name it once, for all who need it, or name larger networks and ranges of "
        "ports";
    return error;
}

void PermissionSets::finish(ir::Ruleset& ruleset) {
    std::size_t room = layout_.ranges;
    const auto cut = [&](const std::vector<Cuboid>& ranges, std::size_t dimensions) {
        try {
            std::vector<Cuboid> pieces = disjoint(ranges, dimensions, room);
            room -= pieces.size();
            return pieces;
        } catch (const TooManyCuboids& found) {
            throw TooEntangled(too_many(found));
        }
    };
    for (auto& [name, building] : sets_) {
        const bool counts = name.starts_with("count_");
        const std::vector<ir::Type> types = building.exact.types();
        const auto own = program::permissions_of(name);
        const std::string comment = own && own->tier != 0 ? "tier " + policy_.tiers[own->tier - 1].name : "";
        if (!building.exact.empty()) {
            building.exact.sort();
            ir::Set set{.name = name,
                        .types = types,
                        .map_to = counts ? ir::MapTo::counter : ir::MapTo::nothing,
                        .comment = comment};
            set.size = size_to_declare(building.exact.size());
            set.elements = std::move(building.exact);
            ruleset.sets.push_back(std::move(set));
        }
        if (building.ranges.empty()) continue;
        ir::Set set{.name = name + "_ranges",
                    .types = types,
                    .interval = true,
                    .map_to = counts ? ir::MapTo::counter : ir::MapTo::nothing,
                    .comment = comment};
        set.elements = ir::Elements(types, true);
        for (const Cuboid& cuboid : cut(building.ranges, types.size())) {
            set.elements.add(std::span(cuboid.sides.data(), types.size()), cuboid.cause, cuboid.counter);
        }
        set.elements.sort();
        ruleset.sets.push_back(std::move(set));
        building.ranges.clear();
    }
}

}  // namespace policyc
