// Which names a policy uses and which addresses they have: names_of(), addresses_of(), warn_unused().
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "policy/belief.h"
#include "policy/families.h"
#include "policy/lock.h"
#include "policy/text.h"

namespace policyc {

namespace {

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

std::vector<Address> of_family(const std::vector<Address>& addresses, Family family) {
    std::vector<Address> out;
    std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(out),
                 [&](const Address& address) { return address.family == family; });
    return out;
}

void take_host(const Host& host, Span span, std::map<std::string, Span>& found) {
    if (const auto* name = std::get_if<HostName>(&host)) found.emplace(name->name, span);
}

void take_targets(const std::vector<Target>& targets, std::map<std::string, Span>& found) {
    for (const Target& target : targets) {
        take_host(target.host, target.definition.valid() ? target.definition : target.span, found);
    }
}

// The names that settle() has told about already: that they are not locked either, or without an address, is no news.
std::set<Span> unsettled(const Diagnostics& diagnostics) {
    constexpr std::array codes{Code::E0301, Code::E0302, Code::E0303, Code::E0304,
                               Code::E0309, Code::W0306, Code::W0308};
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
            if (told.contains(use.span)) continue;
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
                .help(help_within(policy, outside));
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

void warn_unused(const Policy& policy, const Lock& lock, Diagnostics& diagnostics) {
    const std::vector<NameUse> uses = names_of(policy);
    std::vector<std::string> unused;
    Span first;
    for (const auto& [name, entry] : lock) {
        const auto at = std::ranges::lower_bound(uses, name, {}, &NameUse::name);
        if (at != uses.end() && at->name == name) continue;
        if (unused.empty()) first = entry.span;
        unused.push_back(fmt::format("`{}`", name));
    }
    if (unused.empty()) return;
    const bool one = unused.size() == 1;
    diagnostics
        .report(Code::W0316, first,
                fmt::format("{} {} locked, and the policy does not have {}", few(unused, 4), one ? "is" : "are",
                            one ? "it" : "them"),
                one ? "no line of the policy names it" : fmt::format("the first of {}", unused.size()))
        .note(one ? "nothing is allowed for it" : "nothing is allowed for them")
        .help(fmt::format("`policyc resolve` takes {} out of {}", one ? "it" : "them", policy.resolve.lock));
}

}  // namespace policyc
