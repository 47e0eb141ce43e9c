// Which names a policy uses and which addresses it may believe: names_of(), addresses_of(), settle().
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "policy/families.h"
#include "policy/lock.h"

namespace policyc {

namespace {

// ---- words ---------------------------------------------------------------------------------------------------------

std::string list(const std::vector<std::string>& items, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < items.size() && i < most; ++i) out += (i == 0 ? "" : ", ") + items[i];
    if (items.size() > most) out += fmt::format(" and {} more", items.size() - most);
    return out;
}

template <typename T>
std::string list_of(const std::vector<T>& values, std::size_t most = 4) {
    std::vector<std::string> items;
    for (const T& value : values) items.push_back(to_string(value));
    return list(items, most);
}

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

// An age, or a time that is kept: "7 days".
std::string long_text(Seconds time) {
    const auto say = [](std::int64_t count, const char* unit) {
        return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
    };
    const std::int64_t seconds = time.count();
    if (seconds < 120) return say(seconds, "second");
    if (seconds < 2 * 3600) return say(seconds / 60, "minute");
    if (seconds < 2 * 86400) return say(seconds / 3600, "hour");
    return say(seconds / 86400, "day");
}

// ---- what is believed ----------------------------------------------------------------------------------------------

// Addresses that no host of a network can have: unspecified, loopback, multicast, broadcast (RFC 6890).
bool no_host(const Address& address) {
    if (address.family == Family::ipv4) {
        const auto first = static_cast<unsigned>(address.bits >> 24U);
        return first == 0 || first == 127 || first >= 240 || (first >= 224 && first < 240);
    }
    return address.bits <= 1 || (address.bits >> 120U) == 0xFF;
}

// Under ipv6 = "deny" an IPv6 address opens nothing, wherever it is.
bool denied_family(const Policy& policy, const Address& address) {
    return policy.ipv6 == Ipv6::deny && address.family == Family::ipv6;
}

bool believed(const Policy& policy, const Address& address) {
    if (denied_family(policy, address)) return true;
    if (no_host(address)) return false;
    return std::any_of(policy.resolve.within.begin(), policy.resolve.within.end(),
                       [&](const Range& range) { return range.holds(range_of(address)); });
}

bool too_old(const Policy& policy, const LockEntry& entry, Time now) {
    return policy.resolve.stale_keep && now - entry.resolved > *policy.resolve.stale_keep;
}

// Whether an answer that is confirmed should get a new date. A lock is made to be committed, so it is not dated anew each time; one with a
// date that is yet to come was written by a wrong clock.
bool renewal_due(const Policy& policy, const LockEntry& entry, Time now) {
    return policy.resolve.stale_keep &&
           (entry.resolved > now || now - entry.resolved >= *policy.resolve.stale_keep / 4);
}

std::vector<Address> unbelieved(const Policy& policy, const std::vector<Address>& addresses) {
    std::vector<Address> out;
    std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(out),
                 [&](const Address& address) { return !believed(policy, address); });
    return out;
}

std::vector<Address> of_family(const std::vector<Address>& addresses, Family family) {
    std::vector<Address> out;
    std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(out),
                 [&](const Address& address) { return address.family == family; });
    return out;
}

// The second half of every message about an answer outside `within`.
void explain_within(const Policy& policy, const std::vector<Address>& outside, Diagnostic& diagnostic) {
    if (std::all_of(outside.begin(), outside.end(), no_host)) return;
    const std::string ranges = list_of(policy.resolve.within);
    if (policy.resolve.within_span.valid()) {
        diagnostic.also(policy.resolve.within_span, ranges.empty()
                                                        ? std::string("no answer is believed")
                                                        : fmt::format("only answers in {} are believed", ranges));
    } else if (ranges.empty()) {
        diagnostic.note("`within` is not set and means all of [networks], which are none: no answer is believed");
    } else {
        diagnostic.note(fmt::format("`within` is not set and means all of [networks]: {}", ranges));
    }
}

std::string outside_message(const std::string& name, const std::vector<Address>& outside) {
    if (std::all_of(outside.begin(), outside.end(), no_host)) {
        return fmt::format("`{}` resolves to {}, which is no host's address", name, list_of(outside));
    }
    return fmt::format("`{}` resolves outside [resolve].within", name);
}

std::string too_many_message(const std::string& name) {
    return fmt::format("`{}` has more than {} addresses", name, max_addresses_per_name);
}

constexpr const char* too_many_help =
    "give the service a host name of its own, or name its network instead: \"NETWORK:PORT\"";

std::string help_within(const Policy& policy) {
    if (policy.resolve.within.empty())
        return "write within = [\"NETWORK\", ...] below [resolve]: the networks that the policy's hosts are in";
    return "if this move is meant, add the new network to [networks] and to `within`";
}

