// The changes of a Difference for scripts.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "compiler/access.h"

namespace policyc {

// One record for each person, service, destination and run of ports:
// {change, who, service, sources, destination, port, proto, cause, file, line, reason}, and for a move `was` beside `destination`.
// A line that tells of many people is one record, with all `sources` and the `flows` of each: {destination, port, proto}.
// `port` is "53", "8000-8100", "*", or "" for a ping; `proto` is "tcp", "udp", "ping", or "any" where it is open for all.
nlohmann::ordered_json changes_json(const Changes& changes, const std::string& node);

}  // namespace policyc
