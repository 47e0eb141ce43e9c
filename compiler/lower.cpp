// Policy to Ruleset: the chains that judge a packet, around the sets that PermissionSets fills; entry point lower(). What is judged, denied and
// implied is defined in docs/language.md, section 2; docs/internals.md walks through the program.
#include "compiler/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/lookups.h"
#include "compiler/node_sets.h"
#include "compiler/permissions.h"
#include "compiler/program.h"
#include "compiler/server_ports.h"
#include "compiler/tier_chains.h"

namespace policyc {

namespace {

using ir::Field;
using program::Kind;

constexpr int priority_filter = -10;   // filter - 10: before other people's filter chains
constexpr int priority_mangle = -150;  // NF_IP_PRI_MANGLE
constexpr int priority_srcnat = 100;   // NF_IP_PRI_NAT_SRC
// No program uses a TCP port up to this one to begin a connection from (NFS and rsh begin at 512).
constexpr std::uint16_t last_server_port = 511;
// Where Linux begins to choose ports for connections it begins (net.ipv4.ip_local_port_range), never one that something listens on.
constexpr std::uint16_t first_ephemeral_port = 32768;
// A range of at most this many ports is taken for ports that something listens on.
constexpr int listening_ports = 16;

// RFC 792 and RFC 4443: destination unreachable, time exceeded, parameter problem; packet too big.
const std::vector<std::uint8_t> icmp_errors{3, 11, 12};
const std::vector<std::uint8_t> icmpv6_errors{1, 2, 3, 4};
// RFC 4861: router and neighbour solicitation and advertisement. Redirects are left out: they move routes.
const std::vector<std::uint8_t> neighbour_discovery{133, 134, 135, 136};

class Program {
public:
    Program(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, const Layout& layout)
        : policy_(policy),
          node_(policy.nodes[node]),
          layout_(layout),
          permissions_(policy, addresses, node, today, layout.form) {
        if (policy.ipv6 == Ipv6::dual) families_.push_back(Family::ipv6);
    }

    ir::Ruleset build() {
        out_.node = node_.name;
        if (node_.scope == Scope::none) return std::move(out_);
        permissions_.collect(out_);
        tiers_.emplace(policy_, permissions_.members(), !node_.output, layout_, out_);
        add_side_sets(sides_of(policy_, index()), families_, out_);
        if (host_scope()) add_untouched_sets(node_.untouched, out_);
        add_rate_sets(permissions_.limiters(), families_, out_);
        lookups_.emplace(out_, families_, layout_.shard);

        // Regular chains before those that jump to them.
        add_opened();
        add_limits();
        add_tiers();
        add_to_host();
        add_denied();
        if (node_.output)
            add_from_host();
        else
            add_turned();
        if (host_scope() && has_untouched()) add_not_ours();
        add_input();
        add_forward();
        if (node_.output) add_output();
        add_mss();
        if (node_.source == SourceNat::masquerade) add_masquerade();
        return std::move(out_);
    }

private:
    [[nodiscard]] bool host_scope() const { return node_.scope == Scope::host; }
    [[nodiscard]] bool dual() const { return families_.size() == 2; }
    [[nodiscard]] const std::string& tunnel() const { return node_.interface->value; }
    [[nodiscard]] bool has_untouched() const {
        return !node_.untouched.interfaces.empty() || !node_.untouched.ranges.empty();
    }
    [[nodiscard]] std::size_t index() const { return static_cast<std::size_t>(&node_ - policy_.nodes.data()); }

    void chain(std::string name, std::string comment, std::vector<ir::Rule> rules,
               std::optional<ir::BaseChain> base = std::nullopt) {
        out_.chains.push_back({std::move(name), base, std::move(comment), std::move(rules)});
    }

    static const char* word(Kind kind) {
        switch (kind) {
            case Kind::allow: return "allow";
            case Kind::input: return "input";
            case Kind::output: return "output";
        }
        return "";
    }

    // The verdict for a flow that a permission of this kind covers.
    [[nodiscard]] ir::Statement admitted(Kind kind) const {
        const std::string opened = fmt::format("{}_opened", word(kind));
        const bool exists = std::ranges::any_of(out_.chains, [&](const ir::Chain& c) { return c.name == opened; });
        return exists ? ir::Statement{ir::Goto{opened}} : ir::Statement{ir::Accept{}};
    }

    void add_permissions(std::vector<ir::Rule>& rules, Kind kind, std::size_t limit) {
        const ir::Statement verdict = limit == 0 ? admitted(kind) : ir::Jump{fmt::format("limit{}", limit)};
        lookups_->permissions(rules, {.kind = kind, .limit = static_cast<std::uint32_t>(limit)}, {verdict},
                              Lookups::Way::map);
    }

