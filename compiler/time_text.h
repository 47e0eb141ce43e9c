// Days and lengths of time as people read them, the same wherever they are told.
#pragma once

#include <string>

#include "policy/model.h"

namespace policyc {

std::string to_text(Days day);              // "2026-11-24"
std::string duration_text(Seconds length);  // as a policy writes it: "90m", "4h"
std::string about(Seconds length);          // "2 h", "7 d"; what is negative is "0 s"

}  // namespace policyc
