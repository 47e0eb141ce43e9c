// Judges every [[test]] of a policy: what it expects against what its permissions let through. Entry point: judge.
#include "policy/expect.h"

#include <algorithm>
#include <map>
#include <set>

#include "policy/finding.h"
#include "policy/reach.h"

namespace policyc {
namespace {

using reach::addresses_of_host;
using reach::Area;
using reach::AreaIndex;
using reach::intersection;
using reach::Permission;
using reach::Permissions;

// A set in each family, so that nothing need be asked twice of which one is meant.
struct ByFamily {
    AddressSet ipv4;
    AddressSet ipv6;

    ByFamily() = default;
    explicit ByFamily(const AddressSet& set) : ipv4(set.ranges(Family::ipv4)), ipv6(set.ranges(Family::ipv6)) {}
    [[nodiscard]] const AddressSet& of(Family family) const { return family == Family::ipv4 ? ipv4 : ipv6; }
    [[nodiscard]] bool empty() const { return ipv4.empty() && ipv6.empty(); }
};

// A test may take this much work, some hundred megabytes and a second or so at the worst. One that is written for people takes a thousandth of it.
constexpr std::size_t most_work = 20'000'000;
constexpr std::size_t source_set_price = 4;  // of a range of sources, against a part that is looked at

// One test: who is meant, and which permissions count.
class Trial {
public:
    Trial(const Policy& policy, const Addresses& addresses, const Permissions& permissions, const Expectation& test,
          Diagnostics& diagnostics, Nameless nameless)
        : policy_(policy),
          addresses_(addresses),
          permissions_(permissions),
          test_(test),
          diagnostics_(diagnostics),
          nameless_(nameless) {
        std::vector<Range> ranges;
        for (const Source& source : test.from) {
            for (const Range& range : addresses_of_host(policy, addresses, source.host)) {
                if (has_family(range.family)) ranges.push_back(range);
            }
        }
        const AddressSet from(std::move(ranges));
        from_ = ByFamily(from);
        for (const AddressSet& sources : permissions.sources) reaching_.emplace_back(intersection(from, sources));
        for (const Permission& permission : permissions.list) counts_.push_back(counts(permission) ? 1 : 0);
    }

    void run() {
        report_unresolved();
        const Story story{policy_, addresses_, permissions_, test_};
        if (test_.allow) story.missing(missing(*test_.allow), diagnostics_);
        if (test_.deny) {
            const Findings found = open(*test_.deny);
            story.open(found, diagnostics_);
            warn_unseen(*test_.deny, found);
            warn_served(*test_.deny, found);
        }
        if (!test_.only || budget_.spent()) return;
        const Findings more = extra(*test_.only);
        if (budget_.spent()) return;
        const Findings less = missing(*test_.only);
        if (!budget_.spent()) story.differs(more, less, diagnostics_);
    }

private:
    [[nodiscard]] bool has_family(Family family) const { return family == Family::ipv4 || policy_.ipv6 == Ipv6::dual; }

    // Whether the test takes the permission to be in force, and any of its sources are meant.
    [[nodiscard]] bool counts(const Permission& permission) const {
        if (permission.expired || reaching_[permission.sources].empty()) return false;
        switch (permission.kind) {
            case Permission::Kind::tier: {
                const Tier& tier = policy_.tiers[permission.index];
                return (!tier.grant && !tier.bastion) ||
                       std::find(test_.with.begin(), test_.with.end(), permission.index) != test_.with.end();
            }
            case Permission::Kind::input: return true;
            case Permission::Kind::output:
                return std::any_of(test_.from.begin(), test_.from.end(), [&permission](const Source& source) {
                    const auto* node = std::get_if<NodeRef>(&source.host);
                    return node != nullptr && node->node == permission.index;
                });
        }
        return false;
    }

    // The sources in question that this permission lets through in that family.
    [[nodiscard]] const AddressSet& reaching(std::size_t permission, Family family) const {
        return reaching_[permissions_.list[permission].sources].of(family);
    }

    // The permissions that count and meet the area.
    [[nodiscard]] std::vector<Area> opened(const Area& area) const {
        std::vector<Area> areas = permissions_.areas.meeting(area);
        std::erase_if(areas, [&](const Area& found) {
            return !counts_[found.owner] || reaching(found.owner, area.destination.family).empty();
        });
        return areas;
    }

    // Of the sources in question, those that none of these source sets holds.
    const AddressSet& left_out(Family family, const std::vector<std::size_t>& source_sets) {
        const auto [at, fresh] = left_out_.try_emplace({family, source_sets}, from_.of(family));
        if (fresh) {
            std::size_t work = at->second.ranges().size() + source_sets.size();
            for (std::size_t set : source_sets) work += reaching_[set].of(family).ranges().size();
            if (!budget_.spend(source_set_price * work)) return at->second;
            for (std::size_t set : source_sets) {
                if (at->second.empty()) break;
                for (const Range& range : reaching_[set].of(family).ranges()) at->second.subtract(range);
            }
        }
        return at->second;
    }

