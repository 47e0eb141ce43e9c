// Host names and their addresses: what a resolver answered, what is remembered, and the interface behind which DNS sits.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/address.h"

namespace policyc {

// Seconds since the epoch, UTC. The clock is an input, never read below the driver.
using Time = std::chrono::sys_seconds;

// What one look-up of a name (A and AAAA together) came to.
enum class Outcome : std::uint8_t {
    answered,      // at least one address
    no_such_name,  // NXDOMAIN: an answer, the name does not exist
    no_address,    // the name exists and has no address: an answer too
    timeout,       // nobody answered: not an answer, the last one is kept
    server_error,  // SERVFAIL, REFUSED, a malformed reply: not an answer either
};

struct Answer {
    Outcome outcome = Outcome::timeout;
    std::vector<Address> addresses;   // sorted, without repetitions, both families
    std::uint32_t ttl = 0;            // seconds, the least of all records involved
    std::vector<std::string> cnames;  // the chain that was followed, in order, without the name itself
    std::string server;               // who answered or failed to: "10.69.13.5", "/etc/hosts", or "" when unknown
    std::string detail;               // of a failure, or where an answer is not whole: what happened, for people
};

// Addresses of names, as the rest of the pipeline sees them: a name that is absent or empty has no address, and allows nothing.
using Addresses = std::map<std::string, std::vector<Address>>;

// hosts(5) text: each name in lower case with its addresses in order; what can't be read is skipped, as the C library does.
Addresses parse_hosts(std::string_view text);

// A server to ask: an address and a UDP/TCP port.
struct Server {
    Address address;
    std::uint16_t port = 53;
};

struct Question {
    std::vector<std::string> names;  // each once, lower case, without a trailing dot
    std::vector<Server> servers;     // empty: the system's (/etc/resolv.conf)
    // Whether an IPv6 address could open anything. Where it could, a name is answered only when both A and AAAA were: half an answer would
    // drop addresses that are still good. Where it couldn't, A alone is the answer: AAAA is asked for, so that a person can be warned of what
    // clients will try first, and its failure takes nothing away.
    bool ipv6 = true;
};

// Asks for all names at once, with a bound on queries in flight. Never throws; each name gets exactly one Answer.
class Resolver {
public:
    virtual ~Resolver() = default;
    virtual std::map<std::string, Answer> resolve(const Question& question) = 0;
};

// A name with more addresses than this is refused.
inline constexpr std::size_t max_addresses_per_name = 64;

}  // namespace policyc
