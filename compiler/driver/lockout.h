// Whether an apply would cut the session that it was typed in: find_lockout().
#pragma once

#include <optional>
#include <vector>

#include "backends/sessions.h"
#include "compiler/ir.h"
#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// What of a session would be cut.
struct Lockout {
    Session session;
    bool by_tunnel = false;  // what carries its tunnel; else the session itself

    bool operator==(const Lockout&) const = default;
};

// The first of the sessions that passes the table that is there (or has none to pass) and would not pass the one that is wanted, it or its tunnel. Where rules of the former are
// not known, it is taken to pass. A tunnel passes where its peer may begin it, or this host does.
std::optional<Lockout> find_lockout(const std::vector<Session>& sessions, const std::optional<ir::Ruleset>& before,
                                    const ir::Ruleset& wanted);

// E0901, at the line of the policy that should have allowed it: the input of that port, else the node. `first`: there is no table yet.
void report_lockout(const Lockout& lockout, const Node& node, bool first, Diagnostics& diagnostics);

}  // namespace policyc
