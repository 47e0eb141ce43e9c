// What one expression of a rule of another table does to packets: done_by().
#pragma once

#include <optional>

#include "backends/netlink/expression.h"
#include "compiler/kernel.h"

namespace policyc::netlink {

// Verdicts apart. Nothing where it matches only, or writes what means nothing to policyc.
std::optional<ForeignChain::Does> done_by(const Expression& e);

}  // namespace policyc::netlink
