// Reads a record of the state directory back into a policy: find_past().
#include "compiler/driver/past.h"

#include "compiler/driver/help.h"
#include "compiler/lower.h"
#include "policy/check.h"
#include "policy/parse.h"

namespace policyc {

namespace {

std::unique_ptr<Past> past_of(const std::optional<Applied>& applied, const ir::Ruleset& table, const std::string& node,
                              const Layout& layout) {
    if (!applied || applied->node != node || applied->files.empty()) return nullptr;
    const std::optional<Time> then = parse_time(applied->time);
    if (!then) return nullptr;
    FakeFiles files;
    for (const auto& [name, text] : applied->files) files.files[name] = text;
    auto past = std::make_unique<Past>();
    Diagnostics diagnostics;
    const std::optional<Ast> ast = parse(applied->files.front().first, files, past->sources, diagnostics);
    std::optional<Policy> policy = ast ? check(*ast, past->sources, diagnostics) : std::nullopt;
    if (!policy) return nullptr;
    past->policy = std::move(*policy);
    past->addresses = applied->addresses;
    past->policyc = applied->policyc;
    const std::vector<Node>& nodes = past->policy.nodes;
    std::size_t index = 0;
    while (index < nodes.size() && nodes[index].name != node) ++index;
    if (index == nodes.size()) return nullptr;
    const Days day = std::chrono::floor<std::chrono::days>(*then);
    past->view = {.policy = &past->policy,
                  .addresses = &past->addresses,
                  .sources = &past->sources,
                  .node = index,
                  .today = day,
                  .layout = layout,
                  .ruleset = &past->meant};
    past->meant = lower(past->policy, past->addresses, index, day, layout);
    // A record without these ports was written before they were kept: then the table is believed.
    add_server_ports(past->meant, applied->server_ports ? *applied->server_ports : server_ports_of(table));
    return past;
}

}  // namespace

std::unique_ptr<Past> find_past(const std::optional<ir::Ruleset>& table, const std::string& node, const World& world) {
    if (!table) return nullptr;
    std::unique_ptr<Past> kept = past_of(load_applied(world), *table, node, world.layout);
    if (kept && same(kept->meant, *table)) return kept;
    std::unique_ptr<Past> next = past_of(load_prepared(world), *table, node, world.layout);
    if (!next || !same(next->meant, *table)) return kept;
    next->pending = true;
    return next;
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
