// Reads port items and "host:port". Entry points: read_ports(), split_host_port().
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/check_values.h"

namespace policyc {
namespace {

constexpr std::uint64_t top_port = 65535;

bool digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// `item`: where a port item could stand, and not only a number.
void out_of_range(std::string_view port, Span span, bool item, Diagnostics& diagnostics) {
    Diagnostic& diagnostic =
        diagnostics.report(Code::E0103, span, fmt::format("port {} is out of range", port), "ports are 1 to 65535");
    if (port == "0") {
        diagnostic.help(item ? "write the port that is meant; every TCP port is `*/tcp`"
                             : "write the port that is meant");
        return;
    }
    // One digit too many is how such a number comes about.
    std::uint64_t meant = 0;
    const std::string_view shorter = port.substr(0, port.size() - 1);
    const auto [end, error] = std::from_chars(shorter.data(), shorter.data() + shorter.size(), meant);
    const bool near = error == std::errc() && end == shorter.data() + shorter.size() && meant > 0 && meant <= top_port;
    diagnostic.help(near ? fmt::format("did you mean {}?", meant) : "write the port that is meant");
}

std::optional<std::uint16_t> read_number(const Part& part, bool item, Diagnostics& diagnostics);

std::optional<Ports> not_understood(const Part& part, Diagnostics& diagnostics, std::string label,
                                    std::string help = {}) {
    if (help.empty()) help = "write 443, 53/udp, 8000-8100, */tcp, ping, or * for everything";
    diagnostics.report(Code::E0107, part.span(), fmt::format("`{}` is not a port item", part.text), std::move(label))
        .help(std::move(help));
    return {};
}

}  // namespace

std::optional<std::uint16_t> read_port(const Part& part, Diagnostics& diagnostics) {
    return read_number(part, false, diagnostics);
}

namespace {

std::optional<std::uint16_t> read_number(const Part& part, bool item, Diagnostics& diagnostics) {
    std::uint64_t port = 0;
    const auto [end, error] = std::from_chars(part.text.data(), part.text.data() + part.text.size(), port);
    if (!digits(part.text) || (part.text.size() > 1 && part.text[0] == '0')) {
        not_understood(part, diagnostics, "want a number from 1 to 65535",
                       item ? std::string() : std::string("write a decimal number alone, for instance 51820"));
        return {};
    }
    if (error != std::errc() || port == 0 || port > top_port) {
        out_of_range(part.text, part.exact(), item, diagnostics);
        return {};
    }
    return static_cast<std::uint16_t>(port);
}

}  // namespace

std::optional<Ports> read_ports(const Part& part, Diagnostics& diagnostics) {
    const std::string_view text = part.text;
    if (text == "*") return Ports{Protocol::any, 0, 0};
    if (text == "ping") return Ports{Protocol::ping, 0, 0};
    const std::size_t slash = text.find('/');
    const std::string_view protocol = slash == std::string_view::npos ? "tcp" : text.substr(slash + 1);
    std::string_view numbers = text.substr(0, slash);
    std::string lower(protocol);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (text.empty()) return not_understood(part, diagnostics, "nothing behind the colon");
    if (text == "icmp" || lower == "icmp" || lower == "icmpv6" || numbers == "ping") {
        return not_understood(part, diagnostics, "has no ports", "ICMP echo is written `ping`, and every protocol `*`");
    }
    if (protocol != "tcp" && protocol != "udp") {
        const bool shouted = lower == "tcp" || lower == "udp";
        return not_understood(part, diagnostics, "the protocol is tcp or udp",
                              shouted ? fmt::format("did you mean `{}/{}`?", numbers, lower) : std::string());
    }
    Ports ports{protocol == "tcp" ? Protocol::tcp : Protocol::udp, 1, top_port};
    if (numbers == "*") return ports;
    const std::size_t dash = numbers.find('-');
    const std::string_view low = numbers.substr(0, dash);
    const std::string_view high = dash == std::string_view::npos ? low : numbers.substr(dash + 1);
    if (!digits(low) || !digits(high)) return not_understood(part, diagnostics, "neither a number nor a range");
    const auto lo = read_number(Part(part.value, low), true, diagnostics);
    const auto hi = dash == std::string_view::npos ? lo : read_number(Part(part.value, high), true, diagnostics);
    if (!lo || !hi) return {};
    if (*lo > *hi)
        return not_understood(part, diagnostics, "ends before it begins", fmt::format("did you mean {}-{}?", *hi, *lo));
    ports.lo = *lo;
    ports.hi = *hi;
    return ports;
}

std::optional<Ports> read_ports(const Value& value, std::string_view key, Diagnostics& diagnostics) {
    if (value.string() != nullptr) return read_ports(Part(value), diagnostics);
    if (const std::int64_t* number = value.integer()) {
        if (*number >= 1 && *number <= static_cast<std::int64_t>(top_port)) {
            const auto port = static_cast<std::uint16_t>(*number);
            return Ports{Protocol::tcp, port, port};
        }
        out_of_range(std::to_string(*number), value.span, true, diagnostics);
        return {};
    }
    diagnostics
        .report(Code::E0102, value.span, fmt::format("`{}` can't hold {}", key, what_is(value)),
                "want a number or a string")
        .help("write 443, \"53/udp\", \"8000-8100\" or \"ping\"");
    return {};
}

std::string port_in_brackets(std::string_view written) {
    const std::size_t last = written.rfind(':');
    if (last == std::string_view::npos || !digits(written.substr(last + 1))) return {};
    const auto address = parse_address(written.substr(0, last));
    if (!address || address->family != Family::ipv6) return {};
    return fmt::format("[{}]:{}", written.substr(0, last), written.substr(last + 1));
}

std::optional<HostPort> split_host_port(const Value& value, Diagnostics& diagnostics) {
    const std::string_view text = *value.string();
    const auto part = [&value](std::string_view piece) { return Part(value, piece); };
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        const std::string_view rest = close == std::string_view::npos ? "" : text.substr(close + 1);
        if (close == std::string_view::npos || (!rest.empty() && rest[0] != ':')) {
            diagnostics
                .report(Code::E0112, value.span, fmt::format("`{}` is not an address with a port", text),
                        "the brackets hold no address")
                .help("write \"[fd69::1]:22\"");
            return {};
        }
        const std::string_view host = text.substr(1, close - 1);
        if (rest.empty()) return HostPort{part(host), {}};
        return HostPort{part(host), part(rest.substr(1))};
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || parse_cidr(text)) return HostPort{part(text), {}};
    const std::size_t last = text.rfind(':');
    if (last != colon && text.find("//") == std::string_view::npos) {
        Diagnostic& diagnostic = diagnostics.report(Code::E0112, value.span,
                                                    fmt::format("`{}` is not an address", text), "more than one colon");
        if (parse_cidr(text.substr(0, last))) {
            diagnostic.help(fmt::format("did you mean \"[{}]:{}\"?", text.substr(0, last), text.substr(last + 1)));
        } else {
            diagnostic.help("write one \"host:port\"; an IPv6 address with a port is written \"[fd69::1]:22\"");
        }
        return {};
    }
    if (last != colon || text.substr(colon + 1).starts_with("//")) {
        diagnostics.report(Code::E0113, value.span, fmt::format("`{}` is a URL", text), "want a host and a port")
            .help("write \"host:port\", without what comes before or behind it in a URL");
        return {};
    }
    return HostPort{part(text.substr(0, colon)), part(text.substr(colon + 1))};
}

}  // namespace policyc
