// What a Ruleset does with one packet, rule by rule and element by element: a plain nf_tables that knows nothing of policies, of names of sets, or of diagrams.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "compiler/ir.h"

namespace policyc::walk {

struct Packet {
    ir::Hook hook = ir::Hook::forward;
    Family family = Family::ipv4;
    std::string in, out;  // "" where there is none
    u128 source = 0, destination = 0;
    unsigned protocol = 0;
    unsigned from_port = 0, port = 0;  // of TCP and UDP
    unsigned icmp_type = 256;          // of the family's own ICMP
    bool syn = false;
    unsigned hop_limit = 64;
    // Of connection tracking. i: invalid, u: untracked; of neither is more known. n: new, e: established, r: related.
    char state = 'n';
    bool reply = false, confirmed = false, assured = false, dnat = false;
    u128 ct_source = 0, ct_destination = 0;
    unsigned ct_port = 0;

    [[nodiscard]] bool tracked() const { return state != 'i' && state != 'u'; }
};

// Which buckets are full up: none, all, or those of one rate.
struct Buckets {
    bool all_used_up = false;
    std::optional<Rate> used_up;

    [[nodiscard]] bool room(const Rate& rate) const { return !all_used_up && used_up != rate; }
};

enum class Verdict : std::uint8_t { none, accept, drop, masquerade };

class Walker {
public:
    explicit Walker(const ir::Ruleset& ruleset) {
        for (const ir::Set& set : ruleset.sets) sets_[set.name] = &set;
        for (const ir::Chain& chain : ruleset.chains) {
            chains_[chain.name] = &chain;
            if (chain.base) bases_.push_back(&chain);
        }
    }

    // Of all base chains of the packet's hook, in their order.
    Verdict judge(const Packet& packet, const Buckets& buckets) {
        packet_ = &packet;
        buckets_ = &buckets;
        for (const ir::Chain* base : bases_) {
            if (base->base->hook != packet.hook) continue;
            Verdict verdict = run(*base, 0);
            if (verdict == Verdict::none) verdict = base->base->policy_drop ? Verdict::drop : Verdict::accept;
            if (verdict != Verdict::accept) return verdict;
        }
        return Verdict::accept;
    }

private:
    std::optional<u128> value(ir::Field field) const {
        const Packet& p = *packet_;
        const bool four = p.family == Family::ipv4;
        const auto when = [](bool has, u128 value) { return has ? std::optional(value) : std::nullopt; };
        using enum ir::Field;
        switch (field) {
            case ip_saddr: return when(four, p.source);
            case ip_daddr: return when(four, p.destination);
            case ip6_saddr: return when(!four, p.source);
            case ip6_daddr: return when(!four, p.destination);
            case ct_saddr4: return when(four && p.tracked(), p.ct_source);
            case ct_daddr4: return when(four && p.tracked(), p.ct_destination);
            case ct_saddr6: return when(!four && p.tracked(), p.ct_source);
            case ct_daddr6: return when(!four && p.tracked(), p.ct_destination);
            case ct_proto_dst: return when(p.tracked(), p.ct_port);
            case tcp_dport: return when(p.protocol == 6, p.port);
            case udp_dport: return when(p.protocol == 17, p.port);
            case tcp_sport: return when(p.protocol == 6, p.from_port);
            case udp_sport: return when(p.protocol == 17, p.from_port);
            case iifname:
            case oifname: break;
        }
        return std::nullopt;
    }

    const std::string& name(ir::Field field) const { return field == ir::Field::iifname ? packet_->in : packet_->out; }

    // Whether the packet has the fields, and the element that it is in.
    std::pair<bool, std::optional<std::size_t>> find(const ir::Set& set, const std::vector<ir::Field>& fields) const {
        if (set.types.front() == ir::Type::ifname) {
            for (std::size_t i = 0; i < set.elements.size(); ++i)
                if (set.elements.name(i) == name(fields.front())) return {true, i};
            return {true, std::nullopt};
        }
        std::vector<u128> key;
        for (const ir::Field field : fields) {
            const auto one = value(field);
            if (!one) return {false, std::nullopt};
            key.push_back(*one);
        }
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            bool in = true;
            for (std::size_t f = 0; in && f < key.size(); ++f) {
                const auto bound = set.elements.bound(i, f);
                in = bound.lo <= key[f] && key[f] <= bound.hi;
            }
            if (in) return {true, i};
        }
        return {true, std::nullopt};
    }

