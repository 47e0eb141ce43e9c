// Phases of a flow, and fields of packets in them; entry points in packet.h.
#include "compiler/proof/packet.h"

#include <algorithm>
#include <array>

namespace policyc::proof {
namespace {

using ir::MatchState;
using Kind = Phase::Kind;

// A request of ICMP and the answer to it: RFC 792, RFC 950, RFC 4443, RFC 4620.
struct Exchange {
    std::uint8_t request;
    std::uint8_t answer;
};
constexpr std::array exchanges{Exchange{8, 0}, Exchange{13, 14}, Exchange{15, 16}, Exchange{17, 18}};
constexpr std::array exchanges6{Exchange{128, 129}, Exchange{139, 140}};

Reading point(Field field, std::optional<u128> protocol = {}) {
    return {Reading::From::point, field, protocol};
}

bool of_family(ir::Field field, Family family) {
    using enum ir::Field;
    switch (field) {
        case ip_saddr:
        case ip_daddr:
        case ct_saddr4:
        case ct_daddr4: return family == Family::ipv4;
        case ip6_saddr:
        case ip6_daddr:
        case ct_saddr6:
        case ct_daddr6: return family == Family::ipv6;
        case iifname:
        case oifname:
        case ct_proto_dst:
        case tcp_dport:
        case udp_dport:
        case tcp_sport:
        case udp_sport: return true;
    }
    return false;
}

// `field`: of the flow that connection tracking has, as if it were that of the point.
Reading of_connection(Field field, const Phase& phase) {
    switch (phase.kind) {
        case Kind::flow: return point(field);
        case Kind::message: return {Reading::From::any};
        case Kind::rewritten: return field == Field::source ? point(field) : Reading{Reading::From::any};
        case Kind::turned:
            if (field == Field::port) return {Reading::From::any};
            return point(field == Field::source ? Field::destination : Field::source);
        case Kind::stray: return {};
    }
    return {};
}

}  // namespace

std::vector<Phase> phases(bool rates) {
    const MatchState fresh{.fresh = true};
    const MatchState related{.related = true};
    const MatchState established{.established = true};
    std::vector<Phase> all;
    const auto begins = [&](const MatchState& states, Bit confirmed, Bit assured, const char* words) {
        Phase phase{.states = states, .confirmed = confirmed, .assured = assured, .words = words};
        for (const Bit syn : rates ? std::vector{Bit::yes, Bit::no} : std::vector{Bit::either}) {
            phase.syn = syn;
            all.push_back(phase);
        }
    };
    for (const Bit confirmed : rates ? std::vector{Bit::no, Bit::yes} : std::vector{Bit::either}) {
        const bool first = confirmed != Bit::yes;
        begins(fresh, confirmed, Bit::no,
               first ? "the first packet of a flow" : "a packet of a flow without an answer");
        begins(related, confirmed, Bit::no, "a packet of a flow that another one announced");
    }
    begins(established, Bit::yes, Bit::no, "a packet of a flow that was answered");
    begins(established, Bit::yes, Bit::yes, "a packet of a flow that is under way");
    for (const Bit assured : {Bit::no, Bit::yes})
        all.push_back({.way = Way::reply,
                       .reply = true,
                       .states = established,
                       .confirmed = Bit::yes,
                       .assured = assured,
                       .words = assured == Bit::yes ? "an answer in a flow that is under way" : "an answer"});
    for (const bool reply : {false, true}) {
        const Way way = reply ? Way::reply : Way::begin;
        all.push_back({.kind = Kind::message,
                       .way = way,
                       .reply = reply,
                       .states = related,
                       .confirmed = Bit::yes,
                       .words = "an ICMP message about a flow"});
        MatchState any = established;
        if (!reply) any.fresh = any.related = true;
        all.push_back({.kind = Kind::rewritten,
                       .way = way,
                       .reply = reply,
                       .states = any,
                       .words = "a packet of a flow whose destination was rewritten"});
    }
    // What comes in is no reply, and what goes out is one: the packet's own way, against that of connection tracking.
    for (const Way way : {Way::begin, Way::reply}) {
        MatchState states = established;
        if (way == Way::reply) states.fresh = true;
        all.push_back({.kind = Kind::turned,
                       .way = way,
                       .reply = way == Way::begin,
                       .states = states,
                       .words = "a packet of a session that was picked up the wrong way round"});
    }
    for (const Bit hop_limit : {Bit::yes, Bit::no}) {
        all.push_back({.kind = Kind::stray,
                       .states = {.invalid = true},
                       .hop_limit = hop_limit,
                       .words = "a packet that is no part of a flow"});
        all.push_back({.kind = Kind::stray,
                       .states = {.untracked = true},
                       .hop_limit = hop_limit,
                       .words = "a packet that is not tracked"});
    }
    return all;
}

Reading reading_of(ir::Field field, const Phase& phase, Hook hook, Family family) {
    if (!of_family(field, family)) return {};
    // A message's point is its own, whichever way it goes.
    const bool as_asked = phase.way == Way::begin || phase.kind == Kind::message;
    const auto port = [&](u128 protocol, bool of_destination) -> Reading {
        if (of_destination == as_asked) return point(Field::port, protocol);
        const bool begun_here =
            (hook == Hook::input && phase.way == Way::reply) || (hook == Hook::output && phase.way == Way::begin);
        const bool client = begun_here && phase.kind == Kind::flow;
        return {client ? Reading::From::client : Reading::From::any, Field::port, protocol};
    };
    using enum ir::Field;
    switch (field) {
        case iifname:
        case oifname: return {};
        case ip_saddr:
        case ip6_saddr: return point(as_asked ? Field::source : Field::destination);
        case ip_daddr:
        case ip6_daddr: return point(as_asked ? Field::destination : Field::source);
        case ct_saddr4:
        case ct_saddr6: return of_connection(Field::source, phase);
        case ct_daddr4:
        case ct_daddr6: return of_connection(Field::destination, phase);
        case ct_proto_dst: return of_connection(Field::port, phase);
        case tcp_dport: return port(tcp_number, true);
        case udp_dport: return port(udp_number, true);
        case tcp_sport: return port(tcp_number, false);
        case udp_sport: return port(udp_number, false);
    }
    return {};
}

std::vector<Interval> icmp_ports(const std::vector<std::uint8_t>& types, const Phase& phase, Family family) {
    const bool answer = phase.way == Way::reply && phase.kind != Kind::message;
    std::vector<Interval> ports;
    for (std::uint8_t type : types) {
        bool possible = true;
        for (const Exchange& exchange :
             family == Family::ipv4 ? std::span<const Exchange>(exchanges) : std::span<const Exchange>(exchanges6)) {
            if (answer && type == exchange.request) possible = false;
            if (answer && type == exchange.answer) {
                type = exchange.request;
                break;
            }
        }
        if (possible) ports.push_back({u128{type} * 256, u128{type} * 256 + 255});
    }
    return ports;
}

}  // namespace policyc::proof
