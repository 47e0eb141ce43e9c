// Lists the permissions of a policy, in force or not, person by person, and what is implied: access_list(), implied_rows().
#include "compiler/driver/access_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <tuple>

#include "compiler/implied.h"
#include "compiler/time_text.h"
#include "policy/text.h"

namespace policyc {

namespace {

bool same_host(const Host& a, const Host& b) {
    if (a.index() != b.index()) return false;
    if (const auto* node = std::get_if<NodeRef>(&a)) return node->node == std::get<NodeRef>(b).node;
    if (const auto* network = std::get_if<NetworkRef>(&a)) return network->network == std::get<NetworkRef>(b).network;
    if (const auto* range = std::get_if<Range>(&a)) return *range == std::get<Range>(b);
    return std::get<HostName>(a).name == std::get<HostName>(b).name;
}

// Where IPv6 is denied, what is IPv4 of these; all, where nothing is.
std::vector<Range> passable(const Policy& policy, std::vector<Range> ranges) {
    const auto is_six = [](const Range& range) { return range.family == Family::ipv6; };
    if (policy.ipv6 == Ipv6::deny && !std::ranges::all_of(ranges, is_six)) std::erase_if(ranges, is_six);
    return ranges;
}

std::vector<Range> own_ranges(const Policy& policy, const Node& node) {
    std::vector<Range> ranges;
    for (const auto& address : node.addresses) ranges.push_back(range_of(address.value));
    return passable(policy, std::move(ranges));
}

std::vector<std::string> texts_of(const std::vector<Range>& ranges) {
    std::vector<std::string> texts;
    for (const Range& range : ranges) texts.push_back(to_string(range));
    return texts;
}

// One end of a row: the families that it has, and in which of them it is asked for. Without an address it has `no_family`.
struct RowEnd {
    static constexpr unsigned no_family = 4;
    unsigned has = 0;
    unsigned asked = 0;

    auto operator<=>(const RowEnd&) const = default;
};

// A packet is of one family: both ends are asked for in one that both have. Where there is none, each is looked at alone: the row is not in force, or an end has
// addresses that the policy doesn't know.
bool shown(const RowEnd& who, const RowEnd& what) {
    const unsigned both = who.has & what.has;
    return both == 0 ? who.asked != 0 && what.asked != 0 : (who.asked & what.asked & both) != 0;
}

// Targets that differ only in their ports, which one row shows.
struct TargetRun {
    std::span<const Target> targets;
    RowEnd end;
};

// Which ends of rows a filter asks for.
class RowFilter {
public:
    RowFilter(const Policy& policy, const Addresses& addresses, const ListFilter& filter)
        : policy_(policy), addresses_(addresses), filter_(filter) {}

    [[nodiscard]] RowEnd end(const Source& source) const {
        return end_of(ranges_of(source.host), !filter_.who.has_value(),
                      [&](const Range& range) { return filter_.who->meets(range); });
    }

    [[nodiscard]] std::vector<TargetRun> runs(const std::vector<Target>& list) const {
        std::vector<TargetRun> out;
        for (std::size_t i = 0, begin = 0; i < list.size(); ++i) {
            const bool ends = i + 1 == list.size() || list[i + 1].label != list[i].label ||
                              list[i + 1].service != list[i].service || list[i + 1].span != list[i].span ||
                              !same_host(list[i + 1].host, list[i].host);
            if (!ends) continue;
            const std::span<const Target> run = std::span(list).subspan(begin, i + 1 - begin);
            out.push_back({run, end(run)});
            begin = i + 1;
        }
        return out;
    }

    // An input is open at every address of its node, and those that the policy doesn't know are likeliest in a network that the node serves.
    [[nodiscard]] RowEnd end(const Node& node, const Input& input) const {
        std::vector<Range> served;
        for (const auto& range : node.serves) served.push_back(range.value);
        std::vector<Range> near = own_ranges(policy_, node);
        std::ranges::move(passable(policy_, std::move(served)), std::back_inserter(near));
        return end_of(near, !filter_.what.has_value(), [&](const Range& range) {
            return std::ranges::any_of(input.ports, [&](const Ports& p) { return meets(range, reach::slots_of(p)); });
        });
    }

private:
    template <typename Meets>
    static RowEnd end_of(const std::vector<Range>& ranges, bool all, const Meets& meets) {
        RowEnd end;
        for (const Range& range : ranges) {
            const unsigned family = range.family == Family::ipv4 ? 1 : 2;
            end.has |= family;
            if (all || ((end.asked & family) == 0 && meets(range))) end.asked |= family;
        }
        if (ranges.empty()) end = {RowEnd::no_family, all ? RowEnd::no_family : 0};
        return end;
    }

