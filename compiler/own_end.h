// Boxes of what this host itself receives and sends, and at which of its addresses.
#pragma once

#include <span>
#include <vector>

#include "compiler/access.h"

namespace policyc {

// Where such a box says at which: the destination of an input, the source of an output. Not for what is forwarded.
Range& own_end(Box& box);
// Whether it is of some of the addresses only. One of all of them has {family, 0, 0} there.
bool of_some_addresses(const Box& box);
// With all addresses as the range that they are, so that boxes of both kinds can be cut and subtracted; and back.
Box spread(Box box);
Box gathered(Box box);

// A box of all addresses, less those of `except` or of none but `only`; of what is forwarded both are empty.
struct AtHost {
    Box box;
    std::vector<Range> except;
    std::vector<Range> only;
    auto operator<=>(const AtHost&) const = default;
};
// Boxes that differ in nothing but the addresses of this host as one.
std::vector<AtHost> at_host(std::span<const Box> boxes);

}  // namespace policyc
