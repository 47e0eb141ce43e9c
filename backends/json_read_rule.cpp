// Statements of a rule out of nft's JSON; entry point statement_of(). Each reader accepts exactly the shape that policyc writes: an attribute
// more or less, and the statement stays unknown.
#include "backends/json_read_rule.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace policyc {

using namespace ir;
using nlohmann::json;

namespace {

using Maybe = std::optional<Statement>;

bool has_exactly(const json& object, std::initializer_list<const char*> keys) {
    return object.is_object() && object.size() == keys.size() &&
           std::all_of(keys.begin(), keys.end(), [&](const char* key) { return object.contains(key); });
}

// The body of {"name": body}.
const json* body_of(const json& object, const char* name) {
    return has_exactly(object, {name}) ? &object[name] : nullptr;
}

struct Word {
    const char* text;
    unsigned number;
};

// linux/netfilter/nf_conntrack_common.h: bits of `ct state` as nft prints them; IPS_CONFIRMED, IPS_DST_NAT; IP_CT_DIR_*.
constexpr std::array<Word, 5> states{
    {{"invalid", 1}, {"established", 2}, {"related", 4}, {"new", 8}, {"untracked", 64}}};
constexpr std::array<Word, 2> statuses{{{"confirmed", 8}, {"dnat", 32}}};
constexpr std::array<Word, 2> directions{{{"original", 0}, {"reply", 1}}};
constexpr std::array<Word, 2> families{{{"ipv4", 2}, {"ipv6", 10}}};  // NFPROTO_*
constexpr std::array<Word, 5> protocols{
    {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"ipv6-icmp", 58}, {"icmpv6", 58}}};  // IPPROTO_*
constexpr std::array<Word, 6> tcp_flags{{{"fin", 1}, {"syn", 2}, {"rst", 4}, {"psh", 8}, {"ack", 16}, {"urg", 32}}};
constexpr std::array<Word, 5> icmp_types{{{"echo-reply", 0},
                                          {"destination-unreachable", 3},
                                          {"echo-request", 8},
                                          {"time-exceeded", 11},
                                          {"parameter-problem", 12}}};
constexpr std::array<Word, 10> icmpv6_types{{{"destination-unreachable", 1},
                                             {"packet-too-big", 2},
                                             {"time-exceeded", 3},
                                             {"parameter-problem", 4},
                                             {"echo-request", 128},
                                             {"echo-reply", 129},
                                             {"nd-router-solicit", 133},
                                             {"nd-router-advert", 134},
                                             {"nd-neighbor-solicit", 135},
                                             {"nd-neighbor-advert", 136}}};

template <std::size_t N>
std::optional<unsigned> number_of(const json& value, const std::array<Word, N>& words) {
    if (value.is_number_unsigned()) return value <= 65535 ? std::optional(value.get<unsigned>()) : std::nullopt;
    if (!value.is_string()) return std::nullopt;
    const auto& text = value.get_ref<const std::string&>();
    const auto found = std::find_if(words.begin(), words.end(), [&](const Word& word) { return text == word.text; });
    return found != words.end() ? std::optional(found->number) : std::nullopt;
}

// All bits of a word, a list of words, or {"|": [words]}.
template <std::size_t N>
std::optional<unsigned> bits_of(const json& value, const std::array<Word, N>& words) {
    const json* either = body_of(value, "|");
    const json& list = either != nullptr ? *either : value;
    if (!list.is_array()) return number_of(list, words);
    unsigned bits = 0;
    for (const json& item : list) {
        const auto bit = number_of(item, words);
        if (!bit) return std::nullopt;
        bits |= *bit;
    }
    return bits;
}

std::optional<std::uint16_t> small_number(const json& value) {
    if (!value.is_number_unsigned() || value > 65535) return std::nullopt;
    return value.get<std::uint16_t>();
}

std::optional<std::string> set_name(const json& value) {
    if (!value.is_string()) return std::nullopt;
    const auto& text = value.get_ref<const std::string&>();
    return text.size() > 1 && text[0] == '@' ? std::optional(text.substr(1)) : std::nullopt;
}

