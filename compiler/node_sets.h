// The sets of a node's Ruleset that are no permissions: its sides, what is untouched, buckets of rates.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir.h"
#include "compiler/permissions.h"
#include "compiler/sides.h"
#include "policy/model.h"

namespace policyc {

// "tunnel4", "far6": `word` and the family.
std::string numbered(const char* word, Family family);

// @tunnel4 and, where it is not empty, @far4; the same of IPv6.
void add_side_sets(const Sides& sides, const std::vector<Family>& families, ir::Ruleset& out);
// @untouched_interfaces, @untouched4 and @untouched6, where they are not empty.
void add_untouched_sets(const Untouched& untouched, ir::Ruleset& out);

// "rate1_ip4": the buckets of a limiter, one per source.
std::string rate_set(std::size_t limiter, Family family);
// For the limiters that something to limit is left of: what has no address has none.
void add_rate_sets(const PermissionSets& permissions, const std::vector<Family>& families, ir::Ruleset& out);

}  // namespace policyc
