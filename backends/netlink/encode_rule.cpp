// Statements to expressions: one to six for each; entry point encode_rule(). What an expression expects of the packet (`ip saddr` an IPv4
// header) is matched before it where the rule has not done so yet, as nft does.
#include "backends/netlink/encode_rule.h"

#include <libnftnl/udata.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "backends/netlink/words.h"

namespace policyc::netlink {

namespace {

using namespace ir;

constexpr std::uint32_t register_size = 16;   // NFT_REG_1 to NFT_REG_4
constexpr std::uint32_t register32_size = 4;  // NFT_REG32_00 and on, in the same bytes

std::uint32_t register_at(std::uint32_t offset) {
    return offset % register_size == 0 ? NFT_REG_1 + offset / register_size : NFT_REG32_00 + offset / register32_size;
}

class Expressions {
public:
    Expressions(nftnl_rule& rule, std::vector<Anonymous>& sets, std::uint32_t& next_id)
        : rule_(rule), sets_(sets), next_id_(next_id) {}

    bool operator()(const Lookup& s) {
        load_all(s.fields);
        nftnl_expr* e = add("lookup");
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
        nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, s.set.c_str());
        if (s.negate) nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        return true;
    }
    bool operator()(const MatchPort& s) {
        load_all({s.field});
        const std::uint16_t port = htons(s.value);
        compare(NFT_CMP_EQ, &port, sizeof port);
        return true;
    }
    bool operator()(const MatchName& s) {
        load_all({s.field});
        std::array<char, 16> name{};
        s.value.copy(name.data(), name.size() - 1);
        compare(s.negate ? NFT_CMP_NEQ : NFT_CMP_EQ, name.data(), name.size());
        return true;
    }
    bool operator()(const MatchL4& s) {
        match_protocol(s.protocol);
        return true;
    }
    bool operator()(const MatchFamily& s) {
        match_family(s.family);
        return true;
    }
    bool operator()(const MatchState& s) {
        const std::uint32_t bits = (s.invalid ? state_invalid : 0U) | (s.established ? state_established : 0U) |
                                   (s.related ? state_related : 0U) | (s.fresh ? state_new : 0U) |
                                   (s.untracked ? state_untracked : 0U);
        load_ct(NFT_CT_STATE);
        any_bit(bits);
        return true;
    }
    bool operator()(const MatchDnat&) {
        load_ct(NFT_CT_STATUS);
        any_bit(status_dnat);
        return true;
    }
    bool operator()(const MatchConfirmed&) {
        load_ct(NFT_CT_STATUS);
        any_bit(status_confirmed);
        return true;
    }
    bool operator()(const MatchAssured&) {
        load_ct(NFT_CT_STATUS);
        const std::uint32_t mask = status_assured | status_dnat;
        mask_with(&mask, sizeof mask);
        compare(NFT_CMP_EQ, &status_assured, sizeof status_assured);
        return true;
    }
    bool operator()(const MatchReply& s) {
        load_ct(NFT_CT_DIRECTION);
        const std::uint8_t direction = s.reply ? 1 : 0;  // IP_CT_DIR_REPLY
        compare(NFT_CMP_EQ, &direction, sizeof direction);
        return true;
    }
    bool operator()(const MatchIcmp& s) {
        need(s.family);
        need(s.family == Family::ipv4 ? L4::icmp : L4::icmpv6);
        load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, icmp_type_offset, 1, 0);
        if (s.types.size() == 1) {
            compare(NFT_CMP_EQ, s.types.data(), 1);
            return true;
        }
        sets_.push_back({next_id_++, s.family, s.types});
        nftnl_expr* e = add("lookup");
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
        nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "__set%d");
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, sets_.back().id);
        return true;
    }
    bool operator()(const MatchHopLimit& s) {
        need(Family::ipv6);
        load_payload(NFT_PAYLOAD_NETWORK_HEADER, hop_limit_offset, 1, 0);
        compare(NFT_CMP_EQ, &s.value, 1);
        return true;
    }
    bool operator()(const MatchSyn& s) {
        need(L4::tcp);
        load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, tcp_flags_offset, 1, 0);
        const std::uint8_t mask = tcp_syn | tcp_rst;
        mask_with(&mask, 1);
        compare(s.negate ? NFT_CMP_NEQ : NFT_CMP_EQ, &tcp_syn, 1);
        return true;
    }
    bool operator()(const ClampMss&) {
        need(L4::tcp);
        nftnl_expr* e = add("rt");
        nftnl_expr_set_u32(e, NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS);
        nftnl_expr_set_u32(e, NFTNL_EXPR_RT_DREG, NFT_REG_1);
        e = add("byteorder");
        nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_LEN, 2);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SIZE, 2);
        e = add("exthdr");
        nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_SREG, NFT_REG_1);
        nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, tcp_option_mss);
        nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OFFSET, tcp_option_mss_offset);
        nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_LEN, 2);
        nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
        return true;
    }
    bool operator()(const Limit& s) {
        fill_limit(add("limit"), s.rate, s.burst);
        return true;
    }
    bool operator()(const UpdateRate& s) {
        load_all({s.field});
        nftnl_expr* e = add("dynset");
        nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, s.set.c_str());
        Owned<nftnl_expr> limit = owned(nftnl_expr_alloc("limit"));
        fill_limit(limit.get(), s.rate, s.burst);
        nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPR, limit.release());
        return true;
    }
    bool operator()(const LogPacket& s) {
        nftnl_expr* e = add("log");
        nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, log_prefix(s.prefix).c_str());
        if (s.group) {
            nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, *s.group);
        } else {
            nftnl_expr_set_u32(e, NFTNL_EXPR_LOG_LEVEL, log_level_info);
        }
        return true;
    }
    bool operator()(const Count& s) {
        nftnl_expr* e = add("counter");
        nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_PACKETS, s.packets);
        nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_BYTES, s.bytes);
        return true;
    }
    bool operator()(const CountByMap& s) {
        load_all(s.fields);
        nftnl_expr* e = add("objref");
        nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_SREG, NFT_REG_1);
        nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_SET_NAME, s.map.c_str());
        return true;
    }
    bool operator()(const LookupVerdict& s) {
        load_all(s.fields);
        nftnl_expr* e = add("lookup");
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, s.map.c_str());
        return true;
    }
    bool operator()(const Accept&) { return verdict(NF_ACCEPT); }
    bool operator()(const Drop&) { return verdict(NF_DROP); }
    bool operator()(const Return&) { return verdict(NFT_RETURN); }
    bool operator()(const Jump& s) { return verdict(NFT_JUMP, &s.chain); }
    bool operator()(const Goto& s) { return verdict(NFT_GOTO, &s.chain); }
    bool operator()(const Reject&) {
        nftnl_expr* e = add("reject");
        nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
        nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
        return true;
    }
    bool operator()(const Masquerade&) {
        add("masq");
        return true;
    }
    bool operator()(const Unknown&) { return false; }

