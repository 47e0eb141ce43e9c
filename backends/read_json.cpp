// libnftables' JSON to a Ruleset; entry point read_json(). The library reads tokens, and a value is put together for each command and each element,
// and dropped when it was understood: a document in memory of 10^6 elements would take a gigabyte.
#include "backends/read_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/read_expression.h"
#include "backends/read_words.h"

namespace policyc {

using namespace ir;
using Json = nlohmann::json;

namespace {

// The commands, one after the other. Each gives a problem, or "".
class Commands {
public:
    std::string take(const Json& command) {
        ++number_;
        const Json* what = only(command, number_ == 2 ? "delete" : "add");
        if (what == nullptr || !what->is_object() || what->size() != 1) return "a command that doesn't belong here";
        const std::string& kind = what->begin().key();
        const Json& body = *what->begin();
        if (number_ <= 3) {
            const bool table = kind == "table" && has_just(body, {"family", "name"}) && body["family"] == "inet" &&
                               body["name"] == table_name;
            return table ? "" : "a command that is not about table inet policyc, which comes first";
        }
        if (!body.is_object() || !body.contains("family") || body["family"] != "inet" || !body.contains("table") ||
            body["table"] != table_name)
            return "something outside of table inet policyc";
        if (kind == "counter") return take_counter(body);
        if (kind == "set" || kind == "map") {
            if (set_ != nullptr) return end_set(true);
            if (std::string problem = begin_set(kind == "map", body); !problem.empty()) return problem;
            return end_set(false);
        }
        if (kind == "chain") return take_chain(body);
        if (kind == "rule") return take_rule(body);
        return "an object that policyc doesn't know";
    }

    // Before its elements, which come last in it.
    std::string begin_set(bool map, const Json& body) {
        Set set;
        std::size_t known = 4;
        if (!take_name(body, set.name) || !body.contains("type") || !take_types(set, body["type"]))
            return "a set without a name or a type that policyc knows";
        if (map) {
            ++known;
            const std::string* to = body.contains("map") ? text_in(body["map"]) : nullptr;
            if (to == nullptr || (*to != "counter" && *to != "verdict")) return "a map to what policyc doesn't know";
            set.map_to = *to == "counter" ? MapTo::counter : MapTo::verdict;
        }
        if (body.contains("flags")) {
            ++known;
            if (!take_flags(set, body["flags"])) return "flags that policyc doesn't know";
        }
        const auto number = [&](const char* key, std::uint32_t& into) {
            if (!body.contains(key)) return true;
            ++known;
            const auto value = number_in(body[key], UINT32_MAX);
            into = static_cast<std::uint32_t>(value.value_or(0));
            return value && *value > 0;
        };
        if (!number("size", set.size) || !number("timeout", set.timeout) || (set.timeout != 0 && !set.timed))
            return "a size or a timeout that a set can't have";
        if (known != body.size()) return "a set with a key that policyc doesn't know";
        set_ = table_.add(std::move(set));
        return set_ != nullptr ? "" : "two sets of one name";
    }

    std::string take_element(const Json& element) {
        const bool map = set_->map_to != MapTo::nothing;
        if (map && (!element.is_array() || element.size() != 2)) return "an element that is no pair";
        const Json* key = map ? &element[0] : &element;
        Life life;
        if (const Json* elem = only(*key, "elem")) {
            const auto seconds = has_just(*elem, {"val", "timeout"}) ? number_in((*elem)["timeout"], UINT32_MAX) : 0;
            if (!set_->timed || seconds.value_or(0) == 0) return "an element with a life that it can't have";
            life.timeout = *seconds * 1000;
            key = &(*elem)["val"];
        }
        const std::uint32_t value = map ? value_in(element[1]) : UINT32_MAX;
        if (map && value == UINT32_MAX) return "an element that leads to nothing that is known";
        if (!add_key(*key, value)) return "a key that is not of the type of the set";
        set_->elements.set_life(life);
        return {};
    }

