// W0501 for entries of tiers that open nothing which another entry does not open as well. Entry point: warn_redundant().
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <unordered_map>

#include "policy/check_context.h"
#include "policy/reach.h"
#include "policy/reference.h"

namespace policyc {
namespace {

// A policy in which more entries overlap than this is not worth the time that a warning about it takes.
constexpr std::size_t most_looks = 5'000'000;
constexpr std::size_t most_covers_shown = 3;

// "laptop, phone", with at most three of them.
std::string names_of(const std::vector<Source>& sources) {
    std::string text;
    for (std::size_t i = 0; i < sources.size() && i < 3; ++i) text += (i == 0 ? "" : ", ") + sources[i].label;
    return sources.size() > 3 ? text + ", ..." : text;
}

// Compares what the entries of all tiers open: ranges and ports, not names. An entry is redundant where each thing it stands for is covered by those of other
// entries, be it by several together, which are not redundant themselves.
class Redundancy {
public:
    Redundancy(const Context& context, const Lists& lists) : context_(context), policy_(context.policy), lists_(lists) {
        const std::vector<Listed>& listed = lists.allowed();
        for (std::size_t tier = 0; tier < listed.size(); ++tier) {
            const std::size_t first = things_.size();
            for (const Target& target : policy_.tiers[tier].allow) things_.push_back({&target, tier});
            for (std::size_t i = 0; i < listed[tier].entries.size(); ++i)
                entries_.push_back({&listed[tier].entries[i], listed[tier].things[i], tier, first});
            who_.emplace_back(sources_of(policy_.tiers[tier]));
        }
        lay_out();
    }

    void warn() {
        // Of two that are the same the later one goes, and a single thing before a group that has it.
        for (const bool groups : {false, true}) {
            for (std::size_t i = entries_.size(); i-- > 0 && looks_ < most_looks;) {
                const Entry& entry = entries_[i];
                if ((entry.member->what == ListMember::What::group) != groups || entry.things.empty()) continue;
                if (const std::set<std::size_t> covers = covers_of(i); !covers.empty()) {
                    gone_[i] = true;
                    report(entry, covers);
                }
            }
        }
    }

private:
    struct Entry {
        const ListMember* member;
        std::span<const std::uint32_t> things;  // of its tier's list
        std::size_t tier;
        std::size_t first;  // the first thing of its tier
    };
    struct Thing {
        const Target* target;
        std::size_t tier;
    };

    [[nodiscard]] bool denied(const Range& range) const {
        return range.family == Family::ipv6 && policy_.ipv6 == Ipv6::deny;
    }

    [[nodiscard]] AddressSet sources_of(const Tier& tier) const {
        std::vector<Range> ranges;
        for (const Source& source : tier.who) {
            for (const Range& range : reach::addresses_of_host(policy_, {}, source.host)) {
                if (!denied(range)) ranges.push_back(range);
            }
        }
        return AddressSet(std::move(ranges));
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

    // Whether tier `a` lets in whom it lets in for as long and as often as tier `b` does. Who they are is not asked here.
    bool as_good_a_tier(std::size_t a, std::size_t b) {
        if (a == b) return true;
        const auto [known, fresh] = tiers_.try_emplace({a, b}, false);
        if (!fresh) return known->second;
        const Tier& one = policy_.tiers[a];
        const Tier& other = policy_.tiers[b];
        const auto shared = [&](const Range& range) { return who_[a].meets(range); };
        known->second = !one.grant && !one.bastion && !one.limit && (one.log_new || !other.log_new) &&
                        outlasts(one.expires, other.expires) && std::ranges::any_of(who_[b].ranges(), shared);
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
        return (!logs(other) || logs(one)) && as_good_a_tier(things_[a].tier, things_[b].tier);
    }

    [[nodiscard]] bool covers_tier(std::size_t a, std::size_t b) const {
        const auto held = [&](const Range& range) { return who_[a].holds(range); };
        return a == b || std::ranges::all_of(who_[b].ranges(), held);
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
            if (!other.holds(area) || !covers_tier(things_[other.owner].tier, things_[area.owner].tier)) continue;
            covers.insert(*holder(other.owner, i));
            return true;
        }
        return found_.size() > 1 && add_covers_together(area, i, covers);
    }

