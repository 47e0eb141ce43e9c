// The keys of one table of a policy, read by their types. Reports what is unknown, missing or of another type; what it then returns is
// empty, or what holds when nothing is written.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "policy/check_values.h"
#include "policy/keys.h"

namespace policyc {

// Reports that the string `value` is none of the words that `key` takes.
void report_choice(std::string_view key, const Value& value, const std::vector<std::string>& known,
                   Diagnostics& diagnostics);

class Fields {
public:
    // `where` is how people call the table: "[tiers.vpn]". `name` is the place to point at when a key is missing.
    Fields(Section section, const Value& value, std::string where, Span name, Diagnostics& diagnostics);

    Fields(Section section, const Table& table, std::string where, Span name, Diagnostics& diagnostics);

    // False when the value is no table; nothing is found in it then.
    explicit operator bool() const { return table_ != nullptr; }
    [[nodiscard]] const std::string& where() const { return where_; }
    // Whether `key` is not there and an unknown key is, which has had its error, that was meant for it.
    [[nodiscard]] bool misspelt(std::string_view key) const;

    [[nodiscard]] const Entry* find(std::string_view key) const;
    // The value of the key when it is of that type.
    [[nodiscard]] const Value* string(std::string_view key) const;
    [[nodiscard]] const Value* list(std::string_view key) const;
    [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
    [[nodiscard]] std::optional<std::uint32_t> number(std::string_view key, std::uint32_t least,
                                                      std::uint32_t most) const;
    [[nodiscard]] std::optional<Seconds> duration(std::string_view key) const;
    [[nodiscard]] std::optional<Rate> rate(std::string_view key) const;
    [[nodiscard]] std::optional<Spanned<Days>> date(std::string_view key) const;
    [[nodiscard]] std::string text(std::string_view key) const;
    // The strings of a list; with `or_one` of a list or a single string.
    [[nodiscard]] std::vector<const Value*> strings(std::string_view key, bool or_one = false) const;
    // log = "new"
    [[nodiscard]] bool log_new() const;

    // One of a few words.
    template <typename T, std::size_t N>
    [[nodiscard]] std::optional<T> choice(std::string_view key,
                                          const std::array<std::pair<std::string_view, T>, N>& words) const {
        const Value* value = string(key);
        if (value == nullptr) return {};
        std::vector<std::string> known;
        for (const auto& [word, meaning] : words) {
            if (word == *value->string()) return meaning;
            known.emplace_back(word);
        }
        report_choice(key, *value, known, diagnostics_);
        return {};
    }

    void report_type(std::string_view key, const Value& value) const;

private:
    void check_keys(Span name);

    Section section_;
    const Table* table_;
    std::string where_;
    Diagnostics& diagnostics_;
    std::vector<std::string> meant_;  // by unknown keys
};

// Reports that `value` is not what `key` takes; `form` is what it does take.
void report_type(std::string_view key, const Value& value, std::string_view form, Diagnostics& diagnostics);

// The strings of a list, or with `or_one` a single string; anything else is reported as not what `key` takes.
std::vector<const Value*> strings_of(std::string_view key, const Value& value, bool or_one, std::string_view form,
                                     Diagnostics& diagnostics);

// A port item or a list of them, each once; an empty list is an error.
std::vector<Ports> read_port_list(std::string_view key, const Value& value, Diagnostics& diagnostics);

}  // namespace policyc