    // The areas of a list, each owned by the index of its target.
    [[nodiscard]] std::vector<Area> areas_of(const Expectation::List& list) const {
        std::vector<Area> areas;
        for (std::size_t i = 0; i < list.targets.size(); ++i) {
            for (const Range& range : addresses_of_host(policy_, addresses_, list.targets[i].host)) {
                if (has_family(range.family)) areas.push_back({range, reach::slots_of(list.targets[i].ports), i});
            }
        }
        return areas;
    }

    // What is listed and not let through, by the entry that lists it.
    Findings missing(const Expectation::List& list) {
        Findings findings;
        for (const Area& area : areas_of(list)) {
            const Family family = area.destination.family;
            if (from_.of(family).empty()) continue;
            std::vector<Area> covers = opened(area);
            for (Area& cover : covers) cover.owner = permissions_.list[cover.owner].sources;
            const bool whole = std::any_of(covers.begin(), covers.end(), [&](const Area& cover) {
                return cover.holds(area) && left_out(family, {cover.owner}).empty();
            });
            if (whole) continue;
            const Target& target = list.targets[area.owner];
            reach::cut(area, covers, budget_, [&](const Area& part, const std::vector<std::size_t>& source_sets) {
                const AddressSet& sources = left_out(family, source_sets);
                if (sources.empty() || budget_.spent()) return;
                Finding& finding = findings[target.span];
                if (finding.target == nullptr) finding.target = &target;
                finding.partly = finding.partly || !covers.empty();
                finding.add(sources, part);
            });
            if (budget_.spent()) return too_entangled(target.span, opened(area));
        }
        return findings;
    }

    // What is listed in `deny` and let through, by the entry that lets it through.
    Findings open(const Expectation::List& list) {
        Findings findings;
        for (const Area& area : areas_of(list)) {
            for (const Area& cover : opened(area)) {
                Area common = area;
                common.destination.lo = std::max(area.destination.lo, cover.destination.lo);
                common.destination.hi = std::min(area.destination.hi, cover.destination.hi);
                common.slots = {std::max(area.slots.lo, cover.slots.lo), std::min(area.slots.hi, cover.slots.hi)};
                Finding& finding = findings[permissions_.list[cover.owner].span];
                if (finding.target == nullptr) finding.target = &list.targets[area.owner];
                if (finding.permission == nullptr) finding.permission = &permissions_.list[cover.owner];
                finding.add(reaching(cover.owner, area.destination.family), common);
            }
        }
        return findings;
    }

    // An input is open at every address of its node. Those that the policy doesn't know are likeliest in a network that the node serves.
    void warn_unseen(const Expectation::List& list, const Findings& found) const {
        std::vector<Area> ranges = areas_of(list);
        std::erase_if(ranges, [](const Area& area) { return area.destination.single(); });
        if (ranges.empty()) return;
        const AreaIndex denied(std::move(ranges));
        const Input* last = nullptr;
        for (std::size_t i = 0; i < permissions_.list.size(); ++i) {
            const Permission& permission = permissions_.list[i];
            if (permission.input == nullptr || permission.input == last) continue;
            last = permission.input;
            if (!counts_[i] || found.contains(permission.span)) continue;
            const Node& node = policy_.nodes[permission.index];
            std::vector<Area> met;
            for (const auto& served : node.serves) {
                if (!has_family(served.value.family) || reaching(i, served.value.family).empty()) continue;
                for (const Ports& ports : last->ports) denied.meeting({served.value, reach::slots_of(ports), 0}, met);
            }
            if (met.empty()) continue;
            const std::size_t target = std::ranges::min(met, {}, &Area::owner).owner;
            report_own_addresses(test_, list.targets[target], node, *last, diagnostics_);
        }
    }

    // The other way round: a node that is denied, at addresses of its own in a network that it serves and that a tier opens. One warning for each node and entry of a tier.
    void warn_served(const Expectation::List& list, const Findings& found) const {
        std::set<std::pair<std::size_t, Span>> warned;
        for (const Target& target : list.targets) {
            const auto* denied = std::get_if<NodeRef>(&target.host);
            if (denied == nullptr || policy_.nodes[denied->node].scope == Scope::none) continue;
            const Node& node = policy_.nodes[denied->node];
            for (const auto& served : node.serves) {
                if (!has_family(served.value.family)) continue;
                for (const Area& area : opened({served.value, reach::slots_of(target.ports), 0})) {
                    const Permission& permission = permissions_.list[area.owner];
                    if (permission.kind != Permission::Kind::tier || area.destination.single()) continue;
                    if (found.contains(permission.span) || !warned.emplace(denied->node, permission.span).second)
                        continue;
                    report_served_addresses(test_, target, node, policy_.tiers[permission.index], permission.span,
                                            diagnostics_);
                }
            }
        }
    }

