// What is allowed in one family only: warn_one_family().
#include "policy/families.h"

#include <doctest/doctest.h>

#include "policy/check.h"
#include "policy/parse.h"

using namespace policyc;

namespace {

// The text that each W0603 points at.
std::string told(const std::string& text, const Addresses& addresses = {}) {
    FakeFiles files;
    Sources sources;
    Diagnostics diagnostics;
    files.files["policy.toml"] = text;
    const auto ast = parse("policy.toml", files, sources, diagnostics);
    REQUIRE(ast);
    const auto policy = check(*ast, sources, diagnostics);
    REQUIRE(policy);
    Diagnostics found;
    warn_one_family(*policy, addresses, found);
    found.finish(sources);
    std::string out;
    for (const Diagnostic& one : found.all()) {
        CHECK(one.code == Code::W0603);
        const Span span = one.primary.span;
        out += sources.text(span.file).substr(span.begin, span.end - span.begin) + " (" + one.primary.text + "); ";
    }
    return out;
}

std::string policy(const std::string& who, const std::string& allow, const std::string& more = {}) {
    return "version = 1\nipv6 = \"dual\"\n[networks]\nboth = [\"10.0.0.0/8\", \"fd69::/64\"]\n"
           "[nodes.gw]\nrole = \"gateway\"\ninterface = \"wg0\"\naddress = [\"10.0.0.2\", \"fd69::2\"]\n" +
           more +
           "[services]\nfour = \"10.0.0.1:80\"\nsix = \"[fd69::1]:80\"\nname = \"h.example:80\"\nother = "
           "\"i.example:80\"\n" +
           "[tiers.t]\nwho = [" + who + "]\nallow = [" + allow + "]\n";
}

Address at(const char* text) {
    return parse_address(text).value();
}

}  // namespace

TEST_CASE("a target of one family wants a twin with the same ports") {
    CHECK(told(policy("\"both\"", "\"four\", \"six\"")) == "");
    CHECK(told(policy("\"both\"", "\"four\"")) == "10.0.0.1 (no IPv6 address); ");
    CHECK(told(policy("\"both\"", "\"four\", \"[fd69::1]:81\"")) ==
          "10.0.0.1 (no IPv6 address); \"[fd69::1]:81\" (no IPv4 address); ");
    CHECK(told(policy("\"both\"", "\"10.0.0.9:22\"")) == "\"10.0.0.9:22\" (no IPv6 address); ");
    CHECK(told(policy("\"both\"", "\"0.0.0.0/0:443\", \"[::/0]:443\"")) == "");
    CHECK(told(policy("\"both\"", "\"both:22\", \"gw:22\"")) == "");
}

TEST_CASE("a host name counts by the addresses it has") {
    const std::string text = policy("\"both\"", "\"name\"");
    CHECK(told(text) == "");
    CHECK(told(text, {{"h.example", {at("10.0.0.1"), at("fd69::1")}}}) == "");
    CHECK(told(text, {{"h.example", {at("10.0.0.1"), at("10.0.0.2")}}}) ==
          "h.example (A 10.0.0.1 and 1 more, no AAAA); ");
    CHECK(told(text, {{"h.example", {at("fd69::1")}}}) == "h.example (AAAA fd69::1, no A); ");
    const std::string twins = policy("\"both\"", "\"name\", \"other\"");
    CHECK(told(twins, {{"h.example", {at("10.0.0.1")}}, {"i.example", {at("fd69::1")}}}) == "");
}

TEST_CASE("sources, inputs and outputs count too") {
    CHECK(told(policy("\"10.0.0.5\"", "\"both:22\"")) == "\"10.0.0.5\" (no IPv6 address); ");
    CHECK(told(policy("\"10.0.0.5\", \"fd69::5\"", "\"both:22\"")) == "");
    CHECK(told(policy("\"gw\", \"10.0.0.5\"", "\"both:22\"")) == "\"10.0.0.5\" (no IPv6 address); ");
    CHECK(told(policy("\"both\"", "\"both:22\"", "input.ssh = { from = [\"fd69::5\"] }\n")) ==
          "\"fd69::5\" (no IPv4 address); ");
    CHECK(told(policy("\"both\"", "\"both:22\"", "output = [\"10.0.0.7:53/udp\"]\n")) ==
          "\"10.0.0.7:53/udp\" (no IPv6 address); ");
}

TEST_CASE("a network of one family is told of once, where it is defined") {
    CHECK(told("version = 1\nipv6 = \"dual\"\n[networks]\nhome = [\"10.0.0.0/8\"]\n[tiers.t]\nwho = [\"home\"]\nallow "
               "= [\"home:22\"]\n") == "home (no IPv6 address); ");
    CHECK(
        told(
            "version = 1\n[networks]\nhome = [\"10.0.0.0/8\"]\n[tiers.t]\nwho = [\"home\"]\nallow = [\"home:22\"]\n") ==
        "");
}
