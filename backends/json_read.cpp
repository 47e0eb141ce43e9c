// What `nft -j list table inet policyc` prints, back to a Ruleset; entry point from_json(). Reads in one pass: each object of the listing,
// and each element of a set, is dropped as soon as it is understood, so a listing of 10^6 elements never stands in memory as a document.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/json.h"
#include "backends/json_read_rule.h"

namespace policyc {

using namespace ir;
using nlohmann::json;

namespace {

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

template <typename T>
std::optional<T> number_in(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned() || *found > std::numeric_limits<T>::max())
        return std::nullopt;
    return found->get<T>();
}

// Whether the object has no key but these; `handle` is the kernel's, and says nothing.
bool has_only(const json& object, std::initializer_list<std::string_view> keys) {
    return object.is_object() && std::all_of(object.items().begin(), object.items().end(), [&](const auto& item) {
               return item.key() == "handle" || std::find(keys.begin(), keys.end(), item.key()) != keys.end();
           });
}

std::optional<Type> type_of(const json& value) {
    if (value == "ipv4_addr") return Type::ipv4_addr;
    if (value == "ipv6_addr") return Type::ipv6_addr;
    if (value == "inet_service") return Type::inet_service;
    if (value == "ifname") return Type::ifname;
    return std::nullopt;
}

std::optional<u128> value_of(const json& value, Type type) {
    if (type == Type::inet_service) {
        if (!value.is_number_unsigned() || value > 65535) return std::nullopt;
        return value.get<std::uint16_t>();
    }
    if (!value.is_string()) return std::nullopt;
    const auto address = parse_address(value.get_ref<const std::string&>());
    if (!address || (address->family == Family::ipv4) != (type == Type::ipv4_addr)) return std::nullopt;
    return address->bits;
}

// One field of an element: a value, a range or a prefix.
std::optional<Elements::Bound> bound_of(const json& value, Type type) {
    if (!value.is_object()) {
        const auto single = value_of(value, type);
        return single ? std::optional(Elements::Bound{*single, *single}) : std::nullopt;
    }
    if (value.size() != 1) return std::nullopt;
    if (const auto range = value.find("range"); range != value.end() && range->is_array() && range->size() == 2) {
        const auto lo = value_of((*range)[0], type);
        const auto hi = value_of((*range)[1], type);
        return lo && hi && *lo <= *hi ? std::optional(Elements::Bound{*lo, *hi}) : std::nullopt;
    }
    const auto prefix = value.find("prefix");
    if (prefix == value.end() || !prefix->is_object() || prefix->size() != 2) return std::nullopt;
    const auto length = number_in<std::uint32_t>(*prefix, "len");
    const auto address = prefix->find("addr");
    const std::uint32_t width = type == Type::ipv4_addr ? 32 : type == Type::ipv6_addr ? 128 : 16;
    if (!length || *length > width || address == prefix->end()) return std::nullopt;
    const auto lo = value_of(*address, type);
    if (!lo) return std::nullopt;
    const u128 ones = ~u128{0};
    const u128 hosts = *length == width ? u128{0} : ones >> (128U - (width - *length));
    return (*lo & hosts) == 0 ? std::optional(Elements::Bound{*lo, *lo | hosts}) : std::nullopt;
}

class Listing {
public:
    void item(const json& object);

    // A set (or map) whose elements come next. Nothing, when it is none of ours: then item() sees it whole.
    Set* open(const json& body, bool map);
    void element(Set& set, const json& value);

    Ruleset finish();

private:
    static bool ours(const json& body, const char* key) {
        return body.is_object() && text_of(body, "family") == "inet" && text_of(body, key) == table_name;
    }
    void unknown(const json& object) { out_.unknown.push_back(dump(object)); }

    static std::optional<Set> frame_of(const json& body, bool map);
    void counter(const json& object, const json& body);
    void set(const json& object, const json& body, bool map);
    void chain(const json& object, const json& body);
    void rule(const json& object, const json& body);

