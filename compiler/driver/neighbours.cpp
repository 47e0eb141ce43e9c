// Says which chains of other tables may refuse what the policy allows; entry point report_neighbours().
#include "compiler/driver/neighbours.h"

#include <fmt/format.h>

namespace policyc {

void report_neighbours(const ir::Ruleset& wanted, Kernel& kernel, Report& report) {
    report.record["foreign_chains"] = nlohmann::ordered_json::array();
    if (wanted.empty()) return;
    const Result<std::vector<ForeignChain>> chains = kernel.foreign_chains();
    if (!chains) {
        report.notes.push_back("warning: " + chains.error().message);
        return;
    }
    for (const ForeignChain& chain : chains.value()) {
        report.record["foreign_chains"].push_back(
            {{"table", chain.table}, {"chain", chain.name}, {"hook", chain.hook}, {"policy", "drop"}});
        report.notes.push_back(
            fmt::format("note: chain {} of table {} drops what it does not accept itself ({} hook): "
                        "what this policy allows must be accepted there too",
                        chain.name, chain.table, chain.hook));
    }
}

}  // namespace policyc
