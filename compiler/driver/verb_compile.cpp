// compile: prints the ruleset of a node, and needs neither network nor kernel: verb_compile().
#include <fmt/format.h>

#include "backends/json.h"
#include "backends/read_written.h"
#include "backends/text.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/print_ir.h"
#include "compiler/driver/prove.h"
#include "compiler/lower.h"
#include "compiler/timing.h"
#include "policy/expect.h"
#include "policy/expiry.h"
#include "policy/unjudged.h"

namespace policyc {

int verb_compile(const Options& options, World& world, Report& report) {
    int status = 0;
    const std::optional<Opened> opened = open_policy(options, world, report, status);
    if (!opened) return status;
    const Policy& policy = opened->loaded.policy;
    const LockFile& lock = opened->lock;
    const std::size_t node = opened->node;
    const Node& chosen = policy.nodes[node];
    report.record["node"] = chosen.name;

    const Addresses addresses = timed(
        "names", [&] { return addresses_of(policy, lock.lock, load_hosts(world), world.now, report.diagnostics); });
    warn_unused(policy, lock.lock, report.diagnostics);
    warn_expiry(policy, today(world), report.diagnostics);
    warn_unjudged(policy, addresses, report.diagnostics);
    timed("judge", [&] { judge(policy, addresses, today(world), report.diagnostics); });
    if (report.diagnostics.errors() > 0) return report.stopped();
    if (const Result<void> proven = prove_expected(policy, addresses, world); !proven)
        return report.fail(proven.error());

    ir::Ruleset ruleset = timed("lower", [&] { return lower(policy, addresses, node, today(world), world.layout); });
    // What nft is to read is proved as it is read; what is for people, as what it is written from.
    std::string text = timed("write", [&] {
        if (options.to == "json") return to_json(ruleset);
        return options.to == "ir" ? print_ir(ruleset, report.sources) : to_nft(ruleset, &report.sources);
    });
    if (options.to != "ir") {
        Result<ir::Ruleset> read = timed("read_written", [&] {
            return options.to == "json" ? read_back_json(text, ruleset) : read_back_text(text, ruleset);
        });
        if (!read) return report.fail(read.error());
        ruleset = std::move(read.value());
    }
    if (const Result<void> proven = prove_compiled(policy, addresses, node, ruleset, {}, world); !proven)
        return report.fail(proven.error());
    if (chosen.scope == Scope::none) {
        report.notes.push_back(fmt::format(
            "{}: scope is \"none\": there is nothing to judge here, and the ruleset is empty", chosen.name));
    }
    report.record["to"] = options.to;
    report.data = std::move(text);
    if (options.json()) {
        report.record["ruleset"] = report.data;
        if (options.to == "json") report.record["ruleset"] = nlohmann::ordered_json::parse(report.data);
    }
    if (!report.data.ends_with('\n')) report.data += '\n';
    return 0;
}

}  // namespace policyc
