// Asks a WireGuard interface for its port and its peers; entry point wireguard_device().
#include "backends/wireguard.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>
#include <string_view>

namespace policyc {

namespace {

constexpr std::size_t longest_answer = std::size_t{16} << 20U;  // of a program; 100,000 peers have 10 MB
constexpr timeval patience{.tv_sec = 2, .tv_usec = 0};

// ---- a program's socket --------------------------------------------------------------------------------------------

std::optional<std::string> ask_program(const std::string& interface) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/var/run/wireguard/" + interface + ".sock";
    if (path.size() >= sizeof(address.sun_path)) return {};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return {};
    const std::unique_ptr<const int, void (*)(const int*)> closing(&socket, [](const int* fd) { ::close(*fd); });
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return {};
    constexpr std::string_view question = "get=1\n\n";
    if (::send(socket, question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
        return {};
    // The answer ends with an empty line.
    std::string answer;
    std::array<char, 65536> buffer{};
    while (!answer.ends_with("\n\n")) {
        const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (got <= 0 || answer.size() > longest_answer) return {};
        answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return answer;
}

template <typename T>
std::optional<T> decimal(std::string_view text) {
    T value{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

// "203.0.113.1:51820", "[2001:db8::1]:51820"; an IPv6 address may have a scope.
bool take_endpoint(std::string_view text, WireguardPeer& peer) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    const auto port = decimal<std::uint16_t>(text.substr(colon + 1));
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto address = parse_address(host.substr(0, host.find('%')));
    if (!port || !address) return false;
    peer.endpoint = *address;
    peer.endpoint_port = *port;
    return true;
}

bool take_line(std::string_view name, std::string_view value, WireguardDevice& device) {
    if (name == "errno") return value == "0";
    if (name == "listen_port") {
        const auto port = decimal<std::uint16_t>(value);
        device.listen_port = port.value_or(0);
        return port.has_value();
    }
    if (name == "fwmark") {
        const auto mark = decimal<std::uint32_t>(value);
        device.mark = mark.value_or(0);
        return mark.has_value();
    }
    if (name == "public_key") {
        device.peers.push_back({.key = std::string(value)});
        return true;
    }
    if (device.peers.empty()) return true;
    WireguardPeer& peer = device.peers.back();
    if (name == "endpoint") return take_endpoint(value, peer);
    if (name == "persistent_keepalive_interval") {
        const auto seconds = decimal<unsigned>(value);
        peer.keeps_alive = seconds.value_or(0) > 0;
        return seconds.has_value();
    }
    if (name == "last_handshake_time_sec") {
        const auto seconds = decimal<std::int64_t>(value);
        peer.last_handshake = seconds.value_or(0);
        return seconds.has_value();
    }
    if (name == "allowed_ip") {
        const auto cidr = parse_cidr(value);
        if (cidr) peer.allowed.push_back(cidr->range);
        return cidr.has_value();
    }
    return true;
}

// ---- generic netlink -----------------------------------------------------------------------------------------------

struct CloseGeneric {
    void operator()(mnl_socket* netlink) const { mnl_socket_close(netlink); }
};
using GenericSocket = std::unique_ptr<mnl_socket, CloseGeneric>;

Address address_of_bytes(const unsigned char* bytes, Family family) {
    u128 bits = 0;
    for (std::size_t i = 0; i < (family == Family::ipv4 ? 4U : 16U); ++i) bits = bits << 8U | bytes[i];
    return {family, bits};
}

void take_sockaddr(const nlattr* attribute, WireguardPeer& peer) {
    const auto* bytes = static_cast<const unsigned char*>(mnl_attr_get_payload(attribute));
    const std::size_t size = mnl_attr_get_payload_len(attribute);
    sa_family_t family = AF_UNSPEC;
    if (size >= sizeof(family)) std::memcpy(&family, bytes, sizeof(family));
    if (family == AF_INET && size >= sizeof(sockaddr_in)) {
        peer.endpoint = address_of_bytes(bytes + offsetof(sockaddr_in, sin_addr), Family::ipv4);
    } else if (family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        peer.endpoint = address_of_bytes(bytes + offsetof(sockaddr_in6, sin6_addr), Family::ipv6);
    } else {
        return;
    }
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    const unsigned char* port = bytes + offsetof(sockaddr_in, sin_port);
    peer.endpoint_port = static_cast<std::uint16_t>(port[0] << 8U | port[1]);
}

struct AllowedIp {
    std::uint16_t family = AF_UNSPEC;
    const nlattr* address = nullptr;
    std::uint8_t prefix = 0;
};

int take_allowed_part(const nlattr* attribute, void* data) {
    auto& allowed = *static_cast<AllowedIp*>(data);
    switch (mnl_attr_get_type(attribute)) {
        case WGALLOWEDIP_A_FAMILY:
            if (mnl_attr_validate(attribute, MNL_TYPE_U16) < 0) return MNL_CB_ERROR;
            allowed.family = mnl_attr_get_u16(attribute);
            break;
        case WGALLOWEDIP_A_IPADDR: allowed.address = attribute; break;
        case WGALLOWEDIP_A_CIDR_MASK:
            if (mnl_attr_validate(attribute, MNL_TYPE_U8) < 0) return MNL_CB_ERROR;
            allowed.prefix = mnl_attr_get_u8(attribute);
            break;
        default: break;
    }
    return MNL_CB_OK;
}

int take_allowed(const nlattr* attribute, void* data) {
    AllowedIp allowed;
    if (mnl_attr_parse_nested(attribute, take_allowed_part, &allowed) < 0) return MNL_CB_ERROR;
    const bool four = allowed.family == AF_INET;
    const unsigned width = four ? 32 : 128;
    if ((!four && allowed.family != AF_INET6) || allowed.address == nullptr || allowed.prefix > width ||
        mnl_attr_get_payload_len(allowed.address) < width / 8)
        return MNL_CB_ERROR;
    const Family family = four ? Family::ipv4 : Family::ipv6;
    const Address address =
        address_of_bytes(static_cast<const unsigned char*>(mnl_attr_get_payload(allowed.address)), family);
    const unsigned free = width - allowed.prefix;
    const u128 below = free == 128 ? ~u128{0} : (u128{1} << free) - 1;
    static_cast<WireguardPeer*>(data)->allowed.push_back({family, address.bits & ~below, address.bits | below});
    return MNL_CB_OK;
}

int take_peer_part(const nlattr* attribute, void* data) {
    auto& peer = *static_cast<WireguardPeer*>(data);
    switch (mnl_attr_get_type(attribute)) {
        case WGPEER_A_PUBLIC_KEY:
            peer.key.assign(static_cast<const char*>(mnl_attr_get_payload(attribute)),
                            mnl_attr_get_payload_len(attribute));
            break;
        case WGPEER_A_ENDPOINT: take_sockaddr(attribute, peer); break;
        case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
            if (mnl_attr_validate(attribute, MNL_TYPE_U16) < 0) return MNL_CB_ERROR;
            peer.keeps_alive = mnl_attr_get_u16(attribute) > 0;
            break;
        case WGPEER_A_LAST_HANDSHAKE_TIME: {
            // struct __kernel_timespec: two of 64 bits, in the byte order of the host
            if (mnl_attr_get_payload_len(attribute) < sizeof(peer.last_handshake)) return MNL_CB_ERROR;
            std::memcpy(&peer.last_handshake, mnl_attr_get_payload(attribute), sizeof(peer.last_handshake));
            break;
        }
        case WGPEER_A_ALLOWEDIPS: return mnl_attr_parse_nested(attribute, take_allowed, data);
        default: break;
    }
    return MNL_CB_OK;
}

int take_peer(const nlattr* attribute, void* data) {
    auto& peers = static_cast<WireguardDevice*>(data)->peers;
    WireguardPeer peer;
    if (mnl_attr_parse_nested(attribute, take_peer_part, &peer) < 0) return MNL_CB_ERROR;
    // A peer whose networks don't fit into one message goes on in the next.
    if (!peers.empty() && peers.back().key == peer.key)
        peers.back().allowed.insert(peers.back().allowed.end(), peer.allowed.begin(), peer.allowed.end());
    else
        peers.push_back(std::move(peer));
    return MNL_CB_OK;
}

int take_device_part(const nlattr* attribute, void* data) {
    switch (mnl_attr_get_type(attribute)) {
        case WGDEVICE_A_LISTEN_PORT:
            if (mnl_attr_validate(attribute, MNL_TYPE_U16) < 0) return MNL_CB_ERROR;
            static_cast<WireguardDevice*>(data)->listen_port = mnl_attr_get_u16(attribute);
            break;
        case WGDEVICE_A_FWMARK:
            if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0) return MNL_CB_ERROR;
            static_cast<WireguardDevice*>(data)->mark = mnl_attr_get_u32(attribute);
            break;
        case WGDEVICE_A_PEERS: return mnl_attr_parse_nested(attribute, take_peer, data);
        default: break;
    }
    return MNL_CB_OK;
}

int take_device(const nlmsghdr* message, void* data) {
    return take_wireguard_message(message, *static_cast<WireguardDevice*>(data)) ? MNL_CB_OK : MNL_CB_ERROR;
}

int take_family(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID && mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
        *static_cast<std::uint16_t*>(data) = mnl_attr_get_u16(attribute);
    return MNL_CB_OK;
}

int take_control(const nlmsghdr* message, void* data) {
    return mnl_attr_parse(message, sizeof(genlmsghdr), take_family, data);
}

// Sends a command with one text, and hands the answers to `callback`.
bool ask_generic(const GenericSocket& netlink, std::uint16_t family, std::uint8_t command, unsigned flags,
                 std::uint16_t attribute, const std::string& text, mnl_cb_t callback, void* data) {
    std::vector<char> buffer(65536);
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = family;
    request->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    request->nlmsg_seq = family;
    auto* generic = static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(request, sizeof(genlmsghdr)));
    generic->cmd = command;
    generic->version = 1;
    mnl_attr_put_strz(request, attribute, text.c_str());
    if (mnl_socket_sendto(netlink.get(), request, request->nlmsg_len) < 0) return false;
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        const ssize_t length = mnl_socket_recvfrom(netlink.get(), buffer.data(), buffer.size());
        if (length < 0) return false;
        more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), family, mnl_socket_get_portid(netlink.get()),
                          callback, data);
    }
    return more == MNL_CB_STOP;
}

