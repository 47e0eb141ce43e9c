// One server, asked over UDP or over TCP by c-ares. What is asked of one channel can fail together: c-ares closes a server's sockets, and ends all
// it is waiting for from there, when one of them fails. So each server has a channel for each of the two.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/names.h"

namespace policyc {

// What came of asking once.
struct DnsTry {
    enum class What : std::uint8_t {
        replied,  // whatever the reply says; over UDP it may be cut short
        silent,   // nothing within the time
        refused,  // port closed, no route, connection lost: this try's own, or that of another one on the same channel
        impossible,  // it can't be asked for; `problem` says why
        ended,       // by cancel(), or by the end of the channel
    };
    What what = What::silent;
    std::string_view bytes;  // of the reply; gone when the callback returns
    std::string problem;
};

class DnsChannel {
public:
    enum class Over : std::uint8_t { udp, tcp };
    using Done = std::function<void(const DnsTry&)>;

    DnsChannel(const Server& server, Over over, std::chrono::milliseconds timeout);
    ~DnsChannel();
    DnsChannel(const DnsChannel&) = delete;
    DnsChannel& operator=(const DnsChannel&) = delete;

    // False where it could not be made: then nothing may be asked of it.
    [[nodiscard]] bool good() const;
    // Calls `done` once: from in here, from wait(), from cancel() or from the destructor.
    void ask(const std::string& name, Family family, Done done);
    void cancel();

    // Waits until something comes of one of these channels, at most a second, and has it dealt with.
    static void wait(const std::vector<DnsChannel*>& channels);

private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

// The servers of /etc/resolv.conf.
std::vector<Server> system_servers();

}  // namespace policyc
