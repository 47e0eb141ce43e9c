// Why the addresses of a name made something come or go, in a few words.
#pragma once

#include <string>

#include "compiler/access.h"

namespace policyc {

// It got another answer.
std::string reason_of_answer(const View& view, const std::string& host);

// It has no address any more that is believed, and why.
bool is_gone(const View& view, const std::string& host);
std::string reason_gone(const View& view, const std::string& host);

}  // namespace policyc
