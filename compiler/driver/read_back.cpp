// Holds what the kernel has against what was sent, and puts one or the other right: read_back().
#include "compiler/driver/read_back.h"

#include <fmt/format.h>

#include <utility>

#include "compiler/driver/state.h"
#include "compiler/timing.h"

namespace policyc {

namespace {

bool can_put_back(const std::optional<ir::Ruleset>& ruleset) {
    if (!ruleset) return true;
    if (!ruleset->foreign.empty()) return false;
    return same(*ruleset, *ruleset);  // an Unknown is not equal even to itself
}

Result<void> put_back(const ir::Ruleset& before, Kernel& kernel) {
    for (int i = 0; i < most_attempts; ++i) {
        const Result<Snapshot> now = kernel.read();
        if (!now) return now.error();
        const Result<Kernel::Commit> done = kernel.commit(now.value(), before, {});
        if (!done) return done.error();
        if (!done.value().stale) return {};
    }
    return overtaken();
}

// The kernel took the transaction and yet means something else: what was there before is put back.
int undo(const std::string& what, const std::optional<ir::Ruleset>& before, Kernel& kernel, World& world,
         Report& report) {
    drop_applied(world);
    std::string message = fmt::format("internal error: {}", what);
    if (!can_put_back(before)) {
        return report.fail({message,
                            "what was there before held things that policyc does not write, so it was not put back; "
                            "see `policyc diff`"});
    }
    const Result<void> restored = put_back(before.value_or(ir::Ruleset{}), kernel);
    if (!restored)
        return report.fail({message + "; putting back what was there before failed: " + restored.error().message,
                            restored.error().help});
    return report.fail(
        {message, "what was there before is in force again; this is a mistake in policyc, please report it"});
}

// What others did to what was sent can't be put right, and is not undone either.
Error changed_since(const ir::Ruleset& wanted, const std::string& why, const std::string& help) {
    return {fmt::format("{}, but other programs changed {} since: {}",
                        wanted.empty() ? "table inet policyc was removed" : "the new ruleset was in force",
                        wanted.empty() ? "that" : "it", why),
            help};
}

}  // namespace

Error overtaken() {
    return {fmt::format("other programs changed the rulesets of this host {} times meanwhile", most_attempts),
            "`nft monitor` shows who does; run this again when it is quiet"};
}

ReadBack read_back(Kernel::Commit last, const ir::Ruleset& wanted, const std::optional<ir::Ruleset>& before,
                   const Send& send, Kernel& kernel, World& world, Report& report) {
    ReadBack out;
    const auto undone = [&](const std::string& what) {
        undo(what, before, kernel, world, report);
        out.undone = true;
        return out;
    };
    std::optional<Error> unread;
    for (int i = 0; i < most_attempts; ++i) {
        Result<Snapshot> now = timed("read-back", [&] { return kernel.read(); });
        if (!now) {
            const Result<Moment> moment = kernel.moment();
            if (!moment || last.is_last(moment.value()))
                return undone("the new ruleset can't be read back: " + now.error().message);
            unread = changed_since(wanted, now.error().message, now.error().help);
            continue;
        }
        unread.reset();
        const std::optional<ir::Ruleset>& held = now.value().ruleset;
        if (wanted.empty() ? !held : held && same(*held, wanted)) {
            out.held = std::move(now.value());
            return out;
        }
        if (last.is_last(now.value().moment)) return undone("the kernel holds something else than what was sent");
        const Result<Kernel::Commit> sent = send(now.value());
        if (!sent) {
            out.changed = changed_since(wanted, sent.error().message, sent.error().help);
            return out;
        }
        if (sent.value().stale) continue;
        last = sent.value();
        ++out.put_right;
    }
    out.changed = unread ? unread
                         : changed_since(wanted, fmt::format("{} times, whenever it was put right", most_attempts),
                                         "`nft monitor` shows who does; run this again when it is quiet");
    return out;
}

}  // namespace policyc