    bool add_covers_together(const reach::Area& area, std::size_t i, std::set<std::size_t>& covers) {
        if (who_[things_[area.owner].tier].empty()) return false;
        const std::size_t all = most_looks - std::min(most_looks, looks_);
        reach::Budget budget(all);
        bool whole = true;
        std::size_t left_over = 0;
        reach::cut(area, found_, budget, [&](const reach::Area&, const std::vector<std::size_t>& owners) {
            if (!whole) return;
            AddressSet left = who_[things_[area.owner].tier];
            for (const std::size_t owner : owners) {
                if (left.empty()) break;
                const std::size_t tier = things_[owner].tier;
                const std::vector<Range>& served = who_[tier].ranges();
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

    void report(const Entry& entry, const std::set<std::size_t>& covers) const {
        const Tier& tier = policy_.tiers[entry.tier];
        const Target& first = *things_[entry.first + entry.things.front()].target;
        const std::string what = tier.who.empty()
                                     ? fmt::format("stands for {}", short_text(first))
                                     : fmt::format("allows {} -> {}", names_of(tier.who), short_text(first));
        Diagnostic& diagnostic =
            context_.diagnostics.report(Code::W0501, entry.member->value->span, "this entry allows nothing new", what);
        std::size_t shown = 0;
        for (const std::size_t cover : covers) {
            if (++shown > most_covers_shown) break;
            point_at(entry, entries_[cover], covers.size() > 1, diagnostic);
        }
        if (covers.size() > most_covers_shown)
            diagnostic.note(fmt::format("{} entries cover it together", covers.size()));
        diagnostic.help(fmt::format("remove \"{}\" here, or keep it and silence this line with  # policyc: allow W0501",
                                    *entry.member->value->string()));
    }

    // Where another entry is that has all of this one, or a part.
    void point_at(const Entry& entry, const Entry& other, bool part, Diagnostic& diagnostic) const {
        const Value* member = lists_.member_like(*other.member, entry.member->label);
        const bool same = member != nullptr || *other.member->value->string() == *entry.member->value->string();
        if (member != nullptr) diagnostic.also(member->span, fmt::format("already in `{}` ...", other.member->label));
        std::string here = member != nullptr ? "... which is here"
                           : part            ? "covers a part of it"
                           : same            ? "which is here too"
                                             : "covers it";
        if (other.tier != entry.tier)
            here += fmt::format(", in tier `{}`, for {} of them", policy_.tiers[other.tier].name,
                                covers_tier(other.tier, entry.tier) ? "all" : "some");
        diagnostic.also(other.member->value->span, here);
    }

    const Context& context_;
    const Policy& policy_;
    const Lists& lists_;
    std::vector<Entry> entries_;
    std::vector<Thing> things_;
    std::vector<AddressSet> who_;  // of each tier
    std::unordered_map<std::string, std::size_t> names_;
    reach::AreaIndex named_;
    reach::AreaIndex placed_;
    std::vector<std::size_t> starts_;   // of each thing: where its entries begin in holders_, and one more
    std::vector<std::size_t> holders_;  // entries
    std::vector<bool> gone_;            // entries that are redundant
    std::map<std::pair<std::size_t, std::size_t>, bool> tiers_;
    std::size_t looks_ = 0;
    std::vector<reach::Area> areas_;  // of the thing that is looked at
    std::vector<reach::Area> found_;  // those that meet one of them
};

}  // namespace

void warn_redundant(const Context& context, const Lists& lists) {
    Redundancy(context, lists).warn();
}

}  // namespace policyc
