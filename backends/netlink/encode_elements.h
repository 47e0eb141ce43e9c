// Elements of a set as the messages that add or delete them.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/netlink/batch.h"
#include "backends/netlink/messages.h"

namespace policyc::netlink {

// Which elements: all of the set, or those of a list, in its order.
struct Chosen {
    const ir::Ruleset& ruleset;
    std::uint32_t set = 0;  // index
    const std::vector<std::uint32_t>* list = nullptr;
};

// As many messages as they need: an attribute holds at most 64 KiB, so one bears some thousand elements. Each gets an origin.
void encode_elements(const Chosen& chosen, bool removes, Messages& out, std::vector<Origin>& origins);

// An upper bound of the bytes that takes.
std::size_t encoded_size(const ir::Set& set, std::size_t elements);

}  // namespace policyc::netlink
