// Requests and answers over AF_NETLINK: class Socket.
#include "backends/netlink/socket.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "backends/netlink/attributes.h"
#include "backends/netlink/messages.h"
#include "backends/probe.h"

namespace policyc::netlink {

namespace {

// The kernel fills what a reader offers, up to 32 KiB for a dump (net/netlink/af_netlink.c); less makes reading back slower.
constexpr std::size_t receive_bytes = 65536;
// For answers to a batch in which much is wrong.
constexpr int receive_queue = 4 * 1024 * 1024;
// The kernel's accounting adds this at most to a message it takes from sendmsg().
constexpr std::size_t send_slack = 65536;
constexpr std::uint32_t sequence = 1;

}  // namespace

Error request_failed(int error) {
    if (error == EPERM || error == EACCES) return not_permitted();
    return no_nf_tables(std::strerror(error));
}

void Socket::Close::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

Socket::Socket(mnl_socket* socket) : socket_(socket), buffer_(receive_bytes) {}

Result<Socket> Socket::open() {
    Socket out(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
    if (!out.socket_ || mnl_socket_bind(out.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0) return request_failed(errno);
    const int fd = mnl_socket_get_fd(out.socket_.get());
    const timeval patience{30, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_queue, sizeof receive_queue) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_queue, sizeof receive_queue);
    // Errors say which attribute they are about, and don't bring the whole message back.
    int yes = 1;
    mnl_socket_setsockopt(out.socket_.get(), NETLINK_EXT_ACK, &yes, sizeof yes);
    mnl_socket_setsockopt(out.socket_.get(), NETLINK_CAP_ACK, &yes, sizeof yes);
    return out;
}

// The number of bytes received; 0 where there is nothing (left) to receive and `wait` is not set.
Result<std::size_t> Socket::receive(bool wait) {
    for (;;) {
        const ssize_t got = recv(mnl_socket_get_fd(socket_.get()), buffer_.data(), buffer_.size(),
                                 MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
        if (got > static_cast<ssize_t>(buffer_.size())) return Error{"the kernel's answer is too long to be read", {}};
        if (got >= 0) return static_cast<std::size_t>(got);
        // ENOBUFS: answers were lost because the queue was full; what follows is still worth reading.
        if (errno == EINTR || errno == ENOBUFS) continue;
        if (!wait && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::size_t{0};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Error{"the kernel does not answer", {}};
        return request_failed(errno);
    }
}

// The messages in the first `bytes` of what was received.
template <typename F>
void Socket::for_each_message(std::size_t bytes, F take) const {
    int left = static_cast<int>(bytes);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left))
        take(*message);
}

namespace {

const nlmsgerr* error_of(const nlmsghdr& message) {
    if (message.nlmsg_type != NLMSG_ERROR || message.nlmsg_len < sizeof(nlmsghdr) + sizeof(nlmsgerr)) return nullptr;
    return static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
}

}  // namespace

Result<int> Socket::ask(const std::string& request, const std::function<void(const nlmsghdr&)>& take) {
    if (mnl_socket_sendto(socket_.get(), request.data(), request.size()) < 0) return request_failed(errno);
    std::optional<int> end;
    while (!end) {
        const Result<std::size_t> got = receive(true);
        if (!got) return got.error();
        for_each_message(got.value(), [&](const nlmsghdr& message) {
            if (const nlmsgerr* error = error_of(message))
                end = -error->error;
            else
                take(message);
        });
    }
    return *end;
}

Result<std::uint32_t> Socket::generation() {
    Messages request;
    request.begin(NFT_MSG_GETGEN, NLM_F_ACK, sequence);
    request.end();
    std::uint32_t generation = 0;
    const Result<int> end = ask(request.take(), [&](const nlmsghdr& message) {
        Attributes attributes(message);
        for (Attribute a; attributes.next(a);)
            if (a.type == NFTA_GEN_ID) generation = a.u32().value_or(0);
    });
    if (!end) return end.error();
    if (end.value() != 0) return request_failed(end.value());
    return generation;
}

Result<DumpEnd> Socket::dump(const std::string& request, const std::function<bool(const nlmsghdr&)>& take) {
    if (mnl_socket_sendto(socket_.get(), request.data(), request.size()) < 0) return request_failed(errno);
    bool changed = false;
    bool understood = true;
    std::optional<int> end;  // 0, or the errno the kernel ended with
    while (!end) {
        const Result<std::size_t> got = receive(true);
        if (!got) return got.error();
        for_each_message(got.value(), [&](const nlmsghdr& message) {
            if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) changed = true;
            if (message.nlmsg_type == NLMSG_DONE)
                end = 0;
            else if (const nlmsgerr* error = error_of(message))
                end = -error->error;
            else if (message.nlmsg_type >= NLMSG_MIN_TYPE)
                understood = take(message) && understood;
        });
    }
    if (*end == ENOENT) return DumpEnd::missing;
    if (*end == EINTR || *end == EAGAIN) return DumpEnd::changed;
    if (*end != 0) return request_failed(*end);
    if (!understood) return Error{"the kernel lists something that policyc does not understand", {}};
    return changed ? DumpEnd::changed : DumpEnd::whole;
}

Result<bool> Socket::has_some(const std::string& request) {
    if (mnl_socket_sendto(socket_.get(), request.data(), request.size()) < 0) return request_failed(errno);
    const Result<std::size_t> got = receive(true);
    if (!got) return got.error();
    bool some = false;
    int failed = 0;
    for_each_message(got.value(), [&](const nlmsghdr& message) {
        if (const nlmsgerr* error = error_of(message))
            failed = -error->error;
        else if (message.nlmsg_type >= NLMSG_MIN_TYPE)
            some = true;
    });
    if (failed != 0) return request_failed(failed);
    return some;
}

namespace {

Refusal refusal_of(const nlmsghdr& message, const nlmsgerr& error) {
    Refusal out{.sequence = error.msg.nlmsg_seq, .error = -error.error, .offset = 0, .text = {}};
    if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return out;
    // With NETLINK_CAP_ACK only the header of the refused message came back.
    std::size_t begin = sizeof(nlmsghdr) + sizeof(nlmsgerr);
    if ((message.nlmsg_flags & NLM_F_CAPPED) == 0) begin += error.msg.nlmsg_len - sizeof(nlmsghdr);
    if (begin > message.nlmsg_len) return out;
    Attributes attributes(std::string_view(reinterpret_cast<const char*>(&message), message.nlmsg_len).substr(begin));
    for (Attribute a; attributes.next(a);) {
        // In the byte order of the host, other than everything in nf_tables.
        if (a.type == NLMSGERR_ATTR_OFFS && a.data.size() == sizeof out.offset)
            std::memcpy(&out.offset, a.data.data(), sizeof out.offset);
        if (a.type == NLMSGERR_ATTR_MSG) out.text = a.text();
    }
    return out;
}

}  // namespace

Result<Answers> Socket::send(const std::string& batch) {
    const int fd = mnl_socket_get_fd(socket_.get());
    int room = 0;
    socklen_t length = sizeof room;
    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &length);
    if (batch.size() + send_slack > static_cast<std::size_t>(room)) {
        if (batch.size() + send_slack > INT32_MAX / 2)
            return Error{fmt::format("{} MB are more than the kernel takes in one transaction", batch.size() >> 20U),
                         {}};
        const int wanted = static_cast<int>(batch.size() + send_slack);
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) < 0 &&
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted) < 0)
            return request_failed(errno);
    }
    if (mnl_socket_sendto(socket_.get(), batch.data(), batch.size()) < 0) {
        if (errno == EMSGSIZE)
            return Error{
                fmt::format("the ruleset is {} bytes, more than the kernel's send buffer for it", batch.size()),
                "a larger one needs CAP_NET_ADMIN outside of containers, or a larger net.core.wmem_max"};
        return request_failed(errno);
    }
    Answers out;
    for (;;) {
        const Result<std::size_t> got = receive(false);
        if (!got) return got.error();
        if (got.value() == 0) return out;
        for_each_message(got.value(), [&](const nlmsghdr& message) {
            const nlmsgerr* error = error_of(message);
            if (error == nullptr) return;
            out.acknowledged = true;
            if (error->error != 0) out.refusals.push_back(refusal_of(message, *error));
        });
    }
}

std::uint64_t Socket::namespace_cookie() const {
    std::uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    constexpr int so_netns_cookie = 71;  // SO_NETNS_COOKIE (asm-generic/socket.h), since Linux 5.14
    if (getsockopt(mnl_socket_get_fd(socket_.get()), SOL_SOCKET, so_netns_cookie, &cookie, &length) < 0) return 0;
    return cookie;
}

}  // namespace policyc::netlink
