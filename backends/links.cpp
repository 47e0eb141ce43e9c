// Asks rtnetlink for interfaces and routes; entry points links(), own_addresses() and way_to().
#include "backends/links.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

namespace policyc {

namespace {

struct CloseSocket {
    void operator()(mnl_socket* netlink) const { mnl_socket_close(netlink); }
};

using RouteSocket = std::unique_ptr<mnl_socket, CloseSocket>;

// Nothing where the kernel doesn't give one.
RouteSocket open_route_socket() {
    RouteSocket netlink(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (netlink && mnl_socket_bind(netlink.get(), 0, MNL_SOCKET_AUTOPID) < 0) netlink.reset();
    return netlink;
}

bool is_text(const nlattr* attribute) {
    return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0;
}

int take_kind(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND && is_text(attribute))
        static_cast<Link*>(data)->wireguard = std::string_view(mnl_attr_get_str(attribute)) == "wireguard";
    return MNL_CB_OK;
}

int take_xdp(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == IFLA_XDP_ATTACHED && mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
        static_cast<Link*>(data)->xdp = mnl_attr_get_u8(attribute) != XDP_ATTACHED_NONE;
    return MNL_CB_OK;
}

int take_attribute(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == IFLA_IFNAME && is_text(attribute))
        static_cast<Link*>(data)->name = mnl_attr_get_str(attribute);
    if (mnl_attr_get_type(attribute) == IFLA_MASTER && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) {
        std::array<char, IF_NAMESIZE> name{};
        const unsigned index = mnl_attr_get_u32(attribute);
        static_cast<Link*>(data)->master = if_indextoname(index, name.data()) != nullptr
                                               ? std::string(name.data())
                                               : fmt::format("interface {}", index);
    }
    if (mnl_attr_get_type(attribute) == IFLA_LINKINFO) return mnl_attr_parse_nested(attribute, take_kind, data);
    if (mnl_attr_get_type(attribute) == IFLA_XDP) return mnl_attr_parse_nested(attribute, take_xdp, data);
    return MNL_CB_OK;
}

struct Taken {
    std::vector<Link> links;
    std::vector<int> indices;  // of those
};

int take(const nlmsghdr* message, void* data) {
    Link link;
    if (mnl_attr_parse(message, sizeof(ifinfomsg), take_attribute, &link) < 0) return MNL_CB_ERROR;
    if (link.name.empty()) return MNL_CB_OK;
    auto& taken = *static_cast<Taken*>(data);
    taken.links.push_back(std::move(link));
    taken.indices.push_back(static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message))->ifi_index);
    return MNL_CB_OK;
}

// Sends a request for all that there is of something, and hands over each message of the answer. False where the kernel doesn't give it.
template <typename Header>
bool dump(mnl_socket* netlink, std::uint16_t type, const Header& header, mnl_cb_t take_one, void* data) {
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    constexpr std::uint32_t sequence = 1;
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = sequence;
    *static_cast<Header*>(mnl_nlmsg_put_extra_header(request, sizeof header)) = header;
    if (mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0) return false;
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        const ssize_t length = mnl_socket_recvfrom(netlink, buffer.data(), buffer.size());
        if (length < 0) return false;
        more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence, mnl_socket_get_portid(netlink),
                          take_one, data);
    }
    return more == MNL_CB_STOP;
}

// A qdisc that is there for filters alone, or a filter: which interface it is at.
int take_place(const nlmsghdr* message, void* data) {
    const auto& header = *static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type == RTM_NEWTFILTER || header.tcm_parent == TC_H_CLSACT)
        static_cast<std::vector<int>*>(data)->push_back(header.tcm_ifindex);
    return MNL_CB_OK;
}

// Which interfaces have filters at ingress or egress. (tc(8); qdiscs `ingress` and `clsact`)
std::vector<int> filtered(mnl_socket* netlink) {
    std::vector<int> places;
    if (!dump(netlink, RTM_GETQDISC, tcmsg{}, take_place, &places)) return {};
    std::vector<int> found;
    for (const int place : places)
        for (const std::uint32_t side : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS})
            dump(netlink, RTM_GETTFILTER, tcmsg{.tcm_ifindex = place, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, side)},
                 take_place, &found);
    return found;
}

