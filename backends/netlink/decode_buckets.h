// The entries of rate sets: what rules put there, and what somebody else did.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/netlink/expression.h"
#include "compiler/ir.h"

namespace policyc::netlink {

// An expression `limit` as policyc writes it: of packets, without `over`. Nothing where it is another.
std::optional<ir::Limit> limit_of(const Expression& e);

// One entry. Rules make one of each source, with the rate that they name; what is left in it the kernel doesn't tell.
struct Bucket {
    std::string key;                       // its source as text
    std::string odd;                       // what rules don't put there, as a comment; "" for nothing
    std::optional<ir::Limit> limit;        // its only expression
    bool bare = false;                     // it has none
    std::optional<std::uint64_t> timeout;  // milliseconds, as told: not told where it is the set's (since Linux 6.12)
    std::uint64_t left = 0;                // milliseconds until it goes
};

// What is not as the rules that fill the set put it there: "10.69.50.11 with a rate of its own". "" where it is as it should be, or where no rule fills the set and so
// nothing says how it should be.
std::string odd_bucket(const Bucket& bucket, const ir::Set& set, const std::vector<ir::Limit>& rates);

// The rates that rules of these chains put into that set.
std::vector<ir::Limit> rates_into(const std::vector<ir::Chain>& chains, const std::string& set);

}  // namespace policyc::netlink
