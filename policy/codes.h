// Every diagnostic code of policyc, in one table. docs/errors.md has an entry for each, and tests/errors a golden case.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace policyc {

// E: an error, exit 1. W: a warning. First two digits: 00 files and syntax, 01 keys and values, 02 references, 03 names and DNS, 04 addresses
// and networks, 05 redundancy, 06 IPv6, 07 tests, 09 apply.
//   code, title ("unknown key")
#define POLICYC_CODES(X)                                      \
    X(E0001, "a file can't be read")                          \
    X(E0101, "unknown key")                                   \
    X(E0301, "a host name does not exist")                    \
    X(E0302, "an answer is outside `within`")                 \
    X(E0303, "a host name was not answered")                  \
    X(E0304, "a host name has too many addresses")            \
    X(W0305, "a host name is in neither lock nor /etc/hosts") \
    X(W0306, "a name goes on with what is locked")            \
    X(W0307, "the last answer is kept")                       \
    X(W0308, "a host name lost its addresses")                \
    X(E0309, "a host name has no address")                    \
    X(E0310, "the lock file has a merge conflict")            \
    X(E0311, "the lock file has another version")             \
    X(E0312, "unknown key in the lock file")                  \
    X(E0313, "a wrong value in the lock file")                \
    X(E0314, "an address is locked twice")                    \
    X(W0601, "a host has an IPv6 address that is denied")

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
