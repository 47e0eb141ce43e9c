// policy.lock between two runs: what another one writes while this one asks is not lost.
#include <doctest/doctest.h>

#include "gateway.h"

using namespace policyc;

namespace {

// While it is asked, another run writes the lock.
class Slow : public Resolver {
public:
    Slow(Gateway& gateway, std::string text) : gateway_(gateway), text_(std::move(text)) {}
    std::map<std::string, Answer> resolve(const Question& question) override {
        gateway_.write(text_, "policy.lock");
        return gateway_.resolver.resolve(question);
    }

private:
    Gateway& gateway_;
    std::string text_;
};

}  // namespace

TEST_CASE("apply adds to the lock that is there when it writes") {
    Gateway gw;
    std::string text = policy("", "[tiers.more]\nwho = [\"phone\"]\nallow = [\"wiki\", \"mail\"]");
    text.insert(text.find("[services]\n") + 11, "wiki = \"wiki.example:80\"\nmail = \"mail.example:25\"\n");
    gw.resolver.answers["wiki.example"] = {.outcome = Outcome::answered,
                                           .addresses = {parse_address("10.1.0.7").value()}};
    gw.resolver.answers["mail.example"] = {.outcome = Outcome::answered,
                                           .addresses = {parse_address("10.1.0.8").value()}};
    gw.write(text);
    gw.run(verb_resolve);
    const std::string other = gw.read("policy.lock");
    const std::size_t mail = other.find("[names.\"mail.example\"]");
    const std::size_t wiki = other.find("[names.\"wiki.example\"]");
    REQUIRE(mail < wiki);
    REQUIRE(wiki != std::string::npos);
    // The other run knows wiki alone, and this one, which has read a lock without either, asks for both and is told of mail.
    std::filesystem::remove(gw.folder / "policy.lock");
    gw.resolver.answers.erase("wiki.example");
    gw.world.resolver = [&] { return std::make_unique<Slow>(gw, other.substr(0, mail) + other.substr(wiki)); };
    gw.run(verb_apply);
    CHECK(gw.read("policy.lock") == other);
}
