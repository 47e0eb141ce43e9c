// manual: the manual pages, generated from the table of verbs and the table of keys: verb_manual().
#include <fmt/format.h>

#include "compiler/driver/manual.h"
#include "compiler/driver/report.h"

namespace policyc {

int verb_manual(const Options& options, World& /*world*/, Report& report) {
    if (options.topic == "policyc") {
        report.data = manual_of_program();
    } else if (options.topic == "policy.toml") {
        report.data = manual_of_language();
    } else {
        return report.fail(
            {fmt::format("there is no page `{}`", options.topic), "the pages are policyc and policy.toml"});
    }
    report.record["page"] = report.data;
    return 0;
}

}  // namespace policyc
