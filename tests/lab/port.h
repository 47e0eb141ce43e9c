// Where the prober sends packets from and sees them arrive: a TUN device, an existing interface, or a host itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "packet.h"

namespace probe {

// Something can't be set up or has failed for good; its text is the answer to the command.
struct Failure {
    std::string text;
};

// What a port does with the packet it was given: `refused` when the sender's own output hook said no (EPERM).
enum class Sent : std::uint8_t { yes, refused, failed };

using Sink = std::function<void(const Arrival& arrival)>;
using Rejected = std::function<void(std::uint32_t tag)>;

class Port {
public:
    virtual ~Port() = default;

    // `device` is the interface that the packet must leave through, where the port is a host; "" lets it route.
    virtual Sent send(const Bytes& packet, const Endpoint& destination, const std::string& device) = 0;
    // Sends what send() has put off.
    virtual void flush() {}
    // All that has arrived by now.
    virtual void receive(const Sink& sink, const Rejected& rejected) = 0;
    // Packets that arrived and were lost before they were read, since the port was opened.
    virtual std::uint64_t lost() { return 0; }
    // True when a packet has arrived, or is denied for good, by the time send() is back.
    [[nodiscard]] virtual bool immediate() const { return false; }
    // The interface, "" for a host.
    [[nodiscard]] virtual std::string device() const { return {}; }
    // What packets must bear to be routed out of here; 0 when routing looks at addresses alone.
    [[nodiscard]] virtual std::uint8_t tos() const { return 0; }
};

// `space` is a network namespace: a name under /run/netns, a path, or "-" for the prober's own.
std::unique_ptr<Port> open_tun(const std::string& space, const std::string& device, std::uint8_t tos);
std::unique_ptr<Port> open_packet(const std::string& space, const std::string& device, const std::string& mac);
std::unique_ptr<Port> open_host(const std::string& space);

// Forgets all connections that the namespace tracks.
void flush_conntrack(const std::string& space);

}  // namespace probe
