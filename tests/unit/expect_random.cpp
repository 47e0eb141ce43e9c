// [[test]] of random small policies, permission by permission and by diagrams, against an evaluator that tries every packet.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "compiler/proof/expectations.h"
#include "draft.h"
#include "policy/reach.h"

using namespace policyc;

namespace {

struct Packet {
    Address source;
    Address destination;
    std::uint32_t slot = 0;
};

bool holds(const Policy& policy, const Addresses& addresses, const Host& host, const Address& address) {
    for (const Range& range : reach::addresses_of_host(policy, addresses, host)) {
        if (range.holds(range_of(address))) return true;
    }
    return false;
}

bool port_holds(const Ports& ports, std::uint32_t slot) {
    switch (ports.protocol) {
        case Protocol::any: return true;
        case Protocol::tcp: return slot < 65536 && ports.lo <= slot && slot <= ports.hi;
        case Protocol::udp:
            return slot >= 65536 && slot < 131072 && ports.lo <= slot - 65536 && slot - 65536 <= ports.hi;
        case Protocol::ping: return slot == reach::Slots::ping;
    }
    return false;
}

// The definition, read off docs/language.md for one packet at a time.
class EveryPacket {
public:
    EveryPacket(const Draft& draft, const Expectation& test)
        : policy_(draft.policy), addresses_(draft.addresses), test_(test) {}

    [[nodiscard]] bool permitted(const Packet& packet) const {
        if (policy_.ipv6 == Ipv6::deny && packet.source.family == Family::ipv6) return false;
        for (std::size_t i = 0; i < policy_.tiers.size(); ++i) {
            const Tier& tier = policy_.tiers[i];
            if (!holds_on(tier.expires, today)) continue;
            const bool with = std::find(test_.with.begin(), test_.with.end(), i) != test_.with.end();
            if ((tier.grant || tier.bastion) && !with) continue;
            if (from(tier.who, packet.source) && to(tier.allow, packet)) return true;
        }
        for (const Node& node : policy_.nodes) {
            if (node.scope == Scope::none) continue;
            const bool here = std::any_of(node.addresses.begin(), node.addresses.end(),
                                          [&](const auto& address) { return address.value == packet.destination; });
            for (const Input& input : node.inputs) {
                if (!here || !from(input.from, packet.source)) continue;
                for (const Ports& ports : input.ports) {
                    if (port_holds(ports, packet.slot)) return true;
                }
            }
        }
        for (const Source& source : test_.from) {
            const auto* ref = std::get_if<NodeRef>(&source.host);
            if (ref == nullptr || !holds(policy_, addresses_, source.host, packet.source)) continue;
            if (policy_.nodes[ref->node].output && to(*policy_.nodes[ref->node].output, packet)) return true;
        }
        return false;
    }
    [[nodiscard]] bool from(const std::vector<Source>& list, const Address& source) const {
        return std::any_of(list.begin(), list.end(),
                           [&](const Source& s) { return holds(policy_, addresses_, s.host, source); });
    }
    [[nodiscard]] bool to(const std::vector<Target>& list, const Packet& packet) const {
        return std::any_of(list.begin(), list.end(), [&](const Target& t) {
            if (!holds_on(t.expires, today)) return false;
            return listed(t, packet);
        });
    }
    // In a list of the test an expired service is still what it names.
    [[nodiscard]] bool listed(const Target& t, const Packet& packet) const {
        return port_holds(t.ports, packet.slot) && holds(policy_, addresses_, t.host, packet.destination);
    }
    [[nodiscard]] bool listed(const std::vector<Target>& list, const Packet& packet) const {
        return std::any_of(list.begin(), list.end(), [&](const Target& t) { return listed(t, packet); });
    }

private:
    const Policy& policy_;
    const Addresses& addresses_;
    const Expectation& test_;
};

// Eight addresses of each family, at the ends of their spaces, and every port at which something can begin or end.
std::vector<Address> universe(bool six) {
    std::vector<Address> all;
    for (unsigned i = 0; i < 6; ++i) all.push_back({Family::ipv4, top(Family::ipv4) - i});
    for (unsigned i = 0; six && i < 6; ++i) all.push_back({Family::ipv6, top(Family::ipv6) - i});
    return all;
}
const std::vector<std::uint32_t> slots{0, 1, 2, 3, 4, 65535, 65536, 65537, 65538, 65539, 65540, 131071, 131072, 131073};

class Dice {
public:
    explicit Dice(unsigned seed) : random_(seed) {}
    unsigned operator()(unsigned sides) { return static_cast<unsigned>(random_() % sides); }

