// Lists the permissions of a policy, in force or not, person by person, and what is implied: access_list(), implied_rows().
#include "compiler/driver/access_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "compiler/time_text.h"

namespace policyc {

namespace {

bool shows(const std::optional<std::set<std::string>>& filter, const std::string& name) {
    return !filter || filter->contains(name);
}

bool same_host(const Host& a, const Host& b) {
    if (a.index() != b.index()) return false;
    if (const auto* node = std::get_if<NodeRef>(&a)) return node->node == std::get<NodeRef>(b).node;
    if (const auto* network = std::get_if<NetworkRef>(&a)) return network->network == std::get<NetworkRef>(b).network;
    if (const auto* range = std::get_if<Range>(&a)) return *range == std::get<Range>(b);
    return std::get<HostName>(a).name == std::get<HostName>(b).name;
}

// Targets that differ only in their ports, which one row shows: where each such run begins, and where the last one ends.
std::vector<std::size_t> runs_of(const std::vector<Target>& list) {
    std::vector<std::size_t> begins;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const bool goes_on = i > 0 && list[i].label == list[i - 1].label && list[i].service == list[i - 1].service &&
                             list[i].span == list[i - 1].span && same_host(list[i].host, list[i - 1].host);
        if (!goes_on) begins.push_back(i);
    }
    begins.push_back(list.size());
    return begins;
}

std::size_t count_runs(const std::vector<Target>& list, const ListFilter& filter) {
    const std::vector<std::size_t> runs = runs_of(list);
    std::size_t count = 0;
    for (std::size_t i = 0; i + 1 < runs.size(); ++i)
        if (shows(filter.what, list[runs[i]].label)) ++count;
    return count;
}

std::size_t count_sources(const std::vector<Source>& list, const ListFilter& filter) {
    return static_cast<std::size_t>(
        std::ranges::count_if(list, [&](const Source& source) { return shows(filter.who, source.label); }));
}

class Lister {
public:
    Lister(const Policy& policy, const Addresses& addresses, Days today, const ListFilter& filter)
        : policy_(policy), addresses_(addresses), today_(today), filter_(filter) {}

    void tier(const Tier& tier) {
        AccessRow base;
        base.via = "tiers." + tier.name;
        base.log = tier.log_new;
        if (tier.limit) base.limits.push_back(to_string(*tier.limit));
        if (tier.expires) base.until = tier.expires->value;
        if (tier.grant)
            base.why_not = tier.grant->max ? fmt::format("needs a grant, at most {}", duration_text(*tier.grant->max))
                                           : "needs a grant";
        if (tier.bastion) {
            base.why_not += fmt::format("{}only from a session on {}", base.why_not.empty() ? "" : ", or ",
                                        policy_.nodes[tier.bastion->node].name);
        }
        if (!holds_on(tier.expires, today_)) base.why_not = "expired " + to_text(tier.expires->value);
        seen_.clear();
        for (const Source& source : tier.who) targets(base, source, tier.allow);
    }

    void input(const Node& node, const Input& input) {
        if (!shows(filter_.what, node.name)) return;
        seen_.clear();
        AccessRow base;
        base.via = fmt::format("nodes.{}.input.{}", node.name, input.name);
        base.log = input.log_new;
        if (input.limit) base.limits.push_back(to_string(*input.limit));
        base.what = node.name;
        base.host = node.name;
        for (const auto& address : node.addresses) base.addresses.push_back(to_string(address.value));
        for (const Ports& ports : input.ports) base.ports.push_back(to_string(ports));
        for (const Source& source : input.from) {
            if (!shows(filter_.who, source.label)) continue;
            AccessRow row = base;
            row.span = source.span;
            put(row, source);
        }
    }

    void output(const Node& node) {
        AccessRow base;
        base.via = fmt::format("nodes.{}.output", node.name);
        seen_.clear();
        targets(base, Source{NodeRef{index(node)}, node.name, node.span}, *node.output);
    }

    std::vector<AccessRow> rows() {
        // Nodes in their order, then whoever else is named, in order of appearance.
        std::map<std::string, std::size_t> order;
        for (const Node& node : policy_.nodes) order.emplace(node.name, order.size());
        for (const AccessRow& row : rows_) order.emplace(row.who, order.size());
        std::stable_sort(rows_.begin(), rows_.end(),
                         [&](const AccessRow& a, const AccessRow& b) { return order[a.who] < order[b.who]; });
        return std::move(rows_);
    }

private:
    [[nodiscard]] std::size_t index(const Node& node) const {
        return static_cast<std::size_t>(&node - policy_.nodes.data());
    }

    // One row for each run of targets that differ only in their ports.
    void targets(const AccessRow& base, const Source& source, const std::vector<Target>& list) {
        if (!shows(filter_.who, source.label)) return;
        const std::vector<std::size_t> runs = runs_of(list);
        for (std::size_t run = 0; run + 1 < runs.size(); ++run) {
            const Target& first = list[runs[run]];
            if (!shows(filter_.what, first.label)) continue;
            AccessRow row = base;
            row.what = first.label;
            row.host = text(first.host);
            row.addresses = addresses_of_host(first.host);
            row.span = first.span;
            for (std::size_t i = runs[run]; i < runs[run + 1]; ++i) row.ports.push_back(to_string(list[i].ports));
            if (first.service) service(policy_.services[*first.service], row);
            expiry(first.expires, row);
            put(row, source);
        }
    }

    void service(const Service& service, AccessRow& row) const {
        row.log = row.log || service.log_new;
        if (service.limit) row.limits.push_back(to_string(*service.limit));
    }

