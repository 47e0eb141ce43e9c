// Asks one server once, through c-ares: DnsChannel.
#include "backends/dns_channel.h"

#include <ares.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <map>

namespace policyc {

namespace {

struct Library {
    Library() { ares_library_init(ARES_LIB_INIT_ALL); }
    ~Library() { ares_library_cleanup(); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
};

void need_library() {
    static const Library library;
}

ares_addr_port_node node_of(const Server& server) {
    ares_addr_port_node node{};
    node.udp_port = server.port;
    node.tcp_port = server.port;
    u128 bits = server.address.bits;
    if (server.address.family == Family::ipv4) {
        node.family = AF_INET;
        node.addr.addr4.s_addr = htonl(static_cast<std::uint32_t>(bits));
    } else {
        node.family = AF_INET6;
        auto* bytes = reinterpret_cast<unsigned char*>(&node.addr.addr6);
        for (int i = 15; i >= 0; --i, bits >>= 8U) bytes[i] = static_cast<unsigned char>(bits & 0xFFU);
    }
    return node;
}

DnsTry try_of(int status, const unsigned char* bytes, int size) {
    DnsTry result;
    if (bytes != nullptr && size > 0) {
        result.what = DnsTry::What::replied;
        result.bytes = {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
        return result;
    }
    switch (status) {
        case ARES_EDESTRUCTION:
        case ARES_ECANCELLED: result.what = DnsTry::What::ended; break;
        case ARES_ECONNREFUSED: result.what = DnsTry::What::refused; break;
        case ARES_SUCCESS:
        case ARES_ETIMEOUT: result.what = DnsTry::What::silent; break;
        default:
            result.what = DnsTry::What::impossible;
            result.problem = ares_strerror(status);
            break;
    }
    return result;
}

}  // namespace

// A c-ares channel and its sockets, as c-ares reports them.
struct DnsChannel::Handle {
    ares_channel channel = nullptr;
    std::map<int, short> sockets;

    Handle() = default;
    ~Handle() {
        if (channel != nullptr) ares_destroy(channel);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    void watch(int socket, bool readable, bool writable) {
        const int events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
        if (events == 0) {
            sockets.erase(socket);
        } else {
            sockets[socket] = static_cast<short>(events);
        }
    }
};

DnsChannel::DnsChannel(const Server& server, Over over, std::chrono::milliseconds timeout)
    : handle_(std::make_unique<Handle>()) {
    need_library();
    std::string nothing = "/dev/null";
    std::string lookups = "b";
    ares_options options{};
    // A reply that is cut short is handed over as it is: another channel asks again.
    options.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
                    (over == Over::tcp ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC);
    options.timeout = static_cast<int>(timeout.count());
    options.tries = 1;  // who asks counts the tries, to go from server to server in between
    options.lookups = lookups.data();
    options.resolvconf_path = nothing.data();
    options.sock_state_cb = [](void* self, int socket, int readable, int writable) {
        static_cast<Handle*>(self)->watch(socket, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = handle_.get();
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF |
                     ARES_OPT_SOCK_STATE_CB;
    if (ares_init_options(&handle_->channel, &options, mask) != ARES_SUCCESS) {
        handle_->channel = nullptr;
        return;
    }
    ares_addr_port_node node = node_of(server);
    ares_set_servers_ports(handle_->channel, &node);
}

DnsChannel::~DnsChannel() = default;

bool DnsChannel::good() const {
    return handle_->channel != nullptr;
}

void DnsChannel::ask(const std::string& name, Family family, Done done) {
    auto waiting = std::make_unique<Done>(std::move(done));
    ares_query(
        handle_->channel, name.c_str(), 1 /* IN */, family == Family::ipv4 ? 1 : 28 /* A, AAAA */,
        [](void* argument, int status, int /*timeouts*/, unsigned char* bytes, int size) {
            const std::unique_ptr<Done> own(static_cast<Done*>(argument));
            (*own)(try_of(status, bytes, size));
        },
        waiting.release());
}

void DnsChannel::cancel() {
    if (good()) ares_cancel(handle_->channel);
}

void DnsChannel::wait(const std::vector<DnsChannel*>& channels) {
    std::vector<pollfd> sockets;
    std::vector<ares_channel> owners;
    timeval left{1, 0};
    for (const DnsChannel* one : channels) {
        if (!one->good()) continue;
        timeval buffer{};
        left = *ares_timeout(one->handle_->channel, &left, &buffer);
        for (const auto& [socket, events] : one->handle_->sockets) {
            sockets.push_back({socket, events, 0});
            owners.push_back(one->handle_->channel);
        }
    }
    const auto milliseconds = static_cast<int>(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
    const int ready = poll(sockets.data(), sockets.size(), milliseconds);
    if (ready < 0 && errno != EINTR) return;
    for (std::size_t i = 0; ready > 0 && i < sockets.size(); ++i) {
        const pollfd& at = sockets[i];
        if (at.revents == 0) continue;
        const bool trouble = (at.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        const bool readable = (at.revents & POLLIN) != 0 || (trouble && (at.events & POLLIN) != 0);
        const bool writable = (at.revents & POLLOUT) != 0 || (trouble && (at.events & POLLOUT) != 0);
        ares_process_fd(owners[i], readable ? at.fd : ARES_SOCKET_BAD, writable ? at.fd : ARES_SOCKET_BAD);
    }
    for (const DnsChannel* one : channels) {
        if (one->good()) ares_process_fd(one->handle_->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

std::vector<Server> system_servers() {
    need_library();
    std::vector<Server> servers;
    ares_channel channel = nullptr;
    if (ares_init(&channel) != ARES_SUCCESS) return servers;
    const std::unique_ptr<ares_channeldata, void (*)(ares_channel)> owner(channel, ares_destroy);
    ares_addr_port_node* first = nullptr;
    if (ares_get_servers_ports(channel, &first) != ARES_SUCCESS) return servers;
    const std::unique_ptr<ares_addr_port_node, void (*)(void*)> nodes(first, ares_free_data);
    for (const ares_addr_port_node* node = first; node != nullptr; node = node->next) {
        Server server;
        if (node->udp_port != 0) server.port = static_cast<std::uint16_t>(node->udp_port);
        if (node->family == AF_INET) {
            server.address = {Family::ipv4, ntohl(node->addr.addr4.s_addr)};
        } else {
            server.address.family = Family::ipv6;
            const auto* bytes = reinterpret_cast<const unsigned char*>(&node->addr.addr6);
            for (int i = 0; i < 16; ++i) server.address.bits = server.address.bits << 8U | bytes[i];
        }
        servers.push_back(server);
    }
    return servers;
}

}  // namespace policyc
