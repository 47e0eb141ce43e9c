// Policy to Ruleset: the chains that judge a packet, around the sets that PermissionSets fills; entry point lower(). What is judged, denied and
// implied is defined in docs/language.md, section 2; docs/internals.md walks through the program.
#include "compiler/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/permissions.h"
#include "compiler/program.h"
#include "compiler/server_ports.h"

namespace policyc {

namespace {

using ir::Field;
using program::Kind;
using Statements = std::vector<ir::Statement>;

constexpr int priority_filter = -10;   // filter - 10: before other people's filter chains
constexpr int priority_mangle = -150;  // NF_IP_PRI_MANGLE
constexpr int priority_srcnat = 100;   // NF_IP_PRI_NAT_SRC
// No program uses a TCP port up to this one to begin a connection from (NFS and rsh begin at 512).
constexpr std::uint16_t last_server_port = 511;
// Where Linux begins to choose ports for connections it begins (net.ipv4.ip_local_port_range), never one that something listens on.
constexpr std::uint16_t first_ephemeral_port = 32768;
// A range of at most this many ports is taken for ports that something listens on.
constexpr int listening_ports = 16;
constexpr std::uint32_t rate_sources = 65535;

// RFC 792 and RFC 4443: destination unreachable, time exceeded, parameter problem; packet too big.
const std::vector<std::uint8_t> icmp_errors{3, 11, 12};
const std::vector<std::uint8_t> icmpv6_errors{1, 2, 3, 4};
// RFC 4861: router and neighbour solicitation and advertisement. Redirects are left out: they move routes.
const std::vector<std::uint8_t> neighbour_discovery{133, 134, 135, 136};

Field source_of_packet(Family family) {
    return family == Family::ipv4 ? Field::ip_saddr : Field::ip6_saddr;
}
Field destination_of_packet(Family family) {
    return family == Family::ipv4 ? Field::ip_daddr : Field::ip6_daddr;
}
std::string numbered(const char* word, Family family) {
    return fmt::format("{}{}", word, family == Family::ipv4 ? 4 : 6);
}

std::uint32_t refill_seconds(Rate::Unit unit) {
    switch (unit) {
        case Rate::Unit::second: return 10;  // a bucket that was not used for so long is full again, in all four cases
        case Rate::Unit::minute: return 60;
        case Rate::Unit::hour: return 3600;
        case Rate::Unit::day: return 86400;
    }
    return 0;
}

class Program {
public:
    Program(const Policy& policy, const Addresses& addresses, std::size_t node, Days today)
        : policy_(policy),
          node_(policy.nodes[node]),
          sides_(sides_of(policy, node)),
          permissions_(policy, addresses, node, today) {
        if (policy.ipv6 == Ipv6::dual) families_.push_back(Family::ipv6);
    }

    ir::Ruleset build() {
        out_.node = node_.name;
        if (node_.scope == Scope::none) return std::move(out_);
        permissions_.collect(out_);
        add_side_sets();
        if (host_scope()) add_untouched_sets();
        add_rate_sets();

        // Regular chains before those that jump to them.
        add_opened();
        add_limits();
        chain("tiers", "what tiers allow, by the tuple that began the flow", permission_rules(Kind::allow));
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
    [[nodiscard]] bool has_set(const std::string& name) const {
        return std::ranges::any_of(out_.sets, [&](const ir::Set& set) { return set.name == name; });
    }

    // ---- sets --------------------------------------------------------------------------------------------------------

    void add_set(std::string name, std::vector<ir::Type> types, std::string comment, const std::vector<Range>& ranges) {
        ir::Set set{.name = std::move(name), .types = types, .interval = true, .comment = std::move(comment)};
        set.elements = ir::Elements(std::move(types), true);
        for (const Range& range : ranges) set.elements.add({{range.lo, range.hi}});
        set.elements.sort();
        out_.sets.push_back(std::move(set));
    }

    static ir::Type address_type(Family family) {
        return family == Family::ipv4 ? ir::Type::ipv4_addr : ir::Type::ipv6_addr;
    }

    void add_side_sets() {
        for (const Family family : families_) {
            add_set(numbered("tunnel", family), {address_type(family)}, "who may send through the tunnel",
                    sides_.tunnel.ranges(family));
            const auto far = sides_.far.ranges(family);
            if (!far.empty())
                add_set(numbered("far", family), {address_type(family)}, "who is behind the tunnel and nowhere else",
                        far);
        }
    }

    void add_untouched_sets() {
        if (!node_.untouched.interfaces.empty()) {
            ir::Set set{.name = "untouched_interfaces", .types = {ir::Type::ifname}, .comment = "never judged"};
            set.elements = ir::Elements(set.types, false);
            for (const auto& interface : node_.untouched.interfaces) set.elements.add_name(interface.value);
            set.elements.sort();
            out_.sets.push_back(std::move(set));
        }
        AddressSet untouched;
        for (const auto& range : node_.untouched.ranges) untouched.add(range.value);
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const auto ranges = untouched.ranges(family);
            if (!ranges.empty()) add_set(numbered("untouched", family), {address_type(family)}, "never judged", ranges);
        }
    }

