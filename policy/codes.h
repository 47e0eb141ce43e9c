// Every diagnostic code of policyc, in one table. docs/errors.md has an entry for each, and tests/errors a golden case.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace policyc {

// E: an error, exit 1. W: a warning. First two digits: 00 files and syntax, 01 keys and values, 02 references, 03 names and DNS, 04 addresses
// and networks, 05 redundancy, 06 IPv6, 07 tests, 09 apply.
//   code, title ("unknown key")
#define POLICYC_CODES(X)                        \
    X(E0001, "a file can't be read")            \
    X(E0101, "unknown key")

enum class Code : std::uint16_t {
#define X(code, title) code,
    POLICYC_CODES(X)
#undef X
};

enum class Severity : std::uint8_t { error, warning };

struct CodeInfo {
    Code code{};
    std::string_view name;   // "E0101"
    std::string_view title;  // "unknown key"
    Severity severity{};
};

const CodeInfo& info(Code code);
const std::vector<CodeInfo>& all_codes();

}  // namespace policyc
