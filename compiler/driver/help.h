// Help texts out of the table of verbs.
#pragma once

#include <string>

#include "compiler/driver/verbs.h"

namespace policyc {

std::string general_help();
std::string help_of(const Verb& verb);

// "policyc diff [options] POLICY [--against OLD]"
std::string usage_of(const Verb& verb);

const char* version();

}  // namespace policyc
