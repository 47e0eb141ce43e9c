// What settle() and addresses_of() say and believe of the addresses of a name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/lock.h"
#include "policy/text.h"

namespace policyc {

template <typename T>
std::string list_of(const std::vector<T>& values, std::size_t most = 4) {
    std::vector<std::string> items;
    for (const T& value : values) items.push_back(to_string(value));
    return few(items, most);
}

// Under ipv6 = "deny" an IPv6 address opens nothing, wherever it is.
bool denied_family(const Policy& policy, const Address& address);
bool believed(const Policy& policy, const Address& address);
std::vector<Address> unbelieved(const Policy& policy, const std::vector<Address>& addresses);
bool too_old(const Policy& policy, const LockEntry& entry, Time now);

// Why a name has no address that counts: it is in no place, it is known to have none, what the lock has is older than stale.keep, or all that it has are of
// the family that the policy denies.
enum class Absence : std::uint8_t { unknown, none, too_old, denied_family };
Absence absence_of(const Policy& policy, const Lock& lock, const Addresses& addresses, const std::string& name,
                   Time now);

std::string outside_message(const std::string& name, const std::vector<Address>& outside);
// The second half of every message about an answer outside `within`.
void explain_within(const Policy& policy, const std::vector<Address>& outside, Diagnostic& diagnostic);
std::string help_within(const Policy& policy, const std::vector<Address>& outside);
std::string too_many_message(const std::string& name);
inline constexpr const char* too_many_help =
    "give the service a host name of its own, or name its network instead: \"NETWORK:PORT\"";

// For how many names that nobody knows a near one is looked for.
inline constexpr std::size_t most_searched = 20;
// A name that may have been meant among those that are locked, or none.
std::string nearest_locked(const std::string& name, const Lock& lock);

}  // namespace policyc
