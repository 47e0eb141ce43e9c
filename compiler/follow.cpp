// A small nf_tables for one packet: follow().
#include "compiler/follow.h"

#include <algorithm>
#include <utility>

#include "compiler/look_up.h"
#include "compiler/program.h"

namespace policyc {

namespace {

constexpr int deepest = 16;  // NFT_JUMP_STACK_SIZE

// What comes of a statement, a rule or a chain.
enum class Next : std::uint8_t {
    go_on,     // the next statement; of a chain: back to where it was jumped from
    no_match,  // the next rule
    leave,     // back to where the chain was jumped from
    accept,
    drop,
    stuck,  // not understood, or a look-up failed
};

class Follower {
public:
    Follower(const ir::Ruleset& ruleset, const FirstPacket& packet, const LookUp& look_up)
        : ruleset_(ruleset), packet_(packet), look_up_(look_up) {}

    Result<Followed> run() {
        for (const ir::Chain& chain : ruleset_.chains) {
            if (!chain.base || chain.base->hook != packet_.hook || chain.base->nat) continue;
            Next next = through(chain, 0);
            if (error_) return *error_;
            if (next == Next::go_on) next = chain.base->policy_drop ? Next::drop : Next::accept;
            out_.verdict = next == Next::accept ? Followed::Verdict::accept
                           : next == Next::drop ? Followed::Verdict::drop
                                                : Followed::Verdict::unreadable;
            if (next != Next::accept) out_.decisive.reset();
            return std::move(out_);
        }
        out_.verdict = Followed::Verdict::no_chain;
        return std::move(out_);
    }

    // ---- one function for each kind of statement -------------------------------------------------------------------

