// The packets of the prober: built from scratch with valid checksums, and recognised again by a tag in their payload.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace probe {

// `syn_ack`, `ack` and `fin` are TCP without a beginning, `null` is TCP without any flag (connection tracking calls
// it invalid), `other` is protocol 253 of RFC 3692, `timestamp` is an ICMP request that is no echo.
enum class Kind : std::uint8_t { tcp, syn_ack, ack, fin, null, udp, ping, timestamp, other };
std::optional<Kind> kind_of(std::string_view word);

struct Endpoint {
    bool ipv6 = false;
    std::array<std::uint8_t, 16> bytes{};  // an IPv4 address is the first four

    auto operator<=>(const Endpoint&) const = default;
};
std::optional<Endpoint> parse_endpoint(const char* text);

struct Packet {
    Kind kind{};
    Endpoint source;
    Endpoint destination;
    std::uint16_t source_port = 0;  // the identifier of an ICMP request
    std::uint16_t destination_port = 0;
    std::uint8_t tos = 0;
    std::uint32_t tag = 0;
    // Answers a packet of that kind: SYN/ACK, echo reply. Ports and addresses are already those of the answer.
    bool reply = false;
};

using Bytes = std::vector<std::uint8_t>;
void build(const Packet& packet, Bytes& out);  // from the IP header on

// What a received packet says: only packets of build() are recognised, ICMP errors that quote one are not.
struct Arrival {
    std::uint32_t tag = 0;
    bool reply = false;
    Endpoint source;
    std::uint16_t source_port = 0;
};
std::optional<Arrival> parse(std::span<const std::uint8_t> packet);
// The same of a packet whose IP header the kernel has taken off.
std::optional<Arrival> parse_payload(std::uint8_t protocol, const Endpoint& source, std::span<const std::uint8_t> data);

// The tag of the packet that an ICMP "administratively prohibited" quotes.
std::optional<std::uint32_t> parse_rejection(std::span<const std::uint8_t> packet);

}  // namespace probe
