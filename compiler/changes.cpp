// The difference of two Rulesets in the policy's words; entry point changes().
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "compiler/access.h"
#include "compiler/box.h"
#include "compiler/lower.h"
#include "compiler/permissions.h"

namespace policyc {

namespace {

using Kind = Change::Kind;
using Cause = Change::Cause;

// A permission's person and service as the policy words them, and where it says so.
struct Words {
    std::string who;
    std::string service;
    Span span;
    bool operator<(const Words& other) const { return std::tie(who, service) < std::tie(other.who, other.service); }
};

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

// One policy with its addresses, compiled: the words of each of its boxes.
class Compiled {
public:
    Compiled(const View& view, ir::Ruleset ruleset) : view_(view), ruleset_(std::move(ruleset)) {
        for (const LabelledBox& labelled : labelled_boxes(ruleset_)) {
            Words words = words_of(labelled);
            pairs_.insert(words);
            boxes_.emplace(labelled.box, std::move(words));
        }
    }

    // The words of this very box, or of one that covers it.
    [[nodiscard]] const Words* find(const Box& box) const {
        const auto found = boxes_.find(box);
        return found == boxes_.end() ? nullptr : &found->second;
    }
    // The same person and service, at whatever address.
    [[nodiscard]] const Words* find(const Words& words) const {
        const auto found = pairs_.find(words);
        return found == pairs_.end() ? nullptr : &*found;
    }
    [[nodiscard]] const View& view() const { return view_; }

    // The host name behind a service's label, or "".
    [[nodiscard]] std::string host_name(const std::string& service) const {
        for (const Service& s : view_.policy->services)
            if (s.name == service && std::holds_alternative<HostName>(s.host)) return std::get<HostName>(s.host).name;
        if (view_.addresses->contains(service)) return service;
        return {};
    }

    // "tiers.vpn", "nodes.extgw01.input.ssh": what holds the line.
    [[nodiscard]] std::string holder(const Span& span) const {
        for (const Tier& tier : view_.policy->tiers)
            for (const Target& target : tier.allow)
                if (target.span == span) return "tiers." + tier.name;
        const Node& node = view_.policy->nodes[view_.node];
        for (const Input& input : node.inputs)
            if (input.span == span) return fmt::format("nodes.{}.input.{}", node.name, input.name);
        return fmt::format("nodes.{}.output", node.name);
    }

private:
    [[nodiscard]] Words words_of(const LabelledBox& labelled) const {
        Words words;
        const auto [subject, object] = labelled.cause;
        words.who = subject == ir::Cause::none ? view_.policy->nodes[view_.node].name : ruleset_.subjects[subject].name;
        if (object != ir::Cause::none) {
            words.service = ruleset_.objects[object].name;
            words.span = ruleset_.objects[object].span;
        }
        return words;
    }

    View view_;
    ir::Ruleset ruleset_;
    std::map<Box, Words> boxes_;
    std::set<Words> pairs_;
};

// Names for a box that no policy explains: the nodes and services that bear its addresses, else the addresses themselves.
Words guess(const Box& box, const View& view) {
    Words words;
    if (box.direction == Direction::output)
        words.who = view.policy->nodes[view.node].name;
    else
        words.who = to_string(box.source);
    for (const Node& node : view.policy->nodes)
        for (const auto& address : node.addresses)
            if (box.direction != Direction::output && box.source == range_of(address.value)) words.who = node.name;
    if (box.direction == Direction::input) return words;
    for (const Service& service : view.policy->services)
        for (const Range& host : ranges_of(*view.policy, *view.addresses, service.host))
            if (host == box.destination && std::ranges::find(service.ports, box.ports) != service.ports.end())
                words.service = service.name;
    return words;
}

class Difference {
public:
    Difference(const View& view, const ir::Ruleset& after, const std::optional<View>& last) : now_(view, after) {
        if (!last) return;
        last_.emplace(*last, lower(*last->policy, *last->addresses, last->node, last->today));
        if (last->today == view.today) return;
        View then = view;
        then.today = last->today;
        then_.emplace(then, lower(*view.policy, *view.addresses, view.node, then.today));
    }

