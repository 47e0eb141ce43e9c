// Elements to boxes to sets of points; entry point Members.
#include "compiler/proof/members.h"

#include <algorithm>

namespace policyc::proof {
namespace {

constexpr u128 last_port = 65535;

std::vector<Interval> all_but(const std::vector<Interval>& intervals) {
    std::vector<Interval> rest;
    u128 next = 0;
    for (const Interval& interval : intervals) {
        if (next < interval.lo) rest.push_back({next, interval.lo - 1});
        next = interval.hi + 1;
    }
    if (next <= last_port) rest.push_back({next, last_port});
    return rest;
}

bool meets(const std::vector<Interval>& intervals, Interval other) {
    return std::ranges::any_of(intervals, [&](const Interval& i) { return i.lo <= other.hi && other.lo <= i.hi; });
}

bool exact(const KeyReading& key) {
    return std::ranges::all_of(key.fields, [](const Reading& r) { return r.from == Reading::From::point; });
}

bool asks_for_protocol(const KeyReading& key) {
    return std::ranges::any_of(key.fields, [](const Reading& r) { return r.protocol.has_value(); });
}

bool asks_for_client(const KeyReading& key) {
    return std::ranges::any_of(key.fields, [](const Reading& r) { return r.from == Reading::From::client; });
}

// Of keys that find the same packets, one: which way out is only looked at for the port of a client.
KeyReading plain(KeyReading key) {
    if (!asks_for_client(key)) key.way_out = KeyReading().way_out;
    return key;
}

std::uint32_t number(const Reading& reading) {
    const auto protocol = static_cast<std::uint32_t>(reading.protocol.value_or(256));
    return protocol << 8U | static_cast<std::uint32_t>(reading.field) << 4U | static_cast<std::uint32_t>(reading.from);
}

}  // namespace

Interfaces::Interfaces(const Node& node) : tunnel_(node.interface ? node.interface->value : "") {
    for (const Spanned<std::string>& name : node.untouched.interfaces)
        if (name.value != "lo" && name.value != tunnel_) untouched_.push_back(name.value);
}

Side Interfaces::side_of(const std::string& name) const {
    if (name == tunnel_) return Side::tunnel;
    if (name == "lo") return Side::loopback;
    return std::ranges::find(untouched_, name) != untouched_.end() ? Side::untouched : Side::other;
}

bool Interfaces::some(Side side, const std::vector<std::string>& names) const {
    return std::ranges::any_of(names, [&](const std::string& name) { return side_of(name) == side; });
}

bool Interfaces::all(Side side, const std::vector<std::string>& names) const {
    switch (side) {
        case Side::tunnel:
        case Side::loopback: return some(side, names);
        case Side::other: return false;
        case Side::untouched:
            return std::ranges::all_of(
                untouched_, [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); });
    }
    return false;
}

bool KeyReading::operator<(const KeyReading& other) const {
    if (way_out != other.way_out) return way_out < other.way_out;
    return std::ranges::lexicographical_compare(fields, other.fields, {}, number, number);
}

Members::Members(Space& space, const ir::Ruleset& ruleset, Servers servers)
    : space_(space),
      tcp_clients_(all_but(joined(std::move(servers.tcp)))),
      udp_clients_(all_but(joined(std::move(servers.udp)))),
      outer_clients_(all_but(joined(std::move(servers.outer)))) {
    for (const ir::Set& set : ruleset.sets) sets_.emplace(set.name, &set);
}

const ir::Set& Members::set(const std::string& name) const {
    return *sets_.find(name)->second;
}

// The box without the packets whose value is another; false where none are left.
bool Members::narrow(FlowBox& box, const Reading& reading, Interval value, Field way_out) const {
    if (reading.protocol) {
        Interval& protocol = box[place(Field::protocol)];
        if (*reading.protocol < protocol.lo || protocol.hi < *reading.protocol) return false;
        protocol = just(*reading.protocol);
    }
    switch (reading.from) {
        case Reading::From::absent: return false;
        case Reading::From::any: return true;
        case Reading::From::point: {
            Interval& at = box[place(reading.field)];
            at = {std::max(at.lo, value.lo), std::min(at.hi, value.hi)};
            return at.lo <= at.hi;
        }
        case Reading::From::client: {
            if (reading.protocol == tcp_number) return meets(tcp_clients_, value);
            Interval& side = box[place(way_out)];
            if (!meets(udp_clients_, value)) side.lo = std::max(side.lo, static_cast<u128>(Side::other));
            if (!meets(outer_clients_, value)) side.hi = std::min(side.hi, static_cast<u128>(Side::tunnel));
            return side.lo <= side.hi;
        }
    }
    return false;
}

