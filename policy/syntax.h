// Syntax errors in words of this language's own, whatever the parser said.
#pragma once

#include <string>
#include <string_view>

namespace policyc {

struct SyntaxError {
    std::string message;  // "a value is missing"
    std::string label;    // "while reading a list"
    std::string help;
};

// `said` is toml++'s description, `at` the character it points at, "" at the end of the file.
SyntaxError syntax_error(std::string_view said, std::string_view at);

}  // namespace policyc
