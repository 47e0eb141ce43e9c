// Changes in the order that they are told in, each once.
#pragma once

#include <string>
#include <vector>

#include "compiler/access.h"
#include "compiler/arena.h"

namespace policyc {

// Sorts them, and makes one of those that say the same of one person and service by one line of the policy: entries of a tier that overlap may come to the same, wholly or in part. What
// is made anew is put into the arena; `node` is the name of this host.
void tell_once(std::vector<Change>& changes, const std::string& node, Arena& arena);

}  // namespace policyc