    Ruleset out_;
    std::optional<Set> open_;
    std::map<std::string, std::uint32_t> counters_;
    std::map<std::string, std::size_t> chains_;
};

void Listing::item(const json& object) {
    if (!object.is_object() || object.size() != 1) return unknown(object);
    const std::string& kind = object.begin().key();
    const json& body = object.begin().value();
    if (kind == "metainfo") return;
    if (!ours(body, kind == "table" ? "name" : "table")) return;
    if (kind == "table") {
        // A dormant table judges nothing.
        // libnftables 1.0.6 can't say which flags they are.
        if (body.contains("flags")) {
            out_.unknown.emplace_back("the table has flags: dormant (then it judges nothing), or owned by a program");
            return;
        }
        if (!has_only(body, {"family", "name"})) unknown(object);
    } else if (kind == "counter") {
        counter(object, body);
    } else if (kind == "set" || kind == "map") {
        set(object, body, kind == "map");
    } else if (kind == "chain") {
        chain(object, body);
    } else if (kind == "rule") {
        rule(object, body);
    } else {
        unknown(object);
    }
}

void Listing::counter(const json& object, const json& body) {
    const auto packets = number_in<std::uint64_t>(body, "packets");
    const auto bytes = number_in<std::uint64_t>(body, "bytes");
    if (!packets || !bytes || !has_only(body, {"family", "table", "name", "comment", "packets", "bytes"}))
        return unknown(object);
    counters_.emplace(text_of(body, "name"), static_cast<std::uint32_t>(out_.counters.size()));
    out_.counters.push_back({.name = text_of(body, "name"),
                             .comment = text_of(body, "comment"),
                             .span = {},
                             .packets = *packets,
                             .bytes = *bytes});
}

std::optional<Set> Listing::frame_of(const json& body, bool map) {
    if (!has_only(body, {"family", "table", "name", "type", "map", "size", "flags", "timeout", "elem"}))
        return std::nullopt;
    Set set{.name = text_of(body, "name"), .types = {}, .map_to_counter = map, .comment = {}, .elements = {}};
    if (set.name.empty() || map != body.contains("map") || (map && body["map"] != "counter")) return std::nullopt;

    const auto types = body.find("type");
    if (types == body.end()) return std::nullopt;
    for (const json& name : types->is_array() ? *types : json::array({*types})) {
        const auto type = type_of(name);
        if (!type) return std::nullopt;
        set.types.push_back(*type);
    }
    const bool named = std::find(set.types.begin(), set.types.end(), Type::ifname) != set.types.end();
    if (set.types.empty() || (named && set.types.size() > 1)) return std::nullopt;

    const json flags = body.value("flags", json::array());
    for (const json& flag : flags.is_array() ? flags : json::array({flags})) {
        if (flag == "interval")
            set.interval = true;
        else if (flag == "timeout" || flag == "dynamic")  // nft 1.0.6 does not print `dynamic`
            set.dynamic = true;
        else
            return std::nullopt;
    }
    if (named && set.interval) return std::nullopt;
    if (body.contains("timeout") && !number_in<std::uint32_t>(body, "timeout")) return std::nullopt;
    if (body.contains("size") && !number_in<std::uint32_t>(body, "size")) return std::nullopt;
    set.timeout = number_in<std::uint32_t>(body, "timeout").value_or(0);
    set.size = number_in<std::uint32_t>(body, "size").value_or(0);
    set.elements = Elements(set.types, set.interval);
    return set;
}

Set* Listing::open(const json& body, bool map) {
    open_ = ours(body, "table") ? frame_of(body, map) : std::nullopt;
    return open_ ? &*open_ : nullptr;
}

void Listing::element(Set& set, const json& value) {
    if (set.dynamic) return;  // rules put them there
    const json* key = &value;
    std::uint32_t counter = UINT32_MAX;
    const auto strange = [&] { out_.unknown.push_back(fmt::format("element of {}: {}", set.name, dump(value))); };
    if (set.map_to_counter) {
        if (!value.is_array() || value.size() != 2 || !value[1].is_string()) return strange();
        const auto found = counters_.find(value[1].get_ref<const std::string&>());
        if (found == counters_.end()) return strange();
        key = &value[0];
        counter = found->second;
    }
    if (set.types[0] == Type::ifname) {
        // In a set without intervals there are no wildcards, and nft 1.0.6 lists a `*` as it is.
        const std::string text = key->is_string() ? key->get<std::string>() : std::string{};
        const auto name = text.empty() ? std::nullopt : std::optional(interface_of(text).value_or(text));
        if (!name || name->size() > 15 || set.map_to_counter) return strange();
        set.elements.add_name(*name);
        return;
    }
    std::array<Elements::Bound, 8> bounds{};
    const std::size_t fields = set.types.size();
    const json* parts = nullptr;
    if (fields > 1) {
        const auto concat = key->is_object() && key->size() == 1 ? key->find("concat") : key->end();
        if (fields > bounds.size() || concat == key->end() || !concat->is_array() || concat->size() != fields)
            return strange();
        parts = &*concat;
    }
    for (std::size_t i = 0; i < fields; ++i) {
        const auto bound = bound_of(parts != nullptr ? (*parts)[i] : *key, set.types[i]);
        if (!bound || (!set.interval && bound->lo != bound->hi)) return strange();
        bounds.at(i) = *bound;
    }
    set.elements.add(std::span<const Elements::Bound>(bounds.data(), fields), {}, counter);
}

void Listing::set(const json& object, const json& body, bool map) {
    auto whole = frame_of(body, map);
    if (!whole) {
        open_.reset();
        return unknown(object);
    }
    // The frame may say more now than when the first element came.
    const bool streamed = open_ && open_->name == whole->name;
    if (streamed &&
        (open_->types != whole->types || open_->interval != whole->interval || open_->dynamic != whole->dynamic))
        return unknown(object);
    if (streamed) whole->elements = std::move(open_->elements);
    open_.reset();
    if (const auto elements = body.find("elem"); elements != body.end()) {
        for (const json& value : elements->is_array() ? *elements : json::array({*elements})) element(*whole, value);
    }
    whole->elements.sort();
    out_.sets.push_back(*std::move(whole));
}

void Listing::chain(const json& object, const json& body) {
    Chain chain{.name = text_of(body, "name"), .base = {}, .comment = {}, .rules = {}};
    bool known = has_only(body, {"family", "table", "name"});
    if (body.contains("hook")) {
        static const std::map<std::string, Hook> hooks{{"input", Hook::input},
                                                       {"forward", Hook::forward},
                                                       {"output", Hook::output},
                                                       {"postrouting", Hook::postrouting}};
        const auto hook = hooks.find(text_of(body, "hook"));
        const std::string type = text_of(body, "type");
        const std::string policy = text_of(body, "policy");
        const auto priority = body.find("prio");
        known = has_only(body, {"family", "table", "name", "type", "hook", "prio", "policy"}) && hook != hooks.end() &&
                (type == "filter" || type == "nat") && (policy == "drop" || policy == "accept") &&
                priority != body.end() && priority->is_number_integer();
        if (known) chain.base = BaseChain{hook->second, priority->get<int>(), type == "nat", policy == "drop"};
    }
    if (!known) unknown(object);
    chains_.emplace(chain.name, out_.chains.size());
    out_.chains.push_back(std::move(chain));
}

void Listing::rule(const json& object, const json& body) {
    const auto chain = chains_.find(text_of(body, "chain"));
    const auto expr = body.find("expr");
    if (chain == chains_.end() || expr == body.end() || !expr->is_array()) return unknown(object);
    Rule rule{.statements = {}, .comment = text_of(body, "comment"), .span = {}};
    for (const json& statement : *expr) rule.statements.push_back(statement_of(statement));
    if (!has_only(body, {"family", "table", "chain", "comment", "expr"})) unknown(object);
    out_.chains[chain->second].rules.push_back(std::move(rule));
}

Ruleset Listing::finish() {
    return std::move(out_);
}

// Builds values as they are read and hands them on: {"nftables": [ITEM, {"set": {..., "elem": [ELEMENT, ...]}}, ...]}.
class Reader : public nlohmann::json_sax<json> {
public:
    explicit Reader(Listing& listing) : listing_(listing) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return false; }
    bool key(string_t& value) override {
        stack_.back().key = std::move(value);
        return true;
    }
    bool start_object(std::size_t) override { return push(json::object()); }
    bool end_object() override { return pop(); }
    bool start_array(std::size_t) override {
        // Root, list of items, item, body of a set.
        Set* set = nullptr;
        if (stack_.size() == 4 && stack_[3].key == "elem" && (stack_[2].key == "set" || stack_[2].key == "map"))
            set = listing_.open(stack_[3].value, stack_[2].key == "map");
        if (!push(json::array())) return false;
        stack_.back().set = set;
        return true;
    }
    bool end_array() override { return pop(); }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        error_position = position;
        return false;
    }

    std::size_t error_position = 0;
    bool list_seen = false;

