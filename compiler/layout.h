// How the permissions of tiers are laid out in the kernel, and when. docs/internals.md, "Two forms", says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace policyc {

struct Layout {
    // `tuples`: source . destination . port, an element for each of the product. `pairs`: who the sources of the tier are, and sets of its own of
    // destination . port that only they are judged by. `automatic` takes pairs where they are much smaller: see prefers_pairs().
    enum class Form : std::uint8_t { automatic, tuples, pairs };
    Form form = Form::automatic;
    // A hash set or map of more elements is split: the kernel dumps one in time that grows with the square of its size.
    std::size_t shard = 65536;
    // Sources that are in the same tiers share a chain of jumps to these. With more jumps in all, there is a rule and a set for each tier instead.
    std::size_t jumps = 1024;
    // What all sets of ranges may hold together: about 1 GB while they are made. Without overlaps a range is one element.
    std::size_t ranges = 4'000'000;
};

// "pairs", "tuples,shard=4", "automatic,jumps=0": for tests.
std::optional<Layout> parse_layout(std::string_view text);

// What a tier holds of one family. A key is destination . port, or the destination.
struct TierSize {
    std::size_t exact_sources = 0;
    std::size_t range_sources = 0;
    std::size_t exact_keys = 0;  // a short range of ports counts as that many
    std::size_t range_keys = 0;
};

// An element of an interval concatenation costs as much as this many of a hash set: one that changes among 10^4 takes 45 ms, and a look-up
// several times that of a hash set.
inline constexpr std::size_t interval_weight = 32;

// Whether the elements of the product, by weight, are more than 512 and at least four times those of the pair: 23 peers with 23 services, or a
// network with 17. One size for each family.
bool prefers_pairs(std::span<const TierSize> sizes);

}  // namespace policyc
