// Reads out of a policy why flows are let through or not: explain().
#include "compiler/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "compiler/near_misses.h"
#include "compiler/passages.h"

namespace policyc::explain {
namespace {

using reach::addresses_of_host;
using reach::Area;
using reach::Permission;
using reach::Slots;

// What a question may cost: some hundred thousand parts of what several entries cover.
constexpr std::size_t most_work = 5'000'000;
constexpr std::size_t implied = SIZE_MAX;  // the owner of what no line says

class Evaluator {
public:
    Evaluator(const Asked& asked, const reach::Permissions& permissions)
        : asked_(asked),
          policy_(asked.policy),
          node_(policy_.nodes[asked.node]),
          permissions_(permissions),
          passages_(asked) {
        std::vector<Range> untouched;
        for (const auto& range : node_.untouched.ranges) untouched.push_back(range.value);
        untouched_ = AddressSet(std::move(untouched));
    }

    // Adds what there is to say of these flows, which are of one family.
    void judge(const AddressSet& sources, const AddressSet& destinations, const Ports& ports, Answer& answer) {
        for (Placed& placed : passages_.between(sources, destinations)) {
            const bool unknown = placed.who == Place::named || placed.who == Place::elsewhere;
            answer.assumed = answer.assumed || (unknown && !asked_.in && !asked_.routed_in);
            judge_part(placed.who, placed.part, ports, answer);
        }
    }

    [[nodiscard]] bool spent() const { return budget_.spent(); }
    // The lines that were found, whole where they hold each of the areas that were asked for.
    [[nodiscard]] std::vector<Line> lines() const {
        std::vector<Line> found;
        for (const auto& [key, noted] : lines_)
            found.push_back({permissions_.list[noted.owner], noted.wholes == areas_});
        std::ranges::stable_sort(found, {}, [](const Line& line) { return line.permission.span; });
        return found;
    }

private:
    void judge_part(Place who, Part& part, const Ports& ports, Answer& answer) {
        const Passage& passage = part.passage;
        const bool tunnel = passage.in == Side::tunnel || passage.out == Side::tunnel;
        const Slots slots = reach::slots_of(ports);
        const auto all = [&](Verdict verdict, Why why, Span span = {}) {
            add(part, {verdict, why, flow(part, part.sources, part.destinations.ranges().front(), slots), span},
                answer);
            answer.parts.push_back(std::move(part));
        };
        if (node_.scope == Scope::none) return all(Verdict::unjudged, Why::scope_none, node_.span);
        if (passage.hook == Direction::output && !node_.output)
            return all(Verdict::unjudged, Why::no_output, node_.span);
        if (!tunnel && node_.scope == Scope::tunnel) return all(Verdict::unjudged, Why::beside_tunnel, node_.span);
        if (!tunnel && (passage.in == Side::untouched || passage.out == Side::untouched))
            return all(Verdict::unjudged, Why::untouched_interface, interface_span());
        const bool loopback_untouched =
            std::ranges::any_of(node_.untouched.interfaces, [](const auto& name) { return name.value == "lo"; });
        if (passage.in == Side::loopback && loopback_untouched)
            return all(Verdict::unjudged, Why::untouched_interface, interface_span());
        if (!tunnel && !untouched_.empty()) return judge_beside_untouched(who, part, ports, answer);
        judge_flows(who, part, ports, answer);
        answer.parts.push_back(std::move(part));
    }

    // In scope host, what comes from or goes to an untouched network is left alone; the rest is judged.
    void judge_beside_untouched(Place who, const Part& part, const Ports& ports, Answer& answer) {
        const auto with = [&](AddressSet sources, AddressSet destinations, bool judged) {
            if (sources.empty() || destinations.empty()) return;
            Part some{part.passage, part.family, std::move(sources), std::move(destinations), {}};
            if (judged) {
                judge_flows(who, some, ports, answer);
            } else {
                const Flow example =
                    flow(some, some.sources, some.destinations.ranges().front(), reach::slots_of(ports));
                add(some, {Verdict::unjudged, Why::untouched_network, example, network_span(example)}, answer);
            }
            answer.parts.push_back(std::move(some));
        };
        with(outside(part.sources, untouched_), outside(part.destinations, untouched_), true);
        with(reach::intersection(part.sources, untouched_), part.destinations, false);
        with(outside(part.sources, untouched_), reach::intersection(part.destinations, untouched_), false);
    }

