// mutants: damages what is emitted for a policy, one small thing at a time, and asks the proof of each. Entry point main().
//
//   mutants POLICY LOCK NODE DAY LAYOUT EVERY OFFSET    each EVERYth mutant, from one of the first EVERY on
//
// What a mutant does to packets is found out with packets: walk.h follows them through both Rulesets. A mutant is *telling* when one packet has another verdict; then the proof
// must refuse it. On stdout a line of JSON: counts, and what was missed. Exit status 1 where the proof refuses what was not damaged.
#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "backends/netlink/batch.h"
#include "backends/netlink/unpack.h"
#include "compiler/lower.h"
#include "compiler/plan.h"
#include "compiler/proof/prove.h"
#include "damage.h"
#include "example.h"
#include "loaded.h"
#include "probes.h"

using namespace policyc;
using namespace policyc::walk;
using Found = proof::Proof::Found;

namespace {

constexpr std::size_t general_flows = 10;

// As the kernel would hold it; nothing where it can't be written, or would be refused as nonsense.
std::optional<ir::Ruleset> emitted(const ir::Ruleset& ruleset) {
    const netlink::Batch batch = netlink::encode(plan(nullptr, ruleset), std::nullopt);
    if (batch.unknown) return std::nullopt;
    const auto back = netlink::unpack(nullptr, batch.bytes);
    return back ? back.value() : std::nullopt;
}

class Judge {
public:
    Judge(const ir::Ruleset& whole, const Node& node, std::uint64_t seed)
        : whole_(whole), interfaces_(interfaces(node)), walker_(whole), probes_(whole, interfaces(node), seed) {
        rates(whole);
        std::set<Flow> flows;
        for (const ir::Set& set : whole.sets) {
            for (const std::vector<ir::Field>& fields : read_by(whole, set.name))
                for (std::size_t i = 0; i < set.elements.size(); i += 1 + set.elements.size() / 4)
                    probes_.near(key_of(set.elements, i), set.types, fields, flows);
        }
        about_ = {flows.begin(), flows.end()};
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            const bool four = family == Family::ipv4;
            about_.push_back({.family = family, .protocol = four ? 1U : 58U, .port = (four ? 8U : 128U) * 256});
        }
        std::vector<Flow> all(flows.begin(), flows.end());
        std::ranges::shuffle(all, std::mt19937_64(seed));
        all.resize(std::min(all.size(), general_flows));
        flows_ = std::move(all);
        for (int i = 0; i < 4; ++i) flows_.push_back(probes_.any());
    }

    // Whether some packet has another verdict; `what` says which.
    bool telling(const Mutant& mutant, const ir::Ruleset& changed, const proof::Proof& proof) {
        Walker other(changed);
        std::set<Flow> first;
        for (const std::optional<Key>& key : {mutant.before, mutant.after})
            for (const std::vector<ir::Field>& fields : read_by(whole_, mutant.set))
                if (key)
                    probes_.near(*key, std::ranges::find(whole_.sets, mutant.set, &ir::Set::name)->types, fields,
                                 first);
        // Where the proof points to: whether a packet shows it is for the packets to say.
        if (proof.counterexample && shows(*proof.counterexample, changed, other)) return true;
        if (const auto& example = proof.counterexample) {
            const auto at = [&](proof::Field field) { return example->point[proof::place(field)]; };
            Flow flow{example->family, at(proof::Field::source), at(proof::Field::destination),
                      static_cast<unsigned>(at(proof::Field::protocol)), static_cast<unsigned>(at(proof::Field::port))};
            // One that has no ports stands for those that have.
            for (const unsigned protocol : {flow.protocol, 6U, 17U})
                for (int i = 0; i < 4; ++i) {
                    flow.protocol = protocol;
                    if (differs(flow, other)) return true;
                }
        }
        for (const Flow& flow : first)
            if (differs(flow, other)) return true;
        return std::ranges::any_of(flows_, [&](const Flow& flow) { return differs(flow, other); });
    }

