// What is believed of an answer, and the words that say so.
#include "policy/belief.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "policy/text.h"

namespace policyc {

namespace {

// Addresses that no host of a network can have: unspecified, loopback, multicast, broadcast (RFC 6890).
bool no_host(const Address& address) {
    if (address.family == Family::ipv4) {
        const auto first = static_cast<unsigned>(address.bits >> 24U);
        return first == 0 || first == 127 || first >= 240 || (first >= 224 && first < 240);
    }
    return address.bits <= 1 || (address.bits >> 120U) == 0xFF;
}

}  // namespace

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

Absence absence_of(const Policy& policy, const Lock& lock, const Addresses& addresses, const std::string& name,
                   Time now) {
    const auto entry = lock.find(name);
    if (entry == lock.end()) return addresses.contains(name) ? Absence::denied_family : Absence::unknown;
    if (entry->second.addresses.empty()) return Absence::none;
    return too_old(policy, entry->second, now) ? Absence::too_old : Absence::denied_family;
}

std::vector<Address> unbelieved(const Policy& policy, const std::vector<Address>& addresses) {
    std::vector<Address> out;
    std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(out),
                 [&](const Address& address) { return !believed(policy, address); });
    return out;
}

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

std::string help_within(const Policy& policy, const std::vector<Address>& outside) {
    if (std::all_of(outside.begin(), outside.end(), no_host))
        return "correct the record on the resolver; a resolver that blocks names answers so for one that is on its "
               "list";
    if (policy.resolve.within.empty())
        return "write within = [\"NETWORK\", ...] below [resolve]: the networks that the policy's hosts are in";
    return "if this move is meant, add the new network to [networks] and to `within`";
}

// Looks for a name that may have been meant among those that are locked; a search over very many is not worth its time.
std::string nearest_locked(const std::string& name, const Lock& lock) {
    if (lock.size() > 10'000) return {};
    // The hosts of a domain have much in common that says nothing: one with another first label, or one of another domain, and not both.
    const auto label_of = [](const std::string& host) { return host.substr(0, host.find('.')); };
    const std::string label = label_of(name);
    const std::string domain = name.substr(label.size());
    std::vector<std::string> labels;
    std::vector<std::string> elsewhere;
    for (const auto& [locked, entry] : lock) {
        if (entry.addresses.empty() || locked == name) continue;
        const std::string other = label_of(locked);
        if (locked.substr(other.size()) == domain)
            labels.push_back(other);
        else if (other == label)
            elsewhere.push_back(locked);
    }
    const std::string near = nearest(label, labels);
    return near.empty() ? nearest(name, elsewhere) : near + domain;
}

}  // namespace policyc
