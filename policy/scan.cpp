// Walks over a TOML text from key to key, skipping strings, comments and brackets. Entry points: scan_keys(), too_deep().
#include "policy/scan.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace policyc {
namespace {

class Walker {
public:
    Walker(std::string_view text, const std::function<void(const KeySite&)>& visit) : text_(text), visit_(visit) {}

    void run() {
        while (at_ < text_.size() && !too_deep_) {
            skip_lines();
            if (at_ >= text_.size()) break;
            if (peek() == '[') {
                header();
            } else {
                setting(table_path_, table_dotted_, 0);
            }
            skip_to_line_end();
        }
    }

    [[nodiscard]] std::optional<Stretch> too_deep() const { return too_deep_; }

private:
    struct Part {
        std::string name;
        Stretch place;
    };

    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] std::uint32_t here() const { return static_cast<std::uint32_t>(at_); }

    void step() { at_ = std::min(at_ + 1, text_.size()); }
    void skip_blanks() {
        while (peek() == ' ' || peek() == '\t') ++at_;
    }
    void skip_to_line_end() { at_ = std::min(text_.find('\n', at_), text_.size()); }
    // Blanks, comments and line ends.
    void skip_lines() {
        while (at_ < text_.size()) {
            const char c = peek();
            if (c == '#') {
                skip_to_line_end();
            } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
                ++at_;
            } else {
                return;
            }
        }
    }

    // A string from its opening quote; what it holds, quotes and escapes as they are written.
    std::string_view string() {
        const char quote = peek();
        const bool many_lines = peek(1) == quote && peek(2) == quote;
        at_ += many_lines ? 3 : 1;
        const std::size_t begin = at_;
        while (at_ < text_.size()) {
            const char c = peek();
            if (c == '\\' && quote == '"') {
                at_ = std::min(at_ + 2, text_.size());
            } else if (many_lines && c == quote && peek(1) == quote && peek(2) == quote) {
                while (peek(3) == quote) ++at_;
                at_ += 3;
                return text_.substr(begin, at_ - 3 - begin);
            } else if (!many_lines && (c == quote || c == '\n')) {
                const std::string_view inside = text_.substr(begin, at_ - begin);
                if (c == quote) ++at_;
                return inside;
            } else {
                ++at_;
            }
        }
        return text_.substr(begin);
    }

    // A dotted key; empty where there is none.
    std::vector<Part> key() {
        std::vector<Part> parts;
        while (at_ < text_.size()) {
            skip_blanks();
            const std::uint32_t begin = here();
            std::string name;
            if (peek() == '"' || peek() == '\'') {
                name = string();
            } else {
                while (at_ < text_.size() &&
                       std::string_view(" \t\r\n.=[]{},#\"'").find(peek()) == std::string_view::npos)
                    ++at_;
                name = text_.substr(begin, at_ - begin);
            }
            if (at_ == begin) break;
            parts.push_back({std::move(name), {begin, here()}});
            if (parts.size() > max_key_parts && !too_deep_) too_deep_ = Stretch{parts.front().place.begin, here()};
            skip_blanks();
            if (peek() != '.') break;
            ++at_;
        }
        return parts;
    }

    // The path of a key below `path`; an array of tables on the way stands for its last element.
    std::string resolve(std::string path, const std::vector<Part>& parts, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            path += '\x1f';
            path += parts[i].name;
            if (const auto array = elements_.find(path); array != elements_.end())
                path += "\x1e" + std::to_string(array->second);
        }
        return path;
    }
    static std::string dotted(std::string before, const std::vector<Part>& parts) {
        for (const Part& part : parts) {
            if (!before.empty()) before += '.';
            before += part.name;
        }
        return before;
    }

    void header() {
        const bool element = peek(1) == '[';
        at_ += element ? 2 : 1;
        const std::vector<Part> parts = key();
        if (parts.empty()) return;
        table_dotted_ = dotted({}, parts);
        KeySite site{.dotted = table_dotted_, .name = parts.back().name, .key = parts.back().place};
        if (element) {
            site.kind = KeySite::Kind::array_element;
            site.path = resolve({}, parts, parts.size() - 1) + '\x1f' + site.name;
            table_path_ = site.path + '\x1e' + std::to_string(++elements_[site.path]);
        } else {
            site.kind = KeySite::Kind::table;
            site.path = table_path_ = resolve({}, parts, parts.size());
        }
        visit_(site);
    }

    // key = value; moves at least one byte on.
    void setting(const std::string& path, const std::string& around, std::size_t depth) {
        const std::size_t begin = at_;
        const std::vector<Part> parts = key();
        if (!parts.empty() && peek() == '=') {
            ++at_;
            KeySite site{
                .path = resolve(path, parts, parts.size()), .dotted = dotted(around, parts), .name = parts.back().name};
            site.key = parts.back().place;
            skip_blanks();
            site.value.begin = here();
            value(site.dotted, depth);
            site.value.end = here();
            visit_(site);
        }
        if (at_ == begin) step();
    }

    void value(const std::string& around, std::size_t depth) {
        const char c = peek();
        if (depth >= max_brackets && (c == '[' || c == '{')) {
            if (!too_deep_) too_deep_ = Stretch{here(), here() + 1};
            return;
        }
        if (c == '"' || c == '\'') {
            string();
        } else if (c == '[') {
            array(around, depth);
        } else if (c == '{') {
            braces(around, depth);
        } else {
            const std::size_t begin = at_;
            while (at_ < text_.size() && std::string_view("\r\n,]}#").find(peek()) == std::string_view::npos) ++at_;
            while (at_ > begin && (text_[at_ - 1] == ' ' || text_[at_ - 1] == '\t')) --at_;
        }
    }

    void array(const std::string& around, std::size_t depth) {
        ++at_;
        while (at_ < text_.size() && !too_deep_) {
            skip_lines();
            if (peek() == ']') {
                ++at_;
                return;
            }
            const std::size_t before = at_;
            value(around, depth + 1);
            if (at_ == before) step();
        }
    }

    void braces(const std::string& around, std::size_t depth) {
        const std::string path = "\x1d" + std::to_string(at_);  // closed to the outside, and so are its keys
        ++at_;
        while (at_ < text_.size() && !too_deep_) {
            skip_blanks();
            if (peek() == '\n') return;
            if (peek() == '}') {
                ++at_;
                return;
            }
            if (peek() == ',') {
                ++at_;
            } else {
                setting(path, around, depth + 1);
            }
        }
    }

    std::string_view text_;
    const std::function<void(const KeySite&)>& visit_;
    std::size_t at_ = 0;
    std::string table_path_;
    std::string table_dotted_;
    std::unordered_map<std::string, std::size_t> elements_;  // of each array of tables: how many it has so far
    std::optional<Stretch> too_deep_;
};

}  // namespace

void scan_keys(std::string_view text, const std::function<void(const KeySite&)>& visit) {
    Walker(text, visit).run();
}

std::optional<Stretch> too_deep(std::string_view text) {
    const std::function<void(const KeySite&)> nothing = [](const KeySite&) {};
    Walker walker(text, nothing);
    walker.run();
    return walker.too_deep();
}

}  // namespace policyc
