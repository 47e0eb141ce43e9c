// The policy as diagrams; entry point meaning_of.
#include "compiler/proof/meaning.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "compiler/proof/places.h"

namespace policyc::proof {
namespace {

// The types of errors: RFC 792, RFC 4443.
constexpr std::array<u128, 3> error_types{3, 11, 12};
constexpr std::array<u128, 4> error_types6{1, 2, 3, 4};

constexpr Interval all_protocols{0, 255};
constexpr Interval all_ports{0, 65535};

// The rates that a permission is under: its tier's and its service's, or its input's.
using Rates = std::array<std::optional<Rate>, 2>;
using WhichRates = std::function<bool(const Rates&)>;

bool any_rates(const Rates&) {
    return true;
}

bool no_rates(const Rates& rates) {
    return !rates[0] && !rates[1];
}

// A permission, for when it has to be named: a target of a tier or of the output (then there is no tier), or an input.
struct Entry {
    const Target* target = nullptr;
    const Tier* tier = nullptr;
    const Input* input = nullptr;

    [[nodiscard]] Span span() const { return input != nullptr ? input->span : target->span; }
    [[nodiscard]] std::string name() const {
        if (input != nullptr) return "`input." + input->name + "`";
        return "`" + target->label + (target->service ? "" : ":" + to_string(target->ports)) + "` of " +
               (tier != nullptr ? "tiers." + tier->name : "output");
    }
};

class Reader {
public:
    Reader(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, Family family,
           Diagrams& diagrams)
        : policy_(policy),
          addresses_(addresses),
          index_(node),
          node_(policy.nodes[node]),
          today_(today),
          family_(family),
          diagrams_(diagrams) {}

    Meant read();

private:
    // ---- pieces of a permission ----
    [[nodiscard]] std::vector<Interval> intervals(const Host& host) const;
    Result<Set> addresses_at(Field field, const std::vector<Interval>& ranges);
    Result<Set> from(const std::vector<Source>& sources);

    // ---- permissions ----
    // What the lists of a policy permit; these look at no level before the destination.
    struct Lists {
        Result<Set> tiers = nothing;
        Result<Set> inputs = nothing;  // to whatever address is this host's
        Result<Set> output = nothing;  // from whatever address is this host's
    };
    Lists lists(const WhichRates& which);
    [[nodiscard]] std::vector<Rate> rates() const;
    [[nodiscard]] Rates rates_of(const Tier& tier, const Target& target) const;
    void add_target(Boxes& boxes, const Target& target, Set sources, const Tier* tier);
    Result<Set> tiers(const WhichRates& which);
    Result<Set> inputs(const WhichRates& which);
    Result<Set> output();
    Result<Set> built(const Boxes& boxes);
    Result<Set> to_wireguard(const Node& node);

    // ---- which packets ----
    struct Passage {
        Hook hook{};
        Way way{};
        Side in{};
        Side out{};
    };
    [[nodiscard]] bool through(const Passage& passage, const std::function<bool(Side)>& kind) const;
    Result<Set> judged(const Passage& passage);
    Result<Set> spoofed(const Passage& passage, Field source);
    Result<Set> permitted(const Passage& passage, const Lists& lists);
    Result<Set> allowed(const Passage& passage, const Lists& lists);
    Result<Set> errors(const Passage& passage);
    Set whole(const std::function<Result<Set>(const Passage&)>& slice);
    void read_sides();
    Error too_large(Error error);

    const Policy& policy_;
    const Addresses& addresses_;
    const std::size_t index_;
    const Node& node_;
    const Days today_;
    const Family family_;
    Diagrams& diagrams_;

