// The policy's diagram against what the program does, phase by phase; entry points prove(), effect() and unlisted().
#include "compiler/proof/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

#include "compiler/proof/counterexample.h"
#include "compiler/proof/execution.h"
#include "compiler/proof/places.h"
#include "compiler/proof/understood.h"

namespace policyc::proof {
namespace {

// Router and neighbour solicitation and advertisement (RFC 4861), which connection tracking leaves alone.
constexpr Interval neighbour_discovery{133 * 256, 136 * 256 + 255};

// Thrown where it is found, and caught by prove().
struct Different {
    Error error;
    std::vector<u128> point;
    Phase phase;
};

// The smallest point of a set, of those that somebody is likely to meet where it has any: of what is forwarded, between the tunnel and another interface; with addresses that the
// policy places somewhere; to a port that a server may have.
std::optional<std::vector<u128>> example_of(Set set, Space& space, const Policy& policy, std::size_t node) {
    if (set == nothing) return std::nullopt;
    const auto between = [&space](Side in, Side out) {
        FlowBox box = space.whole();
        box[place(Field::hook)] = just(Hook::forward);
        box[place(Field::in)] = just(in);
        box[place(Field::out)] = just(out);
        return space.box(box);
    };
    const auto no_port = [&space](u128 protocol) {
        return space.intersect(space.where(Field::protocol, just(protocol)), space.where(Field::port, just(0)));
    };
    const auto elsewhere = [&](Field field) {
        Boxes known(space.diagrams().levels());
        FlowBox box = space.whole();
        for (const AddressSet& side : {near_side(policy, node), far_side(policy, node)})
            for (const Range& range : side.ranges(space.family())) {
                box[place(field)] = {range.lo, range.hi};
                known.add(box);
            }
        return space.subtract(everything, space.build(known));
    };
    try {
        const Set forwarded = space.where(Field::hook, just(Hook::forward));
        const Set across = space.unite(between(Side::tunnel, Side::other), between(Side::other, Side::tunnel));
        for (const Set unlikely : {space.subtract(forwarded, across), elsewhere(Field::destination),
                                   elsewhere(Field::source), space.where(Field::destination, just(0)),
                                   space.where(Field::source, just(0)), no_port(tcp_number), no_port(udp_number)})
            if (const Set likely = space.subtract(set, unlikely); likely != nothing) set = likely;
    } catch (const Space::TooLarge&) {
        return space.diagrams().witness(set);  // as it is, it has a point too
    }
    return space.diagrams().witness(set);
}

// Which packets pass: `may` and no others, and all of `must`.
struct Wanted {
    Set may;
    Set must;
};

class Prover {
public:
    // Is told which packets of a phase would pass (or would be refused) that the policy denies (or allows) while there is such room, where there are any.
    using Found = std::function<void(Set wrong, const Phase& phase, const Room& room, bool passes)>;

    Prover(const Policy& policy, const Addresses& addresses, std::size_t node, const ir::Ruleset& ruleset,
           const Servers& served, Space& space, const Meaning& meaning, Found found)
        : found_(std::move(found)),
          policy_(policy),
          index_(node),
          node_(policy.nodes[node]),
          ruleset_(ruleset),
          space_(space),
          meaning_(meaning),
          servers_(servers_of(policy, addresses, node)),
          interfaces_(node_),
          members_(space, ruleset, both(servers_, served)),
          conditions_(space, members_, interfaces_),
          execution_(space, ruleset, conditions_) {
        const bool rates = !meaning.without.empty() || !rates_of_program().empty();
        phases_ = phases(rates);
        unjudged_ = space_.subtract(meaning_.possible, meaning_.judged);
        const auto on_loopback = [&](Hook hook, Field side) {
            FlowBox box = space_.whole();
            box[place(Field::hook)] = just(hook);
            box[place(side)] = just(Side::loopback);
            return space_.box(box);
        };
        const Set loopback = space_.unite(on_loopback(Hook::input, Field::in), on_loopback(Hook::output, Field::out));
        always_ = space_.unite(unjudged_, space_.intersect(meaning_.allowed, loopback));
        real_ = meaning_.possible;
        if (!interfaces_.has_untouched())
            for (const Field side : {Field::in, Field::out})
                real_ = space_.subtract(real_, space_.where(side, just(Side::untouched)));
    }