    std::size_t packets = 0;

private:
    static std::vector<std::string> interfaces(const Node& node) {
        std::vector<std::string> all{node.interface->value, "lo"};
        for (const auto& name : node.untouched.interfaces)
            if (name.value != "lo") all.push_back(name.value);
        return all;
    }

    void rates(const ir::Ruleset& ruleset) {
        for (const ir::Chain& chain : ruleset.chains)
            for (const ir::Rule& rule : chain.rules)
                for (const ir::Statement& statement : rule.statements)
                    if (const auto* update = std::get_if<ir::UpdateRate>(&statement)) rates_.insert(update->rate);
    }

    static std::vector<std::vector<ir::Field>> read_by(const ir::Ruleset& ruleset, const std::string& set) {
        std::set<std::vector<ir::Field>> all;
        for (const ir::Chain& chain : ruleset.chains)
            for (const ir::Rule& rule : chain.rules)
                for (const ir::Statement& statement : rule.statements) {
                    const auto* lookup = std::get_if<ir::Lookup>(&statement);
                    const auto* map = std::get_if<ir::LookupVerdict>(&statement);
                    if (lookup != nullptr && lookup->set == set) all.insert(lookup->fields);
                    if (map != nullptr && map->map == set) all.insert(map->fields);
                }
        std::erase_if(all, [](const auto& fields) {
            return fields.front() == ir::Field::iifname || fields.front() == ir::Field::oifname;
        });
        return {all.begin(), all.end()};
    }

    bool differs(const Flow& flow, Walker& other) {
        bool found = false;
        probes_.packets(flow, [&](const Packet& packet) {
            if (found) return;
            found = differs(packet, other);
        });
        return found || postrouting(flow, other);
    }

    bool shows(const proof::Proof::Counterexample& found, const ir::Ruleset& changed, Walker& other) {
        std::vector<unsigned> ports = ports_of({&whole_, &changed});
        std::vector<unsigned> clients = ports;
        const auto at = [&](proof::Field field) { return found.point[proof::place(field)]; };
        const auto protocol = static_cast<unsigned>(at(proof::Field::protocol));
        const bool output = at(proof::Field::hook) == static_cast<u128>(proof::Hook::output);
        const bool tunnel = at(output ? proof::Field::out : proof::Field::in) == static_cast<u128>(proof::Side::tunnel);
        if (protocol == 6 || tunnel)
            std::erase_if(clients, [&](unsigned port) { return probes_.served(protocol, port); });
        const Example example(found, interfaces_, std::move(ports), std::move(clients), about_);
        bool shown = false;
        example.packets([&](Packet packet) {
            if (shown) return;
            shown = differs(packet, other);
            if (packet.hook != ir::Hook::forward) return;
            packet.hook = ir::Hook::postrouting;
            shown = shown || differs(packet, other);
        });
        return shown;
    }

    // Of either: at and beside what a port is compared with, and a few others.
    static std::vector<unsigned> ports_of(std::initializer_list<const ir::Ruleset*> rulesets) {
        std::set<unsigned> ports{0, 511, 512, 1023, 1024, 40000, 65535};
        const auto add = [&](u128 port) {
            for (const u128 one : {port - 1, port, port + 1})
                if (one <= 65535) ports.insert(static_cast<unsigned>(one));
        };
        for (const ir::Ruleset* ruleset : rulesets) {
            for (const ir::Set& set : ruleset->sets)
                for (std::size_t f = 0; f < set.types.size(); ++f)
                    for (std::size_t i = 0; set.types[f] == ir::Type::inet_service && i < set.elements.size(); ++i) {
                        add(set.elements.bound(i, f).lo);
                        add(set.elements.bound(i, f).hi);
                    }
            for (const ir::Chain& chain : ruleset->chains)
                for (const ir::Rule& rule : chain.rules)
                    for (const ir::Statement& statement : rule.statements)
                        if (const auto* match = std::get_if<ir::MatchPort>(&statement)) add(match->value);
        }
        return {ports.begin(), ports.end()};
    }

