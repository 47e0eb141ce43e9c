// Judges the chains of other tables and the kernel's settings; entry point surroundings().
#include "compiler/driver/surroundings.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "compiler/driver/lockout.h"
#include "compiler/driver/pipeline.h"
#include "policy/text.h"

namespace policyc {

namespace {

using Effect = Surrounding::Effect;
using Does = ForeignChain::Does;

// A file of one short line, as those below /proc/sys.
std::optional<std::string> line_of(const std::string& path, const World& world) {
    constexpr std::size_t longest = 4096;
    Result<std::string> text = world.files->read(path, longest);
    if (!text) return {};
    std::string line = std::move(text.value());
    while (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
}

// What comes in through an interface is forwarded where that interface says so: ip_forward sets all of them, and each can be set again.
void add_forwarding4(const std::string& interface, bool dual, const World& world, std::vector<Surrounding>& out) {
    const auto all = line_of("/proc/sys/net/ipv4/ip_forward", world);
    const auto one = line_of("/proc/sys/net/ipv4/conf/" + interface + "/forwarding", world);
    const char* const none = dual ? "no IPv4" : "nothing";
    if (all == "0" && one == "1") {
        out.push_back({Effect::narrows, "net.ipv4.ip_forward is 0",
                       fmt::format("{} is forwarded but what comes in through {} or another interface whose own "
                                   "forwarding is 1",
                                   none, interface)});
    } else if (all == "0") {
        out.push_back({Effect::narrows, "net.ipv4.ip_forward is 0", fmt::format("{} passes through this host", none)});
    } else if (one == "0") {
        std::string name = interface;  // sysctl changes places of dots and slashes
        std::ranges::replace(name, '.', '/');
        out.push_back({Effect::narrows, fmt::format("net.ipv4.conf.{}.forwarding is 0", name),
                       fmt::format("{} that comes in through {} is forwarded", none, interface)});
    }
}

// Of IPv6 the setting of one interface forwards nothing and stops nothing. (ip-sysctl: conf/all/forwarding.) Since Linux 6.17 there is another,
// force_forwarding.
void add_forwarding6(const std::string& interface, const World& world, std::vector<Surrounding>& out) {
    const std::string conf = "/proc/sys/net/ipv6/conf/";
    if (line_of(conf + "all/forwarding", world) != "0") return;
    const bool forced = line_of(conf + interface + "/force_forwarding", world) == "1";
    out.push_back({Effect::narrows, "net.ipv6.conf.all.forwarding is 0",
                   forced ? fmt::format("no IPv6 is forwarded but what comes in through {} or another interface whose "
                                        "force_forwarding is 1",
                                        interface)
                          : "no IPv6 passes through this host"});
}

void add_settings(const Policy& policy, const Node& node, const World& world, std::vector<Surrounding>& out) {
    const bool dual = policy.ipv6 == Ipv6::dual;
    const std::string& interface = node.interface->value;
    if (node.role != Role::client) {
        add_forwarding4(interface, dual, world, out);
        if (dual) add_forwarding6(interface, world, out);
    }
    // The higher of the two holds. (ip-sysctl: rp_filter)
    const auto strict = [&](const std::string& name) {
        const std::optional<std::string> value = line_of("/proc/sys/net/ipv4/conf/" + name + "/rp_filter", world);
        return value ? *value : std::string("0");
    };
    if (std::max(strict("all"), strict(interface)) == "1")
        out.push_back({Effect::narrows, fmt::format("rp_filter is strict on {}", interface),
                       "what comes from an address that is not routed back through it is dropped before it is judged"});
}

// Interfaces, so many of them.
constexpr std::size_t most_named = 4;

// Filters and BPF programs at the tunnel, which may send packets on wherever they like. (tc-mirred(8), bpf-helpers(7): bpf_redirect)
void add_programs(const Link& link, std::vector<Surrounding>& out) {
    const char* const why =
        "policyc can't read them; they could send packets past the policy, or refuse what it allows";
    if (link.xdp)
        out.push_back({Effect::widens,
                       fmt::format("XDP programs see what comes in through {} before all chains", link.name), why});
    if (link.filters)
        out.push_back(
            {Effect::widens, fmt::format("tc filters see what passes {} before or after all chains", link.name), why});
}

// A tunnel that isn't there: at boot it may come later, but now the policy is not in force.
void add_interface(const Node& node, const World& world, std::vector<Surrounding>& out) {
    const std::optional<std::vector<Link>> links = world.links ? world.links() : std::nullopt;
    const std::string& name = node.interface->value;
    if (!links) return;
    const auto link = std::ranges::find(*links, name, &Link::name);
    if (link != links->end() && link->master.empty()) return;
    const bool judges_all = node.scope == Scope::host;
    out.push_back({judges_all ? Effect::narrows : Effect::breaks,
                   link == links->end()
                       ? fmt::format("there is no interface {} here", name)
                       : fmt::format("{} is a part of {}, whose packets its own are then", name, link->master),
                   judges_all ? "nothing passes the tunnel"
                              : "no packet is judged: what this host forwards passes as if there were no policy"});
}

// The kernel names its tables there where its modules are loaded.
void add_legacy(const World& world, std::vector<Surrounding>& out) {
    for (const char* path : {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"}) {
        std::optional<std::string> names = line_of(path, world);
        if (!names && exists(path))
            out.push_back({Effect::widens, fmt::format("{} can't be read", path),
                           "tables of iptables-legacy that policyc doesn't know of may send packets elsewhere"});
        if (!names || names->empty()) continue;
        std::ranges::replace(*names, '\n', ' ');
        const bool six = std::string_view(path).find("ip6") != std::string_view::npos;
        const bool mangle = names->find("mangle") != std::string::npos;
        out.push_back({mangle ? Effect::widens : Effect::narrows,
                       fmt::format("{} has tables: {}", six ? "ip6tables-legacy" : "iptables-legacy", *names),
                       mangle ? "policyc can't read them; they could send packets elsewhere than they were judged to go"
                              : "policyc can't read them; they could refuse what the policy allows"});
    }
}

}  // namespace

const char* word(Surrounding::Effect effect) {
    switch (effect) {
        case Effect::neither: return "neither";
        case Effect::narrows: return "narrows";
        case Effect::widens: return "widens";
        case Effect::breaks: return "breaks";
    }
    return "";
}

Surrounding surrounding(const ForeignChain& chain) {
    const std::string who = fmt::format("chain {} of table {}", chain.name, chain.table);
    const std::string where =
        fmt::format("({} hook{}{})", chain.hook, chain.devices.empty() ? "" : " of " + few(chain.devices, most_named),
                    chain.rule_in.empty() || chain.rule_in == chain.name ? "" : ", in chain " + chain.rule_in);
    const bool arp = chain.table.starts_with("arp ");
    const bool bridge = chain.table.starts_with("bridge ");
    const bool early = chain.hook == "ingress" || chain.hook == "prerouting";
    const auto say = [&](Effect effect, const char* does, const char* why) {
        return Surrounding{effect, fmt::format("{} {} {}", who, does, where), why};
    };
    switch (chain.does) {
        case Does::refuses:
            return chain.rule_in.empty()
                       ? say(Effect::narrows, "drops what it does not accept itself",
                             arp      ? "whoever is not found by ARP is not reached, whatever the policy allows"
                             : bridge ? "what the policy allows must be accepted there too, where it passes a bridge"
                                      : "what the policy allows must be accepted there too")
                       : say(Effect::narrows, "has a rule that refuses",
                             arp      ? "whoever is not found by ARP is not reached, whatever the policy allows"
                             : bridge ? "it could refuse what the policy allows, where that passes a bridge"
                                      : "it could refuse what the policy allows");
        case Does::translates:
            if (chain.hook == "prerouting" || chain.hook == "output")
                return say(Effect::narrows, "rewrites destinations",
                           "policyc refuses a flow whose destination was rewritten");
            return say(Effect::neither, "rewrites sources", "after the packet was judged");
        case Does::untracks:
            return say(Effect::narrows, "takes packets from connection tracking",
                       "policyc refuses what is not tracked");
        case Does::zones:
            return say(Effect::narrows, "puts packets into zones of connection tracking",
                       "policyc refuses an answer that is in another zone than its flow");
        case Does::rewrites:
            return say(Effect::widens, "writes addresses or ports into packets",
                       early ? "a packet may be judged for other addresses or ports than those that it came with"
                             : "a packet may go elsewhere than it was judged to go");
        case Does::hands_over:
            return say(Effect::widens, "hands packets to a program or another host",
                       "who gets them may let them pass without policyc, or send them on in its own name");
        case Does::offloads:
            return say(Effect::breaks, "hands flows to a flowtable",
                       "their packets meet no chain any more: a permission that is taken away does not end them");
        case Does::sends_on:
            return say(Effect::widens, "sends packets out through another interface",
                       early ? "they leave before policyc has seen them"
                             : "a packet may go elsewhere than it was judged to go");
        case Does::answers:
            return say(Effect::widens, "begins sessions in the name of others (synproxy)",
                       "what it sends to the server is this host's own, and not judged as that of whom it speaks for");
        case Does::diverts:
            return say(Effect::narrows, "changes which packets this host takes or bridges",
                       "what the policy allows may not come to be judged, or come in through another interface");
    }
    return {};
}

std::optional<Surrounding> refused_tunnel(const Policy& policy, const Node& node, const World& world) {
    if (node.scope != Scope::host || !node.interface || !world.wireguard) return {};
    const std::optional<WireguardDevice> device = world.wireguard(node.interface->value);
    if (!device || device->listen_port == 0) return {};
    const std::uint16_t port = device->listen_port;
    const std::optional<std::uint16_t> said = wireguard_port(node);
    if (said == port || takes_udp(node, port)) return {};
    const std::string way_out = node.endpoint ? fmt::format("`endpoint` says port {}", *said)
                                : said        ? fmt::format("listen_port says {}", *said)
                                              : fmt::format("write listen_port = {} for {}", port, node.name);
    const std::string words =
        fmt::format("WireGuard of {} listens on {}/udp, which this policy refuses", node.interface->value, port);
    const Surrounding to_all{Effect::narrows, words, "who dials this host can't come in: " + way_out};
    if (!node.peer) return to_all;
    // Whom it dials answers; others may dial it all the same.
    const std::vector<TunnelFlow> heard =
        world.tunnel_flows ? world.tunnel_flows(node.interface->value) : std::vector<TunnelFlow>();
    const auto dialled = [&](const TunnelFlow& flow) { return is_dialled(flow, heard, policy, node); };
    const auto silent = [](const TunnelFlow& flow) { return !flow.keeps_alive; };
    if (!std::ranges::all_of(heard, dialled)) return to_all;
    if (!std::ranges::any_of(heard, silent)) return {};
    return Surrounding{Effect::narrows, words,
                       fmt::format("{} is heard only after this host has sent something: let WireGuard keep alive "
                                   "(PersistentKeepalive), or {}",
                                   policy.nodes[*node.peer].name, way_out)};
}

std::vector<Surrounding> programs(const std::string& interface, const World& world) {
    std::vector<Surrounding> out;
    if (const auto links = world.links ? world.links() : std::nullopt)
        for (const Link& link : *links)
            if (link.name == interface) add_programs(link, out);
    add_legacy(world, out);
    return out;
}

// The kernel takes them where `all` and the interface that the packet comes in through both say so. Such a packet is for an address of this host
// until ip_forward() is done with its hook. (ip-sysctl: accept_source_route; RFC 791, 3.1)
std::optional<Surrounding> source_routing(const std::string& interface, const World& world) {
    const auto is_on = [&](const std::string& name) {
        const auto value = line_of("/proc/sys/net/ipv4/conf/" + name + "/accept_source_route", world);
        return value && *value != "0";
    };
    if (!is_on("all")) return {};
    std::vector<std::string> takers;
    if (is_on(interface)) takers.push_back(interface);
    if (const auto links = world.links ? world.links() : std::nullopt)
        for (const Link& link : *links)
            if (link.name != "lo" && link.name != interface && is_on(link.name)) takers.push_back(link.name);
    if (takers.empty()) return {};
    return Surrounding{
        Effect::widens,
        fmt::format("net.ipv4.conf.all.accept_source_route is on, as it is for {}", few(takers, most_named)),
        "a packet for an address of this host, judged as such, may name another place in its IP options "
        "(LSRR, SSRR), and goes there; `sysctl -w net.ipv4.conf.all.accept_source_route=0` ends that"};
}

Result<std::vector<Surrounding>> surroundings(const Policy& policy, const Node& node, Kernel& kernel,
                                              const World& world) {
    const Result<std::vector<ForeignChain>> chains = kernel.foreign_chains();
    if (!chains) return chains.error();
    std::vector<Surrounding> out;
    for (const ForeignChain& chain : chains.value()) out.push_back(surrounding(chain));
    add_interface(node, world, out);
    if (auto refused = refused_tunnel(policy, node, world)) out.push_back(std::move(*refused));
    add_settings(policy, node, world, out);
    if (auto routed = source_routing(node.interface->value, world)) out.push_back(std::move(*routed));
    std::ranges::move(programs(node.interface->value, world), std::back_inserter(out));
    std::ranges::stable_sort(out, std::greater<>(), &Surrounding::effect);
    return out;
}

}  // namespace policyc
