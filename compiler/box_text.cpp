// Lists boxes, or says what they leave out where that is shorter; entry points in box_text.h.
#include "compiler/box_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "compiler/box.h"
#include "compiler/own_end.h"
#include "policy/text.h"

namespace policyc {

namespace {

constexpr std::size_t items_shown = 3;
constexpr std::size_t most_looked_at = 64;  // boxes of which it is asked what they leave out
constexpr Ports any_protocol{Protocol::any, 0, 0};

std::string ports_text(const Box& box) {
    if (box.others) return "* but */tcp, */udp, ping";
    Ports ports = box.ports;
    if (ports.lo == 0 && ports.hi == UINT16_MAX) ports.lo = 1;
    return to_string(ports);
}

std::string host_text(const Box& box, const std::string& here) {
    if (box.direction == Direction::input && !of_some_addresses(box)) return here;
    const bool brackets = box.destination.family == Family::ipv6 && box.destination.single();
    return fmt::format("{}{}{}", brackets ? "[" : "", to_string(box.destination), brackets ? "]" : "");
}

std::string box_text(const Box& box, const std::string& here) {
    return host_text(box, here) + ":" + ports_text(box);
}

// Boxes that differ in their ports alone, and those are neighbours, as one.
std::vector<Box> with_ports_joined(const std::vector<Box>& sorted) {
    std::vector<Box> out;
    for (const Box& box : sorted) {
        const bool continues = !out.empty() && out.back().ports.hi != UINT16_MAX && box.ports.lo != 0 &&
                               box.ports.protocol == out.back().ports.protocol &&
                               box.ports.lo == out.back().ports.hi + 1;
        if (continues) {
            Box last = out.back();
            last.ports = box.ports;
            if (last == box) {
                out.back().ports.hi = box.ports.hi;
                continue;
            }
        }
        out.push_back(box);
    }
    return out;
}

// The longest way between two neighbours is where a list falls into two.
template <typename Item, typename RangeOf>
std::size_t widest_gap(std::span<const Item> sorted, const RangeOf& range_of) {
    std::size_t at = 1;
    for (std::size_t i = 2; i < sorted.size(); ++i) {
        const auto way = [&](std::size_t to) { return range_of(sorted[to]).lo - range_of(sorted[to - 1]).hi; };
        if (way(i) > way(at)) at = i;
    }
    return at;
}

// Disjoint boxes of one direction and family, sorted by destination.
class Destinations {
public:
    explicit Destinations(std::string here) : here_(std::move(here)) {}

    void add(std::span<const Box> boxes) {
        std::vector<std::span<const Box>> runs;  // of one destination each
        for (std::size_t i = 0; i < boxes.size();) {
            std::size_t end = i + 1;
            while (end < boxes.size() && boxes[end].destination == boxes[i].destination) ++end;
            runs.push_back(boxes.subspan(i, end - i));
            i = end;
        }
        add_runs(runs);
    }

    // Of what this host receives, and some of it at some of its addresses only. What holds of both families is told once.
    void add_received(std::span<const Box> boxes) {
        std::vector<Less> all;
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            std::vector<Box> received;
            for (const Box& box : boxes)
                if (box.source.family == family) received.push_back(spread(box));
            if (received.empty()) continue;
            received = disjoint(received);
            const bool any = std::ranges::any_of(
                received, [](const Box& box) { return box.ports.protocol == Protocol::any && !box.others; });
            if (std::optional<Less> less = any ? whole_but(received) : std::nullopt) {
                all.push_back(std::move(*less));
                continue;
            }
            for (const AtHost& one : at_host(disjoint_by_ports(received))) {
                Less less{box_text(one.box, here_), {}};
                Box there = one.box;
                for (const Range& range : one.except) {
                    there.destination = range;
                    less.holes.push_back(host_text(there, here_));
                }
                all.push_back(std::move(less));
            }
        }
        for (auto one = all.begin(); one != all.end(); ++one) {
            const auto same = [&](const Less& other) { return other.whole == one->whole; };
            if (std::any_of(all.begin(), one, same)) continue;
            for (auto other = one + 1; other != all.end(); ++other)
                if (same(*other)) one->holes.insert(one->holes.end(), other->holes.begin(), other->holes.end());
            items_.push_back(text_of(*one));
        }
    }

    [[nodiscard]] std::string text() const {
        const bool split = std::ranges::any_of(
            items_, [](const std::string& item) { return item.find(" but ") != std::string::npos; });
        if (!split) return few(items_, items_shown);
        return fmt::format("{}", fmt::join(items_, "; "));
    }

private:
    using Runs = std::span<const std::span<const Box>>;

    // What is meant, and what of it is not.
    struct Less {
        std::string whole;
        std::vector<std::string> holes;
    };

    static std::string text_of(const Less& less) {
        if (less.holes.empty()) return less.whole;
        const bool more = less.whole.find(" but ") != std::string::npos;
        return less.whole + (more ? ", " : " but ") + few(less.holes, items_shown);
    }

    // Of what this host receives, both families have one text.
    void say(std::string item) {
        if (std::ranges::find(items_, item) == items_.end()) items_.push_back(std::move(item));
    }