    // The judged ones: what no permission can help, then the permissions.
    void judge_flows(Place who, Part& part, const Ports& ports, Answer& answer) {
        const Slots slots = reach::slots_of(ports);
        const auto all = [&](Verdict verdict, Why why, Span span) {
            add(part, {verdict, why, flow(part, part.sources, part.destinations.ranges().front(), slots), span},
                answer);
        };
        if (part.passage.in == Side::loopback) return all(Verdict::allowed, Why::loopback, {});
        if (part.family == Family::ipv6 && policy_.ipv6 == Ipv6::deny)
            return all(Verdict::denied, Why::family, policy_.ipv6_span);
        if (part.passage.hook != Direction::output) {
            const bool of_tunnel = who == Place::far || who == Place::named;
            if (part.passage.in == Side::tunnel && !of_tunnel)
                return all(Verdict::denied, Why::not_a_source, node_.span);
            if (part.passage.in != Side::tunnel && who == Place::far)
                return all(Verdict::denied, Why::behind_tunnel, node_.span);
        }
        for (const Range& destination : part.destinations.ranges()) {
            const Area area{destination, slots, 0};
            ++areas_;
            const std::vector<Area> covers = covers_of(part.passage.hook, area);
            note_lines(area, covers, part.sources);
            reach::cut(area, covers, budget_, [&](const Area& cut, const std::vector<std::size_t>& owners) {
                AddressSet left = part.sources;
                for (const std::size_t owner : owners) left = outside(std::move(left), sources_of(owner));
                if (!budget_.spend(part.sources.ranges().size())) return;
                const bool some = left.ranges() != part.sources.ranges();
                if (some) {
                    const bool itself = std::ranges::find(owners, implied) != owners.end();
                    const AddressSet open = outside(part.sources, left);
                    add(part,
                        {Verdict::allowed, itself ? Why::wireguard : Why::permission,
                         flow(part, open, cut.destination, cut.slots), itself ? wireguard_span() : Span{}},
                        answer);
                }
                if (!left.empty())
                    add(part,
                        {Verdict::denied, Why::no_permission, flow(part, left, cut.destination, cut.slots), Span{}},
                        answer);
            });
        }
    }

    // What the permissions of that hook open of the area, those in force; the owner is the number of the permission.
    [[nodiscard]] std::vector<Area> covers_of(Direction hook, const Area& area) const {
        std::vector<Area> covers;
        for (const Area& found : permissions_.areas.meeting(area)) {
            const Permission& permission = permissions_.list[found.owner];
            const bool counts = permission.kind == Permission::Kind::tier
                                    ? in_force(policy_, permission)
                                    : permission.kind == Permission::Kind::output && hook == Direction::output &&
                                          permission.index == asked_.node && !permission.expired;
            if (counts) covers.push_back(found);
        }
        // Whatever address of this host it goes to.
        for (std::size_t i = 0; hook == Direction::input && i < permissions_.list.size(); ++i) {
            const Permission& permission = permissions_.list[i];
            if (permission.kind != Permission::Kind::input || permission.index != asked_.node) continue;
            // There is a permission for each item of its ports: the first stands for all.
            if (i > 0 && permissions_.list[i - 1].input == permission.input) continue;
            for (const Ports& ports : permission.input->ports)
                if (reach::slots_of(ports).meets(area.slots))
                    covers.push_back({area.destination, reach::slots_of(ports), i});
        }
        if (const auto own = wireguard(hook, area.destination.family)) covers.push_back(*own);
        return covers;
    }