    void prove() {
        for (const Hook hook : {Hook::forward, Hook::input, Hook::output})
            for (const Phase& phase : phases_) prove(hook, phase);
        prove_masquerade();
    }

    // What the rates of the program limit that are none of the policy's, which prove() takes to have room or not.
    void prove_other_rates() {
        const Set pass = space_.unite(unjudged_, meaning_.allowed);
        for (const Rate& rate : rates_of_program()) {
            if (std::ranges::find(meaning_.without, rate, &std::pair<Rate, Set>::first) != meaning_.without.end())
                continue;
            for (const Hook hook : {Hook::forward, Hook::input, Hook::output})
                for (const Phase& phase : phases_)
                    if (phase.assured == Bit::no)
                        compare(hook, phase, {Room::Kind::all_but, rate},
                                space_.intersect(counted(phase), points_of(hook, phase)), {pass, pass});
        }
    }

    // The first packets of flows, where each rate has room.
    void prove_beginnings() {
        const Room room{Room::Kind::all, {}};
        const Set pass = space_.unite(unjudged_, meaning_.allowed);
        for (const Hook hook : {Hook::forward, Hook::input, Hook::output})
            for (const Phase& phase : phases_)
                if (begins(phase)) compare(hook, phase, room, points_of(hook, phase), {pass, pass});
    }

    [[nodiscard]] const Phase& first_packet() const { return *std::ranges::find_if(phases_, begins); }

private:
    static bool begins(const Phase& phase) {
        return phase.kind == Phase::Kind::flow && phase.way == Way::begin && phase.confirmed != Bit::yes;
    }

    static Servers both(Servers servers, const Servers& more) {
        servers.tcp.insert(servers.tcp.end(), more.tcp.begin(), more.tcp.end());
        servers.udp.insert(servers.udp.end(), more.udp.begin(), more.udp.end());
        servers.outer.insert(servers.outer.end(), more.outer.begin(), more.outer.end());
        return servers;
    }

    [[nodiscard]] std::set<Rate> rates_of_program() const {
        std::set<Rate> rates;
        for (const ir::Chain& chain : ruleset_.chains)
            for (const ir::Rule& rule : chain.rules)
                for (const ir::Statement& statement : rule.statements)
                    if (const auto* update = std::get_if<ir::UpdateRate>(&statement)) rates.insert(update->rate);
        return rates;
    }

    [[nodiscard]] const ir::Chain* base_of(ir::Hook hook) const {
        const auto found = std::ranges::find_if(
            ruleset_.chains, [&](const ir::Chain& chain) { return chain.base && chain.base->hook == hook; });
        return found != ruleset_.chains.end() ? &*found : nullptr;
    }

    // The points of that hook and way that such a packet can have.
    Set points_of(Hook hook, const Phase& phase) {
        FlowBox box = space_.whole();
        box[place(Field::hook)] = just(hook);
        box[place(Field::way)] = just(phase.way);
        const Set all = space_.intersect(real_, space_.box(box));
        switch (phase.kind) {
            case Phase::Kind::flow:
                return space_.subtract(all, phase.states.related ? icmp_of_any_kind() : untracked());
            case Phase::Kind::message: return space_.intersect(all, space_.subtract(messages(), untracked()));
            case Phase::Kind::rewritten: return space_.subtract(all, untracked());
            case Phase::Kind::stray: return all;
            case Phase::Kind::turned: return space_.intersect(all, served(hook));
        }
        return all;
    }

    Set messages() { return space_.where(Field::protocol, just(icmp_of(space_.family()))); }
    // No helper of connection tracking announces these.
    Set icmp_of_any_kind() {
        return space_.unite(space_.where(Field::protocol, just(icmp_number)),
                            space_.where(Field::protocol, just(icmpv6_number)));
    }
    Set untracked() { return space_.family() == Family::ipv6 ? neighbours() : nothing; }
    Set neighbours() {
        FlowBox box = space_.whole();
        box[place(Field::protocol)] = just(icmp_of(Family::ipv6));
        box[place(Field::port)] = neighbour_discovery;
        return space_.box(box);
    }
    // What goes to, or answers from, a port that only servers use.
    Set served(Hook hook) {
        Boxes boxes(space_.diagrams().levels());
        FlowBox box = space_.whole();
        const auto add = [&](u128 protocol, const std::vector<Interval>& ports) {
            box[place(Field::protocol)] = just(protocol);
            for (const Interval& port : ports) {
                box[place(Field::port)] = port;
                boxes.add(box);
            }
        };
        add(tcp_number, servers_.tcp);
        Interval& side = box[place(hook == Hook::input ? Field::in : Field::out)];
        const Interval any_side = side;
        side = just(Side::tunnel);
        add(udp_number, servers_.udp);
        side = {static_cast<u128>(Side::other), any_side.hi};
        add(udp_number, servers_.outer);
        return space_.build(boxes);
    }

