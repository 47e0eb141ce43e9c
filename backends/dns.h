// The Resolver that asks real servers, by c-ares.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "policy/names.h"

namespace policyc {

struct DnsOptions {
    std::size_t in_flight = 256;                 // queries that wait for an answer at one time, at most
    std::chrono::milliseconds timeout{2000};     // of one try
    int tries = 3;
};

// A and AAAA of every name; over TCP where an answer is truncated. Asks nobody for a name it was not given.
std::unique_ptr<Resolver> make_dns_resolver(const DnsOptions& options = {});

}  // namespace policyc