    // What WireGuard itself needs, in scope host: its port here, and its peer's endpoint.
    [[nodiscard]] std::optional<Area> wireguard(Direction hook, Family family) const {
        if (node_.scope != Scope::host || hook == Direction::forward) return {};
        Range to{family, 0, top(family)};
        std::optional<std::uint16_t> port = wireguard_port(node_);
        if (hook == Direction::output) {
            if (!node_.peer) return {};
            const Node& peer = policy_.nodes[*node_.peer];
            port = wireguard_port(peer);
            const auto* at = peer.endpoint ? std::get_if<Address>(&peer.endpoint->host) : nullptr;
            if (at != nullptr) to = range_of(*at);
        }
        if (!port || to.family != family) return {};
        return Area{to, reach::slots_of({Protocol::udp, *port, *port}), implied};
    }

    static const AddressSet& everybody() {
        static const AddressSet all({{Family::ipv4, 0, top(Family::ipv4)}, {Family::ipv6, 0, top(Family::ipv6)}});
        return all;
    }
    [[nodiscard]] const AddressSet& sources_of(std::size_t owner) const {
        if (owner == implied || permissions_.list[owner].kind == Permission::Kind::output) return everybody();
        return permissions_.sources[permissions_.list[owner].sources];
    }

    // What is printed of a line. Permissions that are alike in it are one: a service has as many as its ports have items.
    using Terms = std::tuple<Permission::Kind, std::size_t, Span, std::optional<Rate>, bool, std::optional<Days>>;
    struct Noted {
        std::size_t owner = 0;   // the first of its permissions
        std::size_t wholes = 0;  // how many of the areas that were asked for they hold whole
    };

    [[nodiscard]] Terms terms_of(const Permission& permission) const {
        Terms terms{permission.kind, permission.index, permission.span, {}, false, {}};
        if (permission.target == nullptr) return terms;
        if (permission.target->service) {
            const Service& service = policy_.services[*permission.target->service];
            std::get<std::optional<Rate>>(terms) = service.limit;
            std::get<bool>(terms) = service.log_new;
        }
        if (permission.target->expires) std::get<std::optional<Days>>(terms) = permission.target->expires->value;
        return terms;
    }

    void note_lines(const Area& area, const std::vector<Area>& covers, const AddressSet& sources) {
        std::map<Terms, std::vector<Area>> lines;
        for (const Area& cover : covers)
            if (cover.owner != implied) lines[terms_of(permissions_.list[cover.owner])].push_back(cover);
        for (const auto& [terms, of_line] : lines) {
            const std::size_t owner = std::ranges::min_element(of_line, {}, &Area::owner)->owner;
            const AddressSet& open = sources_of(owner);  // they are of one tier, input or output
            const bool some =
                std::ranges::any_of(sources.ranges(), [&](const Range& range) { return open.meets(range); });
            if (!some) continue;
            bool whole = std::ranges::all_of(sources.ranges(), [&](const Range& range) { return open.holds(range); });
            if (whole && std::ranges::none_of(of_line, [&](const Area& cover) { return cover.holds(area); }))
                reach::cut(area, of_line, budget_, [&](const Area&, const std::vector<std::size_t>& owners) {
                    whole = whole && !owners.empty();
                });
            Noted& noted = lines_.try_emplace(terms, Noted{owner, 0}).first->second;
            noted.owner = std::min(noted.owner, owner);
            noted.wholes += whole ? 1 : 0;
        }
    }

    static Flow flow(const Part& part, const AddressSet& sources, const Range& destination, Slots slots) {
        return {reach::host_in(sources.ranges().front()), reach::host_in(destination), reach::slot_in(slots),
                part.passage};
    }

