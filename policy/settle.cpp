// New answers to entries of the lock; entry point settle().
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "policy/belief.h"
#include "policy/lock.h"
#include "policy/text.h"

namespace policyc {

namespace {

std::string ago(Time then, Time now) {
    const auto seconds = (now - then).count();
    const auto say = [](std::int64_t count, const char* unit) {
        return fmt::format("{} {}{} ago", count, unit, count == 1 ? "" : "s");
    };
    if (seconds < 60) return "just now";
    if (seconds < 3600) return say(seconds / 60, "minute");
    if (seconds < 2 * 86400) return say(seconds / 3600, "hour");
    return say(seconds / 86400, "day");
}

// Whether an answer that is confirmed should get a new date. A lock is made to be committed, so it is not dated anew each time.
bool renewal_due(const Policy& policy, const LockEntry& entry, Time now) {
    if (dated_ahead(entry, now)) return true;
    return policy.resolve.stale_keep && now - entry.resolved >= *policy.resolve.stale_keep / 4;
}

// One name on its way from an answer to an entry of the lock.
class Settler {
public:
    Settler(const Policy& policy, const Lock& before, Time now, bool lenient, Diagnostics& diagnostics)
        : policy_(policy), before_(before), now_(now), lenient_(lenient), diagnostics_(diagnostics) {}

    // The entry that is to be locked, if any.
    std::optional<LockEntry> settle(const NameUse& use, Answer answer) {
        std::sort(answer.addresses.begin(), answer.addresses.end());
        answer.addresses.erase(std::unique(answer.addresses.begin(), answer.addresses.end()), answer.addresses.end());
        const auto found = before_.find(use.name);
        const LockEntry* old = found == before_.end() ? nullptr : &found->second;
        switch (answer.outcome) {
            case Outcome::answered:
                if (!answer.addresses.empty()) return answered(use, answer, old);
                break;
            case Outcome::no_such_name:
            case Outcome::no_address: return empty(use, answer, old);
            case Outcome::timeout:
            case Outcome::server_error: break;
        }
        if (old != nullptr) {
            report_kept(use, answer, *old);
            return *old;
        }
        report_silent(use, answer);
        return std::nullopt;
    }

private:
    [[nodiscard]] Code error_code(Code code) const { return lenient_ ? Code::W0306 : code; }

    static std::string server(const Answer& answer) { return answer.server.empty() ? "the resolver" : answer.server; }

    [[nodiscard]] std::string resolved(const LockEntry& entry) const {
        if (dated_ahead(entry, now_)) return "resolved when a clock was wrong: its date is yet to come";
        return fmt::format("resolved {}", ago(entry.resolved, now_));
    }

    // "the locked 10.69.13.30 stays in force", or what else holds for this name now.
    [[nodiscard]] std::string in_force(const LockEntry* old) const {
        if (old == nullptr) return "nothing is locked for it, so nothing is allowed to it";
        if (old->addresses.empty()) return "it is locked without an address, so nothing is allowed to it";
        if (too_old(policy_, *old, now_))
            return "what is locked is older than `stale.keep` lets it be, so nothing is allowed to it";
        std::vector<Address> good;
        std::copy_if(old->addresses.begin(), old->addresses.end(), std::back_inserter(good),
                     [&](const Address& address) { return believed(policy_, address); });
        if (good.empty()) return "what is locked is outside as well, so nothing is allowed to it";
        return fmt::format("the locked {} {} in force", list_of(good), good.size() == 1 ? "stays" : "stay");
    }

    std::optional<LockEntry> answered(const NameUse& use, const Answer& answer, const LockEntry* old) {
        const std::optional<LockEntry> keep = old == nullptr ? std::nullopt : std::optional(*old);
        if (answer.addresses.size() > max_addresses_per_name) {
            diagnostics_
                .report(error_code(Code::E0304), use.span, too_many_message(use.name),
                        fmt::format("{} answered {} of them{}", server(answer), answer.addresses.size(),
                                    answer.detail.empty() ? "" : ", and " + answer.detail))
                .note(fmt::format("refused, because each of them would be opened; {}", in_force(old)))
                .help(too_many_help);
            return keep;
        }
        const std::vector<Address> outside = unbelieved(policy_, answer.addresses);
        if (!outside.empty()) {
            Diagnostic& diagnostic =
                diagnostics_.report(error_code(Code::E0302), use.span, outside_message(use.name, outside),
                                    fmt::format("{} answered {}", server(answer), list_of(outside)));
            explain_within(policy_, outside, diagnostic);
            if (!answer.cnames.empty()) diagnostic.note(fmt::format("by way of the CNAME {}", few(answer.cnames, 4)));
            diagnostic
                .note(fmt::format("refused, because a changed DNS record would otherwise open the firewall; {}",
                                  in_force(old)))
                .help(help_within(policy_, outside));
            return keep;
        }
        if (old != nullptr && old->addresses == answer.addresses && old->cnames == answer.cnames) {
            if (!renewal_due(policy_, *old, now_)) return keep;
            return LockEntry{old->addresses, old->cnames, old->ttl, now_, {}};
        }
        return LockEntry{answer.addresses, answer.cnames, answer.ttl, now_, {}};
    }

