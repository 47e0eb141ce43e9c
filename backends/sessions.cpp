// Finds the caller's own SSH session: own_sessions().
#include "backends/sessions.h"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "backends/links.h"
#include "backends/wireguard.h"

namespace policyc {

namespace {

constexpr const char* open_state = "01";  // enum in net/tcp_states.h, as the files show it
constexpr int most_ancestors = 64;

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

template <typename T>
std::optional<T> number(std::string_view text, int base = 10) {
    T value{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

// ::ffff:10.69.50.2 is 10.69.50.2.
Address unmapped(const Address& address) {
    constexpr u128 mapped = 0xffff;
    if (address.family == Family::ipv4 || address.bits >> 32U != mapped) return address;
    return {Family::ipv4, address.bits & UINT32_MAX};
}

// "0100007F" or 32 digits: words of 32 bits as the host has them in memory, each in network byte order there.
std::optional<Address> address_in(std::string_view digits) {
    if (digits.size() != 8 && digits.size() != 32) return std::nullopt;
    u128 bits = 0;
    for (std::size_t at = 0; at < digits.size(); at += 8) {
        const auto word = number<std::uint32_t>(digits.substr(at, 8), 16);
        if (!word) return std::nullopt;
        std::array<unsigned char, 4> bytes{};
        std::memcpy(bytes.data(), &*word, bytes.size());
        for (const unsigned char byte : bytes) bits = bits << 8U | byte;
    }
    if (digits.size() == 8) return Address{Family::ipv4, bits};
    return unmapped({Family::ipv6, bits});
}

std::optional<std::pair<Address, std::uint16_t>> endpoint_in(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto address = address_in(text.substr(0, colon));
    const auto port = number<std::uint16_t>(text.substr(colon + 1), 16);
    if (!address || !port) return std::nullopt;
    return std::pair(*address, *port);
}

// The name and the parent of a process: "Name:\tsshd" and "PPid:\t1" of /proc/PID/status.
struct Process {
    std::string name;
    pid_t parent = 0;
};

Process process_of(pid_t process) {
    Process found;
    std::istringstream lines(text_of("/proc/" + std::to_string(process) + "/status"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("Name:\t")) found.name = line.substr(6);
        if (line.starts_with("PPid:\t")) found.parent = number<pid_t>(std::string_view(line).substr(6)).value_or(0);
    }
    return found;
}

// The inodes of a process' sockets: its open files that are "socket:[4711]".
std::set<std::uint64_t> sockets_of(pid_t process) {
    std::set<std::uint64_t> inodes;
    std::error_code error;
    // The process may end meanwhile.
    std::filesystem::directory_iterator entry("/proc/" + std::to_string(process) + "/fd", error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(entry->path(), gone).string();
        if (!target.starts_with("socket:[") || !target.ends_with(']')) continue;
        if (const auto inode = number<std::uint64_t>(std::string_view(target).substr(8, target.size() - 9)))
            inodes.insert(*inode);
    }
    return inodes;
}

// OpenSSH calls the process of a session sshd, and since 9.8 sshd-session.
std::set<std::uint64_t> sockets_above() {
    std::set<std::uint64_t> inodes;
    pid_t process = getppid();
    for (int i = 0; i < most_ancestors && process > 1; ++i) {
        const Process found = process_of(process);
        if (found.name.starts_with("sshd")) inodes.merge(sockets_of(process));
        process = found.parent;
    }
    return inodes;
}

// What carries a peer of that interface, where its endpoint is known and there is a way to it.
std::optional<TunnelFlow> flow_of(const std::string& interface, const WireguardDevice& device,
                                  const WireguardPeer& peer) {
    if (!peer.endpoint) return {};
    const WayOut way = way_to(*peer.endpoint, {}, device.mark);
    if (!way.source) return {};
    TunnelFlow flow{.peer = *peer.endpoint,
                    .peer_port = peer.endpoint_port,
                    .here = *way.source,
                    .port = device.listen_port,
                    .interface = way.interface,
                    .keeps_alive = peer.keeps_alive,
                    .tunnel = interface};
    flow.tracked = tracked({flow.here, flow.peer, flow.port, flow.peer_port, IPPROTO_UDP});
    return flow;
}

std::optional<TunnelFlow> tunnel_of(const Session& session) {
    if (session.interface.empty()) return {};
    const std::optional<WireguardDevice> device = wireguard_device(session.interface);
    if (!device) return {};
    const WireguardPeer* peer = device->peer_of(session.client);
    return peer != nullptr ? flow_of(session.interface, *device, *peer) : std::nullopt;
}

}  // namespace

std::optional<Session> parse_ssh_connection(const std::string& text) {
    std::istringstream words(text);
    std::string client, client_port, here, port, more;
    if (!(words >> client >> client_port >> here >> port) || words >> more) return std::nullopt;
    std::string zone;
    const auto address = [&zone](const std::string& word) -> std::optional<Address> {
        const std::size_t percent = word.find('%');
        if (percent != std::string::npos) zone = word.substr(percent + 1);
        const auto read = parse_address(word.substr(0, percent));
        return read ? std::optional(unmapped(*read)) : std::nullopt;
    };
    const auto from = address(client);
    const auto to = address(here);
    const auto from_port = number<std::uint16_t>(client_port);
    const auto to_port = number<std::uint16_t>(port);
    if (!from || !to || !from_port || !to_port || from->family != to->family) return std::nullopt;
    return Session{*from, *from_port, *to, *to_port, Tracked::unknown, zone};
}

std::map<std::uint64_t, Session> open_connections_in(const std::string& text) {
    std::map<std::uint64_t, Session> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        // sl local_address rem_address st queues timer retransmits uid timeout inode
        std::istringstream words(line);
        std::array<std::string, 10> columns;
        for (std::string& column : columns) words >> column;
        if (!words || columns[3] != open_state) continue;
        const auto here = endpoint_in(columns[1]);
        const auto client = endpoint_in(columns[2]);
        const auto inode = number<std::uint64_t>(columns[9]);
        if (here && client && inode)
            found.emplace(*inode, Session{client->first, client->second, here->first, here->second, {}});
    }
    return found;
}

std::vector<TunnelFlow> tunnel_flows(const std::string& interface) {
    constexpr std::size_t most = 64;
    const std::optional<WireguardDevice> device = wireguard_device(interface);
    if (!device) return {};
    std::vector<const WireguardPeer*> heard;
    for (const WireguardPeer& peer : device->peers)
        if (peer.last_handshake != 0) heard.push_back(&peer);
    std::ranges::stable_sort(heard, std::greater<>(), &WireguardPeer::last_handshake);
    std::vector<TunnelFlow> flows;
    for (const WireguardPeer* peer : heard) {
        if (flows.size() == most) break;
        if (auto flow = flow_of(interface, *device, *peer)) flows.push_back(std::move(*flow));
    }
    return flows;
}

std::vector<Session> own_sessions(const std::optional<std::string>& ssh_connection) {
    const std::optional<Session> said = ssh_connection ? parse_ssh_connection(*ssh_connection) : std::nullopt;
    std::map<std::uint64_t, Session> open = open_connections_in(text_of("/proc/thread-self/net/tcp"));
    open.merge(open_connections_in(text_of("/proc/thread-self/net/tcp6")));
    std::vector<Session> sessions;
    const auto take = [&](const auto& mine) {
        for (const auto& [inode, session] : open)
            if (mine(inode, session)) sessions.push_back(session);
    };
    const auto there = [&](const Session& session) { return session.here == said->here && session.port == said->port; };
    if (said) take([&](std::uint64_t, const Session& one) { return one.client == said->client && there(one); });
    const bool as_said = !sessions.empty();
    // The one that was said is told of first, where it goes on.
    if (said)
        std::ranges::stable_partition(sessions,
                                      [&](const Session& one) { return one.client_port == said->client_port; });
    if (!as_said)
        take([above = sockets_above()](std::uint64_t inode, const Session&) { return above.contains(inode); });
    if (said && sessions.empty()) take([&](std::uint64_t, const Session& one) { return there(one); });
    for (Session& session : sessions) {
        session.interface =
            as_said && !said->interface.empty() ? said->interface : way_to(session.client, session.here).interface;
        session.tracked = tracked({session.here, session.client, session.port, session.client_port, IPPROTO_TCP});
        session.tunnel = tunnel_of(session);
    }
    return sessions;
}

}  // namespace policyc
