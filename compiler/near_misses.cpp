// Looks through all permissions for those that nearly cover a flow. Entry points: near_misses(), misses_of_nameless().
#include "compiler/near_misses.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/time_text.h"
#include "policy/text.h"

namespace policyc::explain {
namespace {

using reach::Area;
using reach::Permission;
using reach::Slots;

std::uint32_t protocol_of(Slots slots) {
    return slots.lo >= Slots::ping ? slots.lo : slots.lo / Slots::udp * Slots::udp;
}

// "on port 8096", "on port 53/udp", "on any port of udp", "as ping"
std::string port_text(Slots slots, std::uint32_t asked) {
    if (slots.lo == Slots::ping && slots.hi == Slots::ping) return "as ping";
    std::string text = reach::to_string(slots);
    const bool same = protocol_of(slots) == protocol_of({asked, asked});
    // Of the same protocol only port 0 is none of them.
    if (text == "*/tcp" || text == "*/udp")
        return fmt::format("on any {}port of {}", same ? "other " : "", text.substr(2));
    if (same && text.ends_with("/tcp")) text.resize(text.size() - 4);
    return fmt::format("on port{} {}", slots.lo == slots.hi ? "" : "s", text);
}

// It would be allowed ...
std::string once_present(Absence absence) {
    switch (absence) {
        case Absence::too_old: return "once `policyc resolve` gets an answer again";
        case Absence::denied_family: return "once it has an IPv4 address";
        case Absence::unknown:
        case Absence::none: break;
    }
    return "once it has an address";
}

// "laptop, phone and 3 more"
std::string people_of(const std::vector<Source>& list) {
    std::vector<std::string> labels;
    labels.reserve(list.size());
    for (const Source& source : list) labels.push_back(source.label);
    return few(labels);
}

class Search {
public:
    Search(const Asked& asked, const reach::Permissions& permissions, const Flow& flow)
        : asked_(asked), policy_(asked.policy), permissions_(permissions), flow_(flow) {}

    std::vector<Miss> run() {
        for (const Area& area : permissions_.areas.areas()) {
            const Permission& permission = permissions_.list[area.owner];
            if (!matters(permission)) continue;
            const bool there =
                permission.kind == Permission::Kind::input || area.destination.holds(range_of(flow_.destination));
            if (there) look(permission, area.slots);
        }
        if (may_be_own()) look_at_inputs();
        if (is_own()) look_at_served();
        std::ranges::stable_sort(found_, {}, [this](const Miss& miss) { return std::pair(miss.kind, far(miss)); });
        if (found_.size() > most_misses) found_.resize(most_misses);
        return std::move(found_);
    }

private:
    // Whether the permission is asked where this flow passes.
    [[nodiscard]] bool matters(const Permission& permission) const {
        switch (permission.kind) {
            case Permission::Kind::tier: return true;
            case Permission::Kind::input:
                return flow_.passage.hook == Direction::input && permission.index == asked_.node;
            case Permission::Kind::output:
                return flow_.passage.hook == Direction::output && permission.index == asked_.node;
        }
        return false;
    }

    // A permission to the destination that was asked for.
    void look(const Permission& permission, Slots slots) {
        const bool named = permission.kind == Permission::Kind::output ||
                           permissions_.sources[permission.sources].holds(range_of(flow_.source));
        const bool port = slots.holds({flow_.slot, flow_.slot});
        if (named && port) return asleep(permission);
        if (!in_force(policy_, permission)) return;
        if (named) {
            distance_[port_text(slots, flow_.slot)] = distance(slots);
            add(Miss::Kind::port, port_text(slots, flow_.slot), permission);
        } else if (port && !sources_of(permission).empty()) {
            add(Miss::Kind::person, "for " + people_of(sources_of(permission)), permission);
        }
    }

    // Whether nobody knows of whom the destination is, so that it may be the node's own.
    [[nodiscard]] bool may_be_own() const {
        return !asked_.own && flow_.passage.hook == Direction::forward && flow_.passage.out != Side::tunnel &&
               !of_a_service(asked_, range_of(flow_.destination));
    }

    void look_at_inputs() {
        const Node& node = policy_.nodes[asked_.node];
        for (const Area& area : permissions_.areas.areas()) {
            const Permission& permission = permissions_.list[area.owner];
            if (permission.kind != Permission::Kind::input || permission.index != asked_.node) continue;
            if (!area.slots.holds({flow_.slot, flow_.slot})) continue;
            if (permissions_.sources[permission.sources].holds(range_of(flow_.source)))
                add(Miss::Kind::own,
                    fmt::format("if {} is an address of {} itself", to_string(flow_.destination), node.name),
                    permission);
        }
    }

    // Whether it goes to the node itself, which may have more addresses than that one.
    [[nodiscard]] bool is_own() const {
        const auto& own = policy_.nodes[asked_.node].addresses;
        return flow_.passage.hook == Direction::input &&
               std::ranges::any_of(own, [&](const auto& address) { return address.value == flow_.destination; });
    }

    // Where its host was asked, all of its addresses are known.
    [[nodiscard]] bool may_have(const Range& place) const {
        return !asked_.own ||
               std::ranges::any_of(*asked_.own, [&](const Address& address) { return place.holds(range_of(address)); });
    }

