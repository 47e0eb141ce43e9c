// The three kinds of port on Linux; entry points open_tun(), open_packet(), open_host() and flush_conntrack().
#include "port.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

namespace probe {

namespace {

constexpr int buffer_bytes = 32 << 20;
constexpr std::size_t batch_size = 64;
constexpr std::size_t packet_size = 2048;

[[noreturn]] void fail(const std::string& what) {
    throw Failure{what + ": " + std::strerror(errno)};
}

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_ = -1;
};

// Is in another network namespace as long as it lives.
class Inside {
public:
    explicit Inside(const std::string& space) {
        if (space == "-") return;
        home_ = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        const std::string path = space.starts_with('/') ? space : "/run/netns/" + space;
        const Fd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (there.get() < 0) fail(path);
        if (setns(there.get(), CLONE_NEWNET) != 0) fail("setns " + path);
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() {
        if (home_.get() >= 0 && setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
    }

private:
    Fd home_;
};

Fd open_socket(int family, int type, int protocol) {
    Fd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    if (fd.get() < 0) fail("socket");
    return fd;
}

template <typename T>
void set_option(const Fd& fd, int level, int name, const T& value, const char* what) {
    if (setsockopt(fd.get(), level, name, &value, sizeof value) != 0) fail(what);
}

void widen(const Fd& fd) {
    set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes, "SO_RCVBUFFORCE");
    set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes, "SO_SNDBUFFORCE");
}

void name_device(ifreq& request, const std::string& device) {
    if (device.size() >= IFNAMSIZ) throw Failure{device + ": longer than an interface name can be"};
    std::memcpy(request.ifr_name, device.c_str(), device.size() + 1);
}

void look_at(std::span<const std::uint8_t> packet, const Sink& sink, const Rejected& rejected) {
    if (const auto arrival = parse(packet))
        sink(*arrival);
    else if (const auto tag = parse_rejection(packet))
        rejected(*tag);
}

// ---- TUN ----------------------------------------------------------------------------------------------------------

// The device is the prober's own: what is written is received by the namespace in the same system call, up to the
// verdict of its hooks and the queue of the device it leaves through. So a packet that isn't there on the next read
// was denied, not late.
class Tun : public Port {
public:
    Tun(const std::string& space, std::string device, std::uint8_t tos) : device_(std::move(device)), tos_(tos) {
        const Inside inside(space);
        tun_ = Fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
        if (tun_.get() < 0) fail("/dev/net/tun");
        ifreq request{};
        name_device(request, device_);
        request.ifr_flags = IFF_TUN | IFF_NO_PI;
        if (ioctl(tun_.get(), TUNSETIFF, &request) != 0) fail("TUNSETIFF " + device_);
        control_ = open_socket(AF_INET, SOCK_DGRAM, 0);
        request = {};
        name_device(request, device_);
        request.ifr_qlen = 8192;
        if (ioctl(control_.get(), SIOCSIFTXQLEN, &request) != 0) fail("SIOCSIFTXQLEN " + device_);
        request = {};
        name_device(request, device_);
        request.ifr_flags = IFF_UP;
        if (ioctl(control_.get(), SIOCSIFFLAGS, &request) != 0) fail("SIOCSIFFLAGS " + device_);
        // Opened here: it shows the namespace of whoever opens it, at each reading anew.
        counters_.open("/proc/thread-self/net/dev");
    }

    Sent send(const Bytes& packet, const Endpoint& /*destination*/, const std::string& /*device*/) override {
        const ssize_t done = write(tun_.get(), packet.data(), packet.size());
        return done == static_cast<ssize_t>(packet.size()) ? Sent::yes : Sent::failed;
    }

    void receive(const Sink& sink, const Rejected& rejected) override {
        std::array<std::uint8_t, packet_size> buffer{};
        for (;;) {
            const ssize_t got = read(tun_.get(), buffer.data(), buffer.size());
            if (got <= 0) return;
            look_at({buffer.data(), static_cast<std::size_t>(got)}, sink, rejected);
        }
    }

    // The 12th number of the device's line in /proc/net/dev: packets it could not queue.
    std::uint64_t lost() override {
        counters_.clear();
        counters_.seekg(0);
        for (std::string line; std::getline(counters_, line);) {
            const auto colon = line.find(':');
            if (colon == std::string::npos || line.substr(0, colon).find(device_) == std::string::npos) continue;
            std::array<std::uint64_t, 12> numbers{};
            const char* at = line.c_str() + colon + 1;
            for (auto& number : numbers) {
                char* end = nullptr;
                number = std::strtoull(at, &end, 10);
                at = end;
            }
            return numbers[11];
        }
        return 0;
    }

