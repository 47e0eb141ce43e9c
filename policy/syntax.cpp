// Puts what toml++ says about a text that is no TOML into words of our own. Entry point: syntax_error().
#include "policy/syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace policyc {
namespace {

struct Words {
    std::string_view said;  // a part of what toml++ says; the first that is found counts
    std::string_view message;
    std::string_view help;
};

constexpr std::string_view number_help =
    "a number is decimal digits; text, addresses among it, stands in quotes: \"10.69.50.2\"";
constexpr std::string_view date_help = "a date is written without quotes and without a time: 2026-12-31";
constexpr std::string_view escape_help =
    R"(in "..." a `\` begins an escape: write `\\` for it, or put the string into '...')";
constexpr std::string_view brace_help =
    "a table in braces stands on one line: { key = value, key = value }, without a comma before the `}`";
constexpr std::string_view list_help = "a list is entries with a comma between them: [\"one\", \"two\"]";
constexpr std::string_view header_help = "a header is [table], or [[table]] where there are several of it";
constexpr std::string_view twice_help = "remove one of the two, or make them one";
constexpr std::string_view quote_help = "close it with the quote it began with";

constexpr std::array<Words, 43> words{{
    {"end-of-file", "the file ends too early", "something is not closed: a quote, a bracket, or a value is missing"},
    {"could not determine value type", "text without quotes", "text stands in quotes: \"gateway\""},
    {"could not be interpreted", "text without quotes", "text stands in quotes: \"gateway\""},
    {"values may not begin with", "text without quotes", "text stands in quotes: \"_name\""},
    {"expected value, saw", "a value is missing", "write what belongs behind the `=`"},
    {"expected '=', saw", "a `=` is missing", "a line is `key = value`, a [header], or a # comment"},
    {"or closing ']', saw comma", "a comma too many", list_help},
    {"comma or closing ']'", "a comma or a `]` is missing", list_help},
    {"or closing '}', saw comma", "a comma too many", brace_help},
    {"dangling comma", "a comma too many", brace_help},
    {"closing '}'", "a comma or a `}` is missing", brace_help},
    {"blank bare keys", "a header that names no table", header_help},
    {"brackets must be contiguous", "blanks between the brackets of a header", header_help},
    {"expected ']'", "a `]` is missing", header_help},
    {"multi-line strings are prohibited", "a key goes over several lines", "quote a key with one quote on each side"},
    {"starting character or string delimiter", "no key can begin like this",
     "a key is letters, digits, `_` and `-`; any other stands in quotes"},
    {"expected keys, tables", "no key can begin like this", "a line is `key = value`, a [header], or a # comment"},
    {"expected a comment or whitespace", "more than one thing in a line",
     "begin a new line for it, or put text into quotes and lists into brackets"},
    {"line-ending backslashes", "a `\\` before a blank", escape_help},
    {"escape sequence", "an unknown escape", escape_help},
    {"hex digit", "an unknown escape", escape_help},
    {"U+10FFFF", "an escape for no character", escape_help},
    {"surrogates", "an escape for no character", escape_help},
    {"control character", "a control character", "write it as an escape: \"\\t\", or \"\\u0007\" by its number"},
    {"line breaks in TOML", "a line break of another kind", "save the file with plain line ends"},
    {"after '\\r'", "a line break of another kind", "save the file with plain line ends"},
    {"leading zeroes", "a number that begins with 0", number_help},
    {"underscores", "a number that can't be read", number_help},
    {"64 bits", "a number that is too large", "no number of a policy is as large as this"},
    {"exceeds length limit", "a number that is too large", "no number of a policy is as large as this"},
    {"2-digit", "a date that can't be read", date_help},
    {"4-digit", "a date that can't be read", date_help},
    {"expected month", "a date that can't be read", date_help},
    {"expected day", "a date that can't be read", date_help},
    {"expected hour", "a date that can't be read", date_help},
    {"expected minute", "a date that can't be read", date_help},
    {"expected second", "a date that can't be read", date_help},
    {"expected space, 'T'", "a date that can't be read", date_help},
    {"digit", "a number that can't be read", number_help},
    {"exponent", "a number that can't be read", number_help},
    {"cannot redefine", "set already, as something else", twice_help},
    {"cannot insert", "set already, as something else", twice_help},
    {"value-terminator", "something stands right behind a value",
     "a value ends with a comma, a bracket, a blank or its line; text stands in quotes"},
}};

// What toml++ calls it, and what we do.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> things{
    {{"array", "a list"},
     {"inline table", "a table in braces"},
     {"table header", "a header"},
     {"key-value pair", "a key and its value"},
     {"key", "a key"},
     {"comment", "a comment"},
     {"string", "a string"},
     {"literal string", "a string"},
     {"boolean", "true or false"},
     {"date", "a date"},
     {"date-time", "a date"},
     {"integer", "a number"}}};

}  // namespace

SyntaxError syntax_error(std::string_view said, std::string_view at) {
    // "Error while parsing key-value pair: expected '=', saw 'b'"
    constexpr std::string_view prefix = "Error while parsing ";
    std::string_view reading;
    if (const std::size_t colon = said.find(": "); said.starts_with(prefix) && colon != std::string_view::npos) {
        reading = said.substr(prefix.size(), colon - prefix.size());
        said.remove_prefix(colon + 2);
    }
    SyntaxError error{"", "while reading a value", ""};
    if (const auto thing = std::ranges::find(things, reading, &std::pair<std::string_view, std::string_view>::first);
        thing != things.end()) {
        error.label = fmt::format("while reading {}", thing->second);
    }
    const bool line_end = at.empty() || at[0] == '\n' || at[0] == '\r';
    if (line_end && said.find("control character") != std::string_view::npos) {
        error.message = "a string is not closed in its line";
        error.help = quote_help;
    } else if (const auto known = std::ranges::find_if(
                   words, [&](const Words& one) { return said.find(one.said) != std::string_view::npos; });
               known != words.end()) {
        error.message = known->message;
        error.help = known->help;
    } else {
        error.message = "something that does not belong here";
        error.help = "a line is `key = value`, a [header], or a # comment; text stands in quotes";
    }
    return error;
}

}  // namespace policyc
