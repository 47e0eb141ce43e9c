// Makes and widens the set of the ports that servers of this host use; entry points in server_ports.h.
#include "compiler/server_ports.h"

#include <algorithm>

namespace policyc {

namespace {

constexpr const char* name = "server_ports";

}  // namespace

ir::Set make_server_ports(std::vector<PortRange> ports) {
    std::ranges::sort(ports);
    std::vector<PortRange> joined;
    for (const PortRange& range : ports) {
        if (!joined.empty() && int{range.first} <= int{joined.back().second} + 1)
            joined.back().second = std::max(joined.back().second, range.second);
        else
            joined.push_back(range);
    }
    ir::Set set{.name = name,
                .types = {ir::Type::inet_service},
                .interval = true,
                .comment = "of this host: nothing begins a TCP connection from them"};
    set.elements = ir::Elements(set.types, true);
    for (const auto& [first, last] : joined) set.elements.add({{first, last}});
    set.elements.sort();
    return set;
}

std::vector<PortRange> server_ports_of(const ir::Ruleset& ruleset) {
    std::vector<PortRange> ports;
    const auto set = std::ranges::find(ruleset.sets, name, &ir::Set::name);
    if (set == ruleset.sets.end() || set->types != std::vector{ir::Type::inet_service}) return ports;
    for (std::size_t i = 0; i < set->elements.size(); ++i) {
        const auto bound = set->elements.bound(i, 0);
        ports.emplace_back(static_cast<std::uint16_t>(bound.lo), static_cast<std::uint16_t>(bound.hi));
    }
    return ports;
}

void add_server_ports(ir::Ruleset& ruleset, const std::vector<PortRange>& ports) {
    const auto set = std::ranges::find(ruleset.sets, name, &ir::Set::name);
    if (set == ruleset.sets.end()) return;
    std::vector<PortRange> all = server_ports_of(ruleset);
    all.insert(all.end(), ports.begin(), ports.end());
    *set = make_server_ports(std::move(all));
}

}  // namespace policyc
