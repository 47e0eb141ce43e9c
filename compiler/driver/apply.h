// From a policy whose names are known to a kernel that means it: what `apply` and `resolve --apply` share.
#pragma once

#include "compiler/driver/pipeline.h"
#include "compiler/driver/unchanged.h"

namespace policyc {

struct ApplyOptions {
    bool dry_run = false;
    bool offline = false;
    bool force_lockout = false;  // even where it cuts the session it was typed in
};

// Everything after the policy and its lock were read. The caller holds the lock of the state directory, unless this is
// a dry run. Returns the exit status. `sight` is set where the next apply may take the fast way.
int apply_policy(const Loaded& loaded, const LockFile& lock, std::size_t node, const ApplyOptions& how, World& world,
                 Report& report, std::optional<Sight>* sight = nullptr);

// How long to wait for another policyc.
inline constexpr std::chrono::milliseconds apply_patience{10000};

// The numbers of counters that both have, by name and by place, from one Ruleset into another: they count on over an
// apply.
void carry_counters(const ir::Ruleset& from, ir::Ruleset& to);

}  // namespace policyc
