// What a Ruleset does with one packet, rule by rule: a small and plain nf_tables that knows neither the names of sets nor what they are for.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

struct TestPacket {
    Address source, destination;
    ir::L4 l4{};
    std::uint16_t port = 0;  // that it goes to; of ICMP, type * 256 + code
    bool reply = false;      // in the reply direction of its flow, as conntrack sees it
    std::uint16_t from_port = 40000;
    bool confirmed = false;  // its flow was let through before
    bool assured = false;    // and answered
    bool syn = true;         // of TCP: it begins a connection
    std::string way_in = "wg0", way_out = "lan0";
};

// Follows the packet from a chain on. What it passes is remembered.
class Judged {
public:
    enum class Verdict : std::uint8_t { none, accept, drop };

    explicit Judged(const ir::Ruleset& ruleset, bool room = true) : ruleset_(ruleset), room_(room) {}

    // The verdict of a chain (none: it returns, or its policy decides).
    Verdict judge(const std::string& chain, const TestPacket& packet) {
        logs = buckets = counted = lookups = 0;
        packet_ = packet;
        return run(chain, 0);
    }

    int logs = 0, buckets = 0, counted = 0, lookups = 0;

private:
    // The numbers of a key, as the fields say.
    std::optional<std::vector<u128>> key_of(const std::vector<ir::Field>& fields) const {
        std::vector<u128> key;
        for (const ir::Field field : fields) {
            const bool v4 = packet_.source.family == Family::ipv4;
            const Address& from = packet_.source;
            const Address& to = packet_.destination;
            using enum ir::Field;
            switch (field) {
                case ip_saddr:
                case ip6_saddr:
                    if (v4 != (field == ip_saddr)) return std::nullopt;
                    key.push_back(from.bits);
                    break;
                case ip_daddr:
                case ip6_daddr:
                    if (v4 != (field == ip_daddr)) return std::nullopt;
                    key.push_back(to.bits);
                    break;
                case ct_saddr4:
                case ct_saddr6:
                    if (v4 != (field == ct_saddr4)) return std::nullopt;
                    key.push_back(packet_.reply ? to.bits : from.bits);
                    break;
                case ct_daddr4:
                case ct_daddr6:
                    if (v4 != (field == ct_daddr4)) return std::nullopt;
                    key.push_back(packet_.reply ? from.bits : to.bits);
                    break;
                case ct_proto_dst: {
                    const bool ports = packet_.l4 == ir::L4::tcp || packet_.l4 == ir::L4::udp;
                    key.push_back(packet_.reply && ports ? packet_.from_port : packet_.port);
                    break;
                }
                case tcp_dport:
                case udp_dport:
                    if (packet_.l4 != (field == tcp_dport ? ir::L4::tcp : ir::L4::udp)) return std::nullopt;
                    key.push_back(packet_.port);
                    break;
                case tcp_sport:
                case udp_sport:
                    if (packet_.l4 != (field == tcp_sport ? ir::L4::tcp : ir::L4::udp)) return std::nullopt;
                    key.push_back(packet_.from_port);
                    break;
                case iifname:
                case oifname: return std::nullopt;
            }
        }
        return key;
    }

    // The element that the packet is in: its set and index.
    std::optional<std::pair<const ir::Set*, std::size_t>> find(const std::vector<ir::Field>& fields,
                                                               const std::string& name) {
        ++lookups;
        const auto key = key_of(fields);
        const auto set = std::ranges::find(ruleset_.sets, name, &ir::Set::name);
        REQUIRE_MESSAGE(set != ruleset_.sets.end(), name);
        REQUIRE(set->types.size() == fields.size());
        if (!key) return std::nullopt;
        for (std::size_t i = 0; i < set->elements.size(); ++i) {
            bool in = true;
            for (std::size_t field = 0; field < key->size(); ++field) {
                const auto bound = set->elements.bound(i, field);
                in = in && bound.lo <= (*key)[field] && (*key)[field] <= bound.hi;
            }
            if (in) return std::pair(&*set, i);
        }
        return std::nullopt;
    }

