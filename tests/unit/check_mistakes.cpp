// How mistakes are told: once, with help that helps, quickly, and without what must not be shown.
#include <chrono>

#include "checked.h"

using namespace policyc;

TEST_CASE("a misspelt key is one error, whatever it leaves out") {
    CHECK(Checked(base + "[tiers.t]\nwho = [\"laptop\"]\nalow = [\"web\"]\n").places() == "E0101:15");
    CHECK(Checked(base + "[tiers.t]\nwho = [\"laptop\"]\nfrob = [\"web\"]\n").places() == "E0104:13 E0101:15");
    CHECK(Checked(base + tier("\"laptop\"", "\"web\"") +
                  "[[test]]\nname = \"t\"\nfrom = [\"laptop\"]\nalow = [\"web\"]\n")
              .places() == "E0101:19");
    CHECK(Checked(base + tier("\"laptop\"", "\"web\"") +
                  "[nodes.b]\naddress = \"10.69.50.9\"\ninput.odd = { from = [\"laptop\"], prots = [22] }\n")
              .places() == "E0101:18");
    CHECK(Checked("verison = 1\n").places() == "E0101:1");
}

TEST_CASE("a service without a port and without a host is one error, and no help proposes what is none") {
    for (const char* text : {"", "host/80", "bad host", "10.0.0.300", "a..b"}) {
        const Checked checked(base + "odd = \"" + text + "\"\n");
        CHECK(checked.diagnostics.all().size() == 1);
        CHECK(checked.said().find(std::string(text) + ":443") == std::string::npos);
    }
    CHECK(Checked(base + "odd = \"\"\n").said().find("service `odd` names no host") != std::string::npos);
    CHECK(Checked(base + "odd = \"host/80\"\n").said().find("the port is behind a colon") != std::string::npos);
    CHECK(Checked(base + "odd = \"host\"\n").said().find("write \"host:443\"") != std::string::npos);
    CHECK(Checked(base + "odd = \"10.69.13.0/24\"\n").places() == "E0203:13");
    const Checked endpoint("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\nendpoint = \"bogus value\"\n");
    CHECK(endpoint.places() == "E0113:4");
    CHECK(endpoint.said().find("51820") == std::string::npos);
    const Checked six("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\nendpoint = \"fd69::1\"\n");
    CHECK(six.said().find("\"[fd69::1]:51820\"") != std::string::npos);
}

TEST_CASE("help for a zero") {
    const auto said = [](const std::string& text) {
        return Checked(base + tier("\"laptop\"", "\"web\"", text)).said();
    };
    CHECK(said("limit = \"0/second\"\n")
              .find("without `limit` there is none: to let nothing in, remove what allows it") != std::string::npos);
    CHECK(said("[log]\ndenied = { limit = \"0/second\" }\n").find("to log nothing, write denied = false") !=
          std::string::npos);
    const std::string server = said("[resolve]\nservers = [\"10.69.13.5:0\"]\n");
    CHECK(server.find("E0103") != std::string::npos);
    CHECK(server.find('*') == std::string::npos);
    CHECK(Checked(base + "odd = \"h.example:0\"\n").said().find("every TCP port is `*/tcp`") != std::string::npos);
}

