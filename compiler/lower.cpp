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
#include "compiler/sides.h"
#include "compiler/tier_chains.h"

namespace policyc {

namespace {

using ir::Field;
using program::By;
using program::Kind;

constexpr int priority_filter = -10;  // filter - 10: before other people's filter chains
constexpr int priority_srcnat = 100;  // NF_IP_PRI_NAT_SRC

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
          addresses_(addresses),
          permissions_(policy, addresses, node, today, layout) {
        if (policy.ipv6 == Ipv6::dual) families_.push_back(Family::ipv6);
    }

    ir::Ruleset build() {
        out_.node = node_.name;
        if (node_.scope == Scope::none) return std::move(out_);
        permissions_.collect(out_);
        tiers_.emplace(policy_, permissions_.members(), node_.output.has_value(), layout_, out_);
        sides_ = sides_of(policy_, index());
        add_side_sets(sides_, families_, out_);
        if (host_scope()) add_untouched_sets(node_.untouched, out_);
        add_rate_sets(permissions_, families_, out_);
        lookups_.emplace(out_, families_, layout_.shard);

        // Regular chains before those that jump to them.
        add_opened();
        add_limits();
        add_tiers();
        add_to_host();
        add_denied();
        if (node_.output) add_from_host();
        add_turned();
        if (host_scope() && has_untouched()) add_not_ours();
        add_input();
        add_judged();
        add_fast();
        add_from_tunnel();
        add_to_tunnel();
        add_forward();
        if (node_.output) add_output();
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
        lookups_->permissions(rules, {.kind = kind, .limit = static_cast<std::uint32_t>(limit)}, {verdict}, {});
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
            lookups_->permissions(rules, {.kind = kind}, {log}, {.way = Lookups::Way::list, .prefix = "log_"});
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
        tiers_->add_jumps(rules, *lookups_, {});
        add_limited_permissions(rules, Kind::allow);
        chain("tiers", "what tiers allow, by the tuple that began the flow", std::move(rules));
    }

    // limitN: lets the flow pass while every bucket of its class has room for this source, else goes back to ask the other permissions.
    void add_limits() {
        for (std::size_t i = 0; i < permissions_.limit_classes().size(); ++i) {
            const auto& members = permissions_.limit_classes()[i];
            std::vector<ir::Rule> rules;
            const bool of_input = permissions_.limiters()[members.front()].what.starts_with("input.");
            const ir::Statement verdict = admitted(of_input ? Kind::input : Kind::allow);
            const auto take = [&](const Statements& first) {
                for (const Family family : families_) {
                    Statements statements = first;
                    for (const std::size_t member : members) {
                        const Rate& rate = permissions_.limiters()[member].rate;
                        statements.push_back(ir::UpdateRate{
                            rate_set(member, family), program::source_field(family, By::packet), rate, rate.count});
                    }
                    statements.push_back(verdict);
                    rules.push_back(
                        make_rule(std::move(statements), "", permissions_.limiters()[members.front()].span));
                }
            };
            // A SYN takes from the bucket even where another packet made the flow known before it; TCP without one begins nothing, so it takes nothing:
            // it is of a session that is older than the tracking of connections.
            rules.push_back(make_rule({ir::MatchReply{true}, ir::Accept{}}));
            take({ir::MatchSyn{}});
            rules.push_back(make_rule({ir::MatchSyn{}, ir::Return{}}));
            rules.push_back(make_rule({ir::MatchConfirmed{}, ir::Accept{}}));
            rules.push_back(make_rule({ir::MatchSyn{.negate = true}, verdict}));
            take({});
            std::string what;
            for (const std::size_t member : members) {
                const Limiter& limiter = permissions_.limiters()[member];
                what += fmt::format("{}{}: {}", what.empty() ? "" : ", ", limiter.what, to_string(limiter.rate));
            }
            chain(fmt::format("limit{}", i + 1), what + " new connections per source", std::move(rules));
        }
    }

