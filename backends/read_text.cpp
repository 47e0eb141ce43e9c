// nft text to a Ruleset, in one pass; entry point read_text(). It knows one order of the parts of a table, and of what is in a part.
#include "backends/read_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backends/read_statement.h"
#include "backends/read_words.h"
#include "backends/scanner.h"

namespace policyc {

using namespace ir;

namespace {

class TextReader {
public:
    explicit TextReader(std::string_view text) : scanner_(text) {}

    Result<Ruleset> read() {
        scanner_.skip_lines();
        scanner_.expect("add table inet policyc");
        scanner_.expect_line();
        scanner_.expect("delete table inet policyc");
        if (scanner_.next().kind != Token::Kind::end) scanner_.expect_line();
        if (!scanner_.failed() && scanner_.next().kind != Token::Kind::end) read_table();
        if (scanner_.next().kind != Token::Kind::end) scanner_.fail("stands where the text should end");
        if (scanner_.failed()) return scanner_.error();
        return std::move(table_.ruleset);
    }

private:
    void read_table() {
        scanner_.expect("table inet policyc");
        begin_block();
        while (scanner_.take("counter")) read_counter();
        while (scanner_.is("set") || scanner_.is("map")) read_set(scanner_.take().text == "map");
        while (scanner_.is("chain")) read_chain();
        if (table_.ruleset.chains.empty()) scanner_.fail("stands where a chain should");
        end_block();
    }

    // Of a block inside a line of its own: `NAME {`, lines, `}`.
    void begin_block() {
        scanner_.expect("{");
        scanner_.expect_line();
    }
    void end_block() {
        scanner_.expect("}");
        scanner_.expect_line();
    }

    std::uint64_t number(std::uint64_t most) {
        const Token token = scanner_.next();
        const auto value = number_of_word(scanner_.expect_word("a number"), most);
        if (!value) scanner_.fail_at(token, fmt::format("is no number up to {}", most));
        return value.value_or(0);
    }

    std::string comment() {
        const Token token = scanner_.next();
        std::string text(scanner_.expect_text("a comment"));
        if (!is_kernel_text(text, max_comment)) scanner_.fail_at(token, "can't be a comment");
        return text;
    }

    void read_counter() {
        const Token token = scanner_.next();
        Counter counter{.name = read_name(scanner_, "the name of a counter")};
        begin_block();
        if (scanner_.take("comment")) {
            counter.comment = comment();
            scanner_.expect_line();
        }
        if (scanner_.take("packets")) {
            counter.packets = number(UINT64_MAX);
            scanner_.expect("bytes");
            counter.bytes = number(UINT64_MAX);
            scanner_.expect_line();
        }
        end_block();
        if (!table_.add(std::move(counter))) scanner_.fail_at(token, "is the name of two counters");
    }

    // ---- sets ------------------------------------------------------------------------------------------------------

    void read_set(bool map) {
        const Token token = scanner_.next();
        Set set{.name = read_name(scanner_, "the name of a set")};
        begin_block();
        read_types(set, map);
        if (scanner_.take("flags")) read_flags(set);
        if (scanner_.take("timeout")) {
            const Token time = scanner_.next();
            const std::uint64_t life = milliseconds();
            if (life % 1000 != 0 || (!set.timed && !set.dynamic)) scanner_.fail_at(time, "can't be the life of a set");
            set.timeout = static_cast<std::uint32_t>(life / 1000);
            scanner_.expect_line();
        }
        if (scanner_.take("size")) {
            set.size = static_cast<std::uint32_t>(number(UINT32_MAX));
            scanner_.expect_line();
        }
        Set* const made = scanner_.failed() ? nullptr : table_.add(std::move(set));
        if (made == nullptr) return scanner_.fail_at(token, "is the name of two sets");
        if (scanner_.is("elements")) read_elements(*made);
        end_block();
    }

