// Expressions to statements; entry point decode_rule(). Reads what encode_rule.cpp writes: loads into registers side by side, then what uses them.
#include "backends/netlink/decode_rule.h"

#include <fmt/format.h>
#include <libnftnl/udata.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "backends/netlink/words.h"

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

// One expression, and questions about its attributes.
class Expression {
public:
    explicit Expression(const nftnl_expr* expression) : expression_(expression) {}

    [[nodiscard]] bool is(std::string_view name) const {
        const char* own = nftnl_expr_get_str(expression_, NFTNL_EXPR_NAME);
        return own != nullptr && own == name;
    }
    [[nodiscard]] bool has(std::uint16_t attribute) const { return nftnl_expr_is_set(expression_, attribute); }
    [[nodiscard]] std::uint32_t u32(std::uint16_t attribute) const {
        return has(attribute) ? nftnl_expr_get_u32(expression_, attribute) : 0;
    }
    [[nodiscard]] std::uint16_t u16(std::uint16_t attribute) const {
        return has(attribute) ? nftnl_expr_get_u16(expression_, attribute) : std::uint16_t{0};
    }
    [[nodiscard]] std::uint8_t u8(std::uint16_t attribute) const {
        return has(attribute) ? nftnl_expr_get_u8(expression_, attribute) : std::uint8_t{0};
    }
    [[nodiscard]] std::uint64_t u64(std::uint16_t attribute) const {
        return has(attribute) ? nftnl_expr_get_u64(expression_, attribute) : 0;
    }
    [[nodiscard]] std::string text(std::uint16_t attribute) const {
        const char* value = has(attribute) ? nftnl_expr_get_str(expression_, attribute) : nullptr;
        return value != nullptr ? value : "";
    }
    [[nodiscard]] std::string_view data(std::uint16_t attribute) const {
        std::uint32_t bytes = 0;
        const void* value = has(attribute) ? nftnl_expr_get(expression_, attribute, &bytes) : nullptr;
        return value != nullptr ? std::string_view(static_cast<const char*>(value), bytes) : std::string_view{};
    }
    [[nodiscard]] const nftnl_expr* get() const { return expression_; }

private:
    const nftnl_expr* expression_;
};

