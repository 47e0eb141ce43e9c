// Every small thing that can be wrong with a Ruleset: an element or a rule that is missing, wider, narrower, flipped, elsewhere or turned to something else, and what is
// wrong with hooks.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir.h"

namespace policyc::walk {

using Key = std::vector<ir::Elements::Bound>;

inline Key key_of(const ir::Elements& elements, std::size_t i) {
    Key key;
    for (std::size_t f = 0; f < elements.types().size(); ++f) key.push_back(elements.bound(i, f));
    return key;
}

struct Mutant {
    std::string what;    // for people: "set allow_tcp4, element 3: dropped"
    bool frame = false;  // of a hook: wrong, whether or not a packet meets it
    ir::Ruleset ruleset;
    // The element that differs, as it was and as it is: where to look first.
    std::string set;
    std::optional<Key> before, after;
};

class Damage {
public:
    // `visit` gets each mutant, and says whether it wants to see the next.
    using Visit = std::function<void(Mutant&&)>;
    Damage(const ir::Ruleset& ruleset, std::size_t every, std::size_t offset, Visit visit)
        : whole_(ruleset), every_(every), count_(offset), visit_(std::move(visit)) {}

    void run() {
        for (std::size_t s = 0; s < whole_.sets.size(); ++s) elements(s);
        for (std::size_t c = 0; c < whole_.chains.size(); ++c) {
            if (whole_.chains[c].base) hooks(c);
            for (std::size_t r = 0; r < whole_.chains[c].rules.size(); ++r) rule(c, r);
        }
    }

private:
    bool wanted() { return count_++ % every_ == 0; }

    // ---- elements ----

    void change(std::size_t s, std::size_t element, const std::string& what, const std::optional<Key>& key,
                bool keep = false, std::optional<std::uint32_t> value = {}) {
        const ir::Set& set = whole_.sets[s];
        if (!wanted()) return;
        // In a set, no two of one key, and of intervals none that meet: the kernel takes no others.
        const bool named = set.types.front() == ir::Type::ifname;
        if (key && !named)
            for (std::size_t i = 0; i < set.elements.size(); ++i) {
                if (i == element && !keep) continue;
                bool meets = true;
                for (std::size_t f = 0; f < key->size(); ++f) {
                    const auto other = set.elements.bound(i, f);
                    meets = meets && (*key)[f].lo <= other.hi && other.lo <= (*key)[f].hi;
                }
                if (meets) return;
            }
        Mutant mutant{
            "set " + set.name + ", element " + std::to_string(element) + ": " + what, false, whole_, set.name, {}, {}};
        if (!named) mutant.before = key_of(set.elements, element);
        ir::Set& copy = mutant.ruleset.sets[s];
        copy.elements = ir::Elements(set.types, set.interval);
        for (std::size_t i = 0; i < set.elements.size(); ++i)
            if (i != element || keep) copy.elements.add_key(set.elements.key(i), {}, set.elements.value(i));
        if (key) copy.elements.add(*key, {}, value.value_or(set.elements.value(element)));
        mutant.after = key;
        copy.elements.sort();
        visit_(std::move(mutant));
    }

