// Finds what opens nothing new, by ranges and ports. Entry point: covered_entries().
#include "policy/redundancy.h"

#include <algorithm>
#include <map>
#include <span>
#include <unordered_map>

#include "policy/reach.h"

namespace policyc {
namespace {

// An entry is redundant where each thing it stands for is covered by those of other entries, be it by several together, which are not redundant themselves.
class Redundancy {
public:
    Redundancy(const Policy& policy, const std::vector<OpeningList>& lists, std::size_t most)
        : policy_(policy), lists_(lists), most_looks_(most) {
        for (std::size_t list = 0; list < lists.size(); ++list) {
            const std::size_t first = things_.size();
            for (const Target& target : *lists[list].things) things_.push_back({&target, list});
            for (std::size_t i = 0; i < lists[list].listed->entries.size(); ++i)
                entries_.push_back({list, i, lists[list].listed->things[i], first});
        }
        lay_out();
    }

    std::vector<CoveredEntry> find() {
        std::vector<CoveredEntry> found;
        for (const bool groups : {false, true}) {
            for (std::size_t i = entries_.size(); i-- > 0 && looks_ < most_looks_;) {
                const Entry& entry = entries_[i];
                const OpeningList& list = lists_[entry.list];
                const bool group = list.listed->entries[entry.number].what == ListMember::What::group;
                if (!list.asked || group != groups || entry.things.empty()) continue;
                const std::set<std::size_t> covers = covers_of(i);
                if (covers.empty()) continue;
                gone_[i] = true;
                CoveredEntry& covered = found.emplace_back(CoveredEntry{{entry.list, entry.number}, {}});
                for (const std::size_t cover : covers)
                    covered.covers.emplace(entries_[cover].list, entries_[cover].number);
            }
        }
        return found;
    }

    [[nodiscard]] std::size_t looks() const { return looks_; }

private:
    struct Entry {
        std::size_t list;
        std::size_t number;                     // in its list
        std::span<const std::uint32_t> things;  // of its list
        std::size_t first;                      // the first thing of its list
    };
    struct Thing {
        const Target* target;
        std::size_t list;
    };

    [[nodiscard]] bool denied(const Range& range) const {
        return range.family == Family::ipv6 && policy_.ipv6 == Ipv6::deny;
    }

    // Puts the areas of a thing behind the others. Of a host name nobody knows the addresses yet: it gets a number of its own in place of one.
    void add_areas(std::size_t thing, std::vector<reach::Area>& areas) {
        const Target& target = *things_[thing].target;
        const reach::Slots slots = reach::slots_of(target.ports);
        if (const auto* name = std::get_if<HostName>(&target.host)) {
            const u128 number = names_.try_emplace(name->name, names_.size()).first->second;
            areas.push_back({{Family::ipv4, number, number}, slots, thing});
        } else if (const auto* range = std::get_if<Range>(&target.host)) {
            if (!denied(*range)) areas.push_back({*range, slots, thing});
        } else {
            for (const Range& one : reach::addresses_of_host(policy_, {}, target.host))
                if (!denied(one)) areas.push_back({one, slots, thing});
        }
    }
    [[nodiscard]] const reach::AreaIndex& index_of(std::size_t thing) const {
        return std::holds_alternative<HostName>(things_[thing].target->host) ? named_ : placed_;
    }

    void lay_out() {
        std::vector<reach::Area> named;
        std::vector<reach::Area> placed;
        for (std::size_t thing = 0; thing < things_.size(); ++thing) {
            const bool name = std::holds_alternative<HostName>(things_[thing].target->host);
            add_areas(thing, name ? named : placed);
        }
        named_ = reach::AreaIndex(std::move(named));
        placed_ = reach::AreaIndex(std::move(placed));
        // The entries of each thing, one thing behind the other.
        starts_.assign(things_.size() + 1, 0);
        for (const Entry& entry : entries_) {
            for (const std::uint32_t thing : entry.things) ++starts_[entry.first + thing + 1];
        }
        for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
        holders_.resize(starts_.back());
        std::vector<std::size_t> next(starts_.begin(), starts_.end() - 1);
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            for (const std::uint32_t thing : entries_[i].things) holders_[next[entries_[i].first + thing]++] = i;
        }
        gone_.assign(entries_.size(), false);
    }

    // Another entry that has the thing and stays; the first there is.
    std::optional<std::size_t> holder(std::size_t thing, std::size_t but) {
        for (std::size_t at = starts_[thing]; at < starts_[thing + 1]; ++at) {
            ++looks_;
            if (holders_[at] != but && !gone_[holders_[at]]) return holders_[at];
        }
        return {};
    }

    static bool outlasts(const std::optional<Spanned<Days>>& one, const std::optional<Spanned<Days>>& other) {
        return !one || (other && other->value <= one->value);
    }

