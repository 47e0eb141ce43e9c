// Rulesets made by hand, for the tests of the backends: together they have every statement, field and kind of set.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir.h"
#include "policy/address.h"
#include "policy/span.h"

namespace samples {

using namespace policyc;
using namespace policyc::ir;

inline u128 at(const char* text) {
    return parse_address(text)->bits;
}
inline Elements::Bound one(const char* text) {
    return {at(text), at(text)};
}
inline Elements::Bound span(const char* lo, const char* hi) {
    return {at(lo), at(hi)};
}
inline Elements::Bound port(unsigned lo, unsigned hi = 0) {
    return {lo, hi == 0 ? lo : hi};
}

inline Set set_of(std::string name, std::vector<Type> types, bool interval = false, bool map = false) {
    Set set;
    set.name = std::move(name);
    set.types = types;
    set.interval = interval;
    set.map_to = map ? MapTo::counter : MapTo::nothing;
    set.elements = Elements(std::move(types), interval);
    return set;
}

inline Rule rule(std::vector<Statement> statements, std::string comment = {}, Span where = {}) {
    return {std::move(statements), std::move(comment), where};
}

// Two elements, one rule.
inline Ruleset small() {
    Ruleset out;
    out.node = "extgw01";
    out.subjects = {{"laptop", {}}};
    out.objects = {{"grafana", {0, 10, 17}}, {"jellyfin", {0, 30, 38}}};
    Set allow = set_of("allow_tcp4", {Type::ipv4_addr, Type::ipv4_addr, Type::inet_service});
    allow.comment = "source . destination . port";
    allow.size = 2;
    allow.elements.add({one("10.69.50.11"), one("10.69.13.30"), port(3000)}, {0, 0});
    allow.elements.add({one("10.69.50.11"), one("10.69.13.20"), port(8096)}, {0, 1});
    allow.elements.sort();
    out.sets.push_back(allow);
    Chain forward{"forward", BaseChain{Hook::forward, -10, false, true}, "packets through this host", {}};
    forward.rules.push_back(rule(
        {MatchL4{L4::tcp}, Lookup{{Field::ct_saddr4, Field::ct_daddr4, Field::ct_proto_dst}, "allow_tcp4"}, Accept{}}));
    out.chains.push_back(forward);
    return out;
}

// Every statement, every field, every kind of set, both families, and texts that try to break out of their comment.
inline Ruleset everything() {
    Ruleset out;
    out.node = "gw\ndelete table inet other";
    out.subjects = {{"laptop", {0, 0, 6}}, {"bad\nname } \" # \\", {}}};
    out.objects = {{"grafana", {0, 10, 17}}, {"", {0, 30, 38}}};
    out.counters = {{"svc_grafana", "laptop's \"grafana\"\n\x01 $x", {0, 10, 17}, 5, 777},
                    {"svc_media-1", "", {}, 0, 0},
                    {"svc_long", std::string(127, 'x') + "\xc3\xa9", {}, 0, 0}};

    Set names = set_of("managed", {Type::ifname});
    for (const char* name : {"wg-ext", "lo", "fifteen.letters"}) names.elements.add_name(name);
    names.elements.add_name("star*");
    Set exact4 = set_of("exact4", {Type::ipv4_addr});
    exact4.elements.add({one("10.0.0.1")}, {0, 0});
    exact4.elements.add({one("255.255.255.255")}, {1, Cause::none});
    Set exact6 = set_of("exact6", {Type::ipv6_addr});
    exact6.elements.add({one("fd00::1")}, {Cause::none, 1});
    Set ranges4 = set_of("ranges4", {Type::ipv4_addr}, true);
    ranges4.elements.add({span("0.0.0.0", "0.0.0.0")}, {0, 0});
    ranges4.elements.add({span("10.0.0.0", "10.255.255.255")}, {1, 0});
    ranges4.elements.add({span("11.0.0.3", "11.0.0.9")});
    ranges4.elements.add({span("11.0.0.10", "11.0.0.20")});  // a neighbour stays an element of its own
    ranges4.elements.add({span("255.255.255.0", "255.255.255.255")});
    Set ranges6 = set_of("ranges6", {Type::ipv6_addr}, true);
    ranges6.elements.add({span("fd69::", "fd69::ffff")});
    ranges6.elements.add({span("fe80::1", "fe80::5")});
    ranges6.elements.add({span("ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")});
    Set all4 = set_of("all4", {Type::ipv4_addr}, true);
    all4.elements.add({span("0.0.0.0", "255.255.255.255")});
    Set all6 = set_of("all6", {Type::ipv6_addr}, true);
    all6.elements.add({span("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")});
    Set ports = set_of("ports", {Type::inet_service});
    for (const unsigned number : {22U, 80U, 65535U}) ports.elements.add({port(number)});
    Set port_ranges = set_of("port_ranges", {Type::inet_service}, true);
    port_ranges.elements.add({port(1, 511)});
    port_ranges.elements.add({port(8080)});
    port_ranges.elements.add({port(65000, 65535)});

    const std::vector<Type> flow4{Type::ipv4_addr, Type::ipv4_addr, Type::inet_service};
    const std::vector<Type> flow6{Type::ipv6_addr, Type::ipv6_addr, Type::inet_service};
    Set allow4 = set_of("allow_tcp4", flow4);
    allow4.size = 2;
    allow4.elements.add({one("10.69.50.11"), one("10.69.13.30"), port(3000)}, {0, 0});
    allow4.elements.add({one("10.69.50.12"), one("10.69.13.30"), port(3000)}, {1, 1});
    Set allow6 = set_of("allow_udp6", flow6);
    allow6.elements.add({one("fd69::11"), one("fd69:13::30"), port(53)}, {0, 0});
    Set any4 = set_of("allow_any4", {Type::ipv4_addr, Type::ipv4_addr});
    any4.elements.add({one("10.69.50.11"), one("10.69.13.30")});
    Set any6 = set_of("allow_any6", {Type::ipv6_addr, Type::ipv6_addr});
    any6.elements.add({one("fd69::11"), one("fd69:13::30")});
    Set wide4 = set_of("allow_tcp4_ranges", flow4, true);
    wide4.elements.add({span("10.69.50.0", "10.69.50.255"), span("10.69.13.30", "10.69.13.35"), port(8000, 8100)},
                       {0, 0});
    wide4.elements.add({one("10.69.50.11"), span("0.0.0.0", "255.255.255.255"), port(1, 65535)}, {1, 0});
    wide4.elements.add({one("10.69.50.12"), one("10.69.13.1"), port(443)});
    Set wide6 = set_of("allow_udp6_ranges", flow6, true);
    wide6.elements.add({span("fd69::", "fd69::ffff"), span("fd69:13::1", "fd69:13::3"), port(53)});
    Set input4 = set_of("input_tcp4", {Type::ipv4_addr, Type::inet_service});
    input4.elements.add({one("10.69.50.11"), port(22)});
    Set empty = set_of("empty4", {Type::ipv4_addr, Type::inet_service});

    Set rate4 = set_of("rate1_ip4", {Type::ipv4_addr});
    Set rate6 = set_of("rate1_ip6", {Type::ipv6_addr});
    for (Set* rate : {&rate4, &rate6}) {
        rate->dynamic = true;
        rate->timeout = rate == &rate4 ? 10 : 3600;
        rate->size = 65535;
        rate->comment = "tiers.vpn\n: 50/second";
    }
    Set count4 = set_of("count4", {Type::ipv4_addr, Type::inet_service}, false, true);
    count4.elements.add({one("10.69.13.30"), port(3000)}, {Cause::none, 0}, 0);
    count4.elements.add({one("10.69.13.20"), port(8096)}, {Cause::none, 0}, 1);
    Set count4_ranges = set_of("count4_ranges", {Type::ipv4_addr, Type::inet_service}, true, true);
    count4_ranges.elements.add({span("10.69.13.0", "10.69.13.127"), port(8000, 8100)}, {}, 2);
    count4_ranges.elements.add({one("10.69.13.200"), port(22)}, {}, 0);
    Set count6 = set_of("count6", {Type::ipv6_addr}, true, true);
    count6.elements.add({span("fd69:13::", "fd69:13::ff")}, {}, 2);
    count6.elements.add({one("fd69:13::1:1")}, {}, 1);

    Set tiers4 = set_of("tiers4", {Type::ipv4_addr});
    tiers4.map_to = MapTo::verdict;
    tiers4.verdicts = {{false, "sub"}, {true, "nothing"}};
    tiers4.elements.add({one("10.69.50.11")}, {0, Cause::none}, 0);
    tiers4.elements.add({one("10.69.50.12")}, {1, Cause::none}, 1);
    tiers4.elements.add({one("10.69.50.13")}, {}, 0);
    Set shards4 = set_of("shards4", {Type::ipv4_addr}, true);
    shards4.map_to = MapTo::verdict;
    shards4.verdicts = {{true, "sub"}, {false, "nothing"}};
    shards4.elements.add({span("10.0.0.0", "10.127.255.255")}, {}, 0);
    shards4.elements.add({span("10.128.0.0", "10.255.255.255")}, {}, 1);
    shards4.elements.add({span("240.0.0.0", "255.255.255.255")}, {}, 0);
    Set shards6 = set_of("shards6", {Type::ipv6_addr}, true);
    shards6.map_to = MapTo::verdict;
    shards6.verdicts = {{false, "sub"}};
    shards6.elements.add({span("fd69::", "fd69::ffff")}, {}, 0);
    Set pairs4 = set_of("pairs4", flow4, true);
    pairs4.map_to = MapTo::verdict;
    pairs4.verdicts = {{false, "sub"}};
    pairs4.elements.add({one("10.69.50.11"), span("10.69.13.0", "10.69.13.127"), port(1, 1000)}, {}, 0);
    Set grants4 = set_of("grants4", {Type::ipv4_addr, Type::ipv4_addr});
    grants4.timed = true;
    grants4.elements.add({one("10.69.50.11"), one("10.69.13.1")});
    grants4.elements.set_life({3600000, 0});
    grants4.elements.add({one("10.69.50.12"), one("10.69.13.1")});
    Set leases4 = set_of("leases4", {Type::ipv4_addr});
    leases4.timed = true;
    leases4.timeout = 86400;
    leases4.elements.add({one("10.69.50.12")});
    leases4.elements.set_life({7200000, 0});

    out.sets = {names,         exact4, exact6, ranges4, ranges6, all4,   all6,    ports,  port_ranges, allow4,
                allow6,        any4,   any6,   wide4,   wide6,   input4, empty,   rate4,  rate6,       count4,
                count4_ranges, count6, tiers4, shards4, shards6, pairs4, grants4, leases4};
    for (Set& set : out.sets) set.elements.sort();

    using enum Field;
    const auto chain = [&out](std::string name, std::vector<Rule> rules) {
        out.chains.push_back({std::move(name), std::nullopt, {}, std::move(rules)});
    };
    chain("nothing", {});
    chain("sub", {rule({Return{}}), rule({Accept{}}), rule({Drop{}}), rule({Reject{}})});
    chain("lookups",
          {rule({Lookup{{iifname}, "managed"}, Lookup{{oifname}, "managed", true}, Accept{}}),
           rule({Lookup{{ip_saddr}, "exact4"}, Lookup{{ip_daddr}, "ranges4", true}, Accept{}}),
           rule({Lookup{{ip6_saddr}, "exact6"}, Lookup{{ip6_daddr}, "ranges6", true}, Accept{}}),
           rule({Lookup{{ip_daddr}, "all4"}, Accept{}}),
           rule({Lookup{{ip6_daddr}, "all6"}, Accept{}}),
           rule({Lookup{{tcp_dport}, "ports"}, Accept{}}),
           rule({Lookup{{udp_dport}, "port_ranges"}, Accept{}}),
           rule({MatchL4{L4::tcp}, Lookup{{ct_saddr4, ct_daddr4, ct_proto_dst}, "allow_tcp4"}, Accept{}}),
           rule({MatchL4{L4::tcp}, Lookup{{ct_saddr4, ct_daddr4, ct_proto_dst}, "allow_tcp4_ranges"}, Accept{}}),
           rule({MatchL4{L4::udp}, Lookup{{ct_saddr6, ct_daddr6, ct_proto_dst}, "allow_udp6"}, Accept{}}),
           rule({MatchL4{L4::udp}, Lookup{{ct_saddr6, ct_daddr6, ct_proto_dst}, "allow_udp6_ranges"}, Accept{}}),
           rule({Lookup{{ct_saddr4, ct_daddr4}, "allow_any4"}, Accept{}}),
           rule({Lookup{{ct_saddr6, ct_daddr6}, "allow_any6"}, Accept{}}),
           rule({Lookup{{ct_saddr4}, "ranges4"}, Accept{}}),
           rule({Lookup{{ct_daddr6}, "ranges6", true}, Drop{}}),
           rule({MatchL4{L4::tcp}, Lookup{{ct_saddr4, ct_proto_dst}, "input_tcp4"}, Accept{}}),
           rule({Lookup{{ip_saddr, tcp_dport}, "input_tcp4"}, Accept{}}),
           rule({Lookup{{ip_saddr, udp_dport}, "empty4"}, Accept{}}),
           rule({Lookup{{ip_saddr, ip_daddr, tcp_dport}, "allow_tcp4_ranges"}, Accept{}}),
           rule({Lookup{{ip6_saddr, ip6_daddr}, "allow_any6"}, Accept{}})});
    chain(
        "verdicts",
        {rule({LookupVerdict{{ct_saddr4}, "tiers4"}}), rule({MatchL4{L4::tcp}, LookupVerdict{{ct_daddr4}, "shards4"}}),
         rule({LookupVerdict{{ip6_daddr}, "shards6"}}, "by network"),
         rule({MatchL4{L4::tcp}, LookupVerdict{{ct_saddr4, ct_daddr4, ct_proto_dst}, "pairs4"}}),
         rule({Lookup{{ct_saddr4, ct_daddr4}, "grants4"}, Accept{}}), rule({Lookup{{ip_saddr}, "leases4"}, Accept{}})});
    chain(
        "matches",
        {rule({MatchName{iifname, "wg-ext"}, MatchName{oifname, "eth0", true}, Accept{}}, "a \"quoted\" name\n"),
         rule({MatchName{iifname, "wild*"}, Drop{}}), rule({MatchName{oifname, "br0.100@x", true}, Drop{}}),
         rule({MatchFamily{Family::ipv6}, Goto{"sub"}}, std::string(200, 'c'), {0, 10, 17}),
         rule({MatchFamily{Family::ipv4}, MatchL4{L4::udp}, MatchPort{ct_proto_dst, 51820}, Accept{}}),
         rule({MatchL4{L4::icmp}, MatchPort{ct_proto_dst, 2048}, Lookup{{ct_saddr4}, "exact4"}, Accept{}}),
         rule({MatchL4{L4::icmpv6}, MatchPort{ct_proto_dst, 32768}, Lookup{{ct_saddr6}, "exact6"}, Accept{}}),
         rule({MatchState{.invalid = true, .untracked = true}, Count{}, Drop{}}),
         rule({MatchState{.established = true, .related = true, .fresh = true}, Count{3, 180}, Accept{}}),
         rule({MatchState{.fresh = true}, Accept{}}), rule({MatchDnat{}, Count{}, Drop{}}),
         rule({MatchConfirmed{}, Accept{}}), rule({MatchReply{true}, Jump{"sub"}}), rule({MatchAssured{}, Accept{}}),
         rule({MatchReply{false}, MatchAssured{}, Lookup{{ip_saddr, ip_daddr, tcp_dport}, "allow_tcp4"}, Accept{}}),
         rule({MatchReply{true}, MatchL4{L4::udp}, Lookup{{ip6_daddr, ip6_saddr, udp_sport}, "allow_udp6"}, Accept{}}),
         rule({MatchReply{true}, Lookup{{ip_daddr, ip_saddr, tcp_sport}, "allow_tcp4_ranges"}, Accept{}}),
         rule({MatchSyn{true}, Accept{}}), rule({Lookup{{tcp_sport}, "ports"}, Accept{}}),
         rule({MatchPort{udp_sport, 53}, Accept{}}), rule({MatchReply{false}, Goto{"sub"}}),
         rule({MatchState{.related = true}, MatchIcmp{Family::ipv4, {3, 11, 12}}, Accept{}}),
         rule({MatchState{.related = true}, MatchIcmp{Family::ipv6, {1, 2, 3, 4}}, Accept{}}),
         rule({MatchIcmp{Family::ipv4, {8}}, Accept{}}), rule({MatchIcmp{Family::ipv4, {77, 200}}, Accept{}}),
         rule({MatchIcmp{Family::ipv6, {133, 134, 135, 136}}, MatchHopLimit{255}, Accept{}}),
         rule({MatchHopLimit{255}, MatchIcmp{Family::ipv6, {128}}, Accept{}}), rule({MatchHopLimit{64}, Accept{}}),
         rule({MatchPort{tcp_dport, 22}, Accept{}}), rule({MatchPort{udp_dport, 53}, Accept{}}),
         rule({MatchSyn{}, MatchPort{tcp_dport, 1}, Accept{}}),
         // What a later match implies, nft does not list.
         rule({MatchL4{L4::tcp}, MatchPort{tcp_dport, 22}, Accept{}}),
         rule({MatchFamily{Family::ipv4}, MatchState{.fresh = true}, Lookup{{ip_saddr}, "exact4"}, Accept{}}),
         rule({MatchFamily{Family::ipv4}, Count{}, Lookup{{ip_saddr}, "exact4"}, Accept{}}),
         rule({MatchFamily{Family::ipv4}, MatchL4{L4::icmp}, MatchIcmp{Family::ipv4, {8}}, Accept{}}),
         rule({MatchL4{L4::icmpv6}, MatchFamily{Family::ipv6}, MatchIcmp{Family::ipv6, {128}}, Accept{}}),
         rule({MatchFamily{Family::ipv6}, MatchL4{L4::icmpv6}, Accept{}}),
         rule({MatchL4{L4::udp}, MatchName{iifname, "lo"}, MatchPort{udp_dport, 53}, Accept{}}),
         rule({MatchFamily{Family::ipv6}, MatchHopLimit{255}, Accept{}}),
         rule({MatchL4{L4::tcp}, Lookup{{ip_saddr, tcp_dport}, "input_tcp4"}, Accept{}})});
    using Unit = Rate::Unit;
    chain("effects",
          {rule({Limit{{10, Unit::second}, 20}, LogPacket{"policyc deny ", 5}}),
           rule({Limit{{60, Unit::minute}, 5}, LogPacket{"policyc \"deny\" $x ", std::nullopt}}),
           rule({LogPacket{std::string(300, 'p'), 0}}), rule({Limit{{1, Unit::hour}, 1}, Accept{}}),
           rule({Limit{{1000, Unit::day}, 1000}, Accept{}}),
           rule({UpdateRate{"rate1_ip4", ip_saddr, {50, Unit::second}, 50}, Accept{}}),
           rule({MatchState{.fresh = true}, UpdateRate{"rate1_ip4", ct_saddr4, {6, Unit::minute}, 6}, Accept{}}),
           rule({UpdateRate{"rate1_ip6", ct_saddr6, {100, Unit::hour}, 100}, Accept{}}),
           rule({UpdateRate{"rate1_ip6", ip6_saddr, {1000, Unit::day}, 1000}, Accept{}}),
           rule({MatchL4{L4::tcp}, CountByMap{{ct_daddr4, ct_proto_dst}, "count4"}, Accept{}}),
           rule({MatchState{.fresh = true}, MatchL4{L4::tcp}, CountByMap{{ct_daddr4, ct_proto_dst}, "count4_ranges"}}),
           rule({CountByMap{{ct_daddr6}, "count6"}}), rule({CountByMap{{ip_daddr, tcp_dport}, "count4"}, Count{}})});
    const auto base = [&out](std::string name, BaseChain hook, std::vector<Rule> rules) {
        out.chains.push_back({std::move(name), hook, "packets } of\n chain", std::move(rules)});
    };
    base("input", {Hook::input, -10, false, true}, {rule({Jump{"lookups"}}), rule({Goto{"matches"}})});
    base("forward", {Hook::forward, 0, false, false}, {rule({Jump{"effects"}})});
    base("output", {Hook::output, 11, false, false}, {});
    base("mss", {Hook::forward, -150, false, false}, {rule({MatchName{oifname, "wg-ext"}, MatchSyn{}, ClampMss{}})});
    base("far", {Hook::output, -400, false, false}, {});
    base("leave", {Hook::postrouting, 100, true, false},
         {rule({MatchName{iifname, "wg-ext"}, Masquerade{}}), rule({Masquerade{}})});
    return out;
}

// everything() after an edit: one more element beside one with a life of its own, and a rule.
inline Ruleset edited() {
    Ruleset out = everything();
    Set& grants = *std::ranges::find(out.sets, "grants4", &Set::name);
    grants.elements.add({one("10.69.50.13"), one("10.69.13.1")});
    grants.elements.set_life({7200000, 0});
    grants.elements.sort();
    out.chains.front().rules.push_back(rule({Count{}, Drop{}}));
    return out;
}

// What the kernel takes only as a whole or not at all: the jump leads nowhere, and everything else is fine.
inline Ruleset refused() {
    Ruleset out = small();
    out.chains[0].rules.push_back(rule({Jump{"not_there"}}, "", {0, 10, 17}));
    return out;
}

// A set that is declared smaller than it is: the kernel refuses its second element.
inline Ruleset overfull() {
    Ruleset out = small();
    out.sets[0].size = 1;
    return out;
}

// One set of so many elements; `interval` makes each a range.
inline Ruleset large(std::size_t elements, bool interval) {
    Ruleset out = small();
    Set& set = out.sets[0];
    set.interval = interval;
    set.size = interval ? 0 : static_cast<std::uint32_t>(elements);
    set.elements = Elements(set.types, interval);
    set.elements.reserve(elements);
    const u128 first = at("10.0.0.0");
    for (std::size_t i = 0; i < elements; ++i)
        set.elements.add({{first + i, first + i}, one("10.69.13.30"), interval ? port(3000, 3100) : port(3000)},
                         {0, 0});
    set.elements.sort();
    return out;
}

}  // namespace samples
