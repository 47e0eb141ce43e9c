// Asks compiler/proof, and says what it found: prove_compiled(), check_listed().
#include "compiler/driver/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/driver/pipeline.h"
#include "compiler/implied.h"
#include "compiler/own_end.h"
#include "compiler/proof/expectations.h"
#include "compiler/proof/prove.h"
#include "compiler/sides.h"
#include "compiler/timing.h"

namespace policyc {

namespace {

constexpr const char* please_report = "nothing was sent; please report this, with the policy";

std::vector<proof::Interval> intervals(const std::vector<PortRange>& ports) {
    std::vector<proof::Interval> all;
    for (const auto& [first, last] : ports) all.push_back({first, last});
    return all;
}

proof::Servers servers(const ServerPorts& live) {
    return {intervals(live.tcp), intervals(live.udp)};
}

proof::Listed listed(const Box& box, std::span<const Range> people) {
    const Family family = box.direction == Direction::input ? box.source.family : box.destination.family;
    proof::Listed flows{.family = family, .box = proof::any_flow(family), .sources = people};
    const auto narrow = [&flows](proof::Field field, proof::Interval to) { flows.box[proof::place(field)] = to; };
    // A line names who and what, and that holds at every hook. Where it names this host, it is about what this host takes or sends.
    if (box.direction != Direction::forward) narrow(proof::Field::hook, proof::just(proof_hook(box.direction)));
    const bool some = of_some_addresses(box);
    if (box.direction != Direction::input || some)
        narrow(proof::Field::destination, {box.destination.lo, box.destination.hi});
    if ((box.direction != Direction::output || some) && people.empty())
        narrow(proof::Field::source, {box.source.lo, box.source.hi});
    proof::narrow(flows.box, family, box.ports);
    return flows;
}

// What is neither TCP nor UDP with a port, nor ping.
void add_others(const proof::Listed& all, std::vector<proof::Listed>& flows) {
    using proof::Field;
    const u128 icmp = proof::icmp_of(all.family);
    const u128 echo = proof::echo_request_of(all.family);
    const auto add = [&](proof::Interval protocol, std::optional<proof::Interval> port) {
        proof::Listed one = all;
        one.box[proof::place(Field::protocol)] = protocol;
        if (port) one.box[proof::place(Field::port)] = *port;
        flows.push_back(one);
    };
    u128 next = 0;
    for (const u128 known : std::set<u128>{icmp, proof::tcp_number, proof::udp_number}) {
        if (next < known) add({next, known - 1}, {});
        next = known + 1;
    }
    add({next, all.box[proof::place(Field::protocol)].hi}, {});
    add(proof::just(icmp), proof::Interval{0, echo - 1});
    add(proof::just(icmp), proof::Interval{echo + 1, all.box[proof::place(Field::port)].hi});
}

void add_listed(std::span<const Box> boxes, std::span<const Range> people, std::vector<proof::Listed>& flows) {
    for (const Box& box : boxes) {
        const proof::Listed one = listed(box, people);
        if (box.others)
            add_others(one, flows);
        else
            flows.push_back(one);
    }
}

// What is no packet: one to an address of this host that it doesn't receive, and one from there that it doesn't send. Loopback is not judged.
void add_own(const Node& node, std::vector<proof::Listed>& flows) {
    using proof::Field;
    const auto add = [&](const Address& address, Field own, proof::Hook here) {
        for (const proof::Hook hook : {proof::Hook::forward, proof::Hook::input, proof::Hook::output}) {
            if (hook == here) continue;
            proof::Listed one{.family = address.family, .box = proof::any_flow(address.family), .sources = {}};
            one.box[proof::place(Field::hook)] = proof::just(hook);
            one.box[proof::place(own)] = proof::just(address.bits);
            flows.push_back(one);
        }
    };
    for (const auto& address : node.addresses) {
        add(address.value, Field::destination, proof::Hook::input);
        add(address.value, Field::source, proof::Hook::output);
    }
}

// Nor is one into the tunnel between two places of this side, or from this host to one.
void add_beside(const Beside& beside, std::vector<proof::Listed>& flows) {
    using proof::Field;
    const auto into_tunnel = [](const Range& range) {
        proof::Listed one{.family = range.family, .box = proof::any_flow(range.family), .sources = {}};
        one.box[proof::place(Field::out)] = proof::just(proof::Side::tunnel);
        one.box[proof::place(Field::destination)] = {range.lo, range.hi};
        return one;
    };
    for (const Range& range : beside.apart().ranges()) {
        flows.push_back(into_tunnel(range));
        flows.back().sources = beside.apart().ranges();
    }
    for (const Range& range : beside.around().ranges()) {
        flows.push_back(into_tunnel(range));
        flows.back().box[proof::place(Field::hook)] = proof::just(proof::Hook::output);
    }
}

// Nor is it news that WireGuard's own packets, which are implied from anywhere, are refused as spoofed from who is behind the tunnel: from those who are so only under that policy.
void add_spoofed_outside(const View& view, const View* other, std::vector<proof::Listed>& flows) {
    const Node& node = view.policy->nodes[view.node];
    const std::optional<std::uint16_t> port = wireguard_port(node);
    if (node.scope != Scope::host || !port) return;
    AddressSet behind = sides_of(*view.policy, view.node).far;
    if (other != nullptr) {
        const Sides others = sides_of(*other->policy, other->node);
        for (const Range& range : others.far.ranges()) behind.subtract(range);
    }
    for (const Range& range : behind.ranges()) {
        const Box box{Direction::input, range, {range.family, 0, 0}, {Protocol::udp, *port, *port}};
        flows.push_back(listed(box, {}));
    }
}

}  // namespace

proof::Hook proof_hook(Direction direction) {
    switch (direction) {
        case Direction::forward: return proof::Hook::forward;
        case Direction::input: return proof::Hook::input;
        case Direction::output: return proof::Hook::output;
    }
    return {};
}

proof::Proof find_proof(const Policy& policy, const Addresses& addresses, std::size_t node, const ir::Ruleset& ruleset,
                        const ServerPorts& live, const World& world) {
    return proof::prove(policy, addresses, node, today(world), ruleset, servers(live));
}

Result<void> prove_compiled(const Policy& policy, const Addresses& addresses, std::size_t node,
                            const ir::Ruleset& ruleset, const ServerPorts& live, const World& world) {
    using Found = proof::Proof::Found;
    const proof::Proof proof =
        timed("prove", [&] { return find_proof(policy, addresses, node, ruleset, live, world); });
    switch (proof.found) {
        case Found::same: return {};
        case Found::differs: return Error{"internal error: " + proof.error.message, please_report, proof.error.span};
        case Found::not_understood:
            return Error{
                "internal error: what would be sent can't be proved: " + proof.error.message, please_report, {}};
        case Found::too_large: return proof.error;
    }
    return {};
}

Result<void> prove_expected(const Policy& policy, const Addresses& addresses, const World& world) {
    using Found = proof::Proof::Found;
    const proof::Proof proof =
        timed("prove_tests", [&] { return proof::prove_tests(policy, addresses, today(world)); });
    switch (proof.found) {
        case Found::same: return {};
        case Found::differs:
        case Found::not_understood:
            return Error{"internal error: " + proof.error.message, please_report, proof.error.span};
        case Found::too_large:
            return Error{"this test is too entangled to be proved: " + proof.error.message, {}, proof.error.span};
    }
    return {};
}

proof::Effect effect_of(const ir::Ruleset& table, const View& view) {
    return timed("effect", [&] {
        return proof::effect(*view.policy, *view.addresses, view.node, view.today, table,
                             servers(server_ports_of(table)));
    });
}

void check_listed(const ir::Ruleset& table, const View& now, const View* last, const ServerPorts& live,
                  const World& world, Difference& differs, proof::Limits limits) {
    std::vector<proof::Listed> gains;
    std::vector<proof::Listed> losses;
    for (const Change& change : differs.changes) {
        if (change.kind == Change::Kind::loss)
            add_listed(change.boxes, change.people, losses);
        else
            add_listed(change.boxes, change.people, gains);
        add_listed(change.left, {}, losses);
    }
    for (std::vector<proof::Listed>* flows : {&gains, &losses}) add_own(now.policy->nodes[now.node], *flows);
    const Beside then = last != nullptr ? Beside(*last, &now) : Beside();
    const Beside from_now_on(now, last);
    add_beside(then, gains);
    add_beside(from_now_on, losses);
    if (last != nullptr) add_spoofed_outside(*last, &now, gains);
    add_spoofed_outside(now, last, losses);
    // Both know of ports that the other may not: what begins from one of them is no matter of permissions.
    ServerPorts ports = server_ports_of(table);
    ports.tcp.insert(ports.tcp.end(), live.tcp.begin(), live.tcp.end());
    ports.udp.insert(ports.udp.end(), live.udp.begin(), live.udp.end());
    const proof::Unlisted found = proof::unlisted(*now.policy, *now.addresses, now.node, today(world), table,
                                                  servers(ports), gains, losses, limits);
    if (found.found == proof::Proof::Found::too_large)
        differs.remarks.push_back(
            {"may open and close more than is listed, since what both allow is too entangled to be compared: " +
                 found.error.message,
             true, true});
    // What is marked says in words what it is about, which may be any packet.
    if (!found.opens.empty() && !differs.opens())
        differs.remarks.push_back({"opens, and nothing above says so: " + found.opens, true, false});
    if (!found.closes.empty() && !differs.closes())
        differs.remarks.push_back({"closes, and nothing above says so: " + found.closes, false, true});
}

}  // namespace policyc
