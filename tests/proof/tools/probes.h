// Packets to ask two Rulesets about: at the boundaries of all that they name, at each hook, through each kind of interface, in every state that a flow can be in.
#pragma once

#include <random>
#include <set>
#include <string>
#include <vector>

#include "walk.h"

namespace policyc::walk {

// A flow, and where its packets can be.
struct Flow {
    Family family{};
    u128 source = 0, destination = 0;
    unsigned protocol = 0, port = 0;  // of ICMP: type * 256 + code

    auto operator<=>(const Flow&) const = default;
};

class Probes {
public:
    // `known`: interfaces that the policy names; another one is added.
    Probes(const ir::Ruleset& ruleset, std::vector<std::string> known, std::uint64_t seed)
        : interfaces_(std::move(known)), random_(seed) {
        interfaces_.emplace_back("else0");
        collect(ruleset);
        for (const ir::Set& set : ruleset.sets)
            if (set.name.starts_with("server_"))
                for (std::size_t i = 0; i < set.elements.size(); ++i) {
                    const auto bound = set.elements.bound(i, 0);
                    for (u128 port = bound.lo; port <= bound.hi; ++port)
                        (set.name == "server_ports" ? served_tcp_ : served_udp_).insert(static_cast<unsigned>(port));
                }
        tcp_clients_ = clients(served_tcp_);
        udp_clients_ = clients(served_udp_);
    }

    // Flows with that key, read from those fields, and those that miss it by one; what else they have is drawn from all that is known.
    void near(const std::vector<ir::Elements::Bound>& key, const std::vector<ir::Type>& types,
              const std::vector<ir::Field>& fields, std::set<Flow>& flows) {
        for (std::size_t which = 0; which <= fields.size(); ++which) {  // the field that steps over its bounds, or none
            for (const int step : {0, 1, 2, 3}) {
                if (which == fields.size() && step > 1) continue;
                Flow flow = any(types);
                for (std::size_t f = 0; f < fields.size(); ++f) {
                    const auto& bound = key[f];
                    u128 value = step % 2 == 0 ? bound.lo : bound.hi;
                    if (f == which && step == 2) value = bound.lo - 1;
                    if (f == which && step == 3) value = bound.hi + 1;
                    put(flow, fields[f], value);
                }
                if (valid(flow)) flows.insert(flow);
                // A key may leave the protocol to the rule.
                if (which != fields.size() || !valid(flow)) continue;
                const unsigned icmp = flow.family == Family::ipv4 ? 1 : 58;
                for (const unsigned protocol : {6U, 17U, icmp, 47U}) {
                    flow.protocol = protocol;
                    if (protocol == icmp) flow.port = (icmp == 1 ? 8 : 128) * 256;
                    flows.insert(flow);
                }
            }
        }
    }
    Flow any(const std::vector<ir::Type>& types = {}) {
        bool six = random_() % 3 == 0;
        for (const ir::Type type : types) {
            if (type == ir::Type::ipv4_addr) six = false;
            if (type == ir::Type::ipv6_addr) six = true;
        }
        Flow flow{.family = six ? Family::ipv6 : Family::ipv4};
        flow.source = pick(addresses_[six ? 1 : 0]);
        flow.destination = pick(addresses_[six ? 1 : 0]);
        const unsigned icmp = six ? 58 : 1;
        const unsigned echo = six ? 128 * 256 : 8 * 256;
        switch (random_() % 8) {
            case 0: flow.protocol = icmp, flow.port = echo + random_() % 2; break;
            case 1: flow.protocol = 47; break;
            case 2:
            case 3: flow.protocol = 17, flow.port = static_cast<unsigned>(pick(ports_)); break;
            default: flow.protocol = 6, flow.port = static_cast<unsigned>(pick(ports_)); break;
        }
        return flow;
    }

    // Every packet of the flow, each at each hook where it can be.
    template <typename Visit>
    void packets(const Flow& flow, const Visit& visit) {
        for (const std::string& in : interfaces_) {
            for (const std::string& out : interfaces_)
                if (in != "lo" && out != "lo") all(flow, ir::Hook::forward, in, out, visit);
            all(flow, ir::Hook::input, in, "", visit);
            all(flow, ir::Hook::output, "", in, visit);
        }
    }

