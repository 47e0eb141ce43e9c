// An interface that the policy names and this host doesn't have.
#include <doctest/doctest.h>

#include "gateway.h"

using namespace policyc;

namespace {

constexpr const char* nothing_judged =
    ":6: there is no interface `wg0` here, so no packet is judged: what this host forwards passes as if there were no "
    "policy\n"
    "   = help: ";
constexpr const char* later = "if it comes up later, as at boot, the rules hold for it from then on\n";

}  // namespace

TEST_CASE("an interface that isn't there is warned of, and the rules go in all the same") {
    Gateway gateway;
    gateway.links = {{"lo"}, {"eth0"}, {"wg1", true}};
    const std::string place = "warning: " + (gateway.folder / "policy.toml").string();
    const std::string words = place + nothing_judged + "did you mean `wg1`? WireGuard's here is wg1; " + later;
    CHECK(gateway.diff(policy()).notes == words + "the kernel has no table inet policyc: nothing is applied\n");
    const Ran first = gateway.apply(policy());
    CHECK(first.status == 0);
    CHECK(first.notes == words);
    CHECK(gateway.kernel.loaded);
    // Each time, also where nothing else is to be said.
    const int reads = gateway.kernel.reads;
    const Ran again = gateway.run(verb_apply);
    CHECK(again.out == "gw: nothing to change\n");
    CHECK(again.notes == words);
    CHECK(gateway.kernel.reads == reads);
    gateway.links.push_back({"wg0", true});
    CHECK(gateway.run(verb_apply).notes.empty());
    CHECK(gateway.diff(policy()).notes.empty());
}

TEST_CASE("the interfaces that WireGuard has are named") {
    Gateway gateway;
    gateway.links = {{"lo"}, {"eth0"}, {"office", true}, {"home", true}};
    CHECK(gateway.apply(policy()).notes.find("help: WireGuard's here are office, home; if it comes") !=
          std::string::npos);
    gateway.links = {{"lo"}, {"eth0"}};
    CHECK(gateway.run(verb_apply).notes.find("help: no interface here is WireGuard's; if it comes") !=
          std::string::npos);
}

TEST_CASE("diff says where apply refuses to leave a tunnel open") {
    Gateway gateway;
    CHECK(gateway.apply(policy()).status == 0);
    std::string other = policy();
    other.replace(other.find("\"wg0\""), 5, "\"wg9\"");
    const Ran ran = gateway.diff(other);
    CAPTURE(ran.notes);
    const std::string open =
        "policy.toml:6: there is no interface `wg9` here, and `wg0`, which is judged now, would be left open";
    CHECK(ran.notes.find("warning: apply refuses this: " + (gateway.folder / open).string() +
                         "\n   = help: if `wg0` is meant") != std::string::npos);
    CHECK(gateway.run(verb_apply).error->message.ends_with(open));
    CHECK(gateway.diff(policy()).notes.empty());
}

TEST_CASE("a tunnel that is a part of a bridge is no interface that hooks see") {
    Gateway gateway;
    gateway.links = {{"lo"}, {"wg0", true, "br0"}};
    const Ran ran = gateway.apply(policy());
    CHECK(ran.status == 0);
    CHECK(ran.notes.find("`wg0` is a part of `br0`, and its packets are seen as that one's, so no packet is judged") !=
          std::string::npos);
    CHECK(ran.notes.find("help: take it out: `ip link set wg0 nomaster`") != std::string::npos);
}

TEST_CASE("where all is judged, a tunnel that isn't there means that its people are refused") {
    Gateway gateway;
    gateway.links = {{"lo"}};
    const Ran ran = gateway.apply(policy(host));
    CHECK(ran.notes.find("so nothing passes the tunnel, and whoever is behind it is refused\n") != std::string::npos);
}

TEST_CASE("no warning where nothing is judged, or the interfaces can't be had") {
    Gateway gateway;
    gateway.world.links = [] { return std::optional<std::vector<Link>>(); };
    CHECK(gateway.apply(policy()).notes.empty());
    gateway.world.links = [] { return std::vector<Link>{}; };
    CHECK(gateway.apply(policy("scope = \"none\"\n")).notes.find("there is no interface") == std::string::npos);
}
