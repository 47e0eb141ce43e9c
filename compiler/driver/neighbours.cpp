// Says which chains of other tables may refuse what the policy allows; entry point report_neighbours().
#include "compiler/driver/neighbours.h"

#include <fmt/format.h>

#include <utility>

#include "compiler/driver/surroundings.h"

namespace policyc {

namespace {

nlohmann::ordered_json record_of(const ForeignChain& chain) {
    nlohmann::ordered_json record = {{"table", chain.table}, {"chain", chain.name}, {"hook", chain.hook}};
    if (!chain.devices.empty()) record["devices"] = chain.devices;
    return record;
}

}  // namespace

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
            nlohmann::ordered_json record = record_of(chain);
            record["effect"] = word(beside.effect);
            record["why"] = beside.why;
            report.record["foreign_chains"].push_back(std::move(record));
            continue;
        }
        // What comes in and goes out is refused for other reasons than a policy's; verify has all of it.
        const bool early_or_late = chain.hook != "input" && chain.hook != "forward" && chain.hook != "output";
        if (chain.does != ForeignChain::Does::refuses || (early_or_late && !chain.rule_in.empty())) continue;
        ++notes;
        const bool by_policy = chain.rule_in.empty();
        nlohmann::ordered_json record = record_of(chain);
        record["policy"] = by_policy ? "drop" : "accept";
        if (!by_policy) record["rule_in"] = chain.rule_in;
        report.record["foreign_chains"].push_back(std::move(record));
        report.notes.push_back(fmt::format("note: {}: {}", beside.words, beside.why));
    }
    return notes;
}

std::size_t report_programs(const Tunnel& tunnel, const World& world, Report& report) {
    if (tunnel.interface.empty()) return 0;
    std::vector<Surrounding> found = programs(tunnel.interface, world);
    if (auto routed = source_routing(tunnel.interface, world)) found.push_back(std::move(*routed));
    std::size_t notes = 0;
    for (const Surrounding& one : found) {
        if (one.effect < Surrounding::Effect::widens) continue;
        ++notes;
        report.notes.push_back(fmt::format("warning: {}: {}", one.words, one.why));
    }
    return notes;
}

}  // namespace policyc
