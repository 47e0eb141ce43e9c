// Where a packet may come from: the sides of a node, and the rules that refuse what claims to be from another.
#pragma once

#include <vector>

#include "compiler/ir.h"
#include "compiler/lookups.h"
#include "policy/address.h"
#include "policy/lock.h"
#include "policy/model.h"

namespace policyc {

// The sides of a node (docs/language.md, section 2).
struct Sides {
    AddressSet near;    // its own addresses and the networks it serves, less the addresses of other nodes
    AddressSet far;     // those of all other nodes, less the near side
    AddressSet tunnel;  // the far side and all who are named as a source, less the near side
};
Sides sides_of(const Policy& policy, std::size_t node);

// Whether a tier, in force or not, lets somebody on this side begin, or names a place behind the tunnel.
bool begins_near(const Policy& policy, const Addresses& addresses, const Sides& sides);
bool answers_far(const Policy& policy, const Addresses& addresses, const Sides& sides);

// What comes out of the tunnel: who begins must be a source of the tunnel, and who answers none of this side. (What a permission lets begin may be
// answered from places that are no source.) Where what begins is not `judged`, only sources answer. `first` goes in front of each rule.
void add_tunnel_spoof_rules(std::vector<ir::Rule>& rules, const std::vector<Family>& families, const Statements& first,
                            bool judged);
// What comes from elsewhere: it has no source that is behind the tunnel.
void add_far_spoof_rules(std::vector<ir::Rule>& rules, const Lookups& lookups, const Statements& first);

}  // namespace policyc