    static void add(Part& part, const Finding& finding, Answer& answer) {
        part.shares.allowed = part.shares.allowed || finding.verdict == Verdict::allowed;
        part.shares.denied = part.shares.denied || finding.verdict == Verdict::denied;
        part.shares.unjudged = part.shares.unjudged || finding.verdict == Verdict::unjudged;
        const bool known = std::ranges::any_of(answer.findings, [&](const Finding& other) {
            return other.verdict == finding.verdict && other.why == finding.why &&
                   other.example.passage == finding.example.passage &&
                   other.example.source.family == finding.example.source.family;
        });
        if (!known) answer.findings.push_back(finding);
    }

    [[nodiscard]] Span interface_span() const {
        return node_.untouched.interfaces.empty() ? node_.span : node_.untouched.interfaces.front().span;
    }
    [[nodiscard]] Span network_span(const Flow& example) const {
        for (const auto& range : node_.untouched.ranges)
            if (range.value.holds(range_of(example.source)) || range.value.holds(range_of(example.destination)))
                return range.span;
        return node_.span;
    }
    [[nodiscard]] Span wireguard_span() const { return node_.endpoint ? node_.endpoint->span : node_.span; }

    const Asked& asked_;
    const Policy& policy_;
    const Node& node_;
    const reach::Permissions& permissions_;
    Passages passages_;
    AddressSet untouched_;
    reach::Budget budget_{most_work};
    std::size_t areas_ = 0;  // that were asked for
    std::map<Terms, Noted> lines_;
};

AddressSet set_of(const Asked& asked, const Host& host, Family family) {
    return AddressSet(AddressSet(addresses_of_host(asked.policy, asked.addresses, host)).ranges(family));
}

// Why there is nothing to judge.
std::string nothing_of(const Asked& asked, const Source& source, const Target& target) {
    if (addresses_of_host(asked.policy, asked.addresses, source.host).empty())
        return fmt::format("`{}` has no address", source.label);
    if (addresses_of_host(asked.policy, asked.addresses, target.host).empty()) {
        const auto* name = std::get_if<HostName>(&target.host);
        if (name == nullptr) return fmt::format("`{}` has no address", target.label);
        switch (absence_of(asked, name->name)) {
            case Absence::unknown:
                return fmt::format("{} has no address: it is in neither the lock nor /etc/hosts", name->name);
            case Absence::none: return fmt::format("{} has no address: the lock says so", name->name);
            case Absence::too_old:
                return fmt::format("what the lock has for {} is older than stale.keep, and no longer counts",
                                   name->name);
            case Absence::denied_family: return fmt::format("{} has no IPv4 address, and IPv6 is denied", name->name);
        }
    }
    return fmt::format("`{}` and `{}` have no address of one family", source.label, target.label);
}

class Explainer {
public:
    explicit Explainer(const Asked& asked)
        : asked_(asked), permissions_(reach::permissions_of(asked.policy, asked.addresses, asked.today)) {}

    Result<Answer> answer(const Source& source, const Target& target) const {
        Answer answer{source, target, {}, {}, {}, {}, {}};
        Evaluator evaluator(asked_, permissions_);
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const AddressSet from = set_of(asked_, source.host, family);
            const AddressSet to = set_of(asked_, target.host, family);
            if (!from.empty() && !to.empty()) evaluator.judge(from, to, target.ports, answer);
        }
        if (evaluator.spent())
            return Error{fmt::format("too much overlaps in `{}` to be told apart", target.label),
                         "ask for one address and one port"};
        std::ranges::stable_sort(answer.findings, {}, &Finding::verdict);
        answer.lines = evaluator.lines();
        // What else is said of some of it, no line says.
        for (const Finding& finding : answer.findings)
            if (finding.verdict != Verdict::allowed)
                for (Line& line : answer.lines) line.whole = false;
        if (answer.findings.empty()) answer.nothing = nothing_of(asked_, source, target);
        add_misses(answer);
        return answer;
    }

private:
    void add_misses(Answer& answer) const {
        if (!answer.nothing.empty()) {
            answer.misses = misses_of_nameless(asked_, permissions_, answer.source, answer.target);
            if (!answer.misses.empty()) return;
        }
        for (const Finding& finding : answer.findings) {
            if (finding.why != Why::no_permission) continue;
            answer.misses = near_misses(asked_, permissions_, finding.example);
        }
        const bool family = std::ranges::any_of(
            answer.findings, [](const Finding& f) { return f.why == Why::family || f.why == Why::no_permission; });
        if (family || !answer.nothing.empty()) add_other_family(answer);
        add_own_source(answer);
    }

