// The policy as diagrams; entry point meaning_of.
#include "compiler/proof/meaning.h"

#include <algorithm>
#include <array>
#include <functional>

namespace policyc::proof {
namespace {

constexpr std::size_t place(Field field) {
    return static_cast<std::size_t>(field);
}

// Numbers of the IANA registry, and the request that begins a ping: RFC 792, RFC 4443.
constexpr u128 icmp = 1;
constexpr u128 tcp = 6;
constexpr u128 udp = 17;
constexpr u128 icmpv6 = 58;
constexpr u128 echo_request = 8 * 256;
constexpr u128 echo_request6 = 128 * 256;

constexpr Interval all_protocols{0, 255};
constexpr Interval all_ports{0, 65535};

template <typename T>
Interval just(T value) {
    const auto number = static_cast<u128>(value);
    return {number, number};
}

using Flows = std::array<Interval, flow_fields>;

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
    [[nodiscard]] Flows any_flow() const;
    void narrow(Flows& flows, const Ports& ports) const;
    Result<Set> addresses_at(Field field, const std::vector<Interval>& ranges);
    Result<Set> from(const std::vector<Source>& sources);

    // ---- permissions ----
    void add_target(Boxes& boxes, const Target& target, Set sources, const Tier* tier);
    Result<Set> tiers();
    Result<Set> inputs();
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
    Result<Set> spoofed(const Passage& passage);
    Result<Set> permitted(const Passage& passage);
    Result<Set> allowed(const Passage& passage);
    void read_sides();
    Error too_large(Error error);

    const Policy& policy_;
    const Addresses& addresses_;
    const std::size_t index_;
    const Node& node_;
    const Days today_;
    const Family family_;
    Diagrams& diagrams_;

