// compile: prints the ruleset of a node, and needs neither network nor kernel: verb_compile().
#include <fmt/format.h>

#include "backends/json.h"
#include "backends/text.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/print_ir.h"
#include "compiler/driver/prove.h"
#include "compiler/lower.h"
#include "compiler/timing.h"
#include "policy/expect.h"

namespace policyc {

int verb_compile(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics);
    if (!loaded) return report.stopped();
    const std::optional<LockFile> lock = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    const Result<std::size_t> node = choose_node(loaded->policy, options, world);
    if (!node) return report.fail(node.error());
    const Node& chosen = loaded->policy.nodes[node.value()];
    report.record["node"] = chosen.name;

    const Addresses addresses = timed("names", [&] {
        return addresses_of(loaded->policy, lock->lock, load_hosts(world), world.now, report.diagnostics);
    });
    warn_unused(loaded->policy, lock->lock, report.diagnostics);
    timed("judge", [&] { judge(loaded->policy, addresses, today(world), report.diagnostics); });
    if (report.diagnostics.errors() > 0) return report.stopped();

    const ir::Ruleset ruleset =
        timed("lower", [&] { return lower(loaded->policy, addresses, node.value(), today(world), world.layout); });
    if (const Result<void> proven = prove_compiled(loaded->policy, addresses, node.value(), ruleset, {}, world);
        !proven)
        return report.fail(proven.error());
    if (chosen.scope == Scope::none) {
        report.notes.push_back(fmt::format(
            "{}: scope is \"none\": there is nothing to judge here, and the ruleset is empty", chosen.name));
    }
    report.record["to"] = options.to;
    if (options.to == "json") {
        report.data = to_json(ruleset);
        if (options.json()) report.record["ruleset"] = nlohmann::ordered_json::parse(report.data);
    } else {
        report.data = options.to == "ir" ? print_ir(ruleset, report.sources) : to_nft(ruleset, &report.sources);
        if (options.json()) report.record["ruleset"] = report.data;
    }
    if (!report.data.ends_with('\n')) report.data += '\n';
    return 0;
}

}  // namespace policyc