    // What takes from the bucket of a rate: what begins a flow; of TCP each SYN.
    Set counted(const Phase& phase) {
        if (phase.kind != Phase::Kind::flow || phase.way == Way::reply) return nothing;
        const Set tcp = space_.where(Field::protocol, just(tcp_number));
        const Set others = phase.confirmed == Bit::yes ? nothing : space_.subtract(everything, tcp);
        return space_.unite(others, phase.syn == Bit::no ? nothing : tcp);
    }

    Wanted wanted(Hook hook, const Phase& phase) {
        switch (phase.kind) {
            case Phase::Kind::flow: {
                const Set pass = space_.unite(unjudged_, meaning_.allowed);
                const Set limited = space_.subtract(meaning_.allowed, meaning_.unlimited);
                return {pass, space_.subtract(pass, space_.intersect(limited, counted(phase)))};
            }
            case Phase::Kind::turned: {
                const Set pass = space_.unite(unjudged_, meaning_.allowed);
                return {pass, pass};
            }
            case Phase::Kind::message: {
                const Set pass = space_.unite(unjudged_, meaning_.errors);
                return {pass, pass};
            }
            case Phase::Kind::rewritten: return {always_, always_};
            case Phase::Kind::stray: {
                const bool implied = phase.hop_limit == Bit::yes && hook != Hook::forward &&
                                     node_.scope == Scope::host && policy_.ipv6 == Ipv6::dual &&
                                     space_.family() == Family::ipv6;
                if (!implied) return {always_, always_};
                const Set pass = space_.unite(always_, space_.intersect(meaning_.judged, neighbours()));
                return {pass, pass};
            }
        }
        return {};
    }

    void compare(Hook hook, const Phase& phase, Room room, Set among, const Wanted& wanted) {
        const ir::Hook program_hook = hook == Hook::forward ? ir::Hook::forward
                                      : hook == Hook::input ? ir::Hook::input
                                                            : ir::Hook::output;
        const ir::Chain* base = base_of(program_hook);
        const Place place{hook, hook != Hook::output, hook != Hook::input, phase, room};
        const Set denied = space_.subtract(among, wanted.may);
        refuse(base == nullptr ? denied : execution_.not_surely(Verdict::drop, *base, denied, place), place, true);
        if (base == nullptr) return;
        const Set allowed = space_.intersect(among, wanted.must);
        refuse(execution_.not_surely(Verdict::pass, *base, allowed, place), place, false);
    }

    void prove(Hook hook, const Phase& phase) {
        const bool here = hook == (phase.way == Way::begin ? Hook::input : Hook::output);
        if (phase.kind == Phase::Kind::turned && !here) return;
        const Set points = points_of(hook, phase);
        const auto compare = [&](Room room, Set among, const Wanted& wanted) {
            this->compare(hook, phase, room, among, wanted);
        };
        const Wanted all = wanted(hook, phase);
        compare({}, points, all);
        const Set counts = space_.intersect(counted(phase), points);
        if (counts == nothing || meaning_.without.empty()) return;
        // With room in each bucket all passes; without, a flow that only limited permissions cover doesn't begin, whichever rate it is. What is under way may go on.
        compare({Room::Kind::all, {}}, points, {all.may, all.may});
        if (phase.assured != Bit::no) return;
        const auto over = [&](Room room, Set passes) {
            const Set pass = space_.unite(unjudged_, passes);
            compare(room, counts, {pass, pass});
        };
        over({Room::Kind::none, {}}, meaning_.unlimited);
        for (const auto& [rate, passes] : meaning_.without) over({Room::Kind::all_but, rate}, passes);
    }

    void refuse(Set wrong, const Place& place, bool passes) const {
        if (wrong != nothing) found_(wrong, place.phase, place.room, passes);
    }

