// Walks two diagrams side by side. Entry point Algebra::apply, behind unite, intersect and subtract.
#include "compiler/proof/algebra.h"

#include <algorithm>
#include <array>

namespace policyc::proof {
namespace {

// So many unions of three and more sets are remembered: some hundred bytes each.
constexpr std::size_t most_united = 100'000;

// The edges of a node, or the one of something that doesn't look at this level.
class Cursor {
public:
    Cursor(const Arena& arena, Id id, std::size_t level)
        : row_(arena.row(id)), id_(id), count_(arena.level(id) == level ? arena.degree(id) : 0) {}

    [[nodiscard]] Id to() const { return count_ == 0 ? id_ : row_.to(at_); }
    [[nodiscard]] bool more() const { return at_ + 1 < count_; }
    [[nodiscard]] u128 next() const { return row_.low(at_ + 1); }
    void advance() { ++at_; }
    // To the edge that this value takes, which is this one or a later one.
    void seek(u128 value) {
        std::uint32_t step = 1;
        const auto passes = [&] { return step < count_ - at_ && row_.low(at_ + step) <= value; };
        for (; count_ != 0 && passes(); step *= 2) at_ += step;
        for (step /= 2; step > 0; step /= 2)
            if (passes()) at_ += step;
    }

private:
    Arena::Row row_;
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
    const auto is_of = [&](const Memo& memo) { return memo.operation == operation && memo.a == a && memo.b == b; };
    if (const Memo& known = memo_[slot(operation, a, b, memo_)]; is_of(known)) return known.result;
    Memo* const kept = large(a) || large(b) ? &large_memo_[slot(operation, a, b, large_memo_)] : nullptr;
    if (kept != nullptr && is_of(*kept)) return kept->result;
    const Id result = merge(operation, a, b);
    memo_[slot(operation, a, b, memo_)] = {operation, a, b, result};  // elsewhere than before, where it has grown
    if (kept != nullptr) *kept = {operation, a, b, result};
    return result;
}

bool Algebra::large(Id id) const {
    constexpr std::uint32_t many = 64;
    return arena_.degree(id) >= many;
}

bool Algebra::decides(Operation operation, Id id, bool first) {
    switch (operation) {
        case Operation::unite: return id == everything.id;
        case Operation::intersect: return id == nothing.id;
        case Operation::subtract: return id == (first ? nothing.id : everything.id);
        case Operation::none: break;
    }
    return false;
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
        // Where one of them says by itself what comes of it, what the other has there is passed over: small sets are often held against large ones.
        const bool one_decides = decides(operation, one.to(), true);
        if (one_decides || decides(operation, other.to(), false)) {
            Cursor& decider = one_decides ? one : other;
            if (!decider.more()) {
                work(steps);
                break;
            }
            low = decider.next();
            decider.advance();
            (one_decides ? other : one).seek(low);
            continue;
        }
        // Each goes on where it is the first to, or both are.
        const bool go_one = one.more() && (!other.more() || one.next() <= other.next());
        const bool go_other = other.more() && (!one.more() || other.next() <= one.next());
        low = go_one ? one.next() : other.next();
        if (go_one) one.advance();
        if (go_other) other.advance();
    }
    const auto edges = std::span(scratch_).subspan(begin);
    // Mostly it is one of the two, and then it need not be looked for among all nodes.
    const Id result = arena_.is(a, level, edges) ? a : arena_.is(b, level, edges) ? b : make(level, edges);
    scratch_.resize(begin);
    return result;
}

std::size_t Algebra::HashOfIds::operator()(const std::vector<Id>& ids) const {
    std::uint64_t state = ids.size();
    for (const Id id : ids) {
        state = (state ^ id) * 0x9e3779b97f4a7c15U;
        state ^= state >> 29U;
    }
    return static_cast<std::size_t>(state);
}

namespace {

// Of diagrams that are walked side by side, those that lead to some points where the walk is, and where to.
class Active {
public:
    explicit Active(std::size_t count) : places_(count, absent) {}

    void lead(std::uint32_t which, Id to) {
        std::uint32_t& place = places_[which];
        if (to != nothing.id && place == absent) {
            place = static_cast<std::uint32_t>(ids_.size());
            ids_.push_back(to);
            which_.push_back(which);
        } else if (to != nothing.id) {
            ids_[place] = to;
        } else if (place != absent) {
            places_[which_.back()] = place;
            ids_[place] = ids_.back();
            which_[place] = which_.back();
            ids_.pop_back();
            which_.pop_back();
            place = absent;
        }
    }
    [[nodiscard]] const std::vector<Id>& ids() const { return ids_; }

private:
    static constexpr std::uint32_t absent = UINT32_MAX;
    std::vector<std::uint32_t> places_;  // in the others
    std::vector<Id> ids_;
    std::vector<std::uint32_t> which_;
};

}  // namespace

Id Algebra::unite(std::vector<Id> all) {
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (!all.empty() && all.front() == nothing.id) all.erase(all.begin());
    if (all.empty()) return nothing.id;
    if (all.front() == everything.id || all.size() == 1) return all.front();
    if (all.size() == 2) return unite(all[0], all[1]);
    if (const auto known = united_.find(all); known != united_.end()) return known->second;

    std::size_t level = arena_.level(all.front());
    for (const Id id : all) level = std::min(level, arena_.level(id));
    struct Step {
        u128 low;
        std::uint32_t which;
        Id to;
    };
    std::vector<Step> steps;
    Active active(all.size());
    for (std::uint32_t which = 0; which < all.size(); ++which) {
        const Id id = all[which];
        if (arena_.level(id) != level) {
            active.lead(which, id);
            continue;
        }
        for (std::uint32_t edge = 0; edge < arena_.degree(id); ++edge)
            steps.push_back({arena_.low(id, edge), which, arena_.to(id, edge)});
    }
    work(steps.size());
    std::ranges::sort(steps, {}, &Step::low);
    std::vector<Edge> edges;
    for (auto step = steps.begin(); step != steps.end();) {
        const u128 low = step->low;
        for (; step != steps.end() && step->low == low; ++step) active.lead(step->which, step->to);
        const Id to = unite(active.ids());
        if (edges.empty() || edges.back().to != to) edges.push_back({low, to});
    }
    const Id result = make(level, edges);
    if (united_.size() == most_united) united_.clear();
    united_.emplace(std::move(all), result);
    return result;
}

std::size_t Algebra::slot(Operation operation, Id a, Id b, const std::vector<Memo>& memo) {
    std::uint64_t key = (std::uint64_t{a} << 32U | b) + static_cast<std::uint64_t>(operation) * 0x632be59bd9b4e019U;
    key *= 0x9e3779b97f4a7c15U;
    return static_cast<std::size_t>(key >> 32U) & (memo.size() - 1);
}

void Algebra::grow_memo() {
    std::vector<Memo> old(memo_.size() * 2);
    old.swap(memo_);
    for (const Memo& memo : old) {
        if (memo.operation != Operation::none) memo_[slot(memo.operation, memo.a, memo.b, memo_)] = memo;
    }
}

}  // namespace policyc::proof