std::optional<std::string> attribute(const json& object, const char* key) {
    if (!object.contains(key) || !object[key].is_string()) return std::nullopt;
    return object[key].get<std::string>();
}

std::optional<Field> field_of(const json& left) {
    if (const json* meta = body_of(left, "meta"); meta != nullptr && has_exactly(*meta, {"key"})) {
        if ((*meta)["key"] == "iifname") return Field::iifname;
        if ((*meta)["key"] == "oifname") return Field::oifname;
    }
    struct Name {
        const char* protocol;
        const char* field;
        Field value;
    };
    if (const json* payload = body_of(left, "payload");
        payload != nullptr && has_exactly(*payload, {"protocol", "field"})) {
        static constexpr std::array<Name, 6> names{{{"ip", "saddr", Field::ip_saddr},
                                                    {"ip", "daddr", Field::ip_daddr},
                                                    {"ip6", "saddr", Field::ip6_saddr},
                                                    {"ip6", "daddr", Field::ip6_daddr},
                                                    {"tcp", "dport", Field::tcp_dport},
                                                    {"udp", "dport", Field::udp_dport}}};
        for (const Name& name : names) {
            if ((*payload)["protocol"] == name.protocol && (*payload)["field"] == name.field) return name.value;
        }
    }
    if (const json* ct = body_of(left, "ct"); ct != nullptr && has_exactly(*ct, {"key", "dir"})) {
        static constexpr std::array<Name, 5> names{{{"original", "ip saddr", Field::ct_saddr4},
                                                    {"original", "ip daddr", Field::ct_daddr4},
                                                    {"original", "ip6 saddr", Field::ct_saddr6},
                                                    {"original", "ip6 daddr", Field::ct_daddr6},
                                                    {"original", "proto-dst", Field::ct_proto_dst}}};
        for (const Name& name : names) {
            if ((*ct)["dir"] == name.protocol && (*ct)["key"] == name.field) return name.value;
        }
    }
    return std::nullopt;
}

std::vector<Field> fields_of(const json& left) {
    std::vector<Field> fields;
    if (const json* parts = body_of(left, "concat"); parts != nullptr && parts->is_array()) {
        for (const json& part : *parts) {
            const auto field = field_of(part);
            if (!field) return {};
            fields.push_back(*field);
        }
    } else if (const auto field = field_of(left)) {
        fields.push_back(*field);
    }
    return fields;
}

// A key that policyc has no Field for: {"meta": {"key": "nfproto"}} is `meta` and `nfproto`.
bool reads(const json& left, const char* what, const char* key) {
    const json* body = body_of(left, what);
    return body != nullptr && has_exactly(*body, {"key"}) && (*body)["key"] == key;
}

bool reads_payload(const json& left, const char* protocol, const char* field) {
    const json* body = body_of(left, "payload");
    return body != nullptr && has_exactly(*body, {"protocol", "field"}) && (*body)["protocol"] == protocol &&
           (*body)["field"] == field;
}

template <std::size_t N>
Maybe icmp(Family family, const json& right, const std::array<Word, N>& words) {
    MatchIcmp out{.family = family, .types = {}};
    const json* set = body_of(right, "set");
    const json list = set == nullptr ? json::array({right}) : set->is_array() ? *set : json::array({*set});
    for (const json& item : list) {
        const auto type = number_of(item, words);
        if (!type || *type > UINT8_MAX) return std::nullopt;
        out.types.push_back(static_cast<std::uint8_t>(*type));
    }
    std::sort(out.types.begin(), out.types.end());
    return out;
}

Maybe match_bits(const json& left, const json& right) {
    if (reads(left, "ct", "status")) {
        const auto bits = bits_of(right, statuses);
        if (bits == 8U) return MatchConfirmed{};
        return bits == 32U ? Maybe(MatchDnat{}) : std::nullopt;
    }
    if (!reads(left, "ct", "state")) return std::nullopt;
    const auto bits = bits_of(right, states);
    if (!bits || *bits == 0 || (*bits & ~79U) != 0) return std::nullopt;
    return MatchState{.invalid = (*bits & 1U) != 0,
                      .established = (*bits & 2U) != 0,
                      .related = (*bits & 4U) != 0,
                      .fresh = (*bits & 8U) != 0,
                      .untracked = (*bits & 64U) != 0};
}

