// Finds permissions that hold in one family only by accident. Entry point: warn_one_family().
#include "policy/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace policyc {
namespace {

Family other(Family family) {
    return family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
}
std::string_view name_of(Family family) {
    return family == Family::ipv4 ? "IPv4" : "IPv6";
}
std::string_view record_of(Family family) {
    return family == Family::ipv4 ? "A" : "AAAA";
}

class Families {
public:
    Families(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics)
        : policy_(policy), addresses_(addresses), diagnostics_(diagnostics) {}

    void run() {
        for (const Network& network : policy_.networks) {
            if (network.ranges.empty()) continue;
            const Family family = network.ranges[0].value.family;
            if (std::ranges::all_of(network.ranges, [&](const auto& range) { return range.value.family == family; }))
                warn(network.span, network.name, family);
        }
        for (const Tier& tier : policy_.tiers) {
            sources(tier.who);
            targets(tier.allow);
        }
        for (const Node& node : policy_.nodes) {
            for (const Input& input : node.inputs) sources(input.from);
            if (node.output) targets(*node.output);
        }
    }

private:
    // Nodes have both, and networks have had their warning.
    [[nodiscard]] std::optional<Family> family_of(const Host& host) const {
        if (const auto* range = std::get_if<Range>(&host)) return range->family;
        const auto* name = std::get_if<HostName>(&host);
        const auto found = name == nullptr ? addresses_.end() : addresses_.find(name->name);
        if (found == addresses_.end() || found->second.empty()) return {};
        const Family first = found->second.front().family;
        if (std::ranges::any_of(found->second, [&](const Address& address) { return address.family != first; }))
            return {};
        return first;
    }

    void sources(const std::vector<Source>& list) {
        std::set<Family> there;
        for (const Source& source : list) {
            if (const auto family = family_of(source.host)) there.insert(*family);
        }
        for (const Source& source : list) {
            const auto family = family_of(source.host);
            if (family && !there.contains(other(*family))) warn(source.span, source.label, *family);
        }
    }

    void targets(const std::vector<Target>& list) {
        std::set<std::pair<Family, Ports>> there;
        for (const Target& target : list) {
            if (const auto family = family_of(target.host)) there.emplace(*family, target.ports);
        }
        for (const Target& target : list) {
            const auto family = family_of(target.host);
            if (!family || there.contains({other(*family), target.ports})) continue;
            const Span place = target.service ? policy_.services[*target.service].host_span : target.definition;
            if (const auto* name = std::get_if<HostName>(&target.host)) {
                warn_name(place, name->name, *family);
            } else {
                warn(place, target.label, *family);
            }
        }
    }

    void warn(Span span, const std::string& what, Family family) {
        if (!told_.insert(span).second) return;
        diagnostics_
            .report(Code::W0603, span, fmt::format("`{}` is {} only", what, name_of(family)),
                    fmt::format("no {} address", name_of(other(family))))
            .also(policy_.ipv6_span, "every permission should hold in both families")
            .help("add the other family, or silence this line with  # policyc: allow W0603");
    }

    void warn_name(Span span, const std::string& name, Family family) {
        if (!told_names_.insert(name).second) return;
        const std::vector<Address>& known = addresses_.at(name);
        const std::string more = known.size() > 1 ? fmt::format(" and {} more", known.size() - 1) : "";
        diagnostics_
            .report(Code::W0603, span, fmt::format("`{}` is {} only", name, name_of(family)),
                    fmt::format("{} {}{}, no {}", record_of(family), to_string(known.front()), more,
                                record_of(other(family))))
            .also(policy_.ipv6_span, "every permission should hold in both families")
            .help(fmt::format("add the {} record, or silence this line with  # policyc: allow W0603",
                              record_of(other(family))));
    }

    const Policy& policy_;
    const Addresses& addresses_;
    Diagnostics& diagnostics_;
    std::set<Span> told_;
    std::set<std::string> told_names_;
};

}  // namespace

void warn_one_family(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics) {
    if (policy.ipv6 == Ipv6::dual) Families(policy, addresses, diagnostics).run();
}

}  // namespace policyc
