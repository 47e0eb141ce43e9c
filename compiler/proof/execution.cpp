// The rules of a chain, one after the other, on sets of packets; entry point Execution::not_surely.
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

Execution::Packets Execution::run(const ir::Chain& chain, Packets packets) {
    const Packets entered = packets;
    Set back = nothing;  // left this chain by a return or a goto, and nothing settled them
    // To another chain. Who goes on there may be settled there; only who surely went there can count on it here.
    const auto enter = [&](const std::string& name, bool and_back, const Holds& goes) {
        const Packets entering{packets.all, space_.intersect(packets.within, goes.may), packets.settled};
        if (entering.within == nothing) return;
        const Packets left = through(name, entering);
        const Set settled = space_.unite(packets.settled, space_.intersect(left.settled, goes.must));
        if (and_back) {
            if (left.all != entering.all || left.within != entering.within)
                packets.all =
                    space_.unite(space_.subtract(packets.all, goes.must), space_.intersect(left.all, left.within));
            packets.settled = settled;
        } else if (const Set more = unsettled(left); more != nothing) {
            packets.all = space_.subtract(packets.all, goes.must);
            back = space_.unite(back, more);
        } else {
            packets.settled = settled;
        }
    };
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
            back = space_.unite(back,
                                unsettled({packets.all, space_.intersect(packets.within, holds.may), packets.settled}));
            packets.all = space_.subtract(packets.all, holds.must);
        } else if (const auto* jump = std::get_if<ir::Jump>(&*verdict)) {
            enter(jump->chain, true, holds);
        } else if (const auto* go = std::get_if<ir::Goto>(&*verdict)) {
            enter(go->chain, false, holds);
        } else {
            const auto& lookup = std::get<ir::LookupVerdict>(*verdict);
            const ir::Set& map = conditions_.set(lookup.map);
            const std::vector<Holds> parts = conditions_.verdicts(lookup);
            for (std::size_t i = 0; i < map.verdicts.size(); ++i)
                enter(map.verdicts[i].chain, !map.verdicts[i].go,
                      {space_.intersect(holds.may, parts[i].may), space_.intersect(holds.must, parts[i].must)});
        }
    }
    if (back == nothing) return packets;
    // What comes back from two places may be settled in one of them only.
    return {space_.unite(back, unsettled(packets)), everything, entered.settled};
}

}  // namespace policyc::proof
