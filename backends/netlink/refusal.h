// What the kernel refused, in the policy's words.
#pragma once

#include "backends/netlink/batch.h"
#include "backends/netlink/socket.h"
#include "compiler/plan.h"
#include "policy/result.h"

namespace policyc::netlink {

// The first refusal of an object or element, with what it is for; else the kernel's reason for refusing the whole.
Error refusal_error(const Plan& plan, const Batch& batch, const Answers& answers);

}  // namespace policyc::netlink
