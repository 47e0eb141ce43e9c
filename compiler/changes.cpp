// The difference of two Rulesets in the policy's words; entry point changes().
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "compiler/access.h"
#include "compiler/gaps.h"
#include "compiler/lower.h"
#include "compiler/time_text.h"
#include "compiler/words.h"
#include "policy/belief.h"
#include "policy/text.h"

namespace policyc {

namespace {

using Cause = Change::Cause;

// One person and one service, and the boxes between them that come or go.
struct Line {
    Words words;
    std::span<const Box> boxes;
    bool known = false;  // some policy, the new or the last one, has these words
    bool moved = false;  // told already, as part of a move
};

// What the changes refer to.
struct Memory {
    Arena arena;
    std::deque<Reach> reaches;
    std::deque<std::deque<Box>> multiplied;  // of gaps()
};

// What one side has and the other doesn't.
struct Missing {
    std::vector<Line> lines;  // sorted by words
    std::vector<WideGap> tiers;
};

bool comes_first(const Change& a, const Change& b) {
    const auto key = [](const Change& c) {
        return std::tie(c.kind, c.cause, c.who, c.service, c.destination, c.file, c.line, c.reason);
    };
    if (key(a) != key(b)) return key(a) < key(b);
    if (!std::ranges::equal(a.boxes, b.boxes)) return std::ranges::lexicographical_compare(a.boxes, b.boxes);
    if (!std::ranges::equal(a.left, b.left)) return std::ranges::lexicographical_compare(a.left, b.left);
    return std::ranges::lexicographical_compare(a.people, b.people);
}

void add_box(std::string& text, const Box& box, const std::string& node) {
    const Range& to = box.destination;
    const bool brackets = to.family == Family::ipv6 && to.single();
    if (box.direction == Direction::input)
        text += node;
    else
        text.append(brackets ? "[" : "").append(to_string(to)).append(brackets ? "]" : "");
    text.append(":").append(to_string(box.ports));
}

// Boxes that differ in their ports alone, and those are neighbours, as one.
std::vector<Box> with_ports_joined(std::span<const Box> boxes) {
    std::vector<Box> sorted(boxes.begin(), boxes.end());
    std::ranges::sort(sorted);
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

std::string joined(std::span<const Box> boxes, const std::string& node) {
    constexpr std::size_t shown = 3;
    std::string out;
    if (boxes.size() == 1) {
        add_box(out, boxes.front(), node);
        return out;
    }
    std::vector<std::string> texts;
    for (const Box& box : with_ports_joined(boxes)) {
        std::string text;
        add_box(text, box, node);
        if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
    }
    return few(texts, shown);
}

class Difference {
public:
    Difference(const ir::Ruleset& before, const ir::Ruleset& after, const View& view, const std::optional<View>& last)
        : new_reach_(reached(after)), now_(view, after, new_reach_) {
        if (!last) {
            old_reach_ = &reached(before);
            return;
        }
        const ir::Ruleset& meant = lowered(*last);
        const Reach& meant_reach = reached(meant);
        last_.emplace(*last, meant, meant_reach);
        old_reach_ = same(before, meant) ? &meant_reach : &reached(before);
        addresses_changed_ = *last->addresses != *view.addresses;
    }

    Changes run(const ir::Ruleset& before, const ir::Ruleset& after) {
        auto [gains, losses] = compare(before, after);
        take_moves(gains.lines, losses.lines);
        out_.reserve(out_.size() + gains.lines.size() + losses.lines.size() + gains.tiers.size() + losses.tiers.size());
        for (const Line& line : gains.lines)
            if (!line.moved) out_.push_back(gain(line));
        for (const Line& line : losses.lines)
            if (!line.moved) out_.push_back(loss(line));
        for (const WideGap& wide : gains.tiers) out_.push_back(together(wide, gain(line_of(wide))));
        for (const WideGap& wide : losses.tiers) out_.push_back(together(wide, loss(line_of(wide))));
        if (!std::ranges::is_sorted(out_, comes_first)) std::ranges::sort(out_, comes_first);
        return {std::move(memory_), std::move(out_)};
    }

private:
    const ir::Ruleset& lowered(const View& view) {
        if (view.ruleset != nullptr) return *view.ruleset;
        return lowered_.emplace_back(lower(*view.policy, *view.addresses, view.node, view.today, view.layout));
    }

    const Reach& reached(const ir::Ruleset& ruleset) { return memory_->reaches.emplace_back(reach_of(ruleset)); }

    void compile(std::optional<Compiled>& compiled, const View& view) {
        const ir::Ruleset& ruleset = lowered(view);
        compiled.emplace(view, ruleset, reached(ruleset));
    }

    // What comes and what goes.
    std::pair<Missing, Missing> compare(const ir::Ruleset& before, const ir::Ruleset& after) {
        // Where judging itself begins or ends, a permission that comes or goes is no gain or loss; a first table is shown whole.
        std::vector<Direction> one_sided;
        if (!before.chains.empty())
            for (const Direction direction : {Direction::forward, Direction::input, Direction::output})
                if (judges(before, direction) != judges(after, direction)) one_sided.push_back(direction);
        const auto missing = [&](const Reach& from, const Reach& in) {
            Gaps found = gaps(from, in);
            const auto no_news = [&](Direction of) { return std::ranges::find(one_sided, of) != one_sided.end(); };
            std::erase_if(found.boxes, [&](const Gap& gap) { return no_news(gap.box->direction); });
            if (no_news(Direction::forward)) found.tiers.clear();
            memory_->multiplied.push_back(std::move(found.multiplied));
            return Missing{lines(found.boxes), std::move(found.tiers)};
        };
        Missing gained = missing(new_reach_, *old_reach_);
        return {std::move(gained), missing(*old_reach_, new_reach_)};
    }

    std::string_view keep(std::string_view text) { return memory_->arena.keep(text); }
    std::span<const Box> keep(std::span<const Box> boxes) { return memory_->arena.keep(boxes); }

    [[nodiscard]] std::optional<Words> find(const Box& box) const {
        std::optional<Words> words = now_.find(box);
        if (!words && last_) words = last_->find(box);
        return words;
    }

    // By person and service.
    std::vector<Line> lines(const std::vector<Gap>& gaps) {
        struct Part {
            Words words;
            const Gap* gap;
            bool known;
        };
        std::vector<Part> parts;
        parts.reserve(gaps.size());
        for (const Gap& gap : gaps) {
            const std::optional<Words> words = find(*gap.box);
            parts.push_back({words ? *words : guess(*gap.box, now_.view(), memory_->arena), &gap, words.has_value()});
        }
        const auto by_words = [](const Part& a, const Part& b) { return a.words < b.words; };
        if (!std::ranges::is_sorted(parts, by_words)) std::ranges::stable_sort(parts, by_words);

        std::vector<Line> out;
        out.reserve(parts.size());
        std::vector<Box> boxes;
        for (auto part = parts.begin(); part != parts.end();) {
            const Part& first = *part;
            const auto end = std::find_if(part, parts.end(), [&](const Part& p) { return first.words < p.words; });
            std::span<const Box> all = first.gap->missing();
            if (end - part > 1 || !first.gap->pieces.empty()) {
                boxes.clear();
                for (; part != end; ++part) std::ranges::copy(part->gap->missing(), std::back_inserter(boxes));
                all = keep(boxes);
            }
            out.push_back({.words = first.words, .boxes = all, .known = first.known});
            part = end;
        }
        return out;
    }

    // The first of the sources stands for all.
    Line line_of(const WideGap& wide) {
        std::vector<Box> boxes;
        for (const Area& area : wide.areas) boxes.push_back(area.from(wide.sources.front()));
        const std::optional<Words> words = find(boxes.front());
        return {.words = words ? *words : guess(boxes.front(), now_.view(), memory_->arena),
                .boxes = keep(boxes),
                .known = words.has_value()};
    }

    // "laptop and 499 more" gain "grafana and 999 more".
    Change together(const WideGap& wide, Change change) {
        std::set<std::string_view> services;
        for (const Area& area : wide.areas) {
            const Box box = area.from(wide.sources.front());
            const std::optional<Words> words = find(box);
            services.insert(words ? words->service : guess(box, now_.view(), memory_->arena).service);
        }
        const auto more = [&](std::string_view& first, std::size_t all) {
            if (all > 1) first = keep(fmt::format("{} and {} more", first, all - 1));
        };
        more(change.who, wide.sources.size());
        more(change.service, services.size());
        change.people = memory_->arena.keep(std::span<const Range>(wide.sources));
        return change;
    }

    // A service that everybody who is concerned loses at one address and gains at another has moved.
    void take_moves(std::vector<Line>& gains, std::vector<Line>& losses) {
        if (!last_) return;
        std::map<std::string_view, std::vector<Line*>> by_service;
        for (Line& line : losses)
            if (!last_->host_name(line.words.service).empty()) by_service[line.words.service].push_back(&line);
        if (by_service.empty()) return;
        std::map<std::string_view, std::size_t> gaining;
        for (const Line& line : gains)
            if (by_service.contains(line.words.service)) ++gaining[line.words.service];
        for (const auto& [service, left] : by_service) {
            const std::string_view old_host = last_->host_name(service);
            const std::string_view new_host = now_.host_name(service);
            if (service.empty() || new_host.empty() || gaining[service] != left.size()) continue;
            std::vector<Line*> reached;
            for (const Line* line : left) {
                const auto same = std::ranges::lower_bound(gains, line->words, std::less(), &Line::words);
                if (line->known && same != gains.end() && !(line->words < same->words)) reached.push_back(&*same);
            }
            if (reached.size() != left.size() || !same_but_for_destinations(left, reached)) continue;
            if (old_host == new_host &&
                !std::ranges::all_of(reached, [&](const Line* line) { return came_by_dns(*line); }))
                continue;
            Change change{.kind = Change::Kind::move,
                          .cause = old_host == new_host ? Cause::dns : Cause::edit,
                          .service = keep(service)};
            change.destination =
                keep(fmt::format("{} -> {}", hosts(left.front()->boxes), hosts(reached.front()->boxes)));
            change.boxes = all_boxes(reached);
            change.left = all_boxes(left);
            if (change.cause == Cause::dns) {
                change.reason = dns_reason(service);
            } else {
                place(change, now_, reached.front()->words.span);
                change.reason = "its host was edited";
            }
            out_.push_back(change);
            for (Line* line : left) line->moved = true;
            for (Line* line : reached) line->moved = true;
        }
    }

    // Whether each person has the same ports there that were left, at as many addresses.
    static bool same_but_for_destinations(const std::vector<Line*>& left, const std::vector<Line*>& reached) {
        const auto shape = [](std::span<const Box> boxes) {
            std::multiset<std::tuple<Direction, Range, Ports, Family>> all;
            for (const Box& box : boxes) all.insert({box.direction, box.source, box.ports, box.destination.family});
            return all;
        };
        for (std::size_t i = 0; i < left.size(); ++i)
            if (shape(left[i]->boxes) != shape(reached[i]->boxes)) return false;
        return true;
    }

    // Whether the last policy allows all of it too, with the addresses of now.
    bool came_by_dns(const Line& line) {
        if (!last_ || now_.host_name(line.words.service).empty() || !addresses_changed_) return false;
        if (!last_with_new_addresses_) {
            View view = last_->view();
            view.addresses = now_.view().addresses;
            view.ruleset = nullptr;
            compile(last_with_new_addresses_, view);
        }
        return std::ranges::all_of(line.boxes,
                                   [&](const Box& box) { return last_with_new_addresses_->find(box).has_value(); });
    }

    // Whether the new policy would allow all of it, with the addresses of the last one.
    bool went_by_dns(const Line& line) {
        if (last_->host_name(line.words.service).empty() || !addresses_changed_) return false;
        return std::ranges::all_of(line.boxes,
                                   [&](const Box& box) { return with_old_addresses().find(box).has_value(); });
    }

    std::span<const Box> all_boxes(const std::vector<Line*>& lines) {
        std::vector<Box> boxes;
        for (const Line* line : lines) boxes.insert(boxes.end(), line->boxes.begin(), line->boxes.end());
        return keep(boxes);
    }

    static std::string hosts(std::span<const Box> boxes) {
        std::set<Range> ranges;
        for (const Box& box : boxes) ranges.insert(box.destination);
        std::string out;
        for (const Range& range : ranges) out += fmt::format("{}{}", out.empty() ? "" : ", ", to_string(range));
        return out;
    }

    std::string_view dns_reason(std::string_view service) {
        const Lock* lock = now_.view().lock;
        if (lock == nullptr) return "DNS";
        const auto entry = lock->find(std::string(now_.host_name(service)));
        if (entry == lock->end()) return "DNS";
        return keep(fmt::format("DNS, locked {} ago", about(now_.view().now - entry->second.resolved)));
    }

    void place(Change& change, const Compiled& compiled, const Span& span) {
        if (!span.valid()) return;
        const Sources& sources = *compiled.view().sources;
        // Most are of the file of the one before.
        if (file_ != sources.name(span.file)) file_ = keep(sources.name(span.file));
        change.file = file_;
        change.line = sources.line_number(span.file, span.begin);
    }

    [[nodiscard]] const std::string& node_name() const { return now_.view().policy->nodes[now_.view().node].name; }

    // Before anything is known of the reason.
    Change begin(Change::Kind kind, const Line& line) {
        return {.kind = kind,
                .cause = Cause::edit,
                .who = keep(line.words.who),
                .service = keep(line.words.service),
                .destination = keep(joined(line.boxes, node_name())),
                .boxes = line.boxes};
    }

    Change gain(const Line& line) {
        Change change = begin(Change::Kind::gain, line);
        const std::optional<Words> mine = now_.find(line.words);
        if (!mine) return change;
        place(change, now_, mine->span);
        change.reason = keep(now_.holder(mine->span));
        if (!last_) return change;
        // The policy had this permission already: either the name got another address, or somebody took it out of the kernel.
        const bool there =
            std::ranges::all_of(line.boxes, [&](const Box& box) { return last_->find(box).has_value(); });
        if (there) {
            change.cause = Cause::drift;
            change.reason = "was taken out of the kernel, not by policyc";
        } else if (came_by_dns(line)) {
            change.cause = Cause::dns;
            change.reason = dns_reason(line.words.service);
        }
        return change;
    }

    Change loss(const Line& line) {
        Change change = begin(Change::Kind::loss, line);
        change.reason = "removed";
        if (!last_) return change;
        const std::optional<Words> old = last_->find(line.words);
        if (!line.known || !old) {
            change.cause = Cause::drift;
            change.reason = "in the kernel, not from policyc";
            return change;
        }
        if (went_by_dns(line)) {
            const std::string host(last_->host_name(line.words.service));
            change.cause = Cause::dns;
            if (!is_gone(host)) {
                change.reason = dns_reason(line.words.service);
                return change;
            }
            if (const auto still = with_old_addresses().find(*old)) place(change, *with_old_addresses_, still->span);
            change.reason = keep(reason_gone(host));
            return change;
        }
        if (const auto still = now_.find(line.words) ? std::nullopt : before_any_expiry().find(line.words)) {
            place(change, *before_any_expiry_, still->span);
            change.reason = "expired";
            return change;
        }
        place(change, *last_, old->span);
        if (now_.find(line.words)) change.reason = "edited";
        return change;
    }

    [[nodiscard]] bool is_gone(const std::string& host) const {
        const auto found = now_.view().addresses->find(host);
        return found == now_.view().addresses->end() || found->second.empty();
    }

    [[nodiscard]] std::string reason_gone(const std::string& host) const {
        static const Lock nothing;
        const View& view = now_.view();
        switch (
            absence_of(*view.policy, view.lock != nullptr ? *view.lock : nothing, *view.addresses, host, view.now)) {
            case Absence::unknown: return fmt::format("no address of {} is known", host);
            case Absence::none: return fmt::format("{} has no address any more", host);
            case Absence::too_old: return fmt::format("what is known of {} is older than stale.keep", host);
            case Absence::denied_family: return fmt::format("{} has only IPv6 addresses now", host);
        }
        return {};
    }

    // The new policy on a day when nothing of it had expired.
    const Compiled& before_any_expiry() {
        if (!before_any_expiry_) {
            View view = now_.view();
            view.today = Days{};
            view.ruleset = nullptr;
            compile(before_any_expiry_, view);
        }
        return *before_any_expiry_;
    }

    // The new policy with the addresses of the last one.
    const Compiled& with_old_addresses() {
        if (!with_old_addresses_) {
            View view = now_.view();
            view.addresses = last_->view().addresses;
            view.ruleset = nullptr;
            compile(with_old_addresses_, view);
        }
        return *with_old_addresses_;
    }

    std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
    std::string_view file_;  // the last one that was kept there
    std::deque<ir::Ruleset> lowered_;
    const Reach& new_reach_;
    const Reach* old_reach_ = nullptr;
    Compiled now_;
    std::optional<Compiled> with_old_addresses_;       // made when it is first asked
    std::optional<Compiled> last_with_new_addresses_;  // likewise
    std::optional<Compiled> last_;
    bool addresses_changed_ = false;  // since last_
    std::optional<Compiled> before_any_expiry_;
    std::vector<Change> out_;
};

}  // namespace

Changes changes(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                const std::optional<View>& old_view) {
    return Difference(before, after, new_view, old_view).run(before, after);
}

}  // namespace policyc
