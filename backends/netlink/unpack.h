// What a batch would make of the table, without a kernel.
#pragma once

#include <optional>
#include <string>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc::netlink {

// The Ruleset that the kernel would hold after it took this batch (the bytes of encode()), where `before` (null: no table) is what it holds now, with
// the handles of its rules. Nothing: there would be no table. An error where a message makes no sense there, and the kernel would refuse it.
Result<std::optional<ir::Ruleset>> unpack(const ir::Ruleset* before, const std::string& batch);

}  // namespace policyc::netlink
