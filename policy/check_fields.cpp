// Reads the keys of a table against the table of keys. Entry point: Fields.
#include "policy/check_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "policy/bytes.h"

namespace policyc {
namespace {

// "a tier takes: who, allow, limit"
std::string takes(Section section) {
    return fmt::format("{} takes: {}", info(section).noun, fmt::join(keys_of(section), ", "));
}

// "\"hub\", \"gateway\" or \"client\""
std::string choices(const std::vector<std::string>& words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
        text += "\"" + words[i] + "\"";
    }
    return text;
}

// Gives the key that may have been meant, or "".
std::string report_unknown_key(Section section, const Entry& entry, const std::string& where,
                               Diagnostics& diagnostics) {
    const std::string near = nearest(entry.key, keys_of(section));
    if (looks_secret(entry.key) && (near.empty() || near == "private_key_file")) {
        diagnostics
            .report(Code::E0110, entry.key_span, fmt::format("`{}` in a policy", entry.key),
                    "a policy holds no secrets")
            .help(section == Section::node
                      ? "write private_key_file = \"/path\" and put the key into that file, mode 0600"
                      : "take it out; a node names the file of its key: private_key_file = \"/path\"")
            .note("a policy is read and copied by many: a key that was written here should be replaced by a new one");
        return {};
    }
    Diagnostic& diagnostic =
        diagnostics.report(Code::E0101, entry.key_span, fmt::format("unknown key `{}` in {}", entry.key, where),
                           fmt::format("not a key of {}", info(section).noun));
    if (!near.empty()) diagnostic.help(fmt::format("did you mean `{}`?", near));
    diagnostic.note(takes(section));
    return near;
}

}  // namespace

void report_type(std::string_view key, const Value& value, std::string_view form, Diagnostics& diagnostics) {
    diagnostics
        .report(Code::E0102, value.span, fmt::format("`{}` can't be {}", key, what_is(value)),
                std::string(what_is(value)))
        .help(fmt::format("`{}` takes {}", key, form));
}

std::vector<const Value*> strings_of(std::string_view key, const Value& value, bool or_one, std::string_view form,
                                     Diagnostics& diagnostics) {
    std::vector<const Value*> strings;
    if (or_one && value.string() != nullptr) return {&value};
    const Array* array = value.array();
    if (array == nullptr) {
        report_type(key, value, form, diagnostics);
        return {};
    }
    strings.reserve(array->items.size());
    for (const Value& item : array->items) {
        if (item.string() != nullptr) {
            strings.push_back(&item);
        } else {
            diagnostics
                .report(Code::E0102, item.span, fmt::format("`{}` can't hold {}", key, what_is(item)), "want a string")
                .help(fmt::format("`{}` takes {}", key, form));
        }
    }
    return strings;
}

Fields::Fields(Section section, const Value& value, std::string where, Span name, Diagnostics& diagnostics)
    : section_(section), table_(value.table()), where_(std::move(where)), diagnostics_(diagnostics) {
    if (table_ != nullptr) {
        check_keys(name);
        return;
    }

    diagnostics.report(Code::E0102, value.span, fmt::format("{} can't be {}", where_, what_is(value)), "want a table")
        .note(takes(section));
}

Fields::Fields(Section section, const Table& table, std::string where, Span name, Diagnostics& diagnostics)
    : section_(section), table_(&table), where_(std::move(where)), diagnostics_(diagnostics) {
    check_keys(name);
}

bool Fields::misspelt(std::string_view key) const {
    return find(key) == nullptr && std::ranges::find(meant_, key) != meant_.end();
}

void Fields::check_keys(Span name) {
    for (const Entry& entry : table_->entries) {
        if (find_key(section_, entry.key) != nullptr) continue;
        meant_.push_back(report_unknown_key(section_, entry, where_, diagnostics_));
    }
    for (const KeyInfo& key : infos_of(section_)) {
        if (!key.required() || table_->find(key.key) != nullptr || misspelt(key.key)) continue;
        diagnostics_
            .report(Code::E0104, name, fmt::format("{} has no `{}`", where_, key.key),
                    fmt::format("`{}` is missing", key.key))
            .help(fmt::format("write {} = ..., {}: {}", key.key, key.meaning, key.form));
    }
}

