// Counts and prints what differs between two Rulesets: report_difference().
#include "compiler/driver/changes_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/driver/changes_json.h"

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

std::string place_of(const Change& change) {
    return change.file.empty() ? std::string() : fmt::format("{}:{}", change.file, change.line);
}

// Columns: who, verb, service, destination, place, reason. A move has no person: the service stands first, and the two
// addresses take the room of service and destination.
std::string lines_of(const std::vector<Change>& changes) {
    using Cells = std::array<std::string, 6>;
    std::vector<std::pair<Cells, Change::Kind>> rows;
    for (const Change& change : changes) {
        const bool move = change.kind == Change::Kind::move;
        rows.emplace_back(Cells{move ? change.service : change.who, words_of(change.kind).verb,
                                move ? change.destination : change.service, move ? std::string() : change.destination,
                                place_of(change), change.reason},
                          change.kind);
    }
    std::array<std::size_t, 6> width{};
    for (const auto& [cells, kind] : rows) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i != 2 || kind != Change::Kind::move) width[i] = std::max(width[i], cells[i].size());
        }
    }
    for (const auto& [cells, kind] : rows) {
        const std::size_t needed = cells[2].size();
        if (kind == Change::Kind::move && needed > width[2] + 2 + width[3]) width[3] = needed - width[2] - 2;
    }
    std::string text;
    for (const auto& [cells, kind] : rows) {
        std::string line = fmt::format("  {} {:<{}}  {}  ", words_of(kind).sign, cells[0], width[0], cells[1]);
        if (kind == Change::Kind::move) {
            line += fmt::format("{:<{}}", cells[2], width[2] + 2 + width[3]);
        } else {
            line += fmt::format("{:<{}}  {:<{}}", cells[2], width[2], cells[3], width[3]);
        }
        line += fmt::format("  {:<{}}  {}", cells[4], width[4], cells[5]);
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

std::size_t count(const std::vector<Change>& changes, Change::Kind kind) {
    return static_cast<std::size_t>(
        std::count_if(changes.begin(), changes.end(), [&](const Change& c) { return c.kind == kind; }));
}

// "1 wider, 1 narrower, 1 moved; 4 elements would change, no rule changes"
std::string summary_of(const Difference& difference, Tense tense) {
    std::vector<std::string> parts;
    const auto add = [&](Change::Kind kind, const char* what) {
        if (const std::size_t number = count(difference.changes, kind); number > 0)
            parts.push_back(fmt::format("{} {}", number, what));
    };
    add(Change::Kind::gain, "wider");
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
    const std::string rules = difference.rules == 0 ? "no rule" : count_of(difference.rules, "rule");
    switch (tense) {
        case Tense::would:
            text +=
                fmt::format("; {} would change, {} {}", elements, rules, difference.rules < 2 ? "changes" : "change");
            break;
        case Tense::did: text += fmt::format("; {} changed, {} changed", elements, rules); break;
    }
    return text + "\n";
}

// A few of the texts, a line each.
std::string few_lines(const char* head, const std::vector<std::string>& texts) {
    constexpr std::size_t shown = 5;
    std::string lines;
    for (std::size_t i = 0; i < std::min(shown, texts.size()); ++i)
        lines += fmt::format("  ! {}: {}\n", head, texts[i]);
    if (texts.size() > shown) lines += fmt::format("  ! {}: {} more\n", head, texts.size() - shown);
    return lines;
}

}  // namespace

void report_difference(const Difference& difference, const std::string& headline, Tense tense, Report& report) {
    report.data += headline + "\n" + lines_of(difference.changes);
    for (const Term& remark : difference.remarks) report.data += fmt::format("  ! {}\n", remark.text);
    report.data += few_lines("not from policyc", difference.foreign);
    report.data += few_lines("missing from the kernel", difference.missing);
    report.data += summary_of(difference, tense);

    report.record["widens"] = difference.opens() || count(difference.changes, Change::Kind::gain) > 0;
    report.record["narrows"] = difference.closes() || count(difference.changes, Change::Kind::loss) > 0;
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
