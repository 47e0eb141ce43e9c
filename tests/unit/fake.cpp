// The kernel in memory keeps what a real one would.
#include "backends/fake.h"

#include <doctest/doctest.h>

#include "../kernel/tools/samples.h"

using namespace policyc;

TEST_CASE("the kernel in memory keeps what a real one keeps") {
    FakeKernel kernel;
    REQUIRE(kernel.read().ok());
    CHECK_FALSE(kernel.read().value().ruleset.has_value());

    const ir::Ruleset meant = samples::everything();
    REQUIRE(kernel.commit(kernel.read().value(), meant, {}).ok());
    CHECK(kernel.transactions == 1);
    const ir::Ruleset kept = *kernel.read().value().ruleset;
    CHECK(same(meant, kept));
    CHECK(kept.node.empty());
    CHECK(kept.subjects.empty());
    CHECK(kept.sets[0].elements.cause(0).subject == ir::Cause::none);
    CHECK(kept.counters[0].packets == 5);
    CHECK(kept.counters[0].comment == "laptop's 'grafana'?? $x");
    for (const ir::Chain& chain : kept.chains) {
        CHECK(chain.comment.empty());
        for (const ir::Rule& rule : chain.rules) CHECK_FALSE(rule.span.valid());
    }

    REQUIRE(kernel.commit(kernel.read().value(), {}, {}).ok());
    CHECK_FALSE(kernel.read().value().ruleset.has_value());
}

TEST_CASE("a kernel that refuses keeps what it had") {
    FakeKernel kernel;
    REQUIRE(kernel.commit(kernel.read().value(), samples::small(), {}).ok());
    kernel.commit_error = Error{"no", "way", {}};
    CHECK(kernel.commit(kernel.read().value(), samples::everything(), {}).error().message == "no");
    CHECK(same(*kernel.read().value().ruleset, samples::small()));
    kernel.read_error = Error{"not now", "", {}};
    CHECK(kernel.read().error().message == "not now");
}
