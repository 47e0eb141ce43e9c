// What a WireGuard interface knows of its peers: wireguard_device().
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/address.h"

namespace policyc {

struct WireguardPeer {
    std::string key;  // public; 32 bytes, or 64 hexadecimal digits
    std::optional<Address> endpoint;
    std::uint16_t endpoint_port = 0;
    bool keeps_alive = false;         // PersistentKeepalive: this host sends to it by itself, so the way out is enough
    std::int64_t last_handshake = 0;  // seconds since the epoch; 0: none since the interface is up
    std::vector<Range> allowed;

    bool operator==(const WireguardPeer&) const = default;
};

struct WireguardDevice {
    std::uint16_t listen_port = 0;
    std::uint32_t mark = 0;  // of the packets that it sends to endpoints; 0: none
    std::vector<WireguardPeer> peers;

    // The peer to which WireGuard would send what goes to that address: the one with the narrowest AllowedIPs. Null where there is none.
    [[nodiscard]] const WireguardPeer* peer_of(const Address& address) const;

    bool operator==(const WireguardDevice&) const = default;
};

// By the socket of a program, such as wireguard-go (https://www.wireguard.com/xplatform/), else by generic netlink (linux/wireguard.h), in this network
// namespace. Nothing where no such interface is known, or the caller may not ask (CAP_NET_ADMIN).
std::optional<WireguardDevice> wireguard_device(const std::string& interface);

// What answers are read with: the text that follows "get=1", and one message of WG_CMD_GET_DEVICE, which adds to the device. Nothing (false) where
// it is not understood.
std::optional<WireguardDevice> wireguard_device_in(const std::string& text);
bool take_wireguard_message(const nlmsghdr* message, WireguardDevice& device);

}  // namespace policyc
