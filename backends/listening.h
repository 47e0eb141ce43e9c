// The TCP ports that something on this host listens on, as proc(5) shows them in /proc/PID/net/tcp.
#pragma once

#include <cstdint>
#include <vector>

namespace policyc {

// Of this network namespace, both families, in any order. What can't be read is left out.
std::vector<std::uint16_t> listening_ports();

}  // namespace policyc
