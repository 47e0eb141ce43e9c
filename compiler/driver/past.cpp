// Reads a record of the state directory back into a policy: find_past().
#include "compiler/driver/past.h"

#include <fmt/format.h>

#include <filesystem>

#include "compiler/driver/help.h"
#include "compiler/lower.h"
#include "policy/check.h"
#include "policy/parse.h"

namespace policyc {

namespace {

// A record that is none, of another node or of a policy that can't be read gives an Error, which says so of `path`.
Result<std::unique_ptr<Past>> past_of(const Result<Applied>& record, const std::string& path, const ir::Ruleset& table,
                                      const std::string& node, const Layout& layout) {
    if (!record) return record.error();
    const Applied* applied = &record.value();
    if (applied->node != node) return Error{fmt::format("{} is of node `{}`", path, applied->node), {}};
    const Error unreadable{fmt::format("the policy in {} can't be read by this policyc", path), {}};
    const std::optional<Time> then = parse_time(applied->time);
    if (!then || applied->files.empty()) return unreadable;
    FakeFiles files;
    for (const auto& [name, text] : applied->files) files.files[name] = text;
    auto past = std::make_unique<Past>();
    Diagnostics diagnostics;
    const std::optional<Ast> ast = parse(applied->files.front().first, files, past->sources, diagnostics);
    std::optional<Policy> policy = ast ? check(*ast, past->sources, diagnostics) : std::nullopt;
    if (!policy) return unreadable;
    past->policy = std::move(*policy);
    past->addresses = applied->addresses;
    past->policyc = applied->policyc;
    const std::vector<Node>& nodes = past->policy.nodes;
    std::size_t index = 0;
    while (index < nodes.size() && nodes[index].name != node) ++index;
    if (index == nodes.size()) return unreadable;
    const Days day = std::chrono::floor<std::chrono::days>(*then);
    past->view = {.policy = &past->policy,
                  .addresses = &past->addresses,
                  .sources = &past->sources,
                  .node = index,
                  .today = day,
                  .layout = layout,
                  .ruleset = &past->meant};
    try {
        past->meant = lower(past->policy, past->addresses, index, day, layout);
    } catch (const TooEntangled&) {
        return Error{fmt::format("the policy in {} is too entangled for this policyc", path), {}};
    }
    // A record without these ports was written before they were kept: then the table is believed.
    add_server_ports(past->meant, applied->server_ports ? *applied->server_ports : server_ports_of(table));
    return past;
}

Result<std::unique_ptr<Past>> last_applied(const ir::Ruleset& table, const std::string& node, const World& world) {
    return past_of(load_applied(world), record_path(world), table, node, world.layout);
}

}  // namespace

std::unique_ptr<Past> find_past(const std::optional<ir::Ruleset>& table, const std::string& node, const World& world) {
    if (!table) return nullptr;
    Result<std::unique_ptr<Past>> applied = last_applied(*table, node, world);
    std::unique_ptr<Past> kept = applied ? std::move(applied.value()) : nullptr;
    if (kept && same(kept->meant, *table)) return kept;
    Result<std::unique_ptr<Past>> next = past_of(load_prepared(world), {}, *table, node, world.layout);
    if (!next || !same(next.value()->meant, *table)) return kept;
    next.value()->pending = true;
    return std::move(next.value());
}

void warn_without_past(const std::optional<ir::Ruleset>& table, const std::unique_ptr<Past>& past, bool differs,
                       const std::string& node, const World& world, Report& report) {
    if (!table || past || (!differs && !exists(record_path(world)))) return;
    const Result<std::unique_ptr<Past>> applied = last_applied(*table, node, world);
    if (applied) return;
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(record_path(world), ignored);
    report.notes.push_back(fmt::format(
        "warning: {}; without the record of what was applied last, what differs is told by chains and sets; "
        "{}apply writes it anew",
        applied.error().message, folder ? "remove it, and " : ""));
}

std::optional<Origin> origin_of(const std::unique_ptr<Past>& past) {
    if (!past) return {};
    std::string other;
    if (past->policyc.empty())
        other = "an earlier policyc";
    else if (past->policyc != version())
        other = "policyc " + past->policyc;
    return Origin{&past->view, &past->meant, std::move(other)};
}

const ir::Ruleset* table_of(const std::optional<ir::Ruleset>& table, const std::unique_ptr<Past>& past) {
    if (past) return &past->meant;
    return table ? &*table : nullptr;
}

}  // namespace policyc
