// Reads a policy and its fragments with toml++ and turns what it found into an Ast. Entry points: parse(), parse_text().
#include "policy/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "policy/bytes.h"
#include "policy/fragments.h"
#include "policy/scan.h"
#include "policy/syntax.h"

// Compiled into this file, whatever the package's flags say: its shared library is built with exceptions.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// toml++ asserts, or tells the compiler to assume, that a header begins with a key, and only then looks whether it does: "[=".
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

namespace policyc {
namespace {

// Line and column in code points, as toml++ has them, to byte offsets. Remembers the last line, so that a line of a million
// values costs no more than a million lines.
class Offsets {
public:
    explicit Offsets(std::string_view text) : text_(text), starts_{0} {
        for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
            starts_.push_back(at + 1);
        }
    }

    std::uint32_t of(const toml::source_position& position) {
        if (position.line == 0) return 0;
        if (position.line > starts_.size()) return static_cast<std::uint32_t>(text_.size());
        if (position.line != line_) take(position.line);
        const std::size_t column = position.column == 0 ? 0 : position.column - 1;
        if (ascii_) return static_cast<std::uint32_t>(std::min(starts_[line_ - 1] + column, text_.size()));
        return column < characters_.size() ? characters_[column] : characters_.back();
    }

    Span span(std::uint32_t file, const toml::source_region& region) {
        const std::uint32_t begin = of(region.begin);
        return {file, begin, std::max(begin, of(region.end))};
    }

private:
    void take(std::size_t line) {
        line_ = line;
        const std::size_t begin = starts_[line - 1];
        const std::size_t end = line < starts_.size() ? starts_[line] : text_.size();
        const auto plain = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
        ascii_ = std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                             text_.begin() + static_cast<std::ptrdiff_t>(end), plain);
        characters_.clear();
        if (ascii_) return;
        for (std::size_t at = begin; at < end; ++at) {
            if ((static_cast<unsigned char>(text_[at]) & 0xc0U) != 0x80U)
                characters_.push_back(static_cast<std::uint32_t>(at));
        }
        characters_.push_back(static_cast<std::uint32_t>(end));
    }

    std::string_view text_;
    std::vector<std::size_t> starts_;
    std::size_t line_ = 0;
    bool ascii_ = true;
    std::vector<std::uint32_t> characters_;  // where those of the line begin, and its end
};

class Converter {
public:
    Converter(std::uint32_t file, std::string_view text) : file_(file), offsets_(text) {}

    Table table(const toml::table& from) {
        // toml++ sorts by name; where a key was first written is the order of the text.
        std::vector<std::pair<Span, toml::table::const_iterator>> order;
        order.reserve(from.size());
        for (auto at = from.cbegin(); at != from.cend(); ++at) order.emplace_back(Span{}, at);
        std::ranges::sort(order, {}, [](const auto& item) {
            const toml::source_position& begin = item.second->first.source().begin;
            return std::pair(begin.line, begin.column);
        });
        Table out;
        out.entries.reserve(order.size());
        for (const auto& [unused, at] : order) {
            const Span key = offsets_.span(file_, at->first.source());
            out.entries.push_back({std::string(at->first.str()), key, value(at->second)});
        }
        return out;
    }

private:
    Value value(const toml::node& from) {
        Value out{.span = offsets_.span(file_, from.source())};
        if (const auto* table_node = from.as_table()) {
            out.data = table(*table_node);
        } else if (const auto* array_node = from.as_array()) {
            Array array;
            array.items.reserve(array_node->size());
            for (const toml::node& item : *array_node) array.items.push_back(value(item));
            out.data = std::move(array);
        } else if (const auto* string = from.as_string()) {
            out.data = string->get();
        } else if (const auto* integer = from.as_integer()) {
            out.data = integer->get();
        } else if (const auto* boolean = from.as_boolean()) {
            out.data = boolean->get();
        } else if (const auto* date = from.as_date()) {
            const toml::date& day = date->get();
            out.data = std::chrono::sys_days(std::chrono::year(day.year) / day.month / day.day);
        } else if (from.is_floating_point()) {
            out.data = Unused{"a number with a fraction"};
        } else if (from.is_time()) {
            out.data = Unused{"a time"};
        } else {
            out.data = Unused{"a date with a time"};
        }
        return out;
    }