TEST_CASE("what opens nothing new is found by what it opens") {
    const auto redundant = [](const std::string& tiers) {
        const Checked checked(
            base + "name = \"a.example:80\"\nslow = { host = \"10.69.13.80\", ports = 443, limit = \"1/second\" }\n" +
            "old = { host = \"10.69.13.80\", ports = 443, expires = 2030-01-01 }\n[groups]\nmedia = [\"web\", "
            "\"name\"]\n" +
            tiers);
        std::string text;
        for (const Diagnostic& d : checked.diagnostics.all()) {
            if (d.code == Code::W0501)
                text += checked.at(d.primary.span) + "<" + checked.at(d.secondary.back().span) + " ";
        }
        return text;
    };
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"home:443\"")) == "\"web\"<\"home:443\" ");
    CHECK(redundant(tier("\"laptop\"", "\"home:443\", \"web\"")) == "\"web\"<\"home:443\" ");
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"web:443\"")) == "\"web:443\"<\"web\" ");
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"home:*\"")) == "\"web\"<\"home:*\" ");
    CHECK(redundant(tier("\"laptop\"", "\"name\", \"name:80\"")) == "\"name:80\"<\"name\" ");
    CHECK(redundant(tier("\"laptop\"", "\"name:1-100\", \"name:80\"")) == "\"name:80\"<\"name:1-100\" ");
    CHECK(redundant(tier("\"laptop\"", "\"10.69.13.0/25:443\", \"web\"")) == "\"web\"<\"10.69.13.0/25:443\" ");
    CHECK(redundant(tier("\"laptop\"", "\"gw:22\", \"10.69.50.2:22\"")) == "\"10.69.50.2:22\"<\"gw:22\" ");
    // Not so where something is left over.
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"home:80\"")) == "");
    CHECK(redundant(tier("\"laptop\"", "\"name\", \"home:*\"")) == "");
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"web:22\"")) == "");
    CHECK(redundant(tier("\"laptop\"", "\"media\", \"home:*\"")) == "");
    CHECK(redundant(tier("\"laptop\"", "\"media\", \"home:*\", \"name:*\"")) == "\"media\"<\"name:*\" ");
    // What is limited or ends is covered by what is not, and not the other way.
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"slow\"")) == "\"slow\"<\"web\" ");
    CHECK(redundant(tier("\"laptop\"", "\"old\", \"web\"")) == "\"old\"<\"web\" ");
    // One of two stays, whatever covers what.
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"media\", \"home:443\"")) == "\"web\"<\"media\" ");
    CHECK(redundant(tier("\"laptop\"", "\"web\", \"web\", \"home:443\"")) == "\"web\"<\"home:443\" \"web\"<\"web\" ");
    // Two tiers: where one is for all of the other's, and always in force.
    const std::string more = "[nodes.phone]\naddress = \"10.69.50.12\"\n";
    const auto two = [&](const std::string& first, const std::string& second, const std::string& how = {}) {
        return redundant(more + "[tiers.one]\nwho = [" + first + "]\nallow = [\"web\"]\n" + how +
                         "[tiers.two]\nwho = [" + second + "]\nallow = [\"web\", \"name\"]\n");
    };
    CHECK(two("\"laptop\"", "\"laptop\"") == "\"web\"<\"web\" ");
    CHECK(two("\"laptop\"", "\"laptop\", \"phone\"") == "\"web\"<\"web\" ");
    CHECK(two("\"laptop\"", "\"phone\"") == "");
    CHECK(two("\"laptop\", \"phone\"", "\"phone\"") == "\"web\"<\"web\" ");
    CHECK(two("\"laptop\", \"phone\"", "\"phone\"", "grant = {}\n") == "");
    CHECK(two("\"laptop\", \"phone\"", "\"phone\"", "limit = \"5/second\"\n") == "");
    CHECK(two("\"laptop\", \"phone\"", "\"phone\"", "expires = 2030-01-01\n") == "");
    // Nor is a tier that ends ever what makes an entry redundant that outlives it, whatever the day is.
    const auto ending = [&](const std::string& first, const std::string& second) {
        return redundant("[tiers.one]\nwho = [\"laptop\"]\nallow = [\"web\"]\nexpires = " + first +
                         "\n[tiers.two]\nwho = [\"laptop\"]\nallow = [\"web:443\"]\nexpires = " + second + "\n");
    };
    CHECK(ending("2020-02-01", "2020-01-01") == "\"web:443\"<\"web\" ");
    CHECK(ending("2020-01-01", "2020-02-01") == "\"web\"<\"web:443\" ");
    CHECK(ending("2020-01-01", "2030-01-01") == "\"web\"<\"web:443\" ");
    CHECK(two("\"laptop\", \"phone\"", "\"phone\"", "expires = 2020-01-01\n") == "");
    CHECK(
        Checked(
            base + more +
            "[tiers.one]\nwho = [\"laptop\"]\nallow = [\"web\"]\n[tiers.two]\nwho = [\"laptop\"]\nallow = [\"web\"]\n")
            .said()
            .find("which is here too, in tier `one`, for all of them") != std::string::npos);
}