    Range range(bool six) {
        const Family family = six && (*this)(2) == 0 ? Family::ipv6 : Family::ipv4;
        const u128 base = top(family) - 5;
        unsigned lo = (*this)(6);
        unsigned hi = (*this)(2) == 0 ? lo : (*this)(6);
        if (lo > hi) std::swap(lo, hi);
        return {family, base + lo, base + hi};
    }
    Ports ports() {
        const auto protocol = (*this)(2) == 0 ? Protocol::tcp : Protocol::udp;
        switch ((*this)(6)) {
            case 0: return everything;
            case 1: return ping;
            case 2: return {protocol, 1, 65535};
            default: break;
        }
        const auto lo = static_cast<std::uint16_t>(1 + (*this)(3));
        const auto hi = static_cast<std::uint16_t>((*this)(2) == 0 ? lo : lo + (*this)(2));
        return {protocol, lo, hi};
    }

private:
    std::mt19937 random_;
};

Draft random_policy(Dice& dice) {
    Draft draft;
    const bool six = dice(2) == 0;
    if (six) draft.policy.ipv6 = dice(4) == 0 ? Ipv6::deny : Ipv6::dual;
    const auto some = [&](unsigned most) { return dice(most + 1); };
    for (const char* name : {"one", "two"}) {
        const std::size_t n = draft.node(name, {}, dice(2) == 0 ? Scope::none : Scope::tunnel);
        draft.policy.nodes[n].addresses.push_back({{Family::ipv4, top(Family::ipv4) - dice(6)}, draft.span()});
        if (six) draft.policy.nodes[n].addresses.push_back({{Family::ipv6, top(Family::ipv6) - dice(6)}, draft.span()});
    }
    draft.network("net", "10.0.0.0/8");
    draft.policy.networks[0].ranges = {{dice.range(six), {}}, {dice.range(six), {}}};
    draft.addresses["name"] = {{Family::ipv4, top(Family::ipv4) - dice(6)}};
    for (const char* name : {"fresh", "old"}) {
        const std::size_t s = draft.service(name, HostName{"name"}, dice.ports());
        if (dice(4) == 0) draft.policy.services[s].expires = {today - std::chrono::days{dice(2)}, {}};
    }
    const auto sources = [&](unsigned most) {
        std::vector<Source> list;
        for (unsigned i = some(most); i > 0; --i) {
            const unsigned kind = dice(4);
            if (kind < 2) {
                list.push_back(draft.source(kind));
            } else if (kind == 2) {
                list.push_back({NetworkRef{0}, "net", draft.span()});
            } else {
                list.push_back({dice.range(six), "10.0.0.0", draft.span()});
            }
        }
        return list;
    };
    const auto targets = [&](unsigned most) {
        std::vector<Target> list;
        for (unsigned i = some(most); i > 0; --i) {
            switch (dice(5)) {
                case 0: list.push_back(draft.target(std::size_t{dice(2)})); break;
                case 1: list.push_back(draft.target("one", NodeRef{dice(2)}, dice.ports())); break;
                case 2: list.push_back(draft.target("net", NetworkRef{0}, dice.ports())); break;
                default: list.push_back(draft.target("10.0.0.0", dice.range(six), dice.ports())); break;
            }
        }
        return list;
    };
    for (unsigned i = 1 + some(3); i > 0; --i) {
        Tier& tier = draft.tier("tier", sources(3), targets(4));
        if (dice(4) == 0) tier.grant = Grant{};
        if (dice(6) == 0) tier.bastion = Bastion{};
        if (dice(6) == 0) tier.expires = {today - std::chrono::days{dice(2)}, {}};
    }
    for (Node& node : draft.policy.nodes) {
        if (dice(2) == 0) node.inputs.push_back({"in", draft.span(), sources(2), {dice.ports()}, {}, false});
        if (dice(3) == 0) node.output = targets(2);
    }
    Expectation& test = draft.test(sources(2));
    if (dice(2) == 0) test.with = {dice(static_cast<unsigned>(draft.policy.tiers.size()))};
    switch (dice(6)) {
        case 0: test.allow = draft.list(targets(3)); break;
        case 1: test.deny = draft.list(targets(3)); break;
        case 2: test.only = draft.list(draft.policy.tiers[0].allow); break;  // likely to hold
        case 3: test.allow = draft.list(draft.policy.tiers[0].allow); break;
        case 4:
            test.only = draft.list(
                {draft.target("10.0.0.0", Range{Family::ipv4, top(Family::ipv4) - 5, top(Family::ipv4)}, everything)});
            break;
        default: test.only = draft.list(targets(3)); break;
    }
    return draft;
}

// The flow that a note shows: "for example  [laptop ]SOURCE -> DESTINATION...".
Packet shown(const std::string& note) {
    const std::size_t arrow = note.find(" -> ");
    REQUIRE(arrow != std::string::npos);
    Packet packet;
    const std::size_t space = note.rfind(' ', arrow - 1);
    packet.source = parse_address(note.substr(space + 1, arrow - space - 1)).value();
    std::string rest = note.substr(arrow + 4);
    rest.resize(std::min(rest.size(), rest.find("  ")));
    if (const std::size_t word = rest.find(' '); word != std::string::npos) {
        packet.slot = rest.substr(word) == " ping" ? reach::Slots::ping : reach::Slots::other;
        packet.destination = parse_address(rest.substr(0, word)).value();
        return packet;
    }
    const std::size_t colon = rest.rfind(':');
    std::string address = rest.substr(0, colon);
    if (address.front() == '[') address = address.substr(1, address.size() - 2);
    packet.destination = parse_address(address).value();
    packet.slot = static_cast<std::uint32_t>(std::stoul(rest.substr(colon + 1))) + (rest.ends_with("/udp") ? 65536 : 0);
    return packet;
}

}  // namespace

