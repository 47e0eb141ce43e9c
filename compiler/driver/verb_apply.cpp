// apply: makes the kernel of this node mean what the policy means: verb_apply().
#include <fmt/format.h>

#include "compiler/driver/apply.h"
#include "compiler/driver/changes_report.h"
#include "compiler/driver/neighbours.h"
#include "compiler/driver/state.h"
#include "compiler/driver/unchanged.h"
#include "compiler/timing.h"

namespace policyc {

namespace {

// The fast way, with the words of the slow one.
bool nothing_to_do(const Options& options, World& world, Report& report) {
    const std::unique_ptr<Kernel> kernel = world.kernel();
    const auto tunnel = timed("unchanged", [&] { return known_unchanged(options, world, *kernel); });
    if (!tunnel) return false;
    report.record["node"] = tunnel->node;
    report.record["dry_run"] = false;
    report.record["changed"] = false;
    report_tunnel(*tunnel, world, report);
    report_neighbours(true, *kernel, report);
    report_programs(*tunnel, world, report);
    record_difference({}, report);
    report.data += fmt::format("{}: nothing to change\n", tunnel->node);
    return true;
}

}  // namespace

int verb_apply(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    std::unique_ptr<StateLock> held;
    if (!options.dry_run) {
        Result<std::unique_ptr<StateLock>> locked = lock_state(world.state_dir, apply_patience, report);
        if (!locked) return report.fail(locked.error());
        held = std::move(locked.value());
        if (nothing_to_do(options, world, report)) return 0;
    }
    Witness files(*world.files, world.state_dir);
    World seen = world;
    seen.files = &files;
    const std::optional<Loaded> loaded = load_policy(options.policy, files, report.sources, report.diagnostics);
    if (!loaded) return report.stopped();
    const std::optional<LockFile> lock = load_lock(*loaded, options.lock, false, files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    const Result<std::size_t> node = choose_node(loaded->policy, options, world);
    if (!node) return report.fail(node.error());
    std::optional<Sight> sight;
    const int status = apply_policy(*loaded, *lock, node.value(),
                                    {options.dry_run, options.offline, options.force_lockout}, seen, report, &sight);
    if (sight) timed("keep", [&] { keep_sight(*sight, files, options, world); });
    return status;
}

}  // namespace policyc
