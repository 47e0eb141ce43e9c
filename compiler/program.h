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
// `tier` 0: of all small tiers together; else of `allow`, of that tier alone (the first of the policy is 1), and the key has no source.
struct Permissions {
    Kind kind{};
    std::uint32_t limit = 0;
    Protocol protocol{};
    Family family{};
    bool interval = false;
    std::uint32_t tier = 0;

    auto operator<=>(const Permissions&) const = default;
};

// "allow_tcp4", "input_limit2_udp6_ranges", "tier3_limit1_tcp4"
std::string name_of(const Permissions& permissions);
std::optional<Permissions> permissions_of(std::string_view set_name);

// Where the key is read from: the tuple that began the packet's connection, as conntrack has it; the packet itself, as one that goes the way of
// who began; the packet itself, as one that goes the way of an answer (its source is the destination that was asked for).
enum class By : std::uint8_t { connection, packet, answer };

// The fields of the key, in order, and their types.
std::vector<ir::Field> fields_of(const Permissions& permissions, By by = By::connection);
std::vector<ir::Field> fields_of(Kind kind, Protocol protocol, Family family, By by = By::connection);
ir::Field source_field(Family family, By by);
ir::Field destination_field(Family family, By by);
ir::Field port_field(Protocol protocol, By by);  // of TCP or UDP
std::vector<ir::Type> types_of(const std::vector<ir::Field>& fields);

// ---- a big tier: who is in it, and its own sets ------------------------------------------------------------------------

// The chains of a tier of its own sets: "tier3" looks up what needs no rate, "tier3_limits" the rest, "turned_tier3" judges the packet itself,
// "log_tier3" logs.
struct TierChain {
    enum class Use : std::uint8_t { free, limited, turned, log };
    std::uint32_t tier = 0;
    Use use{};

    auto operator<=>(const TierChain&) const = default;
};
std::string name_of(const TierChain& chain);
std::optional<TierChain> tier_chain_of(std::string_view chain_name);

// "tiers_1-3_7", a chain that jumps to those of tiers 1, 2, 3 and 7; "turned_tiers_1-3_7".
std::string class_name(const std::vector<std::uint32_t>& tiers, bool turned);
// "who4", a map from a source to the chain of its tiers; "turned_who4". Networks are in "who4_ranges".
std::string who_map(Family family, bool turned);
// "tier3_who4", a set of the sources of one tier, and "tier3_who4_ranges".
std::string who_set(std::uint32_t tier, Family family);

// ---- shards ------------------------------------------------------------------------------------------------------------

// A set that is too large is split by network: "allow_tcp4_shards" maps an address to the chain "allow_tcp4_at_10.69.0.0/16", which looks up the
// set of that name. In IPv6 a hyphen stands for each colon. Where the key is read from the packet, the map and the chain have names of their own:
// "packet_allow_tcp4_shards", "answer_allow_tcp4_at_10.69.0.0/16".
std::string shard_map(std::string_view set_name);
std::string prefix_of(By by);
std::string shard_name(std::string_view set_name, const Range& network);
// The set that was split: "allow_tcp4" for the names of its map and of its parts, and for itself.
std::string_view whole_name(std::string_view set_name);
// Whether the set says who may reach what: permissions and their logs, who is in which tier, and the parts of these and the maps to them.
bool says_access(std::string_view set_name);
// Whether the chain is one that only looks into such sets, and comes and goes with them: of a tier, of who is in several, of a part.
bool looks_up_access(std::string_view chain_name);
// Which fields of a key it is split by, in that order: the destination, then the source.
std::vector<std::size_t> shard_fields(const std::vector<ir::Type>& types);

// "tcp4", "ping6"
std::string suffix(Protocol protocol, Family family);

// A conntrack tuple of an echo request bears type * 256 + code where other protocols bear the destination port (RFC 792, RFC 4443).
std::uint16_t echo_request(Family family);

}  // namespace policyc::program
