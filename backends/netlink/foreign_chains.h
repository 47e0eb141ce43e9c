// What the base chains of other tables do to packets: foreign_chains().
#pragma once

#include <vector>

#include "backends/netlink/socket.h"
#include "compiler/kernel.h"

namespace policyc::netlink {

// As Kernel::foreign_chains() promises.
Result<std::vector<ForeignChain>> foreign_chains(Socket& socket);

}  // namespace policyc::netlink
