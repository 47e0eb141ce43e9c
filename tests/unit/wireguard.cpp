// What WireGuard says of an interface, as a program and as the kernel say it.
#include "backends/wireguard.h"

#include <doctest/doctest.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <vector>

using namespace policyc;

namespace {

const std::string told =
    "private_key=0000000000000000000000000000000000000000000000000000000000000001\n"
    "listen_port=51821\n"
    "fwmark=51820\n"
    "public_key=aa\n"
    "preshared_key=00\n"
    "protocol_version=1\n"
    "endpoint=203.0.113.7:40000\n"
    "last_handshake_time_sec=1\n"
    "persistent_keepalive_interval=25\n"
    "allowed_ip=10.69.50.0/24\n"
    "allowed_ip=fd69::/64\n"
    "public_key=bb\n"
    "endpoint=[2001:db8::1%eth0]:51820\n"
    "persistent_keepalive_interval=0\n"
    "allowed_ip=10.69.50.11/32\n"
    "public_key=cc\n"
    "errno=0\n\n";

Range network(const char* text) {
    return parse_cidr(text)->range;
}

// A message of WG_CMD_GET_DEVICE in the making.
class Message {
public:
    Message() : buffer_(8192), header_(mnl_nlmsg_put_header(buffer_.data())) {
        mnl_nlmsg_put_extra_header(header_, sizeof(genlmsghdr));
    }
    nlmsghdr* header() { return header_; }
    void endpoint(const char* text, std::uint16_t port) {
        const Address address = *parse_address(text);
        if (address.family == Family::ipv4) {
            sockaddr_in socket{};
            socket.sin_family = AF_INET;
            socket.sin_port = htons(port);
            socket.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(address.bits));
            mnl_attr_put(header_, WGPEER_A_ENDPOINT, sizeof(socket), &socket);
        } else {
            sockaddr_in6 socket{};
            socket.sin6_family = AF_INET6;
            socket.sin6_port = htons(port);
            write(address, &socket.sin6_addr);
            mnl_attr_put(header_, WGPEER_A_ENDPOINT, sizeof(socket), &socket);
        }
    }
    void allowed(const char* text, std::uint8_t prefix) {
        const Address address = *parse_address(text);
        nlattr* nest = mnl_attr_nest_start(header_, 0);
        mnl_attr_put_u16(header_, WGALLOWEDIP_A_FAMILY, address.family == Family::ipv4 ? AF_INET : AF_INET6);
        std::array<unsigned char, 16> bytes{};
        write(address, bytes.data());
        mnl_attr_put(header_, WGALLOWEDIP_A_IPADDR, address.family == Family::ipv4 ? 4 : 16, bytes.data());
        mnl_attr_put_u8(header_, WGALLOWEDIP_A_CIDR_MASK, prefix);
        mnl_attr_nest_end(header_, nest);
    }

private:
    static void write(const Address& address, void* to) {
        const std::size_t size = address.family == Family::ipv4 ? 4 : 16;
        for (std::size_t i = 0; i < size; ++i)
            static_cast<unsigned char*>(to)[i] =
                static_cast<unsigned char>(address.bits >> (8 * (size - 1 - i)) & 0xffU);
    }
    std::vector<char> buffer_;
    nlmsghdr* header_;
};

void put_key(nlmsghdr* header, char digit) {
    const std::string key(WG_KEY_LEN, digit);
    mnl_attr_put(header, WGPEER_A_PUBLIC_KEY, key.size(), key.data());
}

}  // namespace

TEST_CASE("what wireguard-go answers") {
    const auto device = wireguard_device_in(told);
    REQUIRE(device);
    CHECK(device->listen_port == 51821);
    CHECK(device->mark == 51820);
    REQUIRE(device->peers.size() == 3);
    CHECK(device->peers[0] ==
          WireguardPeer{
              "aa", parse_address("203.0.113.7"), 40000, true, 1, {network("10.69.50.0/24"), network("fd69::/64")}});
    CHECK(device->peers[1] ==
          WireguardPeer{"bb", parse_address("2001:db8::1"), 51820, false, 0, {network("10.69.50.11/32")}});
    CHECK_FALSE(device->peers[2].endpoint);
    // The narrowest network decides.
    CHECK(device->peer_of(*parse_address("10.69.50.12"))->key == "aa");
    CHECK(device->peer_of(*parse_address("10.69.50.11"))->key == "bb");
    CHECK(device->peer_of(*parse_address("fd69::9"))->key == "aa");
    CHECK(device->peer_of(*parse_address("10.70.0.1")) == nullptr);
    for (const char* text :
         {"", "errno=1\n\n", "listen_port=1\n\n", "listen_port=99999\nerrno=0\n\n", "listen_port\nerrno=0\n\n",
          "public_key=aa\nendpoint=nowhere:1\nerrno=0\n\n", "public_key=aa\nallowed_ip=x\nerrno=0\n\n",
          "public_key=aa\nlast_handshake_time_sec=now\nerrno=0\n\n"})
        CHECK_FALSE(wireguard_device_in(text));
}