    // Whether elements were read of a set that has not ended.
    [[nodiscard]] bool in_set() const { return set_ != nullptr; }

    std::string finish() {
        if (number_ == 2) return {};
        if (table_.ruleset.chains.empty()) return "a table without a chain";
        for (Set& set : table_.ruleset.sets) {
            if (!set.timed || !updated_.contains(set.name)) continue;
            if (set.interval || !set.elements.empty()) return "a set that rules can't fill: " + set.name;
            set.dynamic = true;
            set.timed = false;
        }
        return {};
    }

    Ruleset ruleset() && { return std::move(table_.ruleset); }

private:
    static bool take_name(const Json& body, std::string& into) {
        const std::string* name = body.contains("name") ? text_in(body["name"]) : nullptr;
        if (name == nullptr || !is_identifier(*name)) return false;
        into = *name;
        return true;
    }

    static bool take_comment(const Json& body, std::string& into) {
        if (!body.contains("comment")) return true;
        const std::string* text = text_in(body["comment"]);
        if (text == nullptr || !is_kernel_text(*text, max_comment)) return false;
        into = *text;
        return true;
    }

    std::string take_counter(const Json& body) {
        Counter counter;
        const bool known = has_just(body, {"family", "table", "name", "packets", "bytes"}) ||
                           has_just(body, {"family", "table", "name", "comment", "packets", "bytes"});
        if (!known || !take_name(body, counter.name) || !take_comment(body, counter.comment))
            return "a counter that policyc doesn't know";
        const auto packets = number_in(body["packets"], UINT64_MAX);
        const auto bytes = number_in(body["bytes"], UINT64_MAX);
        if (!packets || !bytes) return "a counter without a number";
        counter.packets = *packets;
        counter.bytes = *bytes;
        return table_.add(std::move(counter)) ? "" : "two counters of one name";
    }

    static bool take_types(Set& set, const Json& types) {
        const auto one = [&set](const Json& value) {
            const std::string* word = text_in(value);
            const auto type = word != nullptr ? type_of_word(*word) : std::nullopt;
            if (type) set.types.push_back(*type);
            return type.has_value();
        };
        if (!types.is_array()) return one(types);
        return types.size() > 1 && types.size() <= most_types && std::ranges::all_of(types, one);
    }

    static bool take_flags(Set& set, const Json& flags) {
        if (!flags.is_array() || flags.empty()) return false;
        for (const Json& flag : flags) {
            bool* const bit = flag == "interval" ? &set.interval : flag == "timeout" ? &set.timed : nullptr;
            if (bit == nullptr || *bit) return false;
            *bit = true;
        }
        return true;
    }

    std::string end_set(bool with_elements) {
        if (set_ == nullptr) return "no set";
        Set& set = *set_;
        set_ = nullptr;
        if (with_elements == set.elements.empty()) return "a set with an empty list of elements";
        return TableReader::sort_elements(set) ? "" : "an element that is there twice";
    }

    std::uint32_t value_in(const Json& value) {
        if (set_->map_to == MapTo::counter) {
            const std::string* name = text_in(value);
            return name != nullptr ? table_.counter(*name) : UINT32_MAX;
        }
        const bool go = value.is_object() && value.contains("goto");
        const Json* jump = only(value, go ? "goto" : "jump");
        const Json* target = jump != nullptr ? only(*jump, "target") : nullptr;
        const std::string* chain = target != nullptr ? text_in(*target) : nullptr;
        return chain != nullptr && is_identifier(*chain) ? table_.verdict(*set_, go, *chain) : UINT32_MAX;
    }

