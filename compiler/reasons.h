// Why something came or went that no line shows, in a few words.
#pragma once

#include <string>
#include <string_view>

#include "compiler/access.h"

namespace policyc {

// The name got another answer.
std::string reason_of_answer(const View& view, const std::string& host);

// It has no address any more that is believed, and why.
bool is_gone(const View& view, const std::string& host);
std::string reason_gone(const View& view, const std::string& host);

// What a tier of that name waits for now, "" where it is in force or isn't there. `holder`: "tiers.vpn".
std::string_view reason_asleep(const View& view, std::string_view holder);

}  // namespace policyc