const Entry* Fields::find(std::string_view key) const {
    return table_ == nullptr ? nullptr : table_->find(key);
}

void Fields::report_type(std::string_view key, const Value& value) const {
    const KeyInfo* known = find_key(section_, key);
    policyc::report_type(key, value, known == nullptr ? "" : known->form, diagnostics_);
}

void report_choice(std::string_view key, const Value& value, const std::vector<std::string>& known,
                   Diagnostics& diagnostics) {
    Diagnostic& diagnostic = diagnostics.report(
        Code::E0105, value.span, fmt::format("`{}` can't be \"{}\"", key, *value.string()), "want " + choices(known));
    const std::string near = nearest(*value.string(), known);
    if (!near.empty()) diagnostic.help(fmt::format("did you mean \"{}\"?", near));
}

const Value* Fields::string(std::string_view key) const {
    const Entry* entry = find(key);
    if (entry == nullptr) return nullptr;
    if (entry->value.string() != nullptr) return &entry->value;
    report_type(key, entry->value);
    return nullptr;
}

const Value* Fields::list(std::string_view key) const {
    const Entry* entry = find(key);
    if (entry == nullptr) return nullptr;
    if (entry->value.array() != nullptr) return &entry->value;
    report_type(key, entry->value);
    return nullptr;
}

std::optional<bool> Fields::boolean(std::string_view key) const {
    const Entry* entry = find(key);
    if (entry == nullptr) return {};
    if (const bool* value = entry->value.boolean()) return *value;
    report_type(key, entry->value);
    return {};
}

std::optional<std::uint32_t> Fields::number(std::string_view key, std::uint32_t least, std::uint32_t most) const {
    const Entry* entry = find(key);
    if (entry == nullptr) return {};
    const std::int64_t* value = entry->value.integer();
    if (value == nullptr) {
        report_type(key, entry->value);
        return {};
    }
    if (*value >= least && *value <= most) return static_cast<std::uint32_t>(*value);
    diagnostics_.report(Code::E0117, entry->value.span, fmt::format("`{}` can't be {}", key, *value),
                        fmt::format("want {} to {}", least, most));
    return {};
}

std::optional<Seconds> Fields::duration(std::string_view key) const {
    const Value* value = string(key);
    return value == nullptr ? std::nullopt : read_duration(*value, diagnostics_);
}

std::optional<Rate> Fields::rate(std::string_view key) const {
    const Value* value = string(key);
    if (value == nullptr) return {};
    return read_rate(
        *value,
        section_ == Section::log_denied
            ? "a rate is at least 1; to log nothing, write denied = false"
            : "a rate is at least 1, and without `limit` there is none: to let nothing in, remove what allows it",
        diagnostics_);
}

std::optional<Spanned<Days>> Fields::date(std::string_view key) const {
    const Entry* entry = find(key);
    if (entry == nullptr) return {};
    if (const Days* value = entry->value.date()) return Spanned<Days>{*value, entry->value.span};
    Diagnostic& diagnostic = diagnostics_.report(
        Code::E0102, entry->value.span, fmt::format("`{}` can't be {}", key, what_is(entry->value)), "want a date");
    diagnostic.help(fmt::format("write the last day it holds, without quotes: {} = 2026-12-31", key));
    return {};
}

std::string Fields::text(std::string_view key) const {
    const Value* value = string(key);
    return value == nullptr ? std::string() : *value->string();
}

std::vector<const Value*> Fields::strings(std::string_view key, bool or_one) const {
    const Entry* entry = find(key);
    const KeyInfo* known = find_key(section_, key);
    if (entry == nullptr || known == nullptr) return {};
    return strings_of(key, entry->value, or_one, known->form, diagnostics_);
}

bool Fields::log_new() const {
    static constexpr std::array<std::pair<std::string_view, bool>, 2> words{{{"new", true}, {"none", false}}};
    return choice<bool>("log", words).value_or(false);
}

}  // namespace policyc
