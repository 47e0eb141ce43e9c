// The names that the parts of `table inet policyc` bear, and what they say: written by lower(), read by whoever turns a Ruleset back into access.
// No name of the policy becomes an identifier as it stands: a service's counter is "svc_" and its name, everything else is made of the words below.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir.h"
#include "policy/model.h"

namespace policyc::program {

// What a permission is about: traffic that a tier covers, traffic to this host (input.NAME), traffic of this host (output).
enum class Kind : std::uint8_t { allow, input, output };

// A set of permissions. Its key is source . destination . port for `allow`, source . port for `input`, destination . port for `output`;
// `ping` and `any` have no port in the key. `limit` 0: not limited; else the number of the chain "limitN" that admits its new connections.
struct Permissions {
    Kind kind{};
    std::uint32_t limit = 0;
    Protocol protocol{};
    Family family{};
    bool interval = false;

    auto operator<=>(const Permissions&) const = default;
};

// "allow_tcp4", "input_limit2_udp6_ranges"
std::string name_of(const Permissions& permissions);
std::optional<Permissions> permissions_of(std::string_view set_name);

// The fields of the key, in order, and their types.
std::vector<ir::Field> fields_of(Kind kind, Protocol protocol, Family family);
// The same of a TCP packet itself, whatever connection it belongs to.
std::vector<ir::Field> packet_fields_of(Kind kind, Protocol protocol, Family family);
std::vector<ir::Type> types_of(const std::vector<ir::Field>& fields);

// "tcp4", "ping6"
std::string suffix(Protocol protocol, Family family);

// A conntrack tuple of an echo request bears type * 256 + code where other protocols bear the destination port (RFC 792, RFC 4443).
std::uint16_t echo_request(Family family);

}  // namespace policyc::program
