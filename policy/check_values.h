// Single values of a policy: port items, rates, durations, addresses and names. Each function reports what it can't read, at its exact
// place, and returns nothing then. `text` is the part of the string `value` that begins at byte `at`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/ast.h"
#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// A part of a string value.
struct Part {
    const Value& value;
    std::string_view text;
    std::size_t at = 0;  // of text in the string

    explicit Part(const Value& whole) : value(whole), text(*whole.string()) {}
    Part(const Value& whole, std::string_view part)
        : value(whole), text(part), at(static_cast<std::size_t>(part.data() - whole.string()->data())) {}
    // The whole literal with its quotes where the part is all of the string, else the part alone.
    [[nodiscard]] Span span() const { return text.size() == value.string()->size() ? value.span : exact(); }
    [[nodiscard]] Span exact() const { return value.inside(at, text.size()); }
};

// What a value is, for messages: "a string", "a list".
std::string_view what_is(const Value& value);

std::optional<Ports> read_ports(const Part& part, Diagnostics& diagnostics);
// A port item that is written as a number or as a string; `key` is what it is written for.
std::optional<Ports> read_ports(const Value& value, std::string_view key, Diagnostics& diagnostics);
// The decimal number of a UDP or TCP port.
std::optional<std::uint16_t> read_port(const Part& part, Diagnostics& diagnostics);

// `help_zero` is what to say of a rate of 0.
std::optional<Rate> read_rate(const Value& value, std::string_view help_zero, Diagnostics& diagnostics);
std::optional<Seconds> read_duration(const Value& value, Diagnostics& diagnostics);

// Whether something is meant as an address and not as a name: "10.0.0.300", "10.0.0.1-9", "fd69::x".
bool looks_like_address(std::string_view text);
// An address or CIDR; host bits are an error.
std::optional<Range> read_range(const Part& part, Diagnostics& diagnostics);
// A single address that a node can have.
std::optional<Address> read_node_address(const Value& value, Diagnostics& diagnostics);
// In lower case and without the trailing dot.
std::optional<std::string> read_host_name(const Part& part, Diagnostics& diagnostics);
// One that Linux takes, and that nft doesn't take for a pattern.
bool check_interface(const Part& part, Diagnostics& diagnostics);
// A name of this policy; `span` is where it is written.
bool check_name(std::string_view name, Span span, Diagnostics& diagnostics);

// 0.0.0.0 and ::, which are the address of nobody.
bool unspecified(const Range& range);
inline constexpr const char* help_unspecified =
    "write the address of the host; every address is \"0.0.0.0/0\", and of IPv6 \"::/0\"";

// Of "fd69::1:22", which is an address: "[fd69::1]:22", which may have been meant. "" of what can't be read so.
std::string port_in_brackets(std::string_view written);

// "host:port item", with an IPv6 host in brackets. The host is not looked at, but that it is one.
struct HostPort {
    Part host;
    std::optional<Part> ports;
};
std::optional<HostPort> split_host_port(const Value& value, Diagnostics& diagnostics);

}  // namespace policyc
