// What explain says, against the diagram of the policy: two readings of one text that share no code.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "compiler/explain.h"
#include "compiler/proof/meaning.h"

namespace policyc {

// The diagrams of a policy for one node on one day, each made when it is first asked for.
class PolicyDiagrams {
public:
    explicit PolicyDiagrams(const explain::Asked& asked) : asked_(asked) {}

    // Which verdicts the diagram has among the flows of that part at these ports. An Error where the policy is too entangled for one.
    Result<explain::Shares> shares(const explain::Part& part, const Ports& ports);

private:
    struct OfFamily {
        explicit OfFamily(Family family) : diagrams(proof::flow_levels(family)) {}
        proof::Diagrams diagrams;
        Result<proof::Meaning> meaning = Error{};
    };
    OfFamily& of(Family family);

    const explain::Asked& asked_;
    std::array<std::unique_ptr<OfFamily>, 2> families_;
};

// "allowed", "denied and not judged"
std::string words_of(const explain::Shares& shares);

}  // namespace policyc
