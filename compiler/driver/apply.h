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

// The numbers of counters that both have, by name and by rule, from one Ruleset into another: they count on over an
// apply, whatever stands between the rules.
void carry_counters(const ir::Ruleset& from, ir::Ruleset& to);

// What is left of the life of each timed element that both have: one that has to be made anew goes when it would have gone.
void carry_lives(const ir::Ruleset& from, ir::Ruleset& to);

}  // namespace policyc
