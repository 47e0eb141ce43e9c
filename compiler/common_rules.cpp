// Pairs the rules of two chains: common_rules().
#include "compiler/common_rules.h"

#include <algorithm>
#include <cstdint>

namespace policyc {

namespace {

// Longer chains are compared at their ends only.
constexpr std::size_t longest_matched = 2000;

}  // namespace

std::vector<std::pair<std::size_t, std::size_t>> common_rules(
    const std::vector<ir::Rule>& a, const std::vector<ir::Rule>& b,
    const std::function<bool(const ir::Rule&, const ir::Rule&)>& equal) {
    std::vector<std::pair<std::size_t, std::size_t>> kept;
    std::size_t begin = 0;
    while (begin < a.size() && begin < b.size() && equal(a[begin], b[begin])) {
        kept.emplace_back(begin, begin);
        ++begin;
    }
    std::size_t tail = 0;
    while (tail < a.size() - begin && tail < b.size() - begin && equal(a[a.size() - 1 - tail], b[b.size() - 1 - tail]))
        ++tail;
    const std::size_t rows = a.size() - begin - tail;
    const std::size_t columns = b.size() - begin - tail;
    if (rows != 0 && columns != 0 && rows <= longest_matched && columns <= longest_matched) {
        // length[r][c]: of the longest common subsequence of what begins at row r and column c.
        std::vector<std::uint16_t> length((rows + 1) * (columns + 1), 0);
        std::vector<bool> alike(rows * columns);
        const auto at = [&](std::size_t r, std::size_t c) -> std::uint16_t& { return length[r * (columns + 1) + c]; };
        for (std::size_t r = rows; r-- > 0;) {
            for (std::size_t c = columns; c-- > 0;) {
                alike[r * columns + c] = equal(a[begin + r], b[begin + c]);
                at(r, c) = alike[r * columns + c] ? static_cast<std::uint16_t>(at(r + 1, c + 1) + 1)
                                                  : std::max(at(r + 1, c), at(r, c + 1));
            }
        }
        for (std::size_t r = 0, c = 0; r < rows && c < columns;) {
            if (alike[r * columns + c] && at(r, c) == at(r + 1, c + 1) + 1) {
                kept.emplace_back(begin + r, begin + c);
                ++r;
                ++c;
            } else if (at(r + 1, c) >= at(r, c + 1)) {
                ++r;
            } else {
                ++c;
            }
        }
    }
    for (std::size_t i = tail; i-- > 0;) kept.emplace_back(a.size() - 1 - i, b.size() - 1 - i);
    return kept;
}

}  // namespace policyc
