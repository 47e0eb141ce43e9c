// WireGuard's own ports, and what scope tunnel leaves alone, taken out of gaps; entry points in implied.h.
#include "compiler/implied.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>
#include <variant>

#include "compiler/own_end.h"
#include "compiler/sides.h"
#include "policy/reach.h"

namespace policyc {

namespace {

std::vector<LabelledBox> for_wireguard(const View& view) {
    std::vector<LabelledBox> boxes;
    const Node& node = view.policy->nodes[view.node];
    if (node.scope != Scope::host) return boxes;
    const auto add = [&](Direction direction, std::uint16_t port, const Range* peer) {
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            if (family == Family::ipv6 && view.policy->ipv6 == Ipv6::deny) continue;
            const Range anywhere{family, 0, top(family)};
            const Range& there = peer != nullptr ? *peer : anywhere;
            if (there.family == family)
                boxes.push_back({{direction,
                                  direction == Direction::input ? there : anywhere,
                                  direction == Direction::input ? anywhere : there,
                                  {Protocol::udp, port, port}},
                                 {}});
        }
    };
    if (const auto port = wireguard_port(node)) add(Direction::input, *port, nullptr);
    if (node.output && node.peer) {
        const Node& peer = view.policy->nodes[*node.peer];
        const auto* endpoint = peer.endpoint ? std::get_if<Address>(&peer.endpoint->host) : nullptr;
        const Range there = endpoint != nullptr ? range_of(*endpoint) : Range{};
        if (const auto port = wireguard_port(peer))
            add(Direction::output, *port, endpoint != nullptr ? &there : nullptr);
    }
    return boxes;
}

// Some range, inside a set and outside.
struct Cut {
    std::vector<Range> in;
    std::vector<Range> out;
};

Cut cut_by(const AddressSet& set, const Range& range) {
    Cut cut;
    const std::vector<Range>& all = set.ranges();
    auto at = std::ranges::partition_point(
        all, [&](const Range& one) { return std::pair(one.family, one.hi) < std::pair(range.family, range.lo); });
    u128 from = range.lo;
    for (; at != all.end() && at->meets(range); ++at) {
        if (from < at->lo) cut.out.push_back({range.family, from, at->lo - 1});
        cut.in.push_back({range.family, std::max(range.lo, at->lo), std::min(range.hi, at->hi)});
        if (at->hi >= range.hi) return cut;
        from = at->hi + 1;
    }
    cut.out.push_back({range.family, from, range.hi});
    return cut;
}

// Less what goes from the one to the other.
std::vector<Box> less(const std::vector<Box>& boxes, const AddressSet& from, const AddressSet& to) {
    std::vector<Box> left;
    for (Box box : boxes) {
        if (!from.meets(box.source) || !to.meets(box.destination)) {
            left.push_back(box);
            continue;
        }
        const Cut sources = cut_by(from, box.source);
        const Cut destinations = cut_by(to, box.destination);
        const auto add = [&](const Range& source, const Range& destination) {
            box.source = source;
            box.destination = destination;
            left.push_back(box);
        };
        const Range everywhere = box.destination;
        for (const Range& source : sources.out) add(source, everywhere);
        for (const Range& source : sources.in)
            for (const Range& destination : destinations.out) add(source, destination);
    }
    return left;
}

// What `left_of` leaves of each missing piece, where it is about any.
template <typename Concerns, typename LeftOf>
void keep_what_is_left(std::vector<Gap>& gaps, const Concerns& concerns, const LeftOf& left_of) {
    std::erase_if(gaps, [&](Gap& gap) {
        if (!concerns(*gap.box)) return false;
        std::vector<Box> left;
        for (const Box& box : gap.missing()) std::ranges::move(left_of(box), std::back_inserter(left));
        std::ranges::sort(left);
        const bool none = left.empty();
        if (!std::ranges::equal(left, gap.missing())) gap.pieces = std::move(left);
        return none;
    });
}

bool holds_all(const AddressSet& set, const std::vector<Range>& ranges) {
    return !ranges.empty() && std::ranges::all_of(ranges, [&](const Range& range) { return set.holds(range); });
}

}  // namespace

Beside::Beside(const Policy& policy, std::size_t node) {
    if (policy.nodes[node].scope == Scope::tunnel) read(policy, node);
}

Beside::Beside(const View& view, const View* other) : Beside(*view.policy, view.node) {
    if (other == nullptr || own_.empty()) return;
    Beside there;
    there.read(*other->policy, other->node);
    near_ = reach::intersection(near_, there.near_);
    heard_ = reach::intersection(heard_, there.heard_);
    apart_ = reach::intersection(apart_, there.apart_);
    own_ = reach::intersection(own_, there.own_);
    around_ = reach::intersection(around_, there.around_);
    sends_ = sends_ && there.sends_;
}

