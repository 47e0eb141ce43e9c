// Any bytes as the reply of a DNS server: it says something, and never an address of the wrong family, nor none and yet an answer.
#include <algorithm>

#include "backends/dns_reply.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace policyc;
    const std::string bytes = fuzz::text_of(data, size);
    static_cast<void>(is_truncated(bytes));
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        const Reply reply = read_reply(bytes, "www.example", family);
        fuzz::require(reply.outcome != Outcome::timeout, "a reply is no timeout");
        fuzz::require((reply.outcome == Outcome::answered) == !reply.addresses.empty(),
                      "an answer has addresses, nothing else has");
        fuzz::require(
            (reply.outcome == Outcome::server_error) == !reply.problem.empty() || reply.outcome == Outcome::answered,
            "a failure says what it is");
        fuzz::require(std::ranges::all_of(reply.addresses, [&](const Address& a) { return a.family == family; }),
                      "addresses are of the family that was asked for");
    }
    return 0;
}