// ---- names ----------------------------------------------------------------------------------------------------------

// For how many names that nobody knows a near one is looked for.
constexpr std::size_t most_searched = 20;

// Looks for a name that may have been meant among those that are locked; a search over very many is not worth its time.
std::string nearest_locked(const std::string& name, const Lock& lock) {
    if (lock.size() > 10'000) return {};
    std::vector<std::string> known;
    for (const auto& [locked, entry] : lock) {
        if (!entry.addresses.empty() && locked != name) known.push_back(locked);
    }
    return nearest(name, known);
}

void take_host(const Host& host, Span span, std::map<std::string, Span>& found) {
    if (const auto* name = std::get_if<HostName>(&host)) found.emplace(name->name, span);
}

void take_targets(const std::vector<Target>& targets, std::map<std::string, Span>& found) {
    for (const Target& target : targets) {
        take_host(target.host, target.definition.valid() ? target.definition : target.span, found);
    }
}

// ---- settle ------------------------------------------------------------------------------------------------------------

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
            if (!answer.cnames.empty()) diagnostic.note(fmt::format("by way of the CNAME {}", list(answer.cnames, 4)));
            diagnostic
                .note(fmt::format("refused, because a changed DNS record would otherwise open the firewall; {}",
                                  in_force(old)))
                .help(help_within(policy_));
            return keep;
        }
        if (old != nullptr && old->addresses == answer.addresses && old->cnames == answer.cnames) {
            if (!renewal_due(policy_, *old, now_)) return keep;
            return LockEntry{old->addresses, old->cnames, old->ttl, now_};
        }
        return LockEntry{answer.addresses, answer.cnames, answer.ttl, now_};
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
        if (!gone && old->cnames == answer.cnames) return *old;
        return LockEntry{{}, answer.cnames, answer.ttl, now_};
    }

    void report_never(const NameUse& use, const Answer& answer, bool absent) {
        Diagnostic& diagnostic = diagnostics_.report(
            error_code(absent ? Code::E0301 : Code::E0309), use.span,
            fmt::format("`{}` {}", use.name, absent ? "does not exist (NXDOMAIN)" : "has no address"),
            fmt::format("asked {} just now", server(answer)));
        if (!answer.cnames.empty())
            diagnostic.note(fmt::format("it is an alias (CNAME) of {}", list(answer.cnames, 4)));
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

// ---- addresses_of --------------------------------------------------------------------------------------------------------

// The names that settle() has told about already: that they are not locked either is no news.
std::set<Span> unsettled(const Diagnostics& diagnostics) {
    constexpr std::array codes{Code::E0301, Code::E0302, Code::E0303, Code::E0304, Code::E0309, Code::W0306};
    std::set<Span> spans;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
        if (std::ranges::find(codes, diagnostic.code) != codes.end()) spans.insert(diagnostic.primary.span);
    }
    return spans;
}

void warn_ipv6(const Policy& policy, const NameUse& use, const std::vector<Address>& addresses,
               Diagnostics& diagnostics) {
    const std::vector<Address> six = of_family(addresses, Family::ipv6);
    const std::vector<Address> four = of_family(addresses, Family::ipv4);
    if (policy.ipv6 != Ipv6::deny || six.empty()) return;
    Diagnostic& diagnostic =
        four.empty()
            ? diagnostics.report(Code::W0601, use.span,
                                 fmt::format("`{}` has only an IPv6 address, which this policy denies", use.name),
                                 fmt::format("AAAA {}, no A", list_of(six)))
            : diagnostics.report(Code::W0601, use.span,
                                 fmt::format("`{}` also has an IPv6 address, which this policy denies", use.name),
                                 fmt::format("AAAA {}, A {}", list_of(six), list_of(four)));
    if (policy.ipv6_span.valid()) {
        diagnostic.also(policy.ipv6_span, "IPv6 is denied everywhere");
    } else {
        diagnostic.note("`ipv6` is not set and means \"deny\"");
    }
    if (four.empty()) {
        diagnostic.note("nothing is allowed to it");
        diagnostic.help(
            "set ipv6 = \"dual\" and give the tunnel an IPv6 range, or add an A record on the internal resolver");
        return;
    }
    diagnostic.note(fmt::format("clients that prefer IPv6 try {} first and wait for a timeout before they use {}",
                                to_string(six.front()), to_string(four.front())));
    diagnostic.help(
        "set ipv6 = \"dual\" and give the tunnel an IPv6 range, or drop the AAAA record on the internal resolver");
}

