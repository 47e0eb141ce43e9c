// prober: sends real packets from and to anywhere in a set of network namespaces, and says which of them arrived.
// Entry point main().
//
// It reads commands from stdin and answers each with one line on stdout, so that a script drives it through two pipes:
//
//   port NAME tun SPACE DEVICE [TOS]     a TUN device that it makes there; packets for it bear this type of service,
//                                        so that policy routing can send any destination out of any device
//   port NAME packet SPACE DEVICE [MAC]  an interface that exists (AF_PACKET); MAC is that of the next hop, on Ethernet
//   port NAME host SPACE                 the host itself: what is sent passes its output hook, what arrives its input hook
//   flush SPACE                          forget the connections that are tracked there
//   wait MS                              how long to wait in silence for packets that may be under way (300)
//   pace US                              how long to rest after each 64 packets that are judged later (2000)
//   tries N                              how often a packet that did not arrive is sent in all (2)
//   go N                                 N lines follow: FROM TO KIND SOURCE DESTINATION PORT [reply]
//   stats                                "sent N arrived N lost N"
//
// SPACE is a name under /run/netns, a path, or "-" for its own. FROM and TO are ports. KIND is tcp (a SYN), udp,
// ping, or one of packet.h. PORT is the destination port, 0 where there is none. Source ports are never used twice
// until 28,000 packets later.
//
// The answer to `go` is two characters a probe. The first: `+` arrived at TO, `m` arrived there from another source
// (masquerade), `x` arrived at another port, `r` did not arrive and ICMP said "administratively prohibited", `e`
// could not be sent, `.` none of this. The second, for a probe with `reply` that arrived: `+` when an answer from TO
// came back to FROM, else `.`; and `-` where none was sent.
//
// Loss is not denial. Through tun and host ports a packet's fate is decided when the system call is back, and receive
// queues are emptied before they can fill. What did not arrive is sent again. Where a receive queue lost a packet all
// the same, `go` says `error` instead of a verdict. Between packet ports there are queues that the prober can't see:
// `pace` and `tries` are for them, and probes that are known to arrive, strewn among the others, show that it was
// enough. Everything else is answered with `ok` or `error TEXT`.
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "packet.h"
#include "port.h"

namespace probe {

namespace {

constexpr std::uint16_t first_source_port = 32768;
// Below WireGuard's own, from which a host may send what others may not.
constexpr std::uint16_t last_source_port = 51799;
constexpr std::size_t chunk = 64;  // packets between two readings: far fewer than any receive queue holds

struct Probe {
    Port* from = nullptr;
    Port* to = nullptr;
    Packet packet;
    bool wants_reply = false;
    char verdict = '.';
    char answer = '-';
    Arrival arrival;  // what TO saw
};

class Prober {
public:
    // The answer to one line of input.
    std::string command(const std::string& line) {
        std::istringstream words(line);
        std::string verb;
        words >> verb;
        if (verb == "port") return add_port(words);
        if (verb == "flush") {
            std::string space;
            words >> space;
            flush_conntrack(space);
            return "ok";
        }
        if (verb == "wait" && words >> wait_ms_) return "ok";
        if (verb == "pace" && words >> pace_us_) return "ok";
        if (verb == "tries" && words >> tries_) return "ok";
        if (verb == "stats")
            return "sent " + std::to_string(sent_) + " arrived " + std::to_string(arrived_) + " lost " +
                   std::to_string(lost());
        std::size_t count = 0;
        if (verb == "go" && words >> count) return go(count);
        throw Failure{"not a command: " + line};
    }

private:
    std::string add_port(std::istringstream& words) {
        std::string name;
        std::string kind;
        std::string space;
        std::string device;
        std::string more;
        words >> name >> kind >> space >> device >> more;
        std::unique_ptr<Port> port;
        if (kind == "tun")
            port = open_tun(space, device, static_cast<std::uint8_t>(more.empty() ? 0 : std::stoi(more)));
        else if (kind == "packet")
            port = open_packet(space, device, more);
        else if (kind == "host")
            port = open_host(space);
        else
            throw Failure{"not a kind of port: " + kind};
        spaces_[port.get()] = space;
        ports_[name] = std::move(port);
        return "ok";
    }

    Port* port(const std::string& name) {
        const auto found = ports_.find(name);
        if (found == ports_.end()) throw Failure{"not a port: " + name};
        return found->second.get();
    }

    std::vector<Probe> read(std::size_t count) {
        std::vector<std::string> lines(count);
        for (std::string& line : lines)
            if (!std::getline(std::cin, line)) throw Failure{"the probes end early"};
        std::vector<Probe> probes(count);
        for (std::size_t i = 0; i < count; ++i) {
            std::istringstream words(lines[i]);
            std::string from;
            std::string to;
            std::string kind;
            std::string source;
            std::string destination;
            std::string reply;
            unsigned destination_port = 0;
            words >> from >> to >> kind >> source >> destination >> destination_port >> reply;
            Probe& probe = probes[i];
            probe.from = port(from);
            probe.to = port(to);
            const auto known = kind_of(kind);
            const auto source_address = parse_endpoint(source.c_str());
            const auto destination_address = parse_endpoint(destination.c_str());
            if (!known || !source_address || !destination_address || source_address->ipv6 != destination_address->ipv6)
                throw Failure{"not a probe: " + lines[i]};
            probe.packet.kind = *known;
            probe.packet.source = *source_address;
            probe.packet.destination = *destination_address;
            probe.packet.destination_port = static_cast<std::uint16_t>(destination_port);
            probe.packet.tos = probe.to->tos();
            probe.packet.tag = first_tag_ + static_cast<std::uint32_t>(i);
            probe.wants_reply = reply == "reply";
        }
        return probes;
    }

