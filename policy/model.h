// The checked policy: every reference resolved to an index, every value in range. Host names are still names; `resolve`
// turns them into addresses. Made by check() from an Ast, and never changed after.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policy/address.h"
#include "policy/span.h"

namespace policyc {

using Days = std::chrono::sys_days;
using Seconds = std::chrono::seconds;

enum class Protocol : std::uint8_t { any, tcp, udp, ping };

// A port item. `tcp` and `udp` have lo <= hi in 1..65535; `any` and `ping` have no ports (lo = hi = 0).
struct Ports {
    Protocol protocol = Protocol::tcp;
    std::uint16_t lo = 0;
    std::uint16_t hi = 0;

    auto operator<=>(const Ports&) const = default;
};
std::string to_string(const Ports& ports);  // "3000/tcp", "8000-8100/udp", "*/tcp", "ping", "*"

// New connections per source address. `count` is also the burst.
struct Rate {
    enum class Unit : std::uint8_t { second, minute, hour, day };
    std::uint32_t count = 0;
    Unit unit = Unit::second;

    auto operator<=>(const Rate&) const = default;
};
std::string to_string(const Rate& rate);  // "50/second"

// What a reference stands for once resolved by name. Indices are into the vectors of Policy.
struct NodeRef {
    std::size_t node;
};
struct NetworkRef {
    std::size_t network;
};
// Lower case, without trailing dot.
struct HostName {
    std::string name;
};
using Host = std::variant<NodeRef, NetworkRef, Range, HostName>;

// One source of a `who`, `from` or `input`: groups are flattened. `span` is where the outermost list names it.
struct Source {
    Host host;          // never a HostName
    std::string label;  // what people call it: "laptop", "home", "10.69.13.5"
    Span span;
};

// One target of an `allow`, `deny`, `only` or `output`: groups and services are flattened.
struct Target {
    Host host;
    Ports ports;
    std::optional<std::size_t> service;  // set where the target is one of a service's own
    std::string label;                   // "grafana", "home", "10.69.13.5"
    Span span;                           // the entry of the list it comes from
    Span definition;                     // the line that names host and port: the service's own, or the entry itself
    // Of the service that gives the host, with its own ports or with others: after that day this is no target.
    std::optional<Spanned<Days>> expires;
};

struct Network {
    std::string name;
    Span span;
    std::vector<Spanned<Range>> ranges;
};

enum class Role : std::uint8_t { hub, gateway, client };
enum class Scope : std::uint8_t { none, tunnel, host };
enum class SourceNat : std::uint8_t { routed, masquerade };
enum class Denied : std::uint8_t { drop, reject };

// input.NAME of a node.
struct Input {
    std::string name;
    Span span;
    std::vector<Source> from;
    std::vector<Ports> ports;
    std::optional<Rate> limit;
    bool log_new = false;
};

struct Untouched {
    std::vector<Spanned<std::string>> interfaces;
    std::vector<Spanned<Range>> ranges;
};

struct ClientDns {
    bool all = false;
    std::vector<std::string> split;  // domains
};

struct Endpoint {
    std::variant<Address, std::string> host;
    std::uint16_t port = 0;
    Span span;
};

struct Node {
    std::string name;
    Span span;
    Role role = Role::client;
    std::vector<Spanned<Address>> addresses;  // at most one of each family
    std::optional<Spanned<std::string>> interface;
    std::optional<Endpoint> endpoint;
    std::optional<std::uint16_t> listen_port;
    std::optional<std::size_t> peer;
    std::string public_key;
    std::string private_key_file;
    std::optional<Seconds> keepalive;
    std::vector<Spanned<Range>> serves;
    SourceNat source = SourceNat::routed;
    Scope scope = Scope::none;
    Untouched untouched;
    std::vector<Input> inputs;
    std::optional<std::vector<Target>> output;  // unset: not judged; empty: judged and nothing allowed
    Denied denied = Denied::drop;
    std::optional<ClientDns> dns;
};

// The UDP port that its WireGuard listens on, where the policy says so.
std::optional<std::uint16_t> wireguard_port(const Node& node);

// Whether an input of the node lets UDP to that port in, from whomever; where no port is given, UDP to any.
bool takes_udp(const Node& node, std::optional<std::uint16_t> port);

struct Service {
    std::string name;
    Span span;  // the name where it is defined
    Host host;
    Span host_span;  // the host inside its string
    std::vector<Ports> ports;
    std::optional<Rate> limit;
    bool log_new = false;
    std::string owner;
    std::string note;
    std::optional<Spanned<Days>> expires;  // the last day it holds
};

// A group as it was written, for `list`; sources and targets are already flattened where they are used.
struct Group {
    std::string name;
    Span span;
    std::vector<std::string> members;
};

struct Grant {
    std::optional<Seconds> max;
    std::optional<Seconds> standard;  // the key `default`
    std::vector<std::string> by;
    bool reason = false;
    Span span;
};

struct Bastion {
    std::size_t node = 0;
    std::vector<std::string> auth;
    Span span;
};

struct Tier {
    std::string name;
    Span span;
    std::vector<Source> who;
    std::vector<Target> allow;
    std::optional<Rate> limit;
    bool log_new = false;
    std::optional<Spanned<Days>> expires;  // the last day it holds
    std::optional<Grant> grant;
    std::optional<Bastion> bastion;
};

struct DnsServer {
    Address address;
    std::uint16_t port = 53;
};

struct Resolve {
    std::vector<DnsServer> servers;  // empty: the system's
    std::vector<Range> within;       // an answer outside all of these is refused: every answer, when there are none
    Span within_span;                // for messages; points nowhere when it was not written
    Seconds refresh_min{30};
    Seconds refresh_max{900};
    std::optional<Seconds> overlap;
    std::optional<Seconds> stale_keep;  // an entry of the lock that is older counts for nothing
    Span stale_span;
    std::string lock = "policy.lock";
};

struct Log {
    bool denied = true;
    Rate denied_limit{10, Rate::Unit::second};
    std::uint32_t denied_burst = 20;
    std::optional<std::uint16_t> nflog_group = 5;  // unset: the kernel log
    bool counters = true;                          // per service
};

// A [[test]].
struct Expectation {
    std::string name;
    Span span;  // the [[test]] header's table
    std::vector<Source> from;
    Span from_span;
    std::vector<std::size_t> with;  // tiers
    // What is written in it and stands for nothing: an empty list, a group without members. Such a test can't hold.
    struct Nothing {
        Span span;
        std::string what;  // "`media` holds nothing"
    };
    std::vector<Nothing> nothing;
    struct List {
        std::vector<Target> targets;
        Span span;  // from the key to the end of its list
    };
    std::optional<List> allow;
    std::optional<List> deny;
    std::optional<List> only;
};

enum class Ipv6 : std::uint8_t { deny, dual };

struct Policy {
    Ipv6 ipv6 = Ipv6::deny;
    Span ipv6_span;
    std::vector<Network> networks;
    std::vector<Node> nodes;
    std::vector<Service> services;
    std::vector<Group> groups;
    std::vector<Tier> tiers;
    Resolve resolve;
    Log log;
    std::vector<Expectation> tests;
};

// In force on that day, leaving `grant` and `bastion` aside: `expires` is the last day it holds.
inline bool holds_on(const std::optional<Spanned<Days>>& expires, Days day) {
    return !expires || day <= expires->value;
}

}  // namespace policyc
