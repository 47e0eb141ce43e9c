// The difference of two Rulesets in the policy's words; entry point changes().
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <tuple>

#include "compiler/access.h"
#include "compiler/box_text.h"
#include "compiler/causes.h"
#include "compiler/gaps.h"
#include "compiler/implied.h"
#include "compiler/limits.h"
#include "compiler/lines.h"
#include "compiler/lower.h"
#include "compiler/own_addresses.h"
#include "compiler/own_end.h"
#include "compiler/people.h"
#include "compiler/reasons.h"
#include "compiler/timing.h"
#include "compiler/told_once.h"
#include "policy/text.h"

namespace policyc {

namespace {

using Cause = Change::Cause;

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
        const bool drifted = !same(before, meant);
        old_reach_ = drifted ? &reached(before) : &meant_reach;
        causes_.emplace(now_, *last_, drifted, memory_->arena);
    }

    Changes run(const ir::Ruleset& before, const ir::Ruleset& after) {
        auto [gains, losses] = compare(before, after);
        take_moves(gains.lines, losses.lines);
        out_.reserve(out_.size() + gains.lines.size() + losses.lines.size() + gains.tiers.size() + losses.tiers.size());
        for (const Line& line : gains.lines)
            if (!line.moved) out_.push_back(gain(line));
        for (const Line& line : losses.lines)
            if (!line.moved) out_.push_back(loss(line));
        tell_together(gains.tiers, Change::Kind::gain);
        tell_together(losses.tiers, Change::Kind::loss);
        tell_once(out_, node_name(), memory_->arena);
        return {std::move(memory_), std::move(out_)};
    }

private:
    const ir::Ruleset& lowered(const View& view) {
        if (view.ruleset != nullptr) return *view.ruleset;
        return lowered_.emplace_back(lower(*view.policy, *view.addresses, view.node, view.today, view.layout));
    }

    const Reach& reached(const ir::Ruleset& ruleset) { return memory_->reaches.emplace_back(reach_of(ruleset)); }

    // What comes and what goes.
    std::pair<Missing, Missing> compare(const ir::Ruleset& before, const ir::Ruleset& after) {
        // Where judging itself begins or ends, a permission that comes or goes is no gain or loss; a first table is shown whole.
        constexpr std::array directions{Direction::forward, Direction::input, Direction::output};
        std::vector<Direction> one_sided;
        if (std::ranges::any_of(directions, [&](Direction direction) { return judges(before, direction); }))
            for (const Direction direction : directions)
                if (judges(before, direction) != judges(after, direction)) one_sided.push_back(direction);
        const auto missing = [&](const Reach& from, const Reach& in, const OwnAddresses& own) {
            const Compiled& names = &from == &new_reach_ || !last_ ? now_ : *last_;
            Gaps found =
                gaps(from, in, own, [&](std::uint32_t tier, const Range& source) { return names.cut(tier, source); });
            const View* last = last_ ? &last_->view() : nullptr;
            if (&in == &new_reach_) take_out_unlisted(now_.view(), last, found);
            if (&in != &new_reach_ && last != nullptr) take_out_unlisted(*last, &now_.view(), found);
            if (before.chains.empty()) Beside(now_.view(), nullptr).take_out(found);
            const auto no_news = [&](Direction of) { return std::ranges::find(one_sided, of) != one_sided.end(); };
            std::erase_if(found.boxes, [&](const Gap& gap) { return no_news(gap.box->direction); });
            if (no_news(Direction::forward)) found.tiers.clear();
            memory_->multiplied.push_back(std::move(found.multiplied));
            return Missing{lines(found.boxes, &in == &new_reach_ ? Change::Kind::loss : Change::Kind::gain),
                           std::move(found.tiers)};
        };
        const std::vector<Range> mine = own_addresses(now_.view());
        const std::vector<Range> then = last_ ? own_addresses(last_->view()) : mine;
        OwnAddresses own{
            .all = mine,
            .judged = mine,
            .receiving = std::ranges::find(one_sided, Direction::input) == one_sided.end(),
            .sending = before.chains.empty() || (judges(before, Direction::output) && judges(after, Direction::output)),
            .served = served_networks(now_.view())};
        if (last_) std::ranges::copy(served_networks(last_->view()), std::back_inserter(own.served));
        own.served = AddressSet(std::move(own.served)).ranges();
        own.all.insert(own.all.end(), then.begin(), then.end());
        Missing lost = missing(*old_reach_, new_reach_, own);
        // What was another host's was not judged as this one's.
        std::erase_if(own.judged, [&](const Range& a) { return std::ranges::find(then, a) == then.end(); });
        return {missing(new_reach_, *old_reach_, own), std::move(lost)};
    }

