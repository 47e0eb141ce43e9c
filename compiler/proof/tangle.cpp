// Which boxes make a diagram too large. Entry point Diagrams::most_entangled.
#include <algorithm>
#include <random>

#include "compiler/proof/builder.h"
#include "compiler/proof/diagram.h"

namespace policyc::proof {

// The candidates are put together one after the other, in a few orders; what counts is how much the diagram grew with each.
std::vector<std::size_t> Diagrams::most_entangled(const Boxes& boxes, const std::vector<std::size_t>& candidates) {
    constexpr std::size_t room = 1'000'000;
    constexpr int orders = 4;
    constexpr std::size_t worst = 8;
    struct Growth {
        std::size_t edges = 0;
        std::size_t box = 0;
    };
    std::vector<Growth> growth;
    for (const std::size_t box : candidates) growth.push_back({0, box});
    const Limits limits = algebra_.limits();
    Builder builder(levels_, algebra_, boxes);
    std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): the same boxes, the same answer
    for (int order = 0; order < orders; ++order) {
        for (std::size_t i = growth.size(); i > 1; --i) std::swap(growth[i - 1], growth[random() % i]);
        algebra_.limit({algebra_.arena().edges() + room, limits.steps / 10});
        algebra_.begin();
        Id all = nothing.id;
        std::size_t size = 0;
        for (Growth& one : growth) {
            try {
                all = algebra_.unite(all, builder.build_one(0, static_cast<std::uint32_t>(one.box)));
            } catch (const Full&) {
                one.edges += room;
                break;
            }
            const std::size_t before = size;
            size = edges(Set{all});
            one.edges += std::max(size, before) - before;
        }
    }
    algebra_.limit(limits);
    std::ranges::sort(growth, [](const Growth& a, const Growth& b) {
        return a.edges != b.edges ? a.edges > b.edges : a.box < b.box;
    });
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < std::min(worst, growth.size()); ++i) result.push_back(growth[i].box);
    return result;
}

}  // namespace policyc::proof