    void add_runs(Runs runs) {
        const auto range_of = [](std::span<const Box> run) { return run.front().destination; };
        const std::span<const Box> boxes(runs.front().data(), &runs.back().back() + 1);
        if (const std::optional<Less> less = whole_but(boxes)) {
            say(text_of(*less));
        } else if (runs.size() == 1) {
            for (const Box& box : boxes) say(box_text(box, here_));
        } else {
            const std::size_t at = widest_gap(runs, range_of);
            add_runs(runs.first(at));
            add_runs(runs.subspan(at));
        }
    }

    // A network, or any port, with what of it is not in the boxes, where these are fewer words.
    [[nodiscard]] std::optional<Less> whole_but(std::span<const Box> boxes) const {
        Box whole = boxes.front();
        whole.destination.hi = boxes.back().destination.hi;
        if (!whole.destination.single() && !prefix_length(whole.destination)) return std::nullopt;
        const bool any = std::ranges::any_of(boxes, [](const Box& box) { return box.ports.protocol == Protocol::any; });
        whole.others = false;
        if (any) whole.ports = any_protocol;
        const auto like_whole = [&](const Box& box) { return any || box.ports == whole.ports; };
        if (!std::ranges::all_of(boxes, like_whole)) return std::nullopt;
        std::vector<LabelledBox> there;
        for (const Box& box : boxes) there.push_back({box, {}});
        std::vector<Box> holes = BoxIndex(there).uncovered(whole);
        if (std::vector<Box> by_ports = disjoint_by_ports(holes); by_ports.size() < holes.size())
            holes = std::move(by_ports);
        std::ranges::stable_partition(holes, [&](const Box& hole) { return hole.destination == whole.destination; });
        const bool one_host = boxes.front().destination == boxes.back().destination;
        if (one_host ? !any && !holes.empty() : holes.size() >= boxes.size()) return std::nullopt;
        std::vector<std::string> texts;
        for (const Box& hole : holes) {
            if (hole.destination == whole.destination)
                texts.push_back(ports_text(hole));
            else
                texts.push_back(hole.ports == whole.ports && hole.others == whole.others ? host_text(hole, here_)
                                                                                         : box_text(hole, here_));
        }
        return Less{box_text(whole, here_), std::move(texts)};
    }

    std::string here_;
    std::vector<std::string> items_;
};

bool needs_no_cutting(const Box& box) {
    return box.ports.protocol != Protocol::any && box.destination.single();
}

}  // namespace

std::string destinations_text(std::span<const Box> boxes, const std::string& here) {
    if (boxes.size() == 1 && !boxes.front().others) return box_text(boxes.front(), here);
    std::vector<Box> sorted(boxes.begin(), boxes.end());
    for (Box& box : sorted) box.source = {box.source.family, 0, 0};
    std::ranges::sort(sorted);
    const auto repeated = std::ranges::unique(sorted);
    sorted.erase(repeated.begin(), repeated.end());
    if (std::ranges::any_of(
            sorted, [](const Box& box) { return box.direction == Direction::input && of_some_addresses(box); })) {
        Destinations received(here);
        received.add_received(sorted);
        return received.text();
    }
    if (sorted.size() > most_looked_at || std::ranges::all_of(sorted, needs_no_cutting)) {
        // Of what this host receives, both families have one text.
        std::vector<std::string> texts;
        for (const Box& box : with_ports_joined(sorted)) {
            std::string text = box_text(box, here);
            if (box.direction == Direction::forward || std::ranges::find(texts, text) == texts.end())
                texts.push_back(std::move(text));
        }
        return few(texts, items_shown);
    }
    sorted = disjoint(sorted);
    Destinations destinations(here);
    for (auto at = sorted.begin(); at != sorted.end();) {
        const auto end = std::find_if(at, sorted.end(), [&](const Box& box) {
            return box.direction != at->direction || box.destination.family != at->destination.family;
        });
        destinations.add({at, end});
        at = end;
    }
    return destinations.text();
}

std::string ranges_text(const AddressSet& set, const std::function<std::string(const Range&)>& name) {
    std::vector<std::string> items;
    const auto add = [&](const auto& self, std::span<const Range> ranges) -> void {
        const Range whole{ranges.front().family, ranges.front().lo, ranges.back().hi};
        AddressSet holes(std::vector<Range>{whole});
        for (const Range& range : ranges) holes.subtract(range);
        if (ranges.size() == 1) {
            items.push_back(name(whole));
        } else if (prefix_length(whole) && holes.ranges().size() < ranges.size()) {
            std::vector<std::string> texts;
            for (const Range& hole : holes.ranges()) texts.push_back(name(hole));
            items.push_back(name(whole) + " but " + few(texts, items_shown));
        } else {
            const std::size_t at = widest_gap(ranges, [](const Range& range) { return range; });
            self(self, ranges.first(at));
            self(self, ranges.subspan(at));
        }
    };
    for (const Family family : {Family::ipv4, Family::ipv6})
        if (const std::vector<Range> ranges = set.ranges(family); !ranges.empty()) add(add, ranges);
    return few(items, items_shown);
}

}  // namespace policyc