    void elements(std::size_t s) {
        const ir::Set& set = whole_.sets[s];
        if (set.dynamic) return;
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            change(s, i, "dropped", {});
            if (set.types.front() == ir::Type::ifname) continue;
            const Key key = key_of(set.elements, i);
            for (std::size_t f = 0; f < key.size(); ++f) {
                const u128 max = set.types[f] == ir::Type::inet_service ? u128{65535}
                                 : set.types[f] == ir::Type::ipv4_addr  ? u128{UINT32_MAX}
                                                                        : ~u128{0};
                const auto with = [&](const std::string& what, u128 lo, u128 hi, bool keep) {
                    Key other = key;
                    other[f] = {lo, hi};
                    change(s, i, "field " + std::to_string(f) + " " + what, other, keep);
                };
                const auto& [lo, hi] = key[f];
                if (set.interval) {
                    if (hi < max) with("widened up", lo, hi + 1, false);
                    if (lo > 0) with("widened down", lo - 1, hi, false);
                    if (lo < hi) with("narrowed from above", lo, hi - 1, false);
                    if (lo < hi) with("narrowed from below", lo + 1, hi, false);
                } else if (lo < max) {
                    with("widened by another", lo + 1, lo + 1, true);
                }
                const u128 flipped = lo ^ (u128{1} << (i * 7 + f * 5) % (max == 65535        ? 16U
                                                                         : max == UINT32_MAX ? 32U
                                                                                             : 128U));
                with("flipped", flipped, std::max(flipped, hi), false);
            }
            if (set.map_to == ir::MapTo::verdict && set.verdicts.size() > 1)
                change(s, i, "leads elsewhere", key, false,
                       static_cast<std::uint32_t>((set.elements.value(i) + 1) % set.verdicts.size()));
        }
        for (std::size_t v = 0; v < set.verdicts.size(); ++v) {
            if (!wanted()) continue;
            Mutant mutant{
                "map " + set.name + ", verdict " + std::to_string(v) + ": goto for jump", false, whole_, {}, {}, {}};
            bool& go = mutant.ruleset.sets[s].verdicts[v].go;
            go = !go;
            visit_(std::move(mutant));
        }
    }

    // ---- hooks ----

    void hooks(std::size_t c) {
        const auto with = [&](const std::string& what, const std::function<void(ir::BaseChain&)>& change) {
            Mutant mutant{"chain " + whole_.chains[c].name + ": " + what, true, whole_, {}, {}, {}};
            change(*mutant.ruleset.chains[c].base);
            visit_(std::move(mutant));
        };
        with("policy", [](ir::BaseChain& base) { base.policy_drop = !base.policy_drop; });
        with("priority up", [](ir::BaseChain& base) { ++base.priority; });
        with("priority down", [](ir::BaseChain& base) { base.priority -= 200; });
        with("type", [](ir::BaseChain& base) { base.nat = !base.nat; });
        for (const ir::Hook hook : {ir::Hook::input, ir::Hook::forward, ir::Hook::output, ir::Hook::postrouting})
            if (hook != whole_.chains[c].base->hook)
                with("another hook", [&](ir::BaseChain& base) { base.hook = hook; });
        Mutant mutant{"chain " + whole_.chains[c].name + ": off its hook", true, whole_, {}, {}, {}};
        mutant.ruleset.chains[c].base.reset();
        visit_(std::move(mutant));
    }

    // ---- rules ----

    void rule(std::size_t c, std::size_t r) {
        const ir::Rule& rule = whole_.chains[c].rules[r];
        const auto with = [&](const std::string& what, const std::function<void(std::vector<ir::Rule>&)>& change) {
            if (!wanted()) return;
            Mutant mutant{"chain " + whole_.chains[c].name + ", rule " + std::to_string(r + 1) + ": " + what,
                          false,
                          whole_,
                          {},
                          {},
                          {}};
            change(mutant.ruleset.chains[c].rules);
            visit_(std::move(mutant));
        };
        const auto at = static_cast<std::ptrdiff_t>(r);
        with("dropped", [&](auto& rules) { rules.erase(rules.begin() + at); });
        if (r + 1 < whole_.chains[c].rules.size())
            with("behind the next", [&](auto& rules) { std::swap(rules[r], rules[r + 1]); });
        if (r > 0)
            with("first", [&](auto& rules) { std::rotate(rules.begin(), rules.begin() + at, rules.begin() + at + 1); });
        if (r + 1 < whole_.chains[c].rules.size())
            with("last", [&](auto& rules) { std::rotate(rules.begin() + at, rules.begin() + at + 1, rules.end()); });
        for (std::size_t i = 0; i < rule.statements.size(); ++i) {
            const std::string number = "statement " + std::to_string(i + 1) + " ";
            with(number + "dropped", [&](auto& rules) {
                rules[r].statements.erase(rules[r].statements.begin() + static_cast<std::ptrdiff_t>(i));
            });
            for (const auto& [what, statement] : others(rule.statements[i]))
                with(number + what, [&, other = statement](auto& rules) { rules[r].statements[i] = other; });
        }
    }

