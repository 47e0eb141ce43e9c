// diff: who would gain or lose what, against the live kernel or another policy: verb_diff().
#include <fmt/format.h>

#include "compiler/dormant.h"
#include "compiler/driver/changes_report.h"
#include "compiler/driver/neighbours.h"
#include "compiler/driver/past.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/prove.h"
#include "compiler/driver/state.h"
#include "compiler/driver/tunnel.h"
#include "compiler/lower.h"
#include "compiler/timing.h"
#include "policy/excerpt.h"
#include "policy/expect.h"
#include "policy/expiry.h"
#include "policy/unjudged.h"

namespace policyc {

namespace {

// The other policy of --against, as far as diff needs it.
struct Old {
    Loaded loaded;
    Addresses addresses;
    std::size_t node = 0;
};

// Its warnings are no news; its errors are the Report's. Without a lock beside it, it is judged with the addresses of
// the new one.
std::optional<Old> load_old(const std::string& path, const std::string& node, const LockFile& new_lock,
                            const Addresses& hosts, World& world, Report& report) {
    Diagnostics found;
    std::swap(found, report.diagnostics);
    std::optional<Old> old;
    if (std::optional<Loaded> loaded = load_policy(path, *world.files, report.sources, report.diagnostics)) {
        std::optional<LockFile> lock = load_lock(*loaded, {}, false, *world.files, report);
        if (lock && !lock->text && new_lock.text) {
            report.notes.push_back(
                fmt::format("{} is not there: {} is read with the addresses of {}", lock->path, path, new_lock.path));
            lock->lock = new_lock.lock;
        }
        if (lock) {
            old.emplace();
            old->addresses = addresses_of(loaded->policy, lock->lock, hosts, world.now, report.diagnostics);
            old->loaded = std::move(*loaded);
        }
    }
    if (report.error || report.diagnostics.errors() > 0) {
        report.subject = path;
        return {};
    }
    std::swap(found, report.diagnostics);
    const std::vector<Node>& nodes = old->loaded.policy.nodes;
    while (old->node < nodes.size() && nodes[old->node].name != node) ++old->node;
    return old;
}

int finish(const Difference& differs, const Options& options, const std::string& node, const std::string& headline,
           Report& report) {
    report.record["node"] = node;
    report.record["same"] = differs.same;
    report_difference(differs, headline, Tense::would, report);
    if (differs.same) {
        report.data = fmt::format("{}: no difference\n", printable(headline));
        return 0;
    }
    return options.fail_on == "wider" && !differs.widens() ? 0 : 1;
}

}  // namespace

int verb_diff(const Options& options, World& world, Report& report) {
    int status = 0;
    const std::optional<Opened> opened = open_policy(options, world, report, status);
    if (!opened) return status;
    const Policy& policy = opened->loaded.policy;
    const LockFile& lock = opened->lock;
    const std::size_t node = opened->node;
    const std::string& name = policy.nodes[node].name;

    const Addresses hosts = load_hosts(world);
    // What is live was made with the state directory's names too; two files are compared as they are.
    const Lock known = options.against ? lock.lock : known_names(policy, lock, world, report);
    const Addresses addresses =
        timed("names", [&] { return addresses_of(policy, known, hosts, world.now, report.diagnostics); });
    warn_expiry(policy, today(world), report.diagnostics);
    warn_unjudged(policy, addresses, report.diagnostics);
    timed("judge", [&] { judge(policy, addresses, today(world), report.diagnostics, Nameless::waits); });
    if (report.diagnostics.errors() > 0) return report.stopped();
    ir::Ruleset after = timed("lower", [&] { return lower(policy, addresses, node, today(world), world.layout); });
    const View view{&policy, &addresses, &report.sources, node, today(world), &known, world.now, world.layout};

    if (options.against) {
        const std::optional<Old> old = load_old(*options.against, name, lock, hosts, world, report);
        if (!old) return report.error ? 2 : report.stopped();
        const std::string headline = fmt::format("{}: {} against {}", name, options.policy, *options.against);
        // A node that the old policy doesn't have held nothing.
        if (old->node == old->loaded.policy.nodes.size()) {
            report.notes.push_back(fmt::format("{} has no node `{}`: this is compared with a host without a policy",
                                               *options.against, name));
            return finish(difference(std::nullopt, after, view, {}), options, name, headline, report);
        }
        const ir::Ruleset before = lower(old->loaded.policy, old->addresses, old->node, today(world), world.layout);
        const View old_view{.policy = &old->loaded.policy,
                            .addresses = &old->addresses,
                            .sources = &report.sources,
                            .node = old->node,
                            .today = today(world),
                            .layout = world.layout,
                            .ruleset = &before};
        const auto table = before.empty() ? std::optional<ir::Ruleset>() : before;
        Difference differs = difference(table, after, view, Origin{&old_view, &before});
        if (table && !differs.same)
            timed("diagrams", [&] { check_listed(*table, view, &old_view, {}, world, differs); });
        return finish(differs, options, name, headline, report);
    }

    const std::unique_ptr<Kernel> kernel = world.kernel();
    const Result<Snapshot> read = timed("read", [&] { return kernel->read(); });
    if (!read) return report.fail(read.error());
    const std::optional<ir::Ruleset>& before = read.value().ruleset;
    const std::unique_ptr<Past> past = timed("past", [&] { return find_past(before, name, world); });
    const ServerPorts live = add_live_server_ports(table_of(before, past), after, world);
    const Tunnel tunnel = tunnel_of(policy.nodes[node], report.sources);
    report_tunnel(tunnel, world, report);
    if (const auto last = past ? past->policy.nodes[past->view.node].interface : std::nullopt)
        if (const auto open = leaves_open(tunnel, last->value, world)) {
            report.notes.push_back("warning: apply refuses this: " + open->message);
            report.notes.push_back("   = help: " + open->help);
        }
    report_neighbours(!after.empty(), *kernel, report);
    report_programs(tunnel, world, report);
    if (!before && !after.empty())
        report.notes.emplace_back("the kernel has no table inet policyc: nothing is applied");
    Difference differs = timed("difference", [&] { return difference(before, after, view, origin_of(past)); });
    const View* last = past ? &past->view : nullptr;
    if (before && !is_dormant(before) && !differs.same)
        timed("diagrams", [&] { check_listed(*before, view, last, live, world, differs); });
    warn_without_past(before, past, !differs.same, name, world, report);
    const char* dormant = is_dormant(before) ? ", where table inet policyc is dormant" : "";
    return finish(differs, options, name, fmt::format("{}: {} against the kernel{}", name, options.policy, dormant),
                  report);
}

}  // namespace policyc
