// The buckets that each flow takes from under two policies, and the difference in that: compare_limits().
#include "compiler/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "compiler/box.h"
#include "compiler/box_text.h"
#include "compiler/buckets.h"
#include "compiler/implied.h"
#include "compiler/people.h"

namespace policyc {

namespace {

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
bool as_loose(const Buckets& a, const Buckets& b) {
    return std::ranges::all_of(a, [&](const Bucket& x) {
        return std::ranges::any_of(
            b, [&](const Bucket& y) { return per_day(x.rate) >= per_day(y.rate) && x.rate.count >= y.rate.count; });
    });
}

// The ways in which one flow is allowed. A connection that one has no room for takes the next: what passes is the sum of them.
using Ways = std::vector<Buckets>;

bool unlimited(const Ways& ways) {
    return std::ranges::any_of(ways, &Buckets::empty);
}

// What all of them take from, and what each takes from besides.
struct Shares {
    Buckets common;
    Ways rest;
};

Shares split(const Ways& ways) {
    Buckets common = ways.front();
    for (const Buckets& way : ways) {
        Buckets both;
        std::ranges::set_intersection(common, way, std::back_inserter(both));
        common = std::move(both);
    }
    if (ways.size() == 1) return {{}, ways};
    Ways rest;
    for (const Buckets& way : ways) {
        Buckets own;
        std::ranges::set_difference(way, common, std::back_inserter(own));
        if (own.empty()) return {{}, {common}};
        rest.push_back(std::move(own));
    }
    return {common, rest};
}

// Whether each of those from `at` on finds one of `in` for itself that is as loose.
bool each_fits(const Ways& ways, std::size_t at, const Ways& in, std::vector<bool>& taken) {
    if (at == ways.size()) return true;
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (taken[i] || !as_loose(in[i], ways[at])) continue;
        taken[i] = true;
        if (each_fits(ways, at + 1, in, taken)) return true;
        taken[i] = false;
    }
    return false;
}

// What passes all of these ways passes `in` as well, whose ways have no bucket in common.
bool fits(const Ways& ways, const Ways& in) {
    const Buckets common = split(ways).common;
    if (!common.empty() && std::ranges::any_of(in, [&](const Buckets& way) { return as_loose(way, common); }))
        return true;
    std::vector<bool> taken(in.size());
    return each_fits(ways, 0, in, taken);
}

// Both are sorted.
bool no_looser(const Ways& ways, const Ways& than) {
    if (unlimited(than)) return true;
    if (unlimited(ways)) return false;
    if (std::ranges::includes(than, ways)) return true;
    const Shares shares = split(than);
    std::set<Bucket> seen;  // of one that only some of them share, nobody knows how much is left for each
    for (const Buckets& way : shares.rest)
        for (const Bucket& bucket : way)
            if (!seen.insert(bucket).second) return false;
    return (shares.common.empty() || fits(ways, {shares.common})) && fits(ways, shares.rest);
}

std::string text_of(const Buckets& buckets, const char* both) {
    std::string text;
    for (const Bucket& bucket : buckets) text += (text.empty() ? "" : " and ") + to_string(bucket.rate);
    return (buckets.size() > 1 ? both : "") + text;
}

std::string text_of(const Ways& ways) {
    if (unlimited(ways)) return "no limit";
    const Shares shares = split(ways);
    if (shares.rest.size() == 1) return text_of(shares.rest.front(), "");
    std::vector<std::string> texts;
    for (const Buckets& way : shares.rest) texts.push_back(text_of(way, "both "));
    std::ranges::sort(texts);
    std::string text = fmt::format("{}", fmt::join(texts, " plus "));
    if (!shares.common.empty()) text += fmt::format(" (at most {} in all)", text_of(shares.common, ""));
    return text;
}

// The part of `box` that `by` covers.
std::vector<Box> common_of(const Box& box, const Box& by) {
    const auto uncovered_by = [&](const std::vector<Box>& boxes) {
        std::vector<LabelledBox> labelled;
        for (const Box& one : boxes) labelled.push_back({one, {}});
        return BoxIndex(labelled).uncovered(box);
    };
    if (box == by) return {box};
    const std::vector<Box> left = uncovered_by({by});
    if (left.empty()) return {box};
    if (left == std::vector{box}) return {};
    return uncovered_by(left);
}

// What of the box each way covers.
template <typename Visit>
void each_meeting(const Box& box, const Giver& giver, const Visit& visit) {
    const auto look = [&](const Opening& way) {
        if (!way.destination.meets(box.destination)) return;
        for (const Range& source : giver.sources.holds(box.source) ? std::vector{box.source} : giver.sources.ranges())
            if (source.meets(box.source))
                if (const std::vector<Box> common = common_of(box, way.from(box.direction, source)); !common.empty())
                    visit(common, way);
    };
    const auto first = std::ranges::partition_point(giver.hosts, [&](const Opening& way) {
        return std::pair(way.destination.family, way.destination.hi) <
               std::pair(box.destination.family, box.destination.lo);
    });
    for (auto at = first; at != giver.hosts.end() && at->destination.meets(box.destination); ++at) look(*at);
    for (const Opening& way : giver.networks) look(way);
}

void make_a_set(Ways& ways) {
    std::ranges::sort(ways);
    const auto repeated = std::ranges::unique(ways);
    ways.erase(repeated.begin(), repeated.end());
}

enum Side : std::uint8_t { was, is };

// What is said of one service, its rates after and before: of some people, at the same places.
struct Said {
    std::vector<Range> sources;
    std::array<std::set<Box>, 2> places;  // by family, without their sources
    bool opens = false;
    bool closes = false;