void Beside::read(const Policy& policy, std::size_t node) {
    near_ = sides_of(policy, node).near;
    heard_ = near_;
    for (const auto& address : policy.nodes[node].addresses) {
        own_.add(range_of(address.value));
        heard_.add(range_of(address.value));
        near_.subtract(range_of(address.value));
    }
    apart_ = near_;
    for (std::size_t i = 0; i < policy.nodes.size(); ++i)
        if (i != node)
            for (const auto& range : policy.nodes[i].serves) apart_.subtract(range.value);
    around_ = apart_;
    for (const Range& own : own_.ranges()) around_.add(own);
    sends_ = policy.nodes[node].output.has_value();
}

// Of a network that this host is in, what it sends counts only where that is judged.
bool Beside::sends_here(const Range& source) const {
    return own_.meets(source) && (sends_ || source.single());
}

// Nor is that this host is in it news of a network that it receives from.
const AddressSet& Beside::hears(const Range& source) const {
    return source.single() ? heard_ : near_;
}

bool Beside::holds(const std::vector<Range>& sources, const std::vector<Range>& destinations) const {
    return (holds_all(apart_, sources) && holds_all(apart_, destinations)) ||
           (holds_all(near_, sources) && holds_all(own_, destinations)) ||
           (holds_all(own_, sources) && holds_all(around_, destinations));
}

bool Beside::holds_received(const std::vector<Range>& sources) const {
    return holds_all(heard_, sources);
}

bool Beside::holds_sent(const std::vector<Range>& destinations) const {
    return holds_all(around_, destinations);
}

bool Beside::meets(const Box& box) const {
    if (box.direction == Direction::input) return hears(box.source).meets(box.source);
    return around_.meets(box.destination) && (box.direction == Direction::output || sends(box.source));
}

std::vector<Box> Beside::without(const Box& box) const {
    switch (box.direction) {
        case Direction::forward: {
            std::vector<Box> left = less(less({box}, apart_, apart_), near_, own_);
            return sends_here(box.source) ? less(left, own_, around_) : left;
        }
        case Direction::input: {
            std::vector<Box> left;
            for (const Range& source : cut_by(hears(box.source), box.source).out)
                left.push_back({box.direction, source, box.destination, box.ports, box.others});
            return left;
        }
        case Direction::output: {
            std::vector<Box> left;
            for (const Range& destination : cut_by(around_, box.destination).out)
                left.push_back({box.direction, box.source, destination, box.ports, box.others});
            return left;
        }
    }
    return {box};
}

void Beside::take_out(Gaps& gaps) const {
    if (own_.empty()) return;
    keep_what_is_left(
        gaps.boxes, [&](const Box& box) { return meets(box); }, [&](const Box& box) { return without(box); });

    // Of those who are told together, the ones on this side stay together with what is elsewhere.
    std::vector<WideGap> wide;
    const auto add = [&](WideGap gap) {
        if (gap.size() > 0) wide.push_back(std::move(gap));
    };
    const std::size_t before = gaps.boxes.size();
    for (WideGap& gap : gaps.tiers) {
        const auto here = [&](const Range& source) { return sends(source); };
        const auto there = [&](const Area& area) { return !around_.meets(area.destination); };
        const auto senders = std::ranges::stable_partition(gap.sources, std::not_fn(here));
        WideGap those{gap.tier, {senders.begin(), senders.end()}, {}};
        gap.sources.erase(senders.begin(), senders.end());
        for (const Area& area : gap.areas) {
            if (those.sources.empty()) break;
            if (there(area)) {
                those.areas.push_back(area);
                continue;
            }
            for (const Range& source : those.sources) {
                const Box box = area.from(source);
                std::vector<Box> left = without(box);
                if (left.empty()) continue;
                if (left == std::vector{box}) left.clear();
                gaps.boxes.push_back({&gaps.multiplied.emplace_back(box), std::move(left)});
            }
        }
        add(std::move(gap));
        add(std::move(those));
    }
    gaps.tiers = std::move(wide);
    if (gaps.boxes.size() == before) return;
    const auto box_of = [](const Gap& gap) -> const Box& { return *gap.box; };
    std::ranges::sort(gaps.boxes, {}, box_of);
    const auto repeated = std::ranges::unique(gaps.boxes, {}, box_of);
    gaps.boxes.erase(repeated.begin(), repeated.end());
}

void take_out_unlisted(const View& view, const View* other, Gaps& gaps) {
    if (std::vector<LabelledBox> tunnels = for_wireguard(view); !tunnels.empty()) {
        std::ranges::sort(tunnels, {}, &LabelledBox::box);
        const BoxIndex index(tunnels);
        const auto concerned = [](const Box& box) { return box.direction != Direction::forward; };
        keep_what_is_left(gaps.boxes, concerned, [&](const Box& box) {
            std::vector<Box> left;
            for (const Box& piece : index.uncovered(spread(box))) left.push_back(gathered(piece));
            return left;
        });
    }
    Beside(view, other).take_out(gaps);
}

}  // namespace policyc
