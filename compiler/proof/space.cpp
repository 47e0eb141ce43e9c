// Operations on sets of points, each pair once; entry points in space.h.
#include "compiler/proof/space.h"

namespace policyc::proof {

Set Space::valid(const Result<Set>& set) {
    if (!set) throw TooLarge{set.error()};
    return set.value();
}

std::size_t Space::Hash::operator()(const Key& key) const {
    const std::uint64_t both = (std::uint64_t{key.a.id} << 32U | key.b.id) + static_cast<std::uint64_t>(key.operation);
    return static_cast<std::size_t>((both * 0x9e3779b97f4a7c15U) >> 16U);
}

Set Space::known(Operation operation, Set a, Set b) {
    switch (operation) {
        case Operation::unite:
            if (a == b || b == nothing || a == everything) return a;
            if (a == nothing || b == everything) return b;
            break;
        case Operation::intersect:
            if (a == b || b == everything || a == nothing) return a;
            if (a == everything || b == nothing) return b;
            break;
        case Operation::subtract:
            if (a == b || a == nothing || b == everything) return nothing;
            if (b == nothing) return a;
            break;
    }
    const Key key{operation, a, b};
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    Set result;
    switch (operation) {
        case Operation::unite: result = valid(diagrams_.unite(a, b)); break;
        case Operation::intersect: result = valid(diagrams_.intersect(a, b)); break;
        case Operation::subtract: result = valid(diagrams_.subtract(a, b)); break;
    }
    known_.emplace(key, result);
    return result;
}

Set Space::unite(std::span<const Set> sets) {
    return valid(diagrams_.unite(sets));
}

Set Space::build(const Boxes& boxes) {
    return valid(diagrams_.build(boxes).set);
}

Set Space::box(const FlowBox& box) {
    return valid(diagrams_.box(box));
}

Set Space::where(Field field, Interval interval) {
    FlowBox flows = whole();
    flows[place(field)] = interval;
    return box(flows);
}

}  // namespace policyc::proof
