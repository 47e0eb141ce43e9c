// Whether an apply would cut the session that it was typed in: find_lockout().
#pragma once

#include <optional>
#include <vector>

#include "backends/sessions.h"
#include "compiler/ir.h"
#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// The first of the sessions that passes the table that is there (or has none to pass) and would not pass the one that is wanted. Where rules of the former are not known, it is
// taken to pass.
std::optional<Session> find_lockout(const std::vector<Session>& sessions, const std::optional<ir::Ruleset>& before,
                                    const ir::Ruleset& wanted);

// E0901, at the line of the policy that should have allowed it: the input of that port, else the node. `live`: "the live ruleset", "no ruleset yet".
void report_lockout(const Session& session, const Node& node, bool first, Diagnostics& diagnostics);

}  // namespace policyc
