// The TCP ports that something on this host serves at, as proc(5) shows them in /proc/PID/net/tcp.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace policyc {

// Of this network namespace, both families, in any order: ports that something listens on, and those of connections that are open, from 1024 on and
// outside of the ports that Linux begins connections from (net.ipv4.ip_local_port_range): who listened may be gone. What can't be read is left out.
std::vector<std::uint16_t> listening_ports();

// The same of the text of such a file.
std::vector<std::uint16_t> listening_ports_in(const std::string& text, std::pair<unsigned, unsigned> local_ports);

}  // namespace policyc
