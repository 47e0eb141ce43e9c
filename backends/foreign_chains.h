// The base chains of other tables that drop what they do not accept, over netlink: foreign_chains().
#pragma once

#include <vector>

#include "compiler/kernel.h"

namespace policyc {

// As Kernel::foreign_chains() promises.
Result<std::vector<ForeignChain>> foreign_chains();

}  // namespace policyc
