// codes: the table of diagnostic codes, for tests and for whoever looks one up: verb_codes().
#include <fmt/format.h>

#include "compiler/driver/report.h"
#include "policy/codes.h"

namespace policyc {

int verb_codes(const Options& /*options*/, World& /*world*/, Report& report) {
    report.record["codes"] = nlohmann::ordered_json::array();
    for (const CodeInfo& code : all_codes()) {
        report.data += fmt::format("{}\t{}\n", code.name, code.title);
        report.record["codes"].push_back({{"code", code.name}, {"title", code.title}});
    }
    return 0;
}

}  // namespace policyc
