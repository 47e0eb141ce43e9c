// The words of nft(8) for fields, types and statements; entry points nft_word() and to_nft(Statement).
#include "backends/text_words.h"

#include <fmt/format.h>

#include <iterator>

namespace policyc {

using namespace ir;

std::string_view nft_word(Field field) {
    switch (field) {
        case Field::iifname: return "iifname";
        case Field::oifname: return "oifname";
        case Field::ip_saddr: return "ip saddr";
        case Field::ip_daddr: return "ip daddr";
        case Field::ip6_saddr: return "ip6 saddr";
        case Field::ip6_daddr: return "ip6 daddr";
        case Field::ct_saddr4: return "ct original ip saddr";
        case Field::ct_daddr4: return "ct original ip daddr";
        case Field::ct_saddr6: return "ct original ip6 saddr";
        case Field::ct_daddr6: return "ct original ip6 daddr";
        case Field::ct_proto_dst: return "ct original proto-dst";
        case Field::tcp_dport: return "tcp dport";
        case Field::udp_dport: return "udp dport";
        case Field::tcp_sport: return "tcp sport";
        case Field::udp_sport: return "udp sport";
    }
    return {};
}

std::string_view nft_word(Type type) {
    switch (type) {
        case Type::ipv4_addr: return "ipv4_addr";
        case Type::ipv6_addr: return "ipv6_addr";
        case Type::inet_service: return "inet_service";
        case Type::ifname: return "ifname";
    }
    return {};
}

std::string_view nft_word(L4 protocol) {
    switch (protocol) {
        case L4::tcp: return "tcp";
        case L4::udp: return "udp";
        case L4::icmp: return "icmp";
        case L4::icmpv6: return "ipv6-icmp";
    }
    return {};
}

std::string_view nft_word(Hook hook) {
    switch (hook) {
        case Hook::input: return "input";
        case Hook::forward: return "forward";
        case Hook::output: return "output";
        case Hook::postrouting: return "postrouting";
    }
    return {};
}

std::string_view nft_word(Rate::Unit unit) {
    switch (unit) {
        case Rate::Unit::second: return "second";
        case Rate::Unit::minute: return "minute";
        case Rate::Unit::hour: return "hour";
        case Rate::Unit::day: return "day";
    }
    return {};
}

void append_number(std::string& out, Type type, u128 value) {
    switch (type) {
        case Type::ipv4_addr: {
            const auto bits = static_cast<std::uint32_t>(value);
            fmt::format_to(std::back_inserter(out), "{}.{}.{}.{}", bits >> 24U, bits >> 16U & 255U, bits >> 8U & 255U,
                           bits & 255U);
            return;
        }
        case Type::ipv6_addr: out += to_string(Address{Family::ipv6, value}); return;
        case Type::inet_service:
            fmt::format_to(std::back_inserter(out), "{}", static_cast<std::uint16_t>(value));
            return;
        case Type::ifname: return;
    }
}

void append_field(std::string& out, const Elements& elements, std::size_t element, std::size_t field) {
    const Type type = elements.types()[field];
    if (type == Type::ifname) {
        out += interface_word(elements.name(element));
        return;
    }
    const Elements::Bound bound = elements.bound(element, field);
    append_number(out, type, bound.lo);
    if (bound.lo == bound.hi) return;
    if (type != Type::inet_service) {
        const Family family = type == Type::ipv4_addr ? Family::ipv4 : Family::ipv6;
        if (const auto length = prefix_length(Range{family, bound.lo, bound.hi})) {
            fmt::format_to(std::back_inserter(out), "/{}", *length);
            return;
        }
    }
    out += '-';
    append_number(out, type, bound.hi);
}

std::string interface_word(std::string_view name) {
    std::string out = "\"" + kernel_text(name, 15);
    if (out.back() == '*') out.insert(out.size() - 1, 1, '\\');
    return out + '"';
}

std::string remark(std::string_view text) {
    return kernel_text(text, max_comment);
}

namespace {

std::string fields_text(const std::vector<Field>& fields) {
    std::string out;
    for (const Field field : fields) {
        if (!out.empty()) out += " . ";
        out += nft_word(field);
    }
    return out;
}

std::string rate_text(const Rate& rate, std::uint32_t burst) {
    return fmt::format("limit rate {}/{} burst {} packets", rate.count, nft_word(rate.unit), burst);
}

struct StatementText {
    std::string operator()(const Lookup& s) const {
        return fmt::format("{} {}@{}", fields_text(s.fields), s.negate ? "!= " : "", s.set);
    }
    std::string operator()(const MatchPort& s) const { return fmt::format("{} {}", nft_word(s.field), s.value); }
    std::string operator()(const MatchName& s) const {
        return fmt::format("{} {}{}", nft_word(s.field), s.negate ? "!= " : "", interface_word(s.value));
    }
    std::string operator()(const MatchL4& s) const { return fmt::format("meta l4proto {}", nft_word(s.protocol)); }
    std::string operator()(const MatchFamily& s) const {
        return s.family == Family::ipv4 ? "meta nfproto ipv4" : "meta nfproto ipv6";
    }
    std::string operator()(const MatchState& s) const {
        std::string out;
        const auto bit = [&out](bool set, const char* word) {
            if (set) out += (out.empty() ? "" : ",") + std::string(word);
        };
        bit(s.invalid, "invalid");
        bit(s.established, "established");
        bit(s.related, "related");
        bit(s.fresh, "new");
        bit(s.untracked, "untracked");
        return "ct state " + out;
    }
    std::string operator()(const MatchDnat&) const { return "ct status dnat"; }
    std::string operator()(const MatchConfirmed&) const { return "ct status confirmed"; }
    std::string operator()(const MatchAssured&) const { return "ct status & (assured|dnat) == assured"; }
    std::string operator()(const MatchReply& s) const {
        return s.reply ? "ct direction reply" : "ct direction original";
    }
    std::string operator()(const MatchIcmp& s) const {
        const char* protocol = s.family == Family::ipv4 ? "icmp" : "icmpv6";
        if (s.types.size() == 1) return fmt::format("{} type {}", protocol, s.types[0]);
        return fmt::format("{} type {{ {} }}", protocol, fmt::join(s.types, ", "));
    }
    std::string operator()(const MatchHopLimit& s) const { return fmt::format("ip6 hoplimit {}", s.value); }
    std::string operator()(const MatchSyn& s) const {
        return s.negate ? "tcp flags & (syn|rst) != syn" : "tcp flags & (syn|rst) == syn";
    }
    std::string operator()(const ClampMss&) const { return "tcp option maxseg size set rt mtu"; }
    std::string operator()(const Limit& s) const { return rate_text(s.rate, s.burst); }
    std::string operator()(const UpdateRate& s) const {
        return fmt::format("update @{} {{ {} {} }}", s.set, nft_word(s.field), rate_text(s.rate, s.burst));
    }
    std::string operator()(const LogPacket& s) const {
        return fmt::format("log prefix \"{}\" {}", log_prefix(s.prefix),
                           s.group ? fmt::format("group {}", *s.group) : "level info");
    }
    std::string operator()(const Count& s) const {
        return s.packets == 0 && s.bytes == 0 ? "counter"
                                              : fmt::format("counter packets {} bytes {}", s.packets, s.bytes);
    }
    std::string operator()(const CountByMap& s) const {
        return fmt::format("counter name {} map @{}", fields_text(s.fields), s.map);
    }
    std::string operator()(const LookupVerdict& s) const {
        return fmt::format("{} vmap @{}", fields_text(s.fields), s.map);
    }
    std::string operator()(const Accept&) const { return "accept"; }
    std::string operator()(const Drop&) const { return "drop"; }
    std::string operator()(const Return&) const { return "return"; }
    std::string operator()(const Reject&) const { return "reject with icmpx admin-prohibited"; }
    std::string operator()(const Masquerade&) const { return "masquerade"; }
    std::string operator()(const Jump& s) const { return "jump " + s.chain; }
    std::string operator()(const Goto& s) const { return "goto " + s.chain; }
    std::string operator()(const Unknown& s) const { return s.text; }
};

}  // namespace

std::string value_text(const Ruleset& ruleset, const Set& set, std::size_t element) {
    const std::uint32_t value = set.elements.value(element);
    switch (set.map_to) {
        case MapTo::nothing: break;
        case MapTo::counter:
            return fmt::format("\"{}\"", value < ruleset.counters.size() ? ruleset.counters[value].name : "");
        case MapTo::verdict:
            if (value >= set.verdicts.size()) return {};
            return fmt::format("{} {}", set.verdicts[value].go ? "goto" : "jump", set.verdicts[value].chain);
    }
    return {};
}

std::string to_nft(const Statement& statement) {
    return std::visit(StatementText{}, statement);
}

}  // namespace policyc