    std::vector<Change> run(const ir::Ruleset& before, const ir::Ruleset& after) {
        std::vector<Box> old_boxes = boxes_of(before);
        std::vector<Box> new_boxes = boxes_of(after);
        // Where judging itself begins or ends, a permission that comes or goes is no gain or loss; a first table is shown whole.
        if (!before.chains.empty()) {
            const auto one_sided = [&](const Box& box) {
                return judges(before, box.direction) != judges(after, box.direction);
            };
            std::erase_if(old_boxes, one_sided);
            std::erase_if(new_boxes, one_sided);
        }
        std::map<Words, Line> gains = lines(new_boxes, BoxIndex(old_boxes));
        std::map<Words, Line> losses = lines(old_boxes, BoxIndex(new_boxes));
        take_moves(gains, losses);
        for (const auto& [words, line] : gains) out_.push_back(gain(line));
        for (const auto& [words, line] : losses) out_.push_back(loss(line));
        std::ranges::sort(out_);
        return std::move(out_);
    }

private:
    // What of `from` is not in `in`, by person and service.
    [[nodiscard]] std::map<Words, Line> lines(const std::vector<Box>& from, const BoxIndex& in) const {
        std::map<Words, Line> out;
        for (const Box& box : from) {
            std::vector<Box> pieces = in.uncovered(box);
            if (pieces.empty()) continue;
            const Words* words = now_.find(box);
            if (words == nullptr && last_) words = last_->find(box);
            const Words named = words != nullptr ? *words : guess(box, now_.view());
            Line& line = out.try_emplace(named, Line{named, {}, words != nullptr}).first->second;
            line.boxes.insert(line.boxes.end(), pieces.begin(), pieces.end());
        }
        return out;
    }

    // A service that everybody who is concerned loses at one address and gains at another has moved.
    void take_moves(std::map<Words, Line>& gains, std::map<Words, Line>& losses) {
        if (!last_) return;
        std::map<std::string, std::vector<Words>> by_service;
        for (const auto& [words, line] : losses) by_service[words.service].push_back(words);
        for (const auto& [service, people] : by_service) {
            const std::string old_host = last_->host_name(service);
            const std::string new_host = now_.host_name(service);
            if (service.empty() || old_host.empty() || new_host.empty()) continue;
            const auto paired = [&](const Words& words) { return gains.contains(words) && losses.at(words).known; };
            const auto gaining =
                std::ranges::count_if(gains, [&](const auto& entry) { return entry.first.service == service; });
            if (!std::ranges::all_of(people, paired) || static_cast<std::size_t>(gaining) != people.size()) continue;
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
        change.line = sources.position(span.file, span.begin).line;
    }

    [[nodiscard]] const std::string& node_name() const { return now_.view().policy->nodes[now_.view().node].name; }

    [[nodiscard]] Change gain(const Line& line) const {
        Change change{.kind = Kind::gain, .cause = Cause::edit, .who = line.words.who, .service = line.words.service};
        change.destination = joined(line.boxes, node_name());
        change.boxes = line.boxes;
        const Words* mine = now_.find(line.words);
        if (mine == nullptr) return change;
        place(change, now_, mine->span);
        change.reason = now_.holder(mine->span);
        if (!last_) return change;
        // The policy had this permission already: either the name got another address, or somebody took it out of the kernel.
        const bool there = std::ranges::all_of(line.boxes, [&](const Box& box) { return last_->find(box) != nullptr; });
        if (there) {
            change.cause = Cause::drift;
            change.reason = "was taken out of the kernel, not by policyc";
        } else if (last_->find(line.words) != nullptr && !now_.host_name(line.words.service).empty()) {
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
        const Words* old = last_->find(line.words);
        if (!line.known || old == nullptr) {
            change.cause = Cause::drift;
            change.reason = "in the kernel, not from policyc";
            return change;
        }
        if (now_.find(line.words) != nullptr && !now_.host_name(line.words.service).empty()) {
            change.cause = Cause::dns;
            change.reason = dns_reason(line.words.service);
            return change;
        }
        // What the new policy would still allow on the day of the last apply has only expired.
        if (const Words* still = then_ && !now_.find(line.words) ? then_->find(line.words) : nullptr) {
            place(change, *then_, still->span);
            change.reason = "expired";
            return change;
        }
        place(change, *last_, old->span);
        if (now_.find(line.words) != nullptr) change.reason = "edited";
        return change;
    }

    Compiled now_;
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
