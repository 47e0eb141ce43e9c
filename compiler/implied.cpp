// WireGuard's own ports, and what scope tunnel leaves alone, as boxes; entry point take_out_unlisted().
#include "compiler/implied.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "compiler/own_addresses.h"
#include "compiler/own_end.h"
#include "compiler/sides.h"

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

// In scope tunnel, what this host receives from its near side: by another interface it is not judged, and out of the tunnel it is refused whatever is listed.
std::vector<LabelledBox> from_near(const View& view) {
    std::vector<LabelledBox> boxes;
    if (view.policy->nodes[view.node].scope != Scope::tunnel) return boxes;
    AddressSet served = sides_of(*view.policy, view.node).near;
    for (const Range& own : own_addresses(view)) served.subtract(own);
    for (const Range& near : served.ranges())
        boxes.push_back({{Direction::input, near, {near.family, 0, top(near.family)}, {Protocol::any, 0, 0}}, {}});
    return boxes;
}

}  // namespace

void take_out_unlisted(const View& view, Gaps& gaps) {
    std::vector<LabelledBox> unlisted = for_wireguard(view);
    for (const LabelledBox& box : from_near(view)) unlisted.push_back(box);
    if (unlisted.empty()) return;
    std::ranges::sort(unlisted, {}, &LabelledBox::box);
    const BoxIndex index(unlisted);
    std::erase_if(gaps.boxes, [&](Gap& gap) {
        if (gap.box->direction == Direction::forward) return false;
        std::vector<Box> left;
        for (const Box& box : gap.missing())
            for (const Box& piece : index.uncovered(spread(box))) left.push_back(gathered(piece));
        std::ranges::sort(left);
        const bool none = left.empty();
        if (!std::ranges::equal(left, gap.missing())) gap.pieces = std::move(left);
        return none;
    });
}

}  // namespace policyc