    // Whether list `a` lets in whom it lets in for as long and as often as list `b` does. Who they are is not asked here.
    bool as_good_a_list(std::size_t a, std::size_t b) {
        if (a == b) return true;
        const auto [known, fresh] = pairs_.try_emplace({a, b}, false);
        if (!fresh) return known->second;
        const OpeningList& one = lists_[a];
        const OpeningList& other = lists_[b];
        const auto shared = [&](const Range& range) { return one.who.meets(range); };
        known->second = one.always && !one.limited && (one.log_new || !other.log_new) &&
                        outlasts(one.expires, other.expires) && std::ranges::any_of(other.who.ranges(), shared);
        return known->second;
    }

    // Whether `a` opens its hosts and ports for as long and as often as `b` does, to somebody whom `b` lets in. Where they are is not asked here.
    bool as_good(std::size_t a, std::size_t b) {
        const Target& one = *things_[a].target;
        const Target& other = *things_[b].target;
        if (!outlasts(one.expires, other.expires)) return false;
        if (one.service && one.service != other.service && policy_.services[*one.service].limit) return false;
        const auto logs = [&](const Target& target) {
            return target.service && policy_.services[*target.service].log_new;
        };
        return (!logs(other) || logs(one)) && as_good_a_list(things_[a].list, things_[b].list);
    }

    [[nodiscard]] bool covers_list(std::size_t a, std::size_t b) const {
        const auto held = [&](const Range& range) { return lists_[a].who.holds(range); };
        return a == b || std::ranges::all_of(lists_[b].who.ranges(), held);
    }

    // Adds the entries that cover this part of a thing of entry `i`: one that does so alone, else several together.
    bool add_covers(const reach::Area& area, std::size_t i, std::set<std::size_t>& covers) {
        found_.clear();
        index_of(area.owner).meeting(area, found_);
        looks_ += found_.size();
        std::erase_if(found_, [&](const reach::Area& other) {
            return other.owner == area.owner || !as_good(other.owner, area.owner) || !holder(other.owner, i);
        });
        for (const reach::Area& other : found_) {
            if (!other.holds(area) || !covers_list(things_[other.owner].list, things_[area.owner].list)) continue;
            covers.insert(*holder(other.owner, i));
            return true;
        }
        return found_.size() > 1 && add_covers_together(area, i, covers);
    }

    bool add_covers_together(const reach::Area& area, std::size_t i, std::set<std::size_t>& covers) {
        if (lists_[things_[area.owner].list].who.empty()) return false;
        const std::size_t all = most_looks_ - std::min(most_looks_, looks_);
        reach::Budget budget(all);
        bool whole = true;
        std::size_t left_over = 0;
        reach::cut(area, found_, budget, [&](const reach::Area&, const std::vector<std::size_t>& owners) {
            if (!whole) return;
            AddressSet left = lists_[things_[area.owner].list].who;
            for (const std::size_t owner : owners) {
                if (left.empty()) break;
                const std::vector<Range>& served = lists_[things_[owner].list].who.ranges();
                looks_ += served.size();
                if (std::ranges::none_of(served, [&](const Range& range) { return left.meets(range); })) continue;
                for (const Range& range : served) left.subtract(range);
                covers.insert(*holder(owner, i));
            }
            whole = left.empty();
            if (whole) return;
            left_over = budget.left();
            budget.spend(left_over);  // nothing more is to be learned
        });
        looks_ += all - budget.left() - left_over;
        return whole && !budget.spent();
    }

    // The entries that cover all of the things of entry `i`; none where something is left that only it opens.
    std::set<std::size_t> covers_of(std::size_t i) {
        std::set<std::size_t> covers;
        for (const std::uint32_t local : entries_[i].things) {
            const std::size_t thing = entries_[i].first + local;
            if (const auto cover = holder(thing, i)) {
                covers.insert(*cover);
                continue;
            }
            areas_.clear();
            add_areas(thing, areas_);
            if (areas_.empty()) return {};
            for (const reach::Area& area : areas_)
                if (!add_covers(area, i, covers)) return {};
        }
        return covers;
    }

    const Policy& policy_;
    const std::vector<OpeningList>& lists_;
    std::vector<Entry> entries_;
    std::vector<Thing> things_;
    std::unordered_map<std::string, std::size_t> names_;
    reach::AreaIndex named_;
    reach::AreaIndex placed_;
    std::vector<std::size_t> starts_;   // of each thing: where its entries begin in holders_, and one more
    std::vector<std::size_t> holders_;  // entries
    std::vector<bool> gone_;            // entries that are redundant
    std::map<std::pair<std::size_t, std::size_t>, bool> pairs_;  // of lists
    std::size_t most_looks_;
    std::size_t looks_ = 0;
    std::vector<reach::Area> areas_;  // of the thing that is looked at
    std::vector<reach::Area> found_;  // those that meet one of them
};

}  // namespace

std::vector<CoveredEntry> covered_entries(const Policy& policy, const std::vector<OpeningList>& lists,
                                          std::size_t& looks) {
    Redundancy redundancy(policy, lists, looks);
    std::vector<CoveredEntry> found = redundancy.find();
    looks -= std::min(looks, redundancy.looks());
    return found;
}

}  // namespace policyc
