// The packets that a counterexample of the proof speaks of: whether one of them has another verdict is for walk.h to say.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/proof/prove.h"
#include "probes.h"
#include "walk.h"

namespace policyc::walk {

class Example {
public:
    // `interfaces`: the tunnel, loopback, and those that nothing is judged of. `ports`: those that the end may have of which the proof knows nothing; `clients`: of these, where this
    // host begins. `flows`: those that a message may be about.
    Example(const proof::Proof::Counterexample& found, std::vector<std::string> interfaces, std::vector<unsigned> ports,
            std::vector<unsigned> clients, const std::vector<Flow>& flows)
        : found_(found),
          phase_(found.phase),
          interfaces_(std::move(interfaces)),
          ports_(std::move(ports)),
          clients_(std::move(clients)),
          flows_(flows) {}

    template <typename Visit>
    void packets(const Visit& visit) const {
        const auto hook = static_cast<proof::Hook>(at(proof::Field::hook));
        const auto ins = hook == proof::Hook::output ? std::vector<std::string>{""} : names(at(proof::Field::in));
        const auto outs = hook == proof::Hook::input ? std::vector<std::string>{""} : names(at(proof::Field::out));
        for (const std::string& in : ins)
            for (const std::string& out : outs)
                for (const char state : states())
                    for (const bool confirmed : choices(phase_.confirmed))
                        for (const bool assured : choices(phase_.assured))
                            for (const bool syn : choices(phase_.syn))
                                for (const bool near : choices(phase_.hop_limit)) {
                                    Packet packet{.hook = hook_of(hook), .family = found_.family, .in = in, .out = out};
                                    packet.state = state;
                                    packet.reply = phase_.reply;
                                    packet.confirmed = confirmed;
                                    packet.assured = assured;
                                    packet.syn = syn;
                                    packet.hop_limit = near ? 255 : 64;
                                    with_ends(packet, hook, visit);
                                }
    }

private:
    [[nodiscard]] u128 at(proof::Field field) const { return found_.point[proof::place(field)]; }

    static ir::Hook hook_of(proof::Hook hook) {
        return hook == proof::Hook::forward ? ir::Hook::forward
               : hook == proof::Hook::input ? ir::Hook::input
                                            : ir::Hook::output;
    }
    [[nodiscard]] std::vector<std::string> names(u128 side) const {
        switch (static_cast<proof::Side>(side)) {
            case proof::Side::tunnel: return {interfaces_.front()};
            case proof::Side::other: return {"else0"};
            case proof::Side::untouched: return {interfaces_.begin() + 2, interfaces_.end()};
            case proof::Side::loopback: return {"lo"};
        }
        return {};
    }
    [[nodiscard]] std::string states() const {
        std::string all;
        if (phase_.states.fresh) all += 'n';
        if (phase_.states.related) all += 'r';
        if (phase_.states.established) all += 'e';
        if (phase_.states.invalid) all += 'i';
        if (phase_.states.untracked) all += 'u';
        return all;
    }
    static std::vector<bool> choices(proof::Bit bit) {
        if (bit == proof::Bit::either) return {false, true};
        return {bit == proof::Bit::yes};
    }

    // RFC 792 and RFC 4443: the type of what answers such a request.
    static unsigned answer_to(unsigned type) {
        switch (type) {
            case 8: return 0;
            case 13: return 14;
            case 15: return 16;
            case 17: return 18;
            case 128: return 129;
            case 139: return 140;
            default: return type;
        }
    }

    template <typename Visit>
    void with_ends(Packet packet, proof::Hook hook, const Visit& visit) const {
        using Kind = proof::Phase::Kind;
        const u128 source = at(proof::Field::source);
        const u128 destination = at(proof::Field::destination);
        const auto port = static_cast<unsigned>(at(proof::Field::port));
        packet.protocol = static_cast<unsigned>(at(proof::Field::protocol));
        const bool as_asked = phase_.way == proof::Way::begin || phase_.kind == Kind::message;
        const bool ports = packet.protocol == 6 || packet.protocol == 17;
        packet.source = as_asked ? source : destination;
        packet.destination = as_asked ? destination : source;
        if (packet.protocol == (found_.family == Family::ipv4 ? 1U : 58U))
            packet.icmp_type = as_asked ? port / 256 : answer_to(port / 256);
        packet.ct_source = phase_.kind == Kind::turned ? destination : source;
        packet.ct_destination = phase_.kind == Kind::turned ? source : destination;
        packet.ct_port = port;
        packet.dnat = phase_.kind == Kind::rewritten;
        const bool begun_here = (hook == proof::Hook::input && phase_.way == proof::Way::reply) ||
                                (hook == proof::Hook::output && phase_.way == proof::Way::begin);
        for (const unsigned other : !ports                                    ? std::vector{0U}
                                    : begun_here && phase_.kind == Kind::flow ? clients_
                                                                              : ports_) {
            if (ports) {
                packet.port = as_asked ? port : other;
                packet.from_port = as_asked ? other : port;
            }
            if (phase_.kind == Kind::turned) packet.ct_port = other;
            visit(packet);
            // Of what flow a message is, and where the destination was before it was rewritten, the point doesn't say.
            if (phase_.kind == Kind::message || phase_.kind == Kind::rewritten) with_flows(packet, visit);
        }
    }

    template <typename Visit>
    void with_flows(Packet packet, const Visit& visit) const {
        const auto about = [&](u128 source, u128 destination, unsigned port) {
            packet.ct_source = source;
            packet.ct_destination = destination;
            packet.ct_port = port;
            visit(packet);
        };
        const u128 source = at(proof::Field::source);
        const u128 destination = at(proof::Field::destination);
        for (const Flow& flow : flows_) {
            if (flow.family != found_.family) continue;
            about(source, flow.destination, flow.port);
            about(source, destination, flow.port);
            if (phase_.kind != proof::Phase::Kind::message) continue;
            about(flow.source, flow.destination, flow.port);
            about(destination, source, flow.port);
            about(flow.source, source, flow.port);
            about(flow.source, destination, flow.port);
            about(destination, flow.destination, flow.port);
        }
    }

    const proof::Proof::Counterexample& found_;
    const proof::Phase& phase_;
    std::vector<std::string> interfaces_;
    std::vector<unsigned> ports_, clients_;
    const std::vector<Flow>& flows_;
};

}  // namespace policyc::walk
