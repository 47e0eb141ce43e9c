// Flows by the rates they are under, and the difference of two policies in that: compare_limits().
#include "compiler/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "compiler/box.h"
#include "compiler/permissions.h"

namespace policyc {

namespace {

// All of these hold at once; none: no limit. Sorted.
using Rates = std::vector<Rate>;

struct Limited {
    Box box;
    std::string who;
    std::string what;
};

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

// The flows that one policy allows, by their rates.
class Flows {
public:
    explicit Flows(const View& view) : view_(view) {
        const Policy& policy = *view.policy;
        for (const Tier& tier : policy.tiers)
            if (!tier.grant && !tier.bastion && holds_on(tier.expires, view.today)) add(tier);
        const Node& node = policy.nodes[view.node];
        for (const Input& input : node.inputs)
            for (const Source& source : input.from)
                for (const Range& from : ranges(source.host))
                    for (const Ports& ports : input.ports)
                        by_rates_[rates_of({input.limit})].push_back(
                            {{Direction::input, from, {from.family, 0, 0}, ports},
                             source.label,
                             "input." + input.name});
        for (auto& [rates, list] : by_rates_) std::ranges::sort(list, {}, &Limited::box);
    }

    [[nodiscard]] bool limited() const {
        return std::ranges::any_of(by_rates_, [](const auto& entry) { return !entry.first.empty(); });
    }
    [[nodiscard]] const std::map<Rates, std::vector<Limited>>& by_rates() const { return by_rates_; }

    // What is allowed under some rates that the predicate holds of.
    template <typename F>
    [[nodiscard]] BoxIndex index(F wanted) const {
        std::vector<Box> boxes;
        for (const auto& [rates, list] : by_rates_)
            if (wanted(rates)) std::ranges::transform(list, std::back_inserter(boxes), &Limited::box);
        std::ranges::sort(boxes);
        return BoxIndex(std::move(boxes));
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

    void add(const Tier& tier) {
        for (const Target& target : tier.allow) {
            if (!holds_on(target.expires, view_.today)) continue;
            const auto& services = view_.policy->services;
            const Rates rates =
                rates_of({tier.limit, target.service ? services[*target.service].limit : std::optional<Rate>()});
            auto& list = by_rates_[rates];
            for (const Source& source : tier.who)
                for (const Range& from : ranges(source.host))
                    for (const Range& to : ranges(target.host))
                        if (from.family == to.family)
                            list.push_back({{Direction::forward, from, to, target.ports}, source.label, target.label});
        }
    }

    View view_;
    std::map<Rates, std::vector<Limited>> by_rates_;
};

// What is said of one service: its rates after and before, and for whom.
struct Said {
    std::vector<std::string> who;
    bool opens = false;
    bool closes = false;
};
using Saying = std::map<std::tuple<std::string, std::string, std::string>, Said>;

// Flows of `of` that `other` allows too, but under no rates as loose.
void find_looser(const Flows& of, const Flows& other, bool of_is_new, Saying& saying) {
    for (const auto& [rates, list] : of.by_rates()) {
        const BoxIndex as_good = other.index([&](const Rates& theirs) { return as_loose(theirs, rates); });
        for (const auto& [theirs, unused] : other.by_rates()) {
            if (as_loose(theirs, rates)) continue;
            const BoxIndex under = other.index([&](const Rates& r) { return r == theirs; });
            for (const Limited& flow : list) {
                const std::vector<Box> left = as_good.uncovered(flow.box);
                const bool met = std::ranges::any_of(
                    left, [&](const Box& piece) { return under.uncovered(piece) != std::vector<Box>{piece}; });
                if (!met) continue;
                Said& said =
                    saying[{flow.what, text_of(of_is_new ? rates : theirs), text_of(of_is_new ? theirs : rates)}];
                (of_is_new ? said.opens : said.closes) = true;
                if (std::ranges::find(said.who, flow.who) == said.who.end()) said.who.push_back(flow.who);
            }
        }
    }
}

}  // namespace

std::vector<Term> compare_limits(const View& before, const View& after) {
    const Flows was(before);
    const Flows is(after);
    std::vector<Term> out;
    if (!was.limited() && !is.limited()) return out;
    Saying saying;
    find_looser(is, was, true, saying);
    find_looser(was, is, false, saying);
    constexpr std::size_t shown = 8;
    for (const auto& [key, said] : saying) {
        const auto& [what, now, then] = key;
        const auto end = said.who.begin() + static_cast<std::ptrdiff_t>(std::min(shown, said.who.size()));
        std::string text = fmt::format("new connections to {}: {} instead of {}, for {}", what, now, then,
                                       fmt::join(said.who.begin(), end, ", "));
        if (said.who.size() > shown) text += fmt::format(" and {} more", said.who.size() - shown);
        out.push_back({std::move(text), said.opens, said.closes});
    }
    return out;
}

}  // namespace policyc