    bool add_key(const Json& key, std::uint32_t value) {
        const std::vector<Type>& types = set_->types;
        if (types.size() == 1 && types[0] == Type::ifname) {
            const std::string* text = text_in(key);
            const auto name = text != nullptr ? interface_of_text(*text) : std::nullopt;
            // What begins with @ is a set.
            if (!name || name->starts_with('@') || set_->interval || value != UINT32_MAX) return false;
            set_->elements.add_name(*name);
            return true;
        }
        const Json* parts = types.size() > 1 ? only(key, "concat") : &key;
        if (parts == nullptr || (types.size() > 1 && (!parts->is_array() || parts->size() != types.size())))
            return false;
        std::array<Elements::Bound, most_types> bounds{};
        for (std::size_t i = 0; i < types.size(); ++i) {
            const auto bound = bounds_in(types.size() > 1 ? (*parts)[i] : *parts, types[i], set_->interval);
            if (!bound) return false;
            bounds[i] = *bound;
        }
        set_->elements.add(std::span(bounds.data(), types.size()), {}, value);
        return true;
    }

    std::string take_chain(const Json& body) {
        Chain chain;
        if (!take_name(body, chain.name)) return "a chain without a name";
        if (body.size() != 3) {
            if (!has_just(body, {"family", "table", "name", "type", "hook", "prio", "policy"}))
                return "a chain that policyc doesn't know";
            const std::string* word = text_in(body["hook"]);
            const auto hook = word != nullptr ? hook_of_word(*word) : std::nullopt;
            const Json& type = body["type"];
            const Json& policy = body["policy"];
            const Json& priority = body["prio"];
            if (!hook || (type != "filter" && type != "nat") || (policy != "accept" && policy != "drop") ||
                !priority.is_number_integer() || priority > INT32_MAX || priority < INT32_MIN)
                return "a base chain that policyc doesn't know";
            chain.base = BaseChain{*hook, priority.get<int>(), type == "nat", policy == "drop"};
        }
        return table_.add(std::move(chain)) ? "" : "two chains of one name";
    }

    std::string take_rule(const Json& body) {
        Rule rule;
        const bool known = has_just(body, {"family", "table", "chain", "expr"}) ||
                           has_just(body, {"family", "table", "chain", "comment", "expr"});
        if (!known || !take_comment(body, rule.comment)) return "a rule that policyc doesn't know";
        const std::string* name = text_in(body["chain"]);
        Chain* const chain = name != nullptr ? table_.chain(*name) : nullptr;
        const Json& all = body["expr"];
        if (chain == nullptr || !all.is_array() || all.empty()) return "a rule of no chain, or without statements";
        for (const Json& one : all) {
            auto statement = statement_in(one);
            if (!statement)
                return fmt::format("no statement that policyc knows: `{}`",
                                   kernel_text(one.dump(-1, ' ', false, Json::error_handler_t::replace), 200));
            if (const auto* update = std::get_if<UpdateRate>(&*statement)) updated_.insert(update->set);
            rule.statements.push_back(std::move(*statement));
        }
        chain->rules.push_back(std::move(rule));
        return {};
    }

    static constexpr std::size_t most_types = 4;

    TableReader table_;
    std::size_t number_ = 0;
    Set* set_ = nullptr;             // whose elements come
    std::set<std::string> updated_;  // sets that rules fill
};

// Counts what the library has read, so that an error has a place.
struct Position {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    const char* at;
    const char** seen;

    reference operator*() const { return *at; }
    Position& operator++() {
        *seen = ++at;
        return *this;
    }
    bool operator==(const Position& other) const { return at == other.at; }
};

// What nlohmann's reader tells of, one token after the other: {"nftables": [commands]}.
class Tokens {
public:
    explicit Tokens(std::string_view text) : text_(text), seen_(std::to_address(text.begin())) {}

