// JSON to statements and bounds; entry points statement_in() and bounds_in(). Forms are those of libnftables-json(5).
#include "backends/read_expression.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "backends/read_words.h"

namespace policyc {

using namespace ir;
using Json = nlohmann::json;

bool has_just(const Json& value, std::initializer_list<const char*> keys) {
    return value.is_object() && value.size() == keys.size() &&
           std::ranges::all_of(keys, [&](const char* key) { return value.contains(key); });
}

const Json* only(const Json& value, const char* key) {
    return has_just(value, {key}) ? &*value.begin() : nullptr;
}

const std::string* text_in(const Json& value) {
    return value.get_ptr<const std::string*>();
}

std::optional<std::uint64_t> number_in(const Json& value, std::uint64_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) return std::nullopt;
    return value.get<std::uint64_t>();
}

std::optional<std::string> reference_in(const Json& value) {
    const std::string* text = text_in(value);
    if (text == nullptr || !text->starts_with('@') || !is_identifier(std::string_view(*text).substr(1)))
        return std::nullopt;
    return text->substr(1);
}

namespace {

// ---- statements without anything of their own --------------------------------------------------------------------------

const std::vector<std::pair<Json, Statement>>& fixed_statements() {
    static const std::vector<std::pair<Json, Statement>> all = [] {
        std::vector<std::pair<Json, Statement>> made;
        const auto add = [&made](const char* text, Statement statement) {
            made.emplace_back(Json::parse(text), std::move(statement));
        };
        add(R"({"accept": null})", Accept{});
        add(R"({"drop": null})", Drop{});
        add(R"({"return": null})", Return{});
        add(R"({"masquerade": null})", Masquerade{});
        add(R"({"reject": {"type": "icmpx", "expr": "admin-prohibited"}})", Reject{});
        add(R"({"mangle": {"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": {"rt": {"key": "mtu"}}}})",
            ClampMss{});
        return made;
    }();
    return all;
}

// ---- what is read from the packet --------------------------------------------------------------------------------------

struct Read {
    Json expression;
    Field field;
};

const std::vector<Read>& known_fields() {
    static const std::vector<Read> all = [] {
        std::vector<Read> made;
        const auto add = [&made](const char* text, Field field) { made.push_back({Json::parse(text), field}); };
        add(R"({"ct": {"key": "ip saddr", "dir": "original"}})", Field::ct_saddr4);
        add(R"({"ct": {"key": "ip daddr", "dir": "original"}})", Field::ct_daddr4);
        add(R"({"ct": {"key": "proto-dst", "dir": "original"}})", Field::ct_proto_dst);
        add(R"({"ct": {"key": "ip6 saddr", "dir": "original"}})", Field::ct_saddr6);
        add(R"({"ct": {"key": "ip6 daddr", "dir": "original"}})", Field::ct_daddr6);
        add(R"({"meta": {"key": "iifname"}})", Field::iifname);
        add(R"({"meta": {"key": "oifname"}})", Field::oifname);
        add(R"({"payload": {"protocol": "ip", "field": "saddr"}})", Field::ip_saddr);
        add(R"({"payload": {"protocol": "ip", "field": "daddr"}})", Field::ip_daddr);
        add(R"({"payload": {"protocol": "ip6", "field": "saddr"}})", Field::ip6_saddr);
        add(R"({"payload": {"protocol": "ip6", "field": "daddr"}})", Field::ip6_daddr);
        add(R"({"payload": {"protocol": "tcp", "field": "sport"}})", Field::tcp_sport);
        add(R"({"payload": {"protocol": "tcp", "field": "dport"}})", Field::tcp_dport);
        add(R"({"payload": {"protocol": "udp", "field": "sport"}})", Field::udp_sport);
        add(R"({"payload": {"protocol": "udp", "field": "dport"}})", Field::udp_dport);
        return made;
    }();
    return all;
}

std::optional<Field> field_in(const Json& value) {
    const auto found = std::ranges::find(known_fields(), value, &Read::expression);
    if (found == known_fields().end()) return std::nullopt;
    return found->field;
}

// One field, or several in a concat. Empty where it is something else.
std::vector<Field> fields_in(const Json& value) {
    const Json* parts = only(value, "concat");
    if (parts == nullptr) {
        const auto field = field_in(value);
        return field ? std::vector{*field} : std::vector<Field>{};
    }
    std::vector<Field> fields;
    if (!parts->is_array() || parts->size() < 2) return fields;
    for (const Json& part : *parts) {
        const auto field = field_in(part);
        if (!field) return {};
        fields.push_back(*field);
    }
    return fields;
}

// ---- matches -------------------------------------------------------------------------------------------------------------

bool takes_port(Field field) {
    switch (field) {
        case Field::ct_proto_dst:
        case Field::tcp_dport:
        case Field::udp_dport:
        case Field::tcp_sport:
        case Field::udp_sport: return true;
        case Field::iifname:
        case Field::oifname:
        case Field::ip_saddr:
        case Field::ip_daddr:
        case Field::ip6_saddr:
        case Field::ip6_daddr:
        case Field::ct_saddr4:
        case Field::ct_daddr4:
        case Field::ct_saddr6:
        case Field::ct_daddr6: return false;
    }
    return false;
}

// A text that begins with @ is a set, whatever it is compared with.
std::optional<Statement> match_of_fields(const std::vector<Field>& fields, bool negate, const Json& right) {
    if (const auto set = reference_in(right)) return Lookup{fields, *set, negate};
    if (fields.size() != 1) return std::nullopt;
    if (takes_port(fields[0])) {
        const auto port = number_in(right, UINT16_MAX);
        if (!port || negate) return std::nullopt;
        return MatchPort{fields[0], static_cast<std::uint16_t>(*port)};
    }
    const std::string* text = text_in(right);
    if (text == nullptr || text->starts_with('@') || (fields[0] != Field::iifname && fields[0] != Field::oifname))
        return std::nullopt;
    if (const auto name = interface_of_text(*text)) return MatchName{fields[0], *name, negate};
    return std::nullopt;
}

std::optional<Statement> match_of_states(const Json& right) {
    MatchState match;
    if (const std::string* one = text_in(right)) {
        if (!set_state(match, *one)) return std::nullopt;
        return match;
    }
    if (!right.is_array() || right.empty()) return std::nullopt;
    for (const Json& state : right) {
        const std::string* word = text_in(state);
        if (word == nullptr || !set_state(match, *word)) return std::nullopt;
    }
    return match;
}

std::optional<Statement> match_of_icmp(Family family, const Json& right) {
    MatchIcmp match{family, {}};
    const Json* set = only(right, "set");
    if (set != nullptr && (!set->is_array() || set->empty())) return std::nullopt;
    for (const Json& one : set != nullptr ? *set : Json::array({right})) {
        const auto type = number_in(one, UINT8_MAX);
        if (!type || (!match.types.empty() && *type <= match.types.back())) return std::nullopt;
        match.types.push_back(static_cast<std::uint8_t>(*type));
    }
    return match;
}

// {"meta": {"key": "l4proto"}} and its like, without a direction.
std::string key_of(const Json& left, const char* kind) {
    const Json* inner = only(left, kind);
    const Json* key = inner != nullptr ? only(*inner, "key") : nullptr;
    const std::string* word = key != nullptr ? text_in(*key) : nullptr;
    return word != nullptr ? *word : std::string{};
}

std::optional<Statement> match_of_word(const Json& left, const std::string& word) {
    const std::string of_packet = key_of(left, "meta");
    if (of_packet == "l4proto") {
        if (const auto protocol = protocol_of_word(word)) return MatchL4{*protocol};
        return std::nullopt;
    }
    if (of_packet == "nfproto") {
        if (const auto family = family_of_word(word)) return MatchFamily{*family};
        return std::nullopt;
    }
    if (key_of(left, "ct") == "direction" && (word == "reply" || word == "original"))
        return MatchReply{word == "reply"};
    static const Json answered = Json::parse(R"({"&": [{"ct": {"key": "status"}}, ["assured", "dnat"]]})");
    if (left == answered && word == "assured") return MatchAssured{};
    return std::nullopt;
}

std::optional<Statement> match_in(const Json& match) {
    if (!has_just(match, {"op", "left", "right"})) return std::nullopt;
    const Json& left = match["left"];
    const Json& right = match["right"];
    const Json& op = match["op"];
    if (op == "in") {
        const std::string key = key_of(left, "ct");
        if (key == "state") return match_of_states(right);
        if (key == "status" && right == "dnat") return MatchDnat{};
        if (key == "status" && right == "confirmed") return MatchConfirmed{};
        return std::nullopt;
    }
    if (op != "==" && op != "!=") return std::nullopt;
    const bool negate = op == "!=";
    if (const auto fields = fields_in(left); !fields.empty()) return match_of_fields(fields, negate, right);
    static const Json syn =
        Json::parse(R"({"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn", "rst"]]})");
    if (left == syn && right == "syn") return MatchSyn{negate};
    if (negate) return std::nullopt;
    static const Json icmp = Json::parse(R"({"payload": {"protocol": "icmp", "field": "type"}})");
    static const Json icmpv6 = Json::parse(R"({"payload": {"protocol": "icmpv6", "field": "type"}})");
    if (left == icmp) return match_of_icmp(Family::ipv4, right);
    if (left == icmpv6) return match_of_icmp(Family::ipv6, right);
    static const Json hop_limit = Json::parse(R"({"payload": {"protocol": "ip6", "field": "hoplimit"}})");
    if (left == hop_limit) {
        if (const auto value = number_in(right, UINT8_MAX)) return MatchHopLimit{static_cast<std::uint8_t>(*value)};
        return std::nullopt;
    }
    const std::string* word = text_in(right);
    return word != nullptr ? match_of_word(left, *word) : std::nullopt;
}

// ---- effects -------------------------------------------------------------------------------------------------------------

// By default a limit is about packets, and holds below the rate.
std::optional<Limit> limit_in(const Json& limit) {
    if (!has_just(limit, {"rate", "burst", "per"})) return std::nullopt;
    const auto count = number_in(limit["rate"], UINT32_MAX);
    const auto burst = number_in(limit["burst"], UINT32_MAX);
    const std::string* word = text_in(limit["per"]);
    const auto unit = word != nullptr ? unit_of_word(*word) : std::nullopt;
    if (!count || !burst || !unit) return std::nullopt;
    return Limit{{static_cast<std::uint32_t>(*count), *unit}, static_cast<std::uint32_t>(*burst)};
}

std::optional<Statement> update_in(const Json& update) {
    if (!has_just(update, {"op", "elem", "set", "stmt"}) || update["op"] != "update") return std::nullopt;
    const auto set = reference_in(update["set"]);
    const auto field = field_in(update["elem"]);
    const Json& inner = update["stmt"];
    if (!set || !field || !inner.is_array() || inner.size() != 1) return std::nullopt;
    const Json* body = only(inner[0], "limit");
    const auto limit = body != nullptr ? limit_in(*body) : std::nullopt;
    if (!limit) return std::nullopt;
    return UpdateRate{*set, *field, limit->rate, limit->burst};
}

std::optional<Statement> log_in(const Json& log) {
    const bool by_group = has_just(log, {"prefix", "group"});
    if (!by_group && !has_just(log, {"prefix", "level"})) return std::nullopt;
    const std::string* prefix = text_in(log["prefix"]);
    if (prefix == nullptr || !is_log_prefix(*prefix)) return std::nullopt;
    if (!by_group) {
        if (log["level"] != "info") return std::nullopt;
        return LogPacket{*prefix, std::nullopt};
    }
    const auto group = number_in(log["group"], UINT16_MAX);
    if (!group) return std::nullopt;
    return LogPacket{*prefix, static_cast<std::uint16_t>(*group)};
}

std::optional<Statement> counter_in(const Json& counter) {
    if (has_just(counter, {"packets", "bytes"})) {
        const auto packets = number_in(counter["packets"], UINT64_MAX);
        const auto bytes = number_in(counter["bytes"], UINT64_MAX);
        if (!packets || !bytes) return std::nullopt;
        return Count{*packets, *bytes};
    }
    const Json* map = only(counter, "map");
    if (map == nullptr || !has_just(*map, {"key", "data"})) return std::nullopt;
    const auto fields = fields_in((*map)["key"]);
    const auto name = reference_in((*map)["data"]);
    if (fields.empty() || !name) return std::nullopt;
    return CountByMap{fields, *name};
}

std::optional<Statement> verdict_map_in(const Json& vmap) {
    if (!has_just(vmap, {"key", "data"})) return std::nullopt;
    const auto fields = fields_in(vmap["key"]);
    const auto name = reference_in(vmap["data"]);
    if (fields.empty() || !name) return std::nullopt;
    return LookupVerdict{fields, *name};
}

const std::string* target_in(const Json& jump) {
    const Json* target = only(jump, "target");
    const std::string* chain = target != nullptr ? text_in(*target) : nullptr;
    return chain != nullptr && is_identifier(*chain) ? chain : nullptr;
}

}  // namespace