    void expiry(const std::optional<Spanned<Days>>& expires, AccessRow& row) const {
        if (!expires) return;
        row.until = row.until ? std::min(*row.until, expires->value) : expires->value;
        if (!holds_on(expires, today_)) row.why_not = "expired " + to_text(expires->value);
    }

    void put(AccessRow row, const Source& source) {
        row.who = source.label;
        row.who_addresses = addresses_of_host(source.host);
        row.in_force = row.why_not.empty();
        // Who is in a list twice (by name and by a group) reaches it once.
        if (seen_.emplace(row.who, row.what, row.host, row.ports).second) rows_.push_back(std::move(row));
    }

    [[nodiscard]] std::string text(const Host& host) const {
        if (const auto* node = std::get_if<NodeRef>(&host)) return policy_.nodes[node->node].name;
        if (const auto* network = std::get_if<NetworkRef>(&host)) return policy_.networks[network->network].name;
        if (const auto* range = std::get_if<Range>(&host)) return to_string(*range);
        return std::get<HostName>(host).name;
    }

    [[nodiscard]] std::vector<std::string> addresses_of_host(const Host& host) const {
        std::vector<std::string> texts;
        if (const auto* node = std::get_if<NodeRef>(&host)) {
            for (const auto& address : policy_.nodes[node->node].addresses) texts.push_back(to_string(address.value));
        } else if (const auto* network = std::get_if<NetworkRef>(&host)) {
            for (const auto& range : policy_.networks[network->network].ranges) texts.push_back(to_string(range.value));
        } else if (const auto* range = std::get_if<Range>(&host)) {
            texts.push_back(to_string(*range));
        } else if (const auto found = addresses_.find(std::get<HostName>(host).name); found != addresses_.end()) {
            for (const Address& address : found->second) {
                if (policy_.ipv6 == Ipv6::dual || address.family == Family::ipv4) texts.push_back(to_string(address));
            }
        }
        return texts;
    }

    const Policy& policy_;
    const Addresses& addresses_;
    Days today_;
    const ListFilter& filter_;
    std::vector<AccessRow> rows_;
    std::set<std::tuple<std::string, std::string, std::string, std::vector<std::string>>> seen_;  // of one list
};

}  // namespace

std::set<std::string> members_of(const Policy& policy, const std::string& name) {
    std::set<std::string> names;
    std::set<std::string> seen{name};
    std::vector<std::string> open{name};
    while (!open.empty()) {
        const std::string next = std::move(open.back());
        open.pop_back();
        const auto group = std::ranges::find(policy.groups, next, &Group::name);
        if (group == policy.groups.end()) {
            names.insert(next);
            continue;
        }
        for (const std::string& member : group->members)
            if (seen.insert(member).second) open.push_back(member);
    }
    return names;
}

std::vector<ImpliedRow> implied_rows(const Policy& policy, const Node& node) {
    std::vector<ImpliedRow> rows;
    const auto add = [&](std::string what) { rows.push_back({node.name, std::move(what)}); };
    add("ICMP errors about a flow that is tracked");
    add(node.output ? "replies to what `output` allows" : fmt::format("replies to what {} itself began", node.name));
    if (node.scope != Scope::host) return rows;
    add("loopback");
    if (policy.ipv6 == Ipv6::dual) add("IPv6 neighbour discovery");
    if (const auto port = wireguard_port(node)) add(fmt::format("WireGuard from anywhere: {}/udp", *port));
    if (!node.output || !node.peer) return rows;
    const Node& peer = policy.nodes[*node.peer];
    if (const auto port = wireguard_port(peer)) add(fmt::format("WireGuard to {}: {}/udp", peer.name, *port));
    return rows;
}

AccessList access_list(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node, Days today,
                       const ListFilter& filter) {
    AccessList list;
    Lister lister(policy, addresses, today, filter);
    for (const Tier& tier : policy.tiers) lister.tier(tier);
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        const Node& one = policy.nodes[i];
        if (one.scope == Scope::none || (node && *node != i)) continue;
        for (const Input& input : one.inputs) lister.input(one, input);
        if (one.output) lister.output(one);
        if (!filter.who && !filter.what) std::ranges::move(implied_rows(policy, one), std::back_inserter(list.implied));
    }
    list.rows = lister.rows();
    return list;
}

std::size_t count_rows(const Policy& policy, std::optional<std::size_t> node, const ListFilter& filter) {
    std::size_t count = 0;
    for (const Tier& tier : policy.tiers) count += count_sources(tier.who, filter) * count_runs(tier.allow, filter);
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        const Node& one = policy.nodes[i];
        if (one.scope == Scope::none || (node && *node != i)) continue;
        if (shows(filter.what, one.name))
            for (const Input& input : one.inputs) count += count_sources(input.from, filter);
        if (one.output && shows(filter.who, one.name)) count += count_runs(*one.output, filter);
    }
    return count;
}

ListNames list_names(const Policy& policy) {
    std::set<std::string> who;
    std::set<std::string> what;
    const auto add = [](std::set<std::string>& names, const auto& list) {
        for (const auto& one : list) names.insert(one.label);
    };
    for (const Tier& tier : policy.tiers) {
        add(who, tier.who);
        add(what, tier.allow);
    }
    for (const Node& node : policy.nodes) {
        for (const Input& input : node.inputs) add(who, input.from);
        if (!node.inputs.empty()) what.insert(node.name);
        if (!node.output) continue;
        who.insert(node.name);
        add(what, *node.output);
    }
    return {{who.begin(), who.end()}, {what.begin(), what.end()}};
}

}  // namespace policyc
