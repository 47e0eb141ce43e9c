// Counts and prints what differs between two Rulesets: difference() and report_difference().
#include "compiler/driver/changes_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace policyc {

namespace {

std::vector<std::string> foreign_in(const ir::Ruleset& ruleset) {
    std::vector<std::string> texts = ruleset.unknown;
    for (const ir::Chain& chain : ruleset.chains) {
        for (const ir::Rule& rule : chain.rules) {
            for (const ir::Statement& statement : rule.statements) {
                if (const auto* unknown = std::get_if<ir::Unknown>(&statement)) {
                    texts.push_back(fmt::format("chain {}: {}", chain.name, unknown->text));
                }
            }
        }
    }
    return texts;
}

struct Words {
    char sign;
    const char* verb;
    const char* json;
};

Words words_of(Change::Kind kind) {
    switch (kind) {
        case Change::Kind::gain: return {'+', "gains", "gain"};
        case Change::Kind::loss: return {'-', "loses", "loss"};
        case Change::Kind::move: return {'~', "moves", "move"};
    }
    return {'?', "", ""};
}

const char* word(Change::Cause cause) {
    switch (cause) {
        case Change::Cause::edit: return "edit";
        case Change::Cause::dns: return "dns";
        case Change::Cause::drift: return "drift";
    }
    return "";
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
    std::string text = parts.empty() ? "who reaches what is the same: limits, logs or rules differ"
                                     : fmt::format("{}", fmt::join(parts, ", "));
    const std::size_t elements = difference.extent.elements;
    const std::string amount = elements == 0 ? "no elements" : count_of(elements, "element");
    const bool rules = difference.extent.rules;
    switch (tense) {
        case Tense::would:
            text += fmt::format("; {} would change, {}", amount, rules ? "rules change" : "no rule changes");
            break;
        case Tense::did:
            text += fmt::format("; {} changed, {}", amount, rules ? "rules changed" : "no rule changed");
            break;
    }
    return text + "\n";
}

}  // namespace

Difference difference(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                      const std::optional<View>& old_view) {
    Difference result;
    result.same = same(before, after);
    if (result.same) return result;
    result.changes = changes(before, after, new_view, old_view);
    result.extent = extent(before, after);
    result.foreign = foreign_in(before);
    return result;
}

void report_difference(const Difference& difference, const std::string& headline, Tense tense, Report& report) {
    report.data += headline + "\n" + lines_of(difference.changes);
    constexpr std::size_t shown = 5;
    for (std::size_t i = 0; i < std::min(shown, difference.foreign.size()); ++i) {
        report.data += fmt::format("  ! not from policyc: {}\n", difference.foreign[i]);
    }
    if (difference.foreign.size() > shown) {
        report.data += fmt::format("  ! and {} more that policyc did not write\n", difference.foreign.size() - shown);
    }
    report.data += summary_of(difference, tense);

    report.record["widens"] = count(difference.changes, Change::Kind::gain) > 0;
    report.record["narrows"] = count(difference.changes, Change::Kind::loss) > 0;
    report.record["changes"] = nlohmann::ordered_json::array();
    for (const Change& change : difference.changes) {
        const std::size_t slash = change.destination.rfind('/');
        const std::size_t colon = change.destination.rfind(':', slash);
        nlohmann::ordered_json one = {
            {"change", words_of(change.kind).json}, {"who", change.who}, {"service", change.service}};
        if (change.kind == Change::Kind::move || colon == std::string::npos) {
            one["destination"] = change.destination;
        } else {
            one["destination"] = change.destination.substr(0, colon);
            const std::string ports = change.destination.substr(colon + 1);
            const std::size_t at = ports.find('/');
            one["port"] = at == std::string::npos ? std::string() : ports.substr(0, at);
            one["proto"] = at == std::string::npos ? ports : ports.substr(at + 1);
        }
        one["cause"] = word(change.cause);
        one["file"] = change.file;
        one["line"] = change.line;
        one["reason"] = change.reason;
        report.record["changes"].push_back(one);
    }
    report.record["elements"] = difference.extent.elements;
    report.record["rules"] = difference.extent.rules;
    report.record["foreign"] = difference.foreign;
}

}  // namespace policyc
