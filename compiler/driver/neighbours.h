// Other tables at the hooks where policyc judges: report_neighbours().
#pragma once

#include "compiler/driver/report.h"
#include "compiler/kernel.h"

namespace policyc {

// Notes every base chain of another table that may refuse what `wanted` allows, since a packet passes only when all
// base chains accept it. Never an error: what can't be read is noted too.
void report_neighbours(const ir::Ruleset& wanted, Kernel& kernel, Report& report);

}  // namespace policyc
