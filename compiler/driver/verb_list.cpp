// list: who reaches what, for people, programs and pictures: verb_list().
#include <fmt/format.h>

#include <algorithm>

#include "compiler/driver/access_list.h"
#include "compiler/driver/pipeline.h"
#include "compiler/time_text.h"

namespace policyc {

namespace {

nlohmann::ordered_json row_json(const AccessRow& row, const Sources& sources) {
    nlohmann::ordered_json json = {{"who", row.who},
                                   {"who_addresses", row.who_addresses},
                                   {"what", row.what},
                                   {"host", row.host},
                                   {"addresses", row.addresses},
                                   {"ports", row.ports},
                                   {"via", row.via},
                                   {"limits", row.limits},
                                   {"log", row.log},
                                   {"in_force", row.in_force}};
    if (!row.in_force) json["why_not"] = row.why_not;
    if (row.until) json["until"] = to_text(*row.until);
    json["file"] = row.span.valid() ? sources.name(row.span.file) : "";
    json["line"] = row.span.valid() ? sources.line_number(row.span.file, row.span.begin) : 0;
    return json;
}

// More than anybody reads or any program draws; as JSON it takes 0.9 GB of memory.
constexpr std::size_t most_rows = 250000;

std::optional<Error> unknown(const Policy& policy, const std::optional<std::string>& name,
                             const std::vector<std::string>& known, const std::string& does) {
    if (!name) return {};
    const auto is_known = [&](const std::string& one) { return std::ranges::binary_search(known, one); };
    if (std::ranges::any_of(members_of(policy, *name), is_known)) return {};
    if (std::ranges::find(policy.groups, *name, &Group::name) != policy.groups.end())
        return Error{fmt::format("the policy has nothing in the group `{}` that {}", *name, does),
                     "`policyc list` shows the names"};
    std::vector<std::string> names = known;
    for (const Group& group : policy.groups) names.push_back(group.name);
    const std::string near = nearest(*name, names);
    return Error{fmt::format("the policy has no `{}` that {}", *name, does),
                 near.empty() ? "`policyc list` shows the names" : fmt::format("did you mean `{}`?", near)};
}

// Why that list can't be shown.
std::optional<Error> refusal(const Policy& policy, std::optional<std::size_t> node, const Options& options,
                             const ListFilter& filter) {
    if (filter.who || filter.what) {
        const ListNames names = list_names(policy);
        if (auto error = unknown(policy, options.who, names.who, "reaches anything")) return error;
        if (auto error = unknown(policy, options.what, names.what, "anybody reaches")) return error;
    }
    const std::size_t rows = count_rows(policy, node, filter);
    if (rows <= most_rows) return {};
    const ListNames names = list_names(policy);
    const auto one_of = [](const std::vector<std::string>& list) { return list.empty() ? "NAME" : list.front(); };
    return Error{
        fmt::format("the list would have {} lines, and {} is the most that is shown", rows, most_rows),
        fmt::format("ask for one person or one service: --who {}, --what {}", one_of(names.who), one_of(names.what))};
}

}  // namespace

int verb_list(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics);
    if (!loaded) return report.stopped();
    const std::optional<LockFile> lock = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    std::optional<std::size_t> node;
    if (options.node) {
        const Result<std::size_t> chosen = choose_node(loaded->policy, options, world);
        if (!chosen) return report.fail(chosen.error());
        node = chosen.value();
    }
    ListFilter filter;
    if (options.who) filter.who = members_of(loaded->policy, *options.who);
    if (options.what) filter.what = members_of(loaded->policy, *options.what);
    if (const auto error = refusal(loaded->policy, node, options, filter)) return report.fail(*error);
    const Addresses addresses =
        addresses_of(loaded->policy, lock->lock, load_hosts(world), world.now, report.diagnostics);
    if (report.diagnostics.errors() > 0) return report.stopped();

    const AccessList list = access_list(loaded->policy, addresses, node, today(world), filter);
    if (options.json()) {
        report.record["access"] = nlohmann::ordered_json::array();
        for (const AccessRow& row : list.rows) report.record["access"].push_back(row_json(row, report.sources));
        report.record["implied"] = nlohmann::ordered_json::array();
        for (const ImpliedRow& row : list.implied)
            report.record["implied"].push_back({{"node", row.node}, {"what", row.what}});
    } else if (options.format == "mermaid") {
        report.data = list_mermaid(list);
    } else if (options.format == "dot") {
        report.data = list_dot(list);
    } else {
        report.data = list_table(list, report.sources);
    }
    return 0;
}

}  // namespace policyc
