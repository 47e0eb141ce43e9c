// The Resolver that asks real servers, by c-ares.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "policy/names.h"

namespace policyc {

struct DnsOptions {
    std::size_t in_flight = 100;  // queries that wait for a reply at one time, at most; dnsmasq forwards 150
    std::chrono::milliseconds timeout{2000};  // of one try
    int tries = 3;                            // of each server, for as long as it says nothing
    std::chrono::seconds patience{300};       // of the whole; what is not answered by then counts as a timeout
    std::string hosts = "/etc/hosts";         // what stands there is answered from it, and DNS is not asked
};

// A and AAAA of every name, absolute (no search domains). Asks nobody for a name it was not given. A reply that is cut short is asked for again over a TCP
// connection of its own: what becomes of that says nothing about other queries, and a query that ends with the failure of another one has not been tried.
//
// A name counts as answered only when both A and AAAA were, or A alone where IPv6 opens nothing (see Question). A server that fails
// (SERVFAIL, REFUSED, a reply that can't be read) or says nothing is followed by the next one; one that has said nothing for all its tries is no longer
// asked, so that a dead server costs seconds, however many names there are.
std::unique_ptr<Resolver> make_dns_resolver(const DnsOptions& options = {});

}  // namespace policyc