    void add_implied_port(std::vector<ir::Rule>& rules, std::optional<std::uint16_t> port) const {
        if (!port || !host_scope()) return;
        for (const Family family : families_)
            rules.push_back(make_rule({ir::MatchFamily{family}, ir::MatchL4{ir::L4::udp},
                                       ir::MatchPort{Field::ct_proto_dst, *port}, ir::Accept{}},
                                      "WireGuard itself"));
    }

    // To the endpoint of the peer, by its address; a name may stand for another one any time, so then to its port.
    void add_implied_endpoint(std::vector<ir::Rule>& rules) {
        if (!node_.peer || !host_scope()) return;
        const Node& peer = policy_.nodes[*node_.peer];
        const auto* address = peer.endpoint ? std::get_if<Address>(&peer.endpoint->host) : nullptr;
        if (address == nullptr) return add_implied_port(rules, wireguard_port(peer));
        if (std::ranges::find(families_, address->family) == families_.end()) return;
        const std::vector<Field> fields{program::destination_field(address->family, By::connection),
                                        Field::ct_proto_dst};
        ir::Set set{.name = numbered("endpoint", address->family),
                    .types = program::types_of(fields),
                    .comment = "of " + peer.name};
        set.elements = ir::Elements(set.types, false);
        set.elements.add({{address->bits, address->bits}, {peer.endpoint->port, peer.endpoint->port}});
        rules.push_back(
            make_rule({ir::MatchL4{ir::L4::udp}, ir::Lookup{fields, set.name}, ir::Accept{}}, "WireGuard itself"));
        out_.sets.push_back(std::move(set));
    }

    void add_to_host() {
        std::vector<ir::Rule> rules;
        add_implied_port(rules, wireguard_port(node_));
        add_permissions(rules, Kind::input, 0);
        add_limited_permissions(rules, Kind::input);
        rules.push_back(make_rule({ir::Jump{"tiers"}}));
        chain("to_host", "what may reach this host", std::move(rules));
    }

    void add_from_host() {
        std::vector<ir::Rule> rules;
        add_implied_endpoint(rules);
        add_permissions(rules, Kind::output, 0);
        add_limited_permissions(rules, Kind::output);
        rules.push_back(make_rule({ir::Jump{"tiers"}}));
        chain("from_host", "what this host may reach", std::move(rules));
    }

    // turned: for a packet of a flow that conntrack has the wrong way round. What comes in is then no reply, and what goes out is one.
    void add_turned() {
        for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
            out_.sets.push_back(
                make_server_ports(protocol, named_server_ports(policy_, addresses_, node_, sides_.near, protocol)));
        std::vector<ir::Rule> rules;
        for (const By by : {By::packet, By::answer}) {
            if (by == By::answer && !node_.output) continue;
            const Lookups::How how{
                .way = Lookups::Way::list, .by = by, .ping = false, .first = {ir::MatchReply{by == By::packet}}};
            for (const Kind kind : {Kind::input, Kind::allow})
                for (std::size_t limit = 0; limit <= limits(); ++limit)
                    lookups_->permissions(rules, {.kind = kind, .limit = static_cast<std::uint32_t>(limit)},
                                          {ir::Accept{}}, how);
            tiers_->add_turned_jumps(rules, *lookups_, how);
        }
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("turned", "sessions that were picked up in the wrong direction: judged by the packet", std::move(rules));
    }

    // Of UDP, only in the tunnel: elsewhere many programs (of NTP, DHCP) ask from the port that they answer at.
    void add_turned_jumps(std::vector<ir::Rule>& rules, By by) const {
        const bool incoming = by == By::packet;
        const auto add = [&](Protocol protocol, Statements statements) {
            const Field port = program::port_field(protocol, by);
            const Statements more{ir::MatchReply{incoming}, ir::Lookup{{port}, server_ports_set(protocol)},
                                  ir::Goto{"turned"}};
            statements.insert(statements.end(), more.begin(), more.end());
            rules.push_back(make_rule(std::move(statements)));
        };
        add(Protocol::tcp, {});
        add(Protocol::udp, in_tunnel(incoming ? Field::iifname : Field::oifname));
    }