    void add_limited_permissions(std::vector<ir::Rule>& rules, Kind kind) {
        for (std::size_t limit = 1; limit <= limits(); ++limit) add_permissions(rules, kind, limit);
    }

    [[nodiscard]] std::size_t limits() const { return permissions_.limit_classes().size(); }

    // allow_opened, input_opened: counts and logs the first packets of what is let through. Left out where there is nothing to count or log.
    void add_opened() {
        const ir::LogPacket log{"policyc new ", policy_.log.nflog_group};
        for (const Kind kind : {Kind::allow, Kind::input}) {
            std::vector<ir::Rule> rules;
            if (kind == Kind::allow) {
                lookups_->counters(rules);
                tiers_->add_logs(rules, log, *lookups_);
            }
            lookups_->permissions(rules, {.kind = kind}, {log}, Lookups::Way::list, "log_");
            if (rules.empty()) continue;
            rules.insert(rules.begin(), make_rule({ir::MatchConfirmed{}, ir::Accept{}}));
            rules.push_back(make_rule({ir::Accept{}}));
            chain(fmt::format("{}_opened", word(kind)), "what begins is counted and logged", std::move(rules));
        }
    }

    // What needs no rate comes first: a flow that it covers takes nothing from a bucket.
    void add_tiers() {
        tiers_->add_chains(admitted(Kind::allow), limits(), *lookups_);
        std::vector<ir::Rule> rules;
        add_permissions(rules, Kind::allow, 0);
        tiers_->add_jumps(rules, *lookups_);
        add_limited_permissions(rules, Kind::allow);
        chain("tiers", "what tiers allow, by the tuple that began the flow", std::move(rules));
    }

    // limitN: lets the flow pass while every bucket of its class has room for this source, else goes back to ask the other permissions.
    void add_limits() {
        for (std::size_t i = 0; i < permissions_.limit_classes().size(); ++i) {
            const auto& members = permissions_.limit_classes()[i];
            std::vector<ir::Rule> rules;
            rules.push_back(make_rule({ir::MatchConfirmed{}, ir::Accept{}}));
            for (const Family family : families_) {
                Statements statements;
                for (const std::size_t member : members) {
                    const Rate& rate = permissions_.limiters()[member].rate;
                    statements.push_back(
                        ir::UpdateRate{rate_set(member, family), source_of_packet(family), rate, rate.count});
                }
                const bool of_input = permissions_.limiters()[members.front()].what.starts_with("input.");
                statements.push_back(admitted(of_input ? Kind::input : Kind::allow));
                rules.push_back(make_rule(std::move(statements), "", permissions_.limiters()[members.front()].span));
            }
            std::string what;
            for (const std::size_t member : members) {
                const Limiter& limiter = permissions_.limiters()[member];
                what += fmt::format("{}{}: {}", what.empty() ? "" : ", ", limiter.what, to_string(limiter.rate));
            }
            chain(fmt::format("limit{}", i + 1), what + " new connections per source", std::move(rules));
        }
    }

    // The port WireGuard listens on: outer packets arrive there.
    static std::optional<std::uint16_t> wireguard_port(const Node& node) {
        if (node.endpoint) return node.endpoint->port;
        return node.listen_port;
    }

    void add_implied_port(std::vector<ir::Rule>& rules, std::optional<std::uint16_t> port, const char* comment) const {
        if (!port || !host_scope()) return;
        for (const Family family : families_)
            rules.push_back(make_rule({ir::MatchFamily{family}, ir::MatchL4{ir::L4::udp},
                                       ir::MatchPort{Field::ct_proto_dst, *port}, ir::Accept{}},
                                      comment));
    }

    void add_to_host() {
        std::vector<ir::Rule> rules;
        add_implied_port(rules, wireguard_port(node_), "WireGuard itself");
        add_permissions(rules, Kind::input, 0);
        add_limited_permissions(rules, Kind::input);
        rules.push_back(make_rule({ir::Jump{"tiers"}}));
        chain("to_host", "what may reach this host", std::move(rules));
    }

    void add_from_host() {
        std::vector<ir::Rule> rules;
        if (node_.peer) add_implied_port(rules, wireguard_port(policy_.nodes[*node_.peer]), "WireGuard itself");
        add_permissions(rules, Kind::output, 0);
        add_limited_permissions(rules, Kind::output);
        chain("from_host", "what this host may reach", std::move(rules));
    }