Maybe match_l4(const json& right) {
    switch (number_of(right, protocols).value_or(0)) {
        case 1: return MatchL4{L4::icmp};
        case 6: return MatchL4{L4::tcp};
        case 17: return MatchL4{L4::udp};
        case 58: return MatchL4{L4::icmpv6};
        default: return std::nullopt;
    }
}

Maybe match_equal(const json& left, const json& right) {
    if (reads(left, "meta", "l4proto")) return match_l4(right);
    if (reads(left, "meta", "nfproto")) {
        const auto number = number_of(right, families);
        if (number != 2U && number != 10U) return std::nullopt;
        return MatchFamily{number == 2U ? Family::ipv4 : Family::ipv6};
    }
    if (reads(left, "ct", "direction")) {
        const auto number = number_of(right, directions);
        return number && *number <= 1 ? Maybe(MatchReply{*number == 1}) : std::nullopt;
    }
    if (reads_payload(left, "icmp", "type")) return icmp(Family::ipv4, right, icmp_types);
    if (reads_payload(left, "icmpv6", "type")) return icmp(Family::ipv6, right, icmpv6_types);
    if (reads_payload(left, "ip6", "hoplimit")) {
        const auto value = small_number(right);
        return value && *value <= UINT8_MAX ? Maybe(MatchHopLimit{static_cast<std::uint8_t>(*value)}) : std::nullopt;
    }
    if (const json* masked = body_of(left, "&"); masked != nullptr && masked->is_array() && masked->size() == 2) {
        const bool syn_and_rst = reads_payload((*masked)[0], "tcp", "flags") && bits_of((*masked)[1], tcp_flags) == 6U;
        return syn_and_rst && bits_of(right, tcp_flags) == 2U ? Maybe(MatchSyn{}) : std::nullopt;
    }
    return std::nullopt;
}

Maybe match(const json& body) {
    if (!has_exactly(body, {"op", "left", "right"})) return std::nullopt;
    const json& left = body["left"];
    const json& right = body["right"];
    if (body["op"] == "in") return match_bits(left, right);
    const bool negate = body["op"] == "!=";
    if (!negate && body["op"] != "==") return std::nullopt;

    if (const std::vector<Field> fields = fields_of(left); !fields.empty()) {
        if (auto set = set_name(right)) return Lookup{fields, *std::move(set), negate};
        if (fields.size() > 1) return std::nullopt;
        if (fields[0] == Field::iifname || fields[0] == Field::oifname) {
            auto name = right.is_string() ? interface_of(right.get<std::string>()) : std::nullopt;
            return name ? Maybe(MatchName{fields[0], *std::move(name), negate}) : std::nullopt;
        }
        const auto port = small_number(right);
        const bool of_port =
            fields[0] == Field::ct_proto_dst || fields[0] == Field::tcp_dport || fields[0] == Field::udp_dport;
        return port && of_port && !negate ? Maybe(MatchPort{fields[0], *port}) : std::nullopt;
    }
    return negate ? std::nullopt : match_equal(left, right);
}

std::optional<Limit> limit(const json& body) {
    if (!has_exactly(body, {"rate", "burst", "per"}) || !body["rate"].is_number_unsigned() ||
        !body["burst"].is_number_unsigned())
        return std::nullopt;
    if (body["rate"] > UINT32_MAX || body["burst"] > UINT32_MAX) return std::nullopt;
    Limit out{.rate = {body["rate"].get<std::uint32_t>(), {}}, .burst = body["burst"].get<std::uint32_t>()};
    const json& per = body["per"];
    if (per == "second")
        out.rate.unit = Rate::Unit::second;
    else if (per == "minute")
        out.rate.unit = Rate::Unit::minute;
    else if (per == "hour")
        out.rate.unit = Rate::Unit::hour;
    else if (per == "day")
        out.rate.unit = Rate::Unit::day;
    else
        return std::nullopt;
    return out;
}