std::vector<Holds> Members::read(const ir::Set& set, const KeyReading& key, std::size_t parts) {
    std::vector<Boxes> boxes(parts, Boxes(space_.diagrams().levels()));
    const ir::Elements& elements = set.elements;
    const FlowBox whole = space_.whole();
    for (std::size_t i = 0; i < elements.size(); ++i) {
        FlowBox box = whole;
        bool some = true;
        for (std::size_t field = 0; some && field < key.fields.size(); ++field) {
            const auto bound = elements.bound(i, field);
            some = narrow(box, key.fields[field], {bound.lo, bound.hi}, key.way_out);
        }
        if (some) boxes[parts == 1 ? 0 : elements.value(i)].add(box);
    }
    const bool certain = exact(key) && !set.timed && !set.dynamic && set.timeout == 0;
    std::vector<Holds> all;
    for (const Boxes& part : boxes) {
        const Set may = set.dynamic ? with(key) : space_.build(part);
        all.push_back({may, certain ? may : nothing});
    }
    return all;
}

Set Members::with(const KeyReading& key) {
    FlowBox box = space_.whole();
    for (const Reading& reading : key.fields) {
        if (reading.from == Reading::From::absent) return nothing;
        if (!reading.protocol) continue;
        Interval& protocol = box[place(Field::protocol)];
        if (*reading.protocol < protocol.lo || protocol.hi < *reading.protocol) return nothing;
        protocol = just(*reading.protocol);
    }
    return space_.box(box);
}

Holds Members::in(const std::string& name, const KeyReading& key) {
    const ir::Set& which = set(name);
    const auto [at, fresh] = known_.try_emplace({&which, plain(key)});
    if (!fresh) return at->second;
    // A large set is read by the fields of the packet as well as by those of the connection, of which only the former ask for a protocol.
    if (asks_for_protocol(key) && !asks_for_client(key) && !which.dynamic) {
        KeyReading of_any = key;
        for (Reading& reading : of_any.fields) reading.protocol.reset();
        const Holds holds = in(name, of_any);
        const Set those = with(key);
        return at->second = {space_.intersect(holds.may, those), space_.intersect(holds.must, those)};
    }
    return at->second = read(which, key, 1).front();
}

// Half by half, so that what is put together grows as a tree does.
Members::Meeting Members::meet(std::span<const Holds> parts) const {
    if (parts.empty()) return {};
    if (parts.size() == 1) return {parts.front().may, false};
    const Meeting one = meet(parts.first(parts.size() / 2));
    const Meeting other = meet(parts.subspan(parts.size() / 2));
    const bool twice = one.twice || other.twice || space_.intersect(one.all, other.all) != nothing;
    return {space_.unite(one.all, other.all), twice};
}

const std::vector<Holds>& Members::verdicts(const std::string& name, const KeyReading& key) {
    const ir::Set& which = set(name);
    const auto [at, fresh] = verdicts_.try_emplace({&which, plain(key)});
    if (!fresh) return at->second;
    // One part more, so that a map to a single chain is read by its values too.
    std::vector<Holds>& parts = at->second = read(which, key, which.verdicts.size() + 1);
    // A key that leads to two chains surely leads to neither.
    if (meet(parts).twice)
        for (Holds& part : parts) part.must = nothing;
    return parts;
}

Holds Members::at(const Reading& reading, Field way_out, Interval value) {
    FlowBox box = space_.whole();
    if (!narrow(box, reading, value, way_out)) return {nothing, nothing};
    const Set may = space_.box(box);
    return {may, reading.from == Reading::From::point ? may : nothing};
}

}  // namespace policyc::proof