TEST_CASE("of inputs and outputs too, and of tiers by inputs where no other node judges") {
    const auto redundant = [](const std::string& of_gw, const std::string& tiers = {}, const std::string& more = {}) {
        const Checked checked(
            "version = 1\n[networks]\nhome = [\"10.69.13.0/24\"]\ntunnel = [\"10.69.50.0/24\"]\n"
            "[services]\nweb = \"w.example:443\"\nold = { host = \"10.69.13.5\", ports = 22, expires = 2030-01-01 }\n"
            "[nodes.laptop]\naddress = \"10.69.50.11\"\n[nodes.phone]\naddress = \"10.69.50.12\"\n" +
            more + "[nodes.gw]\nrole = \"gateway\"\naddress = \"10.69.50.2\"\ninterface = \"wg0\"\n" +
            "serves = [\"home\"]\n" + of_gw + tiers);
        std::string text;
        for (const Diagnostic& d : checked.diagnostics.all())
            if (d.code == Code::W0501)
                text += checked.at(d.primary.span) + "<" + checked.at(d.secondary.back().span) + " ";
        return checked.policy ? text : checked.said();
    };
    const std::string both = "input.x = { from = [\"laptop\", \"phone\"], ports = [\"22\"] }\n";
    const auto ssh = [&](const std::string& terms) {
        return redundant("input.ssh = { from = [\"laptop\"], ports = [22]" + terms + " }\n" + both);
    };
    CHECK(ssh("") == "ssh<\"22\" ");
    CHECK(ssh(", limit = \"1/minute\"") == "ssh<\"22\" ");
    CHECK(ssh(", log = \"new\"") == "");
    CHECK(redundant("input.ssh = { from = [\"laptop\"] }\n" + both) == "ssh<\"22\" ");
    CHECK(redundant("input.ssh = { from = [\"tunnel\"] }\n" + both) == "x<ssh ");
    CHECK(redundant("input.y = { from = [\"tunnel\"], ports = [22], limit = \"1/minute\" }\n" + both) == "");
    CHECK(redundant("input.y = { from = [], ports = [22] }\n" + both) == "");
    // By several together: of the people, and of the ports.
    const std::string one = "input.a = { from = [\"laptop\"], ports = [\"20-30\"] }\n";
    CHECK(redundant(one + "input.b = { from = [\"phone\"], ports = [\"22-23\"] }\n" + both) == "x<\"22-23\" ");
    CHECK(redundant("input.a = { from = [\"tunnel\"], ports = [\"20-22\", \"23-30\", \"21-24\", \"*/udp\"] }\n") ==
          "\"21-24\"<\"23-30\" ");
    CHECK(redundant("input.a = { from = [\"tunnel\"], ports = [\"22\", 22] }\n") == "22<\"22\" ");
    // Those that a name says are one.
    CHECK(redundant("input.dns = { from = [\"laptop\"] }\ninput.b = { from = [\"laptop\"], ports = [\"53/udp\"] }\n") ==
          "b<dns ");
    CHECK(
        redundant("input.b = { from = [\"laptop\"], ports = [53] }\n"
                  "input.c = { from = [\"laptop\"], ports = [\"1-53/udp\"] }\ninput.dns = { from = [\"laptop\"] }\n") ==
        "dns<\"1-53/udp\" ");
    CHECK(redundant("input.x = { from = [\"laptop\", \"tunnel\"], ports = [22] }\n") == "\"laptop\"<\"tunnel\" ");
    // At the addresses of a tier only, an input is not covered by it; a tier by an input is.
    const std::string t = tier("\"tunnel\"", "\"gw:22\", \"10.69.50.0/24:22\", \"home:22\"");
    CHECK(redundant("input.ssh = { from = [\"laptop\"] }\n", t) == "\"gw:22\"<\"10.69.50.0/24:22\" ");
    CHECK(redundant(both, tier("\"phone\"", "\"gw:22\", \"home:22\"")) == "\"gw:22\"<\"22\" ");
    CHECK(redundant(both, tier("\"phone\"", "\"gw:22\"", "log = \"new\"\n")) == "");
    CHECK(redundant(both, tier("\"phone\"", "\"gw:22\"", "grant = {}\n")) == "\"gw:22\"<\"22\" ");
    CHECK(redundant(both, tier("\"tunnel\"", "\"gw:22\"")) == "");
    CHECK(redundant(both, tier("\"phone\"", "\"gw:22-23\"")) == "");
    CHECK(redundant(both + "scope = \"none\"\n", tier("\"phone\"", "\"gw:22\"")) == "");
    // Another node would let it pass by the tier alone.
    const std::string hub = "[nodes.vps]\naddress = \"10.69.50.1\"\ninterface = \"wg1\"\n";
    CHECK(redundant(both, tier("\"phone\"", "\"gw:22\""), hub) == "\"gw:22\"<\"22\" ");
    CHECK(redundant(both, tier("\"phone\"", "\"gw:22\""), hub + "scope = \"tunnel\"\n") == "");
    CHECK(redundant(both + hub + "scope = \"tunnel\"\n", tier("\"phone\"", "\"gw:22\"")) == "");
    // All of an input is covered by others, whatever its entries cover of each other.
    const Checked whole(base +
                        "[nodes.gw.input.b]\nfrom = [\"laptop\"]\nports = [\"22-23\", \"22\"]\n"
                        "[nodes.gw.input.a]\nfrom = [\"laptop\"]\nports = [\"20-30\"]\n" +
                        tier("\"laptop\"", "\"web\""));
    REQUIRE(whole.places() == "W0501:13");
    REQUIRE(whole.diagnostics.all().front().secondary.size() == 1);
    CHECK(whole.at(whole.diagnostics.all().front().secondary.front().span) == "\"20-30\"");
    // `output`, by itself.
    const auto output = [&](const std::string& list) { return redundant("output = [" + list + "]\n"); };
    CHECK(output("\"home:22\", \"10.69.13.5:22\"") == "\"10.69.13.5:22\"<\"home:22\" ");
    CHECK(output("\"10.69.13.0/25:22\", \"home:22\", \"10.69.13.128/25:*\"") == "\"home:22\"<\"10.69.13.128/25:*\" ");
    CHECK(output("\"web\", \"web:443\", \"home:*\"") == "\"web:443\"<\"web\" ");
    CHECK(output("\"old\", \"10.69.13.5:22\"") == "\"old\"<\"10.69.13.5:22\" ");
    CHECK(output("\"old\", \"home:21\"") == "");
    CHECK(redundant("output = [\"home:22\"]\n", tier("\"gw\"", "\"home:22\"")) == "");
}

