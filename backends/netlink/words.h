// What table inet policyc is made of in nf_tables' own numbers, for the encoder and the decoder alike. Sources: linux/netfilter/nf_tables.h,
// and enum datatypes of nftables, whose numbers `nft list` needs to find in a set's key type.
#pragma once

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir.h"

namespace policyc::netlink {

// nftables' number of a type; those of a concatenation lie side by side, 6 bits each, the first field highest.
inline constexpr std::uint32_t type_bits = 6;
inline constexpr std::uint32_t type_icmp = 14;
inline constexpr std::uint32_t type_icmpv6 = 29;

constexpr std::uint32_t number_of(ir::Type type) {
    switch (type) {
        case ir::Type::ipv4_addr: return 7;
        case ir::Type::ipv6_addr: return 8;
        case ir::Type::inet_service: return 13;
        case ir::Type::ifname: return 41;
    }
    return 0;
}

constexpr std::optional<ir::Type> type_of(std::uint32_t number) {
    for (const ir::Type type : {ir::Type::ipv4_addr, ir::Type::ipv6_addr, ir::Type::inet_service, ir::Type::ifname})
        if (number_of(type) == number) return type;
    return std::nullopt;
}

// Bytes of a key on the wire: a single port is 2 bytes, in a concatenation every field fills whole registers.
inline std::size_t key_bytes(const std::vector<ir::Type>& types) {
    if (types.size() == 1 && types[0] == ir::Type::inet_service) return 2;
    std::size_t bytes = 0;
    for (const ir::Type type : types) bytes += ir::padded_size(type);
    return bytes;
}

// Bytes of one bound of a key as ir::Elements stores it: always whole registers.
inline std::size_t stored_bytes(const std::vector<ir::Type>& types) {
    std::size_t bytes = 0;
    for (const ir::Type type : types) bytes += ir::padded_size(type);
    return bytes;
}

// The key after this one, big endian; false where there is none.
inline bool next_key(std::string& key, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) {
        key[i] = static_cast<char>(static_cast<unsigned char>(key[i]) + 1U);
        if (key[i] != 0) return true;
    }
    return false;
}

constexpr std::uint32_t hook_number(ir::Hook hook) {
    switch (hook) {
        case ir::Hook::input: return NF_INET_LOCAL_IN;
        case ir::Hook::forward: return NF_INET_FORWARD;
        case ir::Hook::output: return NF_INET_LOCAL_OUT;
        case ir::Hook::postrouting: return NF_INET_POST_ROUTING;
    }
    return 0;
}

constexpr std::uint8_t protocol_number(ir::L4 protocol) {
    switch (protocol) {
        case ir::L4::tcp: return IPPROTO_TCP;
        case ir::L4::udp: return IPPROTO_UDP;
        case ir::L4::icmp: return IPPROTO_ICMP;
        case ir::L4::icmpv6: return IPPROTO_ICMPV6;
    }
    return 0;
}

constexpr std::uint8_t family_number(Family family) {
    return family == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

constexpr std::uint64_t seconds_of(Rate::Unit unit) {
    switch (unit) {
        case Rate::Unit::second: return 1;
        case Rate::Unit::minute: return 60;
        case Rate::Unit::hour: return 3600;
        case Rate::Unit::day: return 86400;
    }
    return 0;
}

// How a Field is read into a register.
struct Load {
    enum class From : std::uint8_t { meta, ct_original, payload };
    From from{};
    std::uint32_t key = 0;         // NFT_META_*, NFT_CT_*, or the payload's base
    std::uint32_t offset = 0;      // of a payload
    std::uint32_t length = 0;      // bytes
    std::optional<Family> family;  // what must be known of the packet before
    std::optional<ir::L4> protocol;

    bool operator==(const Load&) const = default;
};

constexpr Load load_of(ir::Field field) {
    using From = Load::From;
    switch (field) {
        case ir::Field::iifname: return {From::meta, NFT_META_IIFNAME, 0, 16, {}, {}};
        case ir::Field::oifname: return {From::meta, NFT_META_OIFNAME, 0, 16, {}, {}};
        case ir::Field::ip_saddr: return {From::payload, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, Family::ipv4, {}};
        case ir::Field::ip_daddr: return {From::payload, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Family::ipv4, {}};
        case ir::Field::ip6_saddr: return {From::payload, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, Family::ipv6, {}};
        case ir::Field::ip6_daddr: return {From::payload, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, Family::ipv6, {}};
        case ir::Field::ct_saddr4: return {From::ct_original, NFT_CT_SRC_IP, 0, 4, {}, {}};
        case ir::Field::ct_daddr4: return {From::ct_original, NFT_CT_DST_IP, 0, 4, {}, {}};
        case ir::Field::ct_saddr6: return {From::ct_original, NFT_CT_SRC_IP6, 0, 16, {}, {}};
        case ir::Field::ct_daddr6: return {From::ct_original, NFT_CT_DST_IP6, 0, 16, {}, {}};
        case ir::Field::ct_proto_dst: return {From::ct_original, NFT_CT_PROTO_DST, 0, 2, {}, {}};
        case ir::Field::tcp_dport: return {From::payload, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, {}, ir::L4::tcp};
        case ir::Field::udp_dport: return {From::payload, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, {}, ir::L4::udp};
        case ir::Field::tcp_sport: return {From::payload, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, {}, ir::L4::tcp};
        case ir::Field::udp_sport: return {From::payload, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, {}, ir::L4::udp};
    }
    return {};
}

inline constexpr std::array all_fields{
    ir::Field::iifname,      ir::Field::oifname,   ir::Field::ip_saddr,  ir::Field::ip_daddr,  ir::Field::ip6_saddr,
    ir::Field::ip6_daddr,    ir::Field::ct_saddr4, ir::Field::ct_daddr4, ir::Field::ct_saddr6, ir::Field::ct_daddr6,
    ir::Field::ct_proto_dst, ir::Field::tcp_dport, ir::Field::udp_dport, ir::Field::tcp_sport, ir::Field::udp_sport};

// Bits that `ct state` and `ct status` load: NF_CT_STATE_BIT(IP_CT_...) and IPS_... of linux/netfilter/nf_conntrack_common.h.
inline constexpr std::uint32_t state_invalid = 1, state_established = 2, state_related = 4, state_new = 8,
                               state_untracked = 64;
inline constexpr std::uint32_t status_assured = 4, status_confirmed = 8, status_dnat = 32;

// Bytes of the headers that are read beside Fields.
inline constexpr std::uint32_t icmp_type_offset = 0, hop_limit_offset = 7, tcp_flags_offset = 13;
inline constexpr std::uint8_t tcp_syn = 2, tcp_rst = 4;
inline constexpr std::uint32_t tcp_option_mss = 2, tcp_option_mss_offset = 2;  // TCPOPT_MAXSEG; behind kind and length
inline constexpr std::uint32_t log_level_info = 6;                             // LOGLEVEL_INFO

}  // namespace policyc::netlink