    std::uint32_t file_;
    Offsets offsets_;
};

// Every key that is set twice, both places. toml++ tells of the first only, and not where it was set before.
bool report_twice_set(std::uint32_t file, std::string_view text, Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.all().size();
    std::unordered_map<std::string, std::pair<KeySite::Kind, Span>> known;
    scan_keys(text, [&](const KeySite& site) {
        const Span span{file, site.key.begin, site.key.end};
        const auto [first, added] = known.try_emplace(site.path, site.kind, span);
        if (added) return;
        const auto [kind, place] = first->second;
        if (kind == site.kind && kind == KeySite::Kind::array_element) return;
        const bool header = site.kind != KeySite::Kind::value;
        diagnostics
            .report(Code::E0003, span,
                    fmt::format("{} is set twice", header ? "[" + site.dotted + "]" : "`" + site.dotted + "`"),
                    "again here")
            .also(place, "first set here")
            .help("remove one of the two, or make them one");
    });
    return diagnostics.all().size() != before;
}

void report_syntax(std::uint32_t file, std::string_view text, const toml::parse_error& error,
                   Diagnostics& diagnostics) {
    const std::string said(error.description());
    const bool twice =
        said.find("cannot redefine") != std::string::npos || said.find("cannot insert") != std::string::npos;
    if (twice && report_twice_set(file, text, diagnostics)) return;
    Offsets offsets(text);
    Span span = offsets.span(file, error.source());
    if (span.end == span.begin && span.end < text.size() && text[span.end] != '\n' && text[span.end] != '\r') {
        do ++span.end;
        while (span.end < text.size() && (static_cast<unsigned char>(text[span.end]) & 0xc0U) == 0x80U);
    }
    const SyntaxError words = syntax_error(said, text.substr(std::min<std::size_t>(span.begin, text.size()), 1));
    diagnostics.report(Code::E0002, span, fmt::format("this is not TOML: {}", words.message), words.label)
        .help(words.help);
}

// The tree of a text that is in `sources`.
std::optional<Table> read_toml(std::uint32_t file, const Sources& sources, Diagnostics& diagnostics) {
    const std::string& text = sources.text(file);
    if (const auto odd = first_odd_byte(text)) {
        const auto offset = static_cast<std::uint32_t>(*odd);
        const auto byte = static_cast<unsigned char>(text[*odd]);
        const std::size_t line = sources.position(file, offset).line;
        diagnostics
            .report(Code::E0004, {file, offset, offset + 1},
                    fmt::format("byte 0x{:02x} in line {} is not UTF-8 text", byte, line),
                    byte == 0 ? "a NUL byte" : "not a UTF-8 character")
            .help(byte == 0 ? "this does not look like a text file" : "save the file as UTF-8");
        return {};
    }
    if (const auto deep = too_deep(text)) {
        diagnostics
            .report(Code::E0005, {file, deep->begin, deep->end}, "this is nested too deeply",
                    "deeper than any policy needs")
            .note(fmt::format("a key has at most {} parts, and brackets are at most {} deep", max_key_parts,
                              max_brackets));
        return {};
    }
    const toml::parse_result result = toml::parse(std::string_view(text));
    if (!result) {
        report_syntax(file, text, result.error(), diagnostics);
        return {};
    }
    return Converter(file, text).table(result.table());
}

// The policy as it is read: the files so far, and what all of them may weigh.
class Reader {
public:
    Reader(const Files& files, Sources& sources, Diagnostics& diagnostics)
        : files_(files), sources_(sources), diagnostics_(diagnostics) {}

