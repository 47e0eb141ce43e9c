// What the Ruleset can do by itself: Elements, the compact storage of a set, and same(), which compares what was compiled with what was read.
#include "compiler/ir.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>
#include <numeric>

namespace policyc::ir {

std::size_t padded_size(Type type) {
    switch (type) {
        case Type::ipv4_addr:
        case Type::inet_service: return 4;
        case Type::ipv6_addr:
        case Type::ifname: return 16;
    }
    return 0;
}

namespace {

std::size_t width(Type type) {
    return type == Type::inet_service ? 2 : padded_size(type);
}

void append(std::string& bytes, Type type, u128 value) {
    std::array<char, 16> field{};
    const std::size_t n = width(type);
    for (std::size_t i = 0; i < n; ++i)
        field[i] = static_cast<char>(static_cast<unsigned char>(value >> (8 * (n - 1 - i))));
    bytes.append(field.data(), padded_size(type));
}

u128 number(const char* bytes, Type type) {
    u128 value = 0;
    for (std::size_t i = 0; i < width(type); ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
    return value;
}

}  // namespace

Elements::Elements(std::vector<Type> types, bool interval) : types_(std::move(types)), interval_(interval) {
    for (const Type type : types_) stride_ += padded_size(type);
}

void Elements::add(std::span<const Bound> key, Cause cause, std::uint32_t value) {
    assert(key.size() == types_.size());
    for (std::size_t i = 0; i < types_.size(); ++i) append(bytes_, types_[i], key[i].lo);
    if (interval_) {
        for (std::size_t i = 0; i < types_.size(); ++i) append(bytes_, types_[i], key[i].hi);
    }
    finish(cause, value);
}

// values_ and lives_ stay empty until the first element that has one.
void Elements::finish(Cause cause, std::uint32_t value) {
    if (value != UINT32_MAX || !values_.empty()) {
        values_.resize(causes_.size(), UINT32_MAX);
        values_.push_back(value);
    }
    if (!lives_.empty()) lives_.push_back({});
    causes_.push_back(cause);
}

void Elements::add_key(std::string_view key, Cause cause, std::uint32_t value) {
    assert(key.size() == stride_ * (interval_ ? 2 : 1));
    bytes_.append(key);
    finish(cause, value);
}

void Elements::set_life(Life life) {
    if (life == Life{} && lives_.empty()) return;
    lives_.resize(causes_.size());
    lives_.back() = life;
}

void Elements::add_name(const std::string& interface, Cause cause) {
    assert(types_.size() == 1 && types_[0] == Type::ifname && !interval_ && interface.size() < stride_);
    bytes_.append(interface);
    bytes_.append(stride_ - interface.size(), '\0');
    finish(cause, UINT32_MAX);
}

void Elements::reserve(std::size_t elements) {
    bytes_.reserve(elements * stride_ * (interval_ ? 2 : 1));
    causes_.reserve(elements);
}

bool Elements::sorted() const {
    for (std::size_t i = 1; i < size(); ++i) {
        if (key(i - 1) >= key(i)) return false;
    }
    return true;
}

void Elements::sort() {
    if (sorted()) return;
    std::vector<std::uint32_t> order(size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
        const int way = key(a).compare(key(b));
        return way != 0 ? way < 0 : a < b;
    });
    order.erase(
        std::unique(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) { return key(a) == key(b); }),
        order.end());

    std::string bytes;
    std::vector<Cause> causes;
    std::vector<std::uint32_t> values;
    std::vector<Life> lives;
    bytes.reserve(bytes_.size());
    causes.reserve(order.size());
    for (const std::uint32_t i : order) {
        bytes.append(key(i));
        causes.push_back(causes_[i]);
        if (!values_.empty()) values.push_back(value(i));
        if (!lives_.empty()) lives.push_back(life(i));
    }
    bytes_ = std::move(bytes);
    causes_ = std::move(causes);
    values_ = std::move(values);
    lives_ = std::move(lives);
}

Elements::Bound Elements::bound(std::size_t element, std::size_t field) const {
    const char* at = key(element).data();
    for (std::size_t i = 0; i < field; ++i) at += padded_size(types_[i]);
    const u128 lo = number(at, types_[field]);
    return {lo, interval_ ? number(at + stride_, types_[field]) : lo};
}

