// Says which chains of other tables may refuse what the policy allows; entry point report_neighbours().
#include "compiler/driver/neighbours.h"

#include <fmt/format.h>

#include "compiler/driver/surroundings.h"

namespace policyc {

std::size_t report_neighbours(bool judges, Kernel& kernel, Report& report) {
    report.record["foreign_chains"] = nlohmann::ordered_json::array();
    if (!judges) return 0;
    const Result<std::vector<ForeignChain>> chains = kernel.foreign_chains();
    if (!chains) {
        report.notes.push_back("warning: " + chains.error().message);
        return 1;
    }
    std::size_t notes = 0;
    for (const ForeignChain& chain : chains.value()) {
        // What lets packets past the policy, or may: verify would say that the policy doesn't hold. And what makes policyc itself refuse.
        const Surrounding beside = surrounding(chain);
        const bool widens = beside.effect >= Surrounding::Effect::widens;
        if (widens || (beside.effect == Surrounding::Effect::narrows && chain.does != ForeignChain::Does::refuses)) {
            ++notes;
            report.notes.push_back(fmt::format("{}: {}: {}", widens ? "warning" : "note", beside.words, beside.why));
            report.record["foreign_chains"].push_back({{"table", chain.table},
                                                       {"chain", chain.name},
                                                       {"hook", chain.hook},
                                                       {"effect", word(beside.effect)},
                                                       {"why", beside.why}});
            continue;
        }
        // What comes in and goes out is refused for other reasons than a policy's; verify has all of it.
        const bool early_or_late = chain.hook == "ingress" || chain.hook == "prerouting" || chain.hook == "postrouting";
        if (chain.does != ForeignChain::Does::refuses || (early_or_late && !chain.rule_in.empty())) continue;
        ++notes;
        const bool by_policy = chain.rule_in.empty();
        nlohmann::ordered_json record = {{"table", chain.table},
                                         {"chain", chain.name},
                                         {"hook", chain.hook},
                                         {"policy", by_policy ? "drop" : "accept"}};
        if (!by_policy) record["rule_in"] = chain.rule_in;
        report.record["foreign_chains"].push_back(std::move(record));
        if (by_policy)
            report.notes.push_back(
                fmt::format("note: chain {} of table {} drops what it does not accept itself ({} hook): "
                            "what this policy allows must be accepted there too",
                            chain.name, chain.table, chain.hook));
        else
            report.notes.push_back(fmt::format(
                "note: chain {} of table {} has a rule that refuses ({} hook{}): it could refuse what this policy "
                "allows",
                chain.name, chain.table, chain.hook, chain.rule_in == chain.name ? "" : ", in chain " + chain.rule_in));
    }
    return notes;
}

}  // namespace policyc