    std::vector<Entry> entries_;    // by box, while a list of them is built
    std::vector<Entry> entangled_;  // of the one that was too large
    std::optional<Error> error_;
    Result<Set> error_messages_ = nothing;
    Result<Set> own_port_ = nothing;  // WireGuard's, of the node
    Result<Set> peer_port_ = nothing;
    std::array<Result<Set>, flow_fields> far_{nothing, nothing, nothing, nothing,
                                              nothing, nothing, nothing, nothing};  // by the field of the address
    std::array<Result<Set>, flow_fields> near_ = far_;
    std::array<Result<Set>, flow_fields> beside_tunnel_ = far_;  // what is not on the tunnel side
    std::array<Result<Set>, flow_fields> untouched_ = far_;
};

std::vector<Interval> Reader::intervals(const Host& host) const {
    std::vector<Interval> result;
    for (const Range& range : ranges_of(policy_, addresses_, host))
        if (range.family == family_) result.push_back({range.lo, range.hi});
    return result;
}

Result<Set> Reader::addresses_at(Field field, const std::vector<Interval>& ranges) {
    Boxes boxes(diagrams_.levels());
    FlowBox flows = any_flow(family_);
    for (const Interval& range : ranges) {
        flows[place(field)] = range;
        boxes.add(flows);
    }
    return diagrams_.build(boxes).set;
}

Result<Set> Reader::from(const std::vector<Source>& sources) {
    std::vector<Interval> ranges;
    for (const Source& source : sources) {
        const std::vector<Interval> more = intervals(source.host);
        ranges.insert(ranges.end(), more.begin(), more.end());
    }
    return addresses_at(Field::source, ranges);
}

void Reader::add_target(Boxes& boxes, const Target& target, Set sources, const Tier* tier) {
    if (!holds_on(target.expires, today_)) return;
    for (const Interval& range : intervals(target.host)) {
        FlowBox flows = any_flow(family_);
        flows[place(Field::destination)] = range;
        narrow(flows, family_, target.ports);
        boxes.add(flows, sources);
        entries_.push_back({&target, tier, nullptr});
    }
}

Result<Set> Reader::built(const Boxes& boxes) {
    const Built built = diagrams_.build(boxes);
    for (const std::size_t box : built.entangled) entangled_.push_back(entries_[box]);
    entries_.clear();
    return built.set;
}

Reader::Lists Reader::lists(const WhichRates& which) {
    Lists lists{tiers(which), inputs(which)};
    if (node_.output) lists.output = output();
    return lists;
}

Rates Reader::rates_of(const Tier& tier, const Target& target) const {
    return {tier.limit, target.service ? policy_.services[*target.service].limit : std::nullopt};
}

std::vector<Rate> Reader::rates() const {
    std::set<Rate> rates;
    const auto add = [&](const std::optional<Rate>& rate) {
        if (rate) rates.insert(*rate);
    };
    for (const Tier& tier : policy_.tiers)
        for (const Target& target : tier.allow) std::ranges::for_each(rates_of(tier, target), add);
    for (const Input& input : node_.inputs) add(input.limit);
    return {rates.begin(), rates.end()};
}

Result<Set> Reader::tiers(const WhichRates& which) {
    Boxes boxes(diagrams_.levels());
    for (const Tier& tier : policy_.tiers) {
        if (tier.grant || tier.bastion || !holds_on(tier.expires, today_)) continue;
        const Result<Set> who = from(tier.who);
        if (!who) return who;
        for (const Target& target : tier.allow)
            if (which(rates_of(tier, target))) add_target(boxes, target, who.value(), &tier);
    }
    return built(boxes);
}

Result<Set> Reader::inputs(const WhichRates& which) {
    Boxes boxes(diagrams_.levels());
    for (const Input& input : node_.inputs) {
        if (!which({input.limit, std::nullopt})) continue;
        const Result<Set> who = from(input.from);
        if (!who) return who;
        for (const Ports& ports : input.ports) {
            FlowBox flows = any_flow(family_);
            narrow(flows, family_, ports);
            boxes.add(flows, who.value());
            entries_.push_back({nullptr, nullptr, &input});
        }
    }
    return built(boxes);
}

Result<Set> Reader::output() {
    Boxes boxes(diagrams_.levels());
    for (const Target& target : *node_.output) add_target(boxes, target, everything, nullptr);
    return built(boxes);
}

Result<Set> Reader::to_wireguard(const Node& node) {
    std::uint16_t port = node.listen_port.value_or(0);
    if (node.endpoint) port = node.endpoint->port;
    if (port == 0) return nothing;
    FlowBox flows = any_flow(family_);
    narrow(flows, family_, {Protocol::udp, port, port});
    // This host dials the peer where its endpoint is; one with a name may be anywhere.
    const auto* address = &node != &node_ && node.endpoint ? std::get_if<Address>(&node.endpoint->host) : nullptr;
    if (address != nullptr && address->family != family_) return nothing;
    if (address != nullptr) flows[place(Field::destination)] = just(address->bits);
    return diagrams_.box(flows);
}

void Reader::read_sides() {
    std::vector<Interval> near;
    std::vector<Interval> others;
    std::vector<Interval> named;
    std::vector<Interval> other_nodes;
    const auto append = [](std::vector<Interval>& list, const std::vector<Interval>& more) {
        list.insert(list.end(), more.begin(), more.end());
    };
    for (std::size_t i = 0; i < policy_.nodes.size(); ++i) {
        std::vector<Interval>& side = i == index_ ? near : others;
        append(side, intervals(NodeRef{i}));
        if (i != index_) append(other_nodes, intervals(NodeRef{i}));
        for (const Spanned<Range>& served : policy_.nodes[i].serves) append(side, intervals(served.value));
        for (const Input& input : policy_.nodes[i].inputs)
            for (const Source& source : input.from) append(named, intervals(source.host));
    }
    for (const Tier& tier : policy_.tiers)
        for (const Source& source : tier.who) append(named, intervals(source.host));
    std::vector<Interval> untouched;
    for (const Spanned<Range>& range : node_.untouched.ranges) append(untouched, intervals(range.value));

    for (const Field field : {Field::source, Field::destination}) {
        const std::size_t at = place(field);
        near_[at] = diagrams_.subtract(addresses_at(field, near), addresses_at(field, other_nodes));
        far_[at] = diagrams_.subtract(addresses_at(field, others), near_[at]);
        const Result<Set> all = diagrams_.unite(far_[at], addresses_at(field, named));
        beside_tunnel_[at] = diagrams_.subtract(everything, diagrams_.subtract(all, near_[at]));
        untouched_[at] = addresses_at(field, untouched);
    }
}

// Whether it enters or leaves through such a side, as far as the hook knows one.
bool Reader::through(const Passage& passage, const std::function<bool(Side)>& kind) const {
    return (passage.hook != Hook::output && kind(passage.in)) || (passage.hook != Hook::input && kind(passage.out));
}

Result<Set> Reader::judged(const Passage& passage) {
    if (node_.scope == Scope::none || (passage.hook == Hook::output && !node_.output)) return nothing;
    if (through(passage, [](Side side) { return side == Side::tunnel; })) return everything;
    if (node_.scope == Scope::tunnel) return nothing;
    const bool loopback_untouched =
        std::ranges::any_of(node_.untouched.interfaces, [](const auto& name) { return name.value == "lo"; });
    if (through(passage,
                [&](Side side) { return side == Side::untouched || (side == Side::loopback && loopback_untouched); }))
        return nothing;
    // From or to: whichever way the packet goes.
    return diagrams_.subtract(everything,
                              diagrams_.unite(untouched_[place(Field::source)], untouched_[place(Field::destination)]));
}

// By the source of the packet. Loopback doesn't come here: what it judges it allows.
Result<Set> Reader::spoofed(const Passage& passage, Field source) {
    if (passage.hook == Hook::output) return nothing;
    const bool begins = passage.way == Way::begin;
    const std::size_t at = place(source);
    if (passage.in != Side::tunnel) return far_[at];
    const bool unjudged = passage.hook == Hook::input && !node_.output;  // what it begins
    return begins || unjudged ? beside_tunnel_[at] : near_[at];
}

Result<Set> Reader::permitted(const Passage& passage, const Lists& lists) {
    if (passage.hook == Hook::forward) return lists.tiers;
    const bool host = node_.scope == Scope::host;
    const bool begun_here = (passage.hook == Hook::output) == (passage.way == Way::begin);
    if (begun_here) {
        if (!node_.output) return everything;  // only replies to it are judged then
        const Result<Set> from_host = diagrams_.unite(lists.output, lists.tiers);
        return host ? diagrams_.unite(from_host, peer_port_) : from_host;
    }
    const Result<Set> to_host = diagrams_.unite(lists.inputs, lists.tiers);
    return host ? diagrams_.unite(to_host, own_port_) : to_host;
}

Result<Set> Reader::allowed(const Passage& passage, const Lists& lists) {
    const Result<Set> judged_here = judged(passage);
    if (through(passage, [](Side side) { return side == Side::loopback; }))
        return judged_here;  // nothing, but in scope host
    if (family_ == Family::ipv6 && policy_.ipv6 == Ipv6::deny) return nothing;
    const Field source = passage.way == Way::begin ? Field::source : Field::destination;
    return diagrams_.intersect(judged_here, diagrams_.subtract(permitted(passage, lists), spoofed(passage, source)));
}

Result<Set> Reader::errors(const Passage& passage) {
    const Result<Set> judged_here = judged(passage);
    if (through(passage, [](Side side) { return side == Side::loopback; })) return judged_here;
    if (family_ == Family::ipv6 && policy_.ipv6 == Ipv6::deny) return nothing;
    const bool into_tunnel = passage.hook == Hook::forward && passage.in == Side::tunnel && passage.out == Side::tunnel;
    if (into_tunnel && !answers_far(policy_, addresses_, index_)) return nothing;
    return diagrams_.intersect(judged_here, diagrams_.subtract(error_messages_, spoofed(passage, Field::source)));
}

Error Reader::too_large(Error error) {
    error.message = "this policy is too entangled: " + error.message;
    for (const Entry& entry : entangled_) error.help += (error.help.empty() ? "" : ", ") + entry.name();
    if (!error.help.empty()) error.help = "what overlaps the most with the rest: " + error.help;
    if (!entangled_.empty()) error.span = entangled_.front().span();
    return error;
}

// Hook by hook, from what each says of the levels below.
Set Reader::whole(const std::function<Result<Set>(const Passage&)>& slice) {
    Boxes boxes(diagrams_.levels());
    constexpr std::array sides{Side::tunnel, Side::other, Side::untouched, Side::loopback};
    for (const Hook hook : {Hook::forward, Hook::input, Hook::output}) {
        for (const Way way : {Way::begin, Way::reply}) {
            for (const Side in : sides) {
                for (const Side out : sides) {
                    if (hook == Hook::forward && (in == Side::loopback || out == Side::loopback)) continue;
                    FlowBox flows = any_flow(family_);
                    flows[place(Field::hook)] = just(hook);
                    flows[place(Field::way)] = just(way);
                    flows[place(Field::in)] = just(in);
                    flows[place(Field::out)] = just(out);
                    const Result<Set> set = slice({hook, way, in, out});
                    if (set)
                        boxes.add(flows, set.value());
                    else
                        error_ = set.error();
                }
            }
        }
    }
    const Result<Set> set = diagrams_.build(boxes).set;
    if (!set) error_ = set.error();
    return set ? set.value() : nothing;
}

Meant Reader::read() {
    read_sides();
    const Lists all = lists(any_rates);
    own_port_ = to_wireguard(node_);
    if (node_.peer) peer_port_ = to_wireguard(policy_.nodes[*node_.peer]);
    Boxes messages(diagrams_.levels());
    FlowBox flows = any_flow(family_);
    flows[place(Field::protocol)] = just(icmp_of(family_));
    for (const u128 type : family_ == Family::ipv4 ? std::span<const u128>(error_types) : error_types6) {
        flows[place(Field::port)] = {type * 256, type * 256 + 255};
        messages.add(flows);
    }
    error_messages_ = diagrams_.build(messages).set;

    Meaning meaning;
    meaning.possible = whole([](const Passage&) { return everything; });
    meaning.judged = whole([&](const Passage& passage) { return judged(passage); });
    meaning.allowed = whole([&](const Passage& passage) { return allowed(passage, all); });
    meaning.errors = whole([&](const Passage& passage) { return errors(passage); });
    meaning.unlimited = meaning.allowed;
    const auto beginning_with = [&](const WhichRates& which) {
        const Lists some = lists(which);
        return whole([&](const Passage& passage) { return allowed(passage, passage.way == Way::begin ? some : all); });
    };
    const std::vector<Rate> limits = rates();
    if (!limits.empty()) meaning.unlimited = beginning_with(no_rates);
    for (const Rate& rate : limits)
        meaning.without.emplace_back(
            rate, beginning_with([&](const Rates& rates) { return rates[0] != rate && rates[1] != rate; }));
    if (!error_) return {meaning, {}};
    Meant meant{too_large(std::move(*error_)), {}};
    for (const Entry& entry : entangled_) meant.entangled.push_back(entry.span());
    return meant;
}

}  // namespace

FlowBox any_flow(Family family) {
    return {
        {{0, 2}, {0, 1}, {0, 3}, {0, 3}, {0, top(family)}, {0, all_protocols.hi}, {0, all_ports.hi}, {0, top(family)}}};
}

std::vector<Level> flow_levels(Family family) {
    constexpr std::array names{"hook", "way", "in", "out", "destination", "protocol", "port", "source"};
    const FlowBox any = any_flow(family);
    std::vector<Level> levels;
    for (std::size_t i = 0; i < flow_fields; ++i) levels.push_back({names[i], any[i].hi});
    return levels;
}

void narrow(FlowBox& flows, Family family, const Ports& ports) {
    Interval& protocol = flows[place(Field::protocol)];
    Interval& port = flows[place(Field::port)];
    switch (ports.protocol) {
        case Protocol::any:
            protocol = all_protocols;
            port = all_ports;
            break;
        case Protocol::tcp:
        case Protocol::udp:
            protocol = just(ports.protocol == Protocol::tcp ? tcp_number : udp_number);
            port = {ports.lo, ports.hi};
            break;
        case Protocol::ping:
            protocol = just(icmp_of(family));
            port = just(echo_request_of(family));
            break;
    }
}

Meant meaning_of(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, Family family,
                 Diagrams& diagrams) {
    return Reader(policy, addresses, node, today, family, diagrams).read();
}

}  // namespace policyc::proof
