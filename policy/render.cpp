// Diagnostics as text for people, in the manner of rustc, and as JSON. Entry points: render, render_labels, render_json.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "policy/diagnostic.h"
#include "policy/excerpt.h"

namespace policyc {
namespace {

struct Place {
    std::uint32_t file = 0;
    Position begin;
    Position end;
};

Place place_of(Span span, const Sources& sources) {
    return {span.file, sources.position(span.file, span.begin),
            sources.position(span.file, std::max(span.begin, span.end))};
}

// A label on one line, as columns of what is printed.
struct Mark {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool primary = false;
    const std::string* text = nullptr;
};
using Lines = std::map<std::size_t, std::vector<Mark>>;  // by line number

class Renderer {
public:
    Renderer(const Sources& sources, bool color) : sources_(sources), color_(color) {}

    std::string text_of(const Diagnostic& diagnostic) {
        out_.clear();
        const CodeInfo& code = info(diagnostic.code);
        const bool error = code.severity == Severity::error;
        severity_ = error ? "\x1b[1;31m" : "\x1b[1;33m";
        paint(severity_, std::string(error ? "error" : "warning") + "[" + std::string(code.name) + "]");
        paint(bold, ": " + printable(diagnostic.message));
        out_ += '\n';
        gutter_ = 1;
        if (diagnostic.primary.span.valid()) excerpts(diagnostic);
        remarks(diagnostic);
        return std::move(out_);
    }

    std::string labels_of(const Diagnostic& diagnostic) {
        out_.clear();
        gutter_ = 1;
        excerpts(diagnostic);
        return std::move(out_);
    }

private:
    static constexpr const char* bold = "\x1b[1m";
    static constexpr const char* blue = "\x1b[1;34m";

    void paint(const char* escape, std::string_view text) {
        if (!color_) {
            out_ += text;
            return;
        }
        out_.append(escape).append(text).append("\x1b[0m");
    }

    void margin(std::string_view number) {
        paint(blue, std::string(gutter_ - number.size(), ' ') + std::string(number) + " |");
    }

    void excerpts(const Diagnostic& diagnostic) {
        std::vector<std::uint32_t> files;  // the primary one first, then as they are mentioned
        std::map<std::uint32_t, Lines> lines;
        std::map<std::uint32_t, Position> first;
        const auto add = [&](const Label& label, bool primary) {
            if (!label.span.valid()) return;
            const Place place = place_of(label.span, sources_);
            if (!lines.contains(place.file)) {
                files.push_back(place.file);
                first[place.file] = place.begin;
            }
            lines[place.file][place.begin.line].push_back(mark_of(place, label, primary));
            gutter_ = std::max(gutter_, std::to_string(place.begin.line).size());
        };
        add(diagnostic.primary, true);
        for (const Label& label : diagnostic.secondary) add(label, false);
        for (std::uint32_t file : files) {
            paint(blue, std::string(gutter_, ' ') + (file == files.front() ? "-->" : ":::"));
            out_ += " " + printable(sources_.name(file)) + ":" + std::to_string(first[file].line) + ":" +
                    std::to_string(first[file].column) + "\n";
            margin("");
            out_ += '\n';
            excerpt(file, lines[file]);
        }
    }

    // The part of the label that is on its first line: a longer one is underlined to the end of what is written there.
    Mark mark_of(const Place& place, const Label& label, bool primary) const {
        const std::string_view line = sources_.line(place.file, place.begin.line);
        const std::size_t begin = place.begin.column - 1;
        std::size_t end = place.end.column - 1;
        if (place.end.line != place.begin.line) end = characters(line.substr(0, line.find_last_not_of(" \t") + 1));
        return {begin, end, primary, &label.text};
    }

    void excerpt(std::uint32_t file, Lines& lines) {
        std::size_t last = 0;
        for (auto& [number, marks] : lines) {
            if (last != 0 && number == last + 2) {
                source_line(last + 1, cut(sources_.line(file, last + 1), {0, 0}));
            } else if (last != 0 && number > last + 2) {
                paint(blue, "...");
                out_ += '\n';
            }
            last = number;
            marked_line(number, sources_.line(file, number), marks);
        }
    }

    void source_line(std::size_t number, const Excerpt& excerpt) {
        margin(std::to_string(number));
        if (!excerpt.text.empty()) out_ += " " + excerpt.text;
        out_ += '\n';
    }