    std::string_view keep(std::string_view text) { return memory_->arena.keep(text); }
    std::span<const Box> keep(std::span<const Box> boxes) { return memory_->arena.keep(boxes); }

    // By the policy that the change is of, or else by the other one, whose lines are none of that.
    [[nodiscard]] std::optional<Words> find(const Box& box, Change::Kind kind) const {
        const bool gain = kind == Change::Kind::gain || !last_;
        std::optional<Words> words = (gain ? now_ : *last_).find(box);
        if (words || !last_) return words;
        words = (gain ? *last_ : now_).find(box);
        if (words) words->span = {};
        return words;
    }

    // By person and service, by why they come or go, and by the line of the policy.
    std::vector<Line> lines(const std::vector<Gap>& gaps, Change::Kind kind) {
        struct Part {
            Line line;
            const Box* whole;
            std::pair<std::uint32_t, std::size_t> place;  // file and line
            [[nodiscard]] auto key() const {
                return std::tie(line.words.who, line.words.service, line.known, line.cause, line.expired, place);
            }
            bool operator<(const Part& other) const { return key() < other.key(); }
        };
        std::vector<Part> parts;
        parts.reserve(gaps.size());
        for (const Gap& gap : gaps) {
            const std::optional<Words> words = find(*gap.box, kind);
            Line line{.words = words ? *words : guess(*gap.box),
                      .boxes = gap.missing(),
                      .known = words.has_value(),
                      .cut = !gap.pieces.empty()};
            const auto place = words ? place_of(*words, kind) : std::pair<std::uint32_t, std::size_t>();
            for (const Line& one : by_cause(line, kind)) parts.push_back({one, gap.box, place});
        }
        if (!std::is_sorted(parts.begin(), parts.end())) std::stable_sort(parts.begin(), parts.end());

        std::vector<Line> out;
        out.reserve(parts.size());
        for (auto part = parts.begin(); part != parts.end();) {
            const Part& first = *part;
            const auto end = std::find_if(part, parts.end(), [&](const Part& p) { return first < p; });
            Line line = first.line;
            const bool person = first.whole->source.single() && first.whole->direction != Direction::output;
            if (end - part == 1 && (!line.cut || person)) {
                if (line.cut) line.boxes = keep(line.boxes);
                out.push_back(line);
            } else {
                std::vector<Box> boxes;
                bool cut = false;
                for (; part != end; ++part) {
                    std::ranges::copy(part->line.boxes, std::back_inserter(boxes));
                    cut = cut || part->line.cut;
                }
                const std::vector<std::vector<Box>> lists = by_sources(boxes);
                line.cut = cut || lists.size() > 1 || lists.front() != boxes;
                for (const std::vector<Box>& list : lists) {
                    line.boxes = keep(list);
                    out.push_back(line);
                }
            }
            part = end;
        }
        return out;
    }

    Words guess(const Box& box) {
        if (!guesses_) guesses_.emplace(now_.view());
        return guesses_->of(box, memory_->arena);
    }

    [[nodiscard]] std::pair<std::uint32_t, std::size_t> place_of(const Words& words, Change::Kind kind) const {
        if (!words.span.valid()) return {};
        const View& view = (kind == Change::Kind::gain || !last_ ? now_ : *last_).view();
        return {words.span.file, view.sources->line_number(words.span.file, words.span.begin)};
    }

