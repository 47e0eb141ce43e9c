// Matches and look-ups to sets of points; entry point Conditions::of.
#include "compiler/proof/conditions.h"

#include <algorithm>
#include <array>

namespace policyc::proof {
namespace {

template <typename... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

constexpr Holds always{everything, everything};
constexpr Holds never{nothing, nothing};
constexpr Holds open{everything, nothing};

u128 number_of(ir::L4 protocol) {
    switch (protocol) {
        case ir::L4::tcp: return tcp_number;
        case ir::L4::udp: return udp_number;
        case ir::L4::icmp: return icmp_number;
        case ir::L4::icmpv6: return icmpv6_number;
    }
    return 0;
}

bool of_interface(ir::Field field) {
    return field == ir::Field::iifname || field == ir::Field::oifname;
}

}  // namespace

std::optional<Holds> Conditions::of(const ir::Statement& statement) {
    const Phase& phase = place_.phase;
    const auto protocol = [&](u128 number) { return space_.where(Field::protocol, just(number)); };
    const auto plain = [](const Holds& holds) { return std::optional(holds); };
    return std::visit(
        Overloaded{
            [&](const ir::Lookup& s) { return plain(ask(s)); },
            [&](const ir::MatchPort& s) {
                const KeyReading key = key_of({s.field});
                return plain(members_.at(key.fields.front(), key.way_out, just(s.value)));
            },
            [&](const ir::MatchName& s) {
                const Holds holds = names(s.field, {s.value});
                return plain(s.negate ? negated(holds, everything) : holds);
            },
            [&](const ir::MatchL4& s) {
                const Set set = protocol(number_of(s.protocol));
                return plain({set, set});
            },
            [&](const ir::MatchFamily& s) { return plain(s.family == space_.family() ? always : never); },
            [&](const ir::MatchState& s) { return plain(ask(s)); },
            [&](const ir::MatchDnat&) { return plain(phase.kind == Phase::Kind::rewritten ? always : never); },
            [&](const ir::MatchConfirmed&) { return plain(phase.tracked() ? bit(phase.confirmed) : never); },
            [&](const ir::MatchAssured&) {
                const bool can = phase.tracked() && phase.kind != Phase::Kind::rewritten;
                return plain(can ? bit(phase.assured) : never);
            },
            [&](const ir::MatchReply& s) { return plain(phase.tracked() && phase.reply == s.reply ? always : never); },
            [&](const ir::MatchIcmp& s) { return plain(ask(s)); },
            [&](const ir::MatchHopLimit& s) {
                if (space_.family() == Family::ipv4) return plain(never);
                const bool told = s.value == 255 || phase.hop_limit == Bit::yes;
                if (!told) return plain(open);
                return plain(s.value == 255 ? bit(phase.hop_limit) : never);
            },
            [&](const ir::MatchSyn& s) {
                const Set tcp = protocol(tcp_number);
                const Holds syn = bit(phase.syn);
                const Holds holds = s.negate ? negated(syn, everything) : syn;
                return plain({space_.intersect(tcp, holds.may), space_.intersect(tcp, holds.must)});
            },
            // Breaks off where there is no such option; room is there or not.
            [&](const ir::ClampMss&) { return plain(open); },
            [&](const ir::Limit&) { return plain(open); },
            [&](const ir::UpdateRate& s) { return plain(ask(s)); },
            [&](const ir::CountByMap& s) { return plain(members_.in(s.map, key_of(s.fields))); },
            [&](const ir::Unknown&) { return plain(open); },
            [](const ir::LogPacket&) { return std::optional<Holds>(); },
            [](const ir::Count&) { return std::optional<Holds>(); },
            [](const ir::LookupVerdict&) { return std::optional<Holds>(); },
            [](const ir::Accept&) { return std::optional<Holds>(); },
            [](const ir::Drop&) { return std::optional<Holds>(); },
            [](const ir::Return&) { return std::optional<Holds>(); },
            [](const ir::Reject&) { return std::optional<Holds>(); },
            [](const ir::Masquerade&) { return std::optional<Holds>(); },
            [](const ir::Jump&) { return std::optional<Holds>(); },
            [](const ir::Goto&) { return std::optional<Holds>(); },
        },
        statement);
}

const std::vector<Holds>& Conditions::verdicts(const ir::LookupVerdict& lookup) {
    return members_.verdicts(lookup.map, key_of(lookup.fields));
}

KeyReading Conditions::key_of(const std::vector<ir::Field>& fields) const {
    KeyReading key;
    if (place_.hook == Hook::input) key.way_out = Field::in;
    for (const ir::Field field : fields)
        key.fields.push_back(reading_of(field, place_.phase, place_.hook, space_.family()));
    return key;
}

// A packet without such an interface bears an empty name there.
Holds Conditions::names(ir::Field field, const std::vector<std::string>& names) {
    const bool in = field == ir::Field::iifname;
    if (in ? !place_.has_in : !place_.has_out) return never;
    std::vector<Set> may;
    std::vector<Set> must;
    for (const Side side : {Side::tunnel, Side::other, Side::untouched, Side::loopback}) {
        const Set set = space_.where(in ? Field::in : Field::out, just(side));
        if (interfaces_.some(side, names)) may.push_back(set);
        if (interfaces_.all(side, names)) must.push_back(set);
    }
    const Set all = space_.unite(may);
    return {all, space_.intersect(all, space_.unite(must))};
}

Holds Conditions::negated(const Holds& holds, Set asked) {
    return {space_.subtract(asked, holds.must), space_.subtract(asked, holds.may)};
}

Holds Conditions::ask(const ir::Lookup& lookup) {
    if (of_interface(lookup.fields.front())) {
        const ir::Set& set = members_.set(lookup.set);
        std::vector<std::string> all;
        for (std::size_t i = 0; i < set.elements.size(); ++i) all.push_back(set.elements.name(i));
        const Holds holds = names(lookup.fields.front(), all);
        return lookup.negate ? negated(holds, everything) : holds;
    }
    const KeyReading key = key_of(lookup.fields);
    const Holds holds = members_.in(lookup.set, key);
    // A packet without such fields is neither in the set nor beside it.
    return lookup.negate ? negated(holds, members_.with(key)) : holds;
}

Holds Conditions::ask(const ir::MatchState& match) {
    const ir::MatchState& may_be = place_.phase.states;
    bool some = false;
    bool all = true;
    for (const auto state : {&ir::MatchState::invalid, &ir::MatchState::established, &ir::MatchState::related,
                             &ir::MatchState::fresh, &ir::MatchState::untracked}) {
        if (!(may_be.*state)) continue;
        some = some || match.*state;
        all = all && match.*state;
    }
    return {some ? everything : nothing, some && all ? everything : nothing};
}

Holds Conditions::ask(const ir::MatchIcmp& match) {
    if (match.family != space_.family()) return never;
    Boxes boxes(space_.diagrams().levels());
    FlowBox box = space_.whole();
    box[place(Field::protocol)] = just(icmp_of(match.family));
    for (const Interval& port : icmp_ports(match.types, place_.phase, match.family)) {
        box[place(Field::port)] = port;
        boxes.add(box);
    }
    const Set set = space_.build(boxes);
    return {set, set};
}

Holds Conditions::ask(const ir::UpdateRate& update) {
    if (members_.with(key_of({update.field})) == nothing) return never;
    switch (place_.room.kind) {
        case Room::Kind::unknown: return open;
        case Room::Kind::all: return always;
        case Room::Kind::none: return never;
        case Room::Kind::all_but: return update.rate == place_.room.rate ? never : always;
    }
    return open;
}

Holds Conditions::bit(Bit bit) {
    switch (bit) {
        case Bit::no: return never;
        case Bit::yes: return always;
        case Bit::either: return open;
    }
    return open;
}

}  // namespace policyc::proof