    // What a statement could be instead.
    std::vector<std::pair<std::string, ir::Statement>> others(const ir::Statement& statement) const {
        std::vector<std::pair<std::string, ir::Statement>> all;
        const auto add = [&](std::string what, ir::Statement other) {
            all.emplace_back(std::move(what), std::move(other));
        };
        if (const auto* s = std::get_if<ir::Lookup>(&statement)) {
            add("negated", ir::Lookup{s->fields, s->set, !s->negate});
            for (const std::string& other : like(s->set)) add("in " + other, ir::Lookup{s->fields, other, s->negate});
            for (std::size_t f = 0; f < s->fields.size(); ++f)
                for (const ir::Field field : like(s->fields[f])) {
                    auto fields = s->fields;
                    fields[f] = field;
                    add("reads another field", ir::Lookup{fields, s->set, s->negate});
                }
        } else if (const auto* map = std::get_if<ir::LookupVerdict>(&statement)) {
            for (const std::string& other : like(map->map)) add("by " + other, ir::LookupVerdict{map->fields, other});
            for (const ir::Field field : like(map->fields.front()))
                add("reads another field", ir::LookupVerdict{{field}, map->map});
        } else if (const auto* port = std::get_if<ir::MatchPort>(&statement)) {
            for (const int step : {-1, 1, 256})
                add("another port", ir::MatchPort{port->field, static_cast<std::uint16_t>(port->value + step)});
        } else if (const auto* name = std::get_if<ir::MatchName>(&statement)) {
            add("negated", ir::MatchName{name->field, name->value, !name->negate});
            add("another name", ir::MatchName{name->field, name->value + "0", name->negate});
            add("the other way",
                ir::MatchName{name->field == ir::Field::iifname ? ir::Field::oifname : ir::Field::iifname, name->value,
                              name->negate});
        } else if (const auto* l4 = std::get_if<ir::MatchL4>(&statement)) {
            for (const ir::L4 other : {ir::L4::tcp, ir::L4::udp, ir::L4::icmp, ir::L4::icmpv6})
                if (other != l4->protocol) add("another protocol", ir::MatchL4{other});
        } else if (const auto* family = std::get_if<ir::MatchFamily>(&statement)) {
            add("the other family", ir::MatchFamily{family->family == Family::ipv4 ? Family::ipv6 : Family::ipv4});
        } else if (const auto* state = std::get_if<ir::MatchState>(&statement)) {
            for (const auto bit : {&ir::MatchState::invalid, &ir::MatchState::established, &ir::MatchState::related,
                                   &ir::MatchState::fresh, &ir::MatchState::untracked}) {
                ir::MatchState other = *state;
                other.*bit = !(other.*bit);
                if (other.invalid || other.established || other.related || other.fresh || other.untracked)
                    add("another state", other);
            }
        } else if (const auto* reply = std::get_if<ir::MatchReply>(&statement)) {
            add("the other direction", ir::MatchReply{!reply->reply});
        } else if (const auto* icmp = std::get_if<ir::MatchIcmp>(&statement)) {
            ir::MatchIcmp fewer = *icmp;
            fewer.types.pop_back();
            if (!fewer.types.empty()) add("a type less", fewer);
            ir::MatchIcmp more = *icmp;
            more.types.push_back(icmp->family == Family::ipv4 ? 5 : 137);
            std::ranges::sort(more.types);
            add("redirects too", more);
        } else if (std::holds_alternative<ir::MatchHopLimit>(statement)) {
            add("another", ir::MatchHopLimit{64});
        } else if (const auto* syn = std::get_if<ir::MatchSyn>(&statement)) {
            add("negated", ir::MatchSyn{!syn->negate});
        } else if (std::holds_alternative<ir::MatchDnat>(statement)) {
            add("assured instead", ir::MatchAssured{});
        } else if (std::holds_alternative<ir::MatchAssured>(statement)) {
            add("confirmed instead", ir::MatchConfirmed{});
        } else if (std::holds_alternative<ir::MatchConfirmed>(statement)) {
            add("assured instead", ir::MatchAssured{});
        } else if (const auto* rate = std::get_if<ir::UpdateRate>(&statement)) {
            ir::UpdateRate other = *rate;
            ++other.rate.count;
            add("another rate", other);
            other.burst = other.rate.count;
            add("another rate and burst", other);
            other = *rate;
            other.field = rate->field == ir::Field::ip_saddr ? ir::Field::ip_daddr : ir::Field::ip6_daddr;
            add("by destination", other);
        } else if (std::holds_alternative<ir::Accept>(statement)) {
            add("drop", ir::Drop{});
            add("return", ir::Return{});
        } else if (std::holds_alternative<ir::Drop>(statement) || std::holds_alternative<ir::Reject>(statement)) {
            add("accept", ir::Accept{});
            add("return", ir::Return{});
        } else if (std::holds_alternative<ir::Return>(statement)) {
            add("accept", ir::Accept{});
        } else if (std::holds_alternative<ir::Masquerade>(statement)) {
            add("accept", ir::Accept{});
        } else if (const auto* jump = std::get_if<ir::Jump>(&statement)) {
            add("goto", ir::Goto{jump->chain});
            add("accept", ir::Accept{});
            for (const std::string& other : chains_beside(jump->chain)) add("to " + other, ir::Jump{other});
        } else if (const auto* go = std::get_if<ir::Goto>(&statement)) {
            add("jump", ir::Jump{go->chain});
            add("accept", ir::Accept{});
            for (const std::string& other : chains_beside(go->chain)) add("to " + other, ir::Goto{other});
        }
        return all;
    }

