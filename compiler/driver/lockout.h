// Whether an apply would cut the session that it was typed in, or the tunnel that others come through: find_lockout().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/sessions.h"
#include "compiler/access.h"
#include "compiler/follow.h"
#include "compiler/ir.h"
#include "compiler/kernel.h"
#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// What bears on how connection tracking has the packets of sessions.
struct TrackedHow {
    bool picks_up = true;              // picks_up_sessions()
    std::vector<ForeignChain> others;  // of which some rewrite destinations, and some exempt packets from it
};

// What would be cut.
struct Lockout {
    std::optional<Session> session = std::nullopt;    // the caller's; nothing where it is another's tunnel
    std::optional<TunnelFlow> tunnel = std::nullopt;  // what carries it; nothing where it is the session itself
    // Why: no permission has it (`fresh`), or it is what policyc refuses whatever is permitted.
    FirstPacket::State state = FirstPacket::State::fresh;
    std::string by =
        {};  // the chains of other tables that may have made it so: "chain pre of table ip nat"; "" where none is known

    bool under_way = false;  // it may not begin now either, but goes on

    bool operator==(const Lockout&) const = default;
};

// The first of the sessions that passes the table that is there (or has none to pass) and would not pass the one that is wanted, it or its tunnel; else the first of the tunnels. Where
// rules of the former are not known, it is taken to pass. A tunnel passes where its peer may begin it, or this host does. Each is asked as what begins anew, as what is under way, and as what
// connection tracking has it for.
std::optional<Lockout> find_lockout(const std::vector<Session>& sessions, const std::vector<TunnelFlow>& tunnels,
                                    const std::optional<ir::Ruleset>& before, const ir::Ruleset& wanted,
                                    const TrackedHow& how = {});

// Whether the tunnel is the one that the node dials, as far as can be told: to the port of its `peer`, and to its address where the policy has that; of several to that port, none is known to be.
bool is_dialled(const TunnelFlow& tunnel, const std::vector<TunnelFlow>& all, const Policy& policy, const Node& node);

// Of the tunnels, those whose peer may not begin them and this host may: where connection tracking has one as begun by its peer, it has to be forgotten.
std::vector<TunnelFlow> begun_here_only(const std::vector<TunnelFlow>& tunnels, const ir::Ruleset& wanted);

// E0901, at the line of the policy that should have allowed it: the input or the tier's entry by which the `last` policy did, or the node where that is gone, with where it was; where
// no last policy is known or it didn't, the input of that port, else the node; where IPv6 is denied and the flow is of that family, where that is written. `unjudged`: as why_unjudged()
// (compiler/dormant.h) says of the table that is there.
void report_lockout(const Lockout& lockout, const Policy& policy, std::size_t node, const std::string& unjudged,
                    Diagnostics& diagnostics, const std::optional<View>& last = {});

}  // namespace policyc
