// Packets to bytes and back; entry points build() and parse().
#include "packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace probe {

namespace {

constexpr std::uint8_t experimental = 253;
constexpr std::array<std::uint8_t, 4> magic{0xf1, 'p', 'r', 'b'};
constexpr std::size_t tag_size = 9;  // magic, direction, tag

void put16(Bytes& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8U));
    out.push_back(static_cast<std::uint8_t>(value));
}
void put32(Bytes& out, std::uint32_t value) {
    put16(out, value >> 16U);
    put16(out, value & 0xffffU);
}
void set16(Bytes& out, std::size_t at, unsigned value) {
    out[at] = static_cast<std::uint8_t>(value >> 8U);
    out[at + 1] = static_cast<std::uint8_t>(value);
}
std::uint16_t get16(std::span<const std::uint8_t> in, std::size_t at) {
    return static_cast<std::uint16_t>(in[at] << 8U | in[at + 1]);
}

std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) start += get16(bytes, i);
    if (bytes.size() % 2 != 0) start += static_cast<std::uint32_t>(bytes.back() << 8U);
    return start;
}
unsigned fold(std::uint32_t value) {
    while (value >> 16U != 0) value = (value & 0xffffU) + (value >> 16U);
    return ~value & 0xffffU;
}

std::span<const std::uint8_t> bytes_of(const Endpoint& endpoint) {
    return {endpoint.bytes.data(), endpoint.ipv6 ? 16U : 4U};
}

