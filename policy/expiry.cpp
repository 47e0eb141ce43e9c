// Warnings about `expires`, which check() can't make, having no clock. Entry point: warn_expiry().
#include "policy/expiry.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace policyc {

namespace {

constexpr int near = 7;  // days

std::string when(int days) {
    if (days == 0) return "ends today";
    return days == 1 ? "ends tomorrow" : fmt::format("ends in {} days", days);
}

void warn(std::string_view name, const std::optional<Spanned<Days>>& expires, Days today, Diagnostics& diagnostics) {
    if (!expires) return;
    const int days = static_cast<int>((expires->value - today).count());
    if (days < 0) {
        diagnostics.report(Code::W0506, expires->span, fmt::format("`{}` has expired", name), "the last day it held")
            .note("nothing is allowed by it any more")
            .help("remove it, or write a later day");
    } else if (days <= near) {
        diagnostics
            .report(Code::W0505, expires->span, fmt::format("`{}` {}", name, when(days)), "the last day it holds")
            .note("an apply after that day closes what it allows")
            .help("write a later day where it is still wanted");
    }
}

}  // namespace

void warn_expiry(const Policy& policy, Days today, Diagnostics& diagnostics) {
    for (const Service& service : policy.services) warn(service.name, service.expires, today, diagnostics);
    for (const Tier& tier : policy.tiers) warn(tier.name, tier.expires, today, diagnostics);
}

bool has_expired(const Policy& policy, Days today) {
    const auto over = [&](const auto& one) { return !holds_on(one.expires, today); };
    return std::ranges::any_of(policy.services, over) || std::ranges::any_of(policy.tiers, over);
}

}  // namespace policyc