    [[nodiscard]] bool is_this_host(const Host& host) const {
        if (const auto* ref = std::get_if<NodeRef>(&host)) return &policy_.nodes[ref->node] == &node_;
        const auto* range = std::get_if<Range>(&host);
        return range != nullptr && std::ranges::any_of(node_.addresses, [&](const auto& address) {
                   return range_of(address.value) == *range;
               });
    }

    // See server_ports.h. Of a wide range of ports, those that this host may begin connections from are not among them; apply adds the ports that
    // something listens on.
    void add_turned() {
        std::vector<PortRange> ports{{1, last_server_port}};
        const auto add = [&](const Ports& p) {
            if (p.protocol != Protocol::tcp || (p.lo == 1 && p.hi == UINT16_MAX)) return;
            const bool wide = p.hi - p.lo >= listening_ports;
            const auto hi = wide ? std::min<std::uint16_t>(p.hi, first_ephemeral_port - 1) : p.hi;
            if (p.lo <= hi) ports.emplace_back(p.lo, hi);
        };
        for (const Input& input : node_.inputs) std::ranges::for_each(input.ports, add);
        for (const Tier& tier : policy_.tiers)
            for (const Target& target : tier.allow)
                if (is_this_host(target.host)) add(target.ports);
        out_.sets.push_back(make_server_ports(std::move(ports)));

        std::vector<ir::Rule> rules;
        for (const Kind kind : {Kind::input, Kind::allow}) {
            for (std::size_t limit = 0; limit <= limits(); ++limit)
                lookups_->packets(rules, {.kind = kind, .limit = static_cast<std::uint32_t>(limit)}, {ir::Accept{}});
        }
        tiers_->add_turned_jumps(rules, *lookups_);
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("turned", "TCP sessions that were picked up in the wrong direction: judged by the packet",
              std::move(rules));
    }

    void add_denied() {
        std::vector<ir::Rule> rules;
        if (policy_.log.denied)
            rules.push_back(make_rule({ir::Limit{policy_.log.denied_limit, policy_.log.denied_burst},
                                       ir::LogPacket{"policyc deny ", policy_.log.nflog_group}}));
        const ir::Statement verdict =
            node_.denied == Denied::reject ? ir::Statement{ir::Reject{}} : ir::Statement{ir::Drop{}};
        rules.push_back(make_rule({ir::Count{}, verdict}, "not allowed by the policy"));
        chain("denied", "what no permission covers", std::move(rules));
    }

    void add_not_ours() {
        std::vector<ir::Rule> rules;
        if (!node_.untouched.interfaces.empty())
            for (const Field field : {Field::iifname, Field::oifname})
                rules.push_back(make_rule({ir::Lookup{{field}, "untouched_interfaces"}, ir::Accept{}}));
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const std::string set = numbered("untouched", family);
            if (!lookups_->has(set)) continue;
            for (const Field field : {source_of_packet(family), destination_of_packet(family)})
                rules.push_back(make_rule({ir::Lookup{{field}, set}, ir::Accept{}}));
        }
        chain("not_ours", "what neither enters nor leaves the tunnel and is untouched", std::move(rules));
    }

    // What no permission can help: not a part of a tracked flow, another destination than the one that was asked for, a family that is denied.
    void add_refusals(std::vector<ir::Rule>& rules) const {
        if (!dual())
            rules.push_back(
                make_rule({ir::MatchFamily{Family::ipv6}, ir::Goto{"denied"}}, "ipv6 = deny", policy_.ipv6_span));
        rules.push_back(make_rule({ir::MatchState{.invalid = true, .untracked = true}, ir::Count{}, ir::Drop{}},
                                  "not a part of a flow"));
        rules.push_back(make_rule({ir::MatchDnat{}, ir::Count{}, ir::Drop{}}, "rewritten destination"));
    }

    void add_spoof_rules(std::vector<ir::Rule>& rules, bool only_tunnel) const {
        for (const Family family : families_) {
            rules.push_back(make_rule(
                {ir::MatchName{Field::iifname, tunnel()},
                 ir::Lookup{{source_of_packet(family)}, numbered("tunnel", family), true}, ir::Count{}, ir::Drop{}},
                "spoofed: not a source of the tunnel"));
            if (!only_tunnel && lookups_->has(numbered("far", family)))
                rules.push_back(make_rule(
                    {ir::MatchName{Field::iifname, tunnel(), true},
                     ir::Lookup{{source_of_packet(family)}, numbered("far", family)}, ir::Count{}, ir::Drop{}},
                    "spoofed: its place is behind the tunnel"));
        }
    }

    void add_icmp_errors(std::vector<ir::Rule>& rules) const {
        for (const Family family : families_)
            rules.push_back(
                make_rule({ir::MatchState{.related = true},
                           ir::MatchIcmp{family, family == Family::ipv4 ? icmp_errors : icmpv6_errors}, ir::Accept{}},
                          "ICMP errors about a tracked flow"));
    }

