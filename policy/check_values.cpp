// Reads rates, durations, addresses and names from their strings. Entry points: read_rate() and its like (ports: check_ports.cpp).
#include "policy/check_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace policyc {
namespace {

bool digit(char c) {
    return c >= '0' && c <= '9';
}
bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Decimal digits and nothing else, up to `most`.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || !digit(text[0]) || error != std::errc() || end != text.data() + text.size() || value > most)
        return {};
    return value;
}

// "10.69.13.20-30", "10.69.13.20-10.69.13.30"
bool looks_like_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    return dash != std::string_view::npos && dash > text.find('.') && std::ranges::count(text, '-') == 1 &&
           std::ranges::all_of(text, [](char c) { return digit(c) || c == '.' || c == '-'; });
}

}  // namespace

std::string_view what_is(const Value& value) {
    struct Visitor {
        std::string_view operator()(const Table&) const { return "a table"; }
        std::string_view operator()(const Array&) const { return "a list"; }
        std::string_view operator()(const std::string&) const { return "a string"; }
        std::string_view operator()(std::int64_t) const { return "a number"; }
        std::string_view operator()(bool) const { return "true or false"; }
        std::string_view operator()(std::chrono::sys_days) const { return "a date"; }
        std::string_view operator()(const Unused& unused) const { return unused.what; }
    };
    return std::visit(Visitor{}, value.data);
}

std::optional<Rate> read_rate(const Value& value, std::string_view help_zero, Diagnostics& diagnostics) {
    constexpr std::uint64_t most = 1'000'000;
    constexpr std::array<std::pair<std::string_view, Rate::Unit>, 4> units{{{"second", Rate::Unit::second},
                                                                            {"minute", Rate::Unit::minute},
                                                                            {"hour", Rate::Unit::hour},
                                                                            {"day", Rate::Unit::day}}};
    const std::string& text = *value.string();
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view unit = std::string_view(text).substr(std::min(slash + 1, text.size()));
    const auto found = std::ranges::find(units, unit, &std::pair<std::string_view, Rate::Unit>::first);
    const auto count = number(std::string_view(text).substr(0, slash), most);
    if (count && *count > 0 && found != units.end()) return Rate{static_cast<std::uint32_t>(*count), found->second};
    Diagnostic& diagnostic = diagnostics.report(Code::E0108, value.span, fmt::format("`{}` is not a rate", text),
                                                "want new connections per time, per source address");
    const auto meant = std::ranges::find_if(units, [&](const auto& known) {
        return !unit.empty() && (known.first.starts_with(unit) || unit.starts_with(known.first));
    });
    if (count == 0U) {
        diagnostic.help(std::string(help_zero));
    } else if (count && meant != units.end()) {
        diagnostic.help(fmt::format("did you mean \"{}/{}\"?", *count, meant->first));
    } else {
        diagnostic.help(fmt::format(
            "write for instance \"50/second\", \"6/minute\", \"100/hour\" or \"1000/day\", at most {}", most));
    }
    return {};
}

std::optional<Seconds> read_duration(const Value& value, Diagnostics& diagnostics) {
    constexpr std::uint64_t most = 3650ULL * 86400;
    const std::string& text = *value.string();
    std::uint64_t unit = 0;
    if (!text.empty()) {
        switch (text.back()) {
            case 's': unit = 1; break;
            case 'm': unit = 60; break;
            case 'h': unit = 3600; break;
            case 'd': unit = 86400; break;
            default: break;
        }
    }
    const auto count = number(std::string_view(text).substr(0, text.size() - (unit != 0 ? 1 : 0)), most);
    if (count && unit != 0 && *count > 0 && *count <= most / unit) return Seconds(*count * unit);
    Diagnostic& diagnostic = diagnostics.report(Code::E0109, value.span, fmt::format("`{}` is not a duration", text),
                                                "want a number and its unit");
    if (count && unit == 0) {
        diagnostic.help(fmt::format("did you mean \"{}s\" or \"{}m\"?", *count, *count));
    } else {
        diagnostic.help("write for instance \"30s\", \"15m\", \"4h\" or \"7d\", from 1s to 3650d");
    }
    return {};
}

bool looks_like_address(std::string_view text) {
    if (text.find(':') != std::string_view::npos || looks_like_range(text)) return true;
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) text = text.substr(0, slash);
    if (text.ends_with('.')) text.remove_suffix(1);
    const std::size_t dot = text.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? text : text.substr(dot + 1);
    // As RFC 3696 has it: no top level name is all digits.
    return slash != std::string_view::npos || (!last.empty() && std::ranges::all_of(last, digit));
}

std::optional<Range> read_range(const Part& part, Diagnostics& diagnostics) {
    const std::optional<Cidr> cidr = parse_cidr(part.text);
    if (!cidr) {
        Diagnostic& diagnostic =
            diagnostics.report(Code::E0112, part.span(), fmt::format("`{}` is not an address", part.text),
                               "neither an address nor a network");
        const std::size_t dash = part.text.find('-');
        const std::string_view undotted = part.text.substr(0, part.text.size() - 1);
        if (part.text.ends_with('.') && parse_cidr(undotted)) {
            diagnostic.primary.text = "an address with a dot at its end";
            diagnostic.help(fmt::format("write it without the dot: \"{}\"", undotted));
        } else if (looks_like_range(part.text) ||
                   (dash != std::string_view::npos && parse_address(part.text.substr(0, dash)))) {
            diagnostic.help("write a network, such as \"10.69.13.0/24\", or the addresses one by one");
        } else {
            diagnostic.help("write for instance \"10.69.13.5\", \"10.69.13.0/24\" or \"fd69:13::/64\"");
        }
        return {};
    }
    if (cidr->host_bits) {
        const std::string_view address = part.text.substr(0, part.text.find('/'));
        diagnostics
            .report(Code::E0403, part.span(), fmt::format("`{}` is no network", part.text),
                    fmt::format("has bits set beyond /{}", cidr->length))
            .help(fmt::format("write \"{}\" for the network, or \"{}\" for the one address", to_string(cidr->range),
                              address));
        return {};
    }
    return cidr->range;
}

