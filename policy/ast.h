// A TOML document as a small tree that knows where everything was written. Tables keep the order of the text; `[a.b]`, `a.b = ...` and
// `a = { b = ... }` give the same tree. Made by parse(); nothing here knows what a key means.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/span.h"

namespace policyc {

struct Entry;
struct Value;

struct Table {
    std::vector<Entry> entries;  // each key once

    [[nodiscard]] const Entry* find(std::string_view key) const;
};

struct Array {
    std::vector<Value> items;
};

// What the language has no use for: "a number with a fraction", "a time", "a date with a time". The text is for messages.
struct Unused {
    std::string_view what;
};

struct Value {
    // Of a string: with its quotes (see inside()). Of a table or array: with its brackets, or the header that opened it.
    Span span;
    std::variant<Table, Array, std::string, std::int64_t, bool, std::chrono::sys_days, Unused> data;

    [[nodiscard]] const Table* table() const { return std::get_if<Table>(&data); }
    [[nodiscard]] const Array* array() const { return std::get_if<Array>(&data); }
    [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&data); }
    [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data); }
    [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&data); }
    [[nodiscard]] const std::chrono::sys_days* date() const { return std::get_if<std::chrono::sys_days>(&data); }

    // The place of `size` bytes from `at` of a string, for underlining a part of it; the whole literal where it has escapes or is no
    // plain "..." or '...', because then the bytes are not where they seem.
    [[nodiscard]] Span inside(std::size_t at, std::size_t size) const;
};

struct Entry {
    std::string key;
    Span key_span;  // with quotes, where it has some
    Value value;
};

struct Ast {
    Table root;
    std::uint32_t file = 0;  // of Sources: the policy file itself; entries of the root may come from its fragments
};

inline const Entry* Table::find(std::string_view key) const {
    for (const Entry& entry : entries) {
        if (entry.key == key) return &entry;
    }
    return nullptr;
}

inline Span Value::inside(std::size_t at, std::size_t size) const {
    const std::string* text = string();
    if (text == nullptr || span.end - span.begin != text->size() + 2) return span;
    const auto begin = static_cast<std::uint32_t>(span.begin + 1 + at);
    return {span.file, begin, static_cast<std::uint32_t>(begin + size)};
}

}  // namespace policyc