    void read_types(Set& set, bool map) {
        scanner_.expect("type");
        do {
            const Token token = scanner_.next();
            const auto type = type_of_word(scanner_.expect_word("a type"));
            if (!type) return scanner_.fail_at(token, "is no type that policyc knows");
            set.types.push_back(*type);
        } while (scanner_.take("."));
        if (set.types.size() > most_fields) scanner_.fail("comes after more fields than policyc knows");
        if (map) {
            scanner_.expect(":");
            if (scanner_.take("counter")) {
                set.map_to = MapTo::counter;
            } else {
                scanner_.expect("verdict");
                set.map_to = MapTo::verdict;
            }
        }
        scanner_.expect_line();
    }

    void read_flags(Set& set) {
        const Token first = scanner_.next();
        do {
            const Token token = scanner_.next();
            bool* const flag = scanner_.take("interval")  ? &set.interval
                               : scanner_.take("timeout") ? &set.timed
                               : scanner_.take("dynamic") ? &set.dynamic
                                                          : nullptr;
            if (flag == nullptr || *flag) return scanner_.fail_at(token, "is no flag, or stands there twice");
            *flag = true;
        } while (scanner_.take(","));
        // What rules fill is timed, and of single keys.
        if (set.dynamic && (!set.timed || set.interval)) scanner_.fail_at(first, "begins flags that don't go together");
        if (set.dynamic) set.timed = false;
        scanner_.expect_line();
    }

    // "10s", "3600000ms"
    std::uint64_t milliseconds() {
        const Token token = scanner_.next();
        const std::string_view word = scanner_.expect_word("a time");
        const std::size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
        const auto count = number_of_word(word.substr(0, digits), UINT32_MAX * std::uint64_t{1000});
        const std::string_view unit = word.substr(digits);
        const std::uint64_t each = unit == "ms" ? 1 : unit == "s" ? 1000 : 0;
        if (!count || *count == 0 || each == 0 || *count * each > UINT32_MAX * std::uint64_t{1000}) {
            scanner_.fail_at(token, "is no time such as 10s");
            return 1000;
        }
        return *count * each;
    }

    void read_elements(Set& set) {
        if (set.dynamic) scanner_.fail("stands in a set that rules fill");
        const Token token = scanner_.next();
        scanner_.expect("elements = {");
        scanner_.skip_lines();
        while (!scanner_.failed() && !scanner_.is("}")) {
            read_element(set);
            scanner_.expect(",");
            scanner_.skip_lines();
        }
        end_block();
        if (set.elements.empty()) scanner_.fail_at(token, "has none");
        if (!scanner_.failed() && !TableReader::sort_elements(set))
            scanner_.fail_at(token, fmt::format("of {} has one twice", set.name));
    }

    void read_element(Set& set) {
        std::array<Elements::Bound, most_fields> key{};
        std::string name;
        const bool named = set.types.size() == 1 && set.types[0] == Type::ifname;
        if (named) {
            const Token token = scanner_.next();
            const auto interface = interface_of_text(scanner_.expect_text("the name of an interface"));
            if (!interface || set.interval) return scanner_.fail_at(token, "is not the name of one interface");
            name = *interface;
        } else {
            for (std::size_t i = 0; i < set.types.size(); ++i) {
                if (i != 0) scanner_.expect(".");
                key[i] = read_bounds(set.types[i], set.interval);
            }
        }
        Life life;
        const Token timeout = scanner_.next();
        if (scanner_.take("timeout")) {
            life.timeout = milliseconds();
            if (!set.timed) scanner_.fail_at(timeout, "stands in a set without it");
        }
        const std::uint32_t value = read_value(set);
        if (scanner_.failed()) return;
        if (named)
            set.elements.add_name(name);
        else
            set.elements.add(std::span(key.data(), set.types.size()), {}, value);
        set.elements.set_life(life);
    }

    // "10.0.0.1", in an interval set also "10.0.0.0/8" and "10.0.0.1-10.0.0.9".
    Elements::Bound read_bounds(Type type, bool interval) {
        const Token token = scanner_.next();
        const std::string_view word = scanner_.expect_word("a key");
        const std::size_t mark = interval ? word.find_first_of("/-") : std::string_view::npos;
        const auto low = bound_of_word(word.substr(0, mark), type);
        std::optional<Elements::Bound> bounds;
        if (low && mark == std::string_view::npos) {
            bounds = {*low, *low};
        } else if (low && word[mark] == '/') {
            if (const auto length = number_of_word(word.substr(mark + 1), 128))
                bounds = network_of(*low, *length, type);
        } else if (low) {
            const auto high = bound_of_word(word.substr(mark + 1), type);
            if (high && *low <= *high) bounds = {*low, *high};
        }
        if (!bounds) scanner_.fail_at(token, "is no key of that type");
        return bounds.value_or(Elements::Bound{0, 0});
    }

