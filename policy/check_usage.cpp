// Warnings about a policy that is right, but may not be what was meant. Entry point: check_usage().
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "policy/check_context.h"
#include "policy/reference.h"

namespace policyc {
namespace {

const Range* range_of_host(const Host& host) {
    return std::get_if<Range>(&host);
}

void warn_unused(const Context& context, const Lists& lists) {
    const Policy& policy = context.policy;
    const std::set<std::size_t> servers(context.servers.begin(), context.servers.end());
    for (std::size_t i = 0; i < policy.services.size(); ++i) {
        if (lists.uses_service(i) || servers.contains(i)) continue;
        context.diagnostics
            .report(Code::W0502, policy.services[i].span,
                    fmt::format("no tier names service `{}`", policy.services[i].name), "so this opens nothing")
            .help("add it to the `allow` of a tier, or remove it");
    }
    for (std::size_t i = 0; i < policy.groups.size(); ++i) {
        const Group& group = policy.groups[i];
        if (!lists.uses_group(i)) {
            context.diagnostics
                .report(Code::W0503, group.span, fmt::format("nothing uses group `{}`", group.name), "no list names it")
                .help("name it in a tier, or remove it");
        } else if (group.members.empty()) {
            context.diagnostics
                .report(Code::W0504, group.span, fmt::format("group `{}` is empty", group.name), "nothing is in it")
                .help("an empty group is nobody, or nothing, and never everything");
        }
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
    warn_unused(context, lists);
    warn_undialled(context);
    warn_tunnel_refused(context);
    warn_served_twice(context);
    warn_unknown_networks(context);
    warn_denied_family(context);
}

}  // namespace policyc