    bool differs(const Packet& packet, Walker& other) {
        const auto with = [&](const Buckets& buckets) {
            ++packets;
            return walker_.judge(packet, buckets) != other.judge(packet, buckets);
        };
        if (with({})) return true;
        // What is under way, and sends another SYN, may or may not take from a bucket.
        if (rates_.empty() || (packet.assured && packet.syn)) return false;
        return with({.all_used_up = true}) ||
               std::ranges::any_of(rates_, [&](const Rate& rate) { return with({.used_up = rate}); });
    }

    // Where masquerade is done.
    bool postrouting(const Flow& flow, Walker& other) {
        bool found = false;
        probes_.packets(flow, [&](Packet packet) {
            if (found || packet.hook != ir::Hook::forward || packet.state != 'n') return;
            packet.hook = ir::Hook::postrouting;
            found = walker_.judge(packet, {}) != other.judge(packet, {});
        });
        return found;
    }

    const ir::Ruleset& whole_;
    std::vector<std::string> interfaces_;  // the tunnel, loopback, what is never judged
    Walker walker_;
    Probes probes_;
    std::set<Rate> rates_;
    std::vector<Flow> flows_;
    std::vector<Flow> about_;  // what ICMP messages may be about
};

}  // namespace

int main(int count, char** words) {
    if (count != 8) {
        std::cerr << "mutants POLICY LOCK NODE DAY LAYOUT EVERY OFFSET\n";
        return 2;
    }
    LoadedPolicy loaded;
    if (const std::string trouble = loaded.load(words[1], words[2], words[3]); !trouble.empty()) {
        std::cerr << trouble << "\n";
        return 2;
    }
    const Days day{std::chrono::days{std::stoi(words[4])}};
    const auto layout = parse_layout(words[5]);
    const Node& node = loaded.policy.nodes[loaded.node];
    const auto proof_of = [&](const ir::Ruleset& ruleset) {
        return proof::prove(loaded.policy, loaded.addresses, loaded.node, day, ruleset);
    };
    const auto whole = emitted(lower(loaded.policy, loaded.addresses, loaded.node, day, layout.value()));
    nlohmann::ordered_json record{{"telling", 0},
                                  {"found", 0},
                                  {"silent", 0},
                                  {"accepted", 0},
                                  {"not_understood", 0},
                                  {"hooks", 0},
                                  {"hooks_found", 0},
                                  {"packets", 0},
                                  {"missed", nlohmann::json::array()},
                                  {"strict", nlohmann::json::array()}};
    if (!whole) {
        std::cout << record.dump() << "\n";
        return node.scope == Scope::none ? 0 : 1;
    }
    if (const proof::Proof proof = proof_of(*whole); proof.found != Found::same) {
        std::cerr << "what is not damaged is refused: " << proof.error.message << "\n";
        return 1;
    }
    const auto add = [&](const char* what) { record[what] = record[what].get<std::size_t>() + 1; };
    Judge judge(*whole, node, 1);
    const auto visit = [&](Mutant&& mutant) {
        const auto changed = emitted(mutant.ruleset);
        const proof::Proof proof = changed ? proof_of(*changed) : proof::Proof{.found = Found::not_understood};
        const bool refused = proof.found != Found::same;
        if (mutant.frame) {
            add("hooks");
            if (refused) add("hooks_found");
            if (!refused) record["missed"].push_back(mutant.what);
            return;
        }
        if (proof.found == Found::not_understood) return add("not_understood");
        const bool telling = judge.telling(mutant, *changed, proof);
        add(telling ? "telling" : "silent");
        if (telling && refused) add("found");
        if (!telling && !refused) add("accepted");
        if (telling && !refused) record["missed"].push_back(mutant.what);
        if (!telling && refused) record["strict"].push_back(mutant.what + ": " + proof.error.message);
    };
    Damage(*whole, std::stoul(words[6]), std::stoul(words[7]), visit).run();
    record["packets"] = judge.packets;
    std::cout << record.dump() << "\n";
    return 0;
}
