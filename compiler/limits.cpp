// Flows by the rates they are under, and the difference of two policies in that: compare_limits().
#include "compiler/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "compiler/coverage.h"
#include "compiler/gaps.h"
#include "compiler/permissions.h"

namespace policyc {

namespace {

// All of these hold at once; none: no limit. Sorted.
using Rates = std::vector<Rate>;

double per_day(const Rate& rate) {
    switch (rate.unit) {
        case Rate::Unit::second: return rate.count * 86400.0;
        case Rate::Unit::minute: return rate.count * 1440.0;
        case Rate::Unit::hour: return rate.count * 24.0;
        case Rate::Unit::day: return rate.count;
    }
    return 0;
}

// What passes `b` passes `a`: each rate of `a` is met by one of `b` that is as strict, in the long run and at once.
bool as_loose(const Rates& a, const Rates& b) {
    return std::ranges::all_of(a, [&](const Rate& x) {
        return std::ranges::any_of(b, [&](const Rate& y) { return per_day(x) >= per_day(y) && x.count >= y.count; });
    });
}

std::string text_of(const Rates& rates) {
    if (rates.empty()) return "no limit";
    std::string text;
    for (const Rate& rate : rates) text += (text.empty() ? "" : " and ") + to_string(rate);
    return text;
}

// Names, each once; what a Cause says of a flow is an index into them.
class Names {
public:
    std::uint32_t add(const std::string& name) {
        const auto [at, fresh] = index_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
        if (fresh) names_.push_back(name);
        return at->second;
    }
    [[nodiscard]] const std::string& operator[](std::uint32_t name) const { return names_[name]; }

private:
    std::vector<std::string> names_;
    std::map<std::string, std::uint32_t> index_;
};

// The flows that one policy allows, by their rates: what is forwarded tier by tier, without multiplying out.
class Flows {
public:
    Flows(const View& view, Names& names) : view_(view), names_(names) {
        const Policy& policy = *view.policy;
        for (const Tier& tier : policy.tiers)
            if (!tier.grant && !tier.bastion && holds_on(tier.expires, view.today)) add(tier);
        for (const Input& input : policy.nodes[view.node].inputs) add(input);
        for (auto& [rates, reach] : by_rates_) {
            std::ranges::stable_sort(reach.boxes, {}, &LabelledBox::box);
            for (TierReach& tier : reach.tiers) {
                std::ranges::stable_sort(tier.reachers, {}, &Reacher::range);
                std::ranges::stable_sort(tier.areas, {},
                                         [](const Area& a) { return std::pair(a.destination, a.ports); });
            }
        }
    }

    [[nodiscard]] bool limited() const {
        return std::ranges::any_of(by_rates_, [](const auto& entry) { return !entry.first.empty(); });
    }
    [[nodiscard]] const std::map<Rates, Reach>& by_rates() const { return by_rates_; }

    // What is allowed under some rates that the predicate holds of.
    template <typename F>
    [[nodiscard]] Reach under(F wanted) const {
        Reach all;
        for (const auto& [rates, reach] : by_rates_) {
            if (!wanted(rates)) continue;
            all.boxes.insert(all.boxes.end(), reach.boxes.begin(), reach.boxes.end());
            all.tiers.insert(all.tiers.end(), reach.tiers.begin(), reach.tiers.end());
        }
        std::ranges::stable_sort(all.boxes, {}, &LabelledBox::box);
        return all;
    }

private:
    [[nodiscard]] std::vector<Range> ranges(const Host& host) const {
        return ranges_of(*view_.policy, *view_.addresses, host);
    }

    static Rates rates_of(std::initializer_list<std::optional<Rate>> given) {
        Rates rates;
        for (const auto& rate : given)
            if (rate) rates.push_back(*rate);
        std::ranges::sort(rates);
        return rates;
    }

    void add(const Input& input) {
        const std::uint32_t what = names_.add("input." + input.name);
        for (const Source& source : input.from)
            for (const Range& from : ranges(source.host))
                for (const Ports& ports : input.ports)
                    by_rates_[rates_of({input.limit})].boxes.push_back(
                        {{Direction::input, from, {from.family, 0, 0}, ports}, {names_.add(source.label), what}});
    }

    void add(const Tier& tier) {
        std::vector<Reacher> reachers;
        for (const Source& source : tier.who)
            for (const Range& from : ranges(source.host)) reachers.push_back({from, names_.add(source.label)});
        std::map<Rates, std::vector<Area>> areas;
        for (const Target& target : tier.allow) {
            if (!holds_on(target.expires, view_.today)) continue;
            const auto& services = view_.policy->services;
            const Rates rates =
                rates_of({tier.limit, target.service ? services[*target.service].limit : std::optional<Rate>()});
            for (const Range& to : ranges(target.host))
                areas[rates].push_back({to, target.ports, names_.add(target.label)});
        }
        const auto number = static_cast<std::uint32_t>(&tier - view_.policy->tiers.data()) + 1;
        if (reachers.empty()) return;
        for (auto& [rates, list] : areas) by_rates_[rates].tiers.push_back({number, false, reachers, std::move(list)});
    }

