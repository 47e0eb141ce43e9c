// Asks the kernel for the generation of its rulesets, which needs what every other request needs; entry point probe_nf_tables().
#include "backends/probe.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace policyc {

namespace {

class Socket {
public:
    Socket() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)) {}
    ~Socket() {
        if (fd_ >= 0) close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

// 0, or the errno of the kernel's answer. (linux/netfilter/nfnetlink.h)
int ask_generation(int fd) {
    struct {
        nlmsghdr header;
        nfgenmsg body;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.body.version = NFNETLINK_V0;
    const timeval patience{5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(fd, &request, sizeof request, 0) < 0) return errno;
    for (;;) {
        alignas(nlmsghdr) std::array<char, 8192> answer{};
        const ssize_t length = recv(fd, answer.data(), answer.size(), 0);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return errno;
        nlmsghdr header{};
        if (static_cast<std::size_t>(length) < sizeof header) return EPROTO;
        std::memcpy(&header, answer.data(), sizeof header);
        if (header.nlmsg_type != NLMSG_ERROR) return 0;
        nlmsgerr error{};
        if (static_cast<std::size_t>(length) < sizeof header + sizeof error) return EPROTO;
        std::memcpy(&error, answer.data() + sizeof header, sizeof error);
        return -error.error;
    }
}

}  // namespace

Error no_nf_tables(const std::string& seen) {
    return {fmt::format("this kernel does not answer nf_tables requests: {}", seen),
            "policyc needs a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET; `modprobe nf_tables` says more"};
}

Error not_permitted() {
    return {"not permitted to read or change nftables: CAP_NET_ADMIN is missing",
            "run this as root; in a container, give it CAP_NET_ADMIN in the network namespace it runs in"};
}

Error owned_by_other() {
    return {
        "another program owns table inet policyc, and the kernel lets nobody else change it",
        "end that program, which `nft list tables` names: the kernel takes its table away with it, or sets it free"};
}

Result<void> probe_nf_tables() {
    const Socket netlink;
    const int error = netlink.fd() < 0 ? errno : ask_generation(netlink.fd());
    if (error == 0) return {};
    if (error == EPERM) return not_permitted();
    return no_nf_tables(std::strerror(error));
}

}  // namespace policyc
