// The bytes of a DNS reply (RFC 1035), read into what they say about one question.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/names.h"

namespace policyc {

struct Reply {
    Outcome outcome = Outcome::server_error;  // never timeout
    std::vector<Address> addresses;           // of the end of the CNAME chain; as many as the reply has, in its order
    std::uint32_t ttl = 0;  // the least of all records used; for NXDOMAIN and "no address" by RFC 2308, from the SOA
    std::vector<std::string> cnames;
    // Of a server_error, to be read after "10.69.13.5": "answered SERVFAIL", "sent a malformed reply". Where more addresses were answered than fit:
    // "cut its reply short".
    std::string problem;
};

// `name` in lower case without a trailing dot. A reply that is about another question, is cut short or contradicts itself is a server_error; records
// that are not on the chain from `name` are not looked at. A truncated reply is an error unless it already has more than max_addresses_per_name.
Reply read_reply(std::string_view bytes, const std::string& name, Family family);

// Whether the reply says that there is more of it than is here.
bool is_truncated(std::string_view bytes);

}  // namespace policyc
