// Element attributes to keys, values and lives; entry points take_elements(), held_element() and finish_elements(). Walked by hand: a table may hold 10^6.
#include "backends/netlink/decode_elements.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "backends/netlink/attributes.h"
#include "backends/netlink/expression.h"
#include "backends/netlink/words.h"
#include "backends/text_words.h"

namespace policyc::netlink {

namespace {

using namespace ir;

// One element as it lies in the message.
struct Element {
    std::string_view key;
    std::string_view key_end;
    std::uint32_t flags = 0;
    std::optional<ToChain> verdict;
    std::optional<std::string> counter;
    Life life;
    std::optional<std::uint64_t> timeout;       // as told, 0 too
    std::vector<std::string_view> expressions;  // NFTA_EXPR_*
    std::string value;                          // of a verdict that policyc doesn't write: " : accept"
    std::string odd;                            // what else policyc doesn't write: " with a comment"
};

bool read_value(std::string_view nest, std::string_view& out) {
    Attributes attributes(nest);
    Attribute a;
    while (attributes.next(a)) {
        if (a.type != NFTA_DATA_VALUE) return false;
        out = a.data;
    }
    return !attributes.broken();
}

const char* verdict_word(std::int32_t verdict) {
    switch (verdict) {
        case NF_ACCEPT: return "accept";
        case NF_DROP: return "drop";
        case NFT_CONTINUE: return "continue";
        case NFT_RETURN: return "return";
        default: return "another verdict";
    }
}

bool read_verdict(std::string_view nest, Element& element) {
    Attributes outer(nest);
    Attribute data;
    while (outer.next(data)) {
        if (data.type != NFTA_DATA_VERDICT) {
            element.odd += " with a value that is no verdict";
            continue;
        }
        Attributes inner(data.data);
        Attribute a;
        std::uint32_t code = 0;
        std::string chain;
        while (inner.next(a)) {
            if (a.type == NFTA_VERDICT_CODE) code = a.u32().value_or(0);
            if (a.type == NFTA_VERDICT_CHAIN) chain = a.text();
        }
        if (inner.broken()) return false;
        const auto verdict = static_cast<std::int32_t>(code);
        if (verdict == NFT_JUMP || verdict == NFT_GOTO)
            element.verdict = ToChain{verdict == NFT_GOTO, std::move(chain)};
        else
            element.value = std::string(" : ") + verdict_word(verdict);
    }
    return !outer.broken();
}

bool read_expressions(std::string_view nest, Element& element) {
    Attributes list(nest);
    Attribute a;
    while (list.next(a)) element.expressions.push_back(a.data);
    return !list.broken();
}

bool read(std::string_view nest, Element& element) {
    constexpr std::string_view open_interval("\x01\x04\x01\x00\x00\x00", 6);  // see encode_elements.cpp
    Attributes attributes(nest);
    Attribute a;
    while (attributes.next(a)) {
        switch (a.type) {
            case NFTA_SET_ELEM_KEY:
                if (!read_value(a.data, element.key)) return false;
                break;
            case NFTA_SET_ELEM_KEY_END:
                if (!read_value(a.data, element.key_end)) return false;
                break;
            case NFTA_SET_ELEM_DATA:
                if (!read_verdict(a.data, element)) return false;
                break;
            case NFTA_SET_ELEM_FLAGS: element.flags = a.u32().value_or(0); break;
            case NFTA_SET_ELEM_OBJREF: element.counter = a.text(); break;
            case NFTA_SET_ELEM_TIMEOUT:
                element.life.timeout = a.u64().value_or(0);
                element.timeout = element.life.timeout;
                break;
            case NFTA_SET_ELEM_EXPIRATION: element.life.left = a.u64().value_or(0); break;
            case NFTA_SET_ELEM_USERDATA:
                if (a.data != open_interval) element.odd += " with a comment";
                break;
            case NFTA_SET_ELEM_EXPR: element.expressions.push_back(a.data); break;
            case NFTA_SET_ELEM_EXPRESSIONS:
                if (!read_expressions(a.data, element)) return false;
                break;
            case NFTA_SET_ELEM_PAD: break;
            default: element.odd += " with something that policyc does not know"; break;
        }
    }
    return !attributes.broken();
}

// What the map gives, as an index; UINT32_MAX where it gives nothing that policyc knows.
std::uint32_t value_of(const Element& element, const std::unordered_map<std::string, std::uint32_t>& counters,
                       SetInProgress& in) {
    switch (in.set.map_to) {
        case MapTo::nothing: return UINT32_MAX;
        case MapTo::counter: {
            const auto found = element.counter ? counters.find(*element.counter) : counters.end();
            return found != counters.end() ? found->second : UINT32_MAX;
        }
        case MapTo::verdict: {
            if (!element.verdict) return UINT32_MAX;
            auto& verdicts = in.set.verdicts;
            // Neighbours often share theirs.
            auto found = !verdicts.empty() && verdicts.back() == *element.verdict
                             ? verdicts.end() - 1
                             : std::find(verdicts.begin(), verdicts.end(), *element.verdict);
            if (found == verdicts.end()) found = verdicts.insert(found, *element.verdict);
            return static_cast<std::uint32_t>(found - verdicts.begin());
        }
    }
    return UINT32_MAX;
}

std::string hexadecimal(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

// A key of the wire, filled up to whole registers.
void append_stored(std::string& out, std::string_view key, std::size_t stored) {
    out.append(key).append(stored - key.size(), '\0');
}

// As nft writes it: "10.69.50.13 . 10.69.13.30 . 3000". Of an interval without concatenation its first key.
std::string key_text(const Element& element, const Set& set) {
    const std::size_t bytes = key_bytes(set.types);
    if (element.key.empty()) return "*";
    const bool range = !element.key_end.empty();
    if (set.types.empty() || element.key.size() != bytes || (range && element.key_end.size() != bytes))
        return hexadecimal(element.key);
    std::string key;
    append_stored(key, element.key, stored_bytes(set.types));
    if (range) append_stored(key, element.key_end, stored_bytes(set.types));
    Elements one(set.types, range);
    one.add_key(key);
    std::string text;
    for (std::size_t field = 0; field < set.types.size(); ++field) {
        if (field > 0) text += " . ";
        append_field(text, one, 0, field);
    }
    return text;
}

// What an element bears beside its key that policyc doesn't write.
std::string odd_text(const Element& element) {
    std::string text = element.value;
    for (const std::string_view nest : element.expressions) {
        const auto expression = Expression::read(nest);
        text += fmt::format(" with a {} of its own", expression ? expression->name() : "thing");
    }
    return text + element.odd;
}

std::string value_text(const Element& element) {
    if (element.verdict) return fmt::format(" : {} {}", element.verdict->go ? "goto" : "jump", element.verdict->chain);
    return element.counter ? fmt::format(" : \"{}\"", *element.counter) : "";
}

std::string strange_text(const Element& element, const Set& set) {
    return key_text(element, set) + value_text(element) + odd_text(element);
}

Bucket bucket_of(const Element& element, const Set& set) {
    Bucket out{.key = key_text(element, set),
               .odd = {},
               .limit = {},
               .bare = element.expressions.empty(),
               .timeout = element.timeout,
               .left = element.life.left};
    const auto only = element.expressions.size() == 1 ? Expression::read(element.expressions[0]) : std::nullopt;
    if (only && only->is("limit")) {
        const auto limit = limit_of(*only);
        if (only->understood()) out.limit = limit;
    }
    const bool more = element.expressions.size() > 1 || (only && !only->is("limit"));
    const bool plain = element.key.size() == key_bytes(set.types) && element.key_end.empty() && element.flags == 0 &&
                       !element.counter && !element.verdict && element.value.empty() && element.odd.empty();
    out.odd = more ? odd_text(element) : element.value + element.odd;
    if (!plain && out.odd.empty()) out.odd = " which no rule put there";
    return out;
}

}  // namespace

bool take_elements(std::string_view list, const std::unordered_map<std::string, std::uint32_t>& counters,
                   SetInProgress& in) {
    if (in.unreadable) return true;
    const bool concatenated = in.set.types.size() > 1;
    const std::size_t bytes = in.anonymous ? 1 : key_bytes(in.set.types);
    const std::size_t stored = in.anonymous ? 1 : stored_bytes(in.set.types);
    std::string key;
    Attributes attributes(list);
    Attribute a;
    while (attributes.next(a)) {
        if (a.type != NFTA_LIST_ELEM) continue;
        Element element;
        if (!read(a.data, element)) return false;
        if (in.set.dynamic) {
            in.buckets.push_back(bucket_of(element, in.set));
            continue;
        }
        const bool end = (element.flags & NFT_SET_ELEM_INTERVAL_END) != 0;
        const bool range = in.set.interval && concatenated;
        const bool of_interval = in.set.interval && !concatenated;
        const bool odd_flags = (element.flags & ~std::uint32_t{NFT_SET_ELEM_INTERVAL_END}) != 0;  // catch-all
        const bool odd = !element.expressions.empty() || !element.value.empty() || !element.odd.empty();
        std::uint32_t value = UINT32_MAX;
        // A map's value, a life and a second bound are there where they belong and nowhere else.
        const bool fits = element.key.size() == bytes && !odd && !odd_flags && (!end || of_interval) &&
                          element.key_end.size() == (range ? bytes : 0) && (element.life == Life{} || in.set.timed) &&
                          (element.counter.has_value() == (in.set.map_to == MapTo::counter && !end)) &&
                          (element.verdict.has_value() == (in.set.map_to == MapTo::verdict && !end));
        if (fits && !end) value = value_of(element, counters, in);
        if (!fits || (value == UINT32_MAX && in.set.map_to != MapTo::nothing && !end)) {
            // Where an interval begins: where it ends is told later.
            if (of_interval && !end && element.key.size() == bytes)
                in.odd_bounds.emplace(static_cast<std::uint32_t>(in.bound_values.size()),
                                      value_text(element) + odd_text(element));
            else {
                in.strange.push_back(strange_text(element, in.set));
                continue;
            }
        }
        if (in.anonymous) {
            in.icmp_types.push_back(static_cast<std::uint8_t>(element.key[0]));
        } else if (of_interval) {
            append_stored(in.bounds, element.key, stored);
            in.bounds += end ? '\1' : '\0';
            in.bound_values.push_back(value);
            in.bound_lives.push_back(element.life);
        } else {
            key.clear();
            append_stored(key, element.key, stored);
            if (range) append_stored(key, element.key_end, stored);
            in.set.elements.add_key(key, {}, value);
            in.set.elements.set_life(element.life);
        }
    }
    return !attributes.broken();
}

std::optional<Held> held_element(std::string_view list) {
    Attributes attributes(list);
    for (Attribute a; attributes.next(a);) {
        if (a.type != NFTA_LIST_ELEM) continue;
        Element element;
        if (!read(a.data, element)) return std::nullopt;
        return Held{element.life, element.counter.value_or(""), element.verdict};
    }
    return std::nullopt;
}

namespace {

// Starts and ends in order, an end before a start of the same key: each start goes with the end that follows, or reaches to the last key.
void pair_bounds(SetInProgress& in) {
    const std::size_t stored = stored_bytes(in.set.types);
    const std::size_t bytes = key_bytes(in.set.types);
    const std::size_t count = in.bound_values.size();
    const auto bound = [&](std::size_t i) { return std::string_view(in.bounds).substr(i * (stored + 1), stored + 1); };
    const auto is_end = [&](std::size_t i) { return bound(i)[stored] != '\0'; };
    std::vector<std::uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t x, std::uint32_t y) {
        const int way = bound(x).substr(0, stored).compare(bound(y).substr(0, stored));
        return way != 0 ? way < 0 : is_end(x) && !is_end(y);
    });
    bool open = false;
    std::uint32_t start = 0;
    const auto close = [&](const std::string& last) {
        std::string key(bound(start).substr(0, stored));
        key += last;
        open = false;
        if (const auto odd = in.odd_bounds.find(start); odd != in.odd_bounds.end()) {
            Elements one(in.set.types, true);
            one.add_key(key);
            in.strange.emplace_back();
            append_field(in.strange.back(), one, 0, 0);
            in.strange.back() += odd->second;
            return;
        }
        in.set.elements.add_key(key, {}, in.bound_values[start]);
        in.set.elements.set_life(in.bound_lives[start]);
    };
    // The key before this one; the end of an interval is the key behind its last.
    const auto before = [&](std::string_view key) {
        std::string out(key);
        for (std::size_t i = bytes; i-- > 0;) {
            const bool borrow = out[i] == 0;
            out[i] = static_cast<char>(static_cast<unsigned char>(out[i]) - 1U);
            if (!borrow) break;
        }
        return out;
    };
    for (const std::uint32_t i : order) {
        const std::string_view key = bound(i).substr(0, stored);
        if (is_end(i)) {
            if (open) close(before(key));
            continue;
        }
        // Two starts without an end between: nothing policyc writes.
        if (open) {
            const Element lost{.key = bound(start).substr(0, bytes)};
            in.strange.push_back(key_text(lost, in.set) + " without an end");
        }
        start = i;
        open = true;
    }
    if (open) close(std::string(bytes, '\xff') + std::string(stored - bytes, '\0'));
}

}  // namespace

