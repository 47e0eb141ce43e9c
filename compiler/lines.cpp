// Groups boxes by who has the same ones, and pairs lists of lines; entry points in lines.h.
#include "compiler/lines.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compiler/box.h"
#include "compiler/own_end.h"

namespace policyc {

namespace {

using HookFamily = std::pair<Direction, Family>;

// Which of two ends of a box may lie elsewhere.
enum class End : std::uint8_t { source, destination };

Box without(Box box, End end) {
    Range& range = end == End::source ? box.source : box.destination;
    range.lo = range.hi = 0;
    return box;
}

// Of the size that it has: what grows has not moved.
Box moved_to_zero(Box box, End end) {
    Range& range = end == End::source ? box.source : box.destination;
    range.hi -= range.lo;
    range.lo = 0;
    return box;
}

bool same_but_for(End end, const std::vector<Line*>& left, const std::vector<Line*>& reached) {
    const auto shape = [&](const std::vector<Line*>& lines) {
        std::multiset<std::tuple<std::string_view, std::string_view, Box>> all;
        for (const Line* line : lines)
            for (const Box& box : line->boxes)
                all.insert({line->words.who, line->words.service, moved_to_zero(box, end)});
        return all;
    };
    return shape(left) == shape(reached);
}

// Cut along the sources first. At this host a port is told with all the addresses that it comes or goes at.
std::vector<Box> pieces_of(const std::vector<Box>& boxes) {
    if (std::ranges::none_of(boxes, of_some_addresses)) return disjoint(boxes);
    std::vector<Box> received;
    std::vector<Box> others;
    for (const Box& box : boxes) (box.direction == Direction::input ? received : others).push_back(spread(box));
    std::vector<Box> pieces = disjoint_by_ports(received);
    std::ranges::copy(disjoint(others), std::back_inserter(pieces));
    for (Box& piece : pieces) piece = gathered(piece);
    std::ranges::sort(pieces);
    return pieces;
}

bool tellable(const Line& line) {
    return line.known && !line.moved;
}

}  // namespace

std::vector<std::vector<Box>> by_sources(const std::vector<Box>& boxes) {
    const auto like_first = [&](const Box& box) {
        return box.source == boxes.front().source && box.source.single() && box.destination.single() &&
               box.ports.protocol != Protocol::any && box.direction == boxes.front().direction;
    };
    if (boxes.size() == 1 || std::ranges::all_of(boxes, like_first)) return {boxes};

    const std::vector<Box> pieces = pieces_of(boxes);
    std::map<std::pair<HookFamily, std::vector<Box>>, std::vector<Box>> groups;  // by what is reached
    for (auto at = pieces.begin(); at != pieces.end();) {
        const auto end = std::find_if(at, pieces.end(), [&](const Box& box) {
            return box.direction != at->direction || box.source != at->source ||
                   box.destination.family != at->destination.family;
        });
        std::vector<Box> reached;
        for (auto box = at; box != end; ++box) reached.push_back(without(*box, End::source));
        std::vector<Box>& group = groups[{HookFamily{at->direction, at->source.family}, std::move(reached)}];
        group.insert(group.end(), at, end);
        at = end;
    }
    std::set<HookFamily> kinds;
    for (const auto& [key, group] : groups) kinds.insert(key.first);
    std::vector<std::vector<Box>> out;
    for (auto& [key, group] : groups) {
        // Of each family one list: the same person in both.
        if (out.empty() || kinds.size() != groups.size())
            out.push_back(std::move(group));
        else
            out.front().insert(out.front().end(), group.begin(), group.end());
    }
    for (std::vector<Box>& list : out) std::ranges::sort(list);
    std::ranges::sort(out);
    return out;
}

std::vector<Moved> moved_services(std::vector<Line>& gains, std::vector<Line>& losses) {
    std::map<std::string_view, Moved> services;
    if (losses.empty()) return {};
    for (Line& line : gains)
        if (tellable(line) && !line.words.service.empty()) {
            Moved& service = services[line.words.service];
            service.name = line.words.service;
            service.reached.push_back(&line);
        }
    for (Line& line : losses)
        if (const auto at = services.find(line.words.service); at != services.end() && tellable(line))
            at->second.left.push_back(&line);
    std::vector<Moved> moved;
    for (auto& [name, service] : services)
        if (!service.left.empty() && same_but_for(End::destination, service.left, service.reached))
            moved.push_back(std::move(service));
    return moved;
}

std::vector<Moved> moved_people(std::vector<Line>& gains, std::vector<Line>& losses) {
    std::vector<Moved> moved;
    auto gain = gains.begin();
    auto loss = losses.begin();
    while (gain != gains.end() && loss != losses.end()) {
        if (gain->words < loss->words) {
            ++gain;
        } else if (loss->words < gain->words) {
            ++loss;
        } else {
            Moved pair{.name = gain->words.who, .left = {}, .reached = {}};
            bool known = true;
            const Words words = gain->words;
            const auto take = [&](auto& at, const auto& end, std::vector<Line*>& list) {
                for (; at != end && !(words < at->words); ++at) {
                    known = known && tellable(*at);
                    list.push_back(&*at);
                }
            };
            take(gain, gains.end(), pair.reached);
            take(loss, losses.end(), pair.left);
            if (!known || !same_but_for(End::source, pair.left, pair.reached)) continue;
            if (moved.empty() || moved.back().name != pair.name) {
                moved.push_back(std::move(pair));
                continue;
            }
            const auto append = [](std::vector<Line*>& to, const std::vector<Line*>& from) {
                to.insert(to.end(), from.begin(), from.end());
            };
            append(moved.back().left, pair.left);
            append(moved.back().reached, pair.reached);
        }
    }
    return moved;
}

void mark_other_places(std::vector<Line>& gains, std::vector<Line>& losses) {
    const auto in_order = [](const Line& a, const Line& b) { return a.words < b.words; };
    auto loss = losses.begin();
    for (Line& gain : gains) {
        loss = std::lower_bound(loss, losses.end(), gain, in_order);
        for (auto at = loss; at != losses.end() && !in_order(gain, *at); ++at)
            if (at->boxes.front().source != gain.boxes.front().source) gain.other_place = at->other_place = true;
    }
}

}  // namespace policyc
