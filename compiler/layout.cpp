// When a tier gets sets of its own, and how tests say that it does; entry points prefers_pairs() and parse_layout().
#include "compiler/layout.h"

#include <algorithm>
#include <charconv>

namespace policyc {

namespace {

constexpr std::size_t small_product = 512;
constexpr std::size_t gain = 4;

}  // namespace

std::optional<Layout> parse_layout(std::string_view text) {
    Layout layout;
    for (bool first = true; first || !text.empty(); first = false) {
        const std::string_view word = text.substr(0, text.find(','));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos) {
            if (word == "tuples")
                layout.form = Layout::Form::tuples;
            else if (word == "pairs")
                layout.form = Layout::Form::pairs;
            else if (word != "automatic")
                return std::nullopt;
            continue;
        }
        std::size_t number = 0;
        const auto [end, error] = std::from_chars(word.data() + equals + 1, word.data() + word.size(), number);
        if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
        if (word.starts_with("shard=") && number > 0)
            layout.shard = number;
        else if (word.starts_with("jumps="))
            layout.jumps = number;
        else if (word.starts_with("ranges="))
            layout.ranges = number;
        else
            return std::nullopt;
    }
    return layout;
}

bool prefers_pairs(std::span<const TierSize> sizes) {
    std::size_t product = 0;
    std::size_t sum = 0;
    for (const TierSize& size : sizes) {
        const std::size_t ranges =
            size.range_sources * (size.exact_keys + size.range_keys) + size.exact_sources * size.range_keys;
        product += size.exact_sources * size.exact_keys + interval_weight * ranges;
        sum += size.exact_sources + size.range_sources + size.exact_keys + interval_weight * size.range_keys;
    }
    return product > small_product && product >= gain * sum;
}

}  // namespace policyc