private:
    // The rule owns its expressions.
    nftnl_expr* add(const char* name) {
        nftnl_expr* expression = owned(nftnl_expr_alloc(name)).release();
        nftnl_rule_add_expr(&rule_, expression);
        return expression;
    }

    void need(Family family) {
        if (family_ != family) match_family(family);
    }
    void need(L4 protocol) {
        if (protocol_ != protocol) match_protocol(protocol);
    }

    void match_family(Family family) {
        load_meta(NFT_META_NFPROTO, 0);
        const std::uint8_t number = family_number(family);
        compare(NFT_CMP_EQ, &number, 1);
        family_ = family;
    }
    void match_protocol(L4 protocol) {
        load_meta(NFT_META_L4PROTO, 0);
        const std::uint8_t number = protocol_number(protocol);
        compare(NFT_CMP_EQ, &number, 1);
        protocol_ = protocol;
    }

    // Fields side by side in registers, each from a new one on.
    void load_all(const std::vector<Field>& fields) {
        for (const Field field : fields) {
            const Load load = load_of(field);
            if (load.family) need(*load.family);
            if (load.protocol) need(*load.protocol);
        }
        std::uint32_t offset = 0;
        for (const Field field : fields) {
            const Load load = load_of(field);
            switch (load.from) {
                case Load::From::meta: load_meta(load.key, offset); break;
                case Load::From::ct_original: load_ct(load.key, offset, true); break;
                case Load::From::payload: load_payload(load.key, load.offset, load.length, offset); break;
            }
            offset += (load.length + register32_size - 1) / register32_size * register32_size;
        }
    }

    void load_meta(std::uint32_t key, std::uint32_t to) {
        nftnl_expr* e = add("meta");
        nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
        nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, register_at(to));
    }
    void load_ct(std::uint32_t key, std::uint32_t to = 0, bool original = false) {
        nftnl_expr* e = add("ct");
        nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
        nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, register_at(to));
        if (original) nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, 0);  // IP_CT_DIR_ORIGINAL
    }
    void load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length, std::uint32_t to) {
        nftnl_expr* e = add("payload");
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, length);
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, register_at(to));
    }

    void compare(std::uint32_t op, const void* data, std::size_t bytes) {
        nftnl_expr* e = add("cmp");
        nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
        nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, static_cast<std::uint32_t>(bytes));
    }
    void mask_with(const void* mask, std::uint32_t bytes) {
        const std::uint32_t zero = 0;
        nftnl_expr* e = add("bitwise");
        nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, bytes);
        nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, bytes);
        nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, bytes);
    }
    void any_bit(std::uint32_t bits) {
        mask_with(&bits, sizeof bits);
        const std::uint32_t zero = 0;
        compare(NFT_CMP_NEQ, &zero, sizeof zero);
    }

    static void fill_limit(nftnl_expr* e, const Rate& rate, std::uint32_t burst) {
        nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, rate.count);
        nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, seconds_of(rate.unit));
        nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, burst);
        nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
        nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, 0);
    }

    bool verdict(int code, const std::string* chain = nullptr) {
        nftnl_expr* e = add("immediate");
        nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
        if (chain != nullptr) nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain->c_str());
        return true;
    }

    nftnl_rule& rule_;
    std::vector<Anonymous>& sets_;
    std::uint32_t& next_id_;
    std::optional<Family> family_;  // what the rule has matched so far
    std::optional<L4> protocol_;
};

struct FreeUserData {
    void operator()(nftnl_udata_buf* buffer) const { nftnl_udata_buf_free(buffer); }
};

}  // namespace

bool encode_rule(const Rule& rule, nftnl_rule& out, std::vector<Anonymous>& sets, std::uint32_t& next_id) {
    Expressions expressions(out, sets, next_id);
    for (const Statement& statement : rule.statements)
        if (!std::visit(expressions, statement)) return false;
    if (rule.comment.empty()) return true;
    const std::unique_ptr<nftnl_udata_buf, FreeUserData> data(nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN));
    if (!data) throw std::bad_alloc();
    nftnl_udata_put_strz(data.get(), NFTNL_UDATA_RULE_COMMENT, kernel_text(rule.comment, max_comment).c_str());
    nftnl_rule_set_data(&out, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data.get()), nftnl_udata_buf_len(data.get()));
    return true;
}

}  // namespace policyc::netlink