std::optional<Statement> statement_in(const Json& value) {
    if (const Json* match = only(value, "match")) return match_in(*match);
    if (const Json* counter = only(value, "counter")) return counter_in(*counter);
    if (const Json* vmap = only(value, "vmap")) return verdict_map_in(*vmap);
    if (const Json* set = only(value, "set")) return update_in(*set);
    if (const Json* log = only(value, "log")) return log_in(*log);
    if (const Json* body = only(value, "limit")) {
        if (const auto limit = limit_in(*body)) return *limit;
        return std::nullopt;
    }
    if (const Json* jump = only(value, "jump")) {
        if (const std::string* chain = target_in(*jump)) return Jump{*chain};
        return std::nullopt;
    }
    if (const Json* to = only(value, "goto")) {
        if (const std::string* chain = target_in(*to)) return Goto{*chain};
        return std::nullopt;
    }
    for (const auto& [form, statement] : fixed_statements())
        if (value == form) return statement;
    return std::nullopt;
}

namespace {

std::optional<u128> bound_in(const Json& value, Type type) {
    if (type == Type::inet_service) {
        if (const auto port = number_in(value, UINT16_MAX)) return *port;
        return std::nullopt;
    }
    const std::string* text = text_in(value);
    return text != nullptr ? bound_of_word(*text, type) : std::nullopt;
}

}  // namespace

std::optional<Elements::Bound> bounds_in(const Json& value, Type type, bool interval) {
    if (!value.is_object()) {
        if (const auto one = bound_in(value, type)) return Elements::Bound{*one, *one};
        return std::nullopt;
    }
    if (!interval) return std::nullopt;
    if (const Json* prefix = only(value, "prefix")) {
        if (!has_just(*prefix, {"addr", "len"})) return std::nullopt;
        const auto address = bound_in((*prefix)["addr"], type);
        const auto length = number_in((*prefix)["len"], 128);
        return address && length ? network_of(*address, *length, type) : std::nullopt;
    }
    const Json* range = only(value, "range");
    if (range == nullptr || !range->is_array() || range->size() != 2) return std::nullopt;
    const auto low = bound_in((*range)[0], type);
    const auto high = bound_in((*range)[1], type);
    if (!low || !high || *low > *high) return std::nullopt;
    return Elements::Bound{*low, *high};
}

}  // namespace policyc