    Next operator()(const ir::Lookup& s) {
        const auto key = key_of(s.fields);
        const ir::Set* set = find_set(s.set);
        if (set == nullptr) return Next::stuck;
        // A packet without such a field matches neither the set nor what is not in it.
        if (!key) return Next::no_match;
        const auto held = ask(*set, *key);
        if (error_) return Next::stuck;
        if (held && !s.negate) held_in_ = out_.asked.size() - 1;
        return matched(held.has_value() != s.negate);
    }
    Next operator()(const ir::LookupVerdict& s) {
        const auto key = key_of(s.fields);
        const ir::Set* set = find_set(s.map);
        if (set == nullptr) return Next::stuck;
        if (!key) return Next::no_match;
        const auto held = ask(*set, *key);
        if (error_ || (held && !held->verdict)) return Next::stuck;
        if (!held) return Next::no_match;
        held_in_ = out_.asked.size() - 1;
        return held->verdict->go ? go(held->verdict->chain) : jump(held->verdict->chain);
    }
    Next operator()(const ir::CountByMap& s) {
        const auto key = key_of(s.fields);
        const ir::Set* set = find_set(s.map);
        if (set == nullptr) return Next::stuck;
        if (!key) return Next::no_match;
        const auto held = ask(*set, *key);
        if (error_) return Next::stuck;
        if (held) out_.counter = held->counter;
        return matched(held.has_value());
    }
    Next operator()(const ir::MatchPort& s) const {
        const auto port = number_of(s.field);
        return matched(port && *port == s.value);
    }
    Next operator()(const ir::MatchName& s) const { return matched((name_of(s.field) == s.value) != s.negate); }
    Next operator()(const ir::MatchL4& s) const { return matched(packet_.protocol == s.protocol); }
    Next operator()(const ir::MatchFamily& s) const { return matched(packet_.source.family == s.family); }
    Next operator()(const ir::MatchState& s) const {
        switch (packet_.state) {
            case FirstPacket::State::fresh: return matched(s.fresh);
            case FirstPacket::State::established:
            case FirstPacket::State::reply: return matched(s.established);
            case FirstPacket::State::invalid: return matched(s.invalid);
            case FirstPacket::State::untracked: return matched(s.untracked);
            case FirstPacket::State::rewritten: return matched(s.established);
        }
        return Next::stuck;
    }
    Next operator()(const ir::MatchDnat&) const { return matched(packet_.state == FirstPacket::State::rewritten); }
    Next operator()(const ir::MatchConfirmed&) const { return matched(goes_on()); }
    Next operator()(const ir::MatchAssured&) const { return matched(goes_on()); }
    Next operator()(const ir::MatchReply& s) const { return matched(has_flow() && s.reply == is_reply()); }
    Next operator()(const ir::MatchIcmp& s) const {
        const ir::L4 kind = s.family == Family::ipv4 ? ir::L4::icmp : ir::L4::icmpv6;
        const auto type = static_cast<std::uint8_t>(packet_.port >> 8U);
        return matched(packet_.protocol == kind && packet_.source.family == s.family &&
                       std::ranges::find(s.types, type) != s.types.end());
    }
    // Such packets are of neighbours; those that begin a flow have another one.
    Next operator()(const ir::MatchHopLimit& s) const { return matched(s.value != UINT8_MAX); }
    Next operator()(const ir::MatchSyn& s) const {
        return matched(packet_.protocol == ir::L4::tcp && s.negate == goes_on());
    }
    Next operator()(const ir::UpdateRate&) {
        out_.rated = true;
        return Next::go_on;
    }
    Next operator()(const ir::ClampMss&) const { return Next::go_on; }
    Next operator()(const ir::Limit&) const { return Next::go_on; }
    Next operator()(const ir::LogPacket&) const { return Next::go_on; }
    Next operator()(const ir::Count&) const { return Next::go_on; }
    Next operator()(const ir::Masquerade&) const { return Next::go_on; }
    Next operator()(const ir::Accept&) {
        out_.decisive = held_in_;
        return Next::accept;
    }
    Next operator()(const ir::Drop&) const { return Next::drop; }
    Next operator()(const ir::Reject&) {
        out_.rejected = true;
        return Next::drop;
    }
    Next operator()(const ir::Return&) const { return Next::leave; }
    Next operator()(const ir::Jump& s) { return jump(s.chain); }
    Next operator()(const ir::Goto& s) { return go(s.chain); }
    Next operator()(const ir::Unknown&) const { return Next::stuck; }

private:
    static Next matched(bool truth) { return truth ? Next::go_on : Next::no_match; }

    // Whether it is of a flow that the kernel could be asked about.
    [[nodiscard]] bool has_flow() const {
        return packet_.state != FirstPacket::State::invalid && packet_.state != FirstPacket::State::untracked;
    }
    [[nodiscard]] bool is_reply() const { return packet_.state == FirstPacket::State::reply; }
    [[nodiscard]] bool goes_on() const { return packet_.state == FirstPacket::State::established || is_reply(); }
    // Of its flow, as the tracking has it.
    [[nodiscard]] const Address& began() const { return is_reply() ? packet_.destination : packet_.source; }
    [[nodiscard]] const Address& began_to() const { return is_reply() ? packet_.source : packet_.destination; }

    Next through(const ir::Chain& chain, int depth) {
        if (depth == deepest) return Next::stuck;
        const int outer = std::exchange(depth_, depth);
        Next result = Next::go_on;
        for (const ir::Rule& rule : chain.rules) {
            const Next next = through(rule);
            if (next == Next::go_on || next == Next::no_match) continue;
            result = next == Next::leave ? Next::go_on : next;
            break;
        }
        depth_ = outer;
        return result;
    }

    Next through(const ir::Rule& rule) {
        const auto before = held_in_;
        for (const ir::Statement& statement : rule.statements) {
            const Next next = std::visit(*this, statement);
            if (next == Next::go_on) continue;
            if (next == Next::no_match) held_in_ = before;
            if ((next == Next::accept || next == Next::drop) && out_.rule.empty()) out_.rule = rule.comment;
            return next;
        }
        held_in_ = before;
        return Next::go_on;
    }

