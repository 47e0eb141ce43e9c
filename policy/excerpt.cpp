// Measures, cleans and trims lines of source for the renderer. Entry points: cut, printable.
#include "policy/excerpt.h"

#include <algorithm>
#include <array>
#include <utility>

namespace policyc {
namespace {

constexpr std::size_t tab = 4;
constexpr const char* replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view ellipsis = "...";

struct Character {
    std::string text;  // as printed
    std::size_t width = 1;
};

using CodePoints = std::pair<char32_t, char32_t>;

template <std::size_t N>
bool among(const std::array<CodePoints, N>& ranges, char32_t c) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [c](const CodePoints& r) { return r.first <= c && c <= r.second; });
}

// East Asian Width W and F of Unicode's EastAsianWidth.txt, gathered into blocks, and emoji.
constexpr std::array<CodePoints, 12> wide{{{0x1100, 0x115f},
                                           {0x2e80, 0x303e},
                                           {0x3041, 0xa4cf},
                                           {0xa960, 0xa97f},
                                           {0xac00, 0xd7a3},
                                           {0xf900, 0xfaff},
                                           {0xfe30, 0xfe6f},
                                           {0xff01, 0xff60},
                                           {0xffe0, 0xffe6},
                                           {0x1f300, 0x1f64f},
                                           {0x1f680, 0x1f9ff},
                                           {0x20000, 0x3fffd}}};
// Combining marks and joiners.
constexpr std::array<CodePoints, 6> narrow{
    {{0x300, 0x36f}, {0x483, 0x489}, {0x1ab0, 0x1aff}, {0x200c, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};
// Characters that turn or hide text: bidirectional controls, zero-width space, line separators, byte order mark; and C1 controls.
constexpr std::array<CodePoints, 7> hidden{{{0x80, 0x9f},
                                            {0x61c, 0x61c},
                                            {0x200b, 0x200b},
                                            {0x200e, 0x200f},
                                            {0x2028, 0x202e},
                                            {0x2066, 0x2069},
                                            {0xfeff, 0xfeff}}};

// Decodes the sequence at the start of `text` into `c`; its length, or 0 when it is not UTF-8.
std::size_t decode(std::string_view text, char32_t& c) {
    const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (length == 0 || text.size() < length) return 0;
    c = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return 0;
        c = (c << 6U) | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return c < least.at(length) || surrogate || c > 0x10ffff ? 0 : length;
}

// Takes the next character off `text`. A byte that continues a character belongs to the one before it, so that
// characters are counted as Sources counts columns, even where the text is not UTF-8.
Character next(std::string_view& text) {
    char32_t c = 0;
    std::size_t length = decode(text, c);
    if (length == 0) {
        length = 1;
        while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80U) ++length;
        text.remove_prefix(length);
        return {replacement, 1};
    }
    Character character{std::string(text.substr(0, length)), 1};
    text.remove_prefix(length);
    if (c == '\t') {
        character = {std::string(tab, ' '), tab};
    } else if (c < 0x20 || c == 0x7f) {
        // The picture of a control character: U+2400 and up; of DEL, U+2421.
        const unsigned picture = c == 0x7f ? 0x21 : static_cast<unsigned>(c);
        character.text = {'\xe2', '\x90', static_cast<char>(0x80U + picture)};
    } else if (among(hidden, c)) {
        character.text = replacement;
    } else if (among(narrow, c)) {
        character.width = 0;
    } else if (among(wide, c)) {
        character.width = 2;
    }
    return character;
}

std::vector<Character> split(std::string_view text) {
    std::vector<Character> result;
    result.reserve(text.size());
    while (!text.empty()) result.push_back(next(text));
    return result;
}

std::size_t width_of(const std::vector<Character>& line, std::size_t begin, std::size_t end) {
    std::size_t width = 0;
    for (std::size_t i = begin; i < std::min(end, line.size()); ++i) width += line[i].width;
    return width;
}

// A line of more bytes than this is looked at in part only: so many characters to each side of what matters.
constexpr std::size_t longest_line = 16384;
constexpr std::size_t window = 1024;

// The byte at which a character begins, or the end of the text.
std::size_t byte_of(std::string_view text, std::size_t character) {
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U && character-- == 0) break;
    }
    return at;
}

}  // namespace

std::size_t Excerpt::column(std::size_t character) const {
    if (character < first) return columns.front();
    return columns[std::min(character - first, columns.size() - 1)];
}

bool fits(std::string_view line, std::size_t begin, std::size_t end) {
    if (line.size() > longest_line) {
        if (end - std::min(begin, end) > window) return false;
        const std::vector<Character> part = split(line.substr(byte_of(line, begin)).substr(0, longest_line));
        return width_of(part, 0, end - std::min(begin, end)) <= widest_line;
    }
    const std::vector<Character> all = split(line);
    return width_of(all, 0, all.size()) <= widest_line || width_of(all, begin, end) <= widest_line;
}

Excerpt cut(std::string_view line, Characters focus) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    // Of a very long line, only what is near the focus is looked at.
    std::size_t before = 0;
    bool more = false;
    if (line.size() > longest_line) {
        before = focus.begin - std::min(focus.begin, window);
        line.remove_prefix(byte_of(line, before));
        const std::size_t most = byte_of(line, std::min(focus.begin, window) + 2 * window);
        more = most < line.size();
        line = line.substr(0, most);
        focus = {focus.begin - before, focus.end - std::min(focus.end, before)};
    }
    const std::vector<Character> all = split(line);
    std::size_t begin = 0;
    std::size_t end = all.size();
    if (width_of(all, 0, end) > widest_line) {
        begin = std::min(focus.begin, all.size());
        end = begin;
        std::size_t width = 0;
        const auto grow_right = [&] { width += all[end++].width; };
        const auto grow_left = [&] { width += all[--begin].width; };
        while (end < std::min(focus.end, all.size()) && width + all[end].width <= widest_line) grow_right();
        // What room is left goes to both sides.
        for (bool grown = true; grown;) {
            grown = false;
            if (begin > 0 && width + all[begin - 1].width <= widest_line) {
                grow_left();
                grown = true;
            }
            if (end < all.size() && width + all[end].width <= widest_line) {
                grow_right();
                grown = true;
            }
        }
    }
    Excerpt result;
    result.first = before + begin;
    std::size_t column = 0;
    if (before + begin > 0) {
        result.text += ellipsis;
        column = ellipsis.size();
    }
    for (std::size_t i = begin; i < end; ++i) {
        result.columns.push_back(column);
        result.text += all[i].text;
        column += all[i].width;
    }
    result.columns.push_back(column);
    if (end < all.size() || more) result.text += ellipsis;
    return result;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) result += next(text).text;
    return result;
}

}  // namespace policyc