void report_too_old(const Policy& policy, const NameUse& use, const LockEntry& entry, Time now,
                    Diagnostics& diagnostics) {
    const auto service = std::find_if(policy.services.begin(), policy.services.end(), [&](const Service& one) {
        const auto* name = std::get_if<HostName>(&one.host);
        return name != nullptr && name->name == use.name;
    });
    const std::string who = service == policy.services.end() ? use.name : service->name;
    diagnostics
        .report(Code::W0315, use.span,
                fmt::format("`{}` is closed: what {} has for `{}` is too old", who, policy.resolve.lock, use.name),
                fmt::format("last confirmed {} ago, so nothing is allowed to it",
                            long_text(std::chrono::duration_cast<Seconds>(now - entry.resolved))))
        .also(policy.resolve.stale_span, fmt::format("holds for {}", long_text(*policy.resolve.stale_keep)))
        .help("run `policyc resolve`: an answer opens it again; while the resolver is down, only a longer `keep` does");
}

}  // namespace

std::vector<NameUse> names_of(const Policy& policy) {
    std::map<std::string, Span> found;
    std::map<std::string, Span> services;
    for (const Service& service : policy.services) {
        if (const auto* name = std::get_if<HostName>(&service.host)) {
            const auto [place, added] = services.emplace(name->name, service.host_span);
            if (!added) place->second = std::min(place->second, service.host_span);
        }
    }
    for (const Tier& tier : policy.tiers) take_targets(tier.allow, found);
    for (const Node& node : policy.nodes) {
        if (node.output) take_targets(*node.output, found);
    }
    for (const Expectation& test : policy.tests) {
        for (const auto* part : {&test.allow, &test.deny, &test.only}) {
            if (part->has_value()) take_targets((*part)->targets, found);
        }
    }
    for (const auto& [name, span] : services) found[name] = span;
    std::vector<NameUse> uses;
    uses.reserve(found.size());
    for (const auto& [name, span] : found) uses.push_back({name, span});
    return uses;
}

Addresses addresses_of(const Policy& policy, const Lock& lock, const Addresses& hosts, Time now,
                       Diagnostics& diagnostics) {
    Addresses out;
    std::size_t searched = 0;
    const std::set<Span> told = unsettled(diagnostics);
    for (const NameUse& use : names_of(policy)) {
        const auto locked = lock.find(use.name);
        const auto local = hosts.find(use.name);
        if (locked == lock.end() && local == hosts.end()) {
            if (told.contains(use.span)) continue;
            Diagnostic& diagnostic =
                diagnostics.report(Code::W0305, use.span,
                                   fmt::format("`{}` is in neither {} nor /etc/hosts", use.name, policy.resolve.lock),
                                   "no address is known, so nothing is allowed to it");
            const std::string near = searched++ < most_searched ? nearest_locked(use.name, lock) : std::string{};
            if (!near.empty())
                diagnostic.note(
                    fmt::format("{} has `{}` = {}", policy.resolve.lock, near, list_of(lock.at(near).addresses)));
            diagnostic.help(fmt::format("`policyc resolve` asks DNS and writes {}", policy.resolve.lock));
            if (!near.empty()) diagnostic.help(fmt::format("or did you mean `{}`?", near));
            continue;
        }
        const bool from_lock = locked != lock.end();
        const std::vector<Address>& addresses = from_lock ? locked->second.addresses : local->second;
        const std::string& origin = from_lock ? policy.resolve.lock : "/etc/hosts";
        if (addresses.empty()) {
            diagnostics
                .report(Code::W0308, use.span, fmt::format("`{}` has no address", use.name),
                        fmt::format("{} says so", origin))
                .note("nothing is allowed to it")
                .help("`policyc resolve` asks again");
            continue;
        }
        if (from_lock && too_old(policy, locked->second, now)) {
            report_too_old(policy, use, locked->second, now, diagnostics);
            continue;
        }
        if (addresses.size() > max_addresses_per_name) {
            diagnostics
                .report(Code::E0304, use.span, too_many_message(use.name),
                        fmt::format("{} has {} of them", origin, addresses.size()))
                .note("refused, because each of them would be opened; nothing is allowed to it")
                .help(too_many_help);
            continue;
        }
        const std::vector<Address> outside = unbelieved(policy, addresses);
        if (!outside.empty()) {
            Diagnostic& diagnostic = diagnostics.report(Code::E0302, use.span, outside_message(use.name, outside),
                                                        fmt::format("{} has {}", origin, list_of(outside)));
            explain_within(policy, outside, diagnostic);
            diagnostic.note("refused, because a changed record would otherwise open the firewall")
                .help(help_within(policy));
        }
        std::vector<Address>& usable = out[use.name];
        std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(usable), [&](const Address& address) {
            return believed(policy, address) && !denied_family(policy, address);
        });
        std::sort(usable.begin(), usable.end());
        warn_ipv6(policy, use, addresses, diagnostics);
    }
    warn_one_family(policy, out, diagnostics);
    return out;
}

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
