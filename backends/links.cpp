// Asks rtnetlink for all interfaces; entry point links().
#include "backends/links.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string_view>

namespace policyc {

namespace {

struct CloseSocket {
    void operator()(mnl_socket* netlink) const { mnl_socket_close(netlink); }
};

bool is_text(const nlattr* attribute) {
    return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0;
}

int take_kind(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND && is_text(attribute))
        static_cast<Link*>(data)->wireguard = std::string_view(mnl_attr_get_str(attribute)) == "wireguard";
    return MNL_CB_OK;
}

int take_attribute(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == IFLA_IFNAME && is_text(attribute))
        static_cast<Link*>(data)->name = mnl_attr_get_str(attribute);
    if (mnl_attr_get_type(attribute) == IFLA_LINKINFO) return mnl_attr_parse_nested(attribute, take_kind, data);
    return MNL_CB_OK;
}

int take(const nlmsghdr* message, void* data) {
    Link link;
    if (mnl_attr_parse(message, sizeof(ifinfomsg), take_attribute, &link) < 0) return MNL_CB_ERROR;
    if (!link.name.empty()) static_cast<std::vector<Link>*>(data)->push_back(std::move(link));
    return MNL_CB_OK;
}

}  // namespace

std::optional<std::vector<Link>> links() {
    const std::unique_ptr<mnl_socket, CloseSocket> netlink(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!netlink || mnl_socket_bind(netlink.get(), 0, MNL_SOCKET_AUTOPID) < 0) return {};
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    constexpr std::uint32_t sequence = 1;
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETLINK;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = sequence;
    static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)))->ifi_family = AF_UNSPEC;
    if (mnl_socket_sendto(netlink.get(), request, request->nlmsg_len) < 0) return {};
    std::vector<Link> found;
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        const ssize_t length = mnl_socket_recvfrom(netlink.get(), buffer.data(), buffer.size());
        if (length < 0) return {};
        more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence,
                          mnl_socket_get_portid(netlink.get()), take, &found);
    }
    if (more < 0) return {};
    return found;
}

}  // namespace policyc
