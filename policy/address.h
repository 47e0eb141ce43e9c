// Addresses and ranges of both families. An address is a 128-bit number; an IPv4 address is its 32 bits. Ranges are closed.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace policyc {

enum class Family : std::uint8_t { ipv4, ipv6 };

__extension__ using u128 = unsigned __int128;

struct Address {
    Family family = Family::ipv4;
    u128 bits = 0;

    auto operator<=>(const Address&) const = default;
};

// lo <= hi, both of one family.
struct Range {
    Family family = Family::ipv4;
    u128 lo = 0;
    u128 hi = 0;

    auto operator<=>(const Range&) const = default;
    [[nodiscard]] bool single() const { return lo == hi; }
    [[nodiscard]] bool holds(const Range& other) const {
        return family == other.family && lo <= other.lo && other.hi <= hi;
    }
    [[nodiscard]] bool meets(const Range& other) const {
        return family == other.family && lo <= other.hi && other.lo <= hi;
    }
};

[[nodiscard]] u128 top(Family family);  // the highest address of the family
[[nodiscard]] inline Range range_of(Address a) {
    return {a.family, a.bits, a.bits};
}

// Numeric forms only (RFC 4291 text for IPv6, four decimal octets without leading zeros for IPv4); never a look-up.
std::optional<Address> parse_address(std::string_view text);

// "10.69.13.0/24" or a bare address. `host_bits` is set (and the range is that of the network) when bits beyond the prefix are set.
struct Cidr {
    Range range;
    int length = 0;
    bool host_bits = false;
};
std::optional<Cidr> parse_cidr(std::string_view text);

std::string to_string(const Address& address);
// "10.69.13.5", "10.69.13.0/24" where the range is a prefix, else "10.69.13.5-10.69.13.9".
std::string to_string(const Range& range);
// The prefix length where the range is exactly one prefix.
std::optional<int> prefix_length(const Range& range);

// A set of addresses as sorted, disjoint, non-adjacent ranges.
class AddressSet {
public:
    AddressSet() = default;
    explicit AddressSet(std::vector<Range> ranges);

    void add(const Range& range);
    void subtract(const Range& range);
    [[nodiscard]] bool holds(const Range& range) const;
    [[nodiscard]] bool meets(const Range& range) const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
    [[nodiscard]] std::vector<Range> ranges(Family family) const;

private:
    std::vector<Range> ranges_;
};

}  // namespace policyc
