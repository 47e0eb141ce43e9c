// What one policy limits: who may begin connections to what, and from which buckets of new connections each of these takes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/access.h"
#include "compiler/arena.h"

namespace policyc {

// One `limit`: a bucket of its own for each source address.
struct Bucket {
    Rate rate;
    std::string_view owner;  // "tiers.guests", "services.films", "input.ssh"

    auto operator<=>(const Bucket&) const = default;
};
// A connection takes from all of these at once; from none of them: there is no limit. Sorted.
using Buckets = std::vector<Bucket>;

// What a tier or an input opens: its "ways".
struct Opening {
    Range destination;  // of an input an own address, or the others: as in Box
    Ports ports;
    Buckets buckets;
    std::string_view label;  // "films", "10.69.13.3:5500/tcp", "home:*"

    [[nodiscard]] Box from(Direction direction, const Range& source) const {
        return {direction, source, destination, ports};
    }
};

// A tier in force, an input or the output: each of its sources has each of its ways.
struct Giver {
    std::string_view name;  // "tiers.guests", "input.ssh", "output"
    Direction direction{};
    std::map<Range, std::string_view> people;  // as the policy calls them
    AddressSet sources;                        // the same
    std::vector<Opening> hosts;                // to single addresses and to this host, sorted by destination
    std::vector<Opening> networks;
};

// What comes to this host's own addresses or from them is apart: a tier has a Giver of each direction, and an input ways to each of these addresses and to
// the others, which the policy doesn't know. The texts are those of the policy or are put into the arena.
std::vector<Giver> givers(const View& view, Arena& texts);

// The limits of a policy by their owners.
std::map<std::string, Rate> limits_of(const View& view);

}  // namespace policyc
