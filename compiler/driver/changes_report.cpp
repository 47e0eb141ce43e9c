// Counts and prints what differs between two Rulesets: difference() and report_difference().
#include "compiler/driver/changes_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "backends/text_words.h"
#include "compiler/lower.h"

namespace policyc {

namespace {

std::vector<std::string> foreign_objects(const ir::Ruleset& ruleset) {
    std::vector<std::string> texts;
    for (const ir::Foreign& foreign : ruleset.foreign) texts.push_back(foreign.text);
    return texts;
}

std::vector<std::string> foreign_in(const ir::Ruleset& ruleset) {
    std::vector<std::string> texts = foreign_objects(ruleset);
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

// The chains of the kernel that are not as the policy that was applied last has them, by the first rule that differs.
void add_drift(const ir::Ruleset& before, const View& last, std::vector<std::string>& foreign) {
    const ir::Ruleset applied = lower(*last.policy, *last.addresses, last.node, last.today, last.layout);
    for (const std::string& name : differing_chains(before, applied)) {
        const auto seen = std::ranges::find(before.chains, name, &ir::Chain::name);
        const auto meant = std::ranges::find(applied.chains, name, &ir::Chain::name);
        if (seen == before.chains.end()) {
            foreign.push_back(fmt::format("chain {} is missing", name));
        } else if (meant == applied.chains.end()) {
            foreign.push_back(fmt::format("chain {}", name));
        } else {
            std::size_t at = 0;
            while (at < seen->rules.size() && at < meant->rules.size() && same(seen->rules[at], meant->rules[at])) ++at;
            std::string rule;
            if (at < seen->rules.size()) {
                for (const ir::Statement& statement : seen->rules[at].statements)
                    rule += (rule.empty() ? "" : " ") + to_nft(statement);
                foreign.push_back(fmt::format("chain {}, rule {}: {}", name, at + 1, rule));
            } else if (at < meant->rules.size()) {
                foreign.push_back(fmt::format("chain {}: rules are missing from rule {} on", name, at + 1));
            } else {
                foreign.push_back(fmt::format("chain {}: its hook, priority or policy", name));
            }
        }
    }
}

// What begins or ends to be judged between two tables that are there.
void compare_judging(const ir::Ruleset& before, const ir::Ruleset& after, Difference& result) {
    if (before.empty()) return;
    if (after.empty()) {
        result.judging.emplace_back("nothing is judged any more: policyc refuses nothing here");
        result.opens = true;
        return;
    }
    constexpr std::array<std::pair<Direction, const char*>, 3> directions{
        {{Direction::forward, "what goes through this host"},
         {Direction::input, "what comes to this host"},
         {Direction::output, "what this host itself sends"}}};
    for (const auto& [direction, what] : directions) {
        if (judges(before, direction) == judges(after, direction)) continue;
        const bool begins = judges(after, direction);
        result.judging.push_back(begins ? fmt::format("{} is judged from now on, and refused unless it is listed", what)
                                        : fmt::format("{} is no longer judged: all of it is let through", what));
        (begins ? result.closes : result.opens) = true;
    }
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
    std::string text = fmt::format("{}", fmt::join(parts, ", "));
    if (parts.empty()) {
        text = "no permission comes or goes";
        if (!difference.chains.empty()) text += fmt::format(", chains differ: {}", fmt::join(difference.chains, ", "));
    }
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
    result.foreign = old_view ? foreign_objects(before) : foreign_in(before);
    if (old_view) add_drift(before, *old_view, result.foreign);
    result.chains = differing_chains(before, after);
    compare_judging(before, after, result);
    // What policyc did not write may let anything through, or nothing.
    if (!result.foreign.empty()) result.opens = result.closes = true;
    return result;
}

void report_difference(const Difference& difference, const std::string& headline, Tense tense, Report& report) {
    report.data += headline + "\n" + lines_of(difference.changes);
    for (const std::string& line : difference.judging) report.data += fmt::format("  ! {}\n", line);
    constexpr std::size_t shown = 5;
    for (std::size_t i = 0; i < std::min(shown, difference.foreign.size()); ++i) {
        report.data += fmt::format("  ! not from policyc: {}\n", difference.foreign[i]);
    }
    if (difference.foreign.size() > shown) {
        report.data += fmt::format("  ! and {} more that policyc did not write\n", difference.foreign.size() - shown);
    }
    report.data += summary_of(difference, tense);

    report.record["widens"] = difference.opens || count(difference.changes, Change::Kind::gain) > 0;
    report.record["narrows"] = difference.closes || count(difference.changes, Change::Kind::loss) > 0;
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
        one["flows"] = nlohmann::ordered_json::array();
        for (const Box& box : change.boxes)
            one["flows"].push_back(
                {{"source", box.direction == Direction::output ? "" : to_string(box.source)},
                 {"destination", box.direction == Direction::input ? "" : to_string(box.destination)},
                 {"ports", to_string(box.ports)}});
        one["cause"] = word(change.cause);
        one["file"] = change.file;
        one["line"] = change.line;
        one["reason"] = change.reason;
        report.record["changes"].push_back(one);
    }
    report.record["elements"] = difference.extent.elements;
    report.record["rules"] = difference.extent.rules;
    report.record["foreign"] = difference.foreign;
    report.record["chains"] = difference.chains;
    report.record["judging"] = difference.judging;
}

}  // namespace policyc
