// Makes the sets that say where a packet may come from, and those that rules fill; entry points in node_sets.h.
#include "compiler/node_sets.h"

#include <fmt/format.h>

#include <set>

namespace policyc {

namespace {

constexpr std::uint32_t rate_sources = 65535;

std::uint32_t refill_seconds(Rate::Unit unit) {
    switch (unit) {
        case Rate::Unit::second: return 10;  // a bucket that was not used for so long is full again, in all four cases
        case Rate::Unit::minute: return 60;
        case Rate::Unit::hour: return 3600;
        case Rate::Unit::day: return 86400;
    }
    return 0;
}

void add_set(std::string name, Family family, std::string comment, const std::vector<Range>& ranges, ir::Ruleset& out) {
    ir::Set set{
        .name = std::move(name), .types = {ir::address_type(family)}, .interval = true, .comment = std::move(comment)};
    set.elements = ir::Elements(set.types, true);
    for (const Range& range : ranges) set.elements.add({{range.lo, range.hi}});
    set.elements.sort();
    out.sets.push_back(std::move(set));
}

}  // namespace

std::string numbered(const char* word, Family family) {
    return fmt::format("{}{}", word, family == Family::ipv4 ? 4 : 6);
}

void add_side_sets(const Sides& sides, const std::vector<Family>& families, ir::Ruleset& out) {
    for (const Family family : families) {
        add_set(numbered("tunnel", family), family, "who may send through the tunnel", sides.tunnel.ranges(family),
                out);
        add_set(numbered("near", family), family, "this host and the networks that it serves",
                sides.near.ranges(family), out);
        const auto far = sides.far.ranges(family);
        if (!far.empty())
            add_set(numbered("far", family), family, "who is behind the tunnel and nowhere else", far, out);
    }
}

void add_untouched_sets(const Untouched& untouched, ir::Ruleset& out) {
    if (!untouched.interfaces.empty()) {
        ir::Set set{.name = "untouched_interfaces", .types = {ir::Type::ifname}, .comment = "never judged"};
        set.elements = ir::Elements(set.types, false);
        for (const auto& interface : untouched.interfaces) set.elements.add_name(interface.value);
        set.elements.sort();
        out.sets.push_back(std::move(set));
    }
    AddressSet addresses;
    for (const auto& range : untouched.ranges) addresses.add(range.value);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        const auto ranges = addresses.ranges(family);
        if (!ranges.empty()) add_set(numbered("untouched", family), family, "never judged", ranges, out);
    }
}

std::string rate_set(std::size_t limiter, Family family) {
    return fmt::format("rate{}_{}", limiter + 1, numbered("ip", family));
}

void add_rate_sets(const PermissionSets& permissions, const std::vector<Family>& families, ir::Ruleset& out) {
    std::set<std::size_t> used;
    for (const auto& members : permissions.limit_classes()) used.insert(members.begin(), members.end());
    for (const std::size_t i : used) {
        const Limiter& limiter = permissions.limiters()[i];
        for (const Family family : families) {
            ir::Set set{.name = rate_set(i, family),
                        .types = {ir::address_type(family)},
                        .dynamic = true,
                        .timeout = refill_seconds(limiter.rate.unit),
                        .size = rate_sources,
                        .comment = fmt::format("{}: {} per source", limiter.what, to_string(limiter.rate))};
            set.elements = ir::Elements(set.types, false);
            out.sets.push_back(std::move(set));
        }
    }
}

}  // namespace policyc
