// The tokens of a text in the syntax of nft(8), and the first thing that is wrong with it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "policy/result.h"

namespace policyc {

struct Token {
    enum class Kind : std::uint8_t {
        word,   // letters, digits and . : / - + _ as far as they touch: "10.0.0.0/8", "fd69::1", "tier1", ":"
        text,   // what stands between quotes
        mark,   // one of { } ( ) , ; = & | ! < > @ or two that belong together: "==", "!="
        line,   // one or more ends of a line; what follows a # before it is skipped
        end,    // of the text
        wrong,  // no token; after it there are no others
    };
    Kind kind = Kind::end;
    std::string_view text;
};

// Whoever reads asks on, also when something was wrong: the first error stays, and from then on there is nothing but `wrong`. So all that loops ends at `failed()`.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) { advance(); }

    [[nodiscard]] const Token& next() const { return next_; }
    [[nodiscard]] bool failed() const { return !problem_.empty(); }
    Token take();
    // Whether this word or mark comes next, which is then taken.
    bool take(std::string_view word) {
        if (!is(word)) return false;
        advance();
        return true;
    }
    [[nodiscard]] bool is(std::string_view word) const {
        return next_.text == word && (next_.kind == Token::Kind::word || next_.kind == Token::Kind::mark);
    }
    void skip_lines() {
        while (next_.kind == Token::Kind::line) advance();
    }

    // What must come next, or it is an error. Several words and marks have a space between them.
    void expect(std::string_view words);
    void expect_line();
    std::string_view expect_word(const char* what);
    std::string_view expect_text(const char* what);

    // `token`, or what comes next, isn't what may stand there.
    void fail(const std::string& problem) { fail_at(next_, problem); }
    void fail_at(const Token& token, const std::string& problem);
    // "line 12: PROBLEM". Only where it failed.
    [[nodiscard]] Error error() const;

private:
    void advance();
    void scan_word();
    void scan_text();
    void give(Token::Kind kind, std::size_t begin, std::size_t end);

    std::string_view text_;
    std::size_t at_ = 0;
    Token next_;
    std::string problem_;
    std::size_t place_ = 0;
};

// A token as messages show it: "`accept`", "the end of the line".
std::string shown(const Token& token);

}  // namespace policyc
