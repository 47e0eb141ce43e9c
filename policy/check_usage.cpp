// Warnings about a policy that is right, but may not be what was meant. Entry point: check_usage().
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "policy/check_context.h"
#include "policy/reach.h"
#include "policy/reference.h"

namespace policyc {
namespace {

const Range* range_of_host(const Host& host) {
    return std::get_if<Range>(&host);
}

// Whether all that a service stands for is open to somebody, by whatever name.
bool opened_by_address(const Policy& policy, const reach::Permissions& permissions, const Service& service) {
    const std::vector<Range> hosts = reach::addresses_of_host(policy, {}, service.host);
    bool open = !hosts.empty();
    for (const Range& host : hosts) {
        for (const Ports& ports : service.ports) {
            const reach::Area area{host, reach::slots_of(ports), 0};
            std::vector<reach::Area> covers = permissions.areas.meeting(area);
            std::erase_if(covers, [&](const reach::Area& cover) {
                return permissions.sources[permissions.list[cover.owner].sources].empty();
            });
            reach::Budget budget(1'000'000);
            reach::cut(area, covers, budget, [&](const reach::Area&, const std::vector<std::size_t>& openers) {
                open = open && !openers.empty();
            });
            open = open && !budget.spent();
        }
    }
    return open;
}

void warn_unused_services(const Context& context, const Lists& lists) {
    const Policy& policy = context.policy;
    const std::set<std::size_t> servers(context.servers.begin(), context.servers.end());
    std::optional<reach::Permissions> permissions;
    for (std::size_t i = 0; i < policy.services.size(); ++i) {
        const Service& service = policy.services[i];
        if (lists.uses_service(i) || servers.contains(i)) continue;
        const bool for_nobody = lists.names_for_nobody(i);
        const std::string message = for_nobody ? fmt::format("only tiers for nobody name service `{}`", service.name)
                                               : fmt::format("no tier names service `{}`", service.name);
        const char* const help =
            for_nobody ? "name somebody in `who`, or remove it" : "add it to the `allow` of a tier, or remove it";
        // The addresses of a name are not known here: it may be in a network that a tier opens.
        if (std::holds_alternative<HostName>(service.host)) {
            context.diagnostics.report(Code::W0502, service.span, message, "nothing is opened by this name")
                .note(fmt::format("`policyc list --what {}` says who reaches its addresses all the same, by a network "
                                  "for instance",
                                  service.name))
                .help(help);
            continue;
        }
        if (!permissions) permissions = reach::permissions_of(policy, {}, {});
        if (opened_by_address(policy, *permissions, service)) continue;
        context.diagnostics.report(Code::W0502, service.span, message, "so this opens nothing").help(help);
    }
}

void warn_unused_groups(const Context& context, const Lists& lists) {
    const Policy& policy = context.policy;
    for (std::size_t i = 0; i < policy.groups.size(); ++i) {
        const Group& group = policy.groups[i];
        if (!lists.uses_group(i)) {
            context.diagnostics
                .report(Code::W0503, group.span, fmt::format("nothing uses group `{}`", group.name), "no list names it")
                .help("name it in a tier, or remove it");
        } else if (lists.is_empty(i)) {
            context.diagnostics
                .report(Code::W0504, group.span, fmt::format("group `{}` is empty", group.name),
                        group.members.empty() ? "nothing is in it" : "only empty groups are in it")
                .help("an empty group is nobody, or nothing, and never everything");
        }
    }
}

// Lists of empty groups alone; one without an entry has been told where it was read.
void warn_empty_lists(const Context& context) {
    const auto look = [&](bool empty, const Value& table, std::string_view key, const std::string& where,
                          std::string_view so) {
        const Value& list = table.table()->find(key)->value;
        if (!empty || list.array() == nullptr || list.array()->items.empty()) return;
        context.diagnostics
            .report(Code::W0504, list.span, fmt::format("`{}` of {} is empty", key, where),
                    fmt::format("only empty groups: {}", so))
            .help("an empty group is nobody, or nothing, and never everything");
    };
    const Policy& policy = context.policy;
    for (std::size_t i = 0; i < policy.tiers.size(); ++i) {
        const Tier& tier = policy.tiers[i];
        const Value& written = context.ast.root.find("tiers")->value.table()->entries[i].value;
        const std::string where = fmt::format("[tiers.{}]", tier.name);
        look(tier.who.empty(), written, "who", where, "this tier is for nobody");
        look(tier.allow.empty(), written, "allow", where, "this tier allows nothing");
    }
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        const Node& node = policy.nodes[i];
        for (std::size_t k = 0; k < node.inputs.size(); ++k)
            look(node.inputs[k].from.empty(),
                 context.node_values[i]->table()->find("input")->value.table()->entries[k].value, "from",
                 fmt::format("input.{} of `{}`", node.inputs[k].name, node.name), "nobody reaches it");
    }
}

void warn_undialled(const Context& context) {
    const std::vector<Node>& nodes = context.policy.nodes;
    const auto listens = [](const Node& node) { return node.endpoint || node.listen_port; };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const Node& node = nodes[i];
        if (node.peer && !listens(nodes[*node.peer])) {
            const Value& peer = context.node_values[i]->table()->find("peer")->value;
            context.diagnostics
                .report(Code::W0209, peer.span, fmt::format("`{}` can't dial `{}`", node.name, nodes[*node.peer].name),
                        "dials it")
                .also(nodes[*node.peer].span, "has neither `endpoint` nor `listen_port`")
                .help("write endpoint = \"host:51820\" for it");
        }
    }
}

