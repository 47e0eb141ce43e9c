// The rules of a chain, one after the other, on sets of packets; entry point Execution::not_surely.
#include "compiler/proof/execution.h"

#include <algorithm>
#include <vector>

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

Set Execution::not_surely(Verdict expected, const ir::Chain& base, Set entering, const Place& place) {
    conditions_.begin(place);
    known_.clear();
    expected_ = expected;
    wrong_ = nothing;
    Packets left = run(base, {entering, everything, nothing});
    decide(base.base->policy_drop ? Verdict::drop : Verdict::pass, {everything, everything}, left);
    return wrong_;
}

Set Execution::unsettled(const Packets& packets) {
    return space_.subtract(space_.intersect(packets.all, packets.within), packets.settled);
}

void Execution::decide(Verdict verdict, const Holds& holds, Packets& packets) {
    if (verdict == expected_) {
        packets.settled = space_.unite(packets.settled, holds.must);
    } else {
        wrong_ = space_.unite(wrong_,
                              unsettled({packets.all, space_.intersect(packets.within, holds.may), packets.settled}));
    }
}

// Packets don't meet, so the same ones fare the same from wherever they come.
Execution::Packets Execution::through(const std::string& name, Packets packets) {
    const ir::Chain* chain = chains_.find(name)->second;
    const std::pair key{chain, packets};
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    const Packets left = run(*chain, packets);
    known_.emplace(key, left);
    return left;
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

// Who is done with this chain joins those that are settled, rather than to be taken out of all: that would make another set as large as all of each rule.
Execution::Packets Execution::run(const ir::Chain& chain, Packets packets) {
    const Packets entered = packets;
    std::vector<Set> back;  // left this chain by a return or a goto, and nothing settled them
    // To another chain; who is done with in this one. Who goes on there may be settled there; only who surely went there can count on it here.
    const auto enter = [&](const std::string& name, bool and_back, const Holds& goes) {
        Packets entering{packets.all, space_.intersect(packets.within, goes.may), nothing};
        if (entering.within == nothing) return nothing;
        // Of others there is no use in knowing there, and it would be carried through every set that is made.
        entering.settled = space_.intersect(packets.settled, entering.within);
        if (entering.settled == entering.within) return nothing;  // all of them were settled before
        const Packets left = through(name, entering);
        const bool knows_settled = left.all == entering.all && left.within == entering.within;
        if (knows_settled && and_back) return space_.intersect(left.settled, goes.must);
        const Set came = unsettled(left);
        if (!and_back && came != nothing) {
            back.push_back(came);
            return space_.intersect(entering.within, goes.must);
        }
        return space_.intersect(knows_settled ? left.settled : space_.subtract(unsettled(entering), came), goes.must);
    };
    const auto settle = [&](Set more) { packets.settled = space_.unite(packets.settled, more); };
    for (const ir::Rule& rule : chain.rules) {
        if (packets.all == nothing) break;
        const auto verdict = std::ranges::find_if(rule.statements, is_verdict);
        if (verdict == rule.statements.end()) continue;  // it only counts and logs
        const Holds holds = conditions_of({rule.statements.begin(), verdict});
        if (holds.may == nothing) continue;
        if (std::holds_alternative<ir::Accept>(*verdict)) {
            decide(Verdict::pass, holds, packets);
        } else if (std::holds_alternative<ir::Masquerade>(*verdict)) {
            decide(Verdict::masquerade, holds, packets);
        } else if (std::holds_alternative<ir::Drop>(*verdict) || std::holds_alternative<ir::Reject>(*verdict)) {
            decide(Verdict::drop, holds, packets);
        } else if (std::holds_alternative<ir::Return>(*verdict)) {
            const Set left = unsettled({packets.all, space_.intersect(packets.within, holds.may), packets.settled});
            if (left != nothing) back.push_back(left);
            settle(holds.must);
        } else if (const auto* jump = std::get_if<ir::Jump>(&*verdict)) {
            settle(enter(jump->chain, true, holds));
        } else if (const auto* go = std::get_if<ir::Goto>(&*verdict)) {
            settle(enter(go->chain, false, holds));
        } else {
            const auto& lookup = std::get<ir::LookupVerdict>(*verdict);
            const ir::Set& map = conditions_.set(lookup.map);
            const std::vector<Holds> parts = conditions_.verdicts(lookup);
            // A packet goes one way only, so what is settled on one is of no concern to the others: it is put together at once, in the end.
            std::vector<Set> ways;
            for (std::size_t i = 0; i < map.verdicts.size(); ++i)
                ways.push_back(
                    enter(map.verdicts[i].chain, !map.verdicts[i].go,
                          {space_.intersect(holds.may, parts[i].may), space_.intersect(holds.must, parts[i].must)}));
            settle(space_.unite(ways));
        }
    }
    if (back.empty()) return packets;
    // What comes back from two places may be settled in one of them only.
    back.push_back(unsettled(packets));
    return {space_.unite(back), everything, entered.settled};
}

}  // namespace policyc::proof
