// Puts into words what a [[test]] did not expect: an example, how much there is, the line to blame and a way out. Entry point: Story.
#include "policy/finding.h"

#include <fmt/format.h>

#include <algorithm>

namespace policyc {
namespace {

using reach::addresses_of_host;
using reach::Area;
using reach::Permission;
using reach::Slots;

constexpr std::size_t most_labels = 3;  // a message points at no more places of one kind than this
constexpr std::size_t most_amounts = 3;

std::string address_count(const AddressSet& set, const char* one, const char* many) {
    constexpr u128 countable = 1'000'000;
    u128 count = 0;
    for (const Range& range : set.ranges()) {
        if (range.hi - range.lo >= countable) {
            return set.ranges().size() == 1 ? "all of " + to_string(range)
                                            : fmt::format("more than a million {}", many);
        }
        count += range.hi - range.lo + 1;
    }
    return fmt::format("{} {}", static_cast<std::uint64_t>(count), count == 1 ? one : many);
}

// "2 sources x 256 addresses x 443/tcp"
std::string amount(const Finding& finding) {
    std::string slots;
    for (const Slots& some : finding.slots) slots += (slots.empty() ? "" : ", ") + to_string(some);
    if (finding.slots.size() > 3) slots = fmt::format("{} ranges of ports", finding.slots.size());
    std::vector<Range> sources;
    for (const AddressSet* set : finding.sources)
        sources.insert(sources.end(), set->ranges().begin(), set->ranges().end());
    return fmt::format("{} x {} x {}", address_count(AddressSet(std::move(sources)), "source", "sources"),
                       address_count(AddressSet(finding.destinations), "address", "addresses"), slots);
}

std::string amounts(const Findings& findings) {
    std::string text = "in all: ";
    std::size_t n = 0;
    for (const auto& [span, finding] : findings) {
        if (n == most_amounts) return text + fmt::format(" and what {} more entries are about", findings.size() - n);
        text += (n++ == 0 ? "" : ", ") + amount(finding);
    }
    return text;
}

std::string way_out(Unresolved::Why why) {
    switch (why) {
        case Unresolved::Why::empty: return "name what is meant, or take it out of the test";
        case Unresolved::Why::name: return "`policyc resolve` asks for the addresses of names";
        case Unresolved::Why::network: return "give the network an address range, or take it out of the test";
        case Unresolved::Why::family: return "source and target need a family in common that the policy does not deny";
    }
    return {};
}

}  // namespace

std::string spell(const Target& target) {
    if (target.service) return target.label;
    std::string ports = to_string(target.ports);
    if (ports.ends_with("/tcp") && !ports.starts_with('*')) ports.resize(ports.size() - 4);
    const bool bracketed = target.label.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", bracketed ? "[" : "", target.label, bracketed ? "]" : "", ports);
}

void Finding::add(const AddressSet& from, const Area& area) {
    if (destinations.empty()) {
        first_sources = &from;
        first = area;
    }
    sources.insert(&from);
    destinations.push_back(area.destination);
    slots.insert(area.slots);
}

void Story::missing(const Findings& missing, Diagnostics& diagnostics) const {
    if (missing.empty()) return;
    Diagnostic& diagnostic = diagnostics.report(Code::E0701, missing.begin()->first, message());
    diagnostic.primary.text = label_of_missing(missing.begin()->second);
    point_at_missing(missing, diagnostic);
    const Flow flow = example(missing.begin()->second);
    diagnostic.note(fmt::format("for example  {}  is denied{}", text_of(flow), where(flow, nullptr)));
    diagnostic.note(amounts(missing));
    near_miss(flow, diagnostic);
}

void Story::open(const Findings& open, Diagnostics& diagnostics) const {
    if (open.empty()) return;
    const Finding& first = open.begin()->second;
    Diagnostic& diagnostic = diagnostics.report(Code::E0701, first.target->span, message(), "expected to be closed");
    point_at_entries(open, "lets it through", diagnostic);
    const Flow flow = example(first);
    diagnostic.note(fmt::format("for example  {}{}", text_of(flow), where(flow, first.permission)));
    diagnostic.note(amounts(open));
    diagnostic.help(fmt::format("remove {}, or take `{}` out of `deny`; nothing was compiled",
                                entry_of(*first.permission), spell(*first.target)));
}

void Story::differs(const Findings& extra, const Findings& missing, Diagnostics& diagnostics) const {
    if (extra.empty() && missing.empty()) return;
    const bool only_missing = extra.empty();
    Diagnostic& diagnostic =
        diagnostics.report(Code::E0701, only_missing ? missing.begin()->first : test_.only->span, message());
    if (only_missing) {
        diagnostic.primary.text = label_of_missing(missing.begin()->second);
        point_at_missing(missing, diagnostic);
        const Flow flow = example(missing.begin()->second);
        diagnostic.note(fmt::format("for example  {}  is denied{}", text_of(flow), where(flow, nullptr)));
        diagnostic.note(amounts(missing) + "; nothing more than what is listed is allowed");
        near_miss(flow, diagnostic);
        return;
    }
    const Finding& first = extra.begin()->second;
    diagnostic.primary.text = "expected exactly these";
    point_at_entries(extra, "allows more", diagnostic);
    const Flow flow = example(first);
    diagnostic.note(fmt::format("for example  {}{}", text_of(flow), where(flow, first.permission)));
    if (missing.empty()) {
        diagnostic.note(amounts(extra) + ", nothing else; nothing that is listed is missing");
    } else {
        diagnostic.note(amounts(extra) + ", nothing else");
        diagnostic.also(missing.begin()->first, label_of_missing(missing.begin()->second));
        point_at_missing(missing, diagnostic);
        diagnostic.note(
            fmt::format("and for example  {}  is listed and denied", text_of(example(missing.begin()->second))));
    }
    diagnostic.help(fmt::format("remove {}, or add it to `only`; nothing was compiled", entry_of(*first.permission)));
}

std::string Story::message() const {
    return fmt::format("test failed: \"{}\"", test_.name);
}

std::string Story::label_of_missing(const Finding& finding) const {
    return finding.partly ? "only a part of this is allowed" : "expected to be open, and nothing allows it";
}

// The second and further ones: the first is spoken of already.
void Story::point_at_missing(const Findings& missing, Diagnostic& diagnostic) const {
    std::size_t n = 0;
    for (const auto& [span, finding] : missing) {
        if (n++ == 0) continue;
        if (n > most_labels) break;
        diagnostic.also(span, label_of_missing(finding));
    }
}

void Story::point_at_entries(const Findings& findings, const std::string& what, Diagnostic& diagnostic) const {
    std::size_t n = 0;
    for (const auto& [span, finding] : findings) {
        if (n++ == most_labels) break;
        switch (finding.permission->kind) {
            case Permission::Kind::tier: diagnostic.also(span, "this entry " + what); break;
            case Permission::Kind::input:
                diagnostic.also(span, fmt::format("`{}` {}", entry_name(*finding.permission), what));
                break;
            case Permission::Kind::output: diagnostic.also(span, "this entry of `output` " + what); break;
        }
    }
}

std::string Story::entry_name(const Permission& permission) const {
    return permission.input != nullptr ? "input." + permission.input->name : spell(*permission.target);
}

// What to remove, as it is called: "`home:443` from tier `vpn`".
std::string Story::entry_of(const Permission& permission) const {
    std::string name = fmt::format("`{}`", entry_name(permission));
    switch (permission.kind) {
        case Permission::Kind::tier: return name + fmt::format(" from tier `{}`", policy_.tiers[permission.index].name);
        case Permission::Kind::input: return name + fmt::format(" of `{}`", policy_.nodes[permission.index].name);
        case Permission::Kind::output:
            return name + fmt::format(" from `output` of `{}`", policy_.nodes[permission.index].name);
    }
    return name;
}

Story::Flow Story::example(const Finding& finding) const {
    const Range& any = finding.first_sources->ranges().front();
    Flow flow{{}, reach::host_in(any), reach::host_in(finding.first.destination), reach::slot_in(finding.first.slots)};
    // The first who is named in `from`, in the policy's word for them.
    for (const Source& source : test_.from) {
        for (const Range& range : addresses_of_host(policy_, addresses_, source.host)) {
            for (const Range& in : finding.first_sources->ranges()) {
                if (!in.meets(range)) continue;
                flow.source = reach::host_in({in.family, std::max(in.lo, range.lo), std::min(in.hi, range.hi)});
                if (!parse_cidr(source.label)) flow.who = source.label;
                return flow;
            }
        }
    }
    return flow;
}

std::string Story::text_of(const Flow& flow) const {
    return fmt::format("{}{}{} -> {}", flow.who, flow.who.empty() ? "" : " ", to_string(flow.source),
                       reach::to_string(flow.destination, flow.slot));
}

// "  on extgw01, forward"; "" where several nodes might be the one.
std::string Story::where(const Flow& flow, const Permission* permission) const {
    const auto say = [this](std::size_t node, const char* hook) {
        return fmt::format("  on {}, {}", policy_.nodes[node].name, hook);
    };
    if (permission != nullptr && permission->kind == Permission::Kind::input) return say(permission->index, "input");
    if (permission != nullptr && permission->kind == Permission::Kind::output) return say(permission->index, "output");
    const Range destination = range_of(flow.destination);
    std::vector<std::size_t> judging;
    for (std::size_t i = 0; i < policy_.nodes.size(); ++i) {
        const Node& node = policy_.nodes[i];
        if (node.scope == Scope::none) continue;
        judging.push_back(i);
        for (const auto& address : node.addresses) {
            if (address.value == flow.destination) return say(i, "input");
        }
    }
    // What a node sends itself meets its output hook.
    for (std::size_t i : judging) {
        for (const auto& address : policy_.nodes[i].addresses)
            if (address.value == flow.source) return say(i, "output");
    }
    for (std::size_t i : judging) {
        for (const auto& served : policy_.nodes[i].serves) {
            if (served.value.holds(destination)) return say(i, "forward");
        }
    }
    return judging.size() == 1 ? say(judging.front(), "forward") : "";
}

// Whether the test takes it to be, whoever asks.
bool Story::in_force(const Permission& permission) const {
    if (permission.expired) return false;
    if (permission.kind != Permission::Kind::tier) return true;
    const Tier& tier = policy_.tiers[permission.index];
    return (!tier.grant && !tier.bastion) || std::ranges::find(test_.with, permission.index) != test_.with.end();
}

// Why nothing lets this flow through: the entry that nearly does.
void Story::near_miss(const Flow& flow, Diagnostic& diagnostic) const {
    const Permission* asleep = nullptr;  // a tier that waits for a grant
    const Permission* expired = nullptr;
    const Permission* others = nullptr;  // open, but not to this source
    for (const Area& area : permissions_.areas.meeting({range_of(flow.destination), {flow.slot, flow.slot}, 0})) {
        const Permission& permission = permissions_.list[area.owner];
        const bool named = permissions_.sources[permission.sources].holds(range_of(flow.source));
        if (permission.kind == Permission::Kind::output) continue;
        // One more in `who` of what is not in force changes nothing.
        if (!named && !in_force(permission)) continue;
        (!named ? others : permission.expired ? expired : asleep) = &permission;
    }
    const std::string who = flow.who.empty() ? to_string(flow.source) : flow.who;
    if (asleep != nullptr) {
        const Tier& tier = policy_.tiers[asleep->index];
        diagnostic.also(asleep->span, fmt::format("tier `{}` would allow it, but is in force only {}", tier.name,
                                                  tier.grant ? "while granted" : "for what its bastion sends"));
        diagnostic.help(fmt::format(
            "if the test is about that tier, give it with = \"{}\"; else let another tier allow it", tier.name));
    } else if (expired != nullptr) {
        const bool tier_gone = !expired->target->service || !policy_.services[*expired->target->service].expires;
        const auto& expires =
            tier_gone ? policy_.tiers[expired->index].expires : policy_.services[*expired->target->service].expires;
        const std::chrono::year_month_day day(expires->value);
        diagnostic.also(expires->span,
                        fmt::format("it was allowed up to {:04}-{:02}-{:02}", static_cast<int>(day.year()),
                                    static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day())));
        diagnostic.help("prolong it, or take it out of the test");
    } else if (others != nullptr) {
        const bool tier = others->kind == Permission::Kind::tier;
        diagnostic.also(others->span, fmt::format("allowed here, but not to {}", who));
        diagnostic.help(tier ? fmt::format("add {} to `who` of tier `{}`, or to another tier", who,
                                           policy_.tiers[others->index].name)
                             : fmt::format("add {} to `from` of `input.{}`", who, others->input->name));
    } else {
        diagnostic.help("add it to `allow` of a tier whose `who` names the source, or take it out of the test");
    }
}