    const ir::Chain* find_chain(const std::string& name) const {
        const auto found = std::ranges::find(ruleset_.chains, name, &ir::Chain::name);
        return found == ruleset_.chains.end() ? nullptr : &*found;
    }
    const ir::Set* find_set(const std::string& name) const {
        const auto found = std::ranges::find(ruleset_.sets, name, &ir::Set::name);
        return found == ruleset_.sets.end() ? nullptr : &*found;
    }

    Next jump(const std::string& name) {
        const ir::Chain* chain = find_chain(name);
        return chain == nullptr ? Next::stuck : through(*chain, depth_ + 1);
    }
    // Where the chain that is gone to ends, so does this one.
    Next go(const std::string& name) {
        const Next next = jump(name);
        return next == Next::go_on ? Next::leave : next;
    }

    std::optional<Held> ask(const ir::Set& set, const std::string& key) {
        Result<std::optional<Held>> held = look_up_(set, key);
        if (!held) {
            error_ = held.error();
            return std::nullopt;
        }
        out_.asked.push_back({&set, key, held.value()});
        return std::move(held.value());
    }

    [[nodiscard]] const std::string& name_of(ir::Field field) const {
        return field == ir::Field::iifname ? packet_.in : packet_.out;
    }

    // The value of a field that is a number; nothing where this packet has none.
    [[nodiscard]] std::optional<u128> number_of(ir::Field field) const {
        const bool v4 = packet_.source.family == Family::ipv4;
        const auto only = [](bool there, u128 value) { return there ? std::optional<u128>(value) : std::nullopt; };
        switch (field) {
            case ir::Field::ip_saddr: return only(v4, packet_.source.bits);
            case ir::Field::ct_saddr4: return only(v4 && has_flow(), began().bits);
            case ir::Field::ip_daddr: return only(v4, packet_.destination.bits);
            case ir::Field::ct_daddr4: return only(v4 && has_flow(), began_to().bits);
            case ir::Field::ip6_saddr: return only(!v4, packet_.source.bits);
            case ir::Field::ct_saddr6: return only(!v4 && has_flow(), began().bits);
            case ir::Field::ip6_daddr: return only(!v4, packet_.destination.bits);
            case ir::Field::ct_daddr6: return only(!v4 && has_flow(), began_to().bits);
            case ir::Field::ct_proto_dst: return only(has_flow(), is_reply() ? packet_.from_port : packet_.port);
            case ir::Field::tcp_dport: return only(packet_.protocol == ir::L4::tcp, packet_.port);
            case ir::Field::udp_dport: return only(packet_.protocol == ir::L4::udp, packet_.port);
            case ir::Field::tcp_sport: return only(packet_.protocol == ir::L4::tcp, packet_.from_port);
            case ir::Field::udp_sport: return only(packet_.protocol == ir::L4::udp, packet_.from_port);
            case ir::Field::iifname:
            case ir::Field::oifname: return std::nullopt;
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<std::string> key_of(const std::vector<ir::Field>& fields) const {
        std::vector<u128> values;
        for (const ir::Field field : fields) {
            if (field == ir::Field::iifname || field == ir::Field::oifname)
                return fields.size() == 1 && !name_of(field).empty() ? std::optional(point_of_name(name_of(field)))
                                                                     : std::nullopt;
            const auto value = number_of(field);
            if (!value) return std::nullopt;
            values.push_back(*value);
        }
        return point_of(program::types_of(fields), values);
    }

    const ir::Ruleset& ruleset_;
    const FirstPacket& packet_;
    const LookUp& look_up_;
    Followed out_;
    std::optional<std::size_t> held_in_;
    std::optional<Error> error_;
    int depth_ = 0;
};

}  // namespace

Result<Followed> follow(const ir::Ruleset& ruleset, const FirstPacket& packet, const LookUp& look_up) {
    return Follower(ruleset, packet, look_up).run();
}

}  // namespace policyc
