// The kernel through libnftables: one transaction that replaces the whole table, for a comparison with netlink and where that fails.
#pragma once

#include <memory>

#include "compiler/kernel.h"

namespace policyc {

// Reads as `reader` does; commits are not guarded by a generation. Errors say which object the kernel refused and what it is for, and name
// missing privileges (CAP_NET_ADMIN) and a kernel without nf_tables as such.
std::unique_ptr<Kernel> make_libnftables_kernel(std::unique_ptr<Kernel> reader);

}  // namespace policyc
