// verify: whether the kernel does what the policy says, and what else has a say: verb_verify().
#include <fmt/format.h>

#include <algorithm>

#include "compiler/driver/drift.h"
#include "compiler/driver/past.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/prove.h"
#include "compiler/driver/state.h"
#include "compiler/driver/surroundings.h"
#include "compiler/lower.h"
#include "compiler/server_ports.h"
#include "compiler/timing.h"
#include "policy/excerpt.h"
#include "policy/expect.h"

namespace policyc {

namespace {

// What the kernel held at one moment.
struct Seen {
    Snapshot table;
    std::vector<Surrounding> beside;
};

// The table, then what is beside it, and that nothing changed meanwhile.
Result<Seen> look(const Policy& policy, const Node& node, Kernel& kernel, const World& world) {
    constexpr int most_readings = 20;
    for (int i = 0; i < most_readings; ++i) {
        Result<Snapshot> table = timed("read", [&] { return kernel.read(); });
        if (!table) return table.error();
        Seen seen{std::move(table.value()), {}};
        if (node.scope != Scope::none && node.interface) {
            Result<std::vector<Surrounding>> beside = surroundings(policy, node, kernel, world);
            if (!beside) return beside.error();
            seen.beside = std::move(beside.value());
        }
        const Result<Moment> now = kernel.moment();
        if (!now) return now.error();
        if (now.value() == seen.table.moment) return seen;
    }
    return Error{fmt::format("other programs changed the rulesets of this host {} times meanwhile", most_readings),
                 "`nft monitor` shows who does; run this again when it is quiet"};
}

// What is found of the table alone.
struct Judged {
    std::string table = "as compiled";  // "differs", "absent", "not this node's"
    std::string proof = "none";         // "same", "differs", "not understood"
    std::vector<std::string> wrong;     // what does not hold, a line each
};

void add_drift(const Drift& found, std::vector<std::string>& wrong) {
    constexpr std::size_t shown = 10;
    const auto add = [&](const char* what, const std::vector<std::string>& texts) {
        for (std::size_t i = 0; i < std::min(shown, texts.size()); ++i) wrong.push_back(what + texts[i]);
        if (texts.size() > shown) wrong.push_back(fmt::format("{}and {} more such", what, texts.size() - shown));
    };
    add("more than the policy compiles to: ", found.foreign);
    add("other than the policy compiles to: ", found.otherwise);
    add("less than the policy compiles to: ", found.missing);
}

Result<Judged> judge_table(const std::optional<ir::Ruleset>& table, const ir::Ruleset& wanted,
                           const proof::Proof& proof) {
    Judged judged;
    if (wanted.empty()) {
        if (!table) return judged;
        return Judged{"not this node's", "none", {"there is a table inet policyc, and this node judges nothing"}};
    }
    if (!table)
        return Judged{"absent",
                      "none",
                      {"there is no table inet policyc: nothing is judged, and all that others let through passes"}};
    const bool as_compiled = same(*table, wanted);
    using Found = proof::Proof::Found;
    switch (proof.found) {
        case Found::same: judged.proof = "same"; break;
        case Found::differs:
            judged.proof = "differs";
            judged.wrong.push_back(proof.error.message);
            break;
        case Found::not_understood:
            judged.proof = "not understood";
            judged.wrong.push_back("can't be verified: " + proof.error.message);
            break;
        case Found::too_large:
            if (as_compiled) return proof.error;
            judged.wrong.push_back("can't be verified: " + proof.error.message);
            break;
    }
    if (as_compiled) {
        if (proof.found == Found::same) return judged;
        return Error{"internal error: the table is as compiled, and yet " + judged.wrong.front(),
                     "please report this, with the policy",
                     {}};
    }
    judged.table = "differs";
    const std::size_t known = judged.wrong.size();
    add_drift(drift(*table, wanted, true), judged.wrong);
    if (judged.wrong.size() == known) judged.wrong.emplace_back("the table is not what the policy compiles to");
    return judged;
}

std::string size_text(const ir::Ruleset& ruleset) {
    std::size_t rules = 0;
    for (const ir::Chain& chain : ruleset.chains) rules += chain.rules.size();
    std::size_t elements = 0;
    for (const ir::Set& set : ruleset.sets) elements += set.elements.size();
    return fmt::format("{}, {}, {}, {}", count_of(ruleset.chains.size(), "chain"), count_of(rules, "rule"),
                       count_of(ruleset.sets.size(), "set"), count_of(elements, "element"));
}

const char* heading(Surrounding::Effect effect) {
    switch (effect) {
        case Surrounding::Effect::breaks: return "breaks the policy";
        case Surrounding::Effect::widens: return "could widen it";
        case Surrounding::Effect::narrows: return "can narrow it";
        case Surrounding::Effect::neither: return "does neither";
    }
    return "";
}

void tell(const std::string& node, const std::string& path, bool holds, const Judged& judged, const Seen& seen,
          Report& report) {
    std::string& text = report.data;
    text = fmt::format("{}: the kernel {} what {} says\n", node, holds ? "does" : "does not do", printable(path));
    if (judged.wrong.empty() && seen.table.ruleset)
        text += fmt::format(
            "  table inet policyc is as compiled: {}\n  proved: what the policy allows passes it, and "
            "nothing else\n",
            size_text(*seen.table.ruleset));
    if (judged.wrong.empty() && !seen.table.ruleset) text += "  this node judges nothing, and there is no table\n";
    for (const std::string& wrong : judged.wrong) text += "  ! " + printable(wrong) + "\n";
    for (std::size_t i = 0; i < seen.beside.size(); ++i) {
        const Surrounding& one = seen.beside[i];
        if (i == 0 || seen.beside[i - 1].effect != one.effect)
            text += fmt::format("  beside it, {}:\n", heading(one.effect));
        text += fmt::format("    {} {}\n", one.effect >= Surrounding::Effect::widens ? "!" : "-", printable(one.words));
        if (!one.why.empty()) text += fmt::format("      {}\n", printable(one.why));
    }
    if (!judged.wrong.empty())
        text += "  `policyc diff` says who gains and loses what by it; `policyc apply` makes it what the policy says\n";
}

void record(const std::string& node, bool holds, const Judged& judged, const Seen& seen, Report& report) {
    auto& json = report.record;
    json["node"] = node;
    json["holds"] = holds;
    json["generation"] = seen.table.moment.generation;
    json["table"] = judged.table;
    json["proof"] = judged.proof;
    json["wrong"] = judged.wrong;
    json["beside"] = nlohmann::ordered_json::array();
    for (const Surrounding& one : seen.beside)
        json["beside"].push_back({{"effect", word(one.effect)}, {"what", one.words}, {"why", one.why}});
}

}  // namespace

int verb_verify(const Options& options, World& world, Report& report) {
    int status = 0;
    const std::optional<Opened> opened = open_policy(options, world, report, status);
    if (!opened) return status;
    const Policy& policy = opened->loaded.policy;
    const LockFile& lock = opened->lock;
    const std::size_t node = opened->node;
    const Node& chosen = policy.nodes[node];

    const Lock known = known_names(policy, lock, world, report);
    const Addresses addresses = addresses_of(policy, known, load_hosts(world), world.now, report.diagnostics);
    judge(policy, addresses, today(world), report.diagnostics, Nameless::waits);
    if (report.diagnostics.errors() > 0) return report.stopped();
    ir::Ruleset wanted = timed("lower", [&] { return lower(policy, addresses, node, today(world), world.layout); });
    const std::unique_ptr<Kernel> kernel = world.kernel();
    const Result<Seen> seen = look(policy, chosen, *kernel, world);
    if (!seen) return report.fail(seen.error());
    const std::optional<ir::Ruleset>& before = seen.value().table.ruleset;
    const std::unique_ptr<Past> past = find_past(before, chosen.name, world);
    // Of ports that something serves at, those that the last apply took count: what began since is the next apply's to add.
    const ir::Ruleset* const made = table_of(before, past);
    const ServerPorts live = made != nullptr ? server_ports_of(*made) : ServerPorts{};
    add_server_ports(wanted, live);
    proof::Proof proof;
    if (before && !wanted.empty())
        proof = timed("prove", [&] { return find_proof(policy, addresses, node, *before, live, world); });
    const Result<Judged> judged = judge_table(before, wanted, proof);
    if (!judged) return report.fail(judged.error());

    const bool beside = std::ranges::none_of(
        seen.value().beside, [](const Surrounding& one) { return one.effect >= Surrounding::Effect::widens; });
    const bool holds = judged.value().wrong.empty() && beside;
    warn_without_past(before, past, judged.value().table != "as compiled", chosen.name, world, report);
    tell(chosen.name, opened->loaded.path, holds, judged.value(), seen.value(), report);
    record(chosen.name, holds, judged.value(), seen.value(), report);
    return holds ? 0 : 1;
}

}  // namespace policyc