    // What comes out of the tunnel and leaves elsewhere, and nothing else.
    void prove_masquerade() {
        const ir::Chain* base = base_of(ir::Hook::postrouting);
        if (base == nullptr) return;
        Phase phase = phases_.front();
        phase.words = "a packet";
        const Set points = points_of(Hook::forward, phase);
        const Place place{Hook::forward, true, true, phase, {}};
        const Set from_tunnel = space_.where(Field::in, just(Side::tunnel));
        const Set wanted =
            space_.intersect(points, space_.subtract(from_tunnel, space_.where(Field::out, just(Side::tunnel))));
        const Set wrong =
            space_.unite(execution_.not_surely(Verdict::masquerade, *base, wanted, place),
                         execution_.not_surely(Verdict::pass, *base, space_.subtract(points, wanted), place));
        if (const auto point = example_of(wrong, space_, policy_, index_))
            throw Different{{words_of(*point, phase, space_.family()) +
                                 " would be refused, or not leave with the address it should",
                             {},
                             {}},
                            *point,
                            phase};
    }

    const Found found_;
    const Policy& policy_;
    std::size_t index_;
    const Node& node_;
    const ir::Ruleset& ruleset_;
    Space& space_;
    const Meaning& meaning_;
    Servers servers_;
    Interfaces interfaces_;
    Members members_;
    Conditions conditions_;
    Execution execution_;
    std::vector<Phase> phases_;
    Set unjudged_ = nothing;
    Set always_ = nothing;  // what passes whatever kind of packet it is
    Set real_ = nothing;    // points of interfaces that there are
};

// Every point of the listed flows.
Set cover(std::span<const Listed> listed, Space& space) {
    Boxes boxes(space.diagrams().levels());
    for (const Listed& flows : listed) {
        if (flows.family != space.family()) continue;
        FlowBox box = flows.box;
        Set tail = everything;
        if (!flows.sources.empty()) {
            box[place(Field::source)] = space.whole()[place(Field::source)];
            Boxes sources(space.diagrams().levels());
            for (const Range& range : flows.sources) {
                FlowBox from = space.whole();
                from[place(Field::source)] = {range.lo, range.hi};
                if (range.family == space.family()) sources.add(from);
            }
            tail = space.build(sources);
        }
        boxes.add(box, tail);
    }
    return space.build(boxes);
}

// What is implied for WireGuard is for everybody who is in the tunnel; from others it is refused as spoofed. Who is in it changes with who is named, and that is told.
Set implied_in_the_tunnel(const Node& node, Space& space) {
    const auto port = wireguard_port(node);
    if (!port) return nothing;
    FlowBox box = space.whole();
    box[place(Field::hook)] = just(Hook::input);
    box[place(Field::in)] = just(Side::tunnel);
    box[place(Field::protocol)] = just(udp_number);
    box[place(Field::port)] = just(*port);
    return space.box(box);
}

// " while its 51/second is used up", of a flow that the policy denies only then, or allows even then; "" where it is the same whatever is used up.
std::string used_up_words(std::span<const u128> point, const Room& room, bool passes, const Meaning& meaning,
                          const Diagrams& diagrams) {
    if (room.kind != Room::Kind::none && room.kind != Room::Kind::all_but) return {};
    if (!passes)
        return room.kind == Room::Kind::none ? " while every rate is used up"
                                             : fmt::format(" while {} is used up", to_string(room.rate));
    if (!diagrams.contains(meaning.allowed, point)) return {};
    std::vector<Rate> needed;
    for (const auto& [rate, still] : meaning.without)
        if (room.kind == Room::Kind::none ? !diagrams.contains(still, point) : rate == room.rate)
            needed.push_back(rate);
    // Of several ways under a rate each, any one of these has room for it.
    if (needed.size() != 1) return " while its rates are used up";
    return fmt::format(" while its {} is used up", to_string(needed.front()));
}

// The diagram of the policy was made, and following the program made too many others. What makes them large is in the policy: with half the room that its own diagram took, making that one
// names it.
Error too_large(Error error, const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                Family family, std::size_t edges) {
    error.message = "this policy is too entangled to be proved: " + error.message;
    Space space(family, {.edges = edges / 2});
    const Meant meant = meaning_of(policy, addresses, node, today, family, space.diagrams());
    if (meant.meaning || meant.entangled.empty()) return error;
    error.help = meant.meaning.error().help;
    error.span = meant.meaning.error().span;
    return error;
}

}  // namespace

Proof prove(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, const ir::Ruleset& ruleset,
            const Servers& served, Limits limits) {
    Proof proof;
    if (const Result<void> known = understood(ruleset, policy.nodes[node]); !known)
        return {.found = Proof::Found::not_understood, .error = known.error()};
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        Space space(family, limits);
        const Meant meant = meaning_of(policy, addresses, node, today, family, space.diagrams());
        if (!meant.meaning) return {.found = Proof::Found::too_large, .error = meant.meaning.error()};
        const std::size_t edges = space.diagrams().edges();
        const auto different = [&](Set wrong, const Phase& phase, const Room& room, bool passes) {
            const std::vector<u128> point = *example_of(wrong, space, policy, node);
            const std::string used_up = used_up_words(point, room, passes, meant.meaning.value(), space.diagrams());
            throw Different{{fmt::format("{} would be {}{}, and the policy {} it{}", words_of(point, phase, family),
                                         passes ? "let through" : "refused", used_up, passes ? "denies" : "allows",
                                         used_up.empty() ? "" : " then"),
                             {},
                             passes && used_up.empty() ? Span{} : line_of(point, family, policy, addresses, node)},
                            point,
                            phase};
        };
        try {
            Prover(policy, addresses, node, ruleset, served, space, meant.meaning.value(), different).prove();
        } catch (const Different& found) {
            Proof::Counterexample example{.family = family, .phase = found.phase};
            std::ranges::copy(found.point, example.point.begin());
            return {.found = Proof::Found::differs, .error = found.error, .counterexample = example};
        } catch (const Space::TooLarge& large) {
            return {.found = Proof::Found::too_large,
                    .error = too_large(large.error, policy, addresses, node, today, family, edges)};
        }
        proof.edges += space.diagrams().edges();
        proof.bytes = std::max(proof.bytes, space.diagrams().bytes());
    }
    return proof;
}

