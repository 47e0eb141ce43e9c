// A kernel in memory, for tests of the verbs; FakeKernel behaves like the real one where the verbs can tell.
#include "backends/fake.h"

#include <algorithm>

#include "compiler/look_up.h"

namespace policyc {

Result<Moment> FakeKernel::moment() {
    return Moment{generation, network_namespace};
}

Result<Snapshot> FakeKernel::read() {
    ++reads;
    if (read_error) return *read_error;
    return Snapshot{loaded, {generation, network_namespace}};
}

Result<Kernel::Commit> FakeKernel::commit(const Snapshot& before, const ir::Ruleset& ruleset, const Review& review) {
    ++transactions;
    if (commit_error) return *commit_error;
    if (before.moment.generation != generation) return Commit{.stale = true};
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
    if (damage) damage(kept);
    if (review)
        if (Result<void> fine = review(kept); !fine) return fine.error();
    ++generation;
    if (ruleset.empty())
        loaded.reset();
    else
        loaded = std::move(kept);
    return Commit{.onto = before.moment.generation};
}

Result<std::optional<Held>> FakeKernel::look_up(const ir::Set& set, std::string_view key) {
    ++look_ups;
    if (!loaded || finds_nothing) return std::optional<Held>();
    const auto live = std::ranges::find(loaded->sets, set.name, &ir::Set::name);
    if (live == loaded->sets.end()) return std::optional<Held>();
    return policyc::look_up(*loaded, *live, key);
}

}  // namespace policyc
