// The kernel in memory keeps what a real one would.
#include "backends/fake.h"

#include <doctest/doctest.h>

#include "../kernel/tools/samples.h"

using namespace policyc;

TEST_CASE("the kernel in memory keeps what a real one keeps") {
    FakeKernel kernel;
    REQUIRE(kernel.read().ok());
    CHECK_FALSE(kernel.read().value().has_value());

    const ir::Ruleset meant = samples::everything();
    REQUIRE(kernel.replace(meant).ok());
    CHECK(kernel.transactions == 1);
    const ir::Ruleset kept = *kernel.read().value();
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

    REQUIRE(kernel.replace({}).ok());
    CHECK_FALSE(kernel.read().value().has_value());
}

TEST_CASE("a kernel that refuses keeps what it had") {
    FakeKernel kernel;
    REQUIRE(kernel.replace(samples::small()).ok());
    kernel.replace_error = Error{"no", "way"};
    CHECK(kernel.replace(samples::everything()).error().message == "no");
    CHECK(same(*kernel.read().value(), samples::small()));
    kernel.read_error = Error{"not now", ""};
    CHECK(kernel.read().error().message == "not now");
}
