// What the addresses of a policy have to do with each other. Entry point: check_addresses().
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "policy/check_context.h"

namespace policyc {
namespace {

// The smallest range that may hold more nodes beside `address`: of [networks], else a usual prefix.
Range room_of(const Policy& policy, const Address& address) {
    std::optional<Range> best;
    for (const Network& network : policy.networks) {
        for (const auto& range : network.ranges) {
            const bool smaller = !best || best->holds(range.value);
            if (range.value.holds(range_of(address)) && !range.value.single() && smaller) best = range.value;
        }
    }
    if (best) return *best;
    const u128 size = address.family == Family::ipv4 ? u128{256} : u128{1} << 64U;
    const u128 lo = address.bits / size * size;
    return {address.family, lo, lo + size - 1};
}

using Owners = std::map<Address, std::pair<std::size_t, Span>>;

// The next address after this one that no node has, then from the start of its network.
std::string free_address(const Policy& policy, const Owners& owners, const Address& address) {
    const Range room = room_of(policy, address);
    const auto last = room.family == Family::ipv4 ? room.hi - 1 : room.hi;  // the broadcast address is none for a node
    const auto search = [&](u128 from, u128 to) -> std::string {
        for (u128 bits = from; bits <= to && bits - from <= owners.size(); ++bits) {
            if (!owners.contains({room.family, bits})) return to_string(Address{room.family, bits});
        }
        return {};
    };
    std::string found = address.bits < last ? search(address.bits + 1, last) : "";
    return found.empty() && room.lo < last ? search(room.lo + 1, last) : found;
}

void check_same_address(const Context& context) {
    const Policy& policy = context.policy;
    Owners owners;
    std::vector<std::pair<Spanned<Address>, std::size_t>> again;
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        for (const auto& address : policy.nodes[i].addresses) {
            if (!owners.try_emplace(address.value, i, address.span).second) again.emplace_back(address, i);
        }
    }
    for (const auto& [address, node] : again) {
        const auto& [first, span] = owners.at(address.value);
        Diagnostic& diagnostic =
            context.diagnostics.report(Code::E0401, address.span,
                                       fmt::format("`{}` and `{}` have the same tunnel address",
                                                   policy.nodes[node].name, policy.nodes[first].name),
                                       "again here");
        diagnostic.also(span, fmt::format("first given to `{}`", policy.nodes[first].name))
            .note(
                "WireGuard moves an AllowedIPs address to the peer configured last: one of the two would lose its "
                "traffic");
        if (const std::string free = free_address(policy, owners, address.value); !free.empty())
            diagnostic.help(free + " is free");
    }
}

// A node's address that another node serves, and nothing else with it: to whom it belongs nothing can tell. In a wider network that is served it is
// the more exact of the two, to WireGuard and to routes.
void check_served_address(const Context& context) {
    const std::vector<Node>& nodes = context.policy.nodes;
    Owners owners;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        for (const auto& address : nodes[i].addresses) owners.try_emplace(address.value, i, address.span);
    }
    for (const auto& [server, served] : context.served) {
        const auto owner = owners.find({served.range.family, served.range.lo});
        if (!served.range.single() || owner == owners.end() || owner->second.first == server) continue;
        const std::string& name = nodes[owner->second.first].name;
        context.diagnostics
            .report(Code::E0401, served.span,
                    fmt::format("`{}` serves the tunnel address of `{}`", nodes[server].name, name), "again here")
            .also(owner->second.second, fmt::format("first given to `{}`", name))
            .note(
                "WireGuard moves an AllowedIPs address to the peer configured last: one of the two would lose its "
                "traffic")
            .help("serve the network that is meant, without the addresses of the tunnel");
    }
}

void check_same_key(const Context& context) {
    std::map<std::string, std::size_t> owners;
    const std::vector<Node>& nodes = context.policy.nodes;
    const auto place = [&](std::size_t node) {
        return context.node_values[node]->table()->find("public_key")->value.span;
    };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].public_key.empty()) continue;
        const auto [first, added] = owners.try_emplace(nodes[i].public_key, i);
        if (added) continue;
        context.diagnostics
            .report(Code::E0405, place(i),
                    fmt::format("`{}` and `{}` have the same public key", nodes[i].name, nodes[first->second].name),
                    "again here")
            .also(place(first->second), fmt::format("first given to `{}`", nodes[first->second].name))
            .note("to WireGuard they are one peer")
            .help("every machine has a key pair of its own: `wg genkey | tee private.key | wg pubkey`");
    }
}