std::uint8_t protocol_of(Kind kind, bool ipv6) {
    switch (kind) {
        case Kind::tcp:
        case Kind::syn_ack:
        case Kind::ack:
        case Kind::fin:
        case Kind::null: return IPPROTO_TCP;
        case Kind::udp: return IPPROTO_UDP;
        case Kind::ping:
        case Kind::timestamp: return static_cast<std::uint8_t>(ipv6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
        case Kind::other: return experimental;
    }
    return 0;
}

std::uint8_t flags_of(Kind kind, bool reply) {
    constexpr std::uint8_t fin = 1;
    constexpr std::uint8_t syn = 2;
    constexpr std::uint8_t ack = 16;
    switch (kind) {
        case Kind::tcp: return reply ? syn | ack : syn;
        case Kind::syn_ack: return syn | ack;
        case Kind::fin: return fin | ack;
        case Kind::null: return 0;
        case Kind::ack:
        case Kind::udp:
        case Kind::ping:
        case Kind::timestamp:
        case Kind::other: break;
    }
    return ack;
}

void put_tcp(const Packet& packet, Bytes& out) {
    constexpr std::uint32_t sequence = 1000;
    put16(out, packet.source_port);
    put16(out, packet.destination_port);
    put32(out, sequence);
    // A reply acknowledges the SYN and the tag behind it.
    put32(out, packet.reply ? sequence + 1 + tag_size : 0);
    put16(out, 0x5000U | flags_of(packet.kind, packet.reply));
    put16(out, 65000);
    put32(out, 0);
}

void put_icmp(const Packet& packet, Bytes& out) {
    unsigned type = 0;
    if (packet.kind == Kind::timestamp)
        type = packet.reply ? 14 : 13;
    else if (packet.source.ipv6)
        type = packet.reply ? 129 : 128;
    else
        type = packet.reply ? 0 : 8;
    put16(out, type << 8U);
    put16(out, 0);
    put16(out, packet.reply ? packet.destination_port : packet.source_port);
    put16(out, 1);
}

// Where the checksum of a transport header is, from its start.
std::optional<std::size_t> checksum_at(std::uint8_t protocol) {
    switch (protocol) {
        case IPPROTO_TCP: return 16;
        case IPPROTO_UDP: return 6;
        case IPPROTO_ICMP:
        case IPPROTO_ICMPV6: return 2;
        default: return std::nullopt;
    }
}

std::size_t header_size(std::uint8_t protocol) {
    switch (protocol) {
        case IPPROTO_TCP: return 20;
        case IPPROTO_UDP:
        case IPPROTO_ICMP:
        case IPPROTO_ICMPV6: return 8;
        default: return 0;
    }
}

// The transport protocol of an IP packet, its source, and what follows the IP header.
struct Opened {
    std::uint8_t protocol = 0;
    Endpoint source;
    std::span<const std::uint8_t> data;
};
std::optional<Opened> open(std::span<const std::uint8_t> packet) {
    if (packet.empty()) return std::nullopt;
    Opened opened;
    if (packet[0] >> 4U == 4 && packet.size() >= 20) {
        const std::size_t length = (packet[0] & 15U) * 4U;
        opened.protocol = packet[9];
        std::copy_n(packet.begin() + 12, 4, opened.source.bytes.begin());
        if (packet.size() < length) return std::nullopt;
        opened.data = packet.subspan(length);
        return opened;
    }
    if (packet[0] >> 4U == 6 && packet.size() >= 40) {
        opened.protocol = packet[6];
        opened.source.ipv6 = true;
        std::copy_n(packet.begin() + 8, 16, opened.source.bytes.begin());
        opened.data = packet.subspan(40);
        return opened;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Kind> kind_of(std::string_view word) {
    constexpr std::array<std::pair<std::string_view, Kind>, 9> words{{{"tcp", Kind::tcp},
                                                                      {"syn_ack", Kind::syn_ack},
                                                                      {"ack", Kind::ack},
                                                                      {"fin", Kind::fin},
                                                                      {"null", Kind::null},
                                                                      {"udp", Kind::udp},
                                                                      {"ping", Kind::ping},
                                                                      {"timestamp", Kind::timestamp},
                                                                      {"other", Kind::other}}};
    for (const auto& [name, kind] : words)
        if (name == word) return kind;
    return std::nullopt;
}

std::optional<Endpoint> parse_endpoint(const char* text) {
    Endpoint endpoint;
    if (inet_pton(AF_INET, text, endpoint.bytes.data()) == 1) return endpoint;
    endpoint.ipv6 = true;
    if (inet_pton(AF_INET6, text, endpoint.bytes.data()) == 1) return endpoint;
    return std::nullopt;
}

void build(const Packet& packet, Bytes& out) {
    out.clear();
    const bool ipv6 = packet.source.ipv6;
    const std::uint8_t protocol = protocol_of(packet.kind, ipv6);
    const auto source = bytes_of(packet.source);
    const auto destination = bytes_of(packet.destination);
    const std::size_t length = header_size(protocol) + tag_size;
    if (ipv6) {
        put32(out, 6U << 28U | static_cast<std::uint32_t>(packet.tos << 20U));
        put16(out, static_cast<unsigned>(length));
        put16(out, static_cast<unsigned>(protocol) << 8U | 64U);
    } else {
        put16(out, 0x4500U | packet.tos);
        put16(out, static_cast<unsigned>(20 + length));
        put32(out, packet.tag << 16U);
        put16(out, 64U << 8U | protocol);
        put16(out, 0);
    }
    out.insert(out.end(), source.begin(), source.end());
    out.insert(out.end(), destination.begin(), destination.end());
    if (!ipv6) set16(out, 10, fold(sum(out)));

    const std::size_t start = out.size();
    switch (protocol) {
        case IPPROTO_TCP: put_tcp(packet, out); break;
        case IPPROTO_UDP:
            put16(out, packet.source_port);
            put16(out, packet.destination_port);
            put16(out, static_cast<unsigned>(length));
            put16(out, 0);
            break;
        case IPPROTO_ICMP:
        case IPPROTO_ICMPV6: put_icmp(packet, out); break;
        default: break;
    }
    out.insert(out.end(), magic.begin(), magic.end());
    out.push_back(packet.reply ? 1 : 0);
    put32(out, packet.tag);

    if (const auto at = checksum_at(protocol)) {
        // ICMP of IPv4 is the one without a pseudo header.
        std::uint32_t pseudo = 0;
        if (protocol != IPPROTO_ICMP)
            pseudo = sum(destination, sum(source, static_cast<std::uint32_t>(protocol + length)));
        const unsigned check = fold(sum(std::span(out).subspan(start), pseudo));
        set16(out, start + *at, check == 0 && protocol == IPPROTO_UDP ? 0xffff : check);
    }
}

std::optional<Arrival> parse_payload(std::uint8_t protocol, const Endpoint& source,
                                     std::span<const std::uint8_t> data) {
    const std::size_t header = header_size(protocol);
    if (data.size() < header + tag_size) return std::nullopt;
    const auto payload = data.subspan(header);
    if (!std::equal(magic.begin(), magic.end(), payload.begin())) return std::nullopt;
    Arrival arrival{.reply = payload[4] == 1, .source = source};
    arrival.tag = static_cast<std::uint32_t>(get16(payload, 5)) << 16U | get16(payload, 7);
    if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
        // The kernel's own echo reply carries the request's payload: it is a reply all the same.
        const std::uint8_t type = data[0];
        if (type == 0 || type == 14 || type == 129)
            arrival.reply = true;
        else if (type != 8 && type != 13 && type != 128)
            return std::nullopt;
        arrival.source_port = get16(data, 4);
    } else if (header != 0) {
        arrival.source_port = get16(data, 0);
    }
    return arrival;
}

std::optional<Arrival> parse(std::span<const std::uint8_t> packet) {
    const auto opened = open(packet);
    if (!opened) return std::nullopt;
    return parse_payload(opened->protocol, opened->source, opened->data);
}

std::optional<std::uint32_t> parse_rejection(std::span<const std::uint8_t> packet) {
    const auto opened = open(packet);
    if (!opened || opened->data.size() < 8) return std::nullopt;
    const std::uint8_t type = opened->data[0];
    const std::uint8_t code = opened->data[1];
    // RFC 1812: 3/13, communication administratively prohibited; RFC 4443: 1/1.
    const bool prohibited = (opened->protocol == IPPROTO_ICMP && type == 3 && code == 13) ||
                            (opened->protocol == IPPROTO_ICMPV6 && type == 1 && code == 1);
    if (!prohibited) return std::nullopt;
    const auto quoted = parse(opened->data.subspan(8));
    if (!quoted || quoted->reply) return std::nullopt;
    return quoted->tag;
}

}  // namespace probe
