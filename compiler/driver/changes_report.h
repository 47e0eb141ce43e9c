// What changes between two Rulesets, in the policy's words: the lines that diff and apply print, and their JSON.
#pragma once

#include <string>

#include "compiler/driver/difference.h"
#include "compiler/driver/report.h"

namespace policyc {

enum class Tense { would, did };

// Puts lines and summary below a headline into the Report's data, and all of it into its record.
void report_difference(const Difference& difference, const std::string& headline, Tense tense, Report& report);

// Its record alone, which has every key where there is no difference too.
void record_difference(const Difference& difference, Report& report);

}  // namespace policyc