void put(nlmsghdr* request, std::uint16_t type, const Address& address) {
    std::array<unsigned char, 16> bytes{};
    const std::size_t size = address.family == Family::ipv4 ? 4 : 16;
    for (std::size_t i = 0; i < size; ++i)
        bytes.at(i) = static_cast<unsigned char>(address.bits >> (8 * (size - 1 - i)) & 0xffU);
    mnl_attr_put(request, type, size, bytes.data());
}

struct Route {
    unsigned interface = 0;
    Family family{};
    std::optional<Address> source;
};

int take_route_part(const nlattr* attribute, void* data) {
    auto& route = *static_cast<Route*>(data);
    if (mnl_attr_get_type(attribute) == RTA_OIF && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
        route.interface = mnl_attr_get_u32(attribute);
    const std::size_t size = route.family == Family::ipv4 ? 4 : 16;
    if (mnl_attr_get_type(attribute) == RTA_PREFSRC && mnl_attr_get_payload_len(attribute) == size) {
        const auto* bytes = static_cast<const unsigned char*>(mnl_attr_get_payload(attribute));
        u128 bits = 0;
        for (std::size_t i = 0; i < size; ++i) bits = bits << 8U | bytes[i];
        route.source = Address{route.family, bits};
    }
    return MNL_CB_OK;
}

int take_route(const nlmsghdr* message, void* data) {
    return mnl_attr_parse(message, sizeof(rtmsg), take_route_part, data);
}

}  // namespace

std::optional<std::vector<Link>> links() {
    const RouteSocket netlink = open_route_socket();
    if (!netlink) return {};
    Taken taken;
    if (!dump(netlink.get(), RTM_GETLINK, ifinfomsg{}, take, &taken)) return {};
    for (const int place : filtered(netlink.get())) {
        const auto at = std::ranges::find(taken.indices, place);
        if (at != taken.indices.end()) taken.links[static_cast<std::size_t>(at - taken.indices.begin())].filters = true;
    }
    return std::move(taken.links);
}

std::vector<Address> own_addresses() {
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(first, freeifaddrs);
    std::vector<Address> found;
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
        const bool ipv4 = one->ifa_addr->sa_family == AF_INET;
        if (!ipv4 && one->ifa_addr->sa_family != AF_INET6) continue;
        std::array<char, NI_MAXHOST> text{};
        const auto size = static_cast<socklen_t>(ipv4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
        if (getnameinfo(one->ifa_addr, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) continue;
        const std::string_view written = text.data();
        if (const auto address = parse_address(written.substr(0, written.find('%')))) found.push_back(*address);
    }
    return found;
}

WayOut way_to(const Address& to, const std::optional<Address>& from, std::uint32_t mark) {
    const RouteSocket netlink = open_route_socket();
    if (!netlink) return {};
    alignas(nlmsghdr) std::array<char, 8192> buffer{};
    constexpr std::uint32_t sequence = 1;
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETROUTE;
    request->nlmsg_flags = NLM_F_REQUEST;
    request->nlmsg_seq = sequence;
    auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
    route->rtm_family = to.family == Family::ipv4 ? AF_INET : AF_INET6;
    const auto width = static_cast<unsigned char>(to.family == Family::ipv4 ? 32 : 128);
    route->rtm_dst_len = width;
    put(request, RTA_DST, to);
    if (from) {
        route->rtm_src_len = width;
        put(request, RTA_SRC, *from);
    }
    if (mark != 0) mnl_attr_put_u32(request, RTA_MARK, mark);
    if (mnl_socket_sendto(netlink.get(), request, request->nlmsg_len) < 0) return {};
    const ssize_t length = mnl_socket_recvfrom(netlink.get(), buffer.data(), buffer.size());
    Route found{.family = to.family, .source = from};
    if (length < 0 || mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence,
                                 mnl_socket_get_portid(netlink.get()), take_route, &found) < 0)
        return {};
    std::array<char, IF_NAMESIZE> name{};
    if (found.interface == 0 || if_indextoname(found.interface, name.data()) == nullptr) return {};
    return {name.data(), from ? from : found.source};
}

}  // namespace policyc
