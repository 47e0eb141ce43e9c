// Expressions to statements; entry point decode_rule(). Reads what encode_rule.cpp writes: loads into registers side by side, then what uses them.
#include "backends/netlink/decode_rule.h"

#include <libnftnl/udata.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "backends/netlink/attributes.h"
#include "backends/netlink/decode_buckets.h"
#include "backends/netlink/expression.h"
#include "backends/netlink/words.h"
#include "backends/text_words.h"

namespace policyc::netlink {

namespace {

using namespace ir;
using Maybe = std::optional<Statement>;

// The bytes of a register: NFT_REG_1 to NFT_REG_4 lie over NFT_REG32_00 to NFT_REG32_15.
std::optional<std::uint32_t> offset_of(std::uint32_t reg) {
    if (reg >= NFT_REG_1 && reg <= NFT_REG_4) return (reg - NFT_REG_1) * 16;
    if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15) return (reg - NFT_REG32_00) * 4;
    return std::nullopt;
}

// What a register was loaded with.
struct Loaded {
    enum class What : std::uint8_t { field, family, protocol, state, status, direction, icmp_type, hop_limit, flags };
    What what{};
    Field field{};
    std::uint32_t to = 0;     // byte of the registers
    std::uint32_t bytes = 0;  // that it fills, whole registers
};

class Reader {
public:
    Reader(std::vector<Expression> expressions, const FindAnonymous& find)
        : expressions_(std::move(expressions)), find_(find) {}

    std::vector<Statement> read() {
        std::vector<Statement> out;
        while (at_ < expressions_.size()) {
            const std::size_t from = at_;
            Maybe statement = next();
            for (std::size_t i = from; i < at_; ++i)
                if (!expressions_[i].understood()) statement.reset();
            if (!statement) {
                out.emplace_back(Unknown{text_from(from)});
                break;
            }
            out.push_back(*std::move(statement));
        }
        return out;
    }

private:
    [[nodiscard]] const Expression* peek() const { return at_ < expressions_.size() ? &expressions_[at_] : nullptr; }
    const Expression* take(std::string_view name) {
        const Expression* e = peek();
        if (e == nullptr || !e->is(name)) return nullptr;
        ++at_;
        return e;
    }

    Maybe next() {
        std::vector<Loaded> loads;
        while (const auto load = take_load()) {
            // Side by side from the first register on, or it is nothing that policyc writes.
            const std::uint32_t expected = loads.empty() ? 0 : loads.back().to + loads.back().bytes;
            if (load->to != expected) return std::nullopt;
            loads.push_back(*load);
        }
        if (loads.empty()) return plain();
        if (loads.size() == 1 && loads[0].what != Loaded::What::field) return match_special(loads[0]);
        std::vector<Field> fields;
        for (const Loaded& load : loads) {
            if (load.what != Loaded::What::field) return std::nullopt;
            fields.push_back(load.field);
        }
        return use(std::move(fields));
    }

    // ---- loads -------------------------------------------------------------------------------------------------------

    std::optional<Loaded> take_load() {
        const Expression* e = peek();
        if (e == nullptr) return std::nullopt;
        std::optional<Loaded> load;
        if (e->is("meta"))
            load = meta(*e);
        else if (e->is("ct"))
            load = ct(*e);
        else if (e->is("payload"))
            load = payload(*e);
        if (load) ++at_;
        return load;
    }

    static std::optional<Loaded> loaded(Loaded::What what, std::uint32_t reg, std::uint32_t bytes, Field field = {}) {
        const auto to = offset_of(reg);
        if (!to) return std::nullopt;
        return Loaded{what, field, *to, (bytes + 3) / 4 * 4};
    }