    // What is let through and not listed, by the entry that lets it through.
    Findings extra(const Expectation::List& list) {
        const AreaIndex listed(areas_of(list));
        Findings findings;
        for (const Area& area : permissions_.areas.areas()) {
            if (!counts_[area.owner]) continue;
            const std::vector<Area> covers = listed.meeting(area);
            if (std::any_of(covers.begin(), covers.end(), [&](const Area& cover) { return cover.holds(area); }))
                continue;
            const AddressSet& sources = reaching(area.owner, area.destination.family);
            if (sources.empty()) continue;
            const Permission& permission = permissions_.list[area.owner];
            reach::cut(area, covers, budget_, [&](const Area& part, const std::vector<std::size_t>& targets) {
                if (!targets.empty()) return;
                Finding& finding = findings[permission.span];
                if (finding.permission == nullptr) finding.permission = &permission;
                finding.add(sources, part);
            });
            if (budget_.spent()) return too_entangled(permission.span, permissions_.areas.meeting(area));
        }
        return findings;
    }

    // Whether the test holds will not be known, so it fails. `covers` are what could not be told apart.
    Findings too_entangled(Span span, const std::vector<Area>& covers) {
        report_entangled(test_, span, most_entangled(covers), diagnostics_);
        return {};
    }

    // The entries that meet most of the others, and how many.
    [[nodiscard]] std::vector<Entangled> most_entangled(const std::vector<Area>& covers) const {
        constexpr std::size_t most_looked_at = 2000;
        std::map<Span, std::size_t> met;
        const std::size_t end = std::min(covers.size(), most_looked_at);
        for (std::size_t i = 0; i < end; ++i) {
            std::size_t& count = met[permissions_.list[covers[i].owner].span];
            for (std::size_t j = 0; j < end; ++j) count += i != j && covers[i].meets(covers[j]) ? 1U : 0U;
        }
        std::vector<Entangled> found;
        for (const auto& [place, count] : met) found.push_back({place, count});
        std::ranges::stable_sort(found, std::ranges::greater{}, &Entangled::others);
        return found;
    }

    enum class Part { source, expected, denied };

    // A source or a target that resolves to nothing fails the test: there is nothing it could have said of it.
    void report_unresolved() const {
        std::vector<Unresolved> found;
        const auto look = [&](Part part, const Host& host, const std::string& label, Span span) {
            const std::string why = unresolved(part, host);
            if (why.empty()) return;
            const bool name = std::holds_alternative<HostName>(host);
            const bool unknown = addresses_of_host(policy_, addresses_, host).empty();
            found.push_back({span, "`" + label + "` " + why,
                             !unknown ? Unresolved::Why::family
                             : name   ? Unresolved::Why::name
                                      : Unresolved::Why::network});
        };
        const auto targets = [&](Part part, const std::optional<Expectation::List>& list) {
            if (!list) return;
            for (const Target& target : list->targets) look(part, target.host, target.label, target.span);
        };
        for (const Expectation::Nothing& one : test_.nothing)
            found.push_back({one.span, one.what, Unresolved::Why::empty});
        if (test_.from.empty() && found.empty())
            found.push_back({test_.from_span, "`from` names nobody", Unresolved::Why::empty});
        for (const Source& source : test_.from) look(Part::source, source.host, source.label, source.span);
        targets(Part::expected, test_.allow);
        targets(Part::denied, test_.deny);
        targets(Part::expected, test_.only);
        if (!found.empty()) report_no_address(test_, std::move(found), nameless_ == Nameless::waits, diagnostics_);
    }

    // Why there is nothing to judge, or "". What is expected to be denied may be of a family that this policy doesn't have, or that no source
    // has: then it is denied indeed.
    [[nodiscard]] std::string unresolved(Part part, const Host& host) const {
        const ByFamily all{AddressSet(addresses_of_host(policy_, addresses_, host))};
        if (all.empty()) return "has no address";
        if (part == Part::denied) return {};
        if (!has_family(Family::ipv6) && all.ipv4.empty())
            return "has IPv6 addresses only, and this policy denies IPv6";
        const auto shared = [&](Family family) { return !all.of(family).empty() && !from_.of(family).empty(); };
        if (part == Part::expected && !from_.empty() && !shared(Family::ipv4) && !shared(Family::ipv6)) {
            return "has no address of a family that `from` has";
        }
        return {};
    }

    const Policy& policy_;
    const Addresses& addresses_;
    const Permissions& permissions_;
    const Expectation& test_;
    Diagnostics& diagnostics_;
    Nameless nameless_;
    reach::Budget budget_{most_work};
    ByFamily from_;
    std::vector<ByFamily> reaching_;  // by source set of the permissions
    std::vector<char> counts_;        // by permission
    std::map<std::pair<Family, std::vector<std::size_t>>, AddressSet> left_out_;
};

}  // namespace

void judge(const Policy& policy, const Addresses& addresses, Days today, Diagnostics& diagnostics, Nameless nameless) {
    if (policy.tests.empty()) return;
    const Permissions permissions = reach::permissions_of(policy, addresses, today);
    for (const Expectation& test : policy.tests)
        Trial(policy, addresses, permissions, test, diagnostics, nameless).run();
}

}  // namespace policyc
