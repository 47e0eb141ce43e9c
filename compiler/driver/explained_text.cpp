// Prints what `explain` found, for people: explained_text().
#include <fmt/format.h>

#include <algorithm>

#include "compiler/driver/access_list.h"
#include "compiler/driver/explained.h"
#include "compiler/look_up.h"
#include "compiler/time_text.h"
#include "policy/excerpt.h"
#include "policy/text.h"

namespace policyc {

namespace {

using explain::Finding;
using explain::Line;
using explain::Miss;
using explain::Verdict;

constexpr std::size_t most_lines = 8;    // of the policy, for one answer
constexpr std::size_t most_holders = 6;  // entries of a `who` or `from`, for one line

// Rows whose columns stand below each other; what is empty at the end of a row leaves no blanks.
class Columns {
public:
    explicit Columns(std::size_t indent) : indent_(indent) {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] std::string text() const {
        std::vector<std::size_t> width;
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i + 1 < row.size(); ++i) {
                if (width.size() <= i) width.resize(i + 1);
                width[i] = std::max(width[i], characters(row[i]));
            }
        }
        std::string out;
        for (const auto& row : rows_) {
            std::string line(indent_, ' ');
            for (std::size_t i = 0; i < row.size(); ++i) {
                line += row[i];
                if (i + 1 < row.size()) line += std::string(width[i] - characters(row[i]) + 2, ' ');
            }
            out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        }
        return out;
    }

private:
    std::size_t indent_;
    std::vector<std::vector<std::string>> rows_;
};

class Printer {
public:
    Printer(const Explained& explained, const Sources& sources, bool color)
        : explained_(explained), node_(explained.node()), sources_(sources), color_(color) {}

    std::string run() {
        const auto verdict = explained_.verdict();
        const char* escape = verdict == Verdict::denied ? "\x1b[1;31m" : !verdict ? "\x1b[1;33m" : "\x1b[1;32m";
        const bool one = explained_.answers.size() == 1;
        out_ = paint(escape, policyc::word(verdict)) +
               fmt::format(": {} -> {}\n\n", printable(explained_.from),
                           printable(one ? target_text(explained_.answers.front().target) : explained_.to));
        if (one)
            whole(explained_.answers.front());
        else
            table();
        implied();
        return std::move(out_);
    }

private:
    [[nodiscard]] std::string paint(const char* escape, const std::string& text) const {
        return color_ ? escape + text + "\x1b[0m" : text;
    }

    [[nodiscard]] std::string holder(const reach::Permission& permission) const {
        return explain::holder_of(explained_.asked.policy, permission);
    }

    [[nodiscard]] std::string terms(const Line& line, bool part) const {
        std::string text = holder(line.permission);
        for (const std::string& term : terms_of(explained_, line)) text += ", " + term;
        if (part && !line.whole) text += ", a part of it";
        return text;
    }

    // ---- one answer ------------------------------------------------------------------------------------------------

    void whole(const explain::Answer& answer) {
        facts(answer);
        const std::size_t shown = std::min(most_lines, answer.lines.size());
        for (std::size_t i = 0; i < shown; ++i) line(answer, answer.lines[i]);
        if (shown < answer.lines.size())
            out_ += fmt::format("\n  and {} more lines allow it\n", answer.lines.size() - shown);
        misses(answer);
        live(answer);
    }

    void facts(const explain::Answer& answer) {
        Columns facts(2);
        constexpr std::size_t most = 4;
        const auto addresses = [&](const Host& host, const std::string& label) {
            const std::string text = few(addresses_of(explained_, host), most);
            return text == label ? std::string() : text;
        };
        facts.add({"from", answer.source.label, addresses(answer.source.host, answer.source.label)});
        std::string to = addresses(answer.target.host, answer.target.label);
        if (const std::string host = host_text(explained_, answer.target); !host.empty())
            to += (to.empty() ? "" : "  ") + host;
        facts.add({"to", answer.target.label, to});
        std::vector<explain::Passage> seen;
        for (const Finding& finding : answer.findings) {
            if (std::ranges::find(seen, finding.example.passage) != seen.end()) continue;
            seen.push_back(finding.example.passage);
            facts.add({"on", node_.name, passage_text(node_, finding.example.passage)});
        }
        if (answer.assumed) facts.add({"", "", assumption(answer)});
        out_ += facts.text();
        if (!answer.nothing.empty()) out_ += "  why   " + answer.nothing + "\n";
        const bool mixed = !answer.verdict();
        for (auto finding = answer.findings.begin(); finding != answer.findings.end(); ++finding)
            if (std::none_of(answer.findings.begin(), finding,
                             [&](const Finding& one) { return alike(one, *finding); }))
                reason(answer, *finding, mixed);
    }