void report_no_address(const Expectation& test, std::vector<Unresolved> unresolved, bool waits,
                       Diagnostics& diagnostics) {
    std::ranges::stable_sort(unresolved, {}, &Unresolved::span);
    const Unresolved& first = unresolved.front();
    waits = waits &&
            std::ranges::all_of(unresolved, [](const Unresolved& one) { return one.why == Unresolved::Why::name; });
    Diagnostic& diagnostic = diagnostics.report(
        waits ? Code::W0704 : Code::E0702, first.span,
        fmt::format("test \"{}\" {}: {}", test.name, waits ? "waits" : "can't hold", first.what), first.what);
    // One for each entry of the lists: what a group holds has one place.
    std::size_t shown = 1;
    for (std::size_t i = 1; i < unresolved.size() && shown < most_labels; ++i) {
        if (unresolved[i].span == unresolved[i - 1].span) continue;
        diagnostic.also(unresolved[i].span, unresolved[i].what);
        ++shown;
    }
    if (unresolved.size() > shown) diagnostic.note(fmt::format("and {} more like it", unresolved.size() - shown));
    diagnostic.note(waits ? "what has no address is closed; the rest of the test is judged"
                          : "a test that names nothing would pass whatever the policy says");
    // A way out for each kind of what is shown.
    std::set<Unresolved::Why> told;
    for (const Unresolved& one : unresolved) {
        if (told.insert(one.why).second) diagnostic.help(way_out(one.why));
    }
}

