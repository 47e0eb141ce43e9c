// The elements of a set, out of NFTA_SET_ELEM_LIST_ELEMENTS.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/netlink/decode_buckets.h"
#include "compiler/ir.h"
#include "compiler/kernel.h"

namespace policyc::netlink {

// A set whose elements are still coming.
struct SetInProgress {
    ir::Set set;
    bool anonymous = false;            // then the keys are in `icmp_types`
    std::uint32_t anonymous_type = 0;  // nftables' number of its key's type
    bool unreadable = false;           // foreign: its elements are not looked at
    // Of an interval set without concatenation: each bound by itself, to be paired by finish_elements(). A key of `stored` bytes,
    // then 1 for an end of an interval and 0 for a start.
    std::string bounds;
    std::vector<std::uint32_t> bound_values;
    std::vector<ir::Life> bound_lives;
    std::unordered_map<std::uint32_t, std::string> odd_bounds;  // of some of these, what policyc doesn't write there
    std::vector<std::uint8_t> icmp_types;
    std::vector<std::string> strange;  // elements that policyc does not write, as text
    std::vector<Bucket> buckets;       // of a dynamic set: to be held against the rules when they are known
    bool gone = false;                 // removed by a batch
};

// Takes the attributes inside NFTA_SET_ELEM_LIST_ELEMENTS. Counters are found by name in `counters`. False where the bytes make no sense.
bool take_elements(std::string_view list, const std::unordered_map<std::string, std::uint32_t>& counters,
                   SetInProgress& set);

// What the first element of such a list gives: the answer to a look-up. Nothing where there is none, or the bytes make no sense.
std::optional<Held> held_element(std::string_view list);

// Pairs bounds and sorts.
void finish_elements(SetInProgress& set);

// A set that is there, so that elements can come and go.
SetInProgress begin_elements(const ir::Set& set);

// Removes what a list says, which is the same with NFT_MSG_DELSETELEM, without values. False where the bytes make no sense, or an element isn't there.
bool remove_elements(std::string_view list, SetInProgress& set);

}  // namespace policyc::netlink