    // An address of the node in a network that it serves is open by a tier that opens the network.
    void look_at_served() {
        const Node& node = policy_.nodes[asked_.node];
        for (const auto& served : node.serves) {
            for (const Area& area : permissions_.areas.meeting({served.value, {flow_.slot, flow_.slot}, 0})) {
                const Permission& permission = permissions_.list[area.owner];
                if (permission.kind != Permission::Kind::tier || !in_force(policy_, permission)) continue;
                const AddressSet& who = permissions_.sources[permission.sources];
                const bool one = area.destination.single();
                if (!who.holds(range_of(flow_.source)) || (one && of_a_service(asked_, area.destination))) continue;
                const Range& place = one || served.value.holds(area.destination) ? area.destination : served.value;
                if (!may_have(place)) continue;
                add(Miss::Kind::own,
                    one ? fmt::format("if {} is an address of {} itself", to_string(place), node.name)
                        : fmt::format("at an address that {} itself has in {}", node.name, to_string(place)),
                    permission);
            }
        }
    }

    [[nodiscard]] const std::vector<Source>& sources_of(const Permission& permission) const {
        return permission.kind == Permission::Kind::tier ? policy_.tiers[permission.index].who : permission.input->from;
    }

    // It would be open, were it in force.
    void asleep(const Permission& permission) {
        if (permission.expired) {
            const bool service = permission.target->expires && !holds_on(permission.target->expires, asked_.today);
            const auto& expires = service ? permission.target->expires : policy_.tiers[permission.index].expires;
            add(Miss::Kind::expired, fmt::format("had it not expired on {}", to_text(expires->value)), permission,
                expires->span);
            return;
        }
        if (permission.kind != Permission::Kind::tier) return;
        const Tier& tier = policy_.tiers[permission.index];
        if (tier.grant) {
            std::string text = fmt::format("with a grant of tier {}", tier.name);
            if (tier.grant->max) text += fmt::format(", at most {}", duration_text(*tier.grant->max));
            if (!tier.grant->by.empty()) text += fmt::format(", given by {}", fmt::join(tier.grant->by, ", "));
            add(Miss::Kind::grant, text, permission);
        }
        if (tier.bastion)
            add(Miss::Kind::bastion, fmt::format("from a session on {}", policy_.nodes[tier.bastion->node].name),
                permission);
    }

    void add(Miss::Kind kind, const std::string& text, const Permission& permission, std::optional<Span> span = {}) {
        Miss miss{kind, text, holder_of(policy_, permission), span.value_or(permission.span)};
        if (seen_.emplace(miss.text, miss.via).second) found_.push_back(std::move(miss));
    }

    // How far the nearest port is from the one that was asked for; another protocol is farther than any.
    [[nodiscard]] std::uint32_t distance(Slots slots) const {
        if (protocol_of(slots) != protocol_of({flow_.slot, flow_.slot})) return Slots::other + slots.lo;
        return flow_.slot < slots.lo ? slots.lo - flow_.slot : flow_.slot - slots.hi;
    }
    [[nodiscard]] std::uint32_t far(const Miss& miss) const {
        const auto known = distance_.find(miss.text);
        return known == distance_.end() ? 0 : known->second;
    }

    const Asked& asked_;
    const Policy& policy_;
    const reach::Permissions& permissions_;
    const Flow& flow_;
    std::vector<Miss> found_;
    std::set<std::pair<std::string, std::string>> seen_;
    std::map<std::string, std::uint32_t> distance_;
};

}  // namespace

bool in_force(const Policy& policy, const reach::Permission& permission) {
    if (permission.expired) return false;
    if (permission.kind != Permission::Kind::tier) return true;
    const Tier& tier = policy.tiers[permission.index];
    return !tier.grant && !tier.bastion;
}

std::vector<Miss> near_misses(const Asked& asked, const reach::Permissions& permissions, const Flow& flow) {
    return Search(asked, permissions, flow).run();
}

bool of_a_service(const Asked& asked, const Range& address) {
    return std::ranges::any_of(asked.policy.services, [&](const Service& service) {
        const auto hosts = reach::addresses_of_host(asked.policy, asked.addresses, service.host);
        return std::ranges::find(hosts, address) != hosts.end();
    });
}

Absence absence_of(const Asked& asked, const std::string& name) {
    static const Lock nothing;
    return policyc::absence_of(asked.policy, asked.lock != nullptr ? *asked.lock : nothing, asked.addresses, name,
                               asked.now);
}

std::vector<Miss> misses_of_nameless(const Asked& asked, const reach::Permissions& permissions, const Source& source,
                                     const Target& target) {
    std::vector<Miss> found;
    const auto* name = std::get_if<HostName>(&target.host);
    if (name == nullptr) return found;
    const std::vector<Range> from = reach::addresses_of_host(asked.policy, asked.addresses, source.host);
    const std::string text = once_present(absence_of(asked, name->name));
    for (const Permission& permission : permissions.list) {
        if (permission.kind != Permission::Kind::tier || !in_force(asked.policy, permission)) continue;
        const auto* host = std::get_if<HostName>(&permission.target->host);
        if (host == nullptr || host->name != name->name) continue;
        if (!reach::slots_of(permission.target->ports).holds(reach::slots_of(target.ports))) continue;
        const AddressSet& who = permissions.sources[permission.sources];
        if (std::ranges::none_of(from, [&](const Range& range) { return who.meets(range); })) continue;
        found.push_back({Miss::Kind::address, text, holder_of(asked.policy, permission), permission.span});
    }
    return found;
}

}  // namespace policyc::explain
