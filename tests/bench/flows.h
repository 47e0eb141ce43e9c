// What blast and talk share: the flows that they read, clocks, namespaces, and the one processor that they stay on.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace bench {

// A record of a file of flows, 12 bytes in network order.
struct Flow {
    std::uint32_t source;
    std::uint32_t destination;
    std::uint16_t source_port;
    std::uint16_t destination_port;
};
static_assert(sizeof(Flow) == 12);

[[noreturn]] inline void fail(const std::string& what) {
    std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(2);
}

// Nanoseconds.
inline std::int64_t now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

inline void stay_on(const char* processor) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(static_cast<std::size_t>(std::atoi(processor)), &processors);
    if (sched_setaffinity(0, sizeof processors, &processors) != 0) fail("sched_setaffinity");
}

// Sockets that are made from here on belong to that namespace, a name under /run/netns.
inline void enter(const std::string& space) {
    const int there = open(("/run/netns/" + space).c_str(), O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET) != 0) fail(space);
    close(there);
}

inline std::vector<Flow> read_flows(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::vector<Flow> flows(bytes.size() / sizeof(Flow));
    if (flows.empty()) fail(path);
    std::memcpy(flows.data(), bytes.data(), flows.size() * sizeof(Flow));
    return flows;
}

}  // namespace bench