    [[nodiscard]] RowEnd end(std::span<const Target> run) const {
        const auto any = [&](const auto& asked) { return std::ranges::any_of(run, asked); };
        RowEnd out = end_of(ranges_of(run.front().host), !filter_.what.has_value(), [&](const Range& range) {
            return any([&](const Target& target) { return meets(range, reach::slots_of(target.ports)); });
        });
        const auto nameless = [&](const Target* asked) {
            return same_host(asked->host, run.front().host) && any([&](const Target& target) {
                       return reach::slots_of(asked->ports).meets(reach::slots_of(target.ports));
                   });
        };
        if (filter_.what && std::ranges::any_of(filter_.what->nameless, nameless)) out.asked |= out.has;
        return out;
    }

    [[nodiscard]] std::vector<Range> ranges_of(const Host& host) const {
        return passable(policy_, reach::addresses_of_host(policy_, addresses_, host));
    }
    [[nodiscard]] bool meets(const Range& range, reach::Slots slots) const {
        return !filter_.what->areas.meeting({range, slots, 0}).empty();
    }

    const Policy& policy_;
    const Addresses& addresses_;
    const ListFilter& filter_;
};

class Lister {
public:
    // Tiers are judged on that node, or else on any.
    Lister(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node, Days today,
           const ListFilter& filter)
        : policy_(policy), addresses_(addresses), today_(today), asked_(policy, addresses, filter) {
        for (std::size_t i = 0; i < policy.nodes.size(); ++i)
            if ((!node || *node == i) && policy.nodes[i].scope == Scope::tunnel) beside_.emplace(i, Beside(policy, i));
    }

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
        const std::vector<TargetRun> runs = asked_.runs(tier.allow);
        for (const Source& source : tier.who) targets(base, source, runs, true);
    }

    void input(const Node& node, const Input& input) {
        seen_.clear();
        const RowEnd end = asked_.end(node, input);
        AccessRow base;
        base.via = fmt::format("nodes.{}.input.{}", node.name, input.name);
        base.log = input.log_new;
        if (input.limit) base.limits.push_back(to_string(*input.limit));
        base.what = node.name;
        base.host = node.name;
        base.own = true;
        for (const Range& range : own_ranges(policy_, node)) {
            if (policy_.ipv6 == Ipv6::dual || range.family == Family::ipv4) base.addresses.push_back(to_string(range));
        }
        for (const Ports& ports : input.ports) base.ports.push_back(to_string(ports));
        for (const Source& source : input.from) {
            if (!shown(asked_.end(source), end)) continue;
            AccessRow row = base;
            row.span = source.span;
            row.why_not = no_way(&source.host, nullptr);
            const auto beside = beside_.find(index(node));
            if (beside != beside_.end() && beside->second.holds_received(ranges_of(source.host)))
                row.unjudged_on = node.name;
            put(row, source);
        }
    }