TEST_CASE("what the kernel's WireGuard answers, over two messages") {
    WireguardDevice device;
    Message first;
    mnl_attr_put_strz(first.header(), WGDEVICE_A_IFNAME, "wg0");
    mnl_attr_put_u16(first.header(), WGDEVICE_A_LISTEN_PORT, 51820);
    mnl_attr_put_u32(first.header(), WGDEVICE_A_FWMARK, 7);
    nlattr* peers = mnl_attr_nest_start(first.header(), WGDEVICE_A_PEERS);
    nlattr* peer = mnl_attr_nest_start(first.header(), 0);
    put_key(first.header(), 'a');
    first.endpoint("203.0.113.7", 40000);
    mnl_attr_put_u16(first.header(), WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 25);
    const std::array<std::int64_t, 2> handshake{1'764'500'000, 7};  // struct __kernel_timespec
    mnl_attr_put(first.header(), WGPEER_A_LAST_HANDSHAKE_TIME, sizeof(handshake), handshake.data());
    nlattr* networks = mnl_attr_nest_start(first.header(), WGPEER_A_ALLOWEDIPS);
    first.allowed("10.69.50.0", 24);
    mnl_attr_nest_end(first.header(), networks);
    mnl_attr_nest_end(first.header(), peer);
    mnl_attr_nest_end(first.header(), peers);
    REQUIRE(take_wireguard_message(first.header(), device));

    Message second;
    peers = mnl_attr_nest_start(second.header(), WGDEVICE_A_PEERS);
    peer = mnl_attr_nest_start(second.header(), 0);
    put_key(second.header(), 'a');
    networks = mnl_attr_nest_start(second.header(), WGPEER_A_ALLOWEDIPS);
    second.allowed("::", 0);
    mnl_attr_nest_end(second.header(), networks);
    mnl_attr_nest_end(second.header(), peer);
    peer = mnl_attr_nest_start(second.header(), 0);
    put_key(second.header(), 'b');
    second.endpoint("2001:db8::1", 51821);
    mnl_attr_nest_end(second.header(), peer);
    mnl_attr_nest_end(second.header(), peers);
    REQUIRE(take_wireguard_message(second.header(), device));

    CHECK(device.listen_port == 51820);
    CHECK(device.mark == 7);
    REQUIRE(device.peers.size() == 2);
    CHECK(device.peers[0] == WireguardPeer{std::string(WG_KEY_LEN, 'a'),
                                           parse_address("203.0.113.7"),
                                           40000,
                                           true,
                                           1'764'500'000,
                                           {network("10.69.50.0/24"), network("::/0")}});
    CHECK(device.peers[1] ==
          WireguardPeer{std::string(WG_KEY_LEN, 'b'), parse_address("2001:db8::1"), 51821, false, 0, {}});
}

TEST_CASE("a message that says nonsense is not understood") {
    WireguardDevice device;
    Message message;
    nlattr* peers = mnl_attr_nest_start(message.header(), WGDEVICE_A_PEERS);
    nlattr* peer = mnl_attr_nest_start(message.header(), 0);
    nlattr* networks = mnl_attr_nest_start(message.header(), WGPEER_A_ALLOWEDIPS);
    message.allowed("10.69.50.0", 33);
    mnl_attr_nest_end(message.header(), networks);
    mnl_attr_nest_end(message.header(), peer);
    mnl_attr_nest_end(message.header(), peers);
    CHECK_FALSE(take_wireguard_message(message.header(), device));
    CHECK_FALSE(wireguard_device("there-is-no-such"));
}
