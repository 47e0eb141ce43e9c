// A proof that fails, in the verbs: nothing is sent.
#include <doctest/doctest.h>

#include "gateway.h"

using namespace policyc;

TEST_CASE("apply: what is about to be sent and isn't what the policy means is not sent") {
    Gateway gateway;
    REQUIRE(gateway.apply(policy()).status == 0);
    const std::uint32_t generation = gateway.kernel.generation;
    const std::optional<ir::Ruleset> before = gateway.kernel.loaded;
    gateway.kernel.damage = [](ir::Ruleset& made) {
        for (ir::Set& set : made.sets)
            if (set.name == "allow_tcp4")
                set.elements.add({{0x0a000009, 0x0a000009}, {0x0a010005, 0x0a010005}, {443, 443}});
    };
    const Ran ran = gateway.apply(policy("", "log = \"new\""));
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message.starts_with(
        "internal error: the first packet of a flow from 10.0.0.9 to 10.1.0.5, 443/tcp, forwarded from "));
    CHECK(ran.error->message.ends_with(" would be let through, and the policy denies it"));
    CHECK(ran.error->help == "nothing was sent; please report this, with the policy");
    CHECK(gateway.kernel.generation == generation);
    CHECK(same(*gateway.kernel.loaded, *before));

    // Whole again.
    gateway.kernel.damage = nullptr;
    CHECK(gateway.apply(policy("", "log = \"new\"")).status == 0);
    CHECK(gateway.kernel.generation == generation + 1);
}

TEST_CASE("apply: what is not known is not sent either, a first time and where it goes") {
    Gateway gateway;
    gateway.kernel.damage = [](ir::Ruleset& made) {
        if (!made.chains.empty()) made.chains[0].rules.push_back({{ir::Unknown{"[ queue ]"}}, "", {}, 0});
    };
    const Ran ran = gateway.apply(policy());
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message.starts_with("internal error: what would be sent can't be proved: rule "));
    CHECK_FALSE(gateway.kernel.loaded.has_value());
}