    // Boundaries of another Ruleset, too.
    void collect(const ir::Ruleset& ruleset) {
        for (const ir::Set& set : ruleset.sets)
            for (std::size_t i = 0; i < set.elements.size(); ++i)
                for (std::size_t f = 0; f < set.types.size(); ++f) {
                    if (set.types[f] == ir::Type::ifname) continue;
                    const auto bound = set.elements.bound(i, f);
                    auto& values = set.types[f] == ir::Type::inet_service ? ports_
                                   : set.types[f] == ir::Type::ipv4_addr  ? addresses_[0]
                                                                          : addresses_[1];
                    values.push_back(bound.lo);
                    values.push_back(bound.hi);
                }
        for (auto& values : addresses_)
            if (values.empty()) values.push_back(1);
        ports_.push_back(443);
    }

    // By what the program knows of it.
    [[nodiscard]] bool served(unsigned protocol, unsigned port) const {
        return (protocol == 6 ? served_tcp_ : served_udp_).contains(port);
    }

private:
    u128 pick(const std::vector<u128>& values) { return values[random_() % values.size()]; }

    static void put(Flow& flow, ir::Field field, u128 value) {
        using enum ir::Field;
        switch (field) {
            case ip_saddr:
            case ip6_saddr:
            case ct_saddr4:
            case ct_saddr6: flow.source = value; break;
            case ip_daddr:
            case ip6_daddr:
            case ct_daddr4:
            case ct_daddr6: flow.destination = value; break;
            case tcp_dport:
            case tcp_sport: flow.protocol = 6, flow.port = static_cast<unsigned>(value); break;
            case udp_dport:
            case udp_sport: flow.protocol = 17, flow.port = static_cast<unsigned>(value); break;
            case ct_proto_dst:
                if (flow.protocol != 6 && flow.protocol != 17) flow.protocol = flow.source % 2 == 0 ? 6 : 17;
                flow.port = static_cast<unsigned>(value);
                break;
            case iifname:
            case oifname: break;
        }
    }
    static bool valid(const Flow& flow) {
        return flow.port <= 65535 && std::max(flow.source, flow.destination) <= top(flow.family);
    }

    // Ports that this host may begin from: none that only servers use.
    static std::vector<unsigned> clients(const std::set<unsigned>& served) {
        std::vector<unsigned> free;
        const auto add = [&](unsigned port) {
            if (port <= 65535 && !served.contains(port)) free.push_back(port);
        };
        for (const unsigned port : {40000U, 51000U, 600U, 61000U, 0U}) add(port);
        for (const unsigned port : served)
            for (const unsigned beside : {port - 1, port + 1}) add(beside);
        return free;
    }
    unsigned client(unsigned protocol) {
        const auto& free = protocol == 6 ? tcp_clients_ : udp_clients_;
        return free[random_() % free.size()];
    }

