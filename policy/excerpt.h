// One line of source made fit for a terminal: tabs and wide characters counted, control characters made visible, long lines trimmed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/diagnostic.h"

namespace policyc {

// A part of a line as it is printed, and where each character of the line is in it.
struct Excerpt {
    std::string text;
    std::vector<std::size_t> columns;  // of character `first` and those that follow it, and one more: the end
    std::size_t first = 0;

    // The printed column (from 0) of a character of the line (from 0). What was trimmed away is at the near edge; what is beyond
    // the end of the line is right after it.
    [[nodiscard]] std::size_t column(std::size_t character) const;
};

// Half-open range of characters of a line.
struct Characters {
    std::size_t begin = 0;
    std::size_t end = 0;
};

// A line that is printed wider than this is trimmed to it.
inline constexpr std::size_t widest_line = 160;

// The line, trimmed around `focus` (its begin where even that is too long), without blanks at its end.
Excerpt cut(std::string_view line, Characters focus);

// Whether these characters are narrow enough to be shown in one row, or the line needs no trimming at all.
bool fits(std::string_view line, std::size_t begin, std::size_t end);

// The number of characters of UTF-8 text; columns of a Position count the same way.
std::size_t characters(std::string_view text);

// The lines that the labels are on, as a diagnostic shows them: "  --> policy.toml:59:11", each line, and what is said of it below; the first label is the
// primary one. Labels without a place are left out.
std::string render_labels(const std::vector<Label>& labels, const Sources& sources, bool color);

// The text with control characters, bidirectional overrides and bytes that are not UTF-8 replaced by visible ones: what is in
// a file must not steer the terminal that shows it.
std::string printable(std::string_view text);

}  // namespace policyc