    // What is sent by an address that the policy has nowhere would pass, were that the node's own.
    void add_own_source(Answer& answer) const {
        const std::vector<Range> from = addresses_of_host(asked_.policy, asked_.addresses, answer.source.host);
        const bool denied =
            std::ranges::find(answer.findings, Verdict::denied, &Finding::verdict) != answer.findings.end();
        if (asked_.own || asked_.in || !denied || from.size() != 1 || !from[0].single() || has_place(from[0])) return;
        Asked as_own = asked_;
        as_own.own = {{from[0].family, from[0].lo}};
        Answer other{answer.source, answer.target, {}, {}, {}, {}, {}};
        Evaluator evaluator(as_own, permissions_);
        evaluator.judge(AddressSet(from), set_of(asked_, answer.target.host, from[0].family), answer.target.ports,
                        other);
        if (other.findings.empty() || other.verdict().value_or(Verdict::denied) == Verdict::denied) return;
        const Finding& finding = other.findings.front();
        const Node& node = asked_.policy.nodes[asked_.node];
        Miss miss{Miss::Kind::own, fmt::format("if {} is an address of {} itself", to_string(from[0]), node.name), "",
                  finding.span};
        if (finding.verdict == Verdict::unjudged) miss.text += ", whose own packets are not judged";
        if (const std::vector<Line> lines = evaluator.lines(); !lines.empty()) {
            miss.via = holder_of(asked_.policy, lines.front().permission);
            miss.span = lines.front().permission.span;
        }
        answer.misses.insert(answer.misses.begin(), std::move(miss));
    }

    // Whether the policy says who that is. Somebody on the near side that a tier names as a part of its network is still anybody.
    [[nodiscard]] bool has_place(const Range& address) const {
        const auto holds = [&](const auto& one) { return one.value.holds(address); };
        const auto is = [&](const auto& one) { return range_of(one.value) == address; };
        const bool near = std::ranges::any_of(asked_.policy.nodes[asked_.node].serves, holds);
        const bool named =
            std::ranges::any_of(permissions_.sources, [&](const AddressSet& set) { return set.holds(address); });
        return (named && !near) || of_a_service(asked_, address) ||
               std::ranges::any_of(asked_.policy.nodes,
                                   [&](const Node& node) { return std::ranges::any_of(node.addresses, is); });
    }

    // The same people and hosts have addresses of another family, with which it would be allowed.
    void add_other_family(Answer& answer) const {
        std::vector<Range> from = addresses_of_host(asked_.policy, asked_.addresses, answer.source.host);
        std::vector<Range> to = addresses_of_host(asked_.policy, asked_.addresses, answer.target.host);
        add_twins(from);
        add_twins(to);
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const AddressSet sources(AddressSet(from).ranges(family));
            const AddressSet destinations(AddressSet(to).ranges(family));
            if (sources.empty() || destinations.empty() || denied_alike(answer, family)) continue;
            Answer other{answer.source, answer.target, {}, {}, {}, {}, {}};
            Evaluator(asked_, permissions_).judge(sources, destinations, answer.target.ports, other);
            const auto open = std::ranges::find(other.findings, Why::permission, &Finding::why);
            if (open == other.findings.end()) continue;
            answer.misses.push_back({Miss::Kind::family,
                                     fmt::format("over {}: {} -> {}", family == Family::ipv4 ? "IPv4" : "IPv6",
                                                 to_string(open->example.source),
                                                 reach::to_string(open->example.destination, open->example.slot)),
                                     "",
                                     {}});
        }
    }

