// Keeps each node once, by a hash of its edges. Entry point Arena::make.
#include "compiler/proof/arena.h"

namespace policyc::proof {
namespace {

std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
    state = (state ^ value) * 0x9e3779b97f4a7c15U;
    return state ^ (state >> 29U);
}

std::uint32_t hash_of(std::size_t level, std::span<const Edge> edges) {
    std::uint64_t state = mix(edges.size(), level);
    for (const Edge& edge : edges) {
        state = mix(state, static_cast<std::uint64_t>(edge.low) ^ (std::uint64_t{edge.to} << 32U));
        const auto high = static_cast<std::uint64_t>(edge.low >> 64U);
        if (high != 0) state = mix(state, high);
    }
    return static_cast<std::uint32_t>(state >> 32U);
}

}  // namespace

Arena::Arena(const std::vector<Level>& levels) : table_(1024) {
    for (const Level& level : levels) wide_.push_back(level.wide());
    wide_.push_back(false);
    const auto end = static_cast<std::uint32_t>(levels.size());
    nodes_.assign(2, Node{.level = end});
}

Id Arena::make(std::size_t level, std::span<const Edge> edges) {
    if (edges.size() == 1) return edges[0].to;
    const std::uint32_t hash = hash_of(level, edges);
    std::size_t at = hash & (table_.size() - 1);
    for (; table_[at] != 0; at = (at + 1) & (table_.size() - 1)) {
        const Id id = table_[at];
        if (nodes_[id].hash == hash && is(id, level, edges)) return id;
    }
    const auto id = static_cast<Id>(nodes_.size());
    const std::size_t first = wide_[level] ? wide_to_.size() : narrow_.size();
    nodes_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(edges.size()), hash,
                      static_cast<std::uint32_t>(level)});
    if (wide_[level]) {
        for (const Edge& edge : edges) {
            wide_low_.push_back(edge.low);
            wide_to_.push_back(edge.to);
        }
    } else {
        for (const Edge& edge : edges) narrow_.push_back({static_cast<std::uint32_t>(edge.low), edge.to});
    }
    table_[at] = id;
    if (nodes_.size() > table_.size() / 4 * 3) grow_table();
    return id;
}

bool Arena::is(Id id, std::size_t level, std::span<const Edge> edges) const {
    const Node& node = nodes_[id];
    if (node.level != level || node.count != edges.size()) return false;
    const Row row = this->row(id);
    for (std::uint32_t i = 0; i < node.count; ++i)
        if (row.to(i) != edges[i].to || row.low(i) != edges[i].low) return false;
    return true;
}

void Arena::grow_table() {
    table_.assign(table_.size() * 2, 0);
    for (Id id = 2; id < nodes_.size(); ++id) {
        std::size_t at = nodes_[id].hash & (table_.size() - 1);
        while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
        table_[at] = id;
    }
}

std::uint32_t Arena::find(Id id, u128 value) const {
    std::uint32_t begin = 0;
    std::uint32_t end = degree(id);
    while (end - begin > 1) {
        const std::uint32_t middle = begin + (end - begin) / 2;
        (low(id, middle) <= value ? begin : end) = middle;
    }
    return begin;
}

std::size_t Arena::bytes() const {
    return nodes_.capacity() * sizeof(Node) + narrow_.capacity() * sizeof(NarrowEdge) +
           wide_low_.capacity() * sizeof(u128) + (wide_to_.capacity() + table_.capacity()) * sizeof(Id);
}

}  // namespace policyc::proof
