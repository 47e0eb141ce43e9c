// Names and keys of the sets of permissions; entry points name_of() and permissions_of().
#include "compiler/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace policyc::program {

namespace {

constexpr std::array<std::string_view, 3> kind_names{"allow", "input", "output"};
constexpr std::array<std::string_view, 4> protocol_names{"any", "tcp", "udp", "ping"};
constexpr std::string_view ranges = "_ranges";
constexpr std::string_view limit = "_limit";
constexpr std::string_view tier_word = "tier";
constexpr std::string_view part = "_at_";
constexpr std::string_view shards = "_shards";

bool drop_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

// A number from 1, written without leading zeros.
std::optional<std::uint32_t> take_number(std::string_view& text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || text.front() == '0') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

}  // namespace

std::string suffix(Protocol protocol, Family family) {
    return fmt::format("{}{}", protocol_names.at(static_cast<std::size_t>(protocol)), family == Family::ipv4 ? 4 : 6);
}

std::string name_of(const Permissions& p) {
    return fmt::format("{}{}_{}{}",
                       p.tier == 0 ? std::string(kind_names.at(static_cast<std::size_t>(p.kind)))
                                   : fmt::format("{}{}", tier_word, p.tier),
                       p.limit == 0 ? std::string{} : fmt::format("{}{}", limit, p.limit), suffix(p.protocol, p.family),
                       p.interval ? ranges : std::string_view{});
}

std::optional<Permissions> permissions_of(std::string_view text) {
    Permissions p;
    if (drop_prefix(text, tier_word)) {
        const auto tier = take_number(text);
        if (!tier) return std::nullopt;
        p.tier = *tier;
    } else {
        const auto kind =
            std::ranges::find_if(kind_names, [&](std::string_view name) { return text.starts_with(name); });
        if (kind == kind_names.end()) return std::nullopt;
        text.remove_prefix(kind->size());
        p.kind = static_cast<Kind>(kind - kind_names.begin());
    }
    if (drop_prefix(text, limit)) {
        const auto number = take_number(text);
        if (!number) return std::nullopt;
        p.limit = *number;
    }
    for (const Protocol protocol : {Protocol::any, Protocol::tcp, Protocol::udp, Protocol::ping}) {
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            for (const bool interval : {false, true}) {
                p.protocol = protocol;
                p.family = family;
                p.interval = interval;
                if (text == fmt::format("_{}{}", suffix(protocol, family), interval ? ranges : std::string_view{}))
                    return p;
            }
        }
    }
    return std::nullopt;
}

std::vector<ir::Field> fields_of(const Permissions& p, By by) {
    return fields_of(p.tier == 0 ? p.kind : Kind::output, p.protocol, p.family, by);
}

std::vector<ir::Field> fields_of(Kind kind, Protocol protocol, Family family, By by) {
    std::vector<ir::Field> fields;
    if (kind != Kind::output) fields.push_back(source_field(family, by));
    if (kind != Kind::input) fields.push_back(destination_field(family, by));
    if (protocol == Protocol::tcp || protocol == Protocol::udp) fields.push_back(port_field(protocol, by));
    return fields;
}

ir::Field source_field(Family family, By by) {
    const bool v4 = family == Family::ipv4;
    switch (by) {
        case By::connection: return v4 ? ir::Field::ct_saddr4 : ir::Field::ct_saddr6;
        case By::packet: return v4 ? ir::Field::ip_saddr : ir::Field::ip6_saddr;
        case By::answer: return v4 ? ir::Field::ip_daddr : ir::Field::ip6_daddr;
    }
    return {};
}

std::vector<ir::Type> types_of(const std::vector<ir::Field>& fields) {
    std::vector<ir::Type> types;
    for (const ir::Field field : fields) {
        switch (field) {
            case ir::Field::iifname:
            case ir::Field::oifname: types.push_back(ir::Type::ifname); break;
            case ir::Field::ip_saddr:
            case ir::Field::ip_daddr:
            case ir::Field::ct_saddr4:
            case ir::Field::ct_daddr4: types.push_back(ir::Type::ipv4_addr); break;
            case ir::Field::ip6_saddr:
            case ir::Field::ip6_daddr:
            case ir::Field::ct_saddr6:
            case ir::Field::ct_daddr6: types.push_back(ir::Type::ipv6_addr); break;
            case ir::Field::ct_proto_dst:
            case ir::Field::tcp_dport:
            case ir::Field::udp_dport:
            case ir::Field::tcp_sport:
            case ir::Field::udp_sport: types.push_back(ir::Type::inet_service); break;
        }
    }
    return types;
}