    Verdict run(const ir::Chain& chain, int depth) {
        if (depth > 40) throw std::runtime_error("a loop of chains");
        for (const ir::Rule& rule : chain.rules) {
            for (const ir::Statement& statement : rule.statements) {
                if (const auto* jump = std::get_if<ir::Jump>(&statement)) {
                    const Verdict verdict = run(*chains_.at(jump->chain), depth + 1);
                    if (verdict != Verdict::none) return verdict;
                    break;
                }
                if (const auto* go = std::get_if<ir::Goto>(&statement)) return run(*chains_.at(go->chain), depth + 1);
                if (const auto* map = std::get_if<ir::LookupVerdict>(&statement)) {
                    const ir::Set& set = *sets_.at(map->map);
                    const auto found = find(set, map->fields).second;
                    if (!found) break;
                    const ir::ToChain& to = set.verdicts.at(set.elements.value(*found));
                    const Verdict verdict = run(*chains_.at(to.chain), depth + 1);
                    if (verdict != Verdict::none || to.go) return verdict;
                    break;
                }
                if (std::holds_alternative<ir::Return>(statement)) return Verdict::none;
                if (std::holds_alternative<ir::Accept>(statement)) return Verdict::accept;
                if (std::holds_alternative<ir::Drop>(statement) || std::holds_alternative<ir::Reject>(statement))
                    return Verdict::drop;
                if (std::holds_alternative<ir::Masquerade>(statement)) return Verdict::masquerade;
                if (!matches(statement)) break;
            }
        }
        return Verdict::none;
    }

    [[nodiscard]] bool matches(const ir::Statement& statement) const {
        const Packet& p = *packet_;
        const bool four = p.family == Family::ipv4;
        if (const auto* s = std::get_if<ir::Lookup>(&statement)) {
            const auto [has, found] = find(*sets_.at(s->set), s->fields);
            return has && found.has_value() != s->negate;
        }
        if (const auto* s = std::get_if<ir::CountByMap>(&statement))
            return find(*sets_.at(s->map), s->fields).second.has_value();
        if (const auto* s = std::get_if<ir::MatchPort>(&statement)) return value(s->field) == s->value;
        if (const auto* s = std::get_if<ir::MatchName>(&statement)) return (name(s->field) == s->value) != s->negate;
        if (const auto* s = std::get_if<ir::MatchL4>(&statement)) {
            constexpr unsigned numbers[] = {6, 17, 1, 58};
            return p.protocol == numbers[static_cast<std::size_t>(s->protocol)];
        }
        if (const auto* s = std::get_if<ir::MatchFamily>(&statement)) return s->family == p.family;
        if (const auto* s = std::get_if<ir::MatchState>(&statement))
            return (s->invalid && p.state == 'i') || (s->untracked && p.state == 'u') || (s->fresh && p.state == 'n') ||
                   (s->established && p.state == 'e') || (s->related && p.state == 'r');
        if (std::holds_alternative<ir::MatchDnat>(statement)) return p.tracked() && p.dnat;
        if (std::holds_alternative<ir::MatchConfirmed>(statement)) return p.tracked() && p.confirmed;
        if (std::holds_alternative<ir::MatchAssured>(statement)) return p.tracked() && p.assured && !p.dnat;
        if (const auto* s = std::get_if<ir::MatchReply>(&statement)) return p.tracked() && p.reply == s->reply;
        if (const auto* s = std::get_if<ir::MatchIcmp>(&statement))
            return s->family == p.family && p.protocol == (four ? 1U : 58U) &&
                   std::ranges::find(s->types, p.icmp_type) != s->types.end();
        if (const auto* s = std::get_if<ir::MatchHopLimit>(&statement)) return !four && p.hop_limit == s->value;
        if (const auto* s = std::get_if<ir::MatchSyn>(&statement)) return p.protocol == 6 && p.syn != s->negate;
        if (const auto* s = std::get_if<ir::UpdateRate>(&statement))
            return value(s->field).has_value() && buckets_->room(s->rate);
        if (std::holds_alternative<ir::Limit>(statement)) return !buckets_->all_used_up;
        return true;  // it counts, logs or clamps
    }

    std::map<std::string, const ir::Set*> sets_;
    std::map<std::string, const ir::Chain*> chains_;
    std::vector<const ir::Chain*> bases_;
    const Packet* packet_ = nullptr;
    const Buckets* buckets_ = nullptr;
};

}  // namespace policyc::walk