std::string Elements::name(std::size_t element) const {
    const std::string_view whole = key(element).substr(0, stride_);
    return std::string(whole.substr(0, whole.find('\0')));
}

std::uint32_t Elements::value(std::size_t element) const {
    return element < values_.size() ? values_[element] : UINT32_MAX;
}

Life Elements::life(std::size_t element) const {
    return element < lives_.size() ? lives_[element] : Life{};
}

std::string_view Elements::key(std::size_t element) const {
    const std::size_t length = interval_ ? 2 * stride_ : stride_;
    return std::string_view(bytes_).substr(element * length, length);
}

// ---- what the kernel takes -------------------------------------------------------------------------------------------

namespace {

// Bytes of the UTF-8 character that `text` begins with (RFC 3629), or 0.
std::size_t character(std::string_view text) {
    const auto byte = [&text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return 0;
    }
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool beyond = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
    return overlong || beyond ? 0 : length;
}

}  // namespace

std::string kernel_text(std::string_view text, std::size_t limit) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = character(text);
        const std::size_t used = std::max<std::size_t>(length, 1);
        if (out.size() + used > limit) break;
        const unsigned first = static_cast<unsigned char>(text[0]);
        if (length == 0 || first < 0x20 || first == 0x7f)
            out += '?';
        else if (first == '"')
            out += '\'';
        else
            out += text.substr(0, length);
        text.remove_prefix(used);
    }
    return out;
}

std::string log_prefix(std::string_view text) {
    std::string out = kernel_text(text, max_log_prefix);
    std::replace(out.begin(), out.end(), '$', '?');
    return out;
}

namespace {

std::optional<Family> family_of(Field field) {
    switch (field) {
        case Field::ip_saddr:
        case Field::ip_daddr: return Family::ipv4;
        case Field::ip6_saddr:
        case Field::ip6_daddr: return Family::ipv6;
        case Field::iifname:
        case Field::oifname:
        case Field::ct_saddr4:
        case Field::ct_daddr4:
        case Field::ct_saddr6:
        case Field::ct_daddr6:
        case Field::ct_proto_dst:
        case Field::tcp_dport:
        case Field::udp_dport:
        case Field::tcp_sport:
        case Field::udp_sport: return std::nullopt;
    }
    return std::nullopt;
}

std::optional<L4> protocol_of(Field field) {
    if (field == Field::tcp_dport || field == Field::tcp_sport) return L4::tcp;
    if (field == Field::udp_dport || field == Field::udp_sport) return L4::udp;
    return std::nullopt;
}

// What a match says of the packet beside its own field.
struct Implied {
    std::optional<Family> family;
    std::optional<L4> protocol;

    void of(Field field) {
        if (const auto f = family_of(field)) family = f;
        if (const auto p = protocol_of(field)) protocol = p;
    }
};

struct Implies {
    static Implied by(const std::vector<Field>& fields) {
        Implied implied;
        for (const Field field : fields) implied.of(field);
        return implied;
    }
    Implied operator()(const Lookup& s) const { return by(s.fields); }
    Implied operator()(const LookupVerdict& s) const { return by(s.fields); }
    Implied operator()(const CountByMap& s) const { return by(s.fields); }
    Implied operator()(const MatchPort& s) const { return by({s.field}); }
    Implied operator()(const UpdateRate& s) const { return by({s.field}); }
    Implied operator()(const MatchIcmp& s) const {
        return {s.family, s.family == Family::ipv4 ? L4::icmp : L4::icmpv6};
    }
    Implied operator()(const MatchHopLimit&) const { return {Family::ipv6, {}}; }
    Implied operator()(const MatchSyn&) const { return {{}, L4::tcp}; }
    Implied operator()(const ClampMss&) const { return {{}, L4::tcp}; }
    template <typename T>
    Implied operator()(const T&) const {
        return {};
    }
};

bool is_match(const Statement& s) {
    return std::holds_alternative<Lookup>(s) || std::holds_alternative<MatchPort>(s) ||
           std::holds_alternative<MatchName>(s) || std::holds_alternative<MatchL4>(s) ||
           std::holds_alternative<MatchFamily>(s) || std::holds_alternative<MatchState>(s) ||
           std::holds_alternative<MatchDnat>(s) || std::holds_alternative<MatchConfirmed>(s) ||
           std::holds_alternative<MatchAssured>(s) || std::holds_alternative<MatchReply>(s) ||
           std::holds_alternative<MatchIcmp>(s) || std::holds_alternative<MatchHopLimit>(s) ||
           std::holds_alternative<MatchSyn>(s);
}

}  // namespace