void check_families(const Context& context) {
    const Policy& policy = context.policy;
    if (policy.ipv6 != Ipv6::dual) return;
    for (const Node& node : policy.nodes) {
        if (node.addresses.size() != 1) continue;  // none: has had its error
        const bool ipv4 = node.addresses[0].value.family == Family::ipv4;
        context.diagnostics
            .report(Code::E0404, node.addresses[0].span,
                    fmt::format("`{}` has no {} address", node.name, ipv4 ? "IPv6" : "IPv4"),
                    fmt::format("{} only", ipv4 ? "IPv4" : "IPv6"))
            .also(policy.ipv6_span, "every permission holds in both families")
            .help(fmt::format("write address = [{}]",
                              ipv4 ? fmt::format("\"{}\", \"fd..\"", to_string(node.addresses[0].value))
                                   : fmt::format("\"10...\", \"{}\"", to_string(node.addresses[0].value))));
    }
}

// The network that was meant by one that is too wide: what the addresses of its services have in common, at most a /24 or /64.
std::string narrower(const Policy& policy, const Range& wide, const Range& untouched) {
    const bool ipv4 = wide.family == Family::ipv4;
    std::optional<Range> all;
    for (const Service& service : policy.services) {
        const auto* range = std::get_if<Range>(&service.host);
        if (range == nullptr || !wide.holds(*range)) continue;
        all = all ? Range{wide.family, std::min(all->lo, range->lo), std::max(all->hi, range->hi)} : *range;
    }
    if (!all) return {};
    unsigned host_bits = ipv4 ? 8 : 64;
    while (host_bits < 127 && (all->lo >> host_bits) != (all->hi >> host_bits)) ++host_bits;
    const u128 lo = (all->lo >> host_bits) << host_bits;
    const Range narrow{wide.family, lo, lo + ((u128{1} << host_bits) - 1)};
    return wide.holds(narrow) && narrow != wide && !narrow.meets(untouched) ? to_string(narrow) : "";
}

void check_untouched(const Context& context) {
    const Policy& policy = context.policy;
    for (const auto& [keeper, untouched] : context.untouched) {
        for (const auto& [server, served] : context.served) {
            if (!served.range.meets(untouched.range)) continue;
            const bool inside = untouched.range.holds(served.range);
            // What a node serves it may well leave alone where it is at home: only what comes through the tunnel is judged then.
            if (keeper == server && inside) continue;
            const auto& interface = policy.nodes[keeper].interface;
            const bool wider = served.range.holds(untouched.range);
            Diagnostic& diagnostic = context.diagnostics.report(
                Code::E0402, served.definition,
                fmt::format("`{}` {} a network that must stay untouched", served.label, wider ? "contains" : "lies in"),
                fmt::format("{} to {} ...", to_string(Address{served.range.family, served.range.lo}),
                            to_string(Address{served.range.family, served.range.hi})));
            diagnostic.also(untouched.span, wider ? "... includes this" : "... is a part of this")
                .note(fmt::format("`policyc wg` would route {} into {} and take the other tunnel's traffic",
                                  to_string(wider ? untouched.range : served.range),
                                  interface ? interface->value : "the tunnel"));
            const std::string meant = wider ? narrower(policy, served.range, untouched.range) : "";
            diagnostic.help(meant.empty() ? "name the networks that are meant without this one"
                                          : fmt::format("did you mean {}?", meant));
        }
        for (const Node& node : policy.nodes) {
            for (const auto& address : node.addresses) {
                if (!untouched.range.holds(range_of(address.value))) continue;
                context.diagnostics
                    .report(Code::E0402, address.span,
                            fmt::format("the address of `{}` lies in a network that must stay untouched", node.name),
                            "a tunnel address")
                    .also(untouched.span, "untouched")
                    .help("give the node an address of this tunnel's own network");
            }
        }
    }
}

}  // namespace

void check_addresses(Context& context) {
    check_same_address(context);
    check_served_address(context);
    check_same_key(context);
    check_families(context);
    check_untouched(context);
}

}  // namespace policyc