Effect effect(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, const ir::Ruleset& table,
              const Servers& served) {
    if (!understood(table, policy.nodes[node])) return {};
    Effect result{.opens = false, .closes = false};
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        Space space(family);
        const Meant meant = meaning_of(policy, addresses, node, today, family, space.diagrams());
        if (!meant.meaning) return {};
        try {
            Prover prover(
                policy, addresses, node, table, served, space, meant.meaning.value(),
                [&](Set, const Phase&, const Room&, bool passes) { (passes ? result.closes : result.opens) = true; });
            prover.prove();
            prover.prove_other_rates();
        } catch (const Different&) {  // of what is masqueraded
            return {};
        } catch (const Space::TooLarge&) {
            return {};
        }
    }
    return result;
}

Unlisted unlisted(const Policy& policy, const Addresses& addresses, std::size_t node, Days today,
                  const ir::Ruleset& table, const Servers& served, std::span<const Listed> gains,
                  std::span<const Listed> losses, Limits limits) {
    Unlisted result;
    if (const Result<void> known = understood(table, policy.nodes[node]); !known)
        return {.found = Proof::Found::not_understood, .error = known.error()};
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        Space space(family, limits);
        const Meant meant = meaning_of(policy, addresses, node, today, family, space.diagrams());
        if (!meant.meaning) return {.found = Proof::Found::too_large, .error = meant.meaning.error()};
        try {
            Set opens = nothing;
            Set closes = nothing;
            Prover prover(policy, addresses, node, table, served, space, meant.meaning.value(),
                          [&](Set wrong, const Phase&, const Room&, bool passes) {
                              Set& all = passes ? closes : opens;
                              all = space.unite(all, wrong);
                          });
            prover.prove_beginnings();
            const Set untold = space.subtract(everything, implied_in_the_tunnel(policy.nodes[node], space));
            const auto note = [&](Set changed, std::span<const Listed> listed, std::string& words) {
                const Set unlisted = space.subtract(space.intersect(changed, untold), cover(listed, space));
                const auto point = words.empty() ? example_of(unlisted, space, policy, node) : std::nullopt;
                if (point) words = words_of(*point, prover.first_packet(), family);
            };
            note(opens, gains, result.opens);
            note(closes, losses, result.closes);
        } catch (const Space::TooLarge& large) {
            return {.found = Proof::Found::too_large, .error = large.error};
        }
    }
    return result;
}

}  // namespace policyc::proof