    [[nodiscard]] bool immediate() const override { return true; }
    [[nodiscard]] std::string device() const override { return device_; }
    [[nodiscard]] std::uint8_t tos() const override { return tos_; }

private:
    std::string device_;
    std::uint8_t tos_;
    Fd tun_;
    Fd control_;
    std::ifstream counters_;
};

// ---- an existing interface ----------------------------------------------------------------------------------------

class PacketSocket : public Port {
public:
    PacketSocket(const std::string& space, std::string device, const std::string& mac) : device_(std::move(device)) {
        const Inside inside(space);
        const unsigned index = if_nametoindex(device_.c_str());
        if (index == 0) fail(device_);
        fd_ = open_socket(AF_PACKET, SOCK_DGRAM, 0);
        widen(fd_);
        set_option(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
        to_.sll_family = AF_PACKET;
        to_.sll_protocol = htons(ETH_P_ALL);
        to_.sll_ifindex = static_cast<int>(index);
        if (bind(fd_.get(), address(to_), sizeof to_) != 0) fail("bind " + device_);
        if (mac.empty()) return;
        to_.sll_halen = ETH_ALEN;
        const char* at = mac.c_str();
        for (int i = 0; i < ETH_ALEN; ++i) {
            char* end = nullptr;
            to_.sll_addr[i] = static_cast<unsigned char>(std::strtoul(at, &end, 16));
            at = *end == ':' ? end + 1 : end;
        }
    }

    Sent send(const Bytes& packet, const Endpoint& /*destination*/, const std::string& /*device*/) override {
        waiting_.push_back(packet);
        if (waiting_.size() == batch_size) flush();
        return Sent::yes;
    }

    void flush() override {
        std::vector<sockaddr_ll> addresses(waiting_.size(), to_);
        std::vector<iovec> pieces(waiting_.size());
        std::vector<mmsghdr> messages(waiting_.size());
        for (std::size_t i = 0; i < waiting_.size(); ++i) {
            addresses[i].sll_protocol = htons(waiting_[i][0] >> 4U == 4 ? ETH_P_IP : ETH_P_IPV6);
            pieces[i] = {waiting_[i].data(), waiting_[i].size()};
            messages[i].msg_hdr = {
                .msg_name = &addresses[i], .msg_namelen = sizeof addresses[i], .msg_iov = &pieces[i], .msg_iovlen = 1};
        }
        for (std::size_t done = 0; done < messages.size();) {
            const int sent = sendmmsg(fd_.get(), &messages[done], static_cast<unsigned>(messages.size() - done), 0);
            if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) fail("send on " + device_);
            if (sent < 0)
                usleep(200);
            else
                done += static_cast<std::size_t>(sent);
        }
        waiting_.clear();
    }

    void receive(const Sink& sink, const Rejected& rejected) override {
        static std::array<std::array<std::uint8_t, packet_size>, batch_size> buffers;
        std::array<iovec, batch_size> pieces{};
        std::array<mmsghdr, batch_size> messages{};
        for (std::size_t i = 0; i < batch_size; ++i) {
            pieces[i] = {buffers[i].data(), packet_size};
            messages[i].msg_hdr.msg_iov = &pieces[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        for (;;) {
            const int got = recvmmsg(fd_.get(), messages.data(), batch_size, 0, nullptr);
            if (got <= 0) return;
            for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i)
                look_at({buffers[i].data(), messages[i].msg_len}, sink, rejected);
        }
    }

    std::uint64_t lost() override {
        tpacket_stats statistics{};
        socklen_t length = sizeof statistics;
        if (getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0) fail("PACKET_STATISTICS");
        lost_ += statistics.tp_drops;  // reading sets the kernel's own number to 0
        return lost_;
    }

    [[nodiscard]] std::string device() const override { return device_; }

private:
    static const sockaddr* address(const sockaddr_ll& from) { return std::bit_cast<const sockaddr*>(&from); }

    std::string device_;
    Fd fd_;
    sockaddr_ll to_{};
    std::vector<Bytes> waiting_;
    std::uint64_t lost_ = 0;
};

// ---- a host itself ------------------------------------------------------------------------------------------------

// Raw sockets: what they send passes the output hook, what they receive has passed the input hook.
class Host : public Port {
public:
    explicit Host(std::string space) : space_(std::move(space)) {
        const Inside inside(space_);
        // TCP, UDP, ICMP of the family, and the protocol of Kind::other.
        for (const int protocol : {6, 17, 1, 253}) add(AF_INET, protocol);
        for (const int protocol : {6, 17, 58, 253}) add(AF_INET6, protocol);
    }