Rule canonical(const Rule& rule) {
    Rule out{.statements = {}, .comment = rule.comment, .span = rule.span};
    const auto& all = rule.statements;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto* family = std::get_if<MatchFamily>(&all[i]);
        const auto* protocol = std::get_if<MatchL4>(&all[i]);
        bool implied = false;
        for (std::size_t j = i + 1; (family != nullptr || protocol != nullptr) && j < all.size(); ++j) {
            const Implied by = std::visit(Implies{}, all[j]);
            implied = implied || (family != nullptr && by.family == family->family) ||
                      (protocol != nullptr && by.protocol == protocol->protocol);
            if (!is_match(all[j])) break;
        }
        if (!implied) out.statements.push_back(all[i]);
    }
    return out;
}

// ---- equality --------------------------------------------------------------------------------------------------------

namespace {

bool equal(const Lookup& a, const Lookup& b) {
    return a.fields == b.fields && a.set == b.set && a.negate == b.negate;
}
bool equal(const MatchPort& a, const MatchPort& b) {
    return a.field == b.field && a.value == b.value;
}
bool equal(const MatchName& a, const MatchName& b) {
    return a.field == b.field && a.value == b.value && a.negate == b.negate;
}
bool equal(const MatchL4& a, const MatchL4& b) {
    return a.protocol == b.protocol;
}
bool equal(const MatchFamily& a, const MatchFamily& b) {
    return a.family == b.family;
}
bool equal(const MatchState& a, const MatchState& b) {
    return a.invalid == b.invalid && a.established == b.established && a.related == b.related && a.fresh == b.fresh &&
           a.untracked == b.untracked;
}
bool equal(const MatchConfirmed&, const MatchConfirmed&) {
    return true;
}
bool equal(const MatchDnat&, const MatchDnat&) {
    return true;
}
bool equal(const MatchAssured&, const MatchAssured&) {
    return true;
}
bool equal(const MatchReply& a, const MatchReply& b) {
    return a.reply == b.reply;
}
bool equal(const MatchIcmp& a, const MatchIcmp& b) {
    return a.family == b.family && a.types == b.types;
}
bool equal(const MatchHopLimit& a, const MatchHopLimit& b) {
    return a.value == b.value;
}
bool equal(const MatchSyn& a, const MatchSyn& b) {
    return a.negate == b.negate;
}
bool equal(const ClampMss&, const ClampMss&) {
    return true;
}
bool equal(const Limit& a, const Limit& b) {
    return a.rate == b.rate && a.burst == b.burst;
}
bool equal(const UpdateRate& a, const UpdateRate& b) {
    return a.set == b.set && a.field == b.field && a.rate == b.rate && a.burst == b.burst;
}
bool equal(const LogPacket& a, const LogPacket& b) {
    return log_prefix(a.prefix) == log_prefix(b.prefix) && a.group == b.group;
}
bool equal(const Count&, const Count&) {
    return true;
}
bool equal(const CountByMap& a, const CountByMap& b) {
    return a.fields == b.fields && a.map == b.map;
}
bool equal(const LookupVerdict& a, const LookupVerdict& b) {
    return a.fields == b.fields && a.map == b.map;
}
bool equal(const Accept&, const Accept&) {
    return true;
}
bool equal(const Drop&, const Drop&) {
    return true;
}
bool equal(const Return&, const Return&) {
    return true;
}
bool equal(const Reject&, const Reject&) {
    return true;
}
bool equal(const Masquerade&, const Masquerade&) {
    return true;
}
bool equal(const Jump& a, const Jump& b) {
    return a.chain == b.chain;
}
bool equal(const Goto& a, const Goto& b) {
    return a.chain == b.chain;
}
bool equal(const Unknown&, const Unknown&) {
    return false;
}

// `same_pair(i)` is asked of sorted elements whose keys are equal.
template <typename F>
bool same_elements(const Elements& a, const Elements& b, F same_pair) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a.key(i) != b.key(i) || a.life(i).timeout != b.life(i).timeout || !same_pair(i)) return false;
    }
    return true;
}