    // For each reason one line; the first of the sources stands for all.
    void tell_together(const std::vector<WideGap>& gaps, Change::Kind kind) {
        for (const WideGap& wide : gaps) {
            std::map<std::pair<Cause, bool>, WideGap> reasons;
            for (const Area& area : wide.areas) {
                const std::vector<Line> parts = by_cause(line_of(area.from(wide.sources.front()), kind), kind);
                const bool one = parts.size() == 1;
                WideGap& part = reasons[{one ? parts.front().cause : Cause::edit, one && parts.front().expired}];
                part.areas.push_back(area);
            }
            for (auto& [reason, part] : reasons) {
                part.sources = wide.sources;
                std::vector<Box> boxes;
                for (const Area& area : part.areas) boxes.push_back(area.from(wide.sources.front()));
                Line line = line_of(boxes.front(), kind);
                std::tie(line.cause, line.expired) = reason;
                line.boxes = keep(boxes);
                out_.push_back(together(part, kind == Change::Kind::gain ? gain(line) : loss(line)));
            }
        }
    }

    Line line_of(const Box& box, Change::Kind kind) {
        const std::optional<Words> words = find(box, kind);
        return {.words = words ? *words : guess(box), .boxes = keep(std::span(&box, 1)), .known = words.has_value()};
    }

    std::vector<Line> by_cause(const Line& line, Change::Kind kind) {
        return causes_ ? causes_->split(line, kind) : std::vector{line};
    }

    // "laptop and 499 more" gain "grafana and 999 more".
    Change together(const WideGap& wide, Change change) {
        std::set<std::string_view> services;
        for (const Area& area : wide.areas) {
            const Box box = area.from(wide.sources.front());
            const std::optional<Words> words = find(box, change.kind);
            services.insert(words ? words->service : guess(box).service);
        }
        const auto more = [&](std::string_view& first, std::size_t all) {
            if (all > 1) first = keep(fmt::format("{} and {} more", first, all - 1));
        };
        place_at_tier(wide, change);
        more(change.who, wide.sources.size());
        more(change.service, services.size());
        change.people = memory_->arena.keep(std::span<const Range>(wide.sources));
        return change;
    }

    // Entries of several lines are told with the line of the tier that holds them all, or with none.
    void place_at_tier(const WideGap& wide, Change& change) {
        if (change.file.empty()) return;
        std::set<std::pair<std::uint32_t, std::size_t>> lines;
        std::set<std::string_view> holders;
        const Compiled& in = change.kind == Change::Kind::gain || !last_ ? now_ : *last_;
        for (const Area& area : wide.areas)
            if (const std::optional<Words> words = find(area.from(wide.sources.front()), change.kind)) {
                lines.insert(place_of(*words, change.kind));
                holders.insert(in.holder(words->span));
            }
        if (lines.size() < 2) return;
        change.file = {};
        change.line = 0;
        if (holders.size() != 1) return;
        // Of what is in the new policy and not in force, that is the line: it was said to be there.
        const bool still = change.cause == Cause::dns || change.reason == "expired";
        for (const Compiled* compiled : {still ? &now_ : &in, &in})
            for (const Tier& tier : compiled->view().policy->tiers)
                if (change.file.empty() && "tiers." + tier.name == *holders.begin())
                    place(change, *compiled, tier.span);
    }

    void take_moves(std::vector<Line>& gains, std::vector<Line>& losses) {
        if (!last_) return;
        for (const Moved& moved : moved_services(gains, losses)) {
            const std::string_view old_host = last_->host_name(moved.name);
            const std::string_view new_host = now_.host_name(moved.name);
            const bool same_name = !old_host.empty() && old_host == new_host;
            const auto by_dns = [](const Line* line) { return line->cause == Cause::dns; };
            if ((same_name && !std::ranges::all_of(moved.reached, by_dns)) || !same_rates(moved)) continue;
            Change change = move(moved, &Box::destination);
            change.service = keep(moved.name);
            if (same_name) {
                change.cause = Cause::dns;
                change.reason = dns_reason(moved.name);
            } else {
                place(change, now_, moved.reached.front()->words.span);
                change.reason = "its host was edited";
            }
            out_.push_back(change);
        }
        for (const Moved& moved : moved_people(gains, losses)) {
            if (!same_rates(moved)) continue;
            Change change = move(moved, &Box::source);
            change.who = keep(moved.name);
            place(change, now_, now_people().place_of(moved.name).value_or(moved.reached.front()->words.span));
            change.reason = "its address was edited";
            out_.push_back(change);
        }
        mark_other_places(gains, losses);
    }

