// What explain says, against the diagram of the policy: two readings of one text that share no code.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "compiler/driver/explained.h"
#include "compiler/driver/report.h"
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

// An internal error that names the three answers about a flow.
Error disagreement(const std::string& about, const std::string& lines, const std::string& diagram,
                   const std::string& kernel);

// All that was answered, against the diagram. The Error is what they disagree about; a policy too entangled for a diagram is a note.
Result<void> compare_with_diagram(const Explained& explained, Report& report);

}  // namespace policyc