// Pairs what has the same name; names within one table are unique.
template <typename T, typename F>
bool same_by_name(const std::vector<T>& a, const std::vector<T>& b, F equal_pair) {
    if (a.size() != b.size()) return false;
    std::map<std::string_view, const T*> named;
    for (const T& item : b) named.emplace(item.name, &item);
    return named.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const T& item) {
               const auto found = named.find(item.name);
               return found != named.end() && equal_pair(item, *found->second);
           });
}

}  // namespace

bool same(const Statement& a, const Statement& b) {
    if (a.index() != b.index()) return false;
    return std::visit([&b](const auto& left) { return equal(left, std::get<std::decay_t<decltype(left)>>(b)); }, a);
}

bool same(const Rule& a, const Rule& b) {
    const Rule x = canonical(a);
    const Rule y = canonical(b);
    return kernel_text(a.comment, max_comment) == kernel_text(b.comment, max_comment) &&
           std::equal(x.statements.begin(), x.statements.end(), y.statements.begin(), y.statements.end(),
                      [](const Statement& left, const Statement& right) { return same(left, right); });
}

bool same(const BaseChain& a, const BaseChain& b) {
    return a.hook == b.hook && a.priority == b.priority && a.nat == b.nat && a.policy_drop == b.policy_drop;
}

bool same(const Chain& a, const Chain& b) {
    if (a.name != b.name || a.base.has_value() != b.base.has_value()) return false;
    if (a.base && !same(*a.base, *b.base)) return false;
    return std::equal(a.rules.begin(), a.rules.end(), b.rules.begin(), b.rules.end(),
                      [](const Rule& x, const Rule& y) { return same(x, y); });
}

bool same(const Counter& a, const Counter& b) {
    return a.name == b.name && kernel_text(a.comment, max_comment) == kernel_text(b.comment, max_comment);
}

bool same_frame(const Set& a, const Set& b) {
    return a.name == b.name && a.types == b.types && a.interval == b.interval && a.map_to == b.map_to &&
           a.dynamic == b.dynamic && a.timed == b.timed && a.timeout == b.timeout && a.size == b.size;
}

bool same_value(const Set& a, std::size_t i, const std::vector<Counter>& counters_of_a, const Set& b, std::size_t j,
                const std::vector<Counter>& counters_of_b) {
    const std::uint32_t x = a.elements.value(i);
    const std::uint32_t y = b.elements.value(j);
    switch (a.map_to) {
        case MapTo::nothing: return true;
        case MapTo::counter:
            return x < counters_of_a.size() && y < counters_of_b.size() &&
                   counters_of_a[x].name == counters_of_b[y].name;
        case MapTo::verdict: return x < a.verdicts.size() && y < b.verdicts.size() && a.verdicts[x] == b.verdicts[y];
    }
    return false;
}

bool same(const Set& a, const std::vector<Counter>& counters_of_a, const Set& b,
          const std::vector<Counter>& counters_of_b) {
    if (!same_frame(a, b)) return false;
    if (a.dynamic) return true;
    if (!a.elements.sorted() || !b.elements.sorted()) {
        Set x = a;
        Set y = b;
        x.elements.sort();
        y.elements.sort();
        return same(x, counters_of_a, y, counters_of_b);
    }
    return same_elements(a.elements, b.elements,
                         [&](std::size_t i) { return same_value(a, i, counters_of_a, b, i, counters_of_b); });
}

bool same(const Ruleset& a, const Ruleset& b) {
    return a.foreign.empty() && b.foreign.empty() &&
           same_by_name(a.counters, b.counters, [](const Counter& x, const Counter& y) { return same(x, y); }) &&
           same_by_name(a.sets, b.sets,
                        [&](const Set& x, const Set& y) { return same(x, a.counters, y, b.counters); }) &&
           same_by_name(a.chains, b.chains, [](const Chain& x, const Chain& y) { return same(x, y); });
}

}  // namespace policyc::ir
