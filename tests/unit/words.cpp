// Names for what no policy explains.
#include "compiler/words.h"

#include <doctest/doctest.h>

#include "draft.h"

using namespace policyc;

TEST_CASE("a box that no policy explains has the names that its addresses bear, else these") {
    Draft draft;
    draft.node("gw", {"10.0.0.1"});
    draft.node("phone", {"10.0.0.2", "fd69::2"});
    draft.service("web", parse_cidr("10.1.0.5")->range, tcp(443));
    draft.service("shop", parse_cidr("10.1.0.5")->range, tcp(443));
    draft.service("mail", HostName{"mail.lan"}, tcp(25));
    draft.addresses["mail.lan"] = {parse_address("10.1.0.6").value(), parse_address("10.1.0.7").value()};
    const View view{.policy = &draft.policy, .addresses = &draft.addresses};
    const Guesses guesses(view);
    Arena texts;
    const auto words = [&](Direction direction, const char* source, const char* destination, const Ports& ports) {
        const Words found =
            guesses.of({direction, parse_cidr(source)->range, parse_cidr(destination)->range, ports}, texts);
        return std::string(found.who) + " -> " + std::string(found.service);
    };
    // Of two services in one place the last one names it.
    CHECK(words(Direction::forward, "10.0.0.2", "10.1.0.5", tcp(443)) == "phone -> shop");
    CHECK(words(Direction::forward, "fd69::2", "10.1.0.5", tcp(80)) == "phone -> ");
    CHECK(words(Direction::forward, "10.0.0.0/24", "10.1.0.7", tcp(25)) == "10.0.0.0/24 -> mail");
    CHECK(words(Direction::forward, "10.0.0.3", "10.1.0.0/24", tcp(25)) == "10.0.0.3 -> ");
    CHECK(words(Direction::input, "10.0.0.2", "10.1.0.5", tcp(443)) == "phone -> ");
    CHECK(words(Direction::output, "10.0.0.2", "10.1.0.6", tcp(25)) == "gw -> mail");
}
