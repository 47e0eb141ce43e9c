// A point in words; entry points in counterexample.h.
#include "compiler/proof/counterexample.h"

#include <fmt/format.h>

#include <array>

#include "compiler/proof/places.h"

namespace policyc::proof {
namespace {

u128 at(std::span<const u128> point, Field field) {
    return point[place(field)];
}

std::string side_words(u128 side) {
    constexpr std::array words{"the tunnel", "another interface", "an untouched interface", "loopback"};
    return words.at(static_cast<std::size_t>(side));
}

std::string where_words(std::span<const u128> point) {
    const std::string in = side_words(at(point, Field::in));
    const std::string out = side_words(at(point, Field::out));
    switch (static_cast<Hook>(at(point, Field::hook))) {
        case Hook::forward: return fmt::format("forwarded from {} to {}", in, out);
        case Hook::input: return "to this host from " + in;
        case Hook::output: return "from this host to " + out;
    }
    return {};
}

std::string protocol_words(u128 protocol, u128 port, Family family) {
    const auto number = static_cast<unsigned>(port);
    if (protocol == tcp_number) return fmt::format("{}/tcp", number);
    if (protocol == udp_number) return fmt::format("{}/udp", number);
    if (protocol == icmp_of(family)) return fmt::format("ICMP type {} code {}", number / 256, number % 256);
    return fmt::format("protocol {}", static_cast<unsigned>(protocol));
}

bool covers(const Ports& ports, u128 protocol, u128 port, Family family) {
    switch (ports.protocol) {
        case Protocol::any: return true;
        case Protocol::tcp: return protocol == tcp_number && ports.lo <= port && port <= ports.hi;
        case Protocol::udp: return protocol == udp_number && ports.lo <= port && port <= ports.hi;
        case Protocol::ping: return protocol == icmp_of(family) && port == echo_request_of(family);
    }
    return false;
}

}  // namespace

std::string flow_words(std::span<const u128> point, Family family) {
    return fmt::format("from {} to {}, {}", to_string(Address{family, at(point, Field::source)}),
                       to_string(Address{family, at(point, Field::destination)}),
                       protocol_words(at(point, Field::protocol), at(point, Field::port), family));
}

std::string words_of(std::span<const u128> point, const Phase& phase, Family family) {
    return fmt::format("{} {}, {}", phase.words, flow_words(point, family), where_words(point));
}

Span line_of(std::span<const u128> point, Family family, const Policy& policy, const Addresses& addresses,
             std::size_t node) {
    const auto holds = [&](const Host& host, Field field) {
        for (const Range& range : ranges_of(policy, addresses, host))
            if (range.holds(range_of(Address{family, at(point, field)}))) return true;
        return false;
    };
    const auto from = [&](const std::vector<Source>& sources) {
        for (const Source& source : sources)
            if (holds(source.host, Field::source)) return true;
        return false;
    };
    const auto to = [&](const Target& target) {
        return covers(target.ports, at(point, Field::protocol), at(point, Field::port), family) &&
               holds(target.host, Field::destination);
    };
    for (const Tier& tier : policy.tiers)
        for (const Target& target : tier.allow)
            if (!tier.grant && !tier.bastion && to(target) && from(tier.who)) return target.span;
    for (const Input& input : policy.nodes[node].inputs)
        for (const Ports& ports : input.ports)
            if (covers(ports, at(point, Field::protocol), at(point, Field::port), family) && from(input.from))
                return input.span;
    if (const auto& output = policy.nodes[node].output)
        for (const Target& target : *output)
            if (to(target)) return target.span;
    return {};
}

}  // namespace policyc::proof