std::string name_of(const TierChain& chain) {
    switch (chain.use) {
        case TierChain::Use::free: return fmt::format("{}{}", tier_word, chain.tier);
        case TierChain::Use::limited: return fmt::format("{}{}_limits", tier_word, chain.tier);
        case TierChain::Use::turned: return fmt::format("turned_{}{}", tier_word, chain.tier);
        case TierChain::Use::log: return fmt::format("log_{}{}", tier_word, chain.tier);
    }
    return {};
}

std::optional<TierChain> tier_chain_of(std::string_view text) {
    TierChain chain;
    if (drop_prefix(text, "turned_"))
        chain.use = TierChain::Use::turned;
    else if (drop_prefix(text, "log_"))
        chain.use = TierChain::Use::log;
    if (!drop_prefix(text, tier_word)) return std::nullopt;
    const auto tier = take_number(text);
    if (!tier) return std::nullopt;
    chain.tier = *tier;
    if (chain.use == TierChain::Use::free && drop_prefix(text, "_limits")) chain.use = TierChain::Use::limited;
    return text.empty() ? std::optional(chain) : std::nullopt;
}

std::string class_name(const std::vector<std::uint32_t>& tiers, bool turned) {
    std::string name = turned ? "turned_tiers" : "tiers";
    for (std::size_t i = 0; i < tiers.size();) {
        std::size_t last = i;
        while (last + 1 < tiers.size() && tiers[last + 1] == tiers[last] + 1) ++last;
        name += last == i ? fmt::format("_{}", tiers[i]) : fmt::format("_{}-{}", tiers[i], tiers[last]);
        i = last + 1;
    }
    return name;
}

std::string who_map(Family family, bool turned) {
    return fmt::format("{}who{}", turned ? "turned_" : "", family == Family::ipv4 ? 4 : 6);
}

std::string who_set(std::uint32_t tier, Family family) {
    return fmt::format("{}{}_{}", tier_word, tier, who_map(family, false));
}

ir::Field destination_field(Family family, By by) {
    const bool v4 = family == Family::ipv4;
    switch (by) {
        case By::connection: return v4 ? ir::Field::ct_daddr4 : ir::Field::ct_daddr6;
        case By::packet: return v4 ? ir::Field::ip_daddr : ir::Field::ip6_daddr;
        case By::answer: return v4 ? ir::Field::ip_saddr : ir::Field::ip6_saddr;
    }
    return {};
}

ir::Field port_field(Protocol protocol, By by) {
    const bool tcp = protocol == Protocol::tcp;
    switch (by) {
        case By::connection: return ir::Field::ct_proto_dst;
        case By::packet: return tcp ? ir::Field::tcp_dport : ir::Field::udp_dport;
        case By::answer: return tcp ? ir::Field::tcp_sport : ir::Field::udp_sport;
    }
    return {};
}

std::string prefix_of(By by) {
    switch (by) {
        case By::connection: return {};
        case By::packet: return "packet_";
        case By::answer: return "answer_";
    }
    return {};
}

std::string shard_map(std::string_view set_name) {
    return fmt::format("{}{}", set_name, shards);
}

std::string shard_name(std::string_view set_name, const Range& network) {
    std::string address = to_string(Address{network.family, network.lo});
    std::ranges::replace(address, ':', '-');
    return fmt::format("{}{}{}/{}", set_name, part, address, prefix_length(network).value_or(0));
}

std::string_view whole_name(std::string_view set_name) {
    set_name = set_name.substr(0, set_name.find(part));
    for (const By by : {By::packet, By::answer}) drop_prefix(set_name, prefix_of(by));
    if (set_name.ends_with(shards)) set_name.remove_suffix(shards.size());
    return set_name;
}

bool says_access(std::string_view set_name) {
    std::string_view name = whole_name(set_name);
    drop_prefix(name, "log_");
    if (permissions_of(name)) return true;
    name = whole_name(set_name);
    if (name.ends_with(ranges)) name.remove_suffix(ranges.size());
    if (drop_prefix(name, tier_word)) {
        if (!take_number(name) || !drop_prefix(name, "_")) return false;
    } else {
        drop_prefix(name, "turned_");
    }
    return name == who_map(Family::ipv4, false) || name == who_map(Family::ipv6, false);
}

bool looks_up_access(std::string_view chain_name) {
    if (tier_chain_of(chain_name)) return true;
    if (chain_name.find(part) != std::string_view::npos) return says_access(chain_name);
    drop_prefix(chain_name, "turned_");
    return chain_name.starts_with("tiers_");
}

std::vector<std::size_t> shard_fields(const std::vector<ir::Type>& types) {
    std::vector<std::size_t> fields;
    for (std::size_t i = types.size(); i-- > 0;)
        if (types[i] == ir::Type::ipv4_addr || types[i] == ir::Type::ipv6_addr) fields.push_back(i);
    return fields;
}

std::uint16_t echo_request(Family family) {
    return family == Family::ipv4 ? 8 * 256 : 128 * 256;
}

}  // namespace policyc::program
