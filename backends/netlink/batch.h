// A plan as the bytes of one netlink batch, and what each message of it is about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan.h"

namespace policyc::netlink {

// What a message does to which object: for errors.
struct Origin {
    enum class What : std::uint8_t { batch, table, foreign, counter, set, elements, chain, rule };
    What what{};
    bool removes = false;
    std::uint32_t index = 0;  // of the Ruleset the object is of: `before` where it goes, `after` where it comes
    std::uint32_t rule = 0;   // of the chain `index`
    // Of elements: those of the set from `first` on, or of `list` (into the plan) from `first` on.
    const std::vector<std::uint32_t>* list = nullptr;
    std::uint32_t first = 0;
};

// All messages from NFNL_MSG_BATCH_BEGIN to NFNL_MSG_BATCH_END, to be sent in one piece: the kernel takes what one sendmsg() brings as one
// transaction (net/netfilter/nfnetlink.c, nfnetlink_rcv_skb_batch). Message n has the sequence number n; the first after the begin asks
// for an acknowledgement.
struct Batch {
    std::string bytes;
    std::vector<Origin> origins;  // by sequence number
    // A rule that can't be written, because policyc did not write it: then there is nothing to send.
    std::optional<std::string> unknown;
};

// A pure function: the same plan gives the same bytes. With `generation` the kernel refuses the batch (ERESTART) when another
// transaction came since (NFNL_BATCH_GENID, linux/netfilter/nfnetlink.h). Elements are written straight into the batch, one after the other.
Batch encode(const Plan& plan, std::optional<std::uint32_t> generation);

}  // namespace policyc::netlink
