// What the kernel's connection tracking has of a flow: tracked(), picks_up_sessions().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/address.h"

namespace policyc {

// The addresses and ports of a flow with this host, as the packets bear them that this host gets and sends.
struct Ends {
    Address here;
    Address peer;
    std::uint16_t port = 0;
    std::uint16_t peer_port = 0;
    std::uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP
};

enum class Tracked : std::uint8_t {
    unknown,    // the kernel doesn't say
    absent,     // it has no such flow
    plain,      // it has
    rewritten,  // it has, and the flow was begun to another destination
};

// By one IPCTNL_MSG_CT_GET, in the zone that is no zone.
Tracked tracked(const Ends& flow);

// Its request: the tuple of what this host sends, which finds flows that either side began.
std::string request_for_flow(const Ends& flow);

// By the attributes of the answer.
Tracked tracked_in(std::string_view attributes);

// The families of which connection tracking has no flow now. Empty where the kernel doesn't say.
std::vector<Family> untracked_families();

// Forgets all flows of a family, or one, whoever began it. What goes on is picked up with its next packet. False where the kernel refuses.
bool forget_flows(Family family);
bool forget_flow(const Ends& flow);

// Whether a TCP session is picked up in the middle, where its beginning was not tracked; if not, its packets are invalid.
// (networking/nf_conntrack-sysctl: nf_conntrack_tcp_loose)
bool picks_up_sessions();

}  // namespace policyc