    void output(const Node& node) {
        AccessRow base;
        base.via = fmt::format("nodes.{}.output", node.name);
        seen_.clear();
        // What it sends may have any address of its own, be it in the policy or not.
        targets(base, Source{NodeRef{index(node)}, node.name, node.span}, asked_.runs(*node.output), false);
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

    // One row for each run.
    void targets(const AccessRow& base, const Source& source, const std::vector<TargetRun>& runs, bool by_address) {
        const RowEnd who = asked_.end(source);
        for (const TargetRun& run : runs) {
            if (!shown(who, run.end)) continue;
            const Target& first = run.targets.front();
            AccessRow row = base;
            row.what = first.label;
            row.host = text(first.host);
            row.addresses = addresses_of_host(first.host);
            row.span = first.span;
            for (const Target& target : run.targets) row.ports.push_back(to_string(target.ports));
            if (first.service) service(policy_.services[*first.service], row);
            expiry(first.expires, row);
            if (std::string why = no_way(by_address ? &source.host : nullptr, &first.host); !why.empty())
                row.why_not = std::move(why);
            if (by_address && !beside_.empty()) row.unjudged_on = unjudged_on(source.host, first.host);
            if (!by_address) row.unjudged_on = unsent_by(source.host, first.host);
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
        if (!row.in_force) row.unjudged_on.clear();
        // Who is in a list twice (by name and by a group) reaches it once.
        if (seen_.emplace(row.who, row.what, row.host, row.ports).second) rows_.push_back(std::move(row));
    }

    [[nodiscard]] std::string text(const Host& host) const {
        if (const auto* node = std::get_if<NodeRef>(&host)) return policy_.nodes[node->node].name;
        if (const auto* network = std::get_if<NetworkRef>(&host)) return policy_.networks[network->network].name;
        if (const auto* range = std::get_if<Range>(&host)) return to_string(*range);
        return std::get<HostName>(host).name;
    }

    [[nodiscard]] std::vector<Range> ranges_of(const Host& host) const {
        return passable(policy_, reach::addresses_of_host(policy_, addresses_, host));
    }

    [[nodiscard]] std::vector<std::string> addresses_of_host(const Host& host) const {
        return texts_of(ranges_of(host));
    }

    [[nodiscard]] std::string unjudged_on(const Host& from, const Host& to) const {
        const std::vector<Range> sources = ranges_of(from);
        const std::vector<Range> destinations = ranges_of(to);
        const auto at = std::ranges::find_if(
            beside_, [&](const auto& beside) { return beside.second.holds(sources, destinations); });
        return at == beside_.end() ? "" : policy_.nodes[at->first].name;
    }

    // Of what a node sends itself.
    [[nodiscard]] std::string unsent_by(const Host& from, const Host& to) const {
        const std::size_t node = std::get<NodeRef>(from).node;
        const auto beside = beside_.find(node);
        const bool unsent = beside != beside_.end() && beside->second.holds_sent(ranges_of(to));
        return unsent ? policy_.nodes[node].name : "";
    }

    // Why no packet can be from the one to the other, whatever is allowed; "" where one can, or where either has no address. Null: any address.
    [[nodiscard]] std::string no_way(const Host* from, const Host* to) const {
        const auto has = [this](const Host* host, Family family) {
            return host == nullptr || std::ranges::any_of(reach::addresses_of_host(policy_, addresses_, *host),
                                                          [&](const Range& range) { return range.family == family; });
        };
        const bool four = has(from, Family::ipv4);
        const bool six = has(from, Family::ipv6);
        const bool to_four = has(to, Family::ipv4);
        const bool to_six = has(to, Family::ipv6);
        if ((four && to_four) || (!four && !six) || (!to_four && !to_six)) return {};
        if (!six || !to_six) return "no address of one family";
        return policy_.ipv6 == Ipv6::deny ? "ipv6 = \"deny\"" : "";
    }

    const Policy& policy_;
    const Addresses& addresses_;
    Days today_;
    RowFilter asked_;
    std::map<std::size_t, Beside> beside_;  // of nodes in scope `tunnel`
    std::vector<AccessRow> rows_;
    std::set<std::tuple<std::string, std::string, std::string, std::vector<std::string>>> seen_;  // of one list
};

}  // namespace

ListFilter list_filter(const Policy& policy, const Addresses& addresses, const Expectation& question,
                       const Query& query) {
    ListFilter filter;
    if (query.from) {
        std::vector<Range> ranges;
        for (const Source& source : question.from)
            std::ranges::move(reach::addresses_of_host(policy, addresses, source.host), std::back_inserter(ranges));
        filter.who = AddressSet(std::move(ranges));
    }
    if (!query.to) return filter;
    filter.what.emplace();
    std::vector<reach::Area> areas;
    for (const Target& target : question.allow->targets) {
        const std::vector<Range> ranges = reach::addresses_of_host(policy, addresses, target.host);
        if (ranges.empty()) filter.what->nameless.push_back(&target);
        for (const Range& range : ranges) areas.push_back({range, reach::slots_of(target.ports), 0});
    }
    filter.what->areas = reach::AreaIndex(std::move(areas));
    return filter;
}

ListFilter served_filter(const Policy& policy, const Expectation& question, ListFilter filter) {
    std::vector<reach::Area> areas;
    for (const Target& target : question.allow->targets) {
        const auto* node = std::get_if<NodeRef>(&target.host);
        if (node == nullptr || policy.nodes[node->node].scope == Scope::none) continue;
        for (const auto& range : policy.nodes[node->node].serves)
            areas.push_back({range.value, reach::slots_of(target.ports), 0});
    }
    filter.what = ListFilter::Things{reach::AreaIndex(std::move(areas)), {}};
    return filter;
}

std::vector<ImpliedRow> implied_rows(const Policy& policy, const Node& node) {
    std::vector<ImpliedRow> rows;
    const auto add = [&](std::string what) { rows.push_back({node.name, std::move(what)}); };
    add("ICMP errors about a flow that is tracked");
    add(node.output ? "replies to what `output` allows" : fmt::format("replies to what {} itself began", node.name));
    if (node.scope != Scope::host) return rows;
    add("loopback");
    if (policy.ipv6 == Ipv6::dual) add("IPv6 neighbour discovery");
    const char* const anywhere = policy.ipv6 == Ipv6::deny ? "anywhere over IPv4" : "anywhere";
    if (const auto port = wireguard_port(node)) {
        add(fmt::format("WireGuard from {}: {}/udp", anywhere, *port));
        // Without `output` nothing that this host sends is judged.
        if (node.output) add(fmt::format("what WireGuard sends from {}/udp", *port));
    }
    if (!node.output || !node.peer) return rows;
    const Node& peer = policy.nodes[*node.peer];
    const auto* address = peer.endpoint ? std::get_if<Address>(&peer.endpoint->host) : nullptr;
    if (address != nullptr && policy.ipv6 == Ipv6::deny && address->family == Family::ipv6) return rows;
    const std::string where =
        address != nullptr
            ? " at " + to_string(*address)
            : fmt::format(", {} since {}", anywhere, peer.endpoint ? "its endpoint is a name" : "it has no endpoint");
    if (const auto port = wireguard_port(peer)) add(fmt::format("WireGuard to {}{}: {}/udp", peer.name, where, *port));
    return rows;
}

std::string unjudged_by(const Node& node) {
    const std::string tunnel = node.interface ? node.interface->value : "its tunnel";
    std::vector<std::string> parts;
    std::vector<std::string> untouched;
    for (const auto& interface : node.untouched.interfaces) untouched.push_back(interface.value);
    for (const auto& range : node.untouched.ranges) untouched.push_back(to_string(range.value));
    switch (node.scope) {
        case Scope::none: return "anything, for its scope is \"none\"";
        case Scope::tunnel:
            parts.push_back(fmt::format("what neither enters nor leaves through {}{}", tunnel,
                                        untouched.empty() ? "" : ", be it of `untouched` or not"));
            break;
        case Scope::host:
            if (!untouched.empty())
                parts.push_back(fmt::format("what comes from or goes to {} (`untouched`) and does not cross {}",
                                            few(untouched), tunnel));
            break;
    }
    if (!node.output) parts.push_back("what it sends itself");
    return fmt::format("{}", fmt::join(parts, "; "));
}

AccessList access_list(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node, Days today,
                       const ListFilter& filter) {
    AccessList list;
    Lister lister(policy, addresses, node, today, filter);
    for (const Tier& tier : policy.tiers) lister.tier(tier);
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        const Node& one = policy.nodes[i];
        if (node && *node != i) continue;
        const std::string unjudged = unjudged_by(one);
        const bool whole = !filter.who && !filter.what;
        if (whole && one.interface && !unjudged.empty()) list.unjudged.push_back({one.name, unjudged});
        if (one.scope == Scope::none) continue;
        for (const Input& input : one.inputs) lister.input(one, input);
        if (one.output) lister.output(one);
        if (whole) std::ranges::move(implied_rows(policy, one), std::back_inserter(list.implied));
    }
    list.rows = lister.rows();
    return list;
}

std::size_t count_rows(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node,
                       const ListFilter& filter) {
    const RowFilter asked(policy, addresses, filter);
    // Ends that are asked for alike are counted together: tiers may have very many of both.
    using Alike = std::map<RowEnd, std::size_t>;
    const auto sources = [&](const std::vector<Source>& list) {
        Alike alike;
        for (const Source& source : list) ++alike[asked.end(source)];
        return alike;
    };
    const auto targets = [&](const std::vector<Target>& list) {
        Alike alike;
        for (const TargetRun& run : asked.runs(list)) ++alike[run.end];
        return alike;
    };
    std::size_t count = 0;
    const auto add = [&](const Alike& who, const Alike& what) {
        for (const auto& [source, people] : who)
            for (const auto& [target, things] : what)
                if (shown(source, target)) count += people * things;
    };
    for (const Tier& tier : policy.tiers) add(sources(tier.who), targets(tier.allow));
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        const Node& one = policy.nodes[i];
        if (one.scope == Scope::none || (node && *node != i)) continue;
        for (const Input& input : one.inputs) add(sources(input.from), {{asked.end(one, input), 1}});
        if (one.output) add({{asked.end(Source{NodeRef{i}, one.name, one.span}), 1}}, targets(*one.output));
    }
    return count;
}

}  // namespace policyc
