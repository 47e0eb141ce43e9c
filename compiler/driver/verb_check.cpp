// check: reads, checks and judges a policy, and needs neither network nor kernel: verb_check().
#include <fmt/format.h>

#include "compiler/driver/pipeline.h"
#include "compiler/driver/prove.h"
#include "compiler/lower.h"
#include "compiler/timing.h"
#include "policy/excerpt.h"
#include "policy/expect.h"
#include "policy/expiry.h"
#include "policy/unjudged.h"

namespace policyc {

int verb_check(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    report.record["ok"] = false;
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics);
    if (!loaded) return report.stopped();
    const std::optional<LockFile> lock = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    const Policy& policy = loaded->policy;
    if (options.node) {
        const Result<std::size_t> node = choose_node(policy, options, world);
        if (!node) return report.fail(node.error());
    }
    const Addresses addresses = addresses_of(policy, lock->lock, load_hosts(world), world.now, report.diagnostics);
    warn_unused(policy, lock->lock, report.diagnostics);
    warn_expiry(policy, today(world), report.diagnostics);
    warn_unjudged(policy, addresses, report.diagnostics);
    judge(policy, addresses, today(world), report.diagnostics);
    if (report.diagnostics.errors() > 0) return report.stopped();
    if (const Result<void> proven = prove_expected(policy, addresses, world); !proven)
        return report.fail(proven.error());
    for (std::size_t node = 0; node < policy.nodes.size(); ++node) {
        if (policy.nodes[node].scope == Scope::none || !policy.nodes[node].interface) continue;
        const ir::Ruleset ruleset =
            timed("lower", [&] { return lower(policy, addresses, node, today(world), world.layout); });
        if (const Result<void> proven = prove_compiled(policy, addresses, node, ruleset, {}, world); !proven)
            return report.fail(proven.error());
    }

    report.data = fmt::format("{}: {}, {}, {}, {} passed\n", printable(loaded->path),
                              count_of(policy.nodes.size(), "node"), count_of(policy.services.size(), "service"),
                              count_of(policy.tiers.size(), "tier"), count_of(policy.tests.size(), "test"));
    report.record["ok"] = true;
    report.record["nodes"] = policy.nodes.size();
    report.record["services"] = policy.services.size();
    report.record["tiers"] = policy.tiers.size();
    report.record["tests"] = policy.tests.size();
    return 0;
}

}  // namespace policyc