    [[nodiscard]] std::optional<Loaded> field(Load::From from, std::uint32_t key, std::uint32_t offset,
                                              std::uint32_t length, std::uint32_t reg) const {
        for (const Field candidate : all_fields) {
            const Load load = load_of(candidate);
            if (load.from != from || load.key != key || load.offset != offset) continue;
            if (from == Load::From::payload && load.length != length) continue;
            if (load.family && load.family != family_) continue;
            if (load.protocol && load.protocol != protocol_) continue;
            return loaded(Loaded::What::field, reg, load.length, candidate);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Loaded> meta(const Expression& e) const {
        if (e.has(NFTA_META_SREG) || !e.has(NFTA_META_DREG)) return std::nullopt;
        const std::uint32_t key = e.u32(NFTA_META_KEY);
        const std::uint32_t reg = e.u32(NFTA_META_DREG);
        if (key == NFT_META_NFPROTO) return loaded(Loaded::What::family, reg, 1);
        if (key == NFT_META_L4PROTO) return loaded(Loaded::What::protocol, reg, 1);
        return field(Load::From::meta, key, 0, 0, reg);
    }

    [[nodiscard]] std::optional<Loaded> ct(const Expression& e) const {
        if (e.has(NFTA_CT_SREG) || !e.has(NFTA_CT_DREG)) return std::nullopt;
        const std::uint32_t key = e.u32(NFTA_CT_KEY);
        const std::uint32_t reg = e.u32(NFTA_CT_DREG);
        const bool directed = e.has(NFTA_CT_DIRECTION);
        if (!directed && key == NFT_CT_STATE) return loaded(Loaded::What::state, reg, 4);
        if (!directed && key == NFT_CT_STATUS) return loaded(Loaded::What::status, reg, 4);
        if (!directed && key == NFT_CT_DIRECTION) return loaded(Loaded::What::direction, reg, 1);
        if (!directed || e.u8(NFTA_CT_DIRECTION) != 0) return std::nullopt;
        return field(Load::From::ct_original, key, 0, 0, reg);
    }

    [[nodiscard]] std::optional<Loaded> payload(const Expression& e) const {
        if (e.has(NFTA_PAYLOAD_SREG) || !e.has(NFTA_PAYLOAD_DREG)) return std::nullopt;
        const std::uint32_t base = e.u32(NFTA_PAYLOAD_BASE);
        const std::uint32_t offset = e.u32(NFTA_PAYLOAD_OFFSET);
        const std::uint32_t length = e.u32(NFTA_PAYLOAD_LEN);
        const std::uint32_t reg = e.u32(NFTA_PAYLOAD_DREG);
        if (base == NFT_PAYLOAD_TRANSPORT_HEADER && length == 1) {
            const bool icmp4 = protocol_ == L4::icmp && family_ == Family::ipv4;
            const bool icmp6 = protocol_ == L4::icmpv6 && family_ == Family::ipv6;
            if (offset == icmp_type_offset && (icmp4 || icmp6)) return loaded(Loaded::What::icmp_type, reg, 1);
            if (offset == tcp_flags_offset && protocol_ == L4::tcp) return loaded(Loaded::What::flags, reg, 1);
            return std::nullopt;
        }
        if (base == NFT_PAYLOAD_NETWORK_HEADER && length == 1)
            return offset == hop_limit_offset && family_ == Family::ipv6 ? loaded(Loaded::What::hop_limit, reg, 1)
                                                                         : std::nullopt;
        return field(Load::From::payload, base, offset, length, reg);
    }

    // ---- what uses one load that is no Field -------------------------------------------------------------------------

    // The value that the first register must be equal to (or must not be), of that many bytes.
    std::optional<std::string_view> compared(std::uint32_t op, std::size_t bytes) {
        const Expression* e = take("cmp");
        if (e == nullptr || offset_of(e->u32(NFTA_CMP_SREG)) != 0U || e->u32(NFTA_CMP_OP) != op) return std::nullopt;
        const std::string_view data = e->data(NFTA_CMP_DATA);
        return data.size() == bytes ? std::optional(data) : std::nullopt;
    }
    std::optional<std::uint8_t> equal_byte() {
        const auto data = compared(NFT_CMP_EQ, 1);
        return data ? std::optional(static_cast<std::uint8_t>((*data)[0])) : std::nullopt;
    }

    // The mask that the first register is and-ed with, in place.
    std::optional<std::string_view> masked(std::size_t bytes) {
        const Expression* e = take("bitwise");
        if (e == nullptr || offset_of(e->u32(NFTA_BITWISE_SREG)) != 0U || offset_of(e->u32(NFTA_BITWISE_DREG)) != 0U ||
            e->u32(NFTA_BITWISE_LEN) != bytes || e->u32(NFTA_BITWISE_OP) != NFT_BITWISE_BOOL)
            return std::nullopt;
        const std::string_view change = e->data(NFTA_BITWISE_XOR);
        const bool keeps = change.size() == bytes && change.find_first_not_of('\0') == std::string_view::npos;
        const std::string_view mask = e->data(NFTA_BITWISE_MASK);
        return keeps && mask.size() == bytes ? std::optional(mask) : std::nullopt;
    }

    // Some bits of the first register, compared with a value.
    struct BitTest {
        std::uint32_t mask = 0, op = 0, value = 0;
        bool operator==(const BitTest&) const = default;
    };
    std::optional<BitTest> bit_test() {
        BitTest test;
        const auto mask = masked(sizeof test.mask);
        if (!mask || peek() == nullptr || !peek()->is("cmp")) return std::nullopt;
        test.op = peek()->u32(NFTA_CMP_OP);
        const auto value = compared(test.op, sizeof test.value);
        if (!value) return std::nullopt;
        std::memcpy(&test.mask, mask->data(), sizeof test.mask);
        std::memcpy(&test.value, value->data(), sizeof test.value);
        return test;
    }

    Maybe match_special(const Loaded& load) {
        switch (load.what) {
            case Loaded::What::field: return std::nullopt;
            case Loaded::What::family: {
                const auto number = equal_byte();
                for (const Family family : {Family::ipv4, Family::ipv6}) {
                    if (number != family_number(family)) continue;
                    family_ = family;
                    return MatchFamily{family};
                }
                return std::nullopt;
            }
            case Loaded::What::protocol: {
                const auto number = equal_byte();
                for (const L4 protocol : {L4::tcp, L4::udp, L4::icmp, L4::icmpv6}) {
                    if (number != protocol_number(protocol)) continue;
                    protocol_ = protocol;
                    return MatchL4{protocol};
                }
                return std::nullopt;
            }
            case Loaded::What::state: {
                const auto test = bit_test();
                constexpr std::uint32_t known =
                    state_invalid | state_established | state_related | state_new | state_untracked;
                if (!test || *test != BitTest{test->mask & known, NFT_CMP_NEQ, 0} || test->mask == 0)
                    return std::nullopt;
                const auto bit = [&test](std::uint32_t one) { return (test->mask & one) != 0; };
                return MatchState{.invalid = bit(state_invalid),
                                  .established = bit(state_established),
                                  .related = bit(state_related),
                                  .fresh = bit(state_new),
                                  .untracked = bit(state_untracked)};
            }
            case Loaded::What::status: {
                const auto test = bit_test();
                if (test == BitTest{status_confirmed, NFT_CMP_NEQ, 0}) return MatchConfirmed{};
                if (test == BitTest{status_dnat, NFT_CMP_NEQ, 0}) return MatchDnat{};
                const BitTest assured{status_assured | status_dnat, NFT_CMP_EQ, status_assured};
                return test == assured ? Maybe(MatchAssured{}) : std::nullopt;
            }
            case Loaded::What::direction: {
                const auto direction = equal_byte();
                return direction && *direction <= 1 ? Maybe(MatchReply{*direction == 1}) : std::nullopt;
            }
            case Loaded::What::icmp_type: return icmp_types();
            case Loaded::What::hop_limit: {
                const auto value = equal_byte();
                return value ? Maybe(MatchHopLimit{*value}) : std::nullopt;
            }
            case Loaded::What::flags: {
                const auto mask = masked(1);
                const bool both = mask && static_cast<std::uint8_t>((*mask)[0]) == (tcp_syn | tcp_rst);
                const bool negate = peek() != nullptr && peek()->is("cmp") && peek()->u32(NFTA_CMP_OP) == NFT_CMP_NEQ;
                const auto flags = compared(negate ? NFT_CMP_NEQ : NFT_CMP_EQ, 1);
                const bool syn = both && flags && static_cast<std::uint8_t>((*flags)[0]) == tcp_syn;
                return syn ? Maybe(MatchSyn{negate}) : std::nullopt;
            }
        }
        return std::nullopt;
    }

    Maybe icmp_types() {
        MatchIcmp out{.family = *family_, .types = {}};
        if (peek() != nullptr && peek()->is("cmp")) {
            const auto type = equal_byte();
            if (!type) return std::nullopt;
            out.types.push_back(*type);
            return out;
        }
        const Expression* e = take("lookup");
        if (e == nullptr || !plain_lookup(*e) || e->u32(NFTA_LOOKUP_FLAGS) != 0) return std::nullopt;
        const SetInProgress* set = find_(e->text(NFTA_LOOKUP_SET), e->u32(NFTA_LOOKUP_SET_ID));
        const std::uint32_t type = out.family == Family::ipv4 ? type_icmp : type_icmpv6;
        if (set == nullptr || !set->strange.empty() || set->unreadable || set->anonymous_type != type ||
            set->icmp_types.empty())
            return std::nullopt;
        out.types = set->icmp_types;
        std::ranges::sort(out.types);
        return out;
    }

    static bool plain_lookup(const Expression& e) {
        return offset_of(e.u32(NFTA_LOOKUP_SREG)) == 0U && !e.has(NFTA_LOOKUP_DREG);
    }

    // ---- what uses fields --------------------------------------------------------------------------------------------

    Maybe use(std::vector<Field> fields) {
        const Expression* e = peek();
        if (e == nullptr) return std::nullopt;
        if (e->is("cmp")) return fields.size() == 1 ? compare(fields[0]) : std::nullopt;
        ++at_;
        if (e->is("lookup")) {
            const std::uint32_t flags = e->u32(NFTA_LOOKUP_FLAGS);
            const std::string set = e->text(NFTA_LOOKUP_SET);
            if (plain_lookup(*e) && (flags & ~std::uint32_t{NFT_LOOKUP_F_INV}) == 0)
                return Lookup{std::move(fields), set, (flags & NFT_LOOKUP_F_INV) != 0};
            const bool to_verdict = e->has(NFTA_LOOKUP_DREG) && e->u32(NFTA_LOOKUP_DREG) == NFT_REG_VERDICT &&
                                    offset_of(e->u32(NFTA_LOOKUP_SREG)) == 0U && flags == 0;
            return to_verdict ? Maybe(LookupVerdict{std::move(fields), set}) : std::nullopt;
        }
        if (e->is("objref")) {
            if (e->has(NFTA_OBJREF_IMM_NAME) || offset_of(e->u32(NFTA_OBJREF_SET_SREG)) != 0U) return std::nullopt;
            return CountByMap{std::move(fields), e->text(NFTA_OBJREF_SET_NAME)};
        }
        return e->is("dynset") && fields.size() == 1 ? update(*e, fields[0]) : std::nullopt;
    }

    Maybe compare(Field field) {
        if (field == Field::iifname || field == Field::oifname) {
            const Expression* e = peek();
            const std::uint32_t op = e->u32(NFTA_CMP_OP);
            if (op != NFT_CMP_EQ && op != NFT_CMP_NEQ) return std::nullopt;
            // Fewer than 16 bytes would be a name that only begins so.
            const auto data = compared(op, 16);
            if (!data) return std::nullopt;
            const std::string_view name = data->substr(0, data->find('\0'));
            if (name.empty() || data->find_first_not_of('\0', name.size()) != std::string_view::npos)
                return std::nullopt;
            return MatchName{field, std::string(name), op == NFT_CMP_NEQ};
        }
        if (load_of(field).length != 2) return std::nullopt;  // no port
        const auto data = compared(NFT_CMP_EQ, 2);
        if (!data) return std::nullopt;
        std::uint16_t port = 0;
        std::memcpy(&port, data->data(), sizeof port);
        return MatchPort{field, ntohs(port)};
    }

    Maybe update(const Expression& e, Field field) {
        if (offset_of(e.u32(NFTA_DYNSET_SREG_KEY)) != 0U || e.has(NFTA_DYNSET_SREG_DATA) ||
            e.u32(NFTA_DYNSET_OP) != NFT_DYNSET_OP_UPDATE || e.u64(NFTA_DYNSET_TIMEOUT) != 0)
            return std::nullopt;
        const auto inner = Expression::read(e.nest(NFTA_DYNSET_EXPR));
        if (e.u32(NFTA_DYNSET_FLAGS) != 0 || !inner || !inner->is("limit")) return std::nullopt;
        e.ignore(NFTA_DYNSET_SET_ID);  // of a batch that nft made
        const auto limit = limit_of(*inner);
        return limit && inner->understood()
                   ? Maybe(UpdateRate{e.text(NFTA_DYNSET_SET_NAME), field, limit->rate, limit->burst})
                   : std::nullopt;
    }

    // ---- what uses nothing -------------------------------------------------------------------------------------------

    Maybe plain() {
        const Expression* e = peek();
        if (e->is("rt")) return clamp();
        ++at_;
        if (e->is("immediate")) return verdict(*e);
        if (e->is("counter")) return Count{e->u64(NFTA_COUNTER_PACKETS), e->u64(NFTA_COUNTER_BYTES)};
        if (e->is("limit")) {
            const auto limit = limit_of(*e);
            return limit ? Maybe(*limit) : std::nullopt;
        }
        if (e->is("log")) return log(*e);
        if (e->is("masq")) {
            const bool bare = e->u32(NFTA_MASQ_FLAGS) == 0 && !e->has(NFTA_MASQ_REG_PROTO_MIN);
            return bare ? Maybe(Masquerade{}) : std::nullopt;
        }
        const bool refusal = e->is("reject") && e->u32(NFTA_REJECT_TYPE) == NFT_REJECT_ICMPX_UNREACH &&
                             e->u8(NFTA_REJECT_ICMP_CODE) == NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
        return refusal ? Maybe(Reject{}) : std::nullopt;
    }

    static Maybe verdict(const Expression& e) {
        if (e.u32(NFTA_IMMEDIATE_DREG) != NFT_REG_VERDICT) return std::nullopt;
        std::optional<std::uint32_t> code;
        std::string chain;
        Attributes data(e.nest(NFTA_IMMEDIATE_DATA));
        for (Attribute verdict; data.next(verdict);) {
            if (verdict.type != NFTA_DATA_VERDICT) return std::nullopt;
            Attributes parts(verdict.data);
            for (Attribute part; parts.next(part);) {
                if (part.type == NFTA_VERDICT_CODE)
                    code = part.u32();
                else if (part.type == NFTA_VERDICT_CHAIN)
                    chain = part.text();
                else
                    return std::nullopt;
            }
            if (parts.broken()) return std::nullopt;
        }
        if (data.broken() || !code) return std::nullopt;
        switch (static_cast<std::int32_t>(*code)) {
            case NF_ACCEPT: return Accept{};
            case NF_DROP: return Drop{};
            case NFT_RETURN: return Return{};
            case NFT_JUMP: return Jump{chain};
            case NFT_GOTO: return Goto{chain};
            default: return std::nullopt;
        }
    }

    static Maybe log(const Expression& e) {
        const std::string prefix = e.text(NFTA_LOG_PREFIX);
        if (e.has(NFTA_LOG_GROUP)) {
            // Sizes of 0 are those that nobody asked for.
            const bool bare = e.u32(NFTA_LOG_SNAPLEN) == 0 && e.u16(NFTA_LOG_QTHRESHOLD) == 0 && !e.has(NFTA_LOG_LEVEL);
            return bare ? Maybe(LogPacket{prefix, e.u16(NFTA_LOG_GROUP)}) : std::nullopt;
        }
        const bool info = e.u32(NFTA_LOG_LEVEL) == log_level_info && e.u32(NFTA_LOG_FLAGS) == 0;
        return info ? Maybe(LogPacket{prefix, std::nullopt}) : std::nullopt;
    }

    Maybe clamp() {
        const Expression* mtu = take("rt");
        const bool reads =
            protocol_ == L4::tcp && mtu->u32(NFTA_RT_KEY) == NFT_RT_TCPMSS && offset_of(mtu->u32(NFTA_RT_DREG)) == 0U;
        const Expression* order = take("byteorder");
        if (!reads || order == nullptr || offset_of(order->u32(NFTA_BYTEORDER_SREG)) != 0U ||
            offset_of(order->u32(NFTA_BYTEORDER_DREG)) != 0U || order->u32(NFTA_BYTEORDER_OP) != NFT_BYTEORDER_HTON ||
            order->u32(NFTA_BYTEORDER_LEN) != 2 || order->u32(NFTA_BYTEORDER_SIZE) != 2)
            return std::nullopt;
        const Expression* option = take("exthdr");
        const bool writes = option != nullptr && offset_of(option->u32(NFTA_EXTHDR_SREG)) == 0U &&
                            option->has(NFTA_EXTHDR_SREG) && option->u8(NFTA_EXTHDR_TYPE) == tcp_option_mss &&
                            option->u32(NFTA_EXTHDR_OFFSET) == tcp_option_mss_offset &&
                            option->u32(NFTA_EXTHDR_LEN) == 2 && option->u32(NFTA_EXTHDR_OP) == NFT_EXTHDR_OP_TCPOPT &&
                            option->u32(NFTA_EXTHDR_FLAGS) == 0;
        return writes ? Maybe(ClampMss{}) : std::nullopt;
    }

    // "payload, cmp, accept": what `nft -a list ruleset` shows under the rule's handle says more.
    [[nodiscard]] std::string text_from(std::size_t from) const {
        std::string out;
        for (std::size_t i = from; i < expressions_.size(); ++i) {
            const Expression& e = expressions_[i];
            const Maybe known = e.is("immediate") ? verdict(e) : std::nullopt;
            out += (out.empty() ? "" : ", ") + (known ? to_nft(*known) : e.name());
        }
        return out;
    }

    std::vector<Expression> expressions_;
    const FindAnonymous& find_;
    std::size_t at_ = 0;
    std::optional<Family> family_;
    std::optional<L4> protocol_;
};

}  // namespace

std::optional<Rule> decode_rule(std::string_view attributes, const FindAnonymous& find) {
    Rule out;
    std::vector<Expression> expressions;
    std::string_view data;
    bool compat = false;
    Attributes all(attributes);
    for (Attribute a; all.next(a);) {
        switch (a.type) {
            case NFTA_RULE_HANDLE: out.handle = a.u64().value_or(0); break;
            case NFTA_RULE_USERDATA: data = a.data; break;
            case NFTA_RULE_COMPAT: compat = true; break;
            case NFTA_RULE_EXPRESSIONS: {
                Attributes list(a.data);
                for (Attribute one; list.next(one);) {
                    auto expression = Expression::read(one.data);
                    if (!expression) return std::nullopt;
                    expressions.push_back(std::move(*expression));
                }
                if (list.broken()) return std::nullopt;
                break;
            }
            default: break;  // table, chain, position
        }
    }
    if (all.broken()) return std::nullopt;
    out.statements = Reader(std::move(expressions), find).read();
    const auto comment = comment_of(data);
    if (comment)
        out.comment = *comment;
    else
        out.statements.emplace_back(Unknown{"user data that is no comment"});
    if (compat) out.statements.emplace_back(Unknown{"a match of iptables"});
    return out;
}

}  // namespace policyc::netlink