    bool same_rates(const Moved& moved) {
        const auto rates_of = [](std::optional<Rates>& rates, const View& view, const std::vector<Line*>& lines) {
            if (!rates) rates.emplace(view);
            std::multiset<std::string> all;
            for (const Line* line : lines)
                for (const Box& box : line->boxes) all.insert(rates->of(box));
            return all;
        };
        return rates_of(last_rates_, last_->view(), moved.left) == rates_of(now_rates_, now_.view(), moved.reached);
    }

    Change move(const Moved& moved, Range Box::*end) {
        const auto text = [&](std::span<const Box> boxes) {
            std::set<Range> ranges;
            for (const Box& box : boxes) ranges.insert(box.*end);
            std::vector<std::string> texts;
            for (const Range& range : ranges) texts.push_back(to_string(range));
            return few(texts);
        };
        for (Line* line : moved.left) line->moved = true;
        for (Line* line : moved.reached) line->moved = true;
        Change change{.kind = Change::Kind::move, .cause = Cause::edit};
        change.destination =
            keep(fmt::format("{} -> {}", text(moved.left.front()->boxes), text(moved.reached.front()->boxes)));
        change.boxes = all_boxes(moved.reached);
        change.left = all_boxes(moved.left);
        return change;
    }

    std::string_view dns_reason(std::string_view service) {
        return keep(reason_of_answer(now_.view(), std::string(now_.host_name(service))));
    }

