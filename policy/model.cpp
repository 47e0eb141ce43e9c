// Port items and rates as they are written in a policy. Entry points: to_string.
#include "policy/model.h"

#include <algorithm>

namespace policyc {

std::string to_string(const Ports& ports) {
    const char* protocol = "";
    switch (ports.protocol) {
        case Protocol::any: return "*";
        case Protocol::ping: return "ping";
        case Protocol::tcp: protocol = "/tcp"; break;
        case Protocol::udp: protocol = "/udp"; break;
    }
    if (ports.lo == 1 && ports.hi == UINT16_MAX) return std::string("*") + protocol;
    if (ports.lo == ports.hi) return std::to_string(ports.lo) + protocol;
    return std::to_string(ports.lo) + "-" + std::to_string(ports.hi) + protocol;
}

std::string to_string(const Rate& rate) {
    const char* unit = "";
    switch (rate.unit) {
        case Rate::Unit::second: unit = "/second"; break;
        case Rate::Unit::minute: unit = "/minute"; break;
        case Rate::Unit::hour: unit = "/hour"; break;
        case Rate::Unit::day: unit = "/day"; break;
    }
    return std::to_string(rate.count) + unit;
}

std::optional<std::uint16_t> wireguard_port(const Node& node) {
    return node.endpoint ? node.endpoint->port : node.listen_port;
}

bool takes_udp(const Node& node, std::optional<std::uint16_t> port) {
    const auto takes = [&](const Ports& ports) {
        if (ports.protocol == Protocol::any) return true;
        return ports.protocol == Protocol::udp && (!port || (ports.lo <= *port && *port <= ports.hi));
    };
    return std::ranges::any_of(node.inputs,
                               [&](const Input& input) { return std::ranges::any_of(input.ports, takes); });
}

}  // namespace policyc
