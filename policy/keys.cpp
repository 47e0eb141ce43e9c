// The table of keys. Entry points: all_keys(), all_sections(), known_inputs().
#include "policy/keys.h"

#include <algorithm>

namespace policyc {

const std::vector<SectionInfo>& all_sections() {
    static const std::vector<SectionInfo> sections{
        {Section::top, "the top level", "a policy", "What the policy is made of."},
        {Section::node, "[nodes.NAME]", "a node", "A machine with an address in the tunnel."},
        {Section::input, "input.NAME of a node", "an input", "What may reach the node itself."},
        {Section::client_dns, "dns of a node", "`dns`", "Which queries of a client go through the tunnel."},
        {Section::service, "[services]", "a service",
         "What can be reached: name = \"host:port\", or a table with these keys."},
        {Section::tier, "[tiers.NAME]", "a tier", "Who may reach what."},
        {Section::grant, "grant of a tier", "a grant", "The tier is in force for a person only while granted."},
        {Section::bastion, "bastion of a tier", "a bastion",
         "The tier is in force for traffic that the named node itself sends."},
        {Section::resolve, "[resolve]", "[resolve]", "How host names become addresses."},
        {Section::refresh, "refresh of [resolve]", "`refresh`", "Bounds of how long an answer is used."},
        {Section::stale, "stale of [resolve]", "`stale`", "What holds while the resolver is silent."},
        {Section::log, "[log]", "[log]", "What is logged and counted."},
        {Section::log_denied, "denied of [log]", "`denied`", "How denied packets are logged."},
        {Section::test, "[[test]]", "a test", "What must stay true, proven on every check, compile and apply."},
    };
    return sections;
}

const SectionInfo& info(Section section) {
    return all_sections().at(static_cast<std::size_t>(section));
}

const std::vector<KeyInfo>& all_keys() {
    using enum Section;
    static const std::vector<KeyInfo> keys{
        {top, "version", "1", "required", "the version of the language"},
        {top, "include", "[\"policy.d/*.toml\"]", "none",
         "fragments, relative to the file; they add groups, services, tiers and tests"},
        {top, "ipv6", "\"deny\" or \"dual\"", "\"deny\"", "deny all IPv6, or hold every permission in both families"},
        {top, "networks", "NAME = [\"10.69.13.0/24\", ...]", "none", "names for ranges of addresses"},
        {top, "nodes", "[nodes.NAME]", "none", "the machines of the tunnel"},
        {top, "services", "NAME = \"host:port\"", "none", "names for what can be reached"},
        {top, "groups", "NAME = [\"reference\", ...]", "none", "names for lists of references"},
        {top, "tiers", "[tiers.NAME]", "none", "who may reach what"},
        {top, "resolve", "[resolve]", "none", "how host names become addresses"},
        {top, "log", "[log]", "none", "what is logged and counted"},
        {top, "test", "[[test]]", "none", "what must stay true"},

        {node, "role", "\"hub\", \"gateway\" or \"client\"", "\"client\"",
         "public WireGuard endpoint, forwards into networks, or a device"},
        {node, "address", "\"10.69.50.2\", or a list of one IPv4 and one IPv6 address", "required",
         "its address in the tunnel"},
        {node, "interface", "\"wg0\"", "none", "its WireGuard interface; required where the scope is not none"},
        {node, "endpoint", "\"host:port\"", "none", "where others dial it, UDP"},
        {node, "listen_port", "51820", "none", "the UDP port it listens on without being an endpoint"},
        {node, "peer", "a node", "none", "the node it dials"},
        {node, "public_key", "44 characters of base64", "none", "its WireGuard public key"},
        {node, "private_key_file", "\"/path\"", "none", "the file with its private key; a key itself is refused"},
        {node, "keepalive", "\"25s\"", "none", "the interval of PersistentKeepalive"},
        {node, "serves", "[\"network or CIDR\", ...]", "none", "networks that are reached through it"},
        {node, "source", "\"routed\" or \"masquerade\"", "\"routed\"",
         "whether what comes out of the tunnel keeps its source, or leaves with the node's own address"},
        {node, "scope", "\"tunnel\", \"host\" or \"none\"", "\"tunnel\" for a gateway, else \"none\"",
         "which packets are judged on it"},
        {node, "untouched", "[\"if:NAME\", \"network or CIDR\", ...]", "none",
         "interfaces and networks that are never judged"},
        {node, "input", "input.NAME = { from = [...] }", "none", "what may reach the node itself"},
        {node, "output", "[\"target\", ...]", "not judged", "what the node itself may reach"},
        {node, "denied", "\"drop\" or \"reject\"", "\"drop\"", "what happens to a denied packet"},
        {node, "dns", "\"all\", or { split = [\"domain\", ...] }", "none",
         "which queries of a client go through the tunnel: checked, no effect yet"},

        {input, "from", "[\"source\", ...]", "required", "who may reach it"},
        {input, "ports", "a port item, or a list of them", "by name: ssh, ping, dns, http, https, ntp, wireguard",
         "what may be reached"},
        {input, "limit", "\"6/minute\"", "none", "new connections per source address"},
        {input, "log", "\"new\" or \"none\"", "\"none\"", "log each new connection"},

        {client_dns, "split", "[\"home.example\", ...]", "required", "domains whose queries go through the tunnel"},

        {service, "host", "a host name, address, CIDR, network or node", "required", "where it is"},
        {service, "ports", "a port item, or a list of them", "required",
         "its port items: 443, \"53/udp\", \"8000-8100\""},
        {service, "limit", "\"50/second\"", "none", "new connections per source address"},
        {service, "log", "\"new\" or \"none\"", "\"none\"", "log each new connection"},
        {service, "owner", "text", "none", "whom to ask about it"},
        {service, "note", "text", "none", "what to know about it"},
        {service, "expires", "2026-12-31", "never", "the last day it can be reached, UTC"},

        {tier, "who", "[\"source\", ...]", "required", "who it is for"},
        {tier, "allow", "[\"target\", ...]", "required", "what they may reach"},
        {tier, "limit", "\"50/second\"", "none", "new connections per source address"},
        {tier, "log", "\"new\" or \"none\"", "\"none\"", "log each new connection"},
        {tier, "bastion", "{ node, auth }", "none", "in force for traffic that the named node itself sends: never yet"},
        {tier, "grant", "{ max, default, by, reason }", "none",
         "in force for a person only while granted: nothing grants yet"},
        {tier, "expires", "2026-12-31", "never", "the last day it holds, UTC"},

        {grant, "max", "\"4h\"", "none", "the longest a grant may last"},
        {grant, "default", "\"1h\"", "none", "how long a grant lasts when nothing is said"},
        {grant, "by", "[\"user or group\", ...]", "none", "who may grant"},
        {grant, "reason", "true or false", "false", "whether a grant needs a reason"},

        {bastion, "node", "a node", "required", "the node whose own traffic is meant"},
        {bastion, "auth", "[\"publickey\", ...]", "none", "how people log in there"},

        {resolve, "servers", "[\"service\", \"10.69.13.5:53\", ...]", "the system's", "the DNS servers to ask"},
        {resolve, "within", "[\"network or CIDR\", ...]", "all of [networks]",
         "where an answer must lie to be believed"},
        {resolve, "refresh", "{ min, max }", "30s, 15m",
         "bounds of how long an answer is used: checked, no timer asks yet"},
        {resolve, "overlap", "\"2m\"", "none",
         "how long an old address stays allowed after a change: checked, no effect yet"},
        {resolve, "stale", "{ keep }", "forever",
         "how long a locked answer holds without being confirmed, at the time of an apply"},
        {resolve, "lock", "\"policy.lock\"", "\"policy.lock\"", "the lock file, relative to the policy"},

        {refresh, "min", "\"30s\"", "30s", "ask again no sooner than this"},
        {refresh, "max", "\"15m\"", "15m", "ask again after this at the latest"},

        {stale, "keep", "\"7d\"", "forever", "after this the name has no address"},

        {log, "denied", "{ limit, burst, to }, or false", "10/second, 20, \"nflog:5\"",
         "how denied packets are logged"},
        {log, "counters", "\"service\" or \"none\"", "\"service\"", "count new connections of each service"},

        {log_denied, "limit", "\"10/second\"", "10/second", "how many are logged at most"},
        {log_denied, "burst", "20", "20", "how many at once"},
        {log_denied, "to", "\"nflog:GROUP\" or \"kernel\"", "\"nflog:5\"", "where they go"},

        {test, "name", "text", "required", "what is claimed"},
        {test, "from", "[\"source\", ...]", "required", "for each of these"},
        {test, "with", "a tier, or a list of tiers", "none", "taken as granted for `from`"},
        {test, "allow", "[\"target\", ...]", "none", "every source reaches every address and port of these"},
        {test, "deny", "[\"target\", ...]", "none", "no source reaches any address and port of these"},
        {test, "only", "[\"target\", ...]", "none", "`from` reaches exactly these"},
    };
    return keys;
}

std::vector<std::string> keys_of(Section section) {
    std::vector<std::string> keys;
    for (const KeyInfo& key : all_keys()) {
        if (key.section == section) keys.emplace_back(key.key);
    }
    return keys;
}

std::span<const KeyInfo> infos_of(Section section) {
    // A section's keys stand together in the table.
    const auto ranges = std::ranges::equal_range(all_keys(), section, {}, &KeyInfo::section);
    return {ranges.begin(), ranges.end()};
}

const KeyInfo* find_key(Section section, std::string_view key) {
    const std::span<const KeyInfo> keys = infos_of(section);
    const auto found = std::ranges::find(keys, key, &KeyInfo::key);
    return found == keys.end() ? nullptr : &*found;
}

const std::vector<KnownInput>& known_inputs() {
    static const std::vector<KnownInput> inputs{
        {"ssh", {"22/tcp"}},  {"ping", {"ping"}},     {"dns", {"53/udp", "53/tcp"}},
        {"http", {"80/tcp"}}, {"https", {"443/tcp"}}, {"ntp", {"123/udp"}},
        {"wireguard", {}},
    };
    return inputs;
}

}  // namespace policyc