    View view_;
    Names& names_;
    std::map<Rates, Reach> by_rates_;
};

// What is said of one service, its rates after and before: for whom, each as often as there is a reason.
struct Said {
    std::vector<std::uint32_t> who;
    bool opens = false;
    bool closes = false;
};
using Saying = std::map<std::tuple<std::string, std::string, std::string>, Said>;

// Who and what a box of this Reach is about.
std::vector<ir::Cause> causes_of(const Reach& reach, const Box& box) {
    std::vector<ir::Cause> causes;
    for (const auto& [at, cause] : std::ranges::equal_range(reach.boxes, box, {}, &LabelledBox::box))
        causes.push_back(cause);
    if (box.direction != Direction::forward) return causes;
    for (const TierReach& tier : reach.tiers)
        for (const Reacher& reacher : std::ranges::equal_range(tier.reachers, box.source, {}, &Reacher::range))
            for (const Area& area :
                 std::ranges::equal_range(tier.areas, std::pair(box.destination, box.ports), {},
                                          [](const Area& a) { return std::pair(a.destination, a.ports); }))
                causes.push_back({reacher.subject, area.object});
    return causes;
}

// Calls `visit` for the flows of these gaps that are allowed at least in part by `under`. Sources that are in the same tiers are alike.
template <typename Visit>
void each_met(const Gaps& gaps, const Coverage& under, const Visit& visit) {
    const auto met = [&](const Box& box) { return under.uncovered(box) != std::vector<Box>{box}; };
    for (const Gap& gap : gaps.boxes)
        if (std::ranges::any_of(gap.missing(), met)) visit(*gap.box);
    for (const WideGap& gap : gaps.tiers) {
        std::map<std::vector<const TierReach*>, std::vector<bool>> known;
        for (const Range& source : gap.sources) {
            const Coverage::Holders holders = under.holders(source);
            if (holders.tiers.empty() && !holders.partly) continue;
            std::vector<bool> alone;
            std::vector<bool>& answers = holders.partly ? alone : known[holders.tiers];
            for (std::size_t i = answers.size(); i < gap.areas.size(); ++i)
                answers.push_back(met(gap.areas[i].from(source)));
            for (std::size_t i = 0; i < gap.areas.size(); ++i)
                if (answers[i]) visit(gap.areas[i].from(source));
        }
    }
}

// Flows of `of` that `other` allows too, but under no rates as loose.
void find_looser(const Flows& of, const Flows& other, bool of_is_new, const Names& names, Saying& saying) {
    for (const auto& [rates, reach] : of.by_rates()) {
        const Gaps gaps =
            policyc::gaps(reach, other.under([&](const Rates& theirs) { return as_loose(theirs, rates); }));
        for (const auto& [theirs, their_reach] : other.by_rates()) {
            if (as_loose(theirs, rates)) continue;
            const std::string now = text_of(of_is_new ? rates : theirs);
            const std::string then = text_of(of_is_new ? theirs : rates);
            each_met(gaps, Coverage(their_reach), [&](const Box& box) {
                for (const auto& [who, what] : causes_of(reach, box)) {
                    Said& said = saying[{names[what], now, then}];
                    (of_is_new ? said.opens : said.closes) = true;
                    said.who.push_back(who);
                }
            });
        }
    }
}

// The first of the names, and how many there are.
std::string people(const std::vector<std::uint32_t>& who, const Names& names) {
    constexpr std::size_t shown = 8;
    std::vector<std::string> first;
    std::set<std::uint32_t> all;
    for (const std::uint32_t one : who)
        if (all.insert(one).second && first.size() < shown) first.push_back(names[one]);
    std::string text = fmt::format("{}", fmt::join(first, ", "));
    if (all.size() > shown) text += fmt::format(" and {} more", all.size() - shown);
    return text;
}

}  // namespace

std::vector<Term> compare_limits(const View& before, const View& after) {
    Names names;
    const Flows was(before, names);
    const Flows is(after, names);
    std::vector<Term> out;
    if (!was.limited() && !is.limited()) return out;
    Saying saying;
    find_looser(is, was, true, names, saying);
    find_looser(was, is, false, names, saying);
    for (const auto& [key, said] : saying) {
        const auto& [what, now, then] = key;
        out.push_back(
            {fmt::format("new connections to {}: {} instead of {}, for {}", what, now, then, people(said.who, names)),
             said.opens, said.closes});
    }
    return out;
}

}  // namespace policyc