    // Whether each has all that the other has, of the families that both have.
    [[nodiscard]] bool alike(const Said& other) const {
        return std::ranges::equal(places, other.places,
                                  [](const auto& a, const auto& b) { return a.empty() || b.empty() || a == b; });
    }
    void add(const Said& other) {
        sources.insert(sources.end(), other.sources.begin(), other.sources.end());
        for (std::size_t family = 0; family < places.size(); ++family)
            places.at(family).insert(other.places.at(family).begin(), other.places.at(family).end());
        opens = opens || other.opens;
        closes = closes || other.closes;
    }
};
// By service and rates; and by who was looked at together.
using Saying = std::map<std::tuple<std::string, std::string, std::string>, std::map<std::vector<Range>, Said>>;

template <typename Parts>
std::vector<Said> join_alike(const Parts& parts) {
    std::vector<Said> out;
    for (const auto& [who, part] : parts) {
        const auto found = std::ranges::find_if(out, [&](const Said& said) { return said.alike(part); });
        if (found != out.end())
            found->add(part);
        else
            out.push_back(part);
    }
    return out;
}

class Limits {
public:
    Limits(const View& before, const View& after)
        : node_(after.policy->nodes[after.node].name),
          people_(after),
          beside_(after.policy->nodes[after.node].scope == Scope::tunnel ? Beside(before, &after) : Beside()),
          givers_{givers(before, texts_), givers(after, texts_)} {
        std::set<std::pair<std::string_view, Place>> named;
        for (const Side side : {is, was})
            for (const Giver& giver : givers_.at(side)) {
                labels_.insert(giver.people.begin(), giver.people.end());
                for (const auto* ways : {&giver.hosts, &giver.networks})
                    for (const Opening& way : *ways)
                        if (name(giver, way)) named.emplace(way.label, place_of(giver, way));
            }
        for (const auto& [label, place] : named) ++sizes_[label];
    }

    std::vector<Term> run() {
        for (const Side side : {is, was})
            for (const Giver& giver : givers_.at(side)) look_at(side, giver);
        std::vector<Term> out;
        for (const auto& [key, parts] : saying_) {
            const auto& [what, now, then] = key;
            for (const Said& said : told_together(parts)) {
                std::set<Box> places = said.places[0];
                places.insert(said.places[1].begin(), said.places[1].end());
                out.push_back({fmt::format("new connections to {}: {} instead of {}, for {}", name_of(what, places),
                                           now, then, people(said.sources)),
                               said.opens, said.closes});
            }
        }
        return out;
    }

private:
    struct About {
        Side side;
        const Giver* giver;
    };
    using Abouts = std::vector<About>;

    using Place = std::tuple<Direction, Range, Ports>;
    static Place place_of(const Giver& giver, const Opening& way) {
        return {giver.direction, way.destination, way.ports};
    }

    // Who limits a service knows its name best. False where none of the giver's people can go there.
    bool name(const Giver& giver, const Opening& way) {
        const auto alike = [&](const auto& person) { return person.first.family == way.destination.family; };
        if (std::ranges::none_of(giver.people, alike)) return false;
        const bool limits = !way.buckets.empty();
        const auto [at, fresh] = services_.try_emplace(place_of(giver, way), way.label, limits);
        if (!fresh && limits && !at->second.second) at->second = {way.label, true};
        return true;
    }

    // Nobody is named with a port that is another's: mostly all have the same ones, else who has others is told apart.
    [[nodiscard]] std::vector<Said> told_together(const std::map<std::vector<Range>, Said>& parts) const {
        std::vector<Said> all = join_alike(parts);
        if (all.size() == 1) return all;
        std::map<std::pair<std::string_view, Range>, Said> by_person;
        for (const auto& [who, part] : parts)
            for (const Range& source : part.sources) {
                Said one = part;
                one.sources = {source};
                const auto label = labels_.find(source);
                by_person[label != labels_.end() ? std::pair(label->second, Range{}) : std::pair("", source)].add(one);
            }
        return join_alike(by_person);
    }

