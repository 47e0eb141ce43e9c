// Flows in the table that is in the kernel: which elements hold them, what counts them, and what the kernel's own look-ups say.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/explain.h"
#include "compiler/follow.h"
#include "compiler/kernel.h"

namespace policyc {

struct LiveFlow {
    Followed kernel;  // by the kernel's own look-ups; points into the snapshot
    Followed dump;    // by the elements as they were read: another verdict is a fault of somebody's
    std::optional<ir::Counter> counter;
};

// Follows the first packet of the flow through the table of the snapshot, which may have none, or a dormant one: then all passes. `in` is the name of the interface it comes in
// through, where that was asked for.
Result<LiveFlow> ask_kernel(const Policy& policy, std::size_t node, const explain::Flow& flow,
                            const std::optional<std::string>& in, const Snapshot& snapshot, Kernel& kernel);

// The element of the table that let the packet pass: its set, and its key as nft has it, "10.69.50.12 . 10.69.13.20 . 8096".
std::string key_text(const ir::Set& set, std::size_t element);

}  // namespace policyc
