// talk: what a connection through a gateway costs that is begun and given up, and how long a packet and its answer take. Entry point main().
//
//   talk PROCESSOR CLIENT SERVER FLOWS < commands
//
// CLIENT and SERVER are network namespaces under /run/netns in which every address of FLOWS (see blast.cpp) is a local one. Both ends live in this one
// thread: veth delivers a packet within the system call that sends it, so a connection is there, and an answer has come, without anyone being woken.
// Commands and answers, a line each:
//
//   connect MS       TCP connections one after the other, each by the next flow: CONNECTIONS CPU_NS WALL_NS
//   roundtrip N      N UDP packets of the first flow and their answers: MEDIAN_NS P99_NS
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <sstream>
#include <utility>

#include "flows.h"

namespace {

using bench::fail;
using bench::Flow;
using bench::now;

constexpr std::size_t payload = 64 - 28;  // with the headers of IP and UDP: 64 bytes

class Socket {
public:
    explicit Socket(int number) : number_(number) {
        if (number < 0) fail("socket");
    }
    Socket(Socket&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket& operator=(Socket&&) = delete;
    ~Socket() {
        if (number_ >= 0) close(number_);
    }
    [[nodiscard]] int number() const { return number_; }

    void set(int level, int option, int value) const { set(level, option, &value, sizeof value); }
    void set(int level, int option, const void* value, socklen_t size) const {
        if (setsockopt(number_, level, option, value, size) != 0) fail("setsockopt");
    }
    // A packet that doesn't come is an error after a second.
    void be_patient() const {
        const timeval second{1, 0};
        set(SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
        set(SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    }
    void bind(std::uint32_t address, std::uint16_t port) const {
        const sockaddr_in end = at(address, port);
        if (::bind(number_, reinterpret_cast<const sockaddr*>(&end), sizeof end) != 0) fail("bind");
    }
    void connect(std::uint32_t address, std::uint16_t port) const {
        const sockaddr_in end = at(address, port);
        if (::connect(number_, reinterpret_cast<const sockaddr*>(&end), sizeof end) != 0) fail("connect");
    }

private:
    static sockaddr_in at(std::uint32_t address, std::uint16_t port) {
        sockaddr_in end{};
        end.sin_family = AF_INET;
        end.sin_addr.s_addr = address;
        end.sin_port = port;
        return end;
    }

    int number_;
};

Socket socket_in(const std::string& space, int type) {
    bench::enter(space);
    return Socket(socket(AF_INET, type | SOCK_CLOEXEC, 0));
}

class Talk {
public:
    Talk(std::string client, std::string server, const std::string& path)
        : client_(std::move(client)),
          server_(std::move(server)),
          listener_(socket_in(server_, SOCK_STREAM)),
          flows_(bench::read_flows(path)) {
        listener_.set(SOL_SOCKET, SO_REUSEADDR, 1);
        listener_.be_patient();
        listener_.bind(INADDR_ANY, flows_.front().destination_port);
        if (listen(listener_.number(), 1024) != 0) fail("listen");
        bench::enter(client_);
    }

    void connect(std::int64_t length) {
        const std::int64_t cpu = now(CLOCK_THREAD_CPUTIME_ID);
        const std::int64_t begin = now(CLOCK_MONOTONIC);
        std::size_t count = 0;
        for (; now(CLOCK_MONOTONIC) - begin < length; ++count) {
            const Flow& flow = flows_[next_];
            if (++next_ == flows_.size()) next_ = 0;
            const Socket one(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            one.be_patient();
            one.set(SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
            const linger reset{1, 0};  // leaves nothing in TIME_WAIT
            one.set(SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            one.bind(flow.source, 0);
            one.connect(flow.destination, flow.destination_port);
            const Socket other(accept(listener_.number(), nullptr, nullptr));
        }
        const std::int64_t wall = now(CLOCK_MONOTONIC) - begin;
        std::cout << count << ' ' << now(CLOCK_THREAD_CPUTIME_ID) - cpu << ' ' << wall << std::endl;
    }

    void roundtrip(std::size_t count) {
        const Flow& flow = flows_.front();
        const Socket one = socket_in(client_, SOCK_DGRAM);
        const Socket other = socket_in(server_, SOCK_DGRAM);
        bench::enter(client_);
        one.bind(flow.source, flow.source_port);
        one.connect(flow.destination, flow.destination_port);
        other.bind(flow.destination, flow.destination_port);
        other.connect(flow.source, flow.source_port);
        one.be_patient();
        other.be_patient();
        std::array<char, payload> data{};
        std::vector<std::int64_t> times(count);
        for (std::int64_t& time : times) {
            const std::int64_t begin = now(CLOCK_MONOTONIC);
            pass(one, other, data);
            pass(other, one, data);
            time = now(CLOCK_MONOTONIC) - begin;
        }
        std::sort(times.begin(), times.end());
        std::cout << times[count / 2] << ' ' << times[count * 99 / 100] << std::endl;
    }

private:
    static void pass(const Socket& from, const Socket& to, std::array<char, payload>& data) {
        if (send(from.number(), data.data(), data.size(), 0) < 0) fail("send");
        if (recv(to.number(), data.data(), data.size(), 0) < 0) fail("receive");
    }

    std::string client_;
    std::string server_;
    Socket listener_;
    std::vector<Flow> flows_;
    std::size_t next_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fputs("usage: talk PROCESSOR CLIENT SERVER FLOWS < commands\n", stderr);
        return 2;
    }
    bench::stay_on(argv[1]);
    Talk talk(argv[2], argv[3], argv[4]);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb;
        std::int64_t number = 0;
        words >> verb >> number;
        if (verb == "connect" && number > 0)
            talk.connect(number * 1'000'000);
        else if (verb == "roundtrip" && number > 0)
            talk.roundtrip(static_cast<std::size_t>(number));
        else {
            std::fprintf(stderr, "talk: not a command: %s\n", line.c_str());
            return 2;
        }
    }
    return 0;
}