    // What differs is the way only.
    static bool alike(const Finding& one, const Finding& other) {
        return one.verdict == other.verdict && one.why == other.why;
    }

    [[nodiscard]] std::string assumption(const explain::Answer& answer) const {
        const std::vector<Range> all =
            reach::addresses_of_host(explained_.asked.policy, explained_.asked.addresses, answer.source.host);
        const bool one = all.size() == 1 && all.front().single();
        return fmt::format("taken to be so{}: --in {}",
                           one ? ", for no node has " + answer.source.label
                               : fmt::format(" of what no node has of {}", answer.source.label),
                           explained_.live ? "names the interface" : "names the interface, --live asks for the route");
    }

    // Where the verdicts differ, each is shown by an example.
    void reason(const explain::Answer& answer, const Finding& finding, bool mixed) {
        std::string text = why_text(explained_, finding);
        if (text.empty() && !mixed) return;
        if (mixed) {
            const std::string example =
                fmt::format("{}, for example: {}", policyc::word(finding.verdict), flow_text(answer, finding.example));
            text = text.empty() ? example : fmt::format("{}\n        {}", example, text);
        }
        const std::string place = sources_.place(finding.span);
        out_ += fmt::format("  why   {}{}{}\n", text, place.empty() ? "" : "  ", place);
    }

    void line(const explain::Answer& answer, const Line& line) {
        std::vector<Label> labels{{line.permission.span, terms(line, true)}};
        const std::vector<explain::Holder> holders = explain::holders_of(explained_.asked, answer, line);
        const std::size_t shown = std::min(most_holders, holders.size());
        for (std::size_t i = 0; i < shown; ++i) labels.push_back({holders[i].span, holding(answer, holders[i])});
        if (shown < holders.size())
            labels.back().text += fmt::format("; {} more entries hold some of it", holders.size() - shown);
        out_ += "\n" + render_labels(labels, sources_, color_);
    }

    static std::string holding(const explain::Answer& answer, const explain::Holder& holder) {
        if (holder.all) return "holds " + answer.source.label;
        return fmt::format("{} {} in {}", few(holder.some), holder.some.size() == 1 ? "is" : "are",
                           answer.source.label);
    }

    void misses(const explain::Answer& answer) {
        if (answer.misses.empty()) return;
        // Of a part, what is said is about its example.
        const auto denied = std::ranges::find(answer.findings, explain::Why::no_permission, &Finding::why);
        const bool part = !answer.verdict() && denied != answer.findings.end();
        out_ += fmt::format("\n  {} would be allowed\n", part ? flow_text(answer, denied->example) : "it");
        Columns rows(4);
        for (const Miss& miss : answer.misses) rows.add({miss.text, sources_.place(miss.span), miss.via});
        out_ += rows.text();
    }

    // ---- many ------------------------------------------------------------------------------------------------------

    void table() {
        if (explained_.answers.empty()) out_ += "  why   " + explained_.nothing + "\n";
        Columns rows(2);
        for (std::size_t i = 0; i < explained_.answers.size(); ++i) {
            const explain::Answer& answer = explained_.answers[i];
            std::vector<std::string> row{answer.source.label, target_text(answer.target),
                                         few(addresses_of(explained_, answer.target.host), 2),
                                         policyc::word(answer.verdict())};
            if (explained_.live) row.push_back(live_word(explained_.live->flows[i]));
            const auto [place, why] = short_reason(answer);
            row.push_back(place);
            row.push_back(why);
            rows.add(std::move(row));
        }
        out_ += rows.text();
        if (!explained_.answers.empty() && !explained_.verdict())
            out_ += fmt::format("\n  for example, denied: {}\n", counterexample());
        const auto denied = std::ranges::find_if(explained_.answers, [](const explain::Answer& answer) {
            return answer.verdict() != Verdict::allowed && answer.verdict() != Verdict::unjudged;
        });
        if (denied != explained_.answers.end())
            out_ += fmt::format("\n  `policyc explain {} {} {}` says more of one\n", printable(explained_.policy_path),
                                denied->source.label, target_text(denied->target));
        drifted();
    }

