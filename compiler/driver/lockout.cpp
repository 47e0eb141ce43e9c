// Takes the caller's own session through both tables: find_lockout().
#include "compiler/driver/lockout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/look_up.h"
#include "policy/reach.h"

namespace policyc {

namespace {

using Ending = Followed::Verdict;
using State = FirstPacket::State;

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
            .port = session.port,
            .from_port = session.client_port};
}

FirstPacket packet_in(const TunnelFlow& tunnel) {
    return {.hook = ir::Hook::input,
            .in = tunnel.interface,
            .out = {},
            .source = tunnel.peer,
            .destination = tunnel.here,
            .protocol = ir::L4::udp,
            .port = tunnel.port,
            .from_port = tunnel.peer_port};
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

// Whether it may not begin and goes on now all the same, by a rule that somebody else put into the table, as `ct state established accept`.
bool ends(const FirstPacket& begun, const std::optional<ir::Ruleset>& before, const ir::Ruleset& wanted) {
    if (!before || passes(wanted, begun)) return false;
    return std::ranges::any_of(std::array{State::established, State::reply}, [&](State state) {
        FirstPacket packet = begun;
        packet.state = state;
        return cuts(packet, before, wanted);
    });
}

// The chains of other tables that do that to what comes in.
std::string doing(ForeignChain::Does does, Family family, const TrackedHow& how) {
    std::string text;
    const char* const other = family == Family::ipv4 ? "ip6 " : "ip ";
    for (const ForeignChain& chain : how.others)
        if (chain.does == does && chain.hook == "prerouting" && !chain.table.starts_with(other))
            text += fmt::format("{}chain {} of table {}", text.empty() ? "" : " or ", chain.name, chain.table);
    return text;
}

// What the next packet of such a flow will be, once connections are tracked.
void take_state(Tracked tracked, Family family, const TrackedHow& how, Lockout& as) {
    if (tracked == Tracked::rewritten) {
        as.state = State::rewritten;
        as.by = doing(ForeignChain::Does::translates, family, how);
    }
    if (tracked != Tracked::absent) return;
    as.by = doing(ForeignChain::Does::untracks, family, how);
    if (!as.by.empty())
        as.state = State::untracked;
    else if (!how.picks_up && !as.tunnel)
        as.state = State::invalid;
}

// As what begins anew, as what is under way, then as what connection tracking has it for.
std::optional<Lockout> cut_as(Lockout as, const FirstPacket& begun, bool goes_on, Tracked tracked,
                              const std::optional<ir::Ruleset>& before, const ir::Ruleset& wanted,
                              const TrackedHow& how) {
    if (!goes_on && cuts(begun, before, wanted)) return as;
    if (!goes_on && ends(begun, before, wanted)) {
        as.under_way = true;
        return as;
    }
    take_state(tracked, begun.source.family, how, as);
    FirstPacket packet = begun;
    packet.state = as.state;
    if (as.state != State::fresh && cuts(packet, before, wanted)) return as;
    return {};
}

std::optional<Lockout> cut_tunnel(const std::optional<Session>& session, const TunnelFlow& tunnel,
                                  const std::optional<ir::Ruleset>& before, const ir::Ruleset& wanted,
                                  const TrackedHow& how) {
    const bool goes_on = tunnel.keeps_alive && passes(wanted, packet_out(tunnel));
    return cut_as({.session = session, .tunnel = tunnel}, packet_in(tunnel), goes_on, tunnel.tracked, before, wanted,
                  how);
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

// By what the last policy let that in.
struct LetIn {
    std::optional<Span> still;  // where the policy has an input or a tier of that name
    std::string was;            // "input.ssh at policy.toml:14", where it has not
};

// The entry of the tier for the same host, where that is what was edited; else the tier.
Span place_in(const Tier& tier, const Target& was, const FirstPacket& packet) {
    Span edited;
    for (const Target& target : tier.allow) {
        if (target.label != was.label) continue;
        const bool all = target.ports.protocol == Protocol::any;
        if (all || (target.ports.lo <= packet.port && packet.port <= target.ports.hi)) return tier.span;
        if (!edited.valid()) edited = target.span;
    }
    return edited.valid() ? edited : tier.span;
}

std::optional<LetIn> let_in_by(const FirstPacket& packet, const View& last, const Policy& policy, const Node& node) {
    const reach::Permissions all = reach::permissions_of(*last.policy, *last.addresses, last.today);
    const bool udp = packet.protocol == ir::L4::udp;
    const std::uint32_t number = (udp ? reach::Slots::udp : 0) + packet.port;
    std::optional<LetIn> found;
    const auto take = [&](const std::string& name, const Span& was, const std::optional<Span>& still) {
        const auto line = [&] { return last.sources->line_number(was.file, was.begin); };
        if (!found || (still && !found->still))
            found = LetIn{still, fmt::format("`{}` at {}:{}", name, last.sources->name(was.file), line())};
    };
    for (const reach::Area& area : all.areas.areas()) {
        const reach::Permission& by = all.list[area.owner];
        if (by.expired || !area.slots.holds({number, number})) continue;
        if (!all.sources[by.sources].holds(range_of(packet.source))) continue;
        if (by.kind == reach::Permission::Kind::input && by.index == last.node) {
            const auto input = std::ranges::find(node.inputs, by.input->name, &Input::name);
            take("input." + by.input->name, by.span,
                 input != node.inputs.end() ? std::optional(input->span) : std::nullopt);
        } else if (by.kind == reach::Permission::Kind::tier && area.destination.holds(range_of(packet.destination))) {
            const Tier& was = last.policy->tiers[by.index];
            if (was.grant || was.bastion) continue;
            const auto tier = std::ranges::find(policy.tiers, was.name, &Tier::name);
            take("tiers." + was.name, by.span,
                 tier != policy.tiers.end() ? std::optional(place_in(*tier, *by.target, packet)) : std::nullopt);
        }
    }
    return found;
}

// Another node that has that address behind the tunnel, if it comes from elsewhere: refused as spoofed, whatever is allowed.
std::optional<Span> spoofs(const Session& session, const Policy& policy, const Node& node) {
    if (session.interface.empty() || !node.interface || session.interface == node.interface->value) return {};
    const Range client = range_of(session.client);
    for (const Node& other : policy.nodes)
        for (const auto& address : other.addresses)
            if (&other != &node && range_of(address.value) == client) return address.span;
    const auto serves = [&](const Spanned<Range>& range) { return range.value.holds(client); };
    if (std::ranges::any_of(node.serves, serves)) return {};
    for (const Node& other : policy.nodes)
        if (const auto served = std::ranges::find_if(other.serves, serves);
            &other != &node && served != other.serves.end())
            return served->span;
    return {};
}

}  // namespace

std::optional<Lockout> find_lockout(const std::vector<Session>& sessions, const std::vector<TunnelFlow>& tunnels,
                                    const std::optional<ir::Ruleset>& before, const ir::Ruleset& wanted,
                                    const TrackedHow& how) {
    for (const Session& session : sessions) {
        if (auto cut = cut_as({.session = session}, packet_of(session), false, session.tracked, before, wanted, how))
            return cut;
        if (!session.tunnel) continue;
        if (auto cut = cut_tunnel(session, *session.tunnel, before, wanted, how)) return cut;
    }
    for (const TunnelFlow& tunnel : tunnels)
        if (auto cut = cut_tunnel({}, tunnel, before, wanted, how)) return cut;
    return {};
}

bool is_dialled(const TunnelFlow& tunnel, const std::vector<TunnelFlow>& all, const Policy& policy, const Node& node) {
    if (!node.peer) return false;
    const Node& peer = policy.nodes[*node.peer];
    if (wireguard_port(peer) != tunnel.peer_port) return false;
    const auto* address = peer.endpoint ? std::get_if<Address>(&peer.endpoint->host) : nullptr;
    if (address != nullptr) return *address == tunnel.peer;
    return std::ranges::count(all, tunnel.peer_port, &TunnelFlow::peer_port) == 1;
}

std::vector<TunnelFlow> begun_here_only(const std::vector<TunnelFlow>& tunnels, const ir::Ruleset& wanted) {
    std::vector<TunnelFlow> found;
    for (const TunnelFlow& tunnel : tunnels)
        if (!passes(wanted, packet_in(tunnel)) && passes(wanted, packet_out(tunnel))) found.push_back(tunnel);
    return found;
}

namespace {

struct Grounds {
    std::string why, help;
};

// Of what policyc refuses whatever is permitted. It is let through now.
Grounds grounds_of(const Lockout& lockout) {
    switch (lockout.state) {
        case State::fresh:
        case State::established:
        case State::reply: break;
        case State::invalid:
            return {
                "nothing tracks it yet, and net.netfilter.nf_conntrack_tcp_loose is 0: to the kernel it is no part of "
                "a flow, which is refused",
                "`sysctl -w net.netfilter.nf_conntrack_tcp_loose=1` before the apply, and 0 again after it: live "
                "sessions are picked up with their next packets"};
        case State::untracked:
            // Where nothing at all is tracked yet, those rules may be about other packets.
            return {
                fmt::format(
                    "nothing tracks it, {} takes packets from connection tracking, and what is not tracked is refused",
                    lockout.by),
                fmt::format("let those rules leave port {} alone",
                            lockout.tunnel ? lockout.tunnel->port : lockout.session->port)};
        case State::rewritten:
            return {fmt::format("its destination was rewritten{}, which is refused",
                                lockout.by.empty() ? "" : " (" + lockout.by + ")"),
                    lockout.tunnel
                        ? "let the peer send to the port that the interface listens on"
                        : fmt::format("log in at port {} itself, and leave this session", lockout.session->port)};
    }
    return {"denied by this policy", {}};
}

}  // namespace

void report_lockout(const Lockout& lockout, const Policy& policy, std::size_t index, const std::string& unjudged,
                    Diagnostics& diagnostics, const std::optional<View>& last) {
    const Node& node = policy.nodes[index];
    const bool permitted = lockout.state != State::fresh;
    const std::string now = !unjudged.empty()   ? fmt::format("let through now, where {},", unjudged)
                            : lockout.under_way ? "let through by the live ruleset, as what is under way,"
                                                : "allowed by the live ruleset";
    Grounds grounds = grounds_of(lockout);
    const Family family = lockout.tunnel ? lockout.tunnel->here.family : lockout.session->here.family;
    const bool by_family = !permitted && family == Family::ipv6 && policy.ipv6 == Ipv6::deny;
    if (by_family) grounds.why += ", which denies IPv6 altogether";
    const std::string dual = by_family ? "write ipv6 = \"dual\", and " : "";
    const bool whole_family = by_family && policy.ipv6_span.valid();
    const auto before =
        last && !permitted && !whole_family
            ? let_in_by(lockout.tunnel ? packet_in(*lockout.tunnel) : packet_of(*lockout.session), *last, policy, node)
            : std::nullopt;
    const auto place = [&](Span otherwise) {
        if (whole_family) return policy.ipv6_span;
        if (!before) return otherwise;
        return before->still ? *before->still : node.span;
    };
    const std::string forced = lockout.state == State::untracked
                                   ? "; where they do already, `policyc apply --force-lockout` goes on"
                                   : "; or `policyc apply --force-lockout` cuts it";
    const auto finish = [&](Diagnostic& told, const std::string& help) {
        if (before && !before->still)
            told.note(fmt::format("it came in by {} of the policy that was applied last, and that line is gone",
                                  before->was));
        told.help(help + forced);
    };
    const std::string is = fmt::format("is {} and {}", now, permitted ? "would be cut: " + grounds.why : grounds.why);
    const auto comes_from = [](const Session& session) {
        const std::string over = session.interface.empty() ? "" : " over " + session.interface;
        return fmt::format("your session comes from {}{}", to_string(session.client), over);
    };
    if (!lockout.tunnel) {
        const Session& session = *lockout.session;
        if (!permitted) grounds.help = dual + "allow it, as with an `input` of this node";
        if (const auto spoofed = permitted || by_family ? std::nullopt : spoofs(session, policy, node)) {
            diagnostics
                .report(Code::E0901, *spoofed, "apply refused: your own SSH session would be cut", comes_from(session))
                .note(fmt::format(
                    "{} -> {}/tcp is {}, and would be refused as spoofed: what comes from there has to come out of {}",
                    endpoint(session.client, session.client_port), endpoint(session.here, session.port), now,
                    node.interface->value))
                .help("leave that address to what is on this side of the tunnel, or log in through the tunnel" +
                      forced);
            return;
        }
        finish(diagnostics
                   .report(Code::E0901, place(place_of(session, node)),
                           "apply refused: your own SSH session would be cut", comes_from(session))
                   .note(fmt::format("{} -> {}/tcp {}", endpoint(session.client, session.client_port),
                                     endpoint(session.here, session.port), is)),
               grounds.help);
        return;
    }
    const TunnelFlow& tunnel = *lockout.tunnel;
    const std::string other =
        node.listen_port && *node.listen_port != tunnel.port
            ? fmt::format(" (it says {}, and the interface listens on another)", *node.listen_port)
            : "";
    if (!permitted && node.endpoint)
        grounds.help =
            fmt::format("{}write port {} in its `endpoint`, which the interface listens on", dual, tunnel.port);
    else if (!permitted)
        grounds.help = fmt::format("{}write listen_port = {} for this node{}", dual, tunnel.port, other);
    if (!permitted && !lockout.session && !node.peer)
        grounds.help += "; where this host dials that peer, name it as `peer`";
    // The port is open already, over IPv4.
    if (by_family && wireguard_port(node) == tunnel.port) grounds.help = "write ipv6 = \"dual\"";
    finish(
        diagnostics
            .report(Code::E0901, place(node.span),
                    lockout.session ? "apply refused: the tunnel that your own SSH session comes through would be cut"
                                    : "apply refused: the tunnel that others come through would be cut",
                    lockout.session ? comes_from(*lockout.session)
                                    : fmt::format("a peer of {} comes from {}", tunnel.tunnel, to_string(tunnel.peer)))
            .note(fmt::format("{} -> {}/udp, which carries {}, {}", endpoint(tunnel.peer, tunnel.peer_port),
                              endpoint(tunnel.here, tunnel.port), tunnel.tunnel, is)),
        grounds.help);
}

}  // namespace policyc