    // Of a tier or an input: the ways and the people that it has on this side alone.
    void look_at(Side side, const Giver& giver) {
        static const Giver nothing;
        const std::vector<Giver>& others = givers_.at(side == is ? was : is);
        const auto found = std::ranges::find_if(
            others, [&](const Giver& other) { return other.name == giver.name && other.direction == giver.direction; });
        const Giver& other = found == others.end() ? nothing : *found;
        std::vector<const Opening*> all;
        std::vector<const Opening*> theirs;
        const auto append = [](const Giver& of, std::vector<const Opening*>& to) {
            for (const Opening& way : of.hosts) to.push_back(&way);
            for (const Opening& way : of.networks) to.push_back(&way);
        };
        append(giver, all);
        append(other, theirs);
        const auto by_what = [](const Opening* a, const Opening* b) {
            return std::tie(a->destination, a->ports, a->buckets) < std::tie(b->destination, b->ports, b->buckets);
        };
        std::ranges::sort(all, by_what);
        std::ranges::sort(theirs, by_what);
        std::vector<const Opening*> fresh;
        std::ranges::set_difference(all, theirs, std::back_inserter(fresh), by_what);

        std::vector<Range> everybody;
        std::vector<Range> newcomers;
        for (const auto& [range, label] : giver.people) {
            everybody.push_back(range);
            if (!other.people.contains(range)) newcomers.push_back(range);
        }
        compare(side, giver.direction, fresh, everybody);
        compare(side, giver.direction, all, newcomers);
    }

    // Sources that are in the same tiers are alike.
    void compare(Side side, Direction direction, const std::vector<const Opening*>& ways,
                 const std::vector<Range>& sources) {
        if (ways.empty()) return;
        std::map<std::vector<const Giver*>, std::pair<Abouts, std::vector<Range>>> classes;
        for (const Range& source : sources) {
            Abouts abouts;
            std::vector<const Giver*> key;
            bool partly = beside_.sends(source);
            for (const Side each : {was, is})
                for (const Giver& giver : givers_.at(each)) {
                    if (giver.direction != direction || !giver.sources.meets(source)) continue;
                    partly = partly || !giver.sources.holds(source);
                    abouts.push_back({each, &giver});
                    key.push_back(&giver);
                }
            if (partly) {
                compare(side, direction, ways, abouts, {source});
                continue;
            }
            auto& [of_class, members] = classes[std::move(key)];
            of_class = std::move(abouts);
            members.push_back(source);
        }
        for (const auto& [key, one] : classes)
            for (const Family family : {Family::ipv4, Family::ipv6}) {
                std::vector<Range> members = one.second;
                std::erase_if(members, [&](const Range& range) { return range.family != family; });
                compare(side, direction, ways, one.first, members);
            }
    }

    void compare(Side side, Direction direction, const std::vector<const Opening*>& ways, const Abouts& abouts,
                 const std::vector<Range>& members) {
        if (members.empty() || std::ranges::all_of(abouts, [&](const About& one) { return one.side == side; })) return;
        for (const Opening* way : ways) {
            if (way->destination.family != members.front().family) continue;
            const Box box = way->from(direction, members.front());
            std::set<Box> cells;
            for (const About& about : abouts)
                if (about.side != side)
                    each_meeting(box, *about.giver, [&](const std::vector<Box>& common, const Opening&) {
                        cells.insert(common.begin(), common.end());
                    });
            for (const Box& cell : cells) resolve(cell, abouts, members);
        }
    }

    // `members` are those who are alike: all, where the box is of the first of them. Cuts the box until each way covers all of a part of it or nothing.
    void resolve(const Box& box, const Abouts& abouts, const std::vector<Range>& members) {
        constexpr std::size_t most_cuts = 64;  // with more, what the cuts would give is looked at on its own elsewhere
        std::array<Ways, 2> ways;
        std::vector<std::vector<Box>> cuts;
        for (const About& about : abouts)
            each_meeting(box, *about.giver, [&](const std::vector<Box>& common, const Opening& way) {
                if (common == std::vector{box})
                    ways.at(about.side).push_back(way.buckets);
                else
                    cuts.push_back(common);
            });
        if (cuts.empty() || cuts.size() > most_cuts) {
            if (!beside_.meets(box)) return judge(box, ways, members);
            for (const Box& part : beside_.without(box)) judge(part, ways, members);
            return;
        }
        std::vector<LabelledBox> inside;
        for (const Box& part : cuts.front()) inside.push_back({part, {}});
        for (const LabelledBox& part : inside) resolve(part.box, abouts, members);
        for (const Box& part : BoxIndex(inside).uncovered(box)) resolve(part, abouts, members);
    }