    std::span<const Box> all_boxes(const std::vector<Line*>& lines) {
        std::vector<Box> boxes;
        for (const Line* line : lines) boxes.insert(boxes.end(), line->boxes.begin(), line->boxes.end());
        return keep(boxes);
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

    const People& now_people() { return now_people_ ? *now_people_ : now_people_.emplace(now_.view()); }
    const People& last_people() {
        if (!last_) return now_people();
        return last_people_ ? *last_people_ : last_people_.emplace(last_->view());
    }

    // Before anything is known of the reason.
    Change begin(Change::Kind kind, const Line& line) {
        Change change{.kind = kind,
                      .cause = line.cause,
                      .who = keep(line.words.who),
                      .service = keep(line.words.service),
                      .destination = keep(destinations_text(line.boxes, node_name())),
                      .boxes = line.boxes};
        const bool gains = kind == Change::Kind::gain;
        const bool moved = last_ && has_moved(line, gains ? last_people() : now_people(), gains ? *last_ : now_);
        name_people(change, line, gains ? now_people() : last_people(), line.other_place || moved);
        return change;
    }

    // Whether it is of a person who has the same on the other side, at another address.
    [[nodiscard]] bool has_moved(const Line& line, const People& people, const Compiled& other) const {
        if (line.boxes.front().direction == Direction::output || !people.one_person(line.words.who)) return false;
        if (!other.find(line.words)) return false;
        return std::ranges::any_of(line.boxes,
                                   [&](const Box& box) { return !people.lives_at(line.words.who, box.source); });
    }

    // A network may gain or lose something in part, and there are people in it.
    void name_people(Change& change, const Line& line, const People& people, bool elsewhere) {
        const std::string_view label = line.words.who;
        const Direction direction = line.boxes.front().direction;
        if (direction == Direction::output) return name_own(change, line);
        if (label != one_person_ && people.one_person(label)) one_person_ = label;
        if (label == one_person_ && !elsewhere && direction == Direction::forward) return;
        std::vector<Range> ranges;
        for (const Box& box : line.boxes) ranges.push_back(box.source);
        const People::Called called =
            people.called(label, AddressSet(std::move(ranges)), elsewhere, direction == Direction::input);
        change.who = keep(called.who);
        change.among = keep(called.among);
    }

    // Several entries may have the same words: the one that the boxes are of, where it is known.
    static const Span& span_of(const Words& words, const Line& line) {
        return line.words.span.valid() ? line.words.span : words.span;
    }

    // This host sends from any of its addresses, of which some may be left out.
    void name_own(Change& change, const Line& line) {
        std::set<std::string> except;
        std::set<std::string> only;
        for (const AtHost& one : at_host(line.boxes)) {
            for (const Range& range : one.except) except.insert(to_string(range));
            for (const Range& range : one.only) only.insert(to_string(range));
        }
        const auto few_of = [](const std::set<std::string>& texts) { return few({texts.begin(), texts.end()}); };
        if (!except.empty()) change.who = keep(fmt::format("{} but {}", line.words.who, few_of(except)));
        if (!only.empty()) change.among = keep(fmt::format("({})", few_of(only)));
    }

    Change gain(const Line& line) {
        Change change = begin(Change::Kind::gain, line);
        if (const std::optional<Words> mine = now_.find(line.words)) {
            const Span& span = span_of(*mine, line);
            place(change, now_, span);
            change.reason = keep(now_.holder(span));
        }
        if (line.cause == Cause::drift) change.reason = "was taken out of the kernel, not by policyc";
        if (line.cause == Cause::dns) change.reason = dns_reason(line.words.service);
        return change;
    }

    Change loss(const Line& line) {
        Change change = begin(Change::Kind::loss, line);
        change.reason = "removed";
        if (!last_) return change;
        if (line.cause == Cause::drift) {
            change.reason = "in the kernel, not from policyc";
            return change;
        }
        const std::optional<Words> old = last_->find(line.words);
        if (!old) return change;
        if (line.cause == Cause::dns) {
            const std::string host(last_->host_name(line.words.service));
            if (!is_gone(now_.view(), host)) {
                change.reason = dns_reason(line.words.service);
                return change;
            }
            const Compiled& then = *causes_->with_old_addresses();
            if (const auto still = then.find(*old)) place(change, then, still->span);
            change.reason = keep(reason_gone(now_.view(), host));
            return change;
        }
        if (line.expired) {
            change.reason = "expired";
            const Compiled& earlier = *causes_->before_any_expiry();
            auto still = earlier.find(line.boxes.front());
            if (!still) still = earlier.find(*old);
            if (still)
                place(change, earlier, still->span);
            else
                place(change, *last_, span_of(*old, line));
            return change;
        }
        place(change, *last_, span_of(*old, line));
        const std::optional<Words> mine = now_.find(line.words);
        const std::string_view holder = last_->holder(span_of(*old, line));
        if (mine && has_moved(line, now_people(), now_)) {
            place(change, now_, now_people().place_of(line.words.who).value_or(mine->span));
            change.reason = "its address was edited";
            return change;
        }
        if (mine && now_.holder(mine->span) == holder) change.reason = "edited";
        if (const std::string_view asleep = reason_asleep(now_.view(), holder); !asleep.empty()) change.reason = asleep;
        return change;
    }

    std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
    std::string_view file_;        // the last one that was kept there
    std::string_view one_person_;  // the last one that was found to be a node
    std::deque<ir::Ruleset> lowered_;
    const Reach& new_reach_;
    const Reach* old_reach_ = nullptr;
    Compiled now_;
    std::optional<Compiled> last_;
    std::optional<Causes> causes_;                    // where there is a last one
    std::optional<People> now_people_, last_people_;  // made when they are first asked
    std::optional<Rates> now_rates_, last_rates_;     // likewise
    std::optional<Guesses> guesses_;                  // likewise
    std::vector<Change> out_;
};

}  // namespace

Changes changes(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                const std::optional<View>& old_view) {
    Difference both = timed("both", [&] { return Difference(before, after, new_view, old_view); });
    return timed("compare", [&] { return both.run(before, after); });
}

}  // namespace policyc