void report_entangled(const Expectation& test, Span span, const std::vector<Entangled>& entries,
                      Diagnostics& diagnostics) {
    Diagnostic& diagnostic =
        diagnostics.report(Code::E0703, span, fmt::format("test \"{}\" is too entangled to be judged", test.name),
                           "what is allowed here overlaps in too many ways");
    for (std::size_t i = 0; i < entries.size() && i < most_labels; ++i)
        diagnostic.also(entries[i].span, fmt::format("overlaps with {} others", entries[i].others));
    if (entries.size() > most_labels) diagnostic.note(fmt::format("and {} more entries", entries.size() - most_labels));
    diagnostic.note("nothing was compiled: whether the test holds is not known")
        .help("let tiers that allow the same name it once, for all who need it; or test a smaller part at a time");
}

void report_own_addresses(const Expectation& test, const Target& denied, const Node& node, const Input& input,
                          Diagnostics& diagnostics) {
    const std::string name = fmt::format("nodes.{}.input.{}", node.name, input.name);
    diagnostics
        .report(Code::W0705, denied.span, fmt::format("test \"{}\" can't see where `{}` is open", test.name, name),
                fmt::format("`{}` serves what is denied here, and may have addresses of its own there", node.name))
        .also(input.span,
              fmt::format("open at every address of `{}`, and the policy knows its tunnel addresses only", node.name))
        .help(
            "what passes is the node's own service, at whatever address it has there; where that is meant, end the "
            "line with `# policyc: allow W0705`, else deny the hosts that are meant, one by one");
}

void report_served_addresses(const Expectation& test, const Target& denied, const Node& node, const Tier& tier,
                             Span opens, Diagnostics& diagnostics) {
    diagnostics
        .report(Code::W0705, denied.span,
                fmt::format("test \"{}\" can't see where `{}` is open by `tiers.{}`", test.name, node.name, tier.name),
                fmt::format("`{}` is denied at the addresses that the policy knows", node.name))
        .also(opens, fmt::format("opens what `{}` serves, where it may have addresses of its own", node.name))
        .help(
            "what passes is the node's own service, at whatever address it has there; where that is meant, end the "
            "line with `# policyc: allow W0705`, else let the tier name the hosts that are meant, one by one");
}

}  // namespace policyc