    // WireGuard speaks first on either side, from the port it listens on: connection tracking may have its flows the wrong way round, from its peers' point of view.
    void add_turned_wireguard(std::vector<ir::Rule>& rules, By by) const {
        const std::optional<std::uint16_t> port = wireguard_port(node_);
        if (!port || !node_.output || !host_scope()) return;
        const bool incoming = by == By::packet;
        rules.push_back(make_rule(
            {ir::MatchName{incoming ? Field::iifname : Field::oifname, tunnel(), true}, ir::MatchReply{incoming},
             ir::MatchPort{program::port_field(Protocol::udp, by), *port}, ir::Accept{}},
            "WireGuard itself, where this host spoke first"));
    }

    // What the chains input and output must ask: in scope tunnel they see nothing else.
    [[nodiscard]] Statements in_tunnel(Field interface) const {
        return host_scope() ? Statements{ir::MatchName{interface, tunnel()}} : Statements{};
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
            for (const Field field :
                 {program::source_field(family, By::packet), program::destination_field(family, By::packet)})
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

    void add_icmp_errors(std::vector<ir::Rule>& rules) const {
        for (const Family family : families_)
            rules.push_back(
                make_rule({ir::MatchState{.related = true},
                           ir::MatchIcmp{family, family == Family::ipv4 ? icmp_errors : icmpv6_errors}, ir::Accept{}},
                          "ICMP errors about a tracked flow"));
        for (const Family family : families_)
            rules.push_back(
                make_rule({ir::MatchState{.related = true},
                           ir::MatchL4{family == Family::ipv4 ? ir::L4::icmp : ir::L4::icmpv6}, ir::Goto{"denied"}},
                          "other ICMP about a flow: redirects move routes"));
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
        add_tunnel_spoof_rules(rules, families_, in_tunnel(Field::iifname), node_.output.has_value());
        if (host_scope()) add_far_spoof_rules(rules, *lookups_, {ir::MatchName{Field::iifname, tunnel(), true}});
        add_icmp_errors(rules);
        add_turned_jumps(rules, By::packet);
        add_turned_wireguard(rules, By::packet);
        if (node_.output) {
            rules.push_back(
                make_rule({ir::MatchReply{true}, ir::Jump{"from_host"}}, "replies to what this host may reach"));
            rules.push_back(make_rule({ir::MatchReply{true}, ir::Goto{"denied"}}));
        } else {
            rules.push_back(make_rule({ir::MatchReply{true}, ir::Accept{}}, "replies to what this host began"));
        }
        rules.push_back(make_rule({ir::Jump{"to_host"}}));
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("input", "packets to this host", std::move(rules),
              ir::BaseChain{ir::Hook::input, priority_filter, false, true});
    }

    // What a forwarded packet is asked last, and always where it is the first of its flow.
    void add_judged() {
        std::vector<ir::Rule> rules;
        add_refusals(rules);
        add_icmp_errors(rules);
        rules.push_back(make_rule({ir::Jump{"tiers"}}));
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("judged", "packets through this host", std::move(rules));
    }

    // fast_original, fast_reply: what the tiers allow, by the packet itself. Says the same as `tiers` of a flow that began long ago, in a third of the
    // time; docs/internals.md, "Two ways through the forward chain".
    void add_fast() {
        for (const By by : {By::packet, By::answer}) {
            const Lookups::How how{.by = by, .ping = false};
            std::vector<ir::Rule> rules;
            for (std::size_t limit = 0; limit <= limits(); ++limit)
                lookups_->permissions(rules, {.kind = Kind::allow, .limit = static_cast<std::uint32_t>(limit)},
                                      {ir::Accept{}}, how);
            tiers_->add_jumps(rules, *lookups_, how);
            chain(by == By::packet ? "fast_original" : "fast_reply",
                  by == By::packet ? "flows that are under way: from who began" : "flows that are under way: answers",
                  std::move(rules));
        }
    }

    // Of the flow itself: an ICMP error about it is not `established`.
    void add_fast_jump(std::vector<ir::Rule>& rules, By by) const {
        const bool reply = by == By::answer;
        rules.push_back(make_rule({ir::MatchState{.established = true}, ir::MatchReply{reply}, ir::MatchAssured{},
                                   ir::Jump{reply ? "fast_reply" : "fast_original"}}));
    }

    // Whether a permission lets somebody on this side begin, or names a place behind the tunnel. If not, what comes out of the tunnel and is
    // covered by a permission has its source there, and so has what is answered; both need not be looked up.
    [[nodiscard]] bool both_ways() const {
        return begins_near(policy_, addresses_, sides_) || answers_far(policy_, addresses_, sides_);
    }

    void add_mss(std::vector<ir::Rule>& rules) const {
        rules.push_back(make_rule({ir::MatchSyn{}, ir::ClampMss{}}, "TCP segments that fit the tunnel"));
    }

    void add_from_tunnel() {
        std::vector<ir::Rule> rules;
        const bool both = both_ways();
        if (both) add_tunnel_spoof_rules(rules, families_, {}, true);
        add_fast_jump(rules, By::packet);
        if (both)
            add_fast_jump(rules, By::answer);
        else
            add_tunnel_spoof_rules(rules, families_, {}, true);
        add_mss(rules);
        // Nobody behind the tunnel answers anybody there, so nobody has an error to tell of.
        if (!answers_far(policy_, addresses_, sides_))
            for (const Family family : families_)
                rules.push_back(make_rule({ir::MatchName{Field::oifname, tunnel()}, ir::MatchState{.related = true},
                                           ir::MatchL4{family == Family::ipv4 ? ir::L4::icmp : ir::L4::icmpv6},
                                           ir::Goto{"denied"}}));
        rules.push_back(make_rule({ir::Goto{"judged"}}));
        chain("from_tunnel", "what comes out of the tunnel", std::move(rules));
    }

    void add_to_tunnel() {
        std::vector<ir::Rule> rules;
        const bool both = both_ways();
        if (both) add_far_spoof_rules(rules, *lookups_, {});
        add_fast_jump(rules, By::answer);
        if (both)
            add_fast_jump(rules, By::packet);
        else
            add_far_spoof_rules(rules, *lookups_, {});
        add_mss(rules);
        rules.push_back(make_rule({ir::Goto{"judged"}}));
        chain("to_tunnel", "what goes into the tunnel from elsewhere", std::move(rules));
    }

    void add_forward() {
        std::vector<ir::Rule> rules;
        rules.push_back(make_rule({ir::MatchName{Field::iifname, tunnel()}, ir::Goto{"from_tunnel"}}));
        rules.push_back(make_rule({ir::MatchName{Field::oifname, tunnel()}, ir::Goto{"to_tunnel"}}));
        if (host_scope()) {
            if (has_untouched()) rules.push_back(make_rule({ir::Jump{"not_ours"}}));
            add_far_spoof_rules(rules, *lookups_, {});
            rules.push_back(make_rule({ir::Goto{"judged"}}));
        } else {
            rules.push_back(make_rule({ir::Accept{}}, "not ours: no opinion"));
        }
        chain("forward", "packets through this host", std::move(rules),
              ir::BaseChain{ir::Hook::forward, priority_filter, false, true});
    }

    void add_output() {
        std::vector<ir::Rule> rules;
        add_host_only(rules, Field::oifname);
        add_refusals(rules);
        add_icmp_errors(rules);
        add_turned_jumps(rules, By::answer);
        add_turned_wireguard(rules, By::answer);
        rules.push_back(make_rule({ir::MatchReply{true}, ir::Jump{"to_host"}}, "replies to what may reach this host"));
        rules.push_back(make_rule({ir::MatchReply{true}, ir::Goto{"denied"}}));
        rules.push_back(make_rule({ir::Jump{"from_host"}}));
        rules.push_back(make_rule({ir::Goto{"denied"}}));
        chain("output", "packets of this host", std::move(rules),
              ir::BaseChain{ir::Hook::output, priority_filter, false, true});
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
    const Addresses& addresses_;
    PermissionSets permissions_;
    std::optional<TierChains> tiers_;
    std::optional<Lookups> lookups_;
    Sides sides_;
    std::vector<Family> families_{Family::ipv4};
    ir::Ruleset out_;
};

}  // namespace

ir::Ruleset lower(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                  const Layout& layout) {
    return Program(policy, addresses, node, today, layout).build();
}

}  // namespace policyc