private:
    struct Frame {
        json value;
        std::string key;
        Set* set = nullptr;  // this is the list of its elements
    };

    bool push(json value) {
        if (stack_.size() >= max_depth) return false;
        stack_.push_back({std::move(value), {}, nullptr});
        if (stack_.size() == 2 && stack_[0].key == "nftables" && stack_[1].value.is_array()) list_seen = true;
        return true;
    }
    bool pop() {
        json value = std::move(stack_.back().value);
        const bool streamed = stack_.back().set != nullptr;
        stack_.pop_back();
        return streamed || put(std::move(value));
    }
    bool put(json value) {
        if (stack_.empty()) return true;
        Frame& top = stack_.back();
        if (top.set != nullptr)
            listing_.element(*top.set, value);
        else if (stack_.size() == 2 && top.value.is_array())
            listing_.item(value);
        else if (top.value.is_array())
            top.value.push_back(std::move(value));
        else
            top.value[top.key] = std::move(value);
        return true;
    }

    // A listing is no deeper than a dozen; a text that is deeper is not one.
    static constexpr std::size_t max_depth = 64;

    Listing& listing_;
    std::vector<Frame> stack_;
};

}  // namespace

Result<Ruleset> from_json(std::string_view text) {
    Listing listing;
    Reader reader(listing);
    if (!json::sax_parse(text, &reader) || !reader.list_seen) {
        return Error{
            fmt::format(
                "not a listing of nft in JSON: `{{\"nftables\": [...]}}` was expected, and byte {} is not of it",
                reader.error_position),
            {}};
    }
    return listing.finish();
}

}  // namespace policyc
