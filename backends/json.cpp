// Ruleset to the JSON of libnftables-json(5); entry point to_json(). Elements are written straight into the string: a document in memory of
// 10^6 of them would take a gigabyte.
#include "backends/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "backends/text_words.h"

namespace policyc {

using namespace ir;
using Json = nlohmann::ordered_json;

namespace {

Json field_json(Field field) {
    const auto payload = [](const char* protocol, const char* name) {
        return Json{{"payload", {{"protocol", protocol}, {"field", name}}}};
    };
    const auto original = [](const char* key) { return Json{{"ct", {{"key", key}, {"dir", "original"}}}}; };
    switch (field) {
        case Field::iifname: return {{"meta", {{"key", "iifname"}}}};
        case Field::oifname: return {{"meta", {{"key", "oifname"}}}};
        case Field::ip_saddr: return payload("ip", "saddr");
        case Field::ip_daddr: return payload("ip", "daddr");
        case Field::ip6_saddr: return payload("ip6", "saddr");
        case Field::ip6_daddr: return payload("ip6", "daddr");
        case Field::ct_saddr4: return original("ip saddr");
        case Field::ct_daddr4: return original("ip daddr");
        case Field::ct_saddr6: return original("ip6 saddr");
        case Field::ct_daddr6: return original("ip6 daddr");
        case Field::ct_proto_dst: return original("proto-dst");
        case Field::tcp_dport: return payload("tcp", "dport");
        case Field::udp_dport: return payload("udp", "dport");
        case Field::tcp_sport: return payload("tcp", "sport");
        case Field::udp_sport: return payload("udp", "sport");
    }
    return {};
}

Json fields_json(const std::vector<Field>& fields) {
    if (fields.size() == 1) return field_json(fields[0]);
    Json parts = Json::array();
    for (const Field field : fields) parts.push_back(field_json(field));
    return {{"concat", std::move(parts)}};
}

Json match(Json left, const char* op, Json right) {
    return {{"match", {{"op", op}, {"left", std::move(left)}, {"right", std::move(right)}}}};
}

Json limit_json(const Rate& rate, std::uint32_t burst) {
    return {{"limit", {{"rate", rate.count}, {"burst", burst}, {"per", nft_word(rate.unit)}}}};
}

std::string interface_text(const std::string& name) {
    std::string word = interface_word(name);
    return word.substr(1, word.size() - 2);
}

struct StatementJson {
    Json operator()(const Lookup& s) const { return match(fields_json(s.fields), s.negate ? "!=" : "==", "@" + s.set); }
    Json operator()(const MatchPort& s) const { return match(field_json(s.field), "==", s.value); }
    Json operator()(const MatchName& s) const {
        return match(field_json(s.field), s.negate ? "!=" : "==", interface_text(s.value));
    }
    Json operator()(const MatchL4& s) const {
        return match({{"meta", {{"key", "l4proto"}}}}, "==", nft_word(s.protocol));
    }
    Json operator()(const MatchFamily& s) const {
        return match({{"meta", {{"key", "nfproto"}}}}, "==", s.family == Family::ipv4 ? "ipv4" : "ipv6");
    }
    Json operator()(const MatchState& s) const {
        Json states = Json::array();
        if (s.invalid) states.push_back("invalid");
        if (s.established) states.push_back("established");
        if (s.related) states.push_back("related");
        if (s.fresh) states.push_back("new");
        if (s.untracked) states.push_back("untracked");
        return match({{"ct", {{"key", "state"}}}}, "in", states.size() == 1 ? states[0] : states);
    }
    Json operator()(const MatchDnat&) const { return match({{"ct", {{"key", "status"}}}}, "in", "dnat"); }
    Json operator()(const MatchConfirmed&) const { return match({{"ct", {{"key", "status"}}}}, "in", "confirmed"); }
    Json operator()(const MatchAssured&) const {
        const Json status{{"ct", {{"key", "status"}}}};
        return match({{"&", {status, {"assured", "dnat"}}}}, "==", "assured");
    }
    Json operator()(const MatchReply& s) const {
        return match({{"ct", {{"key", "direction"}}}}, "==", s.reply ? "reply" : "original");
    }
    Json operator()(const MatchIcmp& s) const {
        Json left{{"payload", {{"protocol", s.family == Family::ipv4 ? "icmp" : "icmpv6"}, {"field", "type"}}}};
        return match(std::move(left), "==", s.types.size() == 1 ? Json(s.types[0]) : Json{{"set", s.types}});
    }
    Json operator()(const MatchHopLimit& s) const {
        return match({{"payload", {{"protocol", "ip6"}, {"field", "hoplimit"}}}}, "==", s.value);
    }
    Json operator()(const MatchSyn& s) const {
        Json flags{{"payload", {{"protocol", "tcp"}, {"field", "flags"}}}};
        return match({{"&", {std::move(flags), {"syn", "rst"}}}}, s.negate ? "!=" : "==", "syn");
    }
    Json operator()(const ClampMss&) const {
        Json key{{"tcp option", {{"name", "maxseg"}, {"field", "size"}}}};
        return {{"mangle", {{"key", std::move(key)}, {"value", {{"rt", {{"key", "mtu"}}}}}}}};
    }
    Json operator()(const Limit& s) const { return limit_json(s.rate, s.burst); }
    Json operator()(const UpdateRate& s) const {
        return {{"set",
                 {{"op", "update"},
                  {"elem", field_json(s.field)},
                  {"set", "@" + s.set},
                  {"stmt", Json::array({limit_json(s.rate, s.burst)})}}}};
    }
    Json operator()(const LogPacket& s) const {
        Json log{{"prefix", log_prefix(s.prefix)}};
        if (s.group)
            log["group"] = *s.group;
        else
            log["level"] = "info";
        return {{"log", std::move(log)}};
    }
    Json operator()(const Count& s) const { return {{"counter", {{"packets", s.packets}, {"bytes", s.bytes}}}}; }
    Json operator()(const CountByMap& s) const {
        return {{"counter", {{"map", {{"key", fields_json(s.fields)}, {"data", "@" + s.map}}}}}};
    }
    Json operator()(const LookupVerdict& s) const {
        return {{"vmap", {{"key", fields_json(s.fields)}, {"data", "@" + s.map}}}};
    }
    Json operator()(const Accept&) const { return {{"accept", nullptr}}; }
    Json operator()(const Drop&) const { return {{"drop", nullptr}}; }
    Json operator()(const Return&) const { return {{"return", nullptr}}; }
    Json operator()(const Reject&) const { return {{"reject", {{"type", "icmpx"}, {"expr", "admin-prohibited"}}}}; }
    Json operator()(const Masquerade&) const { return {{"masquerade", nullptr}}; }
    Json operator()(const Jump& s) const { return {{"jump", {{"target", s.chain}}}}; }
    Json operator()(const Goto& s) const { return {{"goto", {{"target", s.chain}}}}; }
    // nft refuses the whole of what holds such a statement.
    Json operator()(const Unknown& s) const { return {{"unknown", kernel_text(s.text, max_comment)}}; }
};

class Document {
public:
    explicit Document(const Ruleset& ruleset) : ruleset_(ruleset) {
        std::size_t bytes = 4096;
        for (const Set& set : ruleset.sets) bytes += set.elements.size() * 60;
        out_.reserve(bytes + ruleset.counters.size() * 160);
    }

