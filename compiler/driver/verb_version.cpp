// version: verb_version().
#include <fmt/format.h>

#include "compiler/driver/help.h"
#include "compiler/driver/report.h"

namespace policyc {

int verb_version(const Options& /*options*/, World& /*world*/, Report& report) {
    report.data = fmt::format("policyc {}\n", version());
    report.record = {{"policyc", version()}};
    return 0;
}

}  // namespace policyc