    static std::string rate_set(std::size_t limiter, Family family) {
        return fmt::format("rate{}_{}", limiter + 1, numbered("ip", family));
    }

    void add_rate_sets() {
        for (std::size_t i = 0; i < permissions_.limiters().size(); ++i) {
            const Limiter& limiter = permissions_.limiters()[i];
            for (const Family family : families_) {
                ir::Set set{.name = rate_set(i, family),
                            .types = {address_type(family)},
                            .dynamic = true,
                            .timeout = refill_seconds(limiter.rate.unit),
                            .size = rate_sources,
                            .comment = fmt::format("{}: {} per source", limiter.what, to_string(limiter.rate))};
                set.elements = ir::Elements(set.types, false);
                out_.sets.push_back(std::move(set));
            }
        }
    }

    // ---- rules -------------------------------------------------------------------------------------------------------

    void chain(std::string name, std::string comment, std::vector<ir::Rule> rules,
               std::optional<ir::BaseChain> base = std::nullopt) {
        out_.chains.push_back({std::move(name), base, std::move(comment), std::move(rules)});
    }

    static ir::Rule rule(Statements statements, std::string comment = {}, Span span = {}) {
        return {std::move(statements), std::move(comment), span};
    }

    static ir::MatchL4 transport(Protocol protocol, Family family) {
        switch (protocol) {
            case Protocol::tcp: return {ir::L4::tcp};
            case Protocol::udp: return {ir::L4::udp};
            case Protocol::ping:
            case Protocol::any: break;
        }
        return {family == Family::ipv4 ? ir::L4::icmp : ir::L4::icmpv6};
    }

    // What a look-up of that protocol's sets needs in front: the transport protocol, and for ping the type of the ICMP message.
    static Statements before_lookup(Protocol protocol, Family family) {
        if (protocol == Protocol::any) return {};
        Statements statements{transport(protocol, family)};
        if (protocol == Protocol::ping)
            statements.push_back(ir::MatchPort{Field::ct_proto_dst, program::echo_request(family)});
        return statements;
    }

