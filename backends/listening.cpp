// Reads the sockets that listen; entry point listening_ports().
#include "backends/listening.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace policyc {

std::vector<std::uint16_t> listening_ports() {
    constexpr const char* listen = "0A";  // TCP_LISTEN (net/tcp_states.h)
    std::vector<std::uint16_t> ports;
    for (const char* path : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
        std::ifstream file(path);
        std::string line;
        while (std::getline(file, line)) {
            std::istringstream words(line);
            std::string slot;
            std::string local;  // "0100007F:0016": address and port, in hexadecimal
            std::string remote;
            std::string state;
            if (!(words >> slot >> local >> remote >> state) || state != listen) continue;
            const std::size_t colon = local.find(':');
            std::uint16_t port = 0;
            if (colon == std::string::npos) continue;
            const auto read = std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
            if (read.ec == std::errc{} && port != 0) ports.push_back(port);
        }
    }
    return ports;
}

}  // namespace policyc
