// Places in the policy's source: a file and two byte offsets. Line and column are computed only when something is rendered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace policyc {

// Half-open range of bytes [begin, end) of the file with this index in Sources. The default span points nowhere.
struct Span {
    static constexpr std::uint32_t no_file = UINT32_MAX;

    std::uint32_t file = no_file;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    [[nodiscard]] bool valid() const { return file != no_file; }
    auto operator<=>(const Span&) const = default;
};

// A value together with the place it was written at.
template <typename T>
struct Spanned {
    T value{};
    Span span;
};

// Line and column as people count them: from 1, columns in characters (UTF-8 code points).
struct Position {
    std::size_t line = 1;
    std::size_t column = 1;
};

// The text of every file that was read, in the order it was read; a span's `file` is an index into it.
class Sources {
public:
    // Returns the index of the new file. `name` is what messages print.
    std::uint32_t add(std::string name, std::string text);

    [[nodiscard]] std::size_t size() const { return files_.size(); }
    [[nodiscard]] const std::string& name(std::uint32_t file) const { return files_.at(file).name; }
    [[nodiscard]] const std::string& text(std::uint32_t file) const { return files_.at(file).text; }

    // Quick on a line of any length.
    [[nodiscard]] Position position(std::uint32_t file, std::uint32_t offset) const;
    [[nodiscard]] std::size_t line_number(std::uint32_t file, std::uint32_t offset) const;
    // The byte offset of a line and a column in code points; clamped to the end of that line.
    [[nodiscard]] std::uint32_t offset(std::uint32_t file, Position at) const;
    // A whole line (from 1) without its line end.
    [[nodiscard]] std::string_view line(std::uint32_t file, std::size_t line) const;
    // "policy.toml:59", or "" for a span that points nowhere.
    [[nodiscard]] std::string place(Span span) const;

private:
    struct File {
        std::string name;
        std::string text;
        std::vector<std::uint32_t> line_starts;
        std::vector<std::uint32_t> characters;  // how many begin before each block of the text

        // How many characters begin before this byte.
        [[nodiscard]] std::size_t characters_before(std::size_t offset) const;
    };
    std::vector<File> files_;
};

}  // namespace policyc
