// Counts, prints and records what differs between two Rulesets: report_difference(), record_difference().
#include "compiler/driver/changes_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <utility>

#include "compiler/driver/changes_json.h"
#include "policy/excerpt.h"

namespace policyc {

namespace {

struct Words {
    char sign;
    const char* verb;
};

Words words_of(Change::Kind kind) {
    switch (kind) {
        case Change::Kind::gain: return {'+', "gains"};
        case Change::Kind::loss: return {'-', "loses"};
        case Change::Kind::move: return {'~', "moves"};
    }
    return {'?', ""};
}

// Columns: who, verb, service, destination, place, reason. A move is of one person or one service, which stands first, and the two
// addresses take the room of service and destination.
class Lines {
public:
    explicit Lines(const Changes& changes) : changes_(changes) {
        std::size_t widest_move = 0;
        for (const Change& change : changes) {
            const bool move = change.kind == Change::Kind::move;
            const Cells& cells = cells_of(change);
            for (std::size_t i = 0; i < cells.size(); ++i)
                if (i != 2 || !move) width_[i] = std::max(width_[i], cells[i].size());
            if (move) widest_move = std::max(widest_move, cells[2].size());
        }
        if (widest_move > width_[2] + 2 + width_[3]) width_[3] = widest_move - width_[2] - 2;
    }

    void add_to(std::string& text) {
        constexpr std::size_t between = 16;  // signs and spaces of a line
        text.reserve(text.size() +
                     changes_.size() * std::accumulate(width_.begin(), width_.end(), std::size_t{between}));
        for (const Change& change : changes_) {
            const Cells& cells = cells_of(change);
            text.append("  ").append(1, words_of(change.kind).sign).append(" ");
            add(text, cells[0], width_[0]);
            text.append("  ").append(cells[1]).append("  ");
            if (change.kind == Change::Kind::move) {
                add(text, cells[2], width_[2] + 2 + width_[3]);
            } else {
                add(text, cells[2], width_[2]);
                add(text.append("  "), cells[3], width_[3]);
            }
            add(text.append("  "), cells[4], width_[4]);
            text.append("  ").append(cells[5]);
            text.resize(text.find_last_not_of(' ') + 1);
            text += '\n';
        }
    }

private:
    using Cells = std::array<std::string_view, 6>;

    // Until the next call.
    const Cells& cells_of(const Change& change) {
        const bool move = change.kind == Change::Kind::move;
        place_.clear();
        if (change.file != file_) {  // most are of the file of the one before
            file_ = change.file;
            shown_file_ = printable(file_);
        }
        if (!file_.empty()) place_.append(shown_file_).append(":").append(std::to_string(change.line));
        who_.assign(move && change.who.empty() ? change.service : change.who);
        if (!change.among.empty()) who_.append(" ").append(change.among);
        cells_ = {who_,
                  words_of(change.kind).verb,
                  move ? change.destination : change.service,
                  move ? std::string_view() : change.destination,
                  place_,
                  change.reason};
        return cells_;
    }

    static void add(std::string& text, std::string_view cell, std::size_t width) {
        fmt::format_to(std::back_inserter(text), "{:<{}}", cell, width);
    }

    const Changes& changes_;
    std::array<std::size_t, 6> width_{};
    std::string who_;
    std::string_view file_;
    std::string shown_file_;
    std::string place_;
    Cells cells_;
};

std::size_t count(const Changes& changes, Change::Kind kind) {
    return static_cast<std::size_t>(
        std::count_if(changes.begin(), changes.end(), [&](const Change& c) { return c.kind == kind; }));
}

std::string count_or_no(std::size_t number, const std::string& word) {
    return number == 0 ? "no " + word : count_of(number, word);
}

// "1 wider, 1 narrower, 1 moved; 4 elements would change, no rule changes"
std::string summary_of(const Difference& difference, Tense tense) {
    std::vector<std::string> parts;
    const auto add = [&](Change::Kind kind, const char* what) {
        if (const std::size_t number = count(difference.changes, kind); number > 0)
            parts.push_back(fmt::format("{} {}", number, what));
    };
    add(Change::Kind::gain, difference.nothing_opens ? "allowed" : "wider");
    add(Change::Kind::loss, "narrower");
    add(Change::Kind::move, "moved");
    std::string text = fmt::format("{}", fmt::join(parts, ", "));
    if (parts.empty()) {
        text = "no permission comes or goes";
    }
    if (difference.opens() || difference.closes())
        text += fmt::format("{} what is marked ! {}", parts.empty() ? ", but" : ", and",
                            !difference.closes()  ? "opens more"
                            : !difference.opens() ? "closes more"
                                                  : "opens and closes more");
    const std::string elements = difference.elements == 0 ? "no elements" : count_of(difference.elements, "element");
    const std::size_t chains = difference.whole_chains;
    std::string rules = difference.rules > 0 || chains == 0 ? count_or_no(difference.rules, "rule") : "";
    if (chains > 0) rules += (rules.empty() ? "" : " and ") + count_of(chains, "chain");
    if (difference.anew) {
        text += fmt::format("; the table {} made anew: {}, {}", tense == Tense::would ? "would be" : "was", elements,
                            rules);
        return text + "\n";
    }
    switch (tense) {
        case Tense::would:
            text += fmt::format("; {} would change, {} {}", elements, rules,
                                difference.rules + chains < 2 ? "changes" : "change");
            break;
        case Tense::did: text += fmt::format("; {} changed, {} changed", elements, rules); break;
    }
    return text + "\n";
}

// A few of the texts, a line each.
std::string few_lines(const char* head, const std::vector<std::string>& texts) {
    constexpr std::size_t shown = 8;
    std::string lines;
    for (std::size_t i = 0; i < std::min(shown, texts.size()); ++i)
        lines += fmt::format("  ! {}: {}\n", head, printable(texts[i]));
    if (texts.size() > shown)
        lines += fmt::format("  ! {}: and {} more, which `--format json` names\n", head, texts.size() - shown);
    return lines;
}

}  // namespace

void report_difference(const Difference& difference, const std::string& headline, Tense tense, Report& report) {
    report.data += printable(headline) + "\n";
    Lines(difference.changes).add_to(report.data);
    for (const Term& remark : difference.remarks) report.data += fmt::format("  ! {}\n", printable(remark.text));
    report.data += few_lines("not from policyc", difference.foreign);
    report.data += few_lines("missing from the kernel", difference.missing);
    report.data += summary_of(difference, tense);
    record_difference(difference, report);
}

void record_difference(const Difference& difference, Report& report) {
    report.record["widens"] = difference.widens();
    report.record["narrows"] = difference.narrows();
    if (report.wants_record)
        report.record["changes"] = changes_json(difference.changes, report.record.value("node", ""));
    report.record["elements"] = difference.elements;
    report.record["rules"] = difference.rules;
    report.record["foreign"] = difference.foreign;
    report.record["missing"] = difference.missing;
    report.record["chains"] = difference.chains;
    report.record["remarks"] = nlohmann::ordered_json::array();
    for (const Term& remark : difference.remarks)
        report.record["remarks"].push_back(
            {{"text", remark.text}, {"widens", remark.opens}, {"narrows", remark.closes}});
}

}  // namespace policyc
