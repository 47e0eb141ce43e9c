// Asks the kernel about flows: ask_kernel().
#include "compiler/driver/live.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/dormant.h"
#include "compiler/look_up.h"
#include "compiler/program.h"

namespace policyc {

namespace {

ir::Hook kernel_hook(Direction direction) {
    switch (direction) {
        case Direction::forward: return ir::Hook::forward;
        case Direction::input: return ir::Hook::input;
        case Direction::output: return ir::Hook::output;
    }
    return {};
}

// An interface of that kind.
std::string interface_of(const Node& node, explain::Side side) {
    switch (side) {
        case explain::Side::tunnel: return node.interface ? node.interface->value : "";
        case explain::Side::untouched: return node.untouched.interfaces.front().value;
        case explain::Side::loopback: return "lo";
        case explain::Side::other: break;
    }
    // One that the policy doesn't name.
    std::string name = "other";
    const auto taken = [&] {
        return (node.interface && node.interface->value == name) ||
               std::ranges::any_of(node.untouched.interfaces, [&](const auto& one) { return one.value == name; });
    };
    while (taken()) name += "_";
    return name;
}

FirstPacket packet_of(const Node& node, const explain::Flow& flow, const std::optional<std::string>& in) {
    FirstPacket packet{kernel_hook(flow.passage.hook), "", "", flow.source, flow.destination, {}, 0};
    if (packet.hook != ir::Hook::output) packet.in = in ? *in : interface_of(node, flow.passage.in);
    if (packet.hook != ir::Hook::input) packet.out = interface_of(node, flow.passage.out);
    using reach::Slots;
    if (flow.slot < Slots::ping) {
        packet.protocol = flow.slot < Slots::udp ? ir::L4::tcp : ir::L4::udp;
        packet.port = static_cast<std::uint16_t>(flow.slot % Slots::udp);
    } else if (flow.slot == Slots::ping) {
        packet.protocol = flow.source.family == Family::ipv4 ? ir::L4::icmp : ir::L4::icmpv6;
        packet.port = program::echo_request(flow.source.family);
    }
    return packet;
}

}  // namespace

Result<LiveFlow> ask_kernel(const Policy& policy, std::size_t node, const explain::Flow& flow,
                            const std::optional<std::string>& in, const Snapshot& snapshot, Kernel& kernel) {
    static const ir::Ruleset none;
    const bool judges = snapshot.ruleset && !is_dormant(*snapshot.ruleset);
    const ir::Ruleset& table = judges ? *snapshot.ruleset : none;
    const FirstPacket packet = packet_of(policy.nodes[node], flow, in);
    Result<Followed> live =
        follow(table, packet, [&](const ir::Set& set, std::string_view key) { return kernel.look_up(set, key); });
    if (!live) return live.error();
    Result<Followed> dump =
        follow(table, packet, [&](const ir::Set& set, std::string_view key) -> Result<std::optional<Held>> {
            return look_up(table, set, key);
        });
    if (!dump) return dump.error();
    LiveFlow out{std::move(live.value()), std::move(dump.value()), {}};
    const auto counter = std::ranges::find(table.counters, out.kernel.counter, &ir::Counter::name);
    if (counter != table.counters.end()) out.counter = *counter;
    return out;
}

std::string key_text(const ir::Set& set, std::size_t element) {
    std::string text;
    for (std::size_t field = 0; field < set.types.size(); ++field) {
        if (field > 0) text += " . ";
        const ir::Type type = set.types[field];
        if (type == ir::Type::ifname) {
            text += set.elements.name(element);
            continue;
        }
        const ir::Elements::Bound bound = set.elements.bound(element, field);
        if (type == ir::Type::inet_service) {
            text += fmt::format("{}", static_cast<unsigned>(bound.lo));
            if (bound.lo != bound.hi) text += fmt::format("-{}", static_cast<unsigned>(bound.hi));
        } else {
            const Family family = type == ir::Type::ipv4_addr ? Family::ipv4 : Family::ipv6;
            text += to_string(Range{family, bound.lo, bound.hi});
        }
    }
    return text;
}

}  // namespace policyc