std::optional<WireguardDevice> ask_kernel(const std::string& interface) {
    const GenericSocket netlink(mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC));
    if (!netlink || mnl_socket_bind(netlink.get(), 0, MNL_SOCKET_AUTOPID) < 0) return {};
    std::uint16_t family = 0;
    if (!ask_generic(netlink, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME,
                     take_control, &family) ||
        family == 0)
        return {};
    WireguardDevice device;
    if (!ask_generic(netlink, family, WG_CMD_GET_DEVICE, NLM_F_DUMP, WGDEVICE_A_IFNAME, interface, take_device,
                     &device))
        return {};
    return device;
}

}  // namespace

const WireguardPeer* WireguardDevice::peer_of(const Address& address) const {
    const WireguardPeer* found = nullptr;
    u128 narrowest = 0;
    for (const WireguardPeer& peer : peers) {
        for (const Range& range : peer.allowed) {
            const u128 width = range.hi - range.lo;
            if (!range.holds(range_of(address)) || (found != nullptr && width >= narrowest)) continue;
            found = &peer;
            narrowest = width;
        }
    }
    return found;
}

bool take_wireguard_message(const nlmsghdr* message, WireguardDevice& device) {
    return mnl_attr_parse(message, sizeof(genlmsghdr), take_device_part, &device) >= 0;
}

std::optional<WireguardDevice> wireguard_device_in(const std::string& text) {
    WireguardDevice device;
    std::istringstream lines(text);
    bool whole = false;
    for (std::string line; std::getline(lines, line) && !line.empty();) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos) return {};
        const std::string_view name = std::string_view(line).substr(0, equals);
        if (!take_line(name, std::string_view(line).substr(equals + 1), device)) return {};
        if (name == "errno") whole = true;
    }
    return whole ? std::optional(device) : std::nullopt;
}

std::optional<WireguardDevice> wireguard_device(const std::string& interface) {
    if (const auto answer = ask_program(interface)) return wireguard_device_in(*answer);
    return ask_kernel(interface);
}

}  // namespace policyc
