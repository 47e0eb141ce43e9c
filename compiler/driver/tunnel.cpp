// Warns of an interface that isn't there, or that hooks don't see; entry point report_tunnel().
#include "compiler/driver/tunnel.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/diagnostic.h"

namespace policyc {

namespace {

std::string help_for(const std::string& interface, const std::vector<Link>& links) {
    std::vector<std::string> names;
    std::vector<std::string> tunnels;
    for (const Link& link : links) {
        names.push_back(link.name);
        if (link.wireguard) tunnels.push_back(link.name);
    }
    const std::string near = nearest(interface, names);
    std::string text = near.empty() ? std::string() : fmt::format("did you mean `{}`? ", near);
    if (tunnels.empty())
        text += "no interface here is WireGuard's; ";
    else
        text += fmt::format("WireGuard's here {} {}; ", tunnels.size() == 1 ? "is" : "are", fmt::join(tunnels, ", "));
    return text + "if it comes up later, as at boot, the rules hold for it from then on";
}

}  // namespace

Tunnel tunnel_of(const Node& node, const Sources& sources) {
    Tunnel tunnel{.node = node.name, .judges_all = node.scope == Scope::host};
    if (node.scope == Scope::none || !node.interface) return tunnel;
    tunnel.interface = node.interface->value;
    tunnel.place = sources.place(node.interface->span);
    return tunnel;
}

std::optional<Error> leaves_open(const Tunnel& tunnel, const std::string& last, const World& world) {
    if (tunnel.interface.empty() || tunnel.judges_all || last == tunnel.interface || !world.links) return {};
    const std::optional<std::vector<Link>> links = world.links();
    if (!links) return {};
    const auto is_here = [&](const std::string& name) {
        return std::ranges::find(*links, name, &Link::name) != links->end();
    };
    if (!is_here(last) || is_here(tunnel.interface)) return {};
    return Error{fmt::format("{}: there is no interface `{}` here, and `{}`, which is judged now, would be left open",
                             tunnel.place, tunnel.interface, last),
                 fmt::format("if `{}` is meant, write that; if not, bring `{}` up first", last, tunnel.interface)};
}

std::size_t report_tunnel(const Tunnel& tunnel, const World& world, Report& report) {
    if (tunnel.interface.empty() || !world.links) return 0;
    const std::optional<std::vector<Link>> links = world.links();
    if (!links) return 0;
    const auto link = std::ranges::find(*links, tunnel.interface, &Link::name);
    const bool here = link != links->end();
    if (here && link->master.empty()) return 0;
    report.notes.push_back(fmt::format(
        "warning: {}: {}, so {}", tunnel.place,
        here ? fmt::format("`{}` is a part of `{}`, and its packets are seen as that one's", tunnel.interface,
                           link->master)
             : fmt::format("there is no interface `{}` here", tunnel.interface),
        tunnel.judges_all ? "nothing passes the tunnel, and whoever is behind it is refused"
                          : "no packet is judged: what this host forwards passes as if there were no policy"));
    report.notes.push_back("   = help: " +
                           (here ? fmt::format("take it out: `ip link set {} nomaster`", tunnel.interface)
                                 : help_for(tunnel.interface, *links)));
    return 2;
}

}  // namespace policyc
