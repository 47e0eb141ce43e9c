// The rules of a chain, one after the other, on sets of packets; entry point Execution::run.
#include "compiler/proof/execution.h"

#include <algorithm>

namespace policyc::proof {
namespace {

// What stands behind a verdict is never reached.
bool is_verdict(const ir::Statement& statement) {
    return std::holds_alternative<ir::LookupVerdict>(statement) || std::holds_alternative<ir::Accept>(statement) ||
           std::holds_alternative<ir::Drop>(statement) || std::holds_alternative<ir::Return>(statement) ||
           std::holds_alternative<ir::Reject>(statement) || std::holds_alternative<ir::Masquerade>(statement) ||
           std::holds_alternative<ir::Jump>(statement) || std::holds_alternative<ir::Goto>(statement);
}

}  // namespace

Execution::Execution(Space& space, const ir::Ruleset& ruleset, Conditions& conditions)
    : space_(space), conditions_(conditions) {
    for (const ir::Chain& chain : ruleset.chains) chains_.emplace(chain.name, &chain);
}

Outcome Execution::run(const ir::Chain& base, Set entering, const Place& place) {
    conditions_.begin(place);
    known_.clear();
    Outcome out = run(base, entering);
    Set& decided = base.base->policy_drop ? out.dropped : out.passes;
    decided = space_.unite(decided, out.returns);
    out.returns = nothing;
    return out;
}

// Packets don't meet: what becomes of one doesn't depend on the others. So a chain is run once, on all.
const Outcome& Execution::outcome(const std::string& name) {
    const ir::Chain* chain = chains_.find(name)->second;
    if (const auto found = known_.find(chain); found != known_.end()) return found->second;
    const Outcome out = run(*chain, everything);
    return known_.emplace(chain, out).first->second;
}

Holds Execution::conditions_of(std::span<const ir::Statement> statements) {
    Holds holds;
    for (const ir::Statement& statement : statements) {
        const std::optional<Holds> more = conditions_.of(statement);
        if (!more) continue;
        holds.may = space_.intersect(holds.may, more->may);
        holds.must = space_.intersect(holds.must, more->must);
        if (holds.may == nothing) break;
    }
    return holds;
}

Outcome Execution::run(const ir::Chain& chain, Set entering) {
    Outcome out;
    Set here = entering;  // what comes to the rule
    const auto add = [&](Set& to, Set more) { to = space_.unite(to, more); };
    // What goes to a chain: with its verdicts there, and what it gives back.
    const auto through = [&](const std::string& name, Set packets) {
        if (packets == nothing) return nothing;
        const Outcome& inner = outcome(name);
        add(out.passes, space_.intersect(packets, inner.passes));
        add(out.dropped, space_.intersect(packets, inner.dropped));
        add(out.masqueraded, space_.intersect(packets, inner.masqueraded));
        return space_.intersect(packets, inner.returns);
    };
    for (const ir::Rule& rule : chain.rules) {
        if (here == nothing) break;
        const auto verdict = std::ranges::find_if(rule.statements, is_verdict);
        if (verdict == rule.statements.end()) continue;  // it only counts and logs
        const Holds holds = conditions_of({rule.statements.begin(), verdict});
        const Set reached = space_.intersect(here, holds.may);
        if (reached == nothing) continue;
        Set next = space_.subtract(here, holds.must);
        if (std::holds_alternative<ir::Accept>(*verdict)) {
            add(out.passes, reached);
        } else if (std::holds_alternative<ir::Drop>(*verdict) || std::holds_alternative<ir::Reject>(*verdict)) {
            add(out.dropped, reached);
        } else if (std::holds_alternative<ir::Masquerade>(*verdict)) {
            add(out.masqueraded, reached);
            add(out.passes, reached);
        } else if (std::holds_alternative<ir::Return>(*verdict)) {
            add(out.returns, reached);
        } else if (const auto* jump = std::get_if<ir::Jump>(&*verdict)) {
            add(next, through(jump->chain, reached));
        } else if (const auto* go = std::get_if<ir::Goto>(&*verdict)) {
            add(out.returns, through(go->chain, reached));
        } else {
            const auto& lookup = std::get<ir::LookupVerdict>(*verdict);
            const ir::Set& map = conditions_.set(lookup.map);
            const std::vector<Holds>& parts = conditions_.verdicts(lookup);
            std::vector<Set> taken;
            std::vector<Set> back;
            std::vector<Set> gone;
            for (std::size_t i = 0; i < map.verdicts.size(); ++i) {
                taken.push_back(parts[i].must);
                const Set given_back = through(map.verdicts[i].chain, space_.intersect(reached, parts[i].may));
                (map.verdicts[i].go ? gone : back).push_back(given_back);
            }
            next = space_.subtract(here, space_.intersect(holds.must, space_.unite(taken)));
            add(next, space_.unite(back));
            add(out.returns, space_.unite(gone));
        }
        here = next;
    }
    add(out.returns, here);
    return out;
}

}  // namespace policyc::proof