    // One look-up for every set whose name is `prefix` and the suffix of a protocol, ending in `verdict`.
    void look_up(std::vector<ir::Rule>& rules, Kind kind, const std::string& prefix, const Statements& verdict) const {
        for (const Family family : families_) {
            for (const Protocol protocol : {Protocol::tcp, Protocol::udp, Protocol::ping, Protocol::any}) {
                for (const char* form : {"", "_ranges"}) {
                    const std::string set = prefix + "_" + program::suffix(protocol, family) + form;
                    if (!has_set(set)) continue;
                    Statements statements = before_lookup(protocol, family);
                    statements.push_back(ir::Lookup{program::fields_of(kind, protocol, family), set});
                    statements.insert(statements.end(), verdict.begin(), verdict.end());
                    rules.push_back(rule(std::move(statements)));
                }
            }
        }
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

    [[nodiscard]] std::vector<ir::Rule> permission_rules(Kind kind) const {
        std::vector<ir::Rule> rules;
        look_up(rules, kind, word(kind), {admitted(kind)});
        for (std::size_t i = 1; i <= permissions_.limit_classes().size(); ++i)
            look_up(rules, kind, fmt::format("{}_limit{}", word(kind), i), {ir::Jump{fmt::format("limit{}", i)}});
        return rules;
    }

    // allow_opened, input_opened: counts and logs the first packets of what is let through. Left out where there is nothing to count or log.
    void add_opened() {
        for (const Kind kind : {Kind::allow, Kind::input}) {
            std::vector<ir::Rule> rules;
            if (kind == Kind::allow) {
                for (const Family family : families_) {
                    for (const Protocol protocol : {Protocol::tcp, Protocol::udp, Protocol::ping, Protocol::any}) {
                        for (const char* form : {"", "_ranges"}) {
                            const std::string map = "count_" + program::suffix(protocol, family) + form;
                            if (!has_set(map)) continue;
                            Statements statements = before_lookup(protocol, family);
                            statements.push_back(
                                ir::CountByMap{program::fields_of(Kind::output, protocol, family), map});
                            rules.push_back(rule(std::move(statements)));
                        }
                    }
                }
            }
            look_up(rules, kind, fmt::format("log_{}", word(kind)),
                    {ir::LogPacket{"policyc new ", policy_.log.nflog_group}});
            if (rules.empty()) continue;
            rules.insert(rules.begin(), rule({ir::MatchConfirmed{}, ir::Accept{}}));
            rules.push_back(rule({ir::Accept{}}));
            chain(fmt::format("{}_opened", word(kind)), "what begins is counted and logged", std::move(rules));
        }
    }

    // limitN: lets the flow pass while every bucket of its class has room for this source, else goes back to ask the other permissions.
    void add_limits() {
        for (std::size_t i = 0; i < permissions_.limit_classes().size(); ++i) {
            const auto& members = permissions_.limit_classes()[i];
            std::vector<ir::Rule> rules;
            rules.push_back(rule({ir::MatchConfirmed{}, ir::Accept{}}));
            for (const Family family : families_) {
                Statements statements;
                for (const std::size_t member : members) {
                    const Rate& rate = permissions_.limiters()[member].rate;
                    statements.push_back(
                        ir::UpdateRate{rate_set(member, family), source_of_packet(family), rate, rate.count});
                }
                const bool of_input = permissions_.limiters()[members.front()].what.starts_with("input.");
                statements.push_back(admitted(of_input ? Kind::input : Kind::allow));
                rules.push_back(rule(std::move(statements), "", permissions_.limiters()[members.front()].span));
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
            rules.push_back(rule({ir::MatchFamily{family}, ir::MatchL4{ir::L4::udp},
                                  ir::MatchPort{Field::ct_proto_dst, *port}, ir::Accept{}},
                                 comment));
    }

    void add_to_host() {
        std::vector<ir::Rule> rules;
        add_implied_port(rules, wireguard_port(node_), "WireGuard itself");
        for (ir::Rule& r : permission_rules(Kind::input)) rules.push_back(std::move(r));
        rules.push_back(rule({ir::Jump{"tiers"}}));
        chain("to_host", "what may reach this host", std::move(rules));
    }

    void add_from_host() {
        std::vector<ir::Rule> rules;
        if (node_.peer) add_implied_port(rules, wireguard_port(policy_.nodes[*node_.peer]), "WireGuard itself");
        for (ir::Rule& r : permission_rules(Kind::output)) rules.push_back(std::move(r));
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
            for (std::size_t limit = 0; limit <= permissions_.limit_classes().size(); ++limit)
                for (const Family family : families_)
                    for (const Protocol protocol : {Protocol::tcp, Protocol::any})
                        for (const bool interval : {false, true}) {
                            const std::string name =
                                program::name_of({kind, static_cast<std::uint32_t>(limit), protocol, family, interval});
                            if (has_set(name))
                                rules.push_back(
                                    rule({ir::Lookup{program::packet_fields_of(kind, protocol, family), name},
                                          ir::Accept{}}));
                        }
        }
        rules.push_back(rule({ir::Goto{"denied"}}));
        chain("turned", "TCP sessions that were picked up in the wrong direction: judged by the packet",
              std::move(rules));
    }

    void add_denied() {
        std::vector<ir::Rule> rules;
        if (policy_.log.denied)
            rules.push_back(rule({ir::Limit{policy_.log.denied_limit, policy_.log.denied_burst},
                                  ir::LogPacket{"policyc deny ", policy_.log.nflog_group}}));
        const ir::Statement verdict =
            node_.denied == Denied::reject ? ir::Statement{ir::Reject{}} : ir::Statement{ir::Drop{}};
        rules.push_back(rule({ir::Count{}, verdict}, "not allowed by the policy"));
        chain("denied", "what no permission covers", std::move(rules));
    }

    void add_not_ours() {
        std::vector<ir::Rule> rules;
        if (!node_.untouched.interfaces.empty())
            for (const Field field : {Field::iifname, Field::oifname})
                rules.push_back(rule({ir::Lookup{{field}, "untouched_interfaces"}, ir::Accept{}}));
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const std::string set = numbered("untouched", family);
            if (!has_set(set)) continue;
            for (const Field field : {source_of_packet(family), destination_of_packet(family)})
                rules.push_back(rule({ir::Lookup{{field}, set}, ir::Accept{}}));
        }
        chain("not_ours", "what neither enters nor leaves the tunnel and is untouched", std::move(rules));
    }

    // What no permission can help: not a part of a tracked flow, another destination than the one that was asked for, a family that is denied.
    void add_refusals(std::vector<ir::Rule>& rules) const {
        if (!dual())
            rules.push_back(
                rule({ir::MatchFamily{Family::ipv6}, ir::Goto{"denied"}}, "ipv6 = deny", policy_.ipv6_span));
        rules.push_back(rule({ir::MatchState{.invalid = true, .untracked = true}, ir::Count{}, ir::Drop{}},
                             "not a part of a flow"));
        rules.push_back(rule({ir::MatchDnat{}, ir::Count{}, ir::Drop{}}, "rewritten destination"));
    }

    void add_spoof_rules(std::vector<ir::Rule>& rules, bool only_tunnel) const {
        for (const Family family : families_) {
            rules.push_back(rule(
                {ir::MatchName{Field::iifname, tunnel()},
                 ir::Lookup{{source_of_packet(family)}, numbered("tunnel", family), true}, ir::Count{}, ir::Drop{}},
                "spoofed: not a source of the tunnel"));
            if (!only_tunnel && has_set(numbered("far", family)))
                rules.push_back(
                    rule({ir::MatchName{Field::iifname, tunnel(), true},
                          ir::Lookup{{source_of_packet(family)}, numbered("far", family)}, ir::Count{}, ir::Drop{}},
                         "spoofed: its place is behind the tunnel"));
        }
    }

    void add_icmp_errors(std::vector<ir::Rule>& rules) const {
        for (const Family family : families_)
            rules.push_back(
                rule({ir::MatchState{.related = true},
                      ir::MatchIcmp{family, family == Family::ipv4 ? icmp_errors : icmpv6_errors}, ir::Accept{}},
                     "ICMP errors about a tracked flow"));
    }

    void add_host_only(std::vector<ir::Rule>& rules, Field interface) const {
        if (!host_scope()) {
            rules.push_back(rule({ir::MatchName{interface, tunnel(), true}, ir::Accept{}}, "not ours: no opinion"));
            return;
        }
        rules.push_back(rule({ir::MatchName{interface, "lo"}, ir::Accept{}}, "loopback"));
        if (has_untouched()) rules.push_back(rule({ir::MatchName{interface, tunnel(), true}, ir::Jump{"not_ours"}}));
        if (dual())
            rules.push_back(
                rule({ir::MatchIcmp{Family::ipv6, neighbour_discovery}, ir::MatchHopLimit{255}, ir::Accept{}},
                     "neighbour discovery"));
    }

    void add_input() {
        std::vector<ir::Rule> rules;
        add_host_only(rules, Field::iifname);
        add_refusals(rules);
        add_spoof_rules(rules, !host_scope());
        add_icmp_errors(rules);
        if (node_.output) {
            rules.push_back(rule({ir::MatchReply{true}, ir::Jump{"from_host"}}, "replies to what this host may reach"));
            rules.push_back(rule({ir::MatchReply{true}, ir::Goto{"denied"}}));
        } else {
            rules.push_back(
                rule({ir::MatchReply{true}, ir::Lookup{{Field::tcp_dport}, "server_ports"}, ir::Goto{"turned"}}));
            rules.push_back(rule({ir::MatchReply{true}, ir::Accept{}}, "replies to what this host began"));
        }
        rules.push_back(rule({ir::Jump{"to_host"}}));
        rules.push_back(rule({ir::Goto{"denied"}}));
        chain("input", "packets to this host", std::move(rules),
              ir::BaseChain{ir::Hook::input, priority_filter, false, true});
    }

    void add_forward() {
        std::vector<ir::Rule> rules;
        if (!host_scope())
            rules.push_back(rule({ir::MatchName{Field::iifname, tunnel(), true},
                                  ir::MatchName{Field::oifname, tunnel(), true}, ir::Accept{}},
                                 "not ours: no opinion"));
        else if (has_untouched())
            rules.push_back(rule({ir::MatchName{Field::iifname, tunnel(), true},
                                  ir::MatchName{Field::oifname, tunnel(), true}, ir::Jump{"not_ours"}}));
        add_refusals(rules);
        add_spoof_rules(rules, false);
        add_icmp_errors(rules);
        rules.push_back(rule({ir::Jump{"tiers"}}));
        rules.push_back(rule({ir::Goto{"denied"}}));
        chain("forward", "packets through this host", std::move(rules),
              ir::BaseChain{ir::Hook::forward, priority_filter, false, true});
    }

    void add_output() {
        std::vector<ir::Rule> rules;
        add_host_only(rules, Field::oifname);
        add_refusals(rules);
        add_icmp_errors(rules);
        rules.push_back(rule({ir::MatchReply{true}, ir::Jump{"to_host"}}, "replies to what may reach this host"));
        rules.push_back(rule({ir::MatchReply{true}, ir::Goto{"denied"}}));
        rules.push_back(rule({ir::Jump{"from_host"}}));
        rules.push_back(rule({ir::Goto{"denied"}}));
        chain("output", "packets of this host", std::move(rules),
              ir::BaseChain{ir::Hook::output, priority_filter, false, true});
    }

    void add_mss() {
        std::vector<ir::Rule> rules;
        for (const Field field : {Field::iifname, Field::oifname})
            rules.push_back(rule({ir::MatchName{field, tunnel()}, ir::MatchSyn{}, ir::ClampMss{}}));
        chain("mss", "TCP segments that fit the tunnel", std::move(rules),
              ir::BaseChain{ir::Hook::forward, priority_mangle, false, false});
    }

    void add_masquerade() {
        chain("source_nat", "what comes out of the tunnel leaves with this host's address",
              {rule({ir::MatchName{Field::iifname, tunnel()}, ir::MatchName{Field::oifname, tunnel(), true},
                     ir::Masquerade{}})},
              ir::BaseChain{ir::Hook::postrouting, priority_srcnat, true, false});
    }

    const Policy& policy_;
    const Node& node_;
    Sides sides_;
    PermissionSets permissions_;
    std::vector<Family> families_{Family::ipv4};
    ir::Ruleset out_;
};

}  // namespace

ir::Ruleset lower(const Policy& policy, const Addresses& addresses, std::size_t node, Days today) {
    return Program(policy, addresses, node, today).build();
}

}  // namespace policyc