    // Some of this family is denied already, so the other one is what could help.
    static bool denied_alike(const Answer& answer, Family family) {
        return std::ranges::any_of(answer.findings, [&](const Finding& finding) {
            return finding.verdict == Verdict::denied && finding.example.source.family == family;
        });
    }

    // Of single addresses that a node or a name has: its others.
    void add_twins(std::vector<Range>& ranges) const {
        const std::vector<Range> known = ranges;
        const auto add = [&](const std::vector<Address>& all) {
            const bool meant = std::ranges::any_of(
                all, [&](const Address& one) { return std::ranges::find(known, range_of(one)) != known.end(); });
            for (const Address& one : all)
                if (meant) ranges.push_back(range_of(one));
        };
        for (const auto& [name, all] : asked_.addresses) add(all);
        for (const Node& node : asked_.policy.nodes) {
            std::vector<Address> all;
            for (const auto& address : node.addresses) all.push_back(address.value);
            add(all);
        }
    }

    const Asked& asked_;
    reach::Permissions permissions_;
};

}  // namespace

std::optional<Verdict> Answer::verdict() const {
    if (!nothing.empty()) return Verdict::denied;
    const auto has = [&](Verdict verdict) {
        return std::ranges::any_of(findings, [&](const Finding& finding) { return finding.verdict == verdict; });
    };
    if (has(Verdict::denied)) {
        if (has(Verdict::allowed) || has(Verdict::unjudged)) return std::nullopt;
        return Verdict::denied;
    }
    return has(Verdict::allowed) ? Verdict::allowed : Verdict::unjudged;
}

Result<std::vector<Answer>> explain(const Asked& asked, const Expectation& question) {
    static const std::vector<Target> none;
    const std::vector<Target>& targets = question.allow ? question.allow->targets : none;
    if (question.from.size() * targets.size() > most_answers)
        return Error{fmt::format("that is {} people and {} targets, and {} answers are the most that are given",
                                 question.from.size(), targets.size(), most_answers),
                     "ask for one person or one service; `policyc list` shows all"};
    const Explainer explainer(asked);
    std::vector<Answer> answers;
    for (const Source& source : question.from) {
        for (const Target& target : targets) {
            Result<Answer> answer = explainer.answer(source, target);
            if (!answer) return answer.error();
            answers.push_back(std::move(answer.value()));
        }
    }
    return answers;
}

std::vector<Holder> holders_of(const Asked& asked, const Answer& answer, const Line& line) {
    const Permission& permission = line.permission;
    if (permission.kind == Permission::Kind::output) return {};
    const std::vector<Source>& list =
        permission.input != nullptr ? permission.input->from : asked.policy.tiers[permission.index].who;
    AddressSet sources;
    for (const Part& part : answer.parts)
        for (const Range& range : part.sources.ranges()) sources.add(range);
    std::vector<Holder> holders;
    for (std::size_t i = 0; i < list.size();) {
        // The members of a group stand one behind the other.
        Holder holder{list[i].span, false, {}};
        AddressSet left = sources;
        for (; i < list.size() && list[i].span == holder.span; ++i) {
            const AddressSet held(addresses_of_host(asked.policy, asked.addresses, list[i].host));
            const AddressSet both = reach::intersection(sources, held);
            for (const Range& range : both.ranges()) {
                const std::string text = to_string(range);
                holder.some.push_back(text == list[i].label ? text : fmt::format("{} {}", list[i].label, text));
            }
            left = outside(std::move(left), held);
        }
        if (holder.some.empty()) continue;
        holder.all = left.empty();
        if (holder.all) return {{holder.span, true, {}}};
        holders.push_back(std::move(holder));
    }
    return holders;
}

std::string holder_of(const Policy& policy, const reach::Permission& permission) {
    switch (permission.kind) {
        case Permission::Kind::tier: return "tiers." + policy.tiers[permission.index].name;
        case Permission::Kind::input: return "input." + permission.input->name;
        case Permission::Kind::output: return "output";
    }
    return {};
}

}  // namespace policyc::explain
