// Who is in which of the tiers that have sets of their own (Layout::Form::pairs).
#pragma once

#include <map>
#include <vector>

#include "compiler/ir.h"
#include "policy/address.h"

namespace policyc {

struct Member {
    Range source;
    ir::Cause cause;
};

// By number of the tier, from 1.
using Members = std::map<std::uint32_t, std::vector<Member>>;

// Sources that are in exactly these tiers, sorted.
struct Atom {
    Range source;
    std::vector<std::uint32_t> tiers;
    ir::Cause cause;  // of the member of the lowest tier, the first in its list
};

// The sources of one family, cut where the tiers that they are in differ: sorted and disjoint. Neighbours that some member holds both of and that
// are in the same tiers are one atom; addresses that are named one by one stay alone.
std::vector<Atom> atoms_of(const Members& members, Family family);

}  // namespace policyc