TEST_CASE(
    "random small policies: the same verdict as by trying every packet and by diagrams, and each example is one") {
    int failed = 0;
    int held = 0;
    for (unsigned seed = 0; seed < 4000; ++seed) {
        CAPTURE(seed);
        Dice dice(seed);
        const Draft draft = random_policy(dice);
        const Expectation& test = draft.policy.tests[0];
        const EveryPacket truth(draft, test);
        bool missing = false;
        bool open = false;
        bool extra = false;
        const auto wrong = [&](const Packet& packet) {
            const bool permitted = truth.permitted(packet);
            if (test.allow) return truth.listed(test.allow->targets, packet) && !permitted;
            if (test.deny) return truth.listed(test.deny->targets, packet) && permitted;
            return truth.listed(test.only->targets, packet) != permitted;
        };
        const bool six = draft.policy.ipv6 == Ipv6::dual;
        for (const Address& source : universe(six)) {
            if (!truth.from(test.from, source)) continue;
            for (const Address& destination : universe(six)) {
                if (source.family != destination.family) continue;
                for (std::uint32_t slot : slots) {
                    const Packet packet{source, destination, slot};
                    if (!wrong(packet)) continue;
                    const bool permitted = truth.permitted(packet);
                    (test.deny ? open : permitted ? extra : missing) = true;
                }
            }
        }
        const bool expected = missing || open || extra;
        const Diagnostics diagnostics = draft.judged();
        REQUIRE(diagnostics.has(Code::E0701) == expected);
        const proof::Proof by_diagrams = proof::prove_tests(draft.policy, draft.addresses, today);
        REQUIRE((by_diagrams.found != proof::Proof::Found::same) == expected);
        (expected ? failed : held) += 1;
        for (const Diagnostic& diagnostic : diagnostics.all()) {
            for (const Remark& remark : diagnostic.remarks) {
                if (remark.text.find(" -> ") == std::string::npos) continue;
                CAPTURE(remark.text);
                const Packet packet = shown(remark.text);
                REQUIRE(truth.from(test.from, packet.source));
                REQUIRE(wrong(packet));
            }
            if (diagnostic.code == Code::E0701 && test.only) {
                CHECK((diagnostic.primary.text == "expected exactly these") == extra);
            }
        }
    }
    // Both must be common, or the comparison says little.
    CHECK(failed > 1000);
    CHECK(held > 500);
}