    void add_host_only(std::vector<ir::Rule>& rules, Field interface) const {
        if (!host_scope()) {
            rules.push_back(
                make_rule({ir::MatchName{interface, tunnel(), true}, ir::Accept{}}, "not ours: no opinion"));
            return;
        }
        rules.push_back(make_rule({ir::MatchName{interface, "lo"}, ir::Accept{}}, "loopback"));
        if (has_untouched())
            rules.push_back(make_rule({ir::MatchName{interface, tunnel(), true}, ir::Jump{"not_ours"}}));
        if (dual())
            rules.push_back(
                make_rule({ir::MatchIcmp{Family::ipv6, neighbour_discovery}, ir::MatchHopLimit{255}, ir::Accept{}},
                          "neighbour discovery"));
    }

    void add_input() {
        std::vector<ir::Rule> rules;
        add_host_only(rules, Field::iifname);
        add_refusals(rules);
        add_spoof_rules(rules, !host_scope());
        add_icmp_errors(rules);
        if (node_.output) {
            rules.push_back(
                make_rule({ir::MatchReply{true}, ir::Jump{"from_host"}}, "replies to what this host may reach"));
            rules.push_back(make_rule({ir::MatchReply{true}, ir::Goto{"denied"}}));
        } else {
            rules.push_back(
                make_rule({ir::MatchReply{true}, ir::Lookup{{Field::tcp_dport}, "server_ports"}, ir::Goto{"turned"}}));
            rules.push_back(make_rule({ir::MatchReply{true}, ir::Accept{}}, "replies to what this host began"));
        }
        rules.push_back(make_rule({ir::Jump{"to_host"}}));
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("input", "packets to this host", std::move(rules),
              ir::BaseChain{ir::Hook::input, priority_filter, false, true});
    }

    void add_forward() {
        std::vector<ir::Rule> rules;
        if (!host_scope())
            rules.push_back(make_rule({ir::MatchName{Field::iifname, tunnel(), true},
                                       ir::MatchName{Field::oifname, tunnel(), true}, ir::Accept{}},
                                      "not ours: no opinion"));
        else if (has_untouched())
            rules.push_back(make_rule({ir::MatchName{Field::iifname, tunnel(), true},
                                       ir::MatchName{Field::oifname, tunnel(), true}, ir::Jump{"not_ours"}}));
        add_refusals(rules);
        add_spoof_rules(rules, false);
        add_icmp_errors(rules);
        rules.push_back(make_rule({ir::Jump{"tiers"}}));
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("forward", "packets through this host", std::move(rules),
              ir::BaseChain{ir::Hook::forward, priority_filter, false, true});
    }

    void add_output() {
        std::vector<ir::Rule> rules;
        add_host_only(rules, Field::oifname);
        add_refusals(rules);
        add_icmp_errors(rules);
        rules.push_back(make_rule({ir::MatchReply{true}, ir::Jump{"to_host"}}, "replies to what may reach this host"));
        rules.push_back(make_rule({ir::MatchReply{true}, ir::Goto{"denied"}}));
        rules.push_back(make_rule({ir::Jump{"from_host"}}));
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("output", "packets of this host", std::move(rules),
              ir::BaseChain{ir::Hook::output, priority_filter, false, true});
    }

    void add_mss() {
        std::vector<ir::Rule> rules;
        for (const Field field : {Field::iifname, Field::oifname})
            rules.push_back(make_rule({ir::MatchName{field, tunnel()}, ir::MatchSyn{}, ir::ClampMss{}}));
        chain("mss", "TCP segments that fit the tunnel", std::move(rules),
              ir::BaseChain{ir::Hook::forward, priority_mangle, false, false});
    }

    void add_masquerade() {
        chain("source_nat", "what comes out of the tunnel leaves with this host's address",
              {make_rule({ir::MatchName{Field::iifname, tunnel()}, ir::MatchName{Field::oifname, tunnel(), true},
                          ir::Masquerade{}})},
              ir::BaseChain{ir::Hook::postrouting, priority_srcnat, true, false});
    }

    const Policy& policy_;
    const Node& node_;
    Layout layout_;
    PermissionSets permissions_;
    std::optional<TierChains> tiers_;
    std::optional<Lookups> lookups_;
    std::vector<Family> families_{Family::ipv4};
    ir::Ruleset out_;
};

}  // namespace

ir::Ruleset lower(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                  const Layout& layout) {
    return Program(policy, addresses, node, today, layout).build();
}

}  // namespace policyc
