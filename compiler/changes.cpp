// The difference of two Rulesets in the policy's words; entry point changes().
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "compiler/access.h"
#include "compiler/gaps.h"
#include "compiler/lower.h"
#include "compiler/words.h"

namespace policyc {

namespace {

using Kind = Change::Kind;
using Cause = Change::Cause;

// One person and one service, and the boxes between them that come or go.
struct Line {
    Words words;
    std::vector<Box> boxes;
    bool known = false;  // some policy, the new or the last one, has these words
};

std::string age(std::int64_t seconds) {
    if (seconds < 120) return fmt::format("{} s", std::max<std::int64_t>(seconds, 0));
    if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
    if (seconds < 2 * 86400) return fmt::format("{} h", seconds / 3600);
    return fmt::format("{} d", seconds / 86400);
}

std::string address_text(const Range& range) {
    const std::string text = to_string(range);
    return range.family == Family::ipv6 && range.single() ? fmt::format("[{}]", text) : text;
}

std::string box_text(const Box& box, const std::string& node) {
    const std::string host = box.direction == Direction::input ? node : address_text(box.destination);
    return fmt::format("{}:{}", host, to_string(box.ports));
}

// Boxes that differ in their ports alone, and those are neighbours, as one.
std::vector<Box> with_ports_joined(std::vector<Box> boxes) {
    std::ranges::sort(boxes);
    std::vector<Box> out;
    for (const Box& box : boxes) {
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

std::string joined(const std::vector<Box>& boxes, const std::string& node) {
    constexpr std::size_t shown = 3;
    if (boxes.size() == 1) return box_text(boxes.front(), node);
    std::vector<std::string> texts;
    for (const Box& box : with_ports_joined(boxes)) {
        std::string text = box_text(box, node);
        if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
    }
    std::string out;
    for (std::size_t i = 0; i < std::min(shown, texts.size()); ++i)
        out += fmt::format("{}{}", i == 0 ? "" : ", ", texts[i]);
    if (texts.size() > shown) out += fmt::format(" and {} more", texts.size() - shown);
    return out;
}

class Difference {
public:
    Difference(const View& view, const ir::Ruleset& after, const std::optional<View>& last) : now_(view, after) {
        if (!last) return;
        last_.emplace(*last, lower(*last->policy, *last->addresses, last->node, last->today, last->layout));
        if (last->today == view.today) return;
        View then = view;
        then.today = last->today;
        then_.emplace(then, lower(*view.policy, *view.addresses, view.node, then.today, view.layout));
    }

    std::vector<Change> run(const ir::Ruleset& before, const ir::Ruleset& after) {
        Reach old_reach = reach_of(before);
        Reach new_reach = reach_of(after);
        // Where judging itself begins or ends, a permission that comes or goes is no gain or loss; a first table is shown whole.
        if (!before.chains.empty()) {
            const auto one_sided = [&](Direction direction) {
                return judges(before, direction) != judges(after, direction);
            };
            for (Reach* reach : {&old_reach, &new_reach}) {
                std::erase_if(reach->boxes,
                              [&](const LabelledBox& labelled) { return one_sided(labelled.box.direction); });
                if (one_sided(Direction::forward)) reach->tiers.clear();
            }
        }
        const Gaps gained = gaps(new_reach, old_reach);
        const Gaps lost = gaps(old_reach, new_reach);
        std::map<Words, Line> gains = lines(gained);
        std::map<Words, Line> losses = lines(lost);
        take_moves(gains, losses);
        out_.reserve(out_.size() + gains.size() + losses.size() + gained.tiers.size() + lost.tiers.size());
        for (const auto& [words, line] : gains) out_.push_back(gain(line));
        for (const auto& [words, line] : losses) out_.push_back(loss(line));
        for (const WideGap& wide : gained.tiers) out_.push_back(together(wide, gain(line_of(wide))));
        for (const WideGap& wide : lost.tiers) out_.push_back(together(wide, loss(line_of(wide))));
        if (!std::ranges::is_sorted(out_)) std::ranges::sort(out_);
        return std::move(out_);
    }

private:
    [[nodiscard]] std::optional<Words> find(const Box& box) const {
        std::optional<Words> words = now_.find(box);
        if (!words && last_) words = last_->find(box);
        return words;
    }

    // What is missing, by person and service.
    [[nodiscard]] std::map<Words, Line> lines(const Gaps& missing) const {
        std::map<Words, Line> out;
        for (const auto& [box, pieces] : missing.boxes) {
            std::optional<Words> words = find(box);
            const bool known = words.has_value();
            const auto [at, fresh] = out.try_emplace(known ? *std::move(words) : guess(box, now_.view()));
            Line& line = at->second;
            if (fresh) line = {at->first, {}, known};
            line.boxes.insert(line.boxes.end(), pieces.begin(), pieces.end());
        }
        return out;
    }

    // The first of the sources stands for all.
    [[nodiscard]] Line line_of(const WideGap& wide) const {
        Line line;
        for (const Area& area : wide.areas) line.boxes.push_back(area.from(wide.sources.front()));
        const std::optional<Words> words = find(line.boxes.front());
        line.words = words ? *words : guess(line.boxes.front(), now_.view());
        line.known = words.has_value();
        return line;
    }

    // "laptop and 499 more" gain "grafana and 999 more".
    [[nodiscard]] Change together(const WideGap& wide, Change change) const {
        std::set<std::string> services;
        for (const Area& area : wide.areas) {
            const Box box = area.from(wide.sources.front());
            const std::optional<Words> words = find(box);
            services.insert(words ? words->service : guess(box, now_.view()).service);
        }
        const auto more = [](std::string& first, std::size_t all) {
            if (all > 1) first += fmt::format(" and {} more", all - 1);
        };
        more(change.who, wide.sources.size());
        more(change.service, services.size());
        change.people = wide.sources;
        return change;
    }

    // A service that everybody who is concerned loses at one address and gains at another has moved.
    void take_moves(std::map<Words, Line>& gains, std::map<Words, Line>& losses) {
        if (!last_) return;
        std::map<std::string, std::vector<Words>> by_service;
        for (const auto& [words, line] : losses) by_service[words.service].push_back(words);
        std::map<std::string, std::size_t> gaining;
        for (const auto& [words, line] : gains) ++gaining[words.service];
        for (const auto& [service, people] : by_service) {
            const std::string old_host = last_->host_name(service);
            const std::string new_host = now_.host_name(service);
            if (service.empty() || old_host.empty() || new_host.empty()) continue;
            const auto paired = [&](const Words& words) { return gains.contains(words) && losses.at(words).known; };
            if (!std::ranges::all_of(people, paired) || gaining[service] != people.size()) continue;
            const Words& any = people.front();
            Change change{
                .kind = Kind::move, .cause = old_host == new_host ? Cause::dns : Cause::edit, .service = service};
            change.destination = fmt::format("{} -> {}", hosts(losses.at(any).boxes), hosts(gains.at(any).boxes));
            for (const Words& words : people) {
                const std::vector<Box>& to = gains.at(words).boxes;
                const std::vector<Box>& from = losses.at(words).boxes;
                change.boxes.insert(change.boxes.end(), to.begin(), to.end());
                change.left.insert(change.left.end(), from.begin(), from.end());
            }
            if (change.cause == Cause::dns) {
                change.reason = dns_reason(service);
            } else {
                place(change, now_, gains.at(any).words.span);
                change.reason = "its host was edited";
            }
            out_.push_back(std::move(change));
            for (const Words& words : people) {
                gains.erase(words);
                losses.erase(words);
            }
        }
    }

    static std::string hosts(const std::vector<Box>& boxes) {
        std::set<Range> ranges;
        for (const Box& box : boxes) ranges.insert(box.destination);
        std::string out;
        for (const Range& range : ranges) out += fmt::format("{}{}", out.empty() ? "" : ", ", to_string(range));
        return out;
    }

    [[nodiscard]] std::string dns_reason(const std::string& service) const {
        const Lock* lock = now_.view().lock;
        if (lock == nullptr) return "DNS";
        const auto entry = lock->find(now_.host_name(service));
        if (entry == lock->end()) return "DNS";
        return fmt::format("DNS, locked {} ago", age((now_.view().now - entry->second.resolved).count()));
    }

    static void place(Change& change, const Compiled& compiled, const Span& span) {
        if (!span.valid()) return;
        const Sources& sources = *compiled.view().sources;
        change.file = sources.name(span.file);
        change.line = sources.line_number(span.file, span.begin);
    }

    [[nodiscard]] const std::string& node_name() const { return now_.view().policy->nodes[now_.view().node].name; }

    [[nodiscard]] Change gain(const Line& line) const {
        Change change{.kind = Kind::gain, .cause = Cause::edit, .who = line.words.who, .service = line.words.service};
        change.destination = joined(line.boxes, node_name());
        change.boxes = line.boxes;
        const std::optional<Words> mine = now_.find(line.words);
        if (!mine) return change;
        place(change, now_, mine->span);
        change.reason = now_.holder(mine->span);
        if (!last_) return change;
        // The policy had this permission already: either the name got another address, or somebody took it out of the kernel.
        const bool there =
            std::ranges::all_of(line.boxes, [&](const Box& box) { return last_->find(box).has_value(); });
        if (there) {
            change.cause = Cause::drift;
            change.reason = "was taken out of the kernel, not by policyc";
        } else if (last_->find(line.words) && !now_.host_name(line.words.service).empty()) {
            change.cause = Cause::dns;
            change.reason = dns_reason(line.words.service);
        }
        return change;
    }

    [[nodiscard]] Change loss(const Line& line) const {
        Change change{.kind = Kind::loss, .cause = Cause::edit, .who = line.words.who, .service = line.words.service};
        change.destination = joined(line.boxes, node_name());
        change.boxes = line.boxes;
        change.reason = "removed";
        if (!last_) return change;
        const std::optional<Words> old = last_->find(line.words);
        if (!line.known || !old) {
            change.cause = Cause::drift;
            change.reason = "in the kernel, not from policyc";
            return change;
        }
        if (now_.find(line.words) && !now_.host_name(line.words.service).empty()) {
            change.cause = Cause::dns;
            change.reason = dns_reason(line.words.service);
            return change;
        }
        // The policy still says so, and would allow it at the address that its name had.
        if (const std::string host = last_->host_name(line.words.service); !host.empty() && is_gone(host)) {
            if (const auto still = still_written(*old)) {
                place(change, now_, still->span);
                change.cause = Cause::dns;
                change.reason = fmt::format("{} has no address any more", host);
                return change;
            }
        }
        // What the new policy would still allow on the day of the last apply has only expired.
        if (const auto still = then_ && !now_.find(line.words) ? then_->find(line.words) : std::nullopt) {
            place(change, *then_, still->span);
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

    // The words of a permission in the new policy, with the addresses of the last one.
    [[nodiscard]] std::optional<Words> still_written(const Words& words) const {
        if (!with_old_addresses_) {
            View view = now_.view();
            view.addresses = last_->view().addresses;
            with_old_addresses_.emplace(view, lower(*view.policy, *view.addresses, view.node, view.today, view.layout));
        }
        return with_old_addresses_->find(words);
    }

    Compiled now_;
    mutable std::optional<Compiled> with_old_addresses_;  // made when it is first asked
    std::optional<Compiled> last_;
    std::optional<Compiled> then_;  // the new policy on the day of the last apply, where that is another day
    std::vector<Change> out_;
};

}  // namespace

std::vector<Change> changes(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                            const std::optional<View>& old_view) {
    return Difference(new_view, after, old_view).run(before, after);
}

}  // namespace policyc
