// Reads, prints and gathers addresses and ranges. Entry points: parse_address, parse_cidr, to_string, AddressSet.
#include "policy/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <bit>
#include <charconv>

namespace policyc {
namespace {

int width(Family family) {
    return family == Family::ipv4 ? 32 : 128;
}

// All bits below a prefix of this length.
u128 host_mask(Family family, int length) {
    int bits = width(family) - length;
    return bits == 128 ? ~u128{0} : (u128{1} << static_cast<unsigned>(bits)) - 1;
}

template <std::size_t N>
u128 from_bytes(const std::array<unsigned char, N>& bytes) {
    u128 value = 0;
    for (unsigned char byte : bytes) value = (value << 8U) | byte;
    return value;
}

template <std::size_t N>
std::array<unsigned char, N> to_bytes(u128 value) {
    std::array<unsigned char, N> bytes{};
    for (std::size_t i = N; i-- > 0; value >>= 8U) bytes[i] = static_cast<unsigned char>(value & 0xffU);
    return bytes;
}

// Whether `b` begins inside `a` or right after it, where a.lo <= b.lo. Written so that nothing is added to the highest address.
bool joins(const Range& a, const Range& b) {
    return a.family == b.family && (b.lo <= a.hi || b.lo - a.hi == 1);
}

std::vector<Range> merged(std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end());
    std::vector<Range> result;
    for (const Range& range : ranges) {
        if (!result.empty() && joins(result.back(), range)) {
            result.back().hi = std::max(result.back().hi, range.hi);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

// The first of sorted, disjoint ranges that ends at or above the beginning of `range`.
std::vector<Range>::const_iterator first_reaching(const std::vector<Range>& ranges, const Range& range) {
    return std::lower_bound(ranges.begin(), ranges.end(), range, [](const Range& a, const Range& b) {
        return a.family != b.family ? a.family < b.family : a.hi < b.lo;
    });
}

}  // namespace

u128 top(Family family) {
    return host_mask(family, 0);
}

std::optional<Address> parse_address(std::string_view text) {
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
    const std::string terminated(text);
    std::array<unsigned char, 4> four{};
    if (inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) return Address{Family::ipv4, from_bytes(four)};
    std::array<unsigned char, 16> sixteen{};
    if (inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) return Address{Family::ipv6, from_bytes(sixteen)};
    return std::nullopt;
}

std::optional<Cidr> parse_cidr(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return std::nullopt;
    int length = width(address->family);
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
        if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
            return std::nullopt;
        std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (length > width(address->family)) return std::nullopt;
    }
    const u128 mask = host_mask(address->family, length);
    const u128 network = address->bits & ~mask;
    return Cidr{{address->family, network, network | mask}, length, network != address->bits};
}

std::string to_string(const Address& address) {
    if (address.family == Family::ipv4) {
        const auto bytes = to_bytes<4>(address.bits);
        std::string text = std::to_string(bytes[0]);
        for (std::size_t i = 1; i < bytes.size(); ++i) text.append(".").append(std::to_string(bytes[i]));
        return text;
    }
    const auto bytes = to_bytes<16>(address.bits);
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    return text.data();
}

std::optional<int> prefix_length(const Range& range) {
    const u128 varying = range.lo ^ range.hi;
    if ((varying & (varying + 1)) != 0 || (range.lo & varying) != 0) return std::nullopt;
    const int bits =
        std::popcount(static_cast<std::uint64_t>(varying)) + std::popcount(static_cast<std::uint64_t>(varying >> 64U));
    return width(range.family) - bits;
}

std::string to_string(const Range& range) {
    const std::string lo = to_string(Address{range.family, range.lo});
    if (range.single()) return lo;
    if (const auto length = prefix_length(range)) return lo + "/" + std::to_string(*length);
    return lo + "-" + to_string(Address{range.family, range.hi});
}

AddressSet::AddressSet(std::vector<Range> ranges) : ranges_(merged(std::move(ranges))) {}

void AddressSet::add(const Range& range) {
    // From the first range that overlaps or touches to the last, all become one.
    auto first = std::lower_bound(ranges_.begin(), ranges_.end(), range, [](const Range& a, const Range& b) {
        return a.family != b.family ? a.family < b.family : a.hi < b.lo && b.lo - a.hi > 1;
    });
    auto last = first;
    Range joined = range;
    while (last != ranges_.end() && (last->lo <= joined.lo ? joins(*last, joined) : joins(joined, *last))) {
        joined.lo = std::min(joined.lo, last->lo);
        joined.hi = std::max(joined.hi, last->hi);
        ++last;
    }
    if (first == last) {
        ranges_.insert(first, joined);
    } else {
        *first = joined;
        ranges_.erase(first + 1, last);
    }
}

void AddressSet::subtract(const Range& range) {
    const auto first = first_reaching(ranges_, range);
    auto last = first;
    std::vector<Range> left;
    for (; last != ranges_.end() && last->meets(range); ++last) {
        if (last->lo < range.lo) left.push_back({range.family, last->lo, range.lo - 1});
        if (range.hi < last->hi) left.push_back({range.family, range.hi + 1, last->hi});
    }
    const auto at = ranges_.erase(first, last);
    ranges_.insert(at, left.begin(), left.end());
}

bool AddressSet::holds(const Range& range) const {
    const auto at = first_reaching(ranges_, range);
    return at != ranges_.end() && at->holds(range);
}

bool AddressSet::meets(const Range& range) const {
    const auto at = first_reaching(ranges_, range);
    return at != ranges_.end() && at->meets(range);
}

std::vector<Range> AddressSet::ranges(Family family) const {
    std::vector<Range> result;
    std::copy_if(ranges_.begin(), ranges_.end(), std::back_inserter(result),
                 [family](const Range& range) { return range.family == family; });
    return result;
}

}  // namespace policyc