    Verdict run(const std::string& name, int depth) {
        REQUIRE(depth < 16);  // NFT_JUMP_STACK_SIZE
        const auto chain = std::ranges::find(ruleset_.chains, name, &ir::Chain::name);
        REQUIRE_MESSAGE(chain != ruleset_.chains.end(), name);
        for (const ir::Rule& rule : chain->rules) {
            for (const ir::Statement& statement : rule.statements) {
                bool stop = false;
                const Verdict verdict = step(statement, depth, stop);
                if (verdict != Verdict::none) return verdict;
                if (!stop &&
                    (std::holds_alternative<ir::Goto>(statement) || std::holds_alternative<ir::Return>(statement)))
                    return Verdict::none;
                if (stop) break;
            }
        }
        return Verdict::none;
    }

    // `stop`: the rule ends here.
    Verdict step(const ir::Statement& statement, int depth, bool& stop) {
        if (const auto* s = std::get_if<ir::MatchL4>(&statement)) {
            stop = s->protocol != packet_.l4;
        } else if (const auto* port = std::get_if<ir::MatchPort>(&statement)) {
            const auto key = key_of({port->field});
            stop = !key || key->front() != port->value;
        } else if (const auto* lookup = std::get_if<ir::Lookup>(&statement)) {
            // A packet without such fields matches neither the set nor what is not in it.
            stop = !key_of(lookup->fields) || find(lookup->fields, lookup->set).has_value() == lookup->negate;
        } else if (const auto* map = std::get_if<ir::LookupVerdict>(&statement)) {
            const auto found = find(map->fields, map->map);
            stop = !found;
            if (found) {
                const ir::ToChain& to = found->first->verdicts.at(found->first->elements.value(found->second));
                CHECK_FALSE(to.go);
                return run(to.chain, depth + 1);
            }
        } else if (const auto* count = std::get_if<ir::CountByMap>(&statement)) {
            const auto found = find(count->fields, count->map);
            if (found) ++counted;
            stop = !found;
        } else if (std::holds_alternative<ir::UpdateRate>(statement)) {
            ++buckets;
            stop = !room_;
        } else if (std::holds_alternative<ir::LogPacket>(statement)) {
            ++logs;
        } else if (std::holds_alternative<ir::MatchConfirmed>(statement)) {
            stop = !packet_.confirmed;
        } else if (std::holds_alternative<ir::MatchAssured>(statement)) {
            stop = !packet_.assured;
        } else if (const auto* name = std::get_if<ir::MatchName>(&statement)) {
            const std::string& seen = name->field == ir::Field::iifname ? packet_.way_in : packet_.way_out;
            stop = (seen == name->value) == name->negate;
        } else if (const auto* family = std::get_if<ir::MatchFamily>(&statement)) {
            stop = family->family != packet_.source.family;
        } else if (const auto* state = std::get_if<ir::MatchState>(&statement)) {
            stop = !(state->established && packet_.confirmed);
        } else if (std::holds_alternative<ir::MatchDnat>(statement) ||
                   std::holds_alternative<ir::MatchIcmp>(statement)) {
            stop = true;  // it is part of a flow, no error about one, and goes where it was sent
        } else if (const auto* direction = std::get_if<ir::MatchReply>(&statement)) {
            stop = direction->reply != packet_.reply;
        } else if (const auto* syn = std::get_if<ir::MatchSyn>(&statement)) {
            stop = packet_.l4 != ir::L4::tcp || syn->negate == packet_.syn;
        } else if (const auto* jump = std::get_if<ir::Jump>(&statement)) {
            return run(jump->chain, depth + 1);
        } else if (const auto* go = std::get_if<ir::Goto>(&statement)) {
            return run(go->chain, depth);
        } else if (std::holds_alternative<ir::Accept>(statement)) {
            return Verdict::accept;
        } else if (std::holds_alternative<ir::Drop>(statement)) {
            return Verdict::drop;
        } else if (!std::holds_alternative<ir::Limit>(statement) && !std::holds_alternative<ir::Count>(statement) &&
                   !std::holds_alternative<ir::ClampMss>(statement) && !std::holds_alternative<ir::Return>(statement)) {
            FAIL("a statement that this does not know");
        }
        return Verdict::none;
    }

    const ir::Ruleset& ruleset_;
    bool room_;
    TestPacket packet_;
};

}  // namespace policyc