void warn_tunnel_refused(const Context& context) {
    const std::vector<Node>& nodes = context.policy.nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const Node& node = nodes[i];
        // One that dials is answered.
        if (node.scope != Scope::host || !node.interface || node.peer || wireguard_port(node) || takes_udp(node, {}))
            continue;
        const Value& scope = context.node_values[i]->table()->find("scope")->value;
        context.diagnostics
            .report(Code::W0210, scope.span, fmt::format("`{}` refuses WireGuard itself", node.name),
                    "judges all that comes in, and nothing lets the port of WireGuard in")
            .help("write listen_port = 51820 for it, the port that `wg show` names; where it dials, write `peer`");
    }
}

void warn_served_twice(const Context& context) {
    std::map<Range, std::pair<std::size_t, Span>> servers;
    for (const auto& [node, served] : context.served) {
        const auto [first, added] = servers.try_emplace(served.range, node, served.span);
        if (added || first->second.first == node) continue;
        context.diagnostics
            .report(Code::W0406, served.span,
                    fmt::format("`{}` and `{}` serve the same network", context.policy.nodes[node].name,
                                context.policy.nodes[first->second.first].name),
                    fmt::format("{} again", to_string(served.range)))
            .also(first->second.second, "first served here")
            .note("WireGuard gives an AllowedIPs network to one peer: the one configured last")
            .help("let one of them serve it, or split the network between them");
    }
}

// Calls `visit(host, span)` for each address that is written as a service or in a list of a tier, input or output.
template <typename Visit>
void each_written(const Policy& policy, bool sources, const Visit& visit) {
    for (const Service& service : policy.services) visit(service.host, service.host_span);
    const auto targets = [&](const std::vector<Target>& list) {
        for (const Target& target : list) {
            if (!target.service) visit(target.host, target.definition);
        }
    };
    const auto from = [&](const std::vector<Source>& list) {
        for (const Source& source : list) visit(source.host, source.span);
    };
    for (const Tier& tier : policy.tiers) {
        if (sources) from(tier.who);
        targets(tier.allow);
    }
    for (const Node& node : policy.nodes) {
        if (node.output) targets(*node.output);
        for (const Input& input : node.inputs) {
            if (sources) from(input.from);
        }
    }
}

void warn_unknown_networks(const Context& context) {
    const Policy& policy = context.policy;
    std::vector<Range> ranges;
    for (const Network& network : policy.networks) {
        for (const auto& range : network.ranges) ranges.push_back(range.value);
    }
    for (const Node& node : policy.nodes) {
        for (const auto& range : node.serves) ranges.push_back(range.value);
    }
    if (ranges.empty()) return;
    for (const Node& node : policy.nodes) {
        for (const auto& address : node.addresses) ranges.push_back(range_of(address.value));
    }
    const AddressSet known(std::move(ranges));
    std::set<Span> told;
    each_written(policy, false, [&](const Host& host, Span span) {
        const Range* range = range_of_host(host);
        if (range == nullptr || known.meets(*range) || (policy.ipv6 == Ipv6::deny && range->family == Family::ipv6))
            return;
        if (!told.insert(span).second) return;
        context.diagnostics
            .report(Code::W0407, span, fmt::format("{} is in no network of this policy", to_string(*range)),
                    "neither in [networks] nor served by a node")
            .help("if it is meant, name its network in [networks]");
    });
}

void warn_denied_family(const Context& context) {
    const Policy& policy = context.policy;
    if (policy.ipv6 != Ipv6::deny) return;
    std::set<Span> told;
    const auto warn = [&](Span span, const std::string& what) {
        if (!told.insert(span).second) return;
        Diagnostic& diagnostic = context.diagnostics.report(
            Code::W0602, span, fmt::format("{} is IPv6, which this policy denies", what), "allows nothing");
        if (policy.ipv6_span.valid()) diagnostic.also(policy.ipv6_span, "IPv6 is denied everywhere");
        diagnostic.help("set ipv6 = \"dual\" and give every node an address of each family, or write an IPv4 address");
    };
    each_written(policy, true, [&](const Host& host, Span span) {
        const Range* range = range_of_host(host);
        if (range != nullptr && range->family == Family::ipv6) warn(span, to_string(*range));
    });
    for (const Node& node : policy.nodes) {
        if (node.addresses.size() == 1 && node.addresses[0].value.family == Family::ipv6)
            warn(node.addresses[0].span, fmt::format("the only address of `{}`", node.name));
    }
    for (const Network& network : policy.networks) {
        const auto ipv6 = [](const auto& range) { return range.value.family == Family::ipv6; };
        if (!network.ranges.empty() && std::ranges::all_of(network.ranges, ipv6))
            warn(network.span, fmt::format("all of `{}`", network.name));
    }
}

}  // namespace

void check_usage(Context& context, const Lists& lists) {
    warn_redundant(context, lists);
    warn_unused_services(context, lists);
    warn_unused_groups(context, lists);
    warn_empty_lists(context);
    warn_undialled(context);
    warn_tunnel_refused(context);
    warn_served_twice(context);
    warn_unknown_networks(context);
    warn_denied_family(context);
}

}  // namespace policyc
