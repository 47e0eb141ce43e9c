// Keeps the text of every source file and turns byte offsets into lines and columns. Entry point: Sources.
#include "policy/span.h"

#include <algorithm>

#include "policy/excerpt.h"

namespace policyc {
namespace {

// A byte that continues a UTF-8 character, and so begins no column.
bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
}

// Characters are counted once for each block of this many bytes, so that a place on a line of a million entries costs no more than one on
// a short line.
constexpr std::size_t block = 1024;

std::size_t characters_in(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

}  // namespace

std::uint32_t Sources::add(std::string name, std::string text) {
    File file{std::move(name), std::move(text), {0}, {0}};
    for (std::size_t at = file.text.find('\n'); at != std::string::npos; at = file.text.find('\n', at + 1)) {
        file.line_starts.push_back(static_cast<std::uint32_t>(at + 1));
    }
    for (std::size_t at = 0; at + block <= file.text.size(); at += block) {
        const std::size_t more = characters_in(std::string_view(file.text).substr(at, block));
        file.characters.push_back(static_cast<std::uint32_t>(file.characters.back() + more));
    }
    files_.push_back(std::move(file));
    return static_cast<std::uint32_t>(files_.size() - 1);
}

std::size_t Sources::File::characters_before(std::size_t offset) const {
    const std::size_t whole = offset / block;
    return characters[whole] + characters_in(std::string_view(text).substr(whole * block, offset % block));
}

Position Sources::position(std::uint32_t file, std::uint32_t offset) const {
    const File& f = files_.at(file);
    offset = std::min(offset, static_cast<std::uint32_t>(f.text.size()));
    const std::size_t line = line_number(file, offset);
    return {line, f.characters_before(offset) - f.characters_before(f.line_starts[line - 1]) + 1};
}

std::size_t Sources::line_number(std::uint32_t file, std::uint32_t offset) const {
    const std::vector<std::uint32_t>& starts = files_.at(file).line_starts;
    return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), offset) - starts.begin());
}

std::uint32_t Sources::offset(std::uint32_t file, Position at) const {
    const File& f = files_.at(file);
    if (at.line == 0) return 0;
    if (at.line > f.line_starts.size()) return static_cast<std::uint32_t>(f.text.size());
    const std::string_view text = line(file, at.line);
    std::size_t byte = 0;
    for (std::size_t column = 1; column < at.column && byte < text.size(); ++column) {
        ++byte;
        while (byte < text.size() && continues(text[byte])) ++byte;
    }
    return f.line_starts[at.line - 1] + static_cast<std::uint32_t>(byte);
}

std::string_view Sources::line(std::uint32_t file, std::size_t line) const {
    const File& f = files_.at(file);
    if (line == 0 || line > f.line_starts.size()) return {};
    const std::size_t begin = f.line_starts[line - 1];
    const std::size_t end = line == f.line_starts.size() ? f.text.size() : f.line_starts[line] - 1;
    std::string_view text = std::string_view(f.text).substr(begin, end - begin);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

std::string Sources::place(Span span) const {
    if (!span.valid()) return {};
    return printable(name(span.file)) + ":" + std::to_string(line_number(span.file, span.begin));
}

}  // namespace policyc