    // A row per label, from left to right. A line too long for one row is shown once for each part that has labels.
    void marked_line(std::size_t number, std::string_view line, std::vector<Mark>& marks) {
        std::stable_sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.begin < b.begin; });
        for (std::size_t from = 0; from < marks.size();) {
            std::size_t to = from + 1;
            std::size_t end = marks[from].end;
            while (to < marks.size() && fits(line, marks[from].begin, std::max(end, marks[to].end))) {
                end = std::max(end, marks[to].end);
                ++to;
            }
            const Excerpt shown = cut(line, {marks[from].begin, end});
            source_line(number, shown);
            for (; from < to; ++from) underline(shown, marks[from]);
        }
    }

    void underline(const Excerpt& shown, const Mark& mark) {
        const std::size_t begin = shown.column(mark.begin);
        const std::size_t end = std::max(shown.column(mark.end), begin + 1);
        margin("");
        out_ += std::string(begin + 1, ' ');
        std::string row(end - begin, mark.primary ? '^' : '-');
        if (!mark.text->empty()) row += " " + printable(*mark.text);
        paint(mark.primary ? severity_ : blue, row);
        out_ += '\n';
    }

    void remarks(const Diagnostic& diagnostic) {
        if (!diagnostic.remarks.empty() && diagnostic.primary.span.valid()) {
            margin("");
            out_ += '\n';
        }
        for (const Remark& remark : diagnostic.remarks) {
            const std::string word = remark.kind == Remark::Kind::help ? "help" : "note";
            out_ += std::string(gutter_ + 1, ' ');
            paint(blue, "=");
            out_ += ' ';
            paint(bold, word);
            out_ += ": ";
            // Further lines of a remark stand below its first.
            for (std::size_t at = 0, next = 0; next != std::string::npos; at = next + 1) {
                next = remark.text.find('\n', at);
                if (at != 0) out_ += std::string(gutter_ + 3 + word.size() + 2, ' ');
                out_ +=
                    printable(std::string_view(remark.text).substr(at, next == std::string::npos ? next : next - at));
                out_ += '\n';
            }
        }
    }

    const Sources& sources_;
    bool color_;
    const char* severity_ = bold;
    std::size_t gutter_ = 1;
    std::string out_;
};

using Json = nlohmann::ordered_json;

void put_place(Json& record, Span span, const Sources& sources) {
    if (!span.valid()) {
        for (const char* key : {"file", "line", "column", "end_line", "end_column"}) record[key] = nullptr;
        return;
    }
    const Place place = place_of(span, sources);
    record["file"] = sources.name(span.file);
    record["line"] = place.begin.line;
    record["column"] = place.begin.column;
    record["end_line"] = place.end.line;
    record["end_column"] = place.end.column;
}

Json json_of(const Diagnostic& diagnostic, const Sources& sources) {
    const CodeInfo& code = info(diagnostic.code);
    Json record;
    record["code"] = code.name;
    record["severity"] = code.severity == Severity::error ? "error" : "warning";
    record["message"] = diagnostic.message;
    put_place(record, diagnostic.primary.span, sources);
    record["label"] = diagnostic.primary.text;
    record["secondary"] = Json::array();
    for (const Label& label : diagnostic.secondary) {
        Json other;
        put_place(other, label.span, sources);
        other["label"] = label.text;
        record["secondary"].push_back(std::move(other));
    }
    record["remarks"] = Json::array();
    for (const Remark& remark : diagnostic.remarks) {
        record["remarks"].push_back(
            Json{{"kind", remark.kind == Remark::Kind::help ? "help" : "note"}, {"text", remark.text}});
    }
    return record;
}

// One cause can have a thousand effects, and only the first are read.
std::size_t most_shown(Code code) {
    return info(code).severity == Severity::error ? 100 : 20;
}

}  // namespace

std::string render(const Diagnostics& diagnostics, const Sources& sources, bool color) {
    Renderer renderer(sources, color);
    std::string text;
    std::map<Code, std::size_t> seen;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
        if (++seen[diagnostic.code] > most_shown(diagnostic.code)) continue;
        if (!text.empty()) text += '\n';
        text += renderer.text_of(diagnostic);
    }
    for (const auto& [code, count] : seen) {
        if (count <= most_shown(code)) continue;
        Diagnostic rest{.code = code, .message = std::to_string(count - most_shown(code)) + " more like these"};
        text += '\n' + renderer.text_of(rest.note("`--format json` gives all of them"));
    }
    return text;
}

std::string render_labels(const std::vector<Label>& labels, const Sources& sources, bool color) {
    Diagnostic shown;
    for (const Label& label : labels) {
        if (!shown.primary.span.valid())
            shown.primary = label;
        else
            shown.secondary.push_back(label);
    }
    return Renderer(sources, color).labels_of(shown);
}

std::string render_json(const Diagnostics& diagnostics, const Sources& sources) {
    Json list = Json::array();
    for (const Diagnostic& diagnostic : diagnostics.all()) list.push_back(json_of(diagnostic, sources));
    return list.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace policyc