    std::optional<LockEntry> empty(const NameUse& use, const Answer& answer, const LockEntry* old) {
        const bool absent = answer.outcome == Outcome::no_such_name;
        if (old == nullptr) {
            report_never(use, answer, absent);
            return std::nullopt;
        }
        const bool gone = !old->addresses.empty();
        Diagnostic& diagnostic = diagnostics_.report(
            Code::W0308, use.span,
            fmt::format("`{}` {}", use.name,
                        absent ? (gone ? "no longer exists (NXDOMAIN)" : "does not exist (NXDOMAIN)")
                               : (gone ? "no longer has an address" : "has no address")),
            fmt::format("{} {}", server(answer), gone ? "answered so just now" : "still answers so"));
        if (gone) {
            diagnostic.note(fmt::format("{}, {}, is no longer allowed", list_of(old->addresses), resolved(*old)));
        } else {
            diagnostic.note("nothing is allowed to it");
        }
        diagnostic.help("if the host has another name now, change it here; if it is gone, remove what names it");
        if (!gone && old->cnames == answer.cnames && !dated_ahead(*old, now_)) return *old;
        return LockEntry{{}, answer.cnames, answer.ttl, now_, {}};
    }

    void report_never(const NameUse& use, const Answer& answer, bool absent) {
        Diagnostic& diagnostic = diagnostics_.report(
            error_code(absent ? Code::E0301 : Code::E0309), use.span,
            fmt::format("`{}` {}", use.name, absent ? "does not exist (NXDOMAIN)" : "has no address"),
            fmt::format("asked {} just now", server(answer)));
        if (!answer.cnames.empty()) diagnostic.note(fmt::format("it is an alias (CNAME) of {}", few(answer.cnames, 4)));
        const std::string near = searched_++ < most_searched ? nearest_locked(use.name, before_) : std::string{};
        if (!near.empty()) {
            const LockEntry& entry = before_.at(near);
            diagnostic.note(fmt::format("{} has `{}` = {}, {}", policy_.resolve.lock, near, list_of(entry.addresses),
                                        resolved(entry)));
            diagnostic.help(fmt::format("did you mean `{}`?", near));
        } else {
            diagnostic.help(absent ? "correct the name, or add its record on the resolver"
                                   : "add an A (or AAAA) record for it on the resolver, or name its address here");
        }
        const std::string_view what = absent ? "NXDOMAIN" : "this";
        if (policy_.resolve.stale_keep) {
            diagnostic.note(fmt::format(
                "{} is an answer, not an outage: [resolve].stale does not apply to a name that was never locked",
                what));
        } else {
            diagnostic.note(fmt::format("{} is an answer, not an outage: {}", what, in_force(nullptr)));
        }
    }

    void report_kept(const NameUse& use, const Answer& answer, const LockEntry& old) {
        diagnostics_
            .report(Code::W0307, use.span,
                    fmt::format("`{}` was not answered; what it last resolved to is kept", use.name), why(answer))
            .note(fmt::format("{}, {}", in_force(&old), resolved(old)));
    }

    void report_silent(const NameUse& use, const Answer& answer) {
        diagnostics_
            .report(error_code(Code::E0303), use.span, fmt::format("`{}` was not answered", use.name), why(answer))
            .note(in_force(nullptr))
            .help("see that the servers of [resolve] can be reached from here, then run `policyc resolve` again");
    }

    static std::string why(const Answer& answer) {
        if (!answer.detail.empty()) return answer.detail;
        return answer.outcome == Outcome::timeout ? fmt::format("no reply from {}", server(answer))
                                                  : fmt::format("{} failed to answer", server(answer));
    }

    const Policy& policy_;
    const Lock& before_;
    Time now_;
    bool lenient_;
    Diagnostics& diagnostics_;
    std::size_t searched_ = 0;
};

}  // namespace

Settled settle(const Policy& policy, const Lock& before, const std::map<std::string, Answer>& answers, Time now,
               bool lenient, Diagnostics& diagnostics) {
    Settled out;
    Settler settler(policy, before, now, lenient, diagnostics);
    for (const NameUse& use : names_of(policy)) {
        const auto answer = answers.find(use.name);
        const auto old = before.find(use.name);
        std::optional<LockEntry> entry;
        if (answer != answers.end()) {
            entry = settler.settle(use, answer->second);
        } else if (old != before.end()) {
            entry = old->second;
        }
        if (!entry) continue;
        const bool same =
            old != before.end() && old->second.addresses == entry->addresses && old->second.cnames == entry->cnames;
        if (!same) out.changed.push_back(use.name);
        out.lock.emplace(use.name, std::move(*entry));
    }
    for (const auto& [name, entry] : before)
        if (!out.lock.contains(name)) out.dropped.push_back(name);
    return out;
}

}  // namespace policyc
