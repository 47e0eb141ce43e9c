// Reads the sockets that listen or serve; entry point listening_ports().
#include "backends/listening.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>

namespace policyc {

namespace {

// enum in net/tcp_states.h, as the files show it
constexpr const char* listen = "0A";
constexpr const char* established = "01";

// Ports that programs of the system begin connections from though they are no server's (NFS).
constexpr unsigned first_user_port = 1024;
// net.ipv4.ip_local_port_range where nobody changed it
constexpr std::pair<unsigned, unsigned> default_local_ports{32768, 60999};

}  // namespace

std::vector<std::uint16_t> listening_ports_in(const std::string& text, std::pair<unsigned, unsigned> local_ports) {
    std::vector<std::uint16_t> ports;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string slot;
        std::string local;  // "0100007F:0016": address and port, in hexadecimal
        std::string remote;
        std::string state;
        if (!(words >> slot >> local >> remote >> state)) continue;
        const std::size_t colon = local.find(':');
        std::uint16_t port = 0;
        if (colon == std::string::npos) continue;
        const auto read = std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
        if (read.ec != std::errc{} || port == 0) continue;
        const bool began_here = port < first_user_port || (local_ports.first <= port && port <= local_ports.second);
        if (state == listen || (state == established && !began_here)) ports.push_back(port);
    }
    return ports;
}

std::vector<std::uint16_t> listening_ports() {
    std::pair<unsigned, unsigned> local_ports;
    if (!(std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> local_ports.first >> local_ports.second))
        local_ports = default_local_ports;
    std::vector<std::uint16_t> ports;
    for (const char* path : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
        std::ifstream file(path);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const auto more = listening_ports_in(text, local_ports);
        ports.insert(ports.end(), more.begin(), more.end());
    }
    return ports;
}

}  // namespace policyc
