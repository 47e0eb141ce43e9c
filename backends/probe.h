// Whether this process may talk to nf_tables at all, asked of the kernel itself.
#pragma once

#include "policy/result.h"

namespace policyc {

// libnftables ends the process where it gets no netlink socket, and writes to stderr where it lacks a privilege: ask before it is used.
// Errors name a missing CAP_NET_ADMIN and a kernel without nf_tables as such.
Result<void> probe_nf_tables();

Error no_nf_tables(const std::string& seen);
Error not_permitted();
// The same answer of the kernel, where a program keeps the table for itself (nft(8), `flags owner`).
Error owned_by_other();

}  // namespace policyc
