// blast: sends 64-byte UDP packets out of network devices as fast as one processor can, and says what they cost. Entry point main().
//
// It reads commands from stdin and answers each with one line on stdout:
//
//   open SPACE DEVICE MAC FLOWS [back]   a target; answers with its number, from 0
//   once TARGET                          each of its flows one packet
//   run TARGET MS                        packets through its flows, over and over, for so long
//
// SPACE is a network namespace under /run/netns, MAC that of the next hop, FLOWS a file of 12-byte records in network order: source, destination, source
// port, destination port; with `back` each record is turned round, as its answer would be. `once` and `run` answer PACKETS CPU_NS WALL_NS.
//
// veth hands a packet on in the sender's own system call, so CPU_NS, the processor time of this thread, holds the whole way of the packet to where it
// ends. It leaves out what other processes of the machine took in between.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
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

constexpr std::size_t batch = 64;
constexpr std::size_t ip_length = 64;
constexpr std::size_t frame_length = sizeof(ether_header) + ip_length;

using Frame = std::array<std::uint8_t, frame_length>;

struct Target {
    int socket = -1;
    std::vector<Flow> flows;
    std::size_t next = 0;
    std::vector<Frame> frames;
};

std::array<std::uint8_t, 6> parse_mac(const std::string& text) {
    std::array<unsigned, 6> parts{};
    if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4],
                    &parts[5]) != 6)
        fail("not a MAC address: " + text);
    std::array<std::uint8_t, 6> mac{};
    for (std::size_t i = 0; i < 6; ++i) mac[i] = static_cast<std::uint8_t>(parts[i]);
    return mac;
}

// A socket that sends whole frames out of that device, past its queueing discipline.
int open_device(const std::string& space, const std::string& device) {
    bench::enter(space);
    const int made = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (made < 0) fail("socket");
    const int yes = 1;
    if (setsockopt(made, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0) fail("PACKET_QDISC_BYPASS");
    const int room = 8 << 20;
    if (setsockopt(made, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) fail("SO_SNDBUFFORCE");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    if (bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail(device);
    return made;
}

std::vector<Flow> read_flows(const std::string& path, bool back) {
    std::vector<Flow> flows = bench::read_flows(path);
    if (back)
        for (Flow& flow : flows) {
            std::swap(flow.source, flow.destination);
            std::swap(flow.source_port, flow.destination_port);
        }
    return flows;
}

// All that the packets have in common.
Frame make_frame(const std::array<std::uint8_t, 6>& mac) {
    Frame frame{};
    ether_header ethernet{};
    std::memcpy(ethernet.ether_dhost, mac.data(), mac.size());
    ethernet.ether_shost[0] = 2;
    ethernet.ether_type = htons(ETHERTYPE_IP);
    std::memcpy(frame.data(), &ethernet, sizeof ethernet);
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.tot_len = htons(ip_length);
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    std::memcpy(&frame[sizeof ethernet], &ip, sizeof ip);
    return frame;
}

std::uint16_t checksum(const iphdr& ip) {
    std::array<std::uint16_t, sizeof(iphdr) / 2> words{};
    std::memcpy(words.data(), &ip, sizeof ip);
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words) sum += word;
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    return static_cast<std::uint16_t>(~sum);
}

void fill(Frame& frame, const Flow& flow) {
    iphdr ip{};
    std::memcpy(&ip, &frame[sizeof(ether_header)], sizeof ip);
    ip.saddr = flow.source;
    ip.daddr = flow.destination;
    ip.check = 0;
    ip.check = checksum(ip);
    std::memcpy(&frame[sizeof(ether_header)], &ip, sizeof ip);
    udphdr udp{};
    udp.source = flow.source_port;
    udp.dest = flow.destination_port;
    udp.len = htons(ip_length - sizeof ip);
    std::memcpy(&frame[sizeof(ether_header) + sizeof ip], &udp, sizeof udp);
}

// Sends `count` packets, the next of the target's flows.
void send(Target& target, std::size_t count) {
    std::array<iovec, batch> pieces{};
    std::array<mmsghdr, batch> messages{};
    for (std::size_t i = 0; i < count; ++i) {
        fill(target.frames[i], target.flows[target.next]);
        if (++target.next == target.flows.size()) target.next = 0;
        pieces[i] = {target.frames[i].data(), frame_length};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (std::size_t sent = 0; sent < count;) {
        const int done = sendmmsg(target.socket, &messages[sent], static_cast<unsigned>(count - sent), 0);
        if (done < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) fail("sendmmsg");
        if (done > 0) sent += static_cast<std::size_t>(done);
    }
}

// Runs for `length` nanoseconds, or, if that is 0, until each flow had one packet.
void run(Target& target, std::int64_t length) {
    // What others left in the caches is not this one's.
    if (length != 0)
        for (int i = 0; i < 32; ++i) send(target, batch);
    const std::int64_t cpu = now(CLOCK_THREAD_CPUTIME_ID);
    const std::int64_t begin = now(CLOCK_MONOTONIC);
    std::size_t packets = 0;
    while (length != 0 ? now(CLOCK_MONOTONIC) - begin < length : packets < target.flows.size()) {
        const std::size_t count = length != 0 ? batch : std::min(batch, target.flows.size() - packets);
        send(target, count);
        packets += count;
    }
    const std::int64_t wall = now(CLOCK_MONOTONIC) - begin;
    std::cout << packets << ' ' << now(CLOCK_THREAD_CPUTIME_ID) - cpu << ' ' << wall << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: blast PROCESSOR < commands\n", stderr);
        return 2;
    }
    bench::stay_on(argv[1]);
    std::vector<Target> targets;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb;
        words >> verb;
        std::size_t number = 0;
        std::int64_t milliseconds = 0;
        if (verb == "open") {
            std::string space, device, mac, flows, back;
            words >> space >> device >> mac >> flows >> back;
            targets.push_back({open_device(space, device), read_flows(flows, back == "back"), 0,
                               std::vector<Frame>(batch, make_frame(parse_mac(mac)))});
            std::cout << targets.size() - 1 << std::endl;
        } else if (verb == "once" && words >> number && number < targets.size()) {
            run(targets[number], 0);
        } else if (verb == "run" && words >> number >> milliseconds && number < targets.size()) {
            run(targets[number], milliseconds * 1'000'000);
        } else {
            std::fprintf(stderr, "blast: not a command: %s\n", line.c_str());
            return 2;
        }
    }
    return 0;
}