    std::string write() {
        out_ += "{\"nftables\":[";
        command("add", {{"table", {{"family", "inet"}, {"name", table_name}}}});
        command("delete", {{"table", {{"family", "inet"}, {"name", table_name}}}});
        if (!ruleset_.empty()) {
            command("add", {{"table", {{"family", "inet"}, {"name", table_name}}}});
            for (const Counter& counter : ruleset_.counters) write_counter(counter);
            // Elements that send to a chain come when it is there.
            const bool chains_first =
                std::ranges::any_of(ruleset_.sets, [](const Set& set) { return set.map_to == MapTo::verdict; });
            if (chains_first) write_chains();
            for (const Set& set : ruleset_.sets) write_set(set);
            if (!chains_first) write_chains();
            for (const Chain& chain : ruleset_.chains) {
                for (const Rule& rule : chain.rules) write_rule(chain, rule);
            }
        }
        out_ += "\n]}\n";
        return std::move(out_);
    }

private:
    static Json object(const std::string& name) { return {{"family", "inet"}, {"table", table_name}, {"name", name}}; }

    void command(const char* verb, const Json& what) {
        if (out_.back() == '}') out_ += ',';
        out_ += "\n" + Json{{verb, what}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    }

    void write_counter(const Counter& counter) {
        Json body = object(counter.name);
        if (!counter.comment.empty()) body["comment"] = kernel_text(counter.comment, max_comment);
        body["packets"] = counter.packets;
        body["bytes"] = counter.bytes;
        command("add", {{"counter", std::move(body)}});
    }

    void write_set(const Set& set) {
        Json body = object(set.name);
        if (set.types.size() == 1) {
            body["type"] = nft_word(set.types[0]);
        } else {
            for (const Type type : set.types) body["type"].push_back(nft_word(type));
        }
        const bool map = set.map_to != MapTo::nothing;
        if (map) body["map"] = set.map_to == MapTo::counter ? "counter" : "verdict";
        if (set.size != 0) body["size"] = set.size;
        // nft 1.0.6 doesn't know the flag `dynamic` in JSON; it sets it by itself for a set that a rule updates.
        if (set.interval) body["flags"].push_back("interval");
        if (set.dynamic || set.timed) body["flags"].push_back("timeout");
        if (set.timeout != 0) body["timeout"] = set.timeout;
        command("add", {{map ? "map" : "set", std::move(body)}});
        if (set.dynamic || set.elements.empty()) return;
        out_.resize(out_.size() - 3);  // open the record again: what follows is too much for a document
        out_ += ",\"elem\":[";
        for (std::size_t i = 0; i < set.elements.size(); ++i) write_element(set, i);
        out_ += "\n]}}}";
    }

    void write_element(const Set& set, std::size_t element) {
        out_ += element == 0 ? "\n" : ",\n";
        // Seconds: libnftables-json(5) has no finer word for it.
        const std::uint64_t life = (set.elements.life(element).timeout + 999) / 1000;
        if (set.map_to != MapTo::nothing) out_ += '[';
        if (life != 0) out_ += "{\"elem\":{\"val\":";
        if (set.types.size() > 1) out_ += "{\"concat\":[";
        for (std::size_t field = 0; field < set.types.size(); ++field) {
            if (field != 0) out_ += ',';
            write_field(set, element, field);
        }
        if (set.types.size() > 1) out_ += "]}";
        if (life != 0) out_ += fmt::format(",\"timeout\":{}}}}}", life);
        if (set.map_to != MapTo::nothing) out_ += ',' + value_json(set, element).dump() + ']';
    }

    [[nodiscard]] Json value_json(const Set& set, std::size_t element) const {
        const std::uint32_t value = set.elements.value(element);
        if (set.map_to == MapTo::counter) return value < ruleset_.counters.size() ? ruleset_.counters[value].name : "";
        if (value >= set.verdicts.size()) return nullptr;
        return {{set.verdicts[value].go ? "goto" : "jump", {{"target", set.verdicts[value].chain}}}};
    }

    void write_field(const Set& set, std::size_t element, std::size_t field) {
        const Type type = set.types[field];
        if (type == Type::ifname) {
            out_ += Json(interface_text(set.elements.name(element))).dump();
            return;
        }
        const Elements::Bound bound = set.elements.bound(element, field);
        if (bound.lo == bound.hi) {
            write_number(type, bound.lo);
            return;
        }
        if (type != Type::inet_service) {
            const Family family = type == Type::ipv4_addr ? Family::ipv4 : Family::ipv6;
            if (const auto length = prefix_length(Range{family, bound.lo, bound.hi})) {
                out_ += "{\"prefix\":{\"addr\":";
                write_number(type, bound.lo);
                fmt::format_to(std::back_inserter(out_), ",\"len\":{}}}}}", *length);
                return;
            }
        }
        out_ += "{\"range\":[";
        write_number(type, bound.lo);
        out_ += ',';
        write_number(type, bound.hi);
        out_ += "]}";
    }

    void write_number(Type type, u128 value) {
        if (type != Type::inet_service) out_ += '"';
        append_number(out_, type, value);
        if (type != Type::inet_service) out_ += '"';
    }

    void write_chains() {
        for (const Chain& chain : ruleset_.chains) write_chain(chain);
    }

    void write_chain(const Chain& chain) {
        Json body = object(chain.name);
        if (chain.base) {
            body["type"] = chain.base->nat ? "nat" : "filter";
            body["hook"] = nft_word(chain.base->hook);
            body["prio"] = chain.base->priority;
            body["policy"] = chain.base->policy_drop ? "drop" : "accept";
        }
        command("add", {{"chain", std::move(body)}});
    }

    void write_rule(const Chain& chain, const Rule& rule) {
        Json body{{"family", "inet"}, {"table", table_name}, {"chain", chain.name}};
        if (!rule.comment.empty()) body["comment"] = kernel_text(rule.comment, max_comment);
        Json expr = Json::array();
        for (const Statement& statement : rule.statements) expr.push_back(std::visit(StatementJson{}, statement));
        body["expr"] = std::move(expr);
        command("add", {{"rule", std::move(body)}});
    }

    const Ruleset& ruleset_;
    std::string out_;
};

}  // namespace

std::string to_json(const Ruleset& ruleset) {
    return Document(ruleset).write();
}

}  // namespace policyc
