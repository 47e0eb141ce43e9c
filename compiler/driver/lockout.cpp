// Takes the caller's own session through both tables: find_lockout().
#include "compiler/driver/lockout.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/follow.h"
#include "compiler/look_up.h"

namespace policyc {

namespace {

using Ending = Followed::Verdict;

Ending verdict(const ir::Ruleset& ruleset, const FirstPacket& packet) {
    const Result<Followed> followed =
        follow(ruleset, packet, [&](const ir::Set& set, std::string_view key) -> Result<std::optional<Held>> {
            return look_up(ruleset, set, key);
        });
    return followed ? followed.value().verdict : Ending::unreadable;
}

bool passes(const ir::Ruleset& ruleset, const FirstPacket& packet) {
    const Ending found = verdict(ruleset, packet);
    return found == Ending::accept || found == Ending::no_chain;
}

FirstPacket packet_of(const Session& session) {
    return {.hook = ir::Hook::input,
            .in = session.interface,
            .out = {},
            .source = session.client,
            .destination = session.here,
            .protocol = ir::L4::tcp,
            .port = session.port};
}

FirstPacket packet_in(const TunnelFlow& tunnel) {
    return {.hook = ir::Hook::input,
            .in = tunnel.interface,
            .out = {},
            .source = tunnel.peer,
            .destination = tunnel.here,
            .protocol = ir::L4::udp,
            .port = tunnel.port};
}

FirstPacket packet_out(const TunnelFlow& tunnel) {
    return {.hook = ir::Hook::output,
            .in = {},
            .out = tunnel.interface,
            .source = tunnel.here,
            .destination = tunnel.peer,
            .protocol = ir::L4::udp,
            .port = tunnel.peer_port};
}

// Whether that passes now, as far as is known, and would not.
bool cuts(const FirstPacket& packet, const std::optional<ir::Ruleset>& before, const ir::Ruleset& wanted) {
    return !passes(wanted, packet) && (!before || verdict(*before, packet) != Ending::drop);
}

std::string endpoint(const Address& address, std::uint16_t port) {
    const std::string text = to_string(address);
    return address.family == Family::ipv4 ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
}

// The inputs that name the port, or the node where none does.
Span place_of(const Session& session, const Node& node) {
    const auto names = [&](const Input& input) {
        return std::ranges::any_of(input.ports, [&](const Ports& ports) {
            return ports.protocol == Protocol::any ||
                   (ports.protocol == Protocol::tcp && ports.lo <= session.port && session.port <= ports.hi);
        });
    };
    const auto input = std::ranges::find_if(node.inputs, names);
    return input != node.inputs.end() ? input->span : node.span;
}

}  // namespace

std::optional<Lockout> find_lockout(const std::vector<Session>& sessions, const std::optional<ir::Ruleset>& before,
                                    const ir::Ruleset& wanted) {
    for (const Session& session : sessions) {
        if (cuts(packet_of(session), before, wanted)) return Lockout{session};
        if (!session.tunnel || !cuts(packet_in(*session.tunnel), before, wanted)) continue;
        if (!session.tunnel->keeps_alive || !passes(wanted, packet_out(*session.tunnel)))
            return Lockout{.session = session, .by_tunnel = true};
    }
    return {};
}

void report_lockout(const Lockout& lockout, const Node& node, bool first, Diagnostics& diagnostics) {
    const Session& session = lockout.session;
    const std::string over = session.interface.empty() ? "" : " over " + session.interface;
    const char* now = first ? "let through now, where there is no table inet policyc," : "allowed by the live ruleset";
    const std::string from = fmt::format("your session comes from {}{}", to_string(session.client), over);
    if (!lockout.by_tunnel) {
        diagnostics
            .report(Code::E0901, place_of(session, node), "apply refused: your own SSH session would be cut", from)
            .note(fmt::format("{} -> {}/tcp is {} and denied by this policy",
                              endpoint(session.client, session.client_port), endpoint(session.here, session.port), now))
            .help("allow it, as with an `input` of this node; or `policyc apply --force-lockout` cuts it");
        return;
    }
    const TunnelFlow& tunnel = *session.tunnel;
    const std::string other =
        node.listen_port ? fmt::format(" (it says {}, and the interface listens on another)", *node.listen_port) : "";
    diagnostics
        .report(Code::E0901, node.span,
                "apply refused: the tunnel that your own SSH session comes through would be cut", from)
        .note(fmt::format("{} -> {}/udp, which carries {}, is {} and denied by this policy",
                          endpoint(tunnel.peer, tunnel.peer_port), endpoint(tunnel.here, tunnel.port),
                          session.interface, now))
        .help(fmt::format("write listen_port = {} for this node{}; or `policyc apply --force-lockout` cuts it",
                          tunnel.port, other));
}

}  // namespace policyc