TEST_CASE("a policy of one long line is checked and told in time that grows with it") {
    std::string allow;
    for (int i = 0; i < 100'000; ++i)
        allow += (i == 0 ? "" : ", ") + ("\"192.0." + std::to_string(i / 250 % 250)) + "." + std::to_string(i % 250) +
                 ":" + std::to_string(1 + i / 62'500) + "\"";
    const auto begin = std::chrono::steady_clock::now();
    const Checked checked(base + tier("\"laptop\"", "\"web\", " + allow));
    CHECK(checked.diagnostics.all().size() == 100'000);
    CHECK(render(checked.diagnostics, checked.sources, false).size() > 1000);
    CHECK(render_json(checked.diagnostics, checked.sources).size() > 1'000'000);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    MESSAGE("told in ", took.count(), " s");
    CHECK(took.count() < 30);
}

TEST_CASE("values that look like secrets are not shown, however their key is spelt") {
    const std::string secret = "VpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVps0=";
    const std::string node = "version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\n";
    for (const char* key :
         {"privatekey", "presharedkey", "PrivateKey", "psk", "wifi-password", "SECRET", "\"private key\""}) {
        const Checked checked(node + key + " = \"" + secret + "\"\n");
        CHECK(checked.places() == "E0110:4");
        CHECK(checked.said().find("Vps") == std::string::npos);
    }
    for (const char* key : {"publickey", "public_keys"})
        CHECK(Checked(node + key + " = \"" + secret + "\"\n").places() == "E0101:4");
    CHECK(Checked(node + "keys = [\"" + secret + "\", 'two']\n")
              .said()
              .find("[\"" + std::string(44, '*') + "\", '***']") != std::string::npos);
    CHECK(Checked(node + "[services.x]\nhost = \"h.example\"\nports = 1\npassword = \"Vps\"\n").said().find("Vps") ==
          std::string::npos);
    // A name of the policy's own is no secret.
    const Checked own(node +
                      "[services]\nkeycloak = \"10.0.0.2:80\"\n[groups]\nmonkeys = [\"a\"]\n[tiers.turnkey]\nwho = "
                      "[\"monkeys\"]\nallow = [\"keycloak\"]\n");
    CHECK(own.said() == "");
    CHECK(Checked(node + "role = \"gateway\"\ninterface = \"wg0\"\ninput.keydb = { from = [\"a\"], ports = [6379] }\n")
              .said() == "");
}

TEST_CASE("interfaces that Linux or nft can't bear") {
    const auto with = [](const std::string& name) {
        return Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\ninterface = '" + name + "'\n").places();
    };
    for (const char* good : {"wg0", "wg-ext", "a@b", "!a", "$a", "eth0.1", "{x}", "#1", "0"}) CHECK(with(good) == "");
    for (const char* bad :
         {"@a", "a%d", "wg*", "*", "a:b", "a/b", "a\"b", "a\\b", "a b", "", ".", "..", "sixteen-letters-", "lo"})
        CHECK(with(bad) == "E0116:4");
    CHECK(Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\nuntouched = [\"if:@a\"]\n").places() == "E0116:4");
}

TEST_CASE("a network that is served may hold the addresses of nodes, but not be one") {
    const std::string nodes =
        "version = 1\n[nodes.gw]\naddress = \"10.69.50.2\"\n[nodes.laptop]\naddress = \"10.69.50.11\"\n";
    CHECK(Checked(nodes + "[nodes.b]\naddress = \"10.69.50.3\"\nserves = [\"10.69.0.0/16\"]\n").said() == "");
    CHECK(Checked(nodes + "[nodes.b]\naddress = \"10.69.50.3\"\nserves = [\"10.69.50.3\"]\n").said() == "");
    CHECK(Checked(nodes + "[nodes.b]\naddress = \"10.69.50.3\"\nserves = [\"10.69.50.11\"]\n").places() == "E0401:8");
}