// What a register was loaded with.
struct Loaded {
    enum class What : std::uint8_t {
        field,
        family,
        protocol,
        state,
        status,
        direction,
        icmp_type,
        hop_limit,
        tcp_flags
    };
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
            if (Maybe statement = next()) {
                out.push_back(*std::move(statement));
            } else {
                out.emplace_back(Unknown{text_from(from)});
                break;
            }
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
        if (e.has(NFTNL_EXPR_META_SREG) || !e.has(NFTNL_EXPR_META_DREG)) return std::nullopt;
        const std::uint32_t key = e.u32(NFTNL_EXPR_META_KEY);
        const std::uint32_t reg = e.u32(NFTNL_EXPR_META_DREG);
        if (key == NFT_META_NFPROTO) return loaded(Loaded::What::family, reg, 1);
        if (key == NFT_META_L4PROTO) return loaded(Loaded::What::protocol, reg, 1);
        return field(Load::From::meta, key, 0, 0, reg);
    }

    [[nodiscard]] std::optional<Loaded> ct(const Expression& e) const {
        if (e.has(NFTNL_EXPR_CT_SREG) || !e.has(NFTNL_EXPR_CT_DREG)) return std::nullopt;
        const std::uint32_t key = e.u32(NFTNL_EXPR_CT_KEY);
        const std::uint32_t reg = e.u32(NFTNL_EXPR_CT_DREG);
        const bool directed = e.has(NFTNL_EXPR_CT_DIR);
        if (!directed && key == NFT_CT_STATE) return loaded(Loaded::What::state, reg, 4);
        if (!directed && key == NFT_CT_STATUS) return loaded(Loaded::What::status, reg, 4);
        if (!directed && key == NFT_CT_DIRECTION) return loaded(Loaded::What::direction, reg, 1);
        if (!directed || e.u8(NFTNL_EXPR_CT_DIR) != 0) return std::nullopt;
        return field(Load::From::ct_original, key, 0, 0, reg);
    }

    [[nodiscard]] std::optional<Loaded> payload(const Expression& e) const {
        if (e.has(NFTNL_EXPR_PAYLOAD_SREG) || !e.has(NFTNL_EXPR_PAYLOAD_DREG)) return std::nullopt;
        const std::uint32_t base = e.u32(NFTNL_EXPR_PAYLOAD_BASE);
        const std::uint32_t offset = e.u32(NFTNL_EXPR_PAYLOAD_OFFSET);
        const std::uint32_t length = e.u32(NFTNL_EXPR_PAYLOAD_LEN);
        const std::uint32_t reg = e.u32(NFTNL_EXPR_PAYLOAD_DREG);
        if (base == NFT_PAYLOAD_TRANSPORT_HEADER && length == 1) {
            const bool icmp4 = protocol_ == L4::icmp && family_ == Family::ipv4;
            const bool icmp6 = protocol_ == L4::icmpv6 && family_ == Family::ipv6;
            if (offset == icmp_type_offset && (icmp4 || icmp6)) return loaded(Loaded::What::icmp_type, reg, 1);
            if (offset == tcp_flags_offset && protocol_ == L4::tcp) return loaded(Loaded::What::tcp_flags, reg, 1);
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
        if (e == nullptr || offset_of(e->u32(NFTNL_EXPR_CMP_SREG)) != 0U || e->u32(NFTNL_EXPR_CMP_OP) != op)
            return std::nullopt;
        const std::string_view data = e->data(NFTNL_EXPR_CMP_DATA);
        return data.size() == bytes ? std::optional(data) : std::nullopt;
    }
    std::optional<std::uint8_t> equal_byte() {
        const auto data = compared(NFT_CMP_EQ, 1);
        return data ? std::optional(static_cast<std::uint8_t>((*data)[0])) : std::nullopt;
    }

    // The mask that the first register is and-ed with, in place.
    std::optional<std::string_view> masked(std::size_t bytes) {
        const Expression* e = take("bitwise");
        if (e == nullptr || offset_of(e->u32(NFTNL_EXPR_BITWISE_SREG)) != 0U ||
            offset_of(e->u32(NFTNL_EXPR_BITWISE_DREG)) != 0U || e->u32(NFTNL_EXPR_BITWISE_LEN) != bytes ||
            e->u32(NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL)
            return std::nullopt;
        const std::string_view change = e->data(NFTNL_EXPR_BITWISE_XOR);
        const bool keeps = change.size() == bytes && change.find_first_not_of('\0') == std::string_view::npos;
        const std::string_view mask = e->data(NFTNL_EXPR_BITWISE_MASK);
        return keeps && mask.size() == bytes ? std::optional(mask) : std::nullopt;
    }

    // The bits of which at least one must be set.
    std::optional<std::uint32_t> any_bit() {
        std::uint32_t bits = 0;
        const auto mask = masked(sizeof bits);
        if (!mask) return std::nullopt;
        std::memcpy(&bits, mask->data(), sizeof bits);
        const auto other_than = compared(NFT_CMP_NEQ, sizeof bits);
        if (!other_than || other_than->find_first_not_of('\0') != std::string_view::npos) return std::nullopt;
        return bits;
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
                const auto bits = any_bit();
                constexpr std::uint32_t known =
                    state_invalid | state_established | state_related | state_new | state_untracked;
                if (!bits || *bits == 0 || (*bits & ~known) != 0) return std::nullopt;
                return MatchState{.invalid = (*bits & state_invalid) != 0,
                                  .established = (*bits & state_established) != 0,
                                  .related = (*bits & state_related) != 0,
                                  .fresh = (*bits & state_new) != 0,
                                  .untracked = (*bits & state_untracked) != 0};
            }
            case Loaded::What::status: {
                const auto bits = any_bit();
                if (bits == status_confirmed) return MatchConfirmed{};
                return bits == status_dnat ? Maybe(MatchDnat{}) : std::nullopt;
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
            case Loaded::What::tcp_flags: {
                const auto mask = masked(1);
                const bool both = mask && static_cast<std::uint8_t>((*mask)[0]) == (tcp_syn | tcp_rst);
                return both && equal_byte() == tcp_syn ? Maybe(MatchSyn{}) : std::nullopt;
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
        if (e == nullptr || !plain_lookup(*e) || e->u32(NFTNL_EXPR_LOOKUP_FLAGS) != 0) return std::nullopt;
        const SetInProgress* set = find_(e->text(NFTNL_EXPR_LOOKUP_SET), e->u32(NFTNL_EXPR_LOOKUP_SET_ID));
        const std::uint32_t type = out.family == Family::ipv4 ? type_icmp : type_icmpv6;
        if (set == nullptr || !set->strange.empty() || set->unreadable || set->anonymous_type != type ||
            set->icmp_types.empty())
            return std::nullopt;
        out.types = set->icmp_types;
        std::ranges::sort(out.types);
        return out;
    }

    static bool plain_lookup(const Expression& e) {
        return offset_of(e.u32(NFTNL_EXPR_LOOKUP_SREG)) == 0U && !e.has(NFTNL_EXPR_LOOKUP_DREG);
    }

    // ---- what uses fields --------------------------------------------------------------------------------------------

    Maybe use(std::vector<Field> fields) {
        const Expression* e = peek();
        if (e == nullptr) return std::nullopt;
        if (e->is("cmp")) return fields.size() == 1 ? compare(fields[0]) : std::nullopt;
        ++at_;
        if (e->is("lookup")) {
            const std::uint32_t flags = e->u32(NFTNL_EXPR_LOOKUP_FLAGS);
            const std::string set = e->text(NFTNL_EXPR_LOOKUP_SET);
            if (plain_lookup(*e) && (flags & ~std::uint32_t{NFT_LOOKUP_F_INV}) == 0)
                return Lookup{std::move(fields), set, (flags & NFT_LOOKUP_F_INV) != 0};
            const bool to_verdict = e->has(NFTNL_EXPR_LOOKUP_DREG) &&
                                    e->u32(NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT &&
                                    offset_of(e->u32(NFTNL_EXPR_LOOKUP_SREG)) == 0U && flags == 0;
            return to_verdict ? Maybe(LookupVerdict{std::move(fields), set}) : std::nullopt;
        }
        if (e->is("objref")) {
            if (e->has(NFTNL_EXPR_OBJREF_IMM_NAME) || offset_of(e->u32(NFTNL_EXPR_OBJREF_SET_SREG)) != 0U)
                return std::nullopt;
            return CountByMap{std::move(fields), e->text(NFTNL_EXPR_OBJREF_SET_NAME)};
        }
        return e->is("dynset") && fields.size() == 1 ? update(*e, fields[0]) : std::nullopt;
    }

    Maybe compare(Field field) {
        if (field == Field::iifname || field == Field::oifname) {
            const Expression* e = peek();
            const std::uint32_t op = e->u32(NFTNL_EXPR_CMP_OP);
            if (op != NFT_CMP_EQ && op != NFT_CMP_NEQ) return std::nullopt;
            // Fewer than 16 bytes would be a name that only begins so.
            const auto data = compared(op, 16);
            if (!data) return std::nullopt;
            const std::string_view name = data->substr(0, data->find('\0'));
            if (name.empty() || data->find_first_not_of('\0', name.size()) != std::string_view::npos)
                return std::nullopt;
            return MatchName{field, std::string(name), op == NFT_CMP_NEQ};
        }
        if (field != Field::ct_proto_dst && field != Field::tcp_dport && field != Field::udp_dport) return std::nullopt;
        const auto data = compared(NFT_CMP_EQ, 2);
        if (!data) return std::nullopt;
        std::uint16_t port = 0;
        std::memcpy(&port, data->data(), sizeof port);
        return MatchPort{field, ntohs(port)};
    }

    Maybe update(const Expression& e, Field field) {
        if (offset_of(e.u32(NFTNL_EXPR_DYNSET_SREG_KEY)) != 0U || e.has(NFTNL_EXPR_DYNSET_SREG_DATA) ||
            e.u32(NFTNL_EXPR_DYNSET_OP) != NFT_DYNSET_OP_UPDATE || e.u64(NFTNL_EXPR_DYNSET_TIMEOUT) != 0)
            return std::nullopt;
        std::vector<Expression> inner;
        nftnl_expr_expr_foreach(
            e.get(),
            [](nftnl_expr* one, void* out) {
                static_cast<std::vector<Expression>*>(out)->emplace_back(one);
                return 0;
            },
            &inner);
        if (inner.size() != 1 || !inner[0].is("limit")) return std::nullopt;
        const auto limit = limit_of(inner[0]);
        return limit ? Maybe(UpdateRate{e.text(NFTNL_EXPR_DYNSET_SET_NAME), field, limit->rate, limit->burst})
                     : std::nullopt;
    }

    static std::optional<Limit> limit_of(const Expression& e) {
        if (e.u32(NFTNL_EXPR_LIMIT_TYPE) != NFT_LIMIT_PKTS || e.u32(NFTNL_EXPR_LIMIT_FLAGS) != 0) return std::nullopt;
        const std::uint64_t rate = e.u64(NFTNL_EXPR_LIMIT_RATE);
        if (rate > UINT32_MAX) return std::nullopt;
        for (const Rate::Unit unit : {Rate::Unit::second, Rate::Unit::minute, Rate::Unit::hour, Rate::Unit::day})
            if (e.u64(NFTNL_EXPR_LIMIT_UNIT) == seconds_of(unit))
                return Limit{{static_cast<std::uint32_t>(rate), unit}, e.u32(NFTNL_EXPR_LIMIT_BURST)};
        return std::nullopt;
    }

    // ---- what uses nothing -------------------------------------------------------------------------------------------

    Maybe plain() {
        const Expression* e = peek();
        if (e->is("rt")) return clamp();
        ++at_;
        if (e->is("immediate")) return verdict(*e);
        if (e->is("counter")) return Count{e->u64(NFTNL_EXPR_CTR_PACKETS), e->u64(NFTNL_EXPR_CTR_BYTES)};
        if (e->is("limit")) {
            const auto limit = limit_of(*e);
            return limit ? Maybe(*limit) : std::nullopt;
        }
        if (e->is("log")) return log(*e);
        if (e->is("masq")) {
            const bool bare = e->u32(NFTNL_EXPR_MASQ_FLAGS) == 0 && !e->has(NFTNL_EXPR_MASQ_REG_PROTO_MIN);
            return bare ? Maybe(Masquerade{}) : std::nullopt;
        }
        const bool refusal = e->is("reject") && e->u32(NFTNL_EXPR_REJECT_TYPE) == NFT_REJECT_ICMPX_UNREACH &&
                             e->u8(NFTNL_EXPR_REJECT_CODE) == NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
        return refusal ? Maybe(Reject{}) : std::nullopt;
    }

    static Maybe verdict(const Expression& e) {
        if (e.u32(NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT || e.has(NFTNL_EXPR_IMM_CHAIN_ID)) return std::nullopt;
        switch (static_cast<std::int32_t>(e.u32(NFTNL_EXPR_IMM_VERDICT))) {
            case NF_ACCEPT: return Accept{};
            case NF_DROP: return Drop{};
            case NFT_RETURN: return Return{};
            case NFT_JUMP: return Jump{e.text(NFTNL_EXPR_IMM_CHAIN)};
            case NFT_GOTO: return Goto{e.text(NFTNL_EXPR_IMM_CHAIN)};
            default: return std::nullopt;
        }
    }

    static Maybe log(const Expression& e) {
        const std::string prefix = e.text(NFTNL_EXPR_LOG_PREFIX);
        if (e.has(NFTNL_EXPR_LOG_GROUP)) {
            // Sizes of 0 are those that nobody asked for.
            const bool bare = e.u32(NFTNL_EXPR_LOG_SNAPLEN) == 0 && e.u16(NFTNL_EXPR_LOG_QTHRESHOLD) == 0 &&
                              !e.has(NFTNL_EXPR_LOG_LEVEL);
            return bare ? Maybe(LogPacket{prefix, e.u16(NFTNL_EXPR_LOG_GROUP)}) : std::nullopt;
        }
        const bool info = e.u32(NFTNL_EXPR_LOG_LEVEL) == log_level_info && e.u32(NFTNL_EXPR_LOG_FLAGS) == 0;
        return info ? Maybe(LogPacket{prefix, std::nullopt}) : std::nullopt;
    }

    Maybe clamp() {
        const Expression* mtu = take("rt");
        const bool reads = protocol_ == L4::tcp && mtu->u32(NFTNL_EXPR_RT_KEY) == NFT_RT_TCPMSS &&
                           offset_of(mtu->u32(NFTNL_EXPR_RT_DREG)) == 0U;
        const Expression* order = take("byteorder");
        if (!reads || order == nullptr || offset_of(order->u32(NFTNL_EXPR_BYTEORDER_SREG)) != 0U ||
            offset_of(order->u32(NFTNL_EXPR_BYTEORDER_DREG)) != 0U ||
            order->u32(NFTNL_EXPR_BYTEORDER_OP) != NFT_BYTEORDER_HTON || order->u32(NFTNL_EXPR_BYTEORDER_LEN) != 2 ||
            order->u32(NFTNL_EXPR_BYTEORDER_SIZE) != 2)
            return std::nullopt;
        const Expression* option = take("exthdr");
        const bool writes =
            option != nullptr && offset_of(option->u32(NFTNL_EXPR_EXTHDR_SREG)) == 0U &&
            option->has(NFTNL_EXPR_EXTHDR_SREG) && option->u8(NFTNL_EXPR_EXTHDR_TYPE) == tcp_option_mss &&
            option->u32(NFTNL_EXPR_EXTHDR_OFFSET) == tcp_option_mss_offset && option->u32(NFTNL_EXPR_EXTHDR_LEN) == 2 &&
            option->u32(NFTNL_EXPR_EXTHDR_OP) == NFT_EXTHDR_OP_TCPOPT && option->u32(NFTNL_EXPR_EXTHDR_FLAGS) == 0;
        return writes ? Maybe(ClampMss{}) : std::nullopt;
    }

    // As libnftnl words it: "[ payload load 2b @ transport header + 0 => reg 1 ] [ cmp eq reg 1 0x00001600 ]".
    [[nodiscard]] std::string text_from(std::size_t from) const {
        std::string out;
        for (std::size_t i = from; i < expressions_.size(); ++i) {
            std::array<char, 512> text{};
            nftnl_expr_snprintf(text.data(), text.size(), expressions_[i].get(), NFTNL_OUTPUT_DEFAULT, 0);
            out += fmt::format("{}[ {} {}]", out.empty() ? "" : " ",
                               nftnl_expr_get_str(expressions_[i].get(), NFTNL_EXPR_NAME), text.data());
        }
        return out;
    }

    std::vector<Expression> expressions_;
    const FindAnonymous& find_;
    std::size_t at_ = 0;
    std::optional<Family> family_;
    std::optional<L4> protocol_;
};

// The comment that nft and policyc keep in a rule's user data: a type, a length, a text with its NUL. Nothing where it is not that alone.
std::optional<std::string> comment_of(std::string_view data) {
    if (data.empty()) return "";
    if (data.size() < 3 || data[0] != NFTNL_UDATA_RULE_COMMENT ||
        static_cast<unsigned char>(data[1]) != data.size() - 2 || data.back() != '\0')
        return std::nullopt;
    const std::string_view text = data.substr(2, data.size() - 3);
    return text.find('\0') == std::string_view::npos ? std::optional(std::string(text)) : std::nullopt;
}

}  // namespace

Rule decode_rule(const nftnl_rule& rule, const FindAnonymous& find) {
    std::vector<Expression> expressions;
    nftnl_expr_foreach(
        const_cast<nftnl_rule*>(&rule),
        [](nftnl_expr* one, void* out) {
            static_cast<std::vector<Expression>*>(out)->emplace_back(one);
            return 0;
        },
        &expressions);
    Rule out{.statements = Reader(std::move(expressions), find).read(), .comment = {}, .span = {}};
    if (nftnl_rule_is_set(&rule, NFTNL_RULE_HANDLE)) out.handle = nftnl_rule_get_u64(&rule, NFTNL_RULE_HANDLE);
    std::string_view data;
    if (nftnl_rule_is_set(&rule, NFTNL_RULE_USERDATA)) {
        std::uint32_t bytes = 0;
        const void* bytes_of_data = nftnl_rule_get_data(&rule, NFTNL_RULE_USERDATA, &bytes);
        data = {static_cast<const char*>(bytes_of_data), bytes};
    }
    const auto comment = comment_of(data);
    if (comment)
        out.comment = *comment;
    else
        out.statements.emplace_back(Unknown{"user data that is no comment"});
    if (nftnl_rule_is_set(&rule, NFTNL_RULE_COMPAT_PROTO)) out.statements.emplace_back(Unknown{"a match of iptables"});
    return out;
}

}  // namespace policyc::netlink
