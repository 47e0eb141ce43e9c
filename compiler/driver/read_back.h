// What the kernel holds after a transaction, and what is done when it isn't what was sent: read_back().
#pragma once

#include <functional>
#include <optional>

#include "compiler/driver/report.h"
#include "compiler/driver/world.h"
#include "compiler/ir.h"
#include "compiler/kernel.h"

namespace policyc {

// How often a transaction is tried that others overtake.
inline constexpr int most_attempts = 20;

// That they did so that often.
Error overtaken();

struct ReadBack {
    std::optional<Snapshot> held;  // what was sent; nothing where it can't be had
    int put_right = 0;             // how often others had changed it and it was sent again
    // Without `held`. What was sent was in force and others changed it since, for good.
    std::optional<Error> changed;
    // What it was before is in force again, or should be: the report has the error.
    bool undone = false;
};

// Puts the table as it should be onto a snapshot.
using Send = std::function<Result<Kernel::Commit>(const Snapshot&)>;

// After `last`, the first transaction of this run, the table should be as `wanted` says. Where it is another, and others wrote since, it is sent again: what is in between is not this run's
// doing, and what was there before it must not come back. Where nobody wrote since, the kernel took one thing and holds another, and is given back `before`: what it held before this run.
ReadBack read_back(Kernel::Commit last, const ir::Ruleset& wanted, const std::optional<ir::Ruleset>& before,
                   const Send& send, Kernel& kernel, World& world, Report& report);

}  // namespace policyc