    Sent send(const Bytes& packet, const Endpoint& destination, const std::string& device) override {
        const Fd& fd = sender(destination.ipv6, device);
        sockaddr_in6 to6{.sin6_family = AF_INET6};
        sockaddr_in to4{.sin_family = AF_INET};
        std::copy_n(destination.bytes.begin(), 16, std::begin(to6.sin6_addr.s6_addr));
        std::memcpy(&to4.sin_addr, destination.bytes.data(), 4);
        for (;;) {
            const ssize_t done =
                destination.ipv6
                    ? sendto(fd.get(), packet.data(), packet.size(), 0, std::bit_cast<sockaddr*>(&to6), sizeof to6)
                    : sendto(fd.get(), packet.data(), packet.size(), 0, std::bit_cast<sockaddr*>(&to4), sizeof to4);
            if (done >= 0) return Sent::yes;
            if (errno == EPERM) return Sent::refused;
            if (errno != EAGAIN && errno != ENOBUFS) return Sent::failed;
            usleep(200);
        }
    }

    void receive(const Sink& sink, const Rejected& rejected) override {
        std::array<std::uint8_t, packet_size> buffer{};
        for (const Receiver& receiver : receivers_) {
            for (;;) {
                sockaddr_in6 from{};
                socklen_t length = sizeof from;
                const ssize_t got = recvfrom(receiver.fd.get(), buffer.data(), buffer.size(), 0,
                                             std::bit_cast<sockaddr*>(&from), &length);
                if (got < 0) break;
                const std::span<const std::uint8_t> packet(buffer.data(), static_cast<std::size_t>(got));
                if (!receiver.ipv6) {
                    look_at(packet, sink, rejected);
                    continue;
                }
                Endpoint source{.ipv6 = true};
                std::copy_n(std::begin(from.sin6_addr.s6_addr), 16, source.bytes.begin());
                if (const auto arrival = parse_payload(receiver.protocol, source, packet)) sink(*arrival);
            }
        }
    }

    [[nodiscard]] bool immediate() const override { return true; }

private:
    struct Receiver {
        Fd fd;
        bool ipv6 = false;
        std::uint8_t protocol = 0;
    };

    void add(int family, int protocol) {
        Fd fd = open_socket(family, SOCK_RAW, protocol);
        widen(fd);
        receivers_.push_back({std::move(fd), family == AF_INET6, static_cast<std::uint8_t>(protocol)});
    }

    const Fd& sender(bool ipv6, const std::string& device) {
        const auto [at, fresh] = senders_.try_emplace({ipv6, device});
        if (!fresh) return at->second;
        const Inside inside(space_);
        at->second = open_socket(ipv6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW);
        widen(at->second);
        if (!device.empty() && setsockopt(at->second.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                                          static_cast<socklen_t>(device.size())) != 0)
            fail("SO_BINDTODEVICE " + device);
        return at->second;
    }

    std::string space_;
    std::vector<Receiver> receivers_;
    std::map<std::pair<bool, std::string>, Fd> senders_;
};

}  // namespace

std::unique_ptr<Port> open_tun(const std::string& space, const std::string& device, std::uint8_t tos) {
    return std::make_unique<Tun>(space, device, tos);
}
std::unique_ptr<Port> open_packet(const std::string& space, const std::string& device, const std::string& mac) {
    return std::make_unique<PacketSocket>(space, device, mac);
}
std::unique_ptr<Port> open_host(const std::string& space) {
    return std::make_unique<Host>(space);
}

void flush_conntrack(const std::string& space) {
    const Inside inside(space);
    const Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (fd.get() < 0) fail("netlink");
    struct {
        nlmsghdr header;
        nfgenmsg body;
    } request{};
    request.header = {.nlmsg_len = sizeof request,
                      .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                      .nlmsg_seq = 1,
                      .nlmsg_pid = 0};
    request.body.version = NFNETLINK_V0;
    if (send(fd.get(), &request, sizeof request, 0) < 0) fail("flush connections");
    struct {
        nlmsghdr header;
        nlmsgerr error;
    } answer{};
    if (recv(fd.get(), &answer, sizeof answer, 0) < 0) fail("flush connections");
    if (answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error != 0) {
        errno = -answer.error.error;
        fail("flush connections");
    }
}

}  // namespace probe