    std::uint32_t read_value(Set& set) {
        if (set.map_to == MapTo::nothing) return UINT32_MAX;
        scanner_.expect(":");
        if (set.map_to == MapTo::counter) {
            const Token token = scanner_.next();
            const std::uint32_t value = table_.counter(scanner_.expect_text("the name of a counter"));
            if (value == UINT32_MAX) scanner_.fail_at(token, "is no counter");
            return value;
        }
        const bool go = scanner_.take("goto");
        if (!go) scanner_.expect("jump");
        const std::string chain = read_name(scanner_, "the name of a chain");
        return scanner_.failed() ? UINT32_MAX : table_.verdict(set, go, chain);
    }

    // ---- chains ----------------------------------------------------------------------------------------------------

    void read_chain() {
        scanner_.expect("chain");
        const Token token = scanner_.next();
        Chain chain{.name = read_name(scanner_, "the name of a chain")};
        begin_block();
        if (scanner_.take("type")) chain.base = read_base();
        while (!scanner_.failed() && !scanner_.is("}")) chain.rules.push_back(read_rule());
        end_block();
        if (!table_.add(std::move(chain))) scanner_.fail_at(token, "is the name of two chains");
    }

    BaseChain read_base() {
        BaseChain base;
        base.nat = scanner_.take("nat");
        if (!base.nat) scanner_.expect("filter");
        scanner_.expect("hook");
        const Token token = scanner_.next();
        const auto hook = hook_of_word(scanner_.expect_word("a hook"));
        if (!hook) scanner_.fail_at(token, "is no hook that policyc knows");
        base.hook = hook.value_or(Hook::forward);
        scanner_.expect("priority");
        base.priority = read_priority(base.hook);
        scanner_.expect("; policy");
        base.policy_drop = scanner_.take("drop");
        if (!base.policy_drop) scanner_.expect("accept");
        scanner_.expect(";");
        scanner_.expect_line();
        return base;
    }

    // "-400", "mangle", "filter - 10"
    int read_priority(Hook hook) {
        const Token token = scanner_.next();
        const std::string_view word = scanner_.expect_word("a priority");
        const auto named = priority_of_word(word, hook);
        const bool minus = named ? scanner_.take("-") : word.starts_with('-');
        std::int64_t value = named.value_or(0);
        if (!named || minus || scanner_.take("+")) {
            const std::string_view digits = named ? scanner_.expect_word("a number") : word.substr(minus ? 1 : 0);
            const auto size = number_of_word(digits, INT32_MAX);
            if (!size) scanner_.fail_at(token, "begins no priority at this hook");
            value += static_cast<std::int64_t>(size.value_or(0)) * (minus ? -1 : 1);
        }
        if (value != static_cast<std::int32_t>(value)) scanner_.fail_at(token, "begins a priority that is too far");
        return static_cast<int>(value);
    }

    Rule read_rule() {
        Rule rule;
        while (!scanner_.failed() && scanner_.next().kind != Token::Kind::line) {
            if (scanner_.take("comment")) {
                rule.comment = comment();
                break;
            }
            if (auto statement = read_statement(scanner_)) rule.statements.push_back(std::move(*statement));
        }
        if (rule.statements.empty()) scanner_.fail("stands where a statement should");
        scanner_.expect_line();
        return rule;
    }

    // NFT_REG32_COUNT words of 4 bytes are what a key may have; policyc's have three fields at most.
    static constexpr std::size_t most_fields = 4;

    Scanner scanner_;
    TableReader table_;
};

}  // namespace

Result<Ruleset> read_text(std::string_view text) {
    return TextReader(text).read();
}

}  // namespace policyc
