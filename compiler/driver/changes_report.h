// What changes between two Rulesets, in the policy's words: the lines that diff and apply print, and their JSON.
#pragma once

#include <string>
#include <vector>

#include "compiler/access.h"
#include "compiler/driver/report.h"

namespace policyc {

// How two Rulesets differ.
struct Difference {
    bool same = false;
    std::vector<Change> changes;
    Extent extent;
    std::vector<std::string> foreign;  // things of `before` that policyc does not write, or did not write so
    std::vector<std::string> chains;   // the chains that differ
    // What begins or ends to be judged, in words; and whether that, or something foreign, opens or closes more than the
    // changes say.
    std::vector<std::string> judging;
    bool opens = false;
    bool closes = false;
};
Difference difference(const ir::Ruleset& before, const ir::Ruleset& after, const View& new_view,
                      const std::optional<View>& old_view);

enum class Tense { would, did };

// Puts lines and summary below a headline into the Report's data, and all of it into its record.
void report_difference(const Difference& difference, const std::string& headline, Tense tense, Report& report);

}  // namespace policyc
