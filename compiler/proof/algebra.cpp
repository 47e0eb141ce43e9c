// Walks two diagrams side by side. Entry point Algebra::apply, behind unite, intersect and subtract.
#include "compiler/proof/algebra.h"

#include <algorithm>
#include <array>

namespace policyc::proof {
namespace {

// The edges of a node, or the one of something that doesn't look at this level.
class Cursor {
public:
    Cursor(const Arena& arena, Id id, std::size_t level)
        : arena_(arena), id_(id), count_(arena.level(id) == level ? arena.degree(id) : 0) {}

    [[nodiscard]] Id to() const { return count_ == 0 ? id_ : arena_.to(id_, at_); }
    [[nodiscard]] bool more() const { return at_ + 1 < count_; }
    [[nodiscard]] u128 next() const { return arena_.low(id_, at_ + 1); }
    void advance() { ++at_; }

private:
    const Arena& arena_;
    Id id_;
    std::uint32_t count_;
    std::uint32_t at_ = 0;
};

}  // namespace

Id Algebra::make(std::size_t level, std::span<const Edge> edges) {
    const Id id = arena_.make(level, edges);
    if (arena_.edges() > limits_.edges) throw Full{};
    if (arena_.nodes() > memo_.size()) grow_memo();
    return id;
}

Id Algebra::between(std::size_t level, u128 max, Interval interval, Id below) {
    if (below == nothing.id) return below;
    std::array<Edge, 3> edges{};
    std::size_t count = 0;
    if (interval.lo > 0) edges[count++] = {0, nothing.id};
    edges[count++] = {interval.lo, below};
    if (interval.hi < max) edges[count++] = {interval.hi + 1, nothing.id};
    return make(level, std::span(edges).first(count));
}

Id Algebra::apply(Operation operation, Id a, Id b) {
    constexpr Id none = nothing.id;
    constexpr Id all = everything.id;
    switch (operation) {
        case Operation::unite:
            if (a == b || b == none || a == all) return a;
            if (a == none || b == all) return b;
            break;
        case Operation::intersect:
            if (a == b || b == all || a == none) return a;
            if (a == all || b == none) return b;
            break;
        case Operation::subtract:
            if (a == b || a == none || b == all) return none;
            if (b == none) return a;
            break;
        case Operation::none: break;
    }
    if (operation != Operation::subtract && a > b) std::swap(a, b);
    const Memo& known = memo_[slot(operation, a, b)];
    if (known.operation == operation && known.a == a && known.b == b) return known.result;
    const Id result = merge(operation, a, b);
    memo_[slot(operation, a, b)] = {operation, a, b, result};
    return result;
}

Id Algebra::merge(Operation operation, Id a, Id b) {
    const std::size_t level = std::min(arena_.level(a), arena_.level(b));
    Cursor one(arena_, a, level);
    Cursor other(arena_, b, level);
    const std::size_t begin = scratch_.size();
    u128 low = 0;
    for (std::size_t steps = 1;; ++steps) {
        const Id to = apply(operation, one.to(), other.to());
        if (scratch_.size() == begin || scratch_.back().to != to) scratch_.push_back({low, to});
        if (!one.more() && !other.more()) {
            work(steps);
            break;
        }
        // Each goes on where it is the first to, or both are.
        const bool go_one = one.more() && (!other.more() || one.next() <= other.next());
        const bool go_other = other.more() && (!one.more() || other.next() <= one.next());
        low = go_one ? one.next() : other.next();
        if (go_one) one.advance();
        if (go_other) other.advance();
    }
    const Id result = make(level, std::span(scratch_).subspan(begin));
    scratch_.resize(begin);
    return result;
}

std::size_t Algebra::slot(Operation operation, Id a, Id b) const {
    std::uint64_t key = (std::uint64_t{a} << 32U | b) + static_cast<std::uint64_t>(operation) * 0x632be59bd9b4e019U;
    key *= 0x9e3779b97f4a7c15U;
    return static_cast<std::size_t>(key >> 32U) & (memo_.size() - 1);
}

void Algebra::grow_memo() {
    std::vector<Memo> old(memo_.size() * 2);
    old.swap(memo_);
    for (const Memo& memo : old) {
        if (memo.operation != Operation::none) memo_[slot(memo.operation, memo.a, memo.b)] = memo;
    }
}

}  // namespace policyc::proof