    [[nodiscard]] std::pair<std::string, std::string> short_reason(const explain::Answer& answer) const {
        if (!answer.verdict()) {
            for (const Finding& finding : answer.findings)
                if (finding.verdict == Verdict::denied)
                    return {"", fmt::format("not {}", flow_text(answer, finding.example))};
        }
        if (!answer.lines.empty()) {
            const Line& first = answer.lines.front();
            std::string text = terms(first, false);
            if (answer.lines.size() > 1) text += fmt::format(" and {} more", answer.lines.size() - 1);
            return {sources_.place(first.permission.span), text};
        }
        if (!answer.misses.empty())
            return {sources_.place(answer.misses.front().span),
                    fmt::format("would be allowed {}", answer.misses.front().text)};
        if (!answer.nothing.empty()) return {"", answer.nothing};
        if (answer.findings.empty()) return {};
        return {sources_.place(answer.findings.front().span), why_text(explained_, answer.findings.front())};
    }

    [[nodiscard]] std::string counterexample() const {
        for (const explain::Answer& answer : explained_.answers)
            for (const Finding& finding : answer.findings)
                if (finding.verdict == Verdict::denied) return flow_text(answer, finding.example);
        return "what has no address";
    }

    // ---- the kernel ------------------------------------------------------------------------------------------------

    static std::string live_word(const std::vector<LiveFlow>& flows) {
        const auto passes = [](const LiveFlow& flow) { return flow.kernel.passes(); };
        if (flows.empty()) return "";
        if (std::ranges::all_of(flows, passes)) return "kernel: passes";
        return std::ranges::none_of(flows, passes) ? "kernel: dropped" : "kernel: both";
    }

    void live(const explain::Answer& answer) {
        if (!explained_.live) return;
        out_ += "\n  in the kernel\n";
        if (!explained_.live->table) {
            out_ += "    there is no table inet policyc: everything passes\n";
            return;
        }
        if (explained_.live->dormant) {
            out_ += "    table inet policyc is dormant, it judges nothing: everything passes\n";
            return;
        }
        Columns rows(4);
        for (std::size_t i = 0; i < answer.findings.size(); ++i)
            live_flow(answer, answer.findings[i], explained_.live->flows.front()[i], rows);
        out_ += rows.text();
        drifted();
    }

    void live_flow(const explain::Answer& answer, const Finding& finding, const LiveFlow& flow, Columns& rows) const {
        const Followed& kernel = flow.kernel;
        std::string verdict;
        switch (kernel.verdict) {
            case Followed::Verdict::accept: verdict = "passes"; break;
            case Followed::Verdict::drop: verdict = kernel.rejected ? "rejected" : "dropped"; break;
            case Followed::Verdict::no_chain: verdict = "passes, for nothing is judged there"; break;
            case Followed::Verdict::unreadable: verdict = "unknown: a rule on the way is not from policyc"; break;
        }
        rows.add(
            {verdict, flow_text(answer, finding.example) + (kernel.rule.empty() ? "" : ", " + printable(kernel.rule))});
        if (kernel.decisive) {
            const Asking& asking = kernel.asked[*kernel.decisive];
            std::string left;
            if (asking.held && asking.held->life.timeout != 0)
                left = fmt::format(", {} left", about(Seconds(asking.held->life.left / 1000)));
            const auto element = element_at(*asking.set, asking.key);
            rows.add({"element", fmt::format("{} {{ {} }}{}", printable(asking.set->name),
                                             element ? key_text(*asking.set, *element) : "?", left)});
        } else if (kernel.verdict == Followed::Verdict::drop) {
            std::vector<std::string> names;
            for (const Asking& asking : kernel.asked)
                if (!asking.held) names.push_back(printable(asking.set->name));
            if (!names.empty()) rows.add({"in none of", few(names, 6)});
        }
        if (kernel.rated) rows.add({"rate", "a source above it is dropped; how much of it is used was not asked"});
        if (flow.counter)
            rows.add(
                {"counter", fmt::format("{}: {} packets, {} bytes of new connections", printable(flow.counter->name),
                                        flow.counter->packets, flow.counter->bytes)});
    }

    void drifted() {
        if (!explained_.live || !explained_.live->table || explained_.live->same) return;
        out_ += fmt::format("    the table is not what this policy makes: `policyc diff {}` says how it differs\n",
                            printable(explained_.policy_path));
    }

    void implied() {
        if (node_.scope == Scope::none) return;
        out_ += fmt::format("\n  implied on {}\n", node_.name);
        for (const ImpliedRow& row : implied_rows(explained_.asked.policy, node_))
            out_ += fmt::format("    {}\n", row.what);
    }

    const Explained& explained_;
    const Node& node_;
    const Sources& sources_;
    bool color_;
    std::string out_;
};

}  // namespace

std::string explained_text(const Explained& explained, const Sources& sources, bool color) {
    return Printer(explained, sources, color).run();
}

}  // namespace policyc
