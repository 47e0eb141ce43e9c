// apply: makes the kernel of this node mean what the policy means: verb_apply().
#include "compiler/driver/apply.h"
#include "compiler/driver/state.h"

namespace policyc {

int verb_apply(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    std::unique_ptr<StateLock> held;
    if (!options.dry_run) {
        Result<std::unique_ptr<StateLock>> locked = lock_state(world.state_dir, apply_patience, report);
        if (!locked) return report.fail(locked.error());
        held = std::move(locked.value());
    }
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics);
    if (!loaded) return report.stopped();
    const std::optional<LockFile> lock = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    const Result<std::size_t> node = choose_node(loaded->policy, options, world);
    if (!node) return report.fail(node.error());
    return apply_policy(*loaded, *lock, node.value(), {options.dry_run, options.offline}, world, report);
}

}  // namespace policyc