    void judge(const Box& box, std::array<Ways, 2>& ways, const std::vector<Range>& members) {
        for (Ways& list : ways) {
            if (list.empty()) return;  // a gain or a loss
            make_a_set(list);
        }
        const bool opens = !no_looser(ways[is], ways[was]);
        const bool closes = !no_looser(ways[was], ways[is]);
        if (!opens && !closes) return;
        const auto service = services_.find({box.direction, box.destination, box.ports});
        const bool known = service != services_.end() && !box.others;
        Box place = box;
        place.source = {box.source.family, 0, 0};
        std::string what(known ? service->second.first : "");
        if (!known) what = destinations_text(std::span(&place, 1), node_);
        const std::vector<Range> who = box.source == members.front() ? members : std::vector{box.source};
        Said& said = saying_[{std::move(what), text_of(ways[is]), text_of(ways[was])}][who];
        said.sources = who;
        said.places.at(static_cast<std::size_t>(box.source.family)).insert(place);
        said.opens = said.opens || opens;
        said.closes = said.closes || closes;
    }

    // A service of which something else is said at other ports or addresses is told with those that are meant.
    [[nodiscard]] std::string name_of(const std::string& what, const std::set<Box>& places) const {
        const auto size = sizes_.find(what);
        const bool all = size == sizes_.end() || places.size() == size->second;
        if (all) return what;
        const std::vector<Box> boxes(places.begin(), places.end());
        const std::string where = destinations_text(boxes, node_);
        return where == what ? what : fmt::format("{} ({})", what, where);
    }

    // The first of the names, and how many there are.
    [[nodiscard]] std::string people(const std::vector<Range>& sources) const {
        constexpr std::size_t shown = 8;
        std::vector<std::string> first;
        std::set<std::string_view> names;
        std::vector<Range> parts;
        const auto add = [&](std::string_view name) {
            if (names.insert(name).second && names.size() <= shown) first.emplace_back(name);
        };
        for (const Range& source : sources)
            if (const auto label = labels_.find(source); label != labels_.end())
                add(label->second);
            else
                parts.push_back(source);
        if (AddressSet rest(std::move(parts)); !rest.empty()) {
            for (const auto& [range, label] : labels_)
                if (rest.holds(range)) {
                    add(label);
                    rest.subtract(range);
                }
            if (!rest.empty()) first.push_back(people_.text("", rest));
        }
        std::string text = fmt::format("{}", fmt::join(first, ", "));
        if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
        return text;
    }

    std::string node_;
    People people_;
    Beside beside_;  // what neither policy judges
    Arena texts_;
    std::array<std::vector<Giver>, 2> givers_;
    std::map<Range, std::string_view> labels_;
    std::map<Place, std::pair<std::string_view, bool>> services_;
    std::map<std::string_view, std::size_t> sizes_;  // how many places have that name
    Saying saying_;
};

}  // namespace

std::vector<Term> compare_limits(const View& before, const View& after) {
    if (limits_of(before).empty() && limits_of(after).empty()) return {};
    return Limits(before, after).run();
}

Rates::Rates(const View& view) {
    if (!limits_of(view).empty()) givers_ = givers(view, texts_);
}

std::string Rates::of(const Box& box) const {
    Box first = box;
    first.source.hi = first.source.lo;
    first.destination.hi = first.destination.lo;
    first.ports.hi = first.ports.lo;
    Ways ways;
    for (const Giver& giver : givers_)
        if (giver.direction == box.direction && giver.sources.meets(first.source))
            each_meeting(first, giver, [&](const std::vector<Box>& common, const Opening& way) {
                if (common == std::vector{first}) ways.push_back(way.buckets);
            });
    make_a_set(ways);
    return ways.empty() ? "no limit" : text_of(ways);
}

std::vector<Term> idle_limits(const View& before, const View& after) {
    const std::map<std::string, Rate> were = limits_of(before);
    const std::map<std::string, Rate> are = limits_of(after);
    const auto text = [](const std::map<std::string, Rate>& limits, const std::string& owner) {
        const auto at = limits.find(owner);
        return at == limits.end() ? std::string("none") : to_string(at->second);
    };
    std::set<std::string> owners;
    for (const auto* limits : {&were, &are})
        for (const auto& [owner, rate] : *limits) owners.insert(owner);
    std::vector<Term> out;
    for (const std::string& owner : owners)
        if (text(were, owner) != text(are, owner))
            out.push_back(
                {fmt::format(
                     "the limit of {} is {} instead of {}: as many new connections pass to each service as before",
                     owner, text(are, owner), text(were, owner)),
                 false, false});
    return out;
}

}  // namespace policyc