void finish_elements(SetInProgress& in) {
    if (in.anonymous) {
        std::ranges::sort(in.icmp_types);
        return;
    }
    if (!in.bounds.empty()) pair_bounds(in);
    in.bounds.clear();
    in.bound_values.clear();
    in.bound_lives.clear();
    in.odd_bounds.clear();
    in.set.elements.sort();
}

SetInProgress begin_elements(const ir::Set& set) {
    SetInProgress in{.set = set};
    if (!set.interval || set.types.size() > 1) return in;
    in.set.elements = Elements(set.types, true);
    const std::size_t bytes = key_bytes(set.types);
    const std::size_t stored = stored_bytes(set.types);
    const auto add = [&](std::string_view key, char end, std::uint32_t value, Life life) {
        in.bounds.append(key);
        in.bounds += end;
        in.bound_values.push_back(value);
        in.bound_lives.push_back(life);
    };
    for (std::size_t i = 0; i < set.elements.size(); ++i) {
        const std::string_view key = set.elements.key(i);
        add(key.substr(0, stored), '\0', set.elements.value(i), set.elements.life(i));
        std::string behind(key.substr(stored));
        if (next_key(behind, bytes)) add(behind, '\1', UINT32_MAX, {});
    }
    return in;
}

bool remove_elements(std::string_view list, SetInProgress& in) {
    if (in.unreadable || in.set.dynamic) return true;
    const bool concatenated = in.set.types.size() > 1;
    const bool of_interval = in.set.interval && !concatenated;
    const std::size_t stored = stored_bytes(in.set.types);
    std::unordered_set<std::string> gone;
    Attributes attributes(list);
    for (Attribute a; attributes.next(a);) {
        if (a.type != NFTA_LIST_ELEM) continue;
        Element element;
        if (!read(a.data, element) || element.key.size() != key_bytes(in.set.types)) return false;
        std::string key;
        append_stored(key, element.key, stored);
        if (of_interval) key += (element.flags & NFT_SET_ELEM_INTERVAL_END) != 0 ? '\1' : '\0';
        if (in.set.interval && concatenated) append_stored(key, element.key_end, stored);
        gone.insert(std::move(key));
    }
    if (attributes.broken()) return false;
    SetInProgress left{.set = in.set};
    left.set.elements = Elements(in.set.types, in.set.interval);
    for (std::size_t i = 0; i < in.bound_values.size(); ++i) {
        const std::string bound = in.bounds.substr(i * (stored + 1), stored + 1);
        if (gone.erase(bound) != 0) continue;
        left.bounds += bound;
        left.bound_values.push_back(in.bound_values[i]);
        left.bound_lives.push_back(in.bound_lives[i]);
    }
    for (std::size_t i = 0; i < in.set.elements.size(); ++i) {
        const std::string key(in.set.elements.key(i));
        if (gone.erase(key) != 0) continue;
        left.set.elements.add_key(key, in.set.elements.cause(i), in.set.elements.value(i));
        left.set.elements.set_life(in.set.elements.life(i));
    }
    left.strange = std::move(in.strange);
    in = std::move(left);
    return gone.empty();
}

}  // namespace policyc::netlink
