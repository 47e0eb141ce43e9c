// The nodes of diagrams, each kept once: what diagram.h stands on.
//
// A node is a level and the edges that leave it: at which value each begins, in order, and where it leads. The first begins at 0, each goes up to where the next
// begins and the last to the end of the level; neighbours lead to different nodes, there are at least two, and all lead to nodes of later levels. So two nodes
// with the same points below them are the same node. Nothing is ever freed: an arena lives as long as a command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/proof/boxes.h"

namespace policyc::proof {

using Id = std::uint32_t;  // 0 is the empty set, 1 all points, then nodes

struct Edge {
    u128 low = 0;
    Id to = 0;
};

class Arena {
public:
    explicit Arena(const std::vector<Level>& levels);

    // The one node with these edges, which hold what the head of this file says, but may be a single one: then it is where that leads.
    Id make(std::size_t level, std::span<const Edge> edges);

    // The number of levels, for 0 and 1.
    [[nodiscard]] std::size_t level(Id id) const { return nodes_[id].level; }
    [[nodiscard]] std::uint32_t degree(Id id) const { return nodes_[id].count; }
    [[nodiscard]] u128 low(Id id, std::uint32_t edge) const { return row(id).low(edge); }
    [[nodiscard]] Id to(Id id, std::uint32_t edge) const { return row(id).to(edge); }
    // The edges of a node, for who looks at many of them. Also after others were made.
    class Row {
    public:
        [[nodiscard]] u128 low(std::uint32_t edge) const {
            return wide_ ? arena_->wide_low_[first_ + edge] : arena_->narrow_[first_ + edge].low;
        }
        [[nodiscard]] Id to(std::uint32_t edge) const {
            return wide_ ? arena_->wide_to_[first_ + edge] : arena_->narrow_[first_ + edge].to;
        }

    private:
        friend class Arena;
        Row(const Arena& arena, bool wide, std::uint32_t first) : arena_(&arena), first_(first), wide_(wide) {}

        const Arena* arena_;
        std::uint32_t first_;
        bool wide_;
    };
    [[nodiscard]] Row row(Id id) const { return {*this, wide_[nodes_[id].level], nodes_[id].first}; }
    // Whether that is the node with these edges.
    [[nodiscard]] bool is(Id id, std::size_t level, std::span<const Edge> edges) const;
    // The edge that this value takes.
    [[nodiscard]] std::uint32_t find(Id id, u128 value) const;

    [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
    [[nodiscard]] std::size_t edges() const { return narrow_.size() + wide_to_.size(); }
    [[nodiscard]] std::size_t bytes() const;

private:
    struct Node {
        std::uint32_t first = 0;  // of its edges, among those of levels as wide
        std::uint32_t count = 0;
        std::uint32_t hash = 0;
        std::uint32_t level = 0;
    };
    struct NarrowEdge {
        std::uint32_t low = 0;
        Id to = 0;
    };

    void grow_table();

    std::vector<bool> wide_;  // by level
    std::vector<Node> nodes_;
    std::vector<NarrowEdge> narrow_;
    std::vector<u128> wide_low_;
    std::vector<Id> wide_to_;
    std::vector<Id> table_;  // open addressing, a power of two; 0 is free
};

}  // namespace policyc::proof