    // Up to three other sets that the same key can be looked up in.
    [[nodiscard]] std::vector<std::string> like(const std::string& name) const {
        const auto which = std::ranges::find(whole_.sets, name, &ir::Set::name);
        std::vector<std::string> all;
        for (const ir::Set& set : whole_.sets)
            if (set.name != name && set.types == which->types && set.map_to == which->map_to && !set.dynamic &&
                all.size() < 3)
                all.push_back(set.name);
        return all;
    }
    static std::vector<ir::Field> like(ir::Field field) {
        using enum ir::Field;
        switch (field) {
            case ip_saddr: return {ip_daddr, ct_saddr4};
            case ip_daddr: return {ip_saddr, ct_daddr4};
            case ip6_saddr: return {ip6_daddr, ct_saddr6};
            case ip6_daddr: return {ip6_saddr, ct_daddr6};
            case ct_saddr4: return {ip_saddr, ct_daddr4};
            case ct_daddr4: return {ip_daddr, ct_saddr4};
            case ct_saddr6: return {ip6_saddr, ct_daddr6};
            case ct_daddr6: return {ip6_daddr, ct_saddr6};
            case ct_proto_dst: return {tcp_dport, udp_dport};
            case tcp_dport: return {tcp_sport, ct_proto_dst};
            case udp_dport: return {udp_sport, ct_proto_dst};
            case tcp_sport: return {tcp_dport, ct_proto_dst};
            case udp_sport: return {udp_dport, ct_proto_dst};
            case iifname: return {oifname};
            case oifname: return {iifname};
        }
        return {};
    }
    // The chains on both sides of that one.
    [[nodiscard]] std::vector<std::string> chains_beside(const std::string& name) const {
        std::vector<std::string> all;
        for (std::size_t i = 0; i < whole_.chains.size(); ++i) {
            if (whole_.chains[i].name != name) continue;
            if (i > 0 && !whole_.chains[i - 1].base) all.push_back(whole_.chains[i - 1].name);
            if (i + 1 < whole_.chains.size() && !whole_.chains[i + 1].base) all.push_back(whole_.chains[i + 1].name);
        }
        return all;
    }

    const ir::Ruleset& whole_;
    std::size_t every_;
    std::size_t count_;
    Visit visit_;
};

}  // namespace policyc::walk
