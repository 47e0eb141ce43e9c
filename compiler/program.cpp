// Names and keys of the sets of permissions; entry points name_of() and permissions_of().
#include "compiler/program.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace policyc::program {

namespace {

constexpr std::array<std::string_view, 3> kind_names{"allow", "input", "output"};
constexpr std::array<std::string_view, 4> protocol_names{"any", "tcp", "udp", "ping"};
constexpr std::string_view ranges = "_ranges";
constexpr std::string_view limit = "_limit";

bool drop_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

std::string suffix(Protocol protocol, Family family) {
    return fmt::format("{}{}", protocol_names.at(static_cast<std::size_t>(protocol)), family == Family::ipv4 ? 4 : 6);
}

std::string name_of(const Permissions& p) {
    return fmt::format("{}{}_{}{}", kind_names.at(static_cast<std::size_t>(p.kind)),
                       p.limit == 0 ? std::string{} : fmt::format("{}{}", limit, p.limit), suffix(p.protocol, p.family),
                       p.interval ? ranges : std::string_view{});
}

std::optional<Permissions> permissions_of(std::string_view text) {
    for (const Kind kind : {Kind::allow, Kind::input, Kind::output}) {
        std::string_view rest = text;
        if (!drop_prefix(rest, kind_names.at(static_cast<std::size_t>(kind)))) continue;
        Permissions p{.kind = kind};
        if (drop_prefix(rest, limit)) {
            const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), p.limit);
            if (error != std::errc{} || p.limit == 0) return std::nullopt;
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        }
        for (const Protocol protocol : {Protocol::any, Protocol::tcp, Protocol::udp, Protocol::ping}) {
            for (const Family family : {Family::ipv4, Family::ipv6}) {
                for (const bool interval : {false, true}) {
                    p.protocol = protocol;
                    p.family = family;
                    p.interval = interval;
                    if (rest == fmt::format("_{}{}", suffix(protocol, family), interval ? ranges : std::string_view{}))
                        return p;
                }
            }
        }
    }
    return std::nullopt;
}

std::vector<ir::Field> fields_of(Kind kind, Protocol protocol, Family family) {
    const bool v4 = family == Family::ipv4;
    std::vector<ir::Field> fields;
    if (kind != Kind::output) fields.push_back(v4 ? ir::Field::ct_saddr4 : ir::Field::ct_saddr6);
    if (kind != Kind::input) fields.push_back(v4 ? ir::Field::ct_daddr4 : ir::Field::ct_daddr6);
    if (protocol == Protocol::tcp || protocol == Protocol::udp) fields.push_back(ir::Field::ct_proto_dst);
    return fields;
}

std::vector<ir::Field> packet_fields_of(Kind kind, Protocol protocol, Family family) {
    const bool v4 = family == Family::ipv4;
    std::vector<ir::Field> fields;
    if (kind != Kind::output) fields.push_back(v4 ? ir::Field::ip_saddr : ir::Field::ip6_saddr);
    if (kind != Kind::input) fields.push_back(v4 ? ir::Field::ip_daddr : ir::Field::ip6_daddr);
    if (protocol == Protocol::tcp) fields.push_back(ir::Field::tcp_dport);
    return fields;
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
            case ir::Field::udp_dport: types.push_back(ir::Type::inet_service); break;
        }
    }
    return types;
}

std::uint16_t echo_request(Family family) {
    return family == Family::ipv4 ? 8 * 256 : 128 * 256;
}

}  // namespace policyc::program
