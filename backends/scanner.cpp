// Text to tokens: Scanner. There may be a hundred million bytes of it, so nothing is copied, and lines are counted when one is asked for.
#include "backends/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/ir.h"

namespace policyc {

namespace {

constexpr std::array<bool, 256> letters() {
    std::array<bool, 256> all{};
    for (std::size_t c = 'a'; c <= 'z'; ++c) all[c] = true;
    for (std::size_t c = 'A'; c <= 'Z'; ++c) all[c] = true;
    for (std::size_t c = '0'; c <= '9'; ++c) all[c] = true;
    for (const char c : std::string_view("._:/-+")) all[static_cast<unsigned char>(c)] = true;
    return all;
}

bool is_letter(char c) {
    static constexpr std::array<bool, 256> all = letters();
    return all[static_cast<unsigned char>(c)];
}

}  // namespace

std::string shown(const Token& token) {
    switch (token.kind) {
        case Token::Kind::word:
        case Token::Kind::mark: return fmt::format("`{}`", ir::kernel_text(token.text, 60));
        case Token::Kind::text: return fmt::format("`\"{}\"`", ir::kernel_text(token.text, 60));
        case Token::Kind::line: return "the end of the line";
        case Token::Kind::end: return "the end";
        case Token::Kind::wrong: break;
    }
    return fmt::format("`{}`", ir::kernel_text(token.text.substr(0, 1), 60));
}

Token Scanner::take() {
    const Token token = next_;
    advance();
    return token;
}

void Scanner::give(Token::Kind kind, std::size_t begin, std::size_t end) {
    next_ = {kind, text_.substr(begin, end - begin)};
}

void Scanner::advance() {
    if (failed()) return;
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ < text_.size() && text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
    const std::size_t begin = at_;
    if (begin == text_.size()) return give(Token::Kind::end, begin, begin);
    const char c = text_[at_];
    if (is_letter(c)) return scan_word();
    if (c == '"') return scan_text();
    ++at_;
    if (c == '\n') return give(Token::Kind::line, begin, at_);
    if (std::string_view("{}(),;=&|!<>@").find(c) == std::string_view::npos) {
        give(Token::Kind::wrong, begin, at_);
        return fail("is no part of a ruleset");
    }
    if ((c == '=' || c == '!') && at_ < text_.size() && text_[at_] == '=') ++at_;
    give(Token::Kind::mark, begin, at_);
}

void Scanner::scan_word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_letter(text_[at_])) ++at_;
    give(Token::Kind::word, begin, at_);
}

void Scanner::scan_text() {
    const std::size_t begin = ++at_;
    const std::size_t end = text_.find_first_of("\"\n", begin);
    if (end == std::string_view::npos || text_[end] == '\n') {
        give(Token::Kind::text, begin, std::min(end, text_.size()));
        return fail("has no end on its line");
    }
    give(Token::Kind::text, begin, end);
    at_ = end + 1;
}

void Scanner::fail_at(const Token& token, const std::string& problem) {
    if (failed()) return;
    problem_ = shown(token) + " " + problem;
    place_ = static_cast<std::size_t>(token.text.data() - text_.data());
    next_ = {Token::Kind::wrong, {}};
}

Error Scanner::error() const {
    const auto lines = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(place_), '\n');
    return Error{fmt::format("line {}: {}", lines + 1, problem_), {}, {}};
}

void Scanner::expect(std::string_view words) {
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find(' '));
        words.remove_prefix(std::min(word.size() + 1, words.size()));
        if (!take(word)) return fail(fmt::format("stands where `{}` should", word));
    }
}

void Scanner::expect_line() {
    if (next_.kind != Token::Kind::line) return fail("stands where the line should end");
    skip_lines();
}

std::string_view Scanner::expect_word(const char* what) {
    if (next_.kind == Token::Kind::word) return take().text;
    fail(fmt::format("stands where {} should", what));
    return {};
}

std::string_view Scanner::expect_text(const char* what) {
    if (next_.kind == Token::Kind::text) return take().text;
    fail(fmt::format("stands where {} should, between quotes", what));
    return {};
}

}  // namespace policyc
