// The words of diff and apply about a name whose addresses changed, and a tier that waits: reason_of_answer(), reason_gone() and reason_asleep().
#include "compiler/reasons.h"

#include <fmt/format.h>

#include "compiler/time_text.h"
#include "policy/belief.h"

namespace policyc {

std::string reason_of_answer(const View& view, const std::string& host) {
    if (view.lock == nullptr) return "DNS";
    const auto entry = view.lock->find(host);
    if (entry == view.lock->end()) return "DNS";
    return fmt::format("DNS, locked {} ago", about(view.now - entry->second.resolved));
}

bool is_gone(const View& view, const std::string& host) {
    const auto found = view.addresses->find(host);
    return found == view.addresses->end() || found->second.empty();
}

std::string reason_gone(const View& view, const std::string& host) {
    static const Lock nothing;
    switch (absence_of(*view.policy, view.lock != nullptr ? *view.lock : nothing, *view.addresses, host, view.now)) {
        case Absence::unknown: return fmt::format("no address of {} is known", host);
        case Absence::none: return fmt::format("{} has no address any more", host);
        case Absence::too_old: return fmt::format("what is known of {} is older than stale.keep", host);
        case Absence::denied_family: return fmt::format("{} has only IPv6 addresses now", host);
    }
    return {};
}

std::string_view reason_asleep(const View& view, std::string_view holder) {
    for (const Tier& tier : view.policy->tiers) {
        if (holder != "tiers." + tier.name) continue;
        if (tier.grant) return "needs a grant now";
        if (tier.bastion) return "needs a session at its bastion now";
    }
    return {};
}

}  // namespace policyc
