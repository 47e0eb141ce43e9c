// [[test]] as sets of flows; entry point prove_tests().
#include "compiler/proof/expectations.h"

#include <fmt/format.h>

#include "compiler/proof/counterexample.h"
#include "compiler/proof/places.h"

namespace policyc::proof {
namespace {

// What tests of one family expect, against what is permitted. The levels above the destination are not looked at.
class Examiner {
public:
    Examiner(const Policy& policy, const Addresses& addresses, Days today, Family family)
        : policy_(policy), addresses_(addresses), today_(today), family_(family) {}

    Proof run() {
        const Result<Set> always = permitted_to_all();
        for (const Expectation& test : policy_.tests) {
            const Result<Set> from = sources(test.from);
            examine(test, from, diagrams_.intersect(permitted_in(test, always), from));
            if (proof_.found != Proof::Found::same) break;
        }
        proof_.edges = diagrams_.edges();
        proof_.bytes = diagrams_.bytes();
        return proof_;
    }

private:
    [[nodiscard]] std::vector<Interval> intervals(const Host& host) const {
        std::vector<Interval> all;
        for (const Range& range : ranges_of(policy_, addresses_, host))
            if (range.family == family_) all.push_back({range.lo, range.hi});
        return all;
    }

    Result<Set> sources(const std::vector<Source>& list) {
        Boxes boxes(diagrams_.levels());
        for (const Source& source : list)
            for (const Interval& range : intervals(source.host)) {
                FlowBox flows = any_flow(family_);
                flows[place(Field::source)] = range;
                boxes.add(flows);
            }
        return diagrams_.build(boxes).set;
    }

    void add(Boxes& boxes, const Host& host, const Ports& ports, Set from) {
        for (const Interval& range : intervals(host)) {
            FlowBox flows = any_flow(family_);
            flows[place(Field::destination)] = range;
            narrow(flows, family_, ports);
            boxes.add(flows, from);
        }
    }

    // The flows from there to what a list names: in a test all of it, in a tier what has not expired.
    Result<Set> flows_to(const std::vector<Target>& targets, const Result<Set>& from, bool all) {
        if (!from) return from;
        Boxes boxes(diagrams_.levels());
        for (const Target& target : targets)
            if (all || holds_on(target.expires, today_)) add(boxes, target.host, target.ports, from.value());
        return diagrams_.build(boxes).set;
    }

    Result<Set> tier(std::size_t index) {
        const Tier& tier = policy_.tiers[index];
        if (!holds_on(tier.expires, today_)) return nothing;
        return flows_to(tier.allow, sources(tier.who), false);
    }

    // Tiers that need no grant and no bastion, and the inputs of all nodes that judge something.
    Result<Set> permitted_to_all() {
        Boxes boxes(diagrams_.levels());
        for (const Tier& tier : policy_.tiers) {
            if (tier.grant || tier.bastion || !holds_on(tier.expires, today_)) continue;
            const Result<Set> from = sources(tier.who);
            if (!from) return from;
            for (const Target& target : tier.allow)
                if (holds_on(target.expires, today_)) add(boxes, target.host, target.ports, from.value());
        }
        for (std::size_t node = 0; node < policy_.nodes.size(); ++node) {
            if (policy_.nodes[node].scope == Scope::none) continue;
            for (const Input& input : policy_.nodes[node].inputs) {
                const Result<Set> from = sources(input.from);
                if (!from) return from;
                for (const Ports& ports : input.ports) add(boxes, NodeRef{node}, ports, from.value());
            }
        }
        return diagrams_.build(boxes).set;
    }

    // And what counts in this test alone: tiers of `with`, and the output of nodes that it is `from`.
    Result<Set> permitted_in(const Expectation& test, const Result<Set>& always) {
        Result<Set> all = always;
        for (const std::size_t index : test.with) all = diagrams_.unite(all, tier(index));
        for (const Source& source : test.from) {
            const auto* ref = std::get_if<NodeRef>(&source.host);
            if (ref == nullptr || !policy_.nodes[ref->node].output) continue;
            all = diagrams_.unite(all, flows_to(*policy_.nodes[ref->node].output, sources({source}), false));
        }
        return all;
    }

    void examine(const Expectation& test, const Result<Set>& from, const Result<Set>& permitted) {
        if (test.allow) none(test, diagrams_.subtract(flows_to(test.allow->targets, from, true), permitted), false);
        if (test.deny) none(test, diagrams_.intersect(flows_to(test.deny->targets, from, true), permitted), true);
        if (!test.only) return;
        const Result<Set> these = flows_to(test.only->targets, from, true);
        none(test, diagrams_.subtract(permitted, these), true);
        none(test, diagrams_.subtract(these, permitted), false);
    }

    // There must be no such flow.
    void none(const Expectation& test, const Result<Set>& flows, bool passes) {
        if (proof_.found != Proof::Found::same) return;
        if (!flows) {
            proof_.found = Proof::Found::too_large;
            proof_.error = flows.error();
            proof_.error.span = test.span;
            return;
        }
        const auto point = diagrams_.witness(flows.value());
        if (!point) return;
        proof_.found = Proof::Found::differs;
        proof_.error = {fmt::format("test `{}` does not hold: the flow {} is {}", test.name,
                                    flow_words(*point, family_), passes ? "let through" : "not let through"),
                        {},
                        test.span};
    }

    const Policy& policy_;
    const Addresses& addresses_;
    const Days today_;
    const Family family_;
    Diagrams diagrams_{flow_levels(family_)};
    Proof proof_;
};

}  // namespace

Proof prove_tests(const Policy& policy, const Addresses& addresses, Days today) {
    Proof proof;
    if (policy.tests.empty()) return proof;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        if (family == Family::ipv6 && policy.ipv6 == Ipv6::deny) break;
        proof = Examiner(policy, addresses, today, family).run();
        if (proof.found != Proof::Found::same) break;
    }
    return proof;
}

}  // namespace policyc::proof