    std::vector<Entry> entries_;      // by box, while a list of them is built
    std::vector<Entry> entangled_;    // of the one that was too large
    Result<Set> tiers_ = nothing;     // these look at no level before the destination
    Result<Set> inputs_ = nothing;    // to whatever address is this host's
    Result<Set> output_ = nothing;    // from whatever address is this host's
    Result<Set> own_port_ = nothing;  // WireGuard's, of the node
    Result<Set> peer_port_ = nothing;
    std::array<Result<Set>, flow_fields> far_{nothing, nothing, nothing, nothing,
                                              nothing, nothing, nothing, nothing};  // by the field of the address
    std::array<Result<Set>, flow_fields> near_ = far_;
    std::array<Result<Set>, flow_fields> beside_tunnel_ = far_;  // what is not on the tunnel side
    std::array<Result<Set>, flow_fields> untouched_ = far_;
};

std::vector<Interval> Reader::intervals(const Host& host) const {
    std::vector<Range> ranges;
    if (const auto* node = std::get_if<NodeRef>(&host)) {
        for (const Spanned<Address>& address : policy_.nodes[node->node].addresses)
            ranges.push_back(range_of(address.value));
    } else if (const auto* network = std::get_if<NetworkRef>(&host)) {
        for (const Spanned<Range>& range : policy_.networks[network->network].ranges) ranges.push_back(range.value);
    } else if (const auto* range = std::get_if<Range>(&host)) {
        ranges.push_back(*range);
    } else if (const auto known = addresses_.find(std::get<HostName>(host).name); known != addresses_.end()) {
        for (const Address& address : known->second) ranges.push_back(range_of(address));
    }
    std::vector<Interval> result;
    for (const Range& range : ranges)
        if (range.family == family_) result.push_back({range.lo, range.hi});
    return result;
}

Flows Reader::any_flow() const {
    Flows flows;
    for (std::size_t i = 0; i < flow_fields; ++i) flows[i] = {0, diagrams_.levels()[i].max};
    return flows;
}

void Reader::narrow(Flows& flows, const Ports& ports) const {
    Interval& protocol = flows[place(Field::protocol)];
    Interval& port = flows[place(Field::port)];
    switch (ports.protocol) {
        case Protocol::any:
            protocol = all_protocols;
            port = all_ports;
            break;
        case Protocol::tcp:
        case Protocol::udp:
            protocol = just(ports.protocol == Protocol::tcp ? tcp : udp);
            port = {ports.lo, ports.hi};
            break;
        case Protocol::ping:
            protocol = just(family_ == Family::ipv4 ? icmp : icmpv6);
            port = just(family_ == Family::ipv4 ? echo_request : echo_request6);
            break;
    }
}

Result<Set> Reader::addresses_at(Field field, const std::vector<Interval>& ranges) {
    Boxes boxes(diagrams_.levels());
    Flows flows = any_flow();
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
        Flows flows = any_flow();
        flows[place(Field::destination)] = range;
        narrow(flows, target.ports);
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

Result<Set> Reader::tiers() {
    Boxes boxes(diagrams_.levels());
    for (const Tier& tier : policy_.tiers) {
        if (tier.grant || tier.bastion || !holds_on(tier.expires, today_)) continue;
        const Result<Set> who = from(tier.who);
        if (!who) return who;
        for (const Target& target : tier.allow) add_target(boxes, target, who.value(), &tier);
    }
    return built(boxes);
}

Result<Set> Reader::inputs() {
    Boxes boxes(diagrams_.levels());
    for (const Input& input : node_.inputs) {
        const Result<Set> who = from(input.from);
        if (!who) return who;
        for (const Ports& ports : input.ports) {
            Flows flows = any_flow();
            narrow(flows, ports);
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
    Flows flows = any_flow();
    narrow(flows, {Protocol::udp, port, port});
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

// By the source of the packet, which of a reply is the destination of the flow. Loopback doesn't come here: what it judges it allows.
Result<Set> Reader::spoofed(const Passage& passage) {
    if (passage.hook == Hook::output) return nothing;
    const bool begins = passage.way == Way::begin;
    const std::size_t at = place(begins ? Field::source : Field::destination);
    if (passage.in != Side::tunnel) return far_[at];
    const bool unjudged = passage.hook == Hook::input && !node_.output;  // what it begins
    return begins || unjudged ? beside_tunnel_[at] : near_[at];
}

Result<Set> Reader::permitted(const Passage& passage) {
    if (passage.hook == Hook::forward) return tiers_;
    const bool host = node_.scope == Scope::host;
    const bool begun_here = (passage.hook == Hook::output) == (passage.way == Way::begin);
    if (begun_here) {
        if (!node_.output) return everything;  // only replies to it are judged then
        const Result<Set> from_host = diagrams_.unite(output_, tiers_);
        return host ? diagrams_.unite(from_host, peer_port_) : from_host;
    }
    const Result<Set> to_host = diagrams_.unite(inputs_, tiers_);
    return host ? diagrams_.unite(to_host, own_port_) : to_host;
}

Result<Set> Reader::allowed(const Passage& passage) {
    const Result<Set> judged_here = judged(passage);
    if (through(passage, [](Side side) { return side == Side::loopback; }))
        return judged_here;  // nothing, but in scope host
    if (family_ == Family::ipv6 && policy_.ipv6 == Ipv6::deny) return nothing;
    return diagrams_.intersect(judged_here, diagrams_.subtract(permitted(passage), spoofed(passage)));
}

Error Reader::too_large(Error error) {
    error.message = "this policy is too entangled: " + error.message;
    for (const Entry& entry : entangled_) error.help += (error.help.empty() ? "" : ", ") + entry.name();
    if (!error.help.empty()) error.help = "what overlaps the most with the rest: " + error.help;
    if (!entangled_.empty()) error.span = entangled_.front().span();
    return error;
}

Meant Reader::read() {
    read_sides();
    tiers_ = tiers();
    inputs_ = inputs();
    if (node_.output) output_ = output();
    own_port_ = to_wireguard(node_);
    if (node_.peer) peer_port_ = to_wireguard(policy_.nodes[*node_.peer]);

    Boxes possible(diagrams_.levels());
    Boxes judged_boxes(diagrams_.levels());
    Boxes allowed_boxes(diagrams_.levels());
    std::optional<Error> error;
    const auto add = [&](Boxes& boxes, const Flows& flows, const Result<Set>& set) {
        if (set)
            boxes.add(flows, set.value());
        else
            error = set.error();
    };
    constexpr std::array sides{Side::tunnel, Side::other, Side::untouched, Side::loopback};
    for (const Hook hook : {Hook::forward, Hook::input, Hook::output}) {
        for (const Way way : {Way::begin, Way::reply}) {
            for (const Side in : sides) {
                for (const Side out : sides) {
                    if (hook == Hook::forward && (in == Side::loopback || out == Side::loopback)) continue;
                    Flows flows = any_flow();
                    flows[place(Field::hook)] = just(hook);
                    flows[place(Field::way)] = just(way);
                    flows[place(Field::in)] = just(in);
                    flows[place(Field::out)] = just(out);
                    const Passage passage{hook, way, in, out};
                    add(possible, flows, everything);
                    add(judged_boxes, flows, judged(passage));
                    add(allowed_boxes, flows, allowed(passage));
                }
            }
        }
    }
    const auto whole = [&](const Boxes& boxes) {
        const Result<Set> set = diagrams_.build(boxes).set;
        if (!set) error = set.error();
        return set ? set.value() : nothing;
    };
    const Meaning meaning{whole(possible), whole(judged_boxes), whole(allowed_boxes)};
    if (!error) return {meaning, {}};
    Meant meant{too_large(std::move(*error)), {}};
    for (const Entry& entry : entangled_) meant.entangled.push_back(entry.span());
    return meant;
}

}  // namespace

std::vector<Level> flow_levels(Family family) {
    return {{"hook", 2},
            {"way", 1},
            {"in", 3},
            {"out", 3},
            {"destination", top(family)},
            {"protocol", all_protocols.hi},
            {"port", all_ports.hi},
            {"source", top(family)}};
}

Meant meaning_of(const Policy& policy, const Addresses& addresses, std::size_t node, Days today, Family family,
                 Diagrams& diagrams) {
    return Reader(policy, addresses, node, today, family, diagrams).read();
}

}  // namespace policyc::proof
