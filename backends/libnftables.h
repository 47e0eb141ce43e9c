// The kernel through libnftables: one transaction in, its JSON listing out.
#pragma once

#include <memory>

#include "compiler/kernel.h"

namespace policyc {

// Errors say which object the kernel refused and what it is for, and name missing privileges (CAP_NET_ADMIN) and a kernel
// without nf_tables as such.
std::unique_ptr<Kernel> make_libnftables_kernel();

}  // namespace policyc
