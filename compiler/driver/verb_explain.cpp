// explain: why somebody may reach something, or why not: verb_explain().
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "compiler/dormant.h"
#include "compiler/driver/agreement.h"
#include "compiler/driver/explained.h"
#include "compiler/driver/neighbours.h"
#include "compiler/driver/past.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/state.h"
#include "compiler/driver/tunnel.h"
#include "compiler/lower.h"
#include "compiler/timing.h"

namespace policyc {

namespace {

using explain::Verdict;

explain::Side side_of(const Node& node, const std::string& interface) {
    if (node.interface && node.interface->value == interface) return explain::Side::tunnel;
    const bool untouched =
        std::ranges::any_of(node.untouched.interfaces, [&](const auto& name) { return name.value == interface; });
    return untouched ? explain::Side::untouched : explain::Side::other;
}

// Notes an interface that the policy doesn't name: it need not, but may be meant to.
void note_unnamed(const Node& node, const std::string& in, Report& report) {
    std::vector<std::string> names;
    if (node.interface) names.push_back(node.interface->value);
    for (const auto& name : node.untouched.interfaces) names.push_back(name.value);
    if (std::ranges::find(names, in) != names.end()) return;
    report.notes.push_back(
        fmt::format("the policy names no interface `{}` of {}: it is taken for one beside the tunnel", in, node.name));
    if (const std::string near = nearest(in, names); !near.empty())
        report.notes.push_back(fmt::format("   = help: did you mean `{}`?", near));
}

// What kind of interface --in is. One that isn't there is an Error where the kernel is asked.
Result<std::optional<explain::Side>> way_in(const Node& node, const Options& options, const World& world,
                                            Report& report) {
    if (!options.in) return std::optional<explain::Side>();
    const std::string& in = *options.in;
    if (in == "lo")
        return Error{"nothing comes in through `lo` but what this host sends to itself",
                     fmt::format("ask from {} to {}, without --in", node.name, node.name)};
    const auto links = options.live && world.links ? world.links() : std::nullopt;
    if (links && std::ranges::find(*links, in, &Link::name) == links->end()) {
        std::vector<std::string> names;
        for (const Link& link : *links) names.push_back(link.name);
        const std::string near = nearest(in, names);
        return Error{fmt::format("there is no interface `{}` here", in),
                     near.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                                  : fmt::format("did you mean `{}`?", near)};
    }
    if (!links) note_unnamed(node, in, report);
    return std::optional(side_of(node, in));
}

// Which way the host routes all of these, where it is one, and none of them is its own.
std::optional<explain::Side> routed(const explain::Asked& asked, const std::vector<Range>& ranges, const World& world) {
    std::optional<explain::Side> all;
    for (const Range& range : ranges) {
        const Address address{range.family, range.lo};
        const bool own = asked.own && std::ranges::find(*asked.own, address) != asked.own->end();
        if (!range.single() || own) return {};
        const std::string interface = world.way_to(address);
        if (interface.empty() || interface == "lo") return {};
        const explain::Side side = side_of(asked.policy.nodes[asked.node], interface);
        if (all && *all != side) return {};
        all = side;
    }
    return all;
}

// What only the host knows: its addresses, and which way it routes what is asked about.
void ask_host(explain::Asked& asked, const Expectation& question, const World& world) {
    if (!world.own_addresses || !world.way_to) return;
    asked.own = world.own_addresses();
    std::vector<Range> sources;
    std::vector<Range> destinations;
    const auto add = [&](std::vector<Range>& to, const Host& host) {
        std::ranges::move(reach::addresses_of_host(asked.policy, asked.addresses, host), std::back_inserter(to));
    };
    for (const Source& source : question.from) add(sources, source.host);
    if (question.allow)
        for (const Target& target : question.allow->targets) add(destinations, target.host);
    asked.routed_in = routed(asked, sources, world);
    asked.routed_out = routed(asked, destinations, world);
}

const char* word(const Followed& followed) {
    switch (followed.verdict) {
        case Followed::Verdict::accept:
        case Followed::Verdict::no_chain: return "lets it pass";
        case Followed::Verdict::drop: return "drops it";
        case Followed::Verdict::unreadable: return "has a rule that is not understood";
    }
    return "";
}

// Whether the kernel does what the policy says of all that was asked, or an Error where it can't be that both are right.
Result<bool> compare_with_kernel(const Explained& explained) {
    bool all = true;
    for (std::size_t i = 0; i < explained.answers.size(); ++i) {
        const explain::Answer& answer = explained.answers[i];
        for (std::size_t j = 0; j < answer.findings.size(); ++j) {
            const explain::Finding& finding = answer.findings[j];
            const LiveFlow& live = explained.live->flows[i][j];
            const std::string about = flow_text(answer, finding.example);
            if (live.kernel.verdict != live.dump.verdict)
                return Error{fmt::format("internal error: by its own look-ups the kernel {} ({}), by the elements that "
                                         "it lists it {}",
                                         word(live.kernel), about, word(live.dump)),
                             "run it again: if elements expired just now, it is gone; else please report it"};
            const bool passes = finding.verdict != Verdict::denied;
            if (live.kernel.passes() == passes) continue;
            if (explained.live->same)
                return disagreement(about, policyc::word(std::optional(finding.verdict)),
                                    policyc::word(std::optional(finding.verdict)), word(live.kernel));
            all = false;
        }
    }
    return all;
}

// Asks the kernel about each finding. `snapshot` is what the flows point into.
Result<LiveView> ask(const Explained& explained, const Options& options, Kernel& kernel, const Snapshot& snapshot,
                     bool same) {
    LiveView view{snapshot.ruleset.has_value(), is_dormant(snapshot.ruleset), same, {}};
    for (const explain::Answer& answer : explained.answers) {
        view.flows.emplace_back();
        for (const explain::Finding& finding : answer.findings) {
            Result<LiveFlow> flow =
                ask_kernel(explained.asked.policy, explained.asked.node, finding.example, options.in, snapshot, kernel);
            if (!flow) return flow.error();
            view.flows.back().push_back(std::move(flow.value()));
        }
    }
    return view;
}

}  // namespace

int verb_explain(const Options& options, World& world, Report& report) {
    report.subject = options.policy;
    const std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics,
                                                     Query{options.from, options.target});
    if (!loaded) return report.stopped();
    const std::optional<LockFile> file = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!file) return report.error ? 2 : report.stopped();
    const Policy& policy = loaded->policy;
    const Result<std::size_t> chosen = choose_node(policy, options, world);
    if (!chosen) return report.fail(chosen.error());
    const Node& node = policy.nodes[chosen.value()];
    const Result<std::optional<explain::Side>> in = way_in(node, options, world, report);
    if (!in) return report.fail(in.error());
    const Lock lock = known_names(policy, *file, world, report);
    const Addresses addresses = addresses_of(policy, lock, load_hosts(world), world.now, report.diagnostics);
    if (report.diagnostics.errors() > 0) return report.stopped();

    explain::Asked asked{policy, addresses, chosen.value(), today(world), in.value(), &lock, world.now};
    const Expectation& question = policy.tests.back();
    if (options.live) ask_host(asked, question, world);
    Result<std::vector<explain::Answer>> answers = timed("explain", [&] { return explain::explain(asked, question); });
    if (!answers) return report.fail(answers.error());
    const bool none = answers.value().empty() && !question.nothing.empty();
    Explained explained{.asked = asked,
                        .lock = lock,
                        .now = world.now,
                        .from = options.from,
                        .to = options.target,
                        .policy_path = options.policy,
                        .answers = std::move(answers.value()),
                        .nothing = none ? question.nothing.front().what : std::string()};
    const Result<void> agreed = timed("diagram", [&] { return compare_with_diagram(explained, report); });
    if (!agreed) return report.fail(agreed.error());

    const std::unique_ptr<Kernel> kernel = options.live ? world.kernel() : nullptr;
    Result<Snapshot> snapshot = Snapshot{};
    bool as_meant = true;
    if (kernel) {
        snapshot = kernel->read();
        if (!snapshot) return report.fail(snapshot.error());
        const std::optional<ir::Ruleset>& table = snapshot.value().ruleset;
        ir::Ruleset wanted = lower(policy, addresses, asked.node, asked.today, world.layout);
        const std::unique_ptr<Past> past = find_past(table, node.name, world);
        add_live_server_ports(table_of(table, past), wanted, world);
        const bool same_table = table ? same(*table, wanted) : wanted.empty();
        Result<LiveView> live = ask(explained, options, *kernel, snapshot.value(), same_table);
        if (!live) return report.fail(live.error());
        explained.live = std::move(live.value());
        const Result<bool> kept = compare_with_kernel(explained);
        if (!kept) return report.fail(kept.error());
        as_meant = kept.value();
        report_tunnel(tunnel_of(node, report.sources), world, report);
        report_neighbours(!wanted.empty(), *kernel, report);
    }

    if (options.json())
        report.record.update(explained_json(explained, report.sources));
    else
        report.data = explained_text(explained, report.sources, wants_color(Stream::out, options.color));
    const std::optional<Verdict> verdict = explained.verdict();
    return verdict && *verdict != Verdict::denied && as_meant ? 0 : 1;
}

}  // namespace policyc
