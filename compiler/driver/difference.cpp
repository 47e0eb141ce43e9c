// Judges what differs between two tables: difference().
#include "compiler/driver/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/dormant.h"
#include "compiler/driver/drift.h"
#include "compiler/driver/prove.h"
#include "compiler/limits.h"
#include "compiler/plan.h"
#include "compiler/program.h"
#include "policy/text.h"

namespace policyc {

namespace {

// Of two tables alone, without the policies: the directions in which judging begins or ends.
void compare_judging(const ir::Ruleset& before, const ir::Ruleset& after, std::vector<Term>& remarks) {
    if (after.empty()) {
        remarks.push_back({"nothing is judged any more: policyc refuses nothing here", true, false});
        return;
    }
    constexpr std::array<std::pair<Direction, const char*>, 3> directions{
        {{Direction::forward, "what goes through this host"},
         {Direction::input, "what comes to this host"},
         {Direction::output, "what this host itself sends"}}};
    for (const auto& [direction, what] : directions) {
        if (judges(before, direction) == judges(after, direction)) continue;
        if (judges(after, direction))
            remarks.push_back(
                {fmt::format("{} is judged from now on, and refused unless it is listed", what), false, true});
        else
            remarks.push_back({fmt::format("{} is no longer judged: all of it is let through", what), true, false});
    }
}

bool judges_any(const ir::Ruleset& ruleset) {
    constexpr std::array directions{Direction::forward, Direction::input, Direction::output};
    return std::ranges::any_of(directions, [&](Direction direction) { return judges(ruleset, direction); });
}

Scope scope_of(const View& view) {
    return view.policy->nodes[view.node].scope;
}

// A rule that looks a set of permissions up, or who has them, comes and goes with the set, and is told as access.
bool looks_up_permissions(const ir::Rule& rule) {
    return std::ranges::any_of(rule.statements, [](const ir::Statement& statement) {
        if (const auto* lookup = std::get_if<ir::Lookup>(&statement)) return program::says_access(lookup->set);
        if (const auto* map = std::get_if<ir::LookupVerdict>(&statement)) return program::says_access(map->map);
        if (const auto* count = std::get_if<ir::CountByMap>(&statement)) return count->map.starts_with("count_");
        return false;
    });
}

// The fast ways, and what refuses a source of another side: which of them come first says whether somebody on this side may begin, and no more (lower.cpp).
bool is_fast_way(const ir::Rule& rule) {
    return std::ranges::any_of(rule.statements, [](const ir::Statement& statement) {
        const auto* jump = std::get_if<ir::Jump>(&statement);
        return jump != nullptr && jump->chain.starts_with("fast_");
    });
}

bool asks_for_a_side(const ir::Rule& rule) {
    return std::ranges::any_of(rule.statements, [](const ir::Statement& statement) {
        const auto* lookup = std::get_if<ir::Lookup>(&statement);
        constexpr std::array sides{"tunnel", "near", "far"};
        return lookup != nullptr &&
               std::ranges::any_of(sides, [&](const char* side) { return lookup->set.starts_with(side); });
    });
}

// What compare_terms() and changes() may have overlooked between two policies: the rules that speak of no permission, and do more than count and log. Without those of
// limits where these are told.
ir::Ruleset rules_of(const ir::Ruleset& ruleset, bool but_limits) {
    ir::Ruleset rest{.chains = ruleset.chains};
    std::erase_if(rest.chains, [&](const ir::Chain& chain) {
        const bool counts_only = chain.name.ends_with("_opened");
        return program::looks_up_access(chain.name) || counts_only || (but_limits && chain.name.starts_with("limit"));
    });
    for (ir::Chain& chain : rest.chains) {
        std::erase_if(chain.rules, looks_up_permissions);
        if (chain.name != "from_tunnel" && chain.name != "to_tunnel") continue;
        std::erase_if(chain.rules, is_fast_way);
        std::ranges::stable_partition(chain.rules, asks_for_a_side);
    }
    return rest;
}

// What policyc did not make, or not like that.
std::vector<std::string> foreign_of(const Drift& drift) {
    std::vector<std::string> all = drift.foreign;
    all.insert(all.end(), drift.otherwise.begin(), drift.otherwise.end());
    return all;
}

std::vector<std::string> all_of(const Drift& drift) {
    std::vector<std::string> all = foreign_of(drift);
    all.insert(all.end(), drift.missing.begin(), drift.missing.end());
    return all;
}

// Things of others that do nothing to packets by themselves: a rule or an element that names one is strange, or finds nothing there.
bool is_idle(const ir::Foreign& foreign) {
    switch (foreign.kind) {
        case ir::Foreign::Kind::table: return foreign.text != dormant_text;
        case ir::Foreign::Kind::object:
        case ir::Foreign::Kind::flowtable:
        case ir::Foreign::Kind::set: return true;
        case ir::Foreign::Kind::chain: return foreign.text.ends_with(" has a comment");
        case ir::Foreign::Kind::element: return false;
    }
    return false;
}

// What undoing does to packets, where all that is foreign and does anything to them is understood.
proof::Effect undoing_effect(const ir::Ruleset& table, const View& view) {
    if (std::ranges::none_of(table.foreign, is_idle)) return effect_of(table, view);
    ir::Ruleset rest = table;
    std::erase_if(rest.foreign, is_idle);
    return effect_of(rest, view);
}

// What somebody else did to the table since policyc made it, or what another version made otherwise.
void add_drift(const ir::Ruleset& before, const Origin& origin, const View& now, Difference& result) {
    // Permissions that came or went by hand are among the changes; where those show none, the sets are named.
    const bool told =
        std::ranges::any_of(result.changes, [](const Change& change) { return change.cause == Change::Cause::drift; });
    Drift found = drift(before, *origin.meant, !told);
    if (found.empty()) return;
    proof::Effect undoing = found.unproved ? proof::Effect{} : undoing_effect(before, *origin.view);
    // Nothing opens by undoing it where nothing at all opens by the new policy, which may not want what is gone either.
    if (!found.unproved && (undoing.opens || undoing.closes)) {
        const proof::Effect all = undoing_effect(before, now);
        undoing = {.opens = undoing.opens && all.opens, .closes = undoing.closes && all.closes};
    }
    if (origin.other.empty()) {
        result.undoing_opens = undoing.opens;
        result.undoing_closes = undoing.closes;
        result.foreign = foreign_of(found);
        result.missing = std::move(found.missing);
        return;
    }
    result.remarks.push_back(
        {fmt::format("written by {}, which makes this otherwise: {}", origin.other, few(all_of(found))), undoing.opens,
         undoing.closes});
}

// A dormant table goes with what somebody else did to it, which opened and closed nothing.
void add_dormant(const ir::Ruleset& before, const std::optional<Origin>& origin, Difference& result) {
    const bool known = origin && origin->other.empty();
    Drift found = drift(before, known ? *origin->meant : before, true);
    result.foreign = foreign_of(found);
    result.missing = std::move(found.missing);
}

// Where nobody knows what was applied, every chain and set that will be another is named.
void add_unrecorded(const ir::Ruleset& before, const ir::Ruleset& after, const View& now, Difference& result) {
    for (const ir::Foreign& foreign : before.foreign) result.foreign.push_back(foreign.text);
    ir::Ruleset known = before;
    known.foreign.clear();
    const Drift found = drift(known, after, false);
    // Of a table that judges nothing all is missing.
    std::vector<std::string> texts = judges_any(before) ? all_of(found) : foreign_of(found);
    std::erase_if(
        texts, [](const std::string& text) { return text.starts_with("counter ") || text.starts_with("map count_"); });
    if (texts.empty() && result.foreign.empty()) return;
    const proof::Effect effect = found.unproved ? proof::Effect{} : undoing_effect(before, now);
    result.undoing_opens = !result.foreign.empty() && effect.opens;
    result.undoing_closes = !result.foreign.empty() && effect.closes;
    for (const std::string& text : texts)
        result.remarks.push_back({"differs, and no record says who wrote it: " + text, effect.opens, effect.closes});
}

}  // namespace

bool Difference::widens() const {
    const auto widens = [](const Change& change) { return change.kind != Change::Kind::loss; };
    return !nothing_opens && (opens() || std::ranges::any_of(changes, widens));
}

bool Difference::narrows() const {
    const auto narrows = [](const Change& change) { return change.kind != Change::Kind::gain; };
    return closes() || std::ranges::any_of(changes, narrows);
}

bool Difference::opens() const {
    return undoing_opens || std::ranges::any_of(remarks, &Term::opens);
}

bool Difference::closes() const {
    return undoing_closes || std::ranges::any_of(remarks, &Term::closes);
}

Difference difference(const std::optional<ir::Ruleset>& before, const ir::Ruleset& after, const View& now,
                      const std::optional<Origin>& origin) {
    static const ir::Ruleset nothing;
    const ir::Ruleset& table = before ? *before : nothing;
    Difference result;
    result.same = before.has_value() == !after.empty() && same(table, after);
    if (result.same) return result;
    const bool unjudged = !before || is_dormant(table);
    result.nothing_opens = unjudged || (table.empty() && table.foreign.empty());
    const std::optional<View> last = origin && !unjudged ? std::optional<View>(*origin->view) : std::nullopt;
    result.changes = changes(unjudged ? nothing : table, after, now, last);
    const Plan planned = plan(before ? &table : nullptr, after);
    result.elements = planned.elements();
    result.rules = planned.rules();
    result.whole_chains = planned.chains();
    result.anew = planned.replace_table;
    result.chains = differing_chains(table, after);
    if (unjudged) {
        if (!after.empty()) result.remarks = compare_terms({}, now);
        if (before) add_dormant(table, origin, result);
    } else if (origin) {
        result.remarks = compare_terms(last, now);
        add_drift(table, *origin, now, result);
        // What begins to be judged outside the tunnel passed before, whether it is allowed now or not.
        const bool judges_more = scope_of(*last) == Scope::tunnel && scope_of(now) == Scope::host;
        if (judges_more && !result.undoing_opens && result.widens())
            result.nothing_opens = !effect_of(table, now).opens;
    } else {
        if (after.empty() || judges_any(table))
            compare_judging(table, after, result.remarks);
        else
            result.remarks = compare_terms({}, now);
        add_unrecorded(table, after, now, result);
    }
    // Whatever no change and no remark explains is named, and counts as both.
    if (result.changes.empty() && result.remarks.empty() && result.foreign.empty() && result.missing.empty()) {
        if (last) result.remarks = idle_limits(*last, now);
        const bool limits = !result.remarks.empty();
        const Drift rest = drift(rules_of(table, limits), rules_of(after, limits), false);
        for (const std::string& text : all_of(rest))
            result.remarks.push_back({"changes, and nothing above says why: " + text, true, true});
    }
    return result;
}

}  // namespace policyc