    Result<Ruleset> read() {
        const Position begin{std::to_address(text_.begin()), &seen_};
        const Position end{std::to_address(text_.end()), nullptr};
        if (Json::sax_parse(begin, end, this)) fail(commands_.finish());
        if (problem_.empty()) return std::move(commands_).ruleset();
        const auto lines = std::count(std::to_address(text_.begin()), seen_, '\n');
        return Error{fmt::format("line {}: {}", lines + 1, problem_), {}, {}};
    }

    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(std::int64_t value) { return put(value); }
    bool number_unsigned(std::uint64_t value) { return put(value); }
    bool number_float(double, const std::string& text) { return fail("no whole number: " + kernel_text(text, 60)); }
    bool string(std::string& value) { return put(std::move(value)); }
    static bool binary(Json::binary_t&) { return false; }

    bool start_object(std::size_t) {
        if (where_ != Where::nothing) return open(Json::object());
        where_ = Where::root;
        return true;
    }
    bool key(std::string& name) {
        if (open_.empty()) {
            if (where_ != Where::root || name != "nftables") return fail("another key than `nftables`");
            where_ = Where::list;
            return true;
        }
        if (open_.back()->contains(name)) return fail("a key that is there twice: " + kernel_text(name, 60));
        if (where_ == Where::commands && open_.size() == 3 && commands_.in_set())
            return fail("a key behind the elements of a set");
        key_ = std::move(name);
        return true;
    }
    bool end_object() {
        if (!open_.empty()) return close();
        const bool whole = where_ == Where::after;
        where_ = Where::end;
        return whole || fail("no key `nftables`");
    }
    bool start_array(std::size_t) {
        if (where_ == Where::list) {
            where_ = Where::commands;
            return true;
        }
        // From here on each value is an element.
        if (where_ == Where::commands && open_.size() == 3 && key_ == "elem" && open_[1]->size() == 1) {
            where_ = Where::elements;
            outer_.swap(open_);
            return fail(commands_.begin_set(outer_[1]->begin().key() == "map", *outer_[2]));
        }
        return open(Json::array());
    }
    bool end_array() {
        if (!open_.empty()) return close();
        if (where_ == Where::elements) {
            where_ = Where::commands;
            open_.swap(outer_);
            return true;
        }
        where_ = Where::after;
        return true;
    }
    bool parse_error(std::size_t, const std::string& token, const nlohmann::detail::exception&) {
        return fail("no JSON: " + kernel_text(token, 60));
    }

private:
    enum class Where : std::uint8_t { nothing, root, list, commands, elements, after, end };
    static constexpr std::size_t most_levels = 16;

    // Whether there was no problem.
    bool fail(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
        return problem_.empty();
    }

    // Where the next value goes, inside of what is open; else by itself.
    Json* add(Json value) {
        if (open_.empty()) return &(whole_[where_ == Where::elements ? 1 : 0] = std::move(value));
        Json& parent = *open_.back();
        if (parent.is_object()) return &(parent[key_] = std::move(value));
        parent.push_back(std::move(value));
        return &parent.back();
    }

    bool put(Json value) {
        add(std::move(value));
        return !open_.empty() || finish_value();
    }

    bool open(Json container) {
        if (open_.size() >= most_levels) return fail("too many levels");
        open_.push_back(add(std::move(container)));
        return true;
    }

    bool close() {
        open_.pop_back();
        return !open_.empty() || finish_value();
    }

    bool finish_value() {
        if (where_ == Where::elements) return fail(commands_.take_element(whole_[1]));
        if (where_ == Where::commands) return fail(commands_.take(whole_[0]));
        return fail("no object with a list `nftables`");
    }

    std::string_view text_;
    const char* seen_;
    std::string problem_;
    Commands commands_;
    Where where_ = Where::nothing;
    std::string key_;
    std::array<Json, 2> whole_;  // the command, and the element of it, that is being read
    std::vector<Json*> open_;    // from the outermost to the innermost of what has not ended
    std::vector<Json*> outer_;   // the same of the command, while its elements are read
};

}  // namespace

Result<Ruleset> read_json(std::string_view text) {
    return Tokens(text).read();
}

}  // namespace policyc
