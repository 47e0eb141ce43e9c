// A packet that is treated otherwise than the policy says, in words.
#pragma once

#include <span>
#include <string>

#include "compiler/proof/packet.h"
#include "policy/names.h"

namespace policyc::proof {

// "the first packet of a flow from 10.69.50.11 to 10.69.13.5, 22/tcp, forwarded from the tunnel to another interface"
std::string words_of(std::span<const u128> point, const Phase& phase, Family family);
// "from 10.69.50.11 to 10.69.13.5, 22/tcp"
std::string flow_words(std::span<const u128> point, Family family);

// The line of the policy that allows the flow at that point, wherever on this node: nowhere where none does, or nothing is written.
Span line_of(std::span<const u128> point, Family family, const Policy& policy, const Addresses& addresses,
             std::size_t node);

}  // namespace policyc::proof
