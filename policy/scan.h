// Finds the keys of a TOML text without a parser: for what a parser doesn't tell, and for what must be known before one may be let loose.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace policyc {

// Bytes [begin, end) of the text.
struct Stretch {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
};

// A key as it was set. Text that is no TOML gives some keys and no crash.
struct KeySite {
    enum class Kind : std::uint8_t { value, table, array_element };  // a = ..., [a], [[a]]
    Kind kind = Kind::value;
    std::string path;    // the same for two sites exactly where both set the same thing
    std::string dotted;  // for people, with the names of the tables around it where it has some: "nodes.phone.address"
    std::string name;    // its last part
    Stretch key;         // its last part, with quotes
    Stretch value;       // where kind is value: up to and without blanks and comments behind it
};

// Calls `visit` for each key, in the order of the text, a table in braces after the keys in it.
void scan_keys(std::string_view text, const std::function<void(const KeySite&)>& visit);

// More than this is refused: nothing in a policy needs it, and a parser pays for each level with its stack.
inline constexpr std::size_t max_key_parts = 8;
inline constexpr std::size_t max_brackets = 16;

// The place where keys or brackets first go deeper than that.
std::optional<Stretch> too_deep(std::string_view text);

}  // namespace policyc
