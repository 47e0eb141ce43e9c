// A kernel in memory, for tests of the verbs; FakeKernel behaves like the real one where the verbs can tell.
#include "backends/fake.h"

namespace policyc {

Result<std::optional<ir::Ruleset>> FakeKernel::read() {
    if (read_error) return *read_error;
    return loaded;
}

Result<void> FakeKernel::replace(const ir::Ruleset& ruleset) {
    ++transactions;
    if (replace_error) return *replace_error;
    if (ruleset.empty()) {
        loaded.reset();
        return {};
    }
    // What the kernel keeps: no spans, causes or comments of sets and chains, and rules as it lists them.
    ir::Ruleset kept = ruleset;
    kept.node.clear();
    kept.subjects.clear();
    kept.objects.clear();
    for (ir::Counter& counter : kept.counters)
        counter = {counter.name, ir::kernel_text(counter.comment, ir::max_comment), {}, counter.packets, counter.bytes};
    for (ir::Set& set : kept.sets) {
        ir::Elements elements(set.types, set.interval);
        elements.reserve(set.elements.size());
        for (std::size_t i = 0; !set.dynamic && i < set.elements.size(); ++i) {
            elements.add_key(set.elements.key(i), {}, set.elements.value(i));
            elements.set_life(set.elements.life(i));
        }
        elements.sort();
        set.elements = std::move(elements);
        set.comment.clear();
    }
    for (ir::Chain& chain : kept.chains) {
        chain.comment.clear();
        for (ir::Rule& rule : chain.rules) {
            rule = ir::canonical(rule);
            rule.span = {};
            rule.comment = ir::kernel_text(rule.comment, ir::max_comment);
        }
    }
    loaded = std::move(kept);
    return {};
}

}  // namespace policyc