bool unspecified(const Range& range) {
    return range.lo == 0 && range.hi == 0;
}

std::optional<Address> read_node_address(const Value& value, Diagnostics& diagnostics) {
    const std::string& text = *value.string();
    const std::optional<Address> address = parse_address(text);
    if (!address) {
        Diagnostic& diagnostic = diagnostics.report(Code::E0112, value.span,
                                                    fmt::format("`{}` is not an address", text), "want one address");
        if (const std::size_t slash = text.find('/'); parse_cidr(text) && slash != std::string::npos) {
            diagnostic.help(fmt::format("write it without the prefix: \"{}\"", text.substr(0, slash)));
        } else {
            diagnostic.help("write for instance \"10.69.50.2\"; a tunnel address is never looked up");
        }
        return {};
    }
    const u128 first_byte = address->family == Family::ipv4 ? address->bits >> 24U : address->bits >> 120U;
    const bool multicast = address->family == Family::ipv4 ? first_byte >= 224 : first_byte == 0xff;
    const bool loopback = address->family == Family::ipv4 ? first_byte == 127 : address->bits == 1;
    const bool nothing = address->family == Family::ipv4 ? first_byte == 0 : address->bits == 0;
    if (multicast || loopback || nothing) {
        const std::string_view why = multicast  ? "not the address of one machine"
                                     : loopback ? "this host itself, on every host"
                                                : "stands for no address";
        diagnostics
            .report(Code::E0112, value.span, fmt::format("`{}` can't be the address of a node", text), std::string(why))
            .help("choose one from the network of the tunnel, for instance \"10.69.50.2\"");
        return {};
    }
    return address;
}

std::optional<std::string> read_host_name(const Part& part, Diagnostics& diagnostics) {
    std::string name(part.text);
    if (name.ends_with('.')) name.pop_back();
    std::string why;
    if (name.empty()) why = "empty";
    if (name.size() > 253) why = "longer than 253 characters";
    for (std::size_t begin = 0; begin <= name.size() && why.empty();) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        const std::string_view label = std::string_view(name).substr(begin, end - begin);
        const auto odd =
            std::ranges::find_if(label, [](char c) { return !letter(c) && !digit(c) && c != '-' && c != '_'; });
        if (label.empty()) why = "has an empty label";
        if (label.size() > 63) why = "has a label of more than 63 characters";
        if (label.starts_with('-') || label.ends_with('-')) why = "a label begins or ends with `-`";
        if (odd != label.end()) {
            why = static_cast<unsigned char>(*odd) >= 0x80 ? std::string("only ASCII letters, digits, `-` and `_`")
                                                           : fmt::format("has a `{}`", *odd);
        }
        begin = end + 1;
    }
    if (!why.empty()) {
        Diagnostic& diagnostic =
            diagnostics.report(Code::E0113, part.span(), fmt::format("`{}` is not a host name", part.text), why);
        if (part.text.find("//") != std::string_view::npos) {
            diagnostic.help("write the host alone, without what comes before or behind it in a URL");
        } else {
            diagnostic.help("write for instance \"jelly01.home.example\"; names beyond ASCII in their `xn--` form");
        }
        return {};
    }
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return name;
}

bool check_interface(const Part& part, Diagnostics& diagnostics) {
    const std::string_view name = part.text;
    std::string why;
    const auto odd = std::ranges::find_if(name, [](char c) {
        return c <= ' ' || c > '~' || std::string_view("/:%*\"\\").find(c) != std::string_view::npos;
    });
    if (name.empty()) why = "empty";
    if (name.size() > 15) why = fmt::format("{} bytes, Linux takes 15", name.size());
    if (odd != name.end())
        why = *odd > ' ' ? fmt::format("has a `{}`", *odd) : std::string("has a blank, or bytes beyond ASCII");
    if (name == "." || name == "..") why = "a name of a directory";
    if (name.starts_with('@')) why = "begins with `@`, which nft takes for a set";
    if (why.empty()) return true;
    diagnostics.report(Code::E0116, part.span(), fmt::format("`{}` is not an interface name", name), why)
        .help("write one interface in full, for instance \"wg0\"; there are no patterns");
    return false;
}

bool check_name(std::string_view name, Span span, Diagnostics& diagnostics) {
    std::string why;
    if (name.size() > 63) why = fmt::format("{} characters", name.size());
    if (!std::ranges::all_of(name, [](char c) { return letter(c) || digit(c) || c == '_' || c == '-'; }))
        why = "only letters, digits, `_` and `-`";
    if (name.empty() || (!letter(name[0]) && name[0] != '_')) why = "begins with a letter or `_`";
    if (why.empty()) return true;
    diagnostics.report(Code::E0106, span, fmt::format("`{}` can't be a name", name), why)
        .note("a name is a letter or `_`, then letters, digits, `_` and `-`, at most 63 characters");
    return false;
}

}  // namespace policyc
