// resolve: asks DNS for the names of a policy, says what changed and writes the lock: verb_resolve().
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "compiler/driver/apply.h"
#include "compiler/driver/folder_lock.h"
#include "compiler/driver/state.h"
#include "policy/excerpt.h"
#include "policy/expect.h"

namespace policyc {

namespace {

nlohmann::ordered_json addresses_json(const Lock& lock, const std::string& name) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    const auto entry = lock.find(name);
    if (entry == lock.end()) return nullptr;
    for (const Address& address : entry->second.addresses) list.push_back(to_string(address));
    return list;
}

bool silent(const Answer& answer) {
    switch (answer.outcome) {
        case Outcome::timeout:
        case Outcome::server_error: return true;
        case Outcome::answered: return answer.addresses.empty();
        case Outcome::no_such_name:
        case Outcome::no_address: return false;
    }
    return false;
}

// "3 names: 1 changed, 1 as before, 1 without an answer"
void report_counts(const Settled& settled, const std::map<std::string, Answer>& answers, Report& report) {
    const std::set<std::string> changed(settled.changed.begin(), settled.changed.end());
    std::size_t unknown = 0;
    auto& unanswered = report.record["unanswered"] = nlohmann::ordered_json::array();
    for (const auto& [name, answer] : answers) {
        if (changed.contains(name)) continue;
        if (silent(answer))
            unanswered.push_back(name);
        else if (!settled.lock.contains(name))
            ++unknown;
    }
    const std::size_t others = changed.size() + unanswered.size() + unknown;
    report.record["names"] = answers.size();
    report.data += fmt::format("{}: {} changed, {} as before", count_of(answers.size(), "name"), changed.size(),
                               answers.size() - std::min(answers.size(), others));
    if (!unanswered.empty()) report.data += fmt::format(", {} without an answer", unanswered.size());
    if (unknown > 0) report.data += fmt::format(", {} without an address", unknown);
    report.data += "\n";
}

void report_changes(const Lock& before, const Settled& settled, Report& report) {
    std::size_t width = 0;
    for (const std::string& name : settled.changed) width = std::max(width, name.size());
    for (const std::string& name : settled.dropped) width = std::max(width, name.size());
    auto& changed = report.record["changed"] = nlohmann::ordered_json::array();
    for (const std::string& name : settled.changed) {
        const std::string now = addresses_text(settled.lock, name);
        const std::string old = addresses_text(before, name);
        const std::string what = old == now              ? now + "  (as before, by other CNAMEs)"
                                 : before.contains(name) ? fmt::format("{} -> {}", old, now)
                                                         : now;
        report.data += fmt::format("{:<{}}  {}\n", name, width, what);
        changed.push_back(
            {{"name", name}, {"before", addresses_json(before, name)}, {"after", addresses_json(settled.lock, name)}});
    }
    for (const std::string& name : settled.dropped) {
        report.data += fmt::format("{:<{}}  dropped: the policy has no such name\n", name, width);
    }
    report.record["dropped"] = settled.dropped;
}

// Writes the lock when it differs. Where the state directory's names were settled too, these are left out from then on; or where the
// lock can't be written, they are what is written.
Result<void> save(const LockFile& lock, const Lock& settled, bool with_state, World& world, Report& report) {
    const std::string text = write_lock(settled);
    const auto drop_others = [&] { return with_state ? drop_state_names(world) : Result<void>(); };
    report.record["lock"] = lock.path;
    report.record["written"] = false;
    if (lock.text ? *lock.text == text : settled.empty()) return drop_others();
    Result<void> written = world.files->write(lock.path, text, 0644);
    if (written) {
        report.record["written"] = true;
        report.data += fmt::format("{} written\n", printable(lock.path));
        report.done = fmt::format("{} is written", lock.path);
        return drop_others();
    }
    if (!with_state) return written;
    const std::string path = state_names_path(world);
    const Result<std::string> kept = world.files->read(path, max_policy_bytes);
    if (kept && kept.value() == text) return {};
    if (Result<void> aside = world.files->write(path, text, 0600); !aside) return aside;
    report.notes.push_back(fmt::format("{} can't be written: the addresses are kept in {}", lock.path, path));
    return {};
}

// Whether the tests of the policy hold with these addresses.
bool holds(const Policy& policy, const Lock& lock, const World& world, Report& report) {
    Diagnostics aside;
    const Addresses addresses = addresses_of(policy, lock, load_hosts(world), world.now, aside);
    const std::size_t before = report.diagnostics.errors();
    judge(policy, addresses, today(world), report.diagnostics, Nameless::waits);
    return report.diagnostics.errors() == before;
}

}  // namespace

int verb_resolve(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    std::unique_ptr<StateLock> held;
    if (options.apply) {
        Result<std::unique_ptr<StateLock>> locked = lock_state(world.state_dir, apply_patience, report);
        if (!locked) return report.fail(locked.error());
        held = std::move(locked.value());
    }
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics);
    if (!loaded) return report.stopped();
    std::optional<LockFile> lock = load_lock(*loaded, options.lock, true, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    std::size_t node = 0;
    if (options.apply) {
        const Result<std::size_t> chosen = choose_node(loaded->policy, options, world);
        if (!chosen) return report.fail(chosen.error());
        node = chosen.value();
        // Whoever may not program the kernel writes nothing either.
        if (const Result<Moment> now = world.kernel()->moment(); !now) return report.fail(now.error());
    }

    std::vector<std::string> names;
    for (const NameUse& use : names_of(loaded->policy)) names.push_back(use.name);
    if (!names.empty()) report.progress(fmt::format("asking for {}", count_of(names.size(), "name")));
    const std::map<std::string, Answer> answers = ask(loaded->policy, names, world);

    // Asking takes time, and another run may have written meanwhile: the lock is read again, and held while it is changed.
    Result<std::unique_ptr<FolderLock>> folder = lock_folder_of(lock->path);
    if (!folder) return report.fail(folder.error());
    lock = load_lock(*loaded, options.lock, true, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    warn_dated_ahead(loaded->policy, lock->lock, lock->path, world, report);
    Lock before = lock->lock;
    if (options.apply) {
        const Lock kept = load_state_names(world, report);
        warn_dated_ahead(loaded->policy, kept, state_names_path(world), world, report);
        before = join(before, kept, world.now);
    }
    const Settled settled = settle(loaded->policy, before, answers, world.now, false, report.diagnostics);
    report_changes(before, settled, report);
    report_counts(settled, answers, report);

    // A lock that the next apply would refuse is not written.
    if (options.apply && !holds(loaded->policy, settled.lock, world, report)) {
        report.notes.push_back(fmt::format("{} and the kernel are left as they were", lock->path));
        return report.stopped();
    }
    // The names that were had are kept, whatever became of the others.
    if (const Result<void> saved = save(*lock, settled.lock, options.apply, world, report); !saved)
        return report.fail(saved.error());
    folder.value().reset();
    const int status = report.diagnostics.errors() > 0 ? 1 : 0;
    if (!options.apply) return status;
    lock->lock = settled.lock;
    // In a record of resolve, `changed` lists names; what apply says of the ruleset stands beside it.
    const auto names_changed = std::exchange(report.record["changed"], false);
    const int applied = apply_policy(*loaded, *lock, node, {.dry_run = false, .offline = true}, world, report);
    report.record["applied"] = std::exchange(report.record["changed"], names_changed);
    return std::max(status, applied);
}

}  // namespace policyc
