// Asks the kernel for all chains and keeps those that can refuse what policyc allows; entry point foreign_chains().
#include "backends/foreign_chains.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace policyc {

namespace {

struct Close {
    void operator()(mnl_socket* netlink) const { mnl_socket_close(netlink); }
};
struct Free {
    void operator()(nftnl_chain* chain) const { nftnl_chain_free(chain); }
};

std::string_view family_word(std::uint32_t family) {
    switch (family) {
        case NFPROTO_INET: return "inet";
        case NFPROTO_IPV4: return "ip";
        case NFPROTO_IPV6: return "ip6";
        default: return {};  // bridge, arp and netdev see other packets, or none of the tunnel's
    }
}

// The hooks of linux/netfilter.h, in its order.
constexpr std::array<std::string_view, NF_INET_NUMHOOKS> hook_words{"prerouting", "input", "forward", "output",
                                                                    "postrouting"};

int take(const nlmsghdr* message, void* data) {
    const std::unique_ptr<nftnl_chain, Free> owned(nftnl_chain_alloc());
    nftnl_chain* chain = owned.get();
    if (chain == nullptr || nftnl_chain_nlmsg_parse(message, chain) < 0) return MNL_CB_ERROR;
    if (!nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) || !nftnl_chain_is_set(chain, NFTNL_CHAIN_POLICY) ||
        nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) != NF_DROP)
        return MNL_CB_OK;
    const std::string_view family = family_word(nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY));
    const std::uint32_t hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
    const std::string_view table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
    if (family.empty() || hook >= hook_words.size() || (family == "inet" && table == ir::table_name)) return MNL_CB_OK;
    static_cast<std::vector<ForeignChain>*>(data)->push_back({fmt::format("{} {}", family, table),
                                                              nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME),
                                                              std::string(hook_words.at(hook))});
    return MNL_CB_OK;
}

// One dump of all chains: 0, or the errno (EINTR: they changed meanwhile).
int dump(mnl_socket* netlink, std::vector<ForeignChain>& found) {
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    constexpr std::uint32_t sequence = 1;
    const nlmsghdr* request =
        nftnl_nlmsg_build_hdr(buffer.data(), NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, sequence);
    if (mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0) return errno;
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        const ssize_t length = mnl_socket_recvfrom(netlink, buffer.data(), buffer.size());
        if (length < 0) return errno;
        more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence, mnl_socket_get_portid(netlink),
                          take, &found);
    }
    return more < 0 ? errno : 0;
}

}  // namespace

Result<std::vector<ForeignChain>> foreign_chains() {
    int reason = EINTR;
    for (int tries = 0; reason == EINTR && tries < 5; ++tries) {
        const std::unique_ptr<mnl_socket, Close> netlink(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
        if (!netlink || mnl_socket_bind(netlink.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
            reason = errno;
            break;
        }
        const timeval patience{5, 0};
        setsockopt(mnl_socket_get_fd(netlink.get()), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        std::vector<ForeignChain> found;
        reason = dump(netlink.get(), found);
        if (reason == 0) return found;
    }
    return Error{fmt::format("the chains of other tables can't be read: {}", std::strerror(reason)), {}};
}

}  // namespace policyc