    template <typename Visit>
    void all(const Flow& flow, ir::Hook hook, const std::string& in, const std::string& out, const Visit& visit) {
        const bool four = flow.family == Family::ipv4;
        const unsigned icmp = four ? 1 : 58;
        const bool ports = flow.protocol == 6 || flow.protocol == 17;
        Packet packet{.hook = hook, .family = flow.family, .in = in, .out = out, .protocol = flow.protocol};
        packet.ct_source = flow.source;
        packet.ct_destination = flow.destination;
        packet.ct_port = ports || flow.protocol == icmp ? flow.port : 0;
        // Whoever begins elsewhere may do so from any port.
        const auto other = [&](bool begun_here) {
            if (!ports) return 0U;
            return begun_here || random_() % 2 == 0 ? client(flow.protocol) : static_cast<unsigned>(pick(ports_));
        };
        const auto as_asked = [&] {
            packet.source = flow.source;
            packet.destination = flow.destination;
            packet.from_port = other(hook == ir::Hook::output);
            packet.port = ports ? flow.port : 0;
            packet.icmp_type = flow.protocol == icmp ? flow.port / 256 : 256;
        };
        const auto as_answer = [&] {
            packet.source = flow.destination;
            packet.destination = flow.source;
            packet.from_port = ports ? flow.port : 0;
            packet.port = other(hook == ir::Hook::input);
            packet.icmp_type = flow.protocol == icmp ? (four ? 0 : 129) : 256;
        };
        const auto say = [&](char state, bool reply, bool confirmed, bool assured, bool syn) {
            packet.state = state;
            packet.reply = reply;
            packet.confirmed = confirmed;
            packet.assured = assured;
            packet.syn = syn;
            visit(packet);
        };
        // Neighbour discovery is never tracked.
        const bool discovery = !four && flow.protocol == icmp && flow.port / 256 >= 133 && flow.port / 256 <= 136;
        if (!discovery) {
            as_asked();
            for (const bool syn : {true, false}) {
                if (syn && flow.protocol != 6) continue;
                for (const bool confirmed : {false, true}) {
                    say('n', false, confirmed, false, syn);
                    if (flow.protocol != icmp) say('r', false, confirmed, false, syn);
                }
                say('e', false, true, false, syn);
                say('e', false, true, true, syn);
            }
            as_answer();
            say('e', true, true, false, false);
            say('e', true, true, true, false);
        }
        // Not tracked, not valid, of a rewritten flow.
        as_asked();
        say('i', false, false, false, false);
        say('u', false, false, false, false);
        packet.hop_limit = 255;
        say('u', false, false, false, false);
        packet.hop_limit = 64;
        packet.dnat = true;
        // The flow is what was asked for, and goes elsewhere; or it is where it goes, and something else was asked for.
        for (const bool asked_for : {true, false}) {
            packet.ct_destination = flow.destination ^ (asked_for ? 0U : 1U);
            const auto elsewhere = [&](u128& address) {
                if (asked_for) address ^= 1U;
            };
            as_asked();
            elsewhere(packet.destination);
            say('n', false, false, false, false);
            say('e', false, true, true, false);
            if (flow.protocol == icmp) say('r', false, true, true, false);
            as_answer();
            elsewhere(packet.source);
            say('e', true, true, true, false);
        }
        packet.dnat = false;
        packet.ct_destination = flow.destination;

        // ICMP messages about the flow, from its ends and from elsewhere: an error, a redirect.
        packet.protocol = icmp;
        packet.from_port = packet.port = 0;
        for (const bool reply : {false, true}) {
            for (const u128 source : {flow.source, flow.destination, pick(addresses_[four ? 0 : 1])}) {
                packet.source = source;
                packet.destination = source == flow.source ? flow.destination : flow.source;
                for (const unsigned type : four ? std::vector{3U, 11U, 12U, 5U} : std::vector{1U, 2U, 4U, 137U}) {
                    packet.icmp_type = type;
                    for (const bool assured : {false, true}) say('r', reply, true, assured, false);
                }
            }
        }
        packet.protocol = flow.protocol;
        // Picked up the wrong way round.
        const auto& served = flow.protocol == 6 ? served_tcp_ : served_udp_;
        const bool in_tunnel = flow.protocol == 6 || in == interfaces_[0] || out == interfaces_[0];
        if (!ports || !served.contains(flow.port) || !in_tunnel || hook == ir::Hook::forward) return;
        packet.ct_source = flow.destination;
        packet.ct_destination = flow.source;
        if (hook == ir::Hook::input) {
            as_asked();
            packet.ct_port = packet.from_port;
            say('e', true, true, true, false);
        } else {
            as_answer();
            packet.ct_port = packet.port;
            say('n', false, false, false, false);
            say('e', false, true, true, false);
        }
    }

    std::vector<std::string> interfaces_;  // the tunnel first
    std::mt19937_64 random_;
    std::vector<u128> addresses_[2];
    std::vector<u128> ports_;
    std::set<unsigned> served_tcp_, served_udp_;
    std::vector<unsigned> tcp_clients_, udp_clients_;
};

}  // namespace policyc::walk
