// A policy put together by hand, for tests of [[test]].
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "policy/expect.h"

namespace policyc {

inline constexpr Days today{std::chrono::year{2026} / 11 / 24};

// A policy in the making. Places are numbers that only count up.
struct Draft {
    Policy policy;
    Addresses addresses;
    std::uint32_t place = 0;

    Span span() {
        ++place;
        return {0, place * 10, place * 10 + 5};
    }
    std::size_t node(const std::string& name, std::vector<const char*> with, Scope scope = Scope::none) {
        Node node;
        node.name = name;
        node.span = span();
        node.scope = scope;
        for (const char* address : with) node.addresses.push_back({parse_address(address).value(), span()});
        policy.nodes.push_back(node);
        return policy.nodes.size() - 1;
    }
    std::size_t network(const std::string& name, const char* range) {
        policy.networks.push_back({name, span(), {{parse_cidr(range)->range, span()}}});
        return policy.networks.size() - 1;
    }
    std::size_t service(const std::string& name, Host host, Ports ports) {
        Service service;
        service.name = name;
        service.span = span();
        service.host = std::move(host);
        service.ports = {ports};
        policy.services.push_back(service);
        return policy.services.size() - 1;
    }
    Source source(std::size_t node) { return {NodeRef{node}, policy.nodes[node].name, span()}; }
    Source source(const char* range) { return {parse_cidr(range)->range, range, span()}; }
    Target target(std::size_t service) {
        const Service& s = policy.services[service];
        return {s.host, s.ports[0], service, s.name, span(), s.span, s.expires};
    }
    Target target(const std::string& label, Host host, Ports ports) {
        return {std::move(host), ports, {}, label, span(), {}};
    }
    Target target(const char* range, Ports ports) { return target(range, parse_cidr(range)->range, ports); }
    Tier& tier(const std::string& name, std::vector<Source> who, std::vector<Target> allow) {
        Tier tier;
        tier.name = name;
        tier.span = span();
        tier.who = std::move(who);
        tier.allow = std::move(allow);
        policy.tiers.push_back(std::move(tier));
        return policy.tiers.back();
    }
    Expectation& test(std::vector<Source> from) {
        Expectation test;
        test.name = "a test";
        test.span = span();
        test.from = std::move(from);
        test.from_span = span();
        policy.tests.push_back(std::move(test));
        return policy.tests.back();
    }
    Expectation::List list(std::vector<Target> targets) { return {std::move(targets), span()}; }

    [[nodiscard]] Diagnostics judged(Days day = today) const {
        Diagnostics diagnostics;
        judge(policy, addresses, day, diagnostics);
        return diagnostics;
    }
};

inline constexpr Ports tcp(std::uint16_t port) {
    return {Protocol::tcp, port, port};
}
inline constexpr Ports everything{Protocol::any, 0, 0};
inline constexpr Ports ping{Protocol::ping, 0, 0};

}  // namespace policyc
