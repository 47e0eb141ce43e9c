// Asks ctnetlink for a flow; entry points tracked() and picks_up_sessions().
#include "backends/tracked.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <optional>

#include "backends/netlink/attributes.h"
#include "backends/netlink/messages.h"
#include "backends/netlink/socket.h"

namespace policyc {

namespace {

std::string in_network_order(const Address& address) {
    std::string bytes;
    for (unsigned bits = address.family == Family::ipv4 ? 32 : 128; bits > 0; bits -= 8)
        bytes += static_cast<char>(address.bits >> (bits - 8) & 0xffU);
    return bytes;
}

std::string in_network_order(std::uint16_t port) {
    return {static_cast<char>(port >> 8U), static_cast<char>(port & 0xffU)};
}

}  // namespace

namespace {

std::uint8_t number_of(Family family) {
    return family == Family::ipv4 ? AF_INET : AF_INET6;
}

std::string request_of(std::uint16_t type, const Ends& flow) {
    const bool v4 = flow.here.family == Family::ipv4;
    netlink::Messages out;
    out.begin(NFNL_SUBSYS_CTNETLINK, number_of(flow.here.family), type, NLM_F_ACK, 1);
    const std::size_t tuple = out.open(CTA_TUPLE_REPLY);
    const std::size_t addresses = out.open(CTA_TUPLE_IP);
    out.put(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, in_network_order(flow.here));
    out.put(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, in_network_order(flow.peer));
    out.close(addresses);
    const std::size_t ports = out.open(CTA_TUPLE_PROTO);
    out.put(CTA_PROTO_NUM, std::string(1, static_cast<char>(flow.protocol)));
    out.put(CTA_PROTO_SRC_PORT, in_network_order(flow.port));
    out.put(CTA_PROTO_DST_PORT, in_network_order(flow.peer_port));
    out.close(ports);
    out.close(tuple);
    out.end();
    return out.take();
}

bool granted(const std::string& request) {
    Result<netlink::Socket> socket = netlink::Socket::open();
    if (!socket) return false;
    const Result<int> end = socket.value().ask(request, [](const nlmsghdr&) {});
    return end && end.value() == 0;
}

}  // namespace

std::string request_for_flow(const Ends& flow) {
    return request_of(IPCTNL_MSG_CT_GET, flow);
}

std::vector<Family> untracked_families() {
    std::vector<Family> families;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        Result<netlink::Socket> socket = netlink::Socket::open();
        if (!socket) return {};
        netlink::Messages out;
        out.begin(NFNL_SUBSYS_CTNETLINK, number_of(family), IPCTNL_MSG_CT_GET, NLM_F_DUMP, 1);
        out.end();
        const Result<bool> some = socket.value().has_some(out.take());
        if (some && !some.value()) families.push_back(family);
    }
    return families;
}

bool forget_flows(Family family) {
    netlink::Messages out;
    out.begin(NFNL_SUBSYS_CTNETLINK, number_of(family), IPCTNL_MSG_CT_DELETE, NLM_F_ACK, 1);
    out.end();
    std::string request = out.take();
    // Of version 0, the kernel takes it for all families.
    request[sizeof(nlmsghdr) + offsetof(nfgenmsg, version)] = 1;
    return granted(request);
}

bool forget_flow(const Ends& flow) {
    return granted(request_of(IPCTNL_MSG_CT_DELETE, flow));
}

Tracked tracked_in(std::string_view attributes) {
    std::optional<std::uint32_t> status;
    netlink::Attributes list(attributes);
    for (netlink::Attribute a; list.next(a);)
        if (a.type == CTA_STATUS) status = a.u32();
    if (list.broken() || !status) return Tracked::unknown;
    return (*status & IPS_DST_NAT) != 0 ? Tracked::rewritten : Tracked::plain;
}

Tracked tracked(const Ends& flow) {
    Result<netlink::Socket> socket = netlink::Socket::open();
    if (!socket) return Tracked::unknown;
    Tracked found = Tracked::unknown;
    const Result<int> end = socket.value().ask(request_for_flow(flow), [&](const nlmsghdr& message) {
        constexpr std::size_t headers = sizeof(nlmsghdr) + sizeof(nfgenmsg);
        const std::string_view bytes(reinterpret_cast<const char*>(&message), message.nlmsg_len);
        if (bytes.size() >= headers) found = tracked_in(bytes.substr(headers));
    });
    if (end && end.value() == ENOENT) return Tracked::absent;
    return end && end.value() == 0 ? found : Tracked::unknown;
}

bool picks_up_sessions() {
    // Where conntrack isn't loaded yet there is no such file, and it will begin with 1.
    std::ifstream file("/proc/sys/net/netfilter/nf_conntrack_tcp_loose");
    int value = 1;
    return !(file >> value) || value != 0;
}

}  // namespace policyc
