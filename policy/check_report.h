// Warnings about lists, the same for every list that has them.
#pragma once

#include "policy/check_fields.h"

namespace policyc {

// W0504 when the list of `key` is empty: it stands for nobody or nothing, which `so` says.
void report_empty(const Fields& fields, std::string_view key, std::string_view so, Diagnostics& diagnostics);

}  // namespace policyc