    // `named` is where another file names this one.
    std::optional<Table> read(const std::string& path, Span named) {
        Result<std::string> text = files_.read(path, max_policy_bytes);
        if (!text) {
            Diagnostic& diagnostic = diagnostics_.report(Code::E0001, named, text.error().message);
            if (!text.error().help.empty()) diagnostic.help(text.error().help);
            return {};
        }
        bytes_ += text.value().size();
        if (bytes_ > max_policy_bytes) {
            diagnostics_.report(Code::E0001, named,
                                fmt::format("cannot read {}: the policy's files together are larger than {} MiB", path,
                                            max_policy_bytes >> 20U));
            return {};
        }
        if (text.value().starts_with("\xef\xbb\xbf")) text.value().erase(0, 3);
        mask_secrets(text.value());
        return read_toml(sources_.add(path, std::move(text.value())), sources_, diagnostics_);
    }

    // The fragments that the root includes, each once, with the place that names it; sorted by name.
    std::map<std::string, Span> fragments(const std::string& root_path, const Entry& include) {
        std::map<std::string, Span> found;
        if (include.value.string() != nullptr) {
            find(root_path, include.value, found);
        } else if (const Array* list = include.value.array()) {
            for (const Value& item : list->items) find(root_path, item, found);
        } else {
            report_type(include.value);
        }
        found.erase(root_path);
        return found;
    }

private:
    void report_type(const Value& value) {
        diagnostics_.report(Code::E0102, value.span, "`include` takes file name patterns", "not a string")
            .help("write for instance include = [\"policy.d/*.toml\"]");
    }

    void find(const std::string& root_path, const Value& item, std::map<std::string, Span>& found) {
        const std::string* pattern = item.string();
        if (pattern == nullptr) return report_type(item);
        constexpr std::string_view wild = "*?[";
        const std::size_t slash = pattern->rfind('/');
        std::string directory = slash == std::string::npos ? "" : pattern->substr(0, slash + 1);
        const std::string name = slash == std::string::npos ? *pattern : pattern->substr(slash + 1);
        if (name.empty() || directory.find_first_of(wild) != std::string::npos) {
            diagnostics_
                .report(Code::E0006, item.span, fmt::format("`{}` can't be included", *pattern),
                        name.empty() ? "names no file" : "only the file name may have wildcards")
                .help("name the directory in full, and a pattern for the files in it: \"policy.d/*.toml\"");
            return;
        }
        if (!directory.starts_with('/')) directory.insert(0, root_path.substr(0, root_path.rfind('/') + 1));
        if (name.find_first_of(wild) == std::string::npos) {
            found.emplace(directory + name, item.span);
            return;
        }
        if (directory.size() > 1) directory.pop_back();
        const Result<std::vector<std::string>> paths = files_.match(directory, name);
        if (!paths) {
            diagnostics_.report(Code::E0001, item.span, paths.error().message);
            return;
        }
        for (const std::string& path : paths.value()) found.emplace(path, item.span);
    }

    const Files& files_;
    Sources& sources_;
    Diagnostics& diagnostics_;
    std::size_t bytes_ = 0;
};

}  // namespace

std::optional<Ast> parse(const std::string& path, const Files& files, Sources& sources, Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.errors();
    Reader reader(files, sources, diagnostics);
    const auto file = static_cast<std::uint32_t>(sources.size());
    std::optional<Table> root = reader.read(path, {});
    if (!root) return {};
    if (const Entry* include = root->find("include")) {
        for (const auto& [name, named] : reader.fragments(path, *include)) {
            if (std::optional<Table> fragment = reader.read(name, named))
                add_fragment(*root, std::move(*fragment), diagnostics);
        }
    }
    if (diagnostics.errors() != before) return {};
    return Ast{std::move(*root), file};
}

std::optional<Table> parse_text(std::uint32_t file, const Sources& sources, Diagnostics& diagnostics) {
    return read_toml(file, sources, diagnostics);
}

}  // namespace policyc
