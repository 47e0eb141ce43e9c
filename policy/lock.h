// policy.lock: what each host name of a policy resolved to, as sorted, stable TOML that is made to be committed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/model.h"
#include "policy/names.h"

namespace policyc {

// What is remembered of a name. While an answer stays the same its entry stays the same, byte for byte; only where [resolve] stale.keep says how long it holds
// is `resolved` renewed, when a quarter of that time has gone by. A date that is yet to come always is.
struct LockEntry {
    std::vector<Address> addresses;   // sorted; empty: the name had no address or did not exist, which is an answer
    std::vector<std::string> cnames;  // the chain, without the name itself
    std::uint32_t ttl = 0;            // seconds, as first seen
    Time resolved{};  // when this answer was first seen, or renewed: no later than it was last confirmed
    Span span{};      // of its name in the file that it was read from; not compared

    bool operator==(const LockEntry& other) const {
        return addresses == other.addresses && cnames == other.cnames && ttl == other.ttl && resolved == other.resolved;
    }
};
using Lock = std::map<std::string, LockEntry>;

// Whether its date is yet to come, by more than clocks differ: a wrong clock wrote it, so it says nothing of when that was.
bool dated_ahead(const LockEntry& entry, Time now);

// Reads a lock file that was added to `sources` as `file`. Every problem is reported with its place, and then nothing is returned.
std::optional<Lock> parse_lock(std::uint32_t file, const Sources& sources, Diagnostics& diagnostics);
std::string write_lock(const Lock& lock);

// A host name that the policy needs an address for, and where it says so. Sorted by name; the first place of each.
struct NameUse {
    std::string name;
    Span span;
};
std::vector<NameUse> names_of(const Policy& policy);

// The addresses of every name the policy uses: from the lock, else from /etc/hosts. A name in neither is a warning that says which, where and
// how to get it (nothing is allowed to it); so is one whose entry is older than stale.keep; an address outside `within` is an error, wherever it is from.
Addresses addresses_of(const Policy& policy, const Lock& lock, const Addresses& hosts, Time now,
                       Diagnostics& diagnostics);

// One warning where the lock has names that the policy doesn't: they allow nothing, and the next resolve takes them out.
void warn_unused(const Policy& policy, const Lock& lock, Diagnostics& diagnostics);

// Joins new answers with the lock so far, by the rules of docs/language.md: time-out and server error keep the last answer (a warning; an
// error where there is none), NXDOMAIN and "no address" are answers (an error where the name was never locked, else a warning and an empty entry), an answer
// with an address outside `within` is refused with an error and the old one kept, more than max_addresses_per_name likewise. Names that
// the policy no longer has are dropped. A name of the policy that `answers` does not hold keeps its entry.
// With `lenient` (an apply that must go on) each of these errors is the one warning W0306 instead, and says what is denied.
struct Settled {
    Lock lock;
    std::vector<std::string>
        changed;  // names that have another answer than before, sorted; one that was only renewed is not among them
    std::vector<std::string> dropped;  // names that the policy no longer has
};
Settled settle(const Policy& policy, const Lock& before, const std::map<std::string, Answer>& answers, Time now,
               bool lenient, Diagnostics& diagnostics);

}  // namespace policyc
