// The kernel over netlink: the table read back whole, and changes as one guarded batch.
#pragma once

#include <memory>

#include "compiler/kernel.h"

namespace policyc {

// commit() sends what differs and nothing else, guarded by the generation that `before` was read at. Where another transaction was faster it reads again, and sends the same batch
// for the new generation when the table needs just that still: what was reviewed is what is sent. Errors name the object or element that the
// kernel refused, what it is for and the line of the policy that it comes from.
std::unique_ptr<Kernel> make_netlink_kernel();

}  // namespace policyc
