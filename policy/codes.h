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
    X(E0002, "the text is not TOML")                          \
    X(E0003, "a key is set twice")                            \
    X(E0004, "a byte that is not text")                       \
    X(E0005, "nested too deeply")                             \
    X(E0006, "a file that can't be included like this")       \
    X(E0101, "unknown key")                                   \
    X(E0102, "a value of another type")                       \
    X(E0103, "a port is out of range")                        \
    X(E0104, "a required key is missing")                     \
    X(E0105, "not one of the possible values")                \
    X(E0106, "not a name")                                    \
    X(E0107, "not a port item")                               \
    X(E0108, "not a rate")                                    \
    X(E0109, "not a duration")                                \
    X(E0110, "a secret key in a policy")                      \
    X(E0111, "not a WireGuard key")                           \
    X(E0112, "not an address")                                \
    X(E0113, "not a host name")                               \
    X(E0114, "another version of the language")               \
    X(E0115, "keys that don't go together")                   \
    X(E0116, "not an interface name")                         \
    X(E0117, "a number is out of range")                      \
    X(E0118, "the lists of the policy are too large")         \
    X(E0201, "unknown name")                                  \
    X(E0202, "a name of another kind")                        \
    X(E0203, "a target without a port")                       \
    X(E0204, "a source with a port")                          \
    X(E0205, "a group contains itself")                       \
    X(E0206, "a name is taken")                               \
    X(E0207, "a member has a port of its own")                \
    X(E0208, "a node can't be its own peer")                  \
    X(W0209, "a peer that can't be dialled")                  \
    X(W0210, "WireGuard itself is refused")                   \
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
    X(W0315, "a locked answer is too old")                    \
    X(W0316, "a locked name is not used")                     \
    X(E0401, "an address is given twice")                     \
    X(E0402, "a network that must stay untouched")            \
    X(E0403, "an address beyond the prefix of its network")   \
    X(E0404, "a node lacks an address of a family")           \
    X(E0405, "a public key is given twice")                   \
    X(W0406, "two nodes serve the same network")              \
    X(W0407, "a target is in no known network")               \
    X(W0501, "an entry adds nothing")                         \
    X(W0502, "no tier opens a service")                       \
    X(W0503, "nothing uses a group")                          \
    X(W0504, "an empty list")                                 \
    X(W0505, "an expiry is near")                             \
    X(W0506, "something has expired")                         \
    X(W0507, "no node judges an entry")                       \
    X(W0601, "a host has an IPv6 address that is denied")     \
    X(W0602, "IPv6 is written and denied")                    \
    X(W0603, "allowed in one family only")                    \
    X(E0701, "a test failed")                                 \
    X(E0702, "a test names what has no address")              \
    X(E0703, "a test is too entangled to be judged")          \
    X(W0704, "a test waits for an address")                   \
    X(W0705, "a test can't see all addresses of a node")      \
    X(W0706, "no node judges what a test denies")             \
    X(E0901, "an apply would cut a session, or the tunnel")

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
