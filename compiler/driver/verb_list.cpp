// list: who reaches what, for people, programs and pictures: verb_list().
#include <fmt/format.h>

#include <algorithm>

#include "compiler/driver/access_list.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/state.h"
#include "compiler/time_text.h"

namespace policyc {

namespace {

nlohmann::ordered_json row_json(const AccessRow& row, const Sources& sources) {
    nlohmann::ordered_json json = {{"who", row.who},
                                   {"who_addresses", row.who_addresses},
                                   {"what", row.what},
                                   {"host", row.host},
                                   {"addresses", row.addresses},
                                   {"any_own_address", row.own},
                                   {"ports", row.ports},
                                   {"via", row.via},
                                   {"limits", row.limits},
                                   {"log", row.log},
                                   {"in_force", row.in_force}};
    if (!row.in_force) json["why_not"] = row.why_not;
    if (!row.unjudged_on.empty()) json["not_judged_on"] = row.unjudged_on;
    if (row.until) json["until"] = to_text(*row.until);
    json["file"] = row.span.valid() ? sources.name(row.span.file) : "";
    json["line"] = row.span.valid() ? sources.line_number(row.span.file, row.span.begin) : 0;
    return json;
}

// More than anybody reads or any program draws; as JSON it takes 0.9 GB of memory.
constexpr std::size_t most_rows = 250000;

Error too_long(const Policy& policy, std::size_t rows) {
    const auto tier =
        std::ranges::find_if(policy.tiers, [](const Tier& t) { return !t.who.empty() && !t.allow.empty(); });
    const std::string who = tier == policy.tiers.end() ? "NAME" : tier->who.front().label;
    const std::string what = tier == policy.tiers.end() ? "NAME" : tier->allow.front().label;
    return {fmt::format("the list would have {} lines, and {} is the most that is shown", rows, most_rows),
            fmt::format("ask for one person or one service: --who {}, --what {}", who, what)};
}

// What is said of a list without rows.
std::string nothing_found(const Query& query) {
    if (query.from && query.to) return fmt::format("{} does not reach {}\n", *query.from, *query.to);
    if (query.from) return *query.from + " reaches nothing\n";
    return fmt::format("nobody reaches {}\n", query.to.value_or("anything"));
}

// Of a node that nobody reaches: who does by a tier that opens a network that it serves, if it has an address there; "" where nobody does.
std::string served_found(const AccessList& list, const Sources& sources) {
    constexpr std::size_t most_shown = 5;
    std::vector<std::string> lines;
    for (const AccessRow& row : list.rows) {
        const bool network = std::ranges::any_of(
            row.addresses, [](const std::string& address) { return address.find_first_of("/-") != std::string::npos; });
        if (row.in_force && network && row.via.starts_with("tiers."))
            lines.push_back(fmt::format("  {}  {} {}  {}  {}  {}\n", row.who, row.what, fmt::join(row.addresses, ", "),
                                        fmt::join(row.ports, ", "), row.via, sources.place(row.span)));
    }
    if (lines.empty()) return {};
    const std::size_t more = lines.size() - std::min(lines.size(), most_shown);
    lines.resize(lines.size() - more);
    return fmt::format("but at an address of its own in a network that it serves, if it has one:\n{}{}",
                       fmt::join(lines, ""), more == 0 ? "" : fmt::format("  and {} more\n", more));
}

}  // namespace

int verb_list(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    const Query query{options.who, options.what, true};
    const bool filtered = query.from || query.to;
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics,
                                                     filtered ? std::optional(query) : std::nullopt);
    if (!loaded) return report.stopped();
    const std::optional<LockFile> lock = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!lock) return report.error ? 2 : report.stopped();
    const Policy& policy = loaded->policy;
    std::optional<std::size_t> node;
    if (options.node) {
        const Result<std::size_t> chosen = choose_node(policy, options, world);
        if (!chosen) return report.fail(chosen.error());
        node = chosen.value();
    }
    const Lock known = known_names(policy, *lock, world, report);
    const Addresses addresses = addresses_of(policy, known, load_hosts(world), world.now, report.diagnostics);
    if (report.diagnostics.errors() > 0) return report.stopped();
    const ListFilter filter = filtered ? list_filter(policy, addresses, policy.tests.back(), query) : ListFilter{};
    if (const std::size_t rows = count_rows(policy, addresses, node, filter); rows > most_rows)
        return report.fail(too_long(policy, rows));

    const AccessList list = access_list(policy, addresses, node, today(world), filter);
    if (options.json()) {
        report.record["access"] = nlohmann::ordered_json::array();
        for (const AccessRow& row : list.rows) report.record["access"].push_back(row_json(row, report.sources));
        report.record["implied"] = nlohmann::ordered_json::array();
        for (const ImpliedRow& row : list.implied)
            report.record["implied"].push_back({{"node", row.node}, {"what", row.what}});
        report.record["not_judged"] = nlohmann::ordered_json::array();
        for (const ImpliedRow& row : list.unjudged)
            report.record["not_judged"].push_back({{"node", row.node}, {"what", row.what}});
    } else if (options.format == "mermaid") {
        report.data = list_mermaid(list);
    } else if (options.format == "dot") {
        report.data = list_dot(list);
    } else {
        report.data = list.rows.empty() ? nothing_found(query) : "";
        if (list.rows.empty() && query.to) {
            const ListFilter served = served_filter(policy, policy.tests.back(), filter);
            if (count_rows(policy, addresses, node, served) <= most_rows)
                report.data += served_found(access_list(policy, addresses, node, today(world), served), report.sources);
        }
        report.data += list_table(list, report.sources);
    }
    return 0;
}

}  // namespace policyc
