// Takes the caller's own session through both tables: find_lockout().
#include "compiler/driver/lockout.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/follow.h"
#include "compiler/look_up.h"

namespace policyc {

namespace {

Followed::Verdict verdict(const ir::Ruleset& ruleset, const Session& session) {
    const FirstPacket packet{.hook = ir::Hook::input,
                             .in = session.interface,
                             .out = {},
                             .source = session.client,
                             .destination = session.here,
                             .protocol = ir::L4::tcp,
                             .port = session.port};
    const Result<Followed> followed =
        follow(ruleset, packet, [&](const ir::Set& set, std::string_view key) -> Result<std::optional<Held>> {
            return look_up(ruleset, set, key);
        });
    return followed ? followed.value().verdict : Followed::Verdict::unreadable;
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

std::optional<Session> find_lockout(const std::vector<Session>& sessions, const std::optional<ir::Ruleset>& before,
                                    const ir::Ruleset& wanted) {
    using Verdict = Followed::Verdict;
    const auto cut = std::ranges::find_if(sessions, [&](const Session& session) {
        const Verdict after = verdict(wanted, session);
        if (after == Verdict::accept || after == Verdict::no_chain) return false;
        return !before || verdict(*before, session) != Verdict::drop;
    });
    return cut != sessions.end() ? std::optional(*cut) : std::nullopt;
}

void report_lockout(const Session& session, const Node& node, bool first, Diagnostics& diagnostics) {
    const std::string over = session.interface.empty() ? "" : " over " + session.interface;
    diagnostics
        .report(Code::E0901, place_of(session, node), "apply refused: your own SSH session would be cut",
                fmt::format("your session comes from {}{}", to_string(session.client), over))
        .note(fmt::format(
            "{} -> {}/tcp is {} and denied by this policy", endpoint(session.client, session.client_port),
            endpoint(session.here, session.port),
            first ? "let through now, where there is no table inet policyc," : "allowed by the live ruleset"))
        .help("allow it, as with an `input` of this node; or `policyc apply --force-lockout` cuts it");
}

}  // namespace policyc