    std::string go(std::size_t count) {
        std::vector<Probe> probes = read(count);
        const std::uint64_t lost_before = lost();
        for (int i = 0; i < tries_; ++i)
            send_all(probes, [](const Probe& p) { return p.verdict == '.' || p.verdict == 'e'; });
        for (int i = 0; i < tries_; ++i)
            send_all(
                probes,
                [](const Probe& p) {
                    return p.wants_reply && (p.verdict == '+' || p.verdict == 'm') && p.answer != '+';
                },
                true);
        first_tag_ += static_cast<std::uint32_t>(count);
        if (lost() != lost_before) throw Failure{"a receive queue overflowed: send fewer probes at once"};
        std::string verdicts;
        verdicts.reserve(count * 2);
        for (const Probe& probe : probes) {
            verdicts += probe.verdict;
            verdicts += probe.answer;
        }
        return verdicts;
    }

    template <typename Wanted>
    void send_all(std::vector<Probe>& probes, const Wanted& wanted, bool reply = false) {
        std::size_t under_way = 0;
        bool immediate = true;
        for (Probe& probe : probes) {
            if (!wanted(probe)) continue;
            immediate = immediate && probe.from->immediate() && probe.to->immediate();
            send(probe, reply);
            if (++under_way % chunk != 0) continue;
            collect(probes);
            if (!immediate) pause(pace_us_);
        }
        if (under_way == 0) return;
        collect(probes);
        if (immediate) return;
        using Clock = std::chrono::steady_clock;
        auto last = Clock::now();
        while (Clock::now() - last < std::chrono::milliseconds(wait_ms_)) {
            bool any = false;
            for (const Probe& probe : probes) any = any || wanted(probe);
            if (!any) return;
            pause(1000);
            if (collect(probes)) last = Clock::now();
        }
    }

    static void pause(int microseconds) { usleep(static_cast<useconds_t>(microseconds)); }

    void send(Probe& probe, bool reply) {
        Packet packet = probe.packet;
        Port* from = probe.from;
        Port* to = probe.to;
        if (reply) {
            std::swap(from, to);
            packet.reply = true;
            packet.source = probe.packet.destination;
            packet.source_port = probe.packet.destination_port;
            packet.destination = probe.arrival.source;
            packet.destination_port = probe.arrival.source_port;
            packet.tos = to->tos();
            probe.answer = '.';
        } else {
            packet.source_port = next_source_port_;
            next_source_port_ = next_source_port_ == last_source_port
                                    ? first_source_port
                                    : static_cast<std::uint16_t>(next_source_port_ + 1);
        }
        build(packet, buffer_);
        ++sent_;
        // A host whose packet must leave through an interface of its own is told which; else it routes.
        const std::string device = spaces_.at(from) == spaces_.at(to) ? to->device() : std::string();
        switch (from->send(buffer_, packet.destination, device)) {
            case Sent::yes:
            case Sent::refused: probe.verdict = probe.verdict == 'e' ? '.' : probe.verdict; break;
            case Sent::failed: (reply ? probe.answer : probe.verdict) = 'e'; break;
        }
    }

    // Reads every port; true when something had arrived.
    bool collect(std::vector<Probe>& probes) {
        bool any = false;
        for (const auto& [name, port] : ports_) port->flush();
        const auto probe_of = [&](std::uint32_t tag) -> Probe* {
            const std::uint32_t index = tag - first_tag_;
            return index < probes.size() ? &probes[index] : nullptr;
        };
        for (const auto& [name, at] : ports_) {
            Port* here = at.get();
            here->receive(
                [&](const Arrival& arrival) {
                    Probe* probe = probe_of(arrival.tag);
                    if (probe == nullptr) return;
                    any = true;
                    ++arrived_;
                    if (arrival.reply) {
                        if (here == probe->from && arrival.source == probe->packet.destination) probe->answer = '+';
                    } else if (here == probe->to) {
                        probe->arrival = arrival;
                        probe->verdict = arrival.source == probe->packet.source ? '+' : 'm';
                    } else {
                        probe->verdict = 'x';
                    }
                },
                [&](std::uint32_t tag) {
                    Probe* probe = probe_of(tag);
                    if (probe != nullptr && probe->verdict == '.') probe->verdict = 'r';
                });
        }
        return any;
    }

    std::uint64_t lost() {
        std::uint64_t sum = 0;
        for (const auto& [name, port] : ports_) sum += port->lost();
        return sum;
    }

    std::map<std::string, std::unique_ptr<Port>> ports_;
    std::map<const Port*, std::string> spaces_;
    std::uint32_t first_tag_ = 1;
    std::uint16_t next_source_port_ = first_source_port;
    int wait_ms_ = 300;
    int pace_us_ = 2000;
    int tries_ = 2;
    std::uint64_t sent_ = 0;
    std::uint64_t arrived_ = 0;
    Bytes buffer_;
};

}  // namespace

}  // namespace probe

int main() {
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    probe::Prober prober;
    for (std::string line; std::getline(std::cin, line);) {
        if (line.empty()) continue;
        try {
            std::cout << prober.command(line) << std::endl;
        } catch (const probe::Failure& failure) {
            std::cout << "error " << failure.text << std::endl;
        }
    }
    return 0;
}