Maybe update(const json& body) {
    if (!has_exactly(body, {"op", "elem", "set", "stmt"}) || body["op"] != "update") return std::nullopt;
    const auto field = field_of(body["elem"]);
    const auto set = set_name(body["set"]);
    const json& statements = body["stmt"];
    if (!field || !set || !statements.is_array() || statements.size() != 1) return std::nullopt;
    const json* inner = body_of(statements[0], "limit");
    const auto rate = inner != nullptr ? limit(*inner) : std::nullopt;
    return rate ? Maybe(UpdateRate{*set, *field, rate->rate, rate->burst}) : std::nullopt;
}

Maybe log(const json& body) {
    const auto prefix = attribute(body, "prefix");
    if (!prefix) return std::nullopt;
    if (has_exactly(body, {"prefix", "level"}) && body["level"] == "info") return LogPacket{*prefix, std::nullopt};
    const auto group = has_exactly(body, {"prefix", "group"}) ? small_number(body["group"]) : std::nullopt;
    return group ? Maybe(LogPacket{*prefix, group}) : std::nullopt;
}

Maybe counter(const json& body) {
    if (body.is_null()) return Count{};
    if (has_exactly(body, {"packets", "bytes"}) && body["packets"].is_number_unsigned() &&
        body["bytes"].is_number_unsigned())
        return Count{body["packets"].get<std::uint64_t>(), body["bytes"].get<std::uint64_t>()};
    const json* map = body_of(body, "map");
    if (map == nullptr || !has_exactly(*map, {"key", "data"})) return std::nullopt;
    std::vector<Field> fields = fields_of((*map)["key"]);
    const auto name = set_name((*map)["data"]);
    return !fields.empty() && name ? Maybe(CountByMap{std::move(fields), *name}) : std::nullopt;
}

Maybe reject(const json& body) {
    if (!has_exactly(body, {"type", "expr"}) || body["type"] != "icmpx") return std::nullopt;
    // NFT_REJECT_ICMPX_ADMIN_PROHIBITED
    return body["expr"] == "admin-prohibited" || body["expr"] == 3 ? Maybe(Reject{}) : std::nullopt;
}

Maybe mangle(const json& body) {
    static const json clamp =
        json::parse(R"({"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": {"rt": {"key": "mtu"}}})");
    return body == clamp ? Maybe(ClampMss{}) : std::nullopt;
}

template <typename T>
Maybe plain(const json& body) {
    return body.is_null() ? Maybe(T{}) : std::nullopt;
}

template <typename T>
Maybe to_chain(const json& body) {
    const auto target = has_exactly(body, {"target"}) ? attribute(body, "target") : std::nullopt;
    return target ? Maybe(T{*target}) : std::nullopt;
}

}  // namespace

std::optional<std::string> interface_of(const std::string& text) {
    if (!text.ends_with('*')) return text;
    if (!text.ends_with("\\*")) return std::nullopt;
    return text.substr(0, text.size() - 2) + '*';
}

Statement statement_of(const json& object) {
    struct Reader {
        const char* name;
        Maybe (*read)(const json&);
    };
    static constexpr std::array<Reader, 13> readers{{
        {"match", match},
        {"limit", [](const json& body) -> Maybe { return limit(body); }},
        {"set", update},
        {"log", log},
        {"counter", counter},
        {"accept", plain<Accept>},
        {"drop", plain<Drop>},
        {"return", plain<Return>},
        {"masquerade", plain<Masquerade>},
        {"reject", reject},
        {"mangle", mangle},
        {"jump", to_chain<Jump>},
        {"goto", to_chain<Goto>},
    }};
    for (const Reader& reader : readers) {
        if (const json* body = body_of(object, reader.name)) {
            if (Maybe statement = reader.read(*body)) return *std::move(statement);
        }
    }
    return Unknown{object.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace policyc
