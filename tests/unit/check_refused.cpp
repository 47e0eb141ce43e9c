// What a wrong policy is told, key by key.
#include <doctest/doctest.h>

#include <algorithm>

#include "checked.h"
#include "policy/keys.h"

using namespace policyc;

TEST_CASE("an unknown key shows the near one and what there is") {
    const Checked checked(base + "[tiers.vpn]\nwho = []\nallow = []\nalow = []\n");
    CHECK(checked.said().starts_with("warning[W0504]: `who` of [tiers.vpn] is empty\n"));
    CHECK(checked.said().find("error[E0101]: unknown key `alow` in [tiers.vpn]\n"
                              "  --> policy.toml:16:1\n"
                              "   |\n"
                              "16 | alow = []\n"
                              "   | ^^^^ not a key of a tier\n"
                              "   |\n"
                              "   = help: did you mean `allow`?\n"
                              "   = note: a tier takes: who, allow, limit, log, bastion, grant, expires\n") !=
          std::string::npos);
}

TEST_CASE("an unknown name shows the near one") {
    const Checked checked(
        "version = 1\n[services]\njellyfin = \"10.0.0.1:8096\"\nsonarr = \"10.0.0.1:8989\"\n[groups]\nmedia   = "
        "[\"jellyfn\", \"sonarr\"]\n");
    CHECK(checked.said() ==
          "error[E0201]: `jellyfn` is not a service, group, node or network\n"
          " --> policy.toml:6:12\n"
          "  |\n"
          "3 | jellyfin = \"10.0.0.1:8096\"\n"
          "  | -------- a service with a similar name is defined here\n"
          "...\n"
          "6 | media   = [\"jellyfn\", \"sonarr\"]\n"
          "  |            ^^^^^^^^^ not found\n"
          "  |\n"
          "  = help: did you mean `jellyfin`?\n");
}

TEST_CASE("port 80960 is underlined alone") {
    const Checked checked("version = 1\n[services]\njellyfin = \"jelly01.home.2rjus.net:80960\"\n");
    CHECK(checked.said() ==
          "error[E0103]: port 80960 is out of range\n"
          " --> policy.toml:3:36\n"
          "  |\n"
          "3 | jellyfin = \"jelly01.home.2rjus.net:80960\"\n"
          "  |                                    ^^^^^ ports are 1 to 65535\n"
          "  |\n"
          "  = help: did you mean 8096?\n");
}

TEST_CASE("two nodes with one address, and one that is free") {
    const Checked checked(base +
                          "[nodes.phone]\naddress = \"10.69.50.11\"\n[nodes.tablet]\naddress = \"10.69.50.12\"\n");
    CHECK(checked.said() ==
          "error[E0401]: `phone` and `laptop` have the same tunnel address\n"
          "  --> policy.toml:14:11\n"
          "   |\n"
          "10 | address = \"10.69.50.11\"\n"
          "   |           ------------- first given to `laptop`\n"
          "...\n"
          "14 | address = \"10.69.50.11\"\n"
          "   |           ^^^^^^^^^^^^^ again here\n"
          "   |\n"
          "   = note: WireGuard moves an AllowedIPs address to the peer configured last: one of the two would lose its "
          "traffic\n"
          "   = help: 10.69.50.13 is free\n");
}

TEST_CASE("a served network may not hold an untouched one") {
    const Checked checked(
        "version = 1\n[networks]\nhome = [\"10.69.0.0/16\"]\n[nodes.gw]\naddress = \"10.69.50.2\"\ninterface = "
        "\"wg-ext\"\nserves = [\"home\"]\n"
        "untouched = [\"if:wg-old\", \"10.69.222.0/24\"]\n[services]\ndns = \"10.69.13.5:53\"\n");
    CHECK(checked.said() ==
          "error[E0402]: `home` contains a network that must stay untouched\n"
          " --> policy.toml:3:9\n"
          "  |\n"
          "3 | home = [\"10.69.0.0/16\"]\n"
          "  |         ^^^^^^^^^^^^^^ 10.69.0.0 to 10.69.255.255 ...\n"
          "...\n"
          "8 | untouched = [\"if:wg-old\", \"10.69.222.0/24\"]\n"
          "  |                           ---------------- ... includes this\n"
          "  |\n"
          "  = note: `policyc wg` would route 10.69.222.0/24 into wg-ext and take the other tunnel's traffic\n"
          "  = help: did you mean 10.69.13.0/24?\n");
    const std::string other = "[nodes.hub]\naddress = \"10.69.50.1\"\n";
    CHECK(Checked(base + other + "untouched = [\"10.69.13.0/28\"]\n").places() == "E0402:3");
    CHECK(Checked(base + other + "untouched = [\"home\"]\n").places() == "E0402:3");
    CHECK(Checked(base + other + "untouched = [\"10.69.14.0/24\"]\n" + tier("\"laptop\"", "\"web\"")).said() == "");
    CHECK(Checked(base + other + "untouched = [\"10.69.50.0/24\"]\n").places() == "E0402:6 E0402:10 E0402:14");
    // A node may leave alone what it serves: on its own side of the tunnel.
    const std::string own =
        "version = 1\n[nodes.gw]\naddress = \"10.0.0.1\"\nserves = [\"10.1.0.0/24\"]\nuntouched = [\"10.1.0.0/16\"]\n";
    CHECK(Checked(own).said() == "");
}

TEST_CASE("host bits, and what was meant") {
    CHECK(Checked("version = 1\n[networks]\nhome = [\"10.69.13.7/24\"]\n").said() ==
          "error[E0403]: `10.69.13.7/24` is no network\n"
          " --> policy.toml:3:9\n"
          "  |\n"
          "3 | home = [\"10.69.13.7/24\"]\n"
          "  |         ^^^^^^^^^^^^^^^ has bits set beyond /24\n"
          "  |\n"
          "  = help: write \"10.69.13.0/24\" for the network, or \"10.69.13.7\" for the one address\n");
    CHECK(Checked(base + tier("\"10.0.0.1/8\"", "\"10.0.0.1/8:22\"")).places() == "E0403:14 E0403:15");
    CHECK(Checked(base + "x = \"10.0.0.1/8:22\"\n").places() == "E0403:13");
}

TEST_CASE("a cycle of groups is shown all the way") {
    CHECK(Checked("version = 1\n[groups]\na = [\"b\"]\nb = [\"c\", \"10.0.0.1\"]\nc = [\"a\"]\nd = [\"a\"]\n").said() ==
          "error[E0205]: group `a` contains itself\n"
          " --> policy.toml:5:6\n"
          "  |\n"
          "3 | a = [\"b\"]\n"
          "  |      --- holds `b`\n"
          "4 | b = [\"c\", \"10.0.0.1\"]\n"
          "  |      --- holds `c`\n"
          "5 | c = [\"a\"]\n"
          "  |      ^^^ leads back to `a`\n"
          "  |\n"
          "  = note: a -> b -> c -> a\n"
          "  = help: take it out of one of them\n");
    CHECK(Checked("version = 1\n[groups]\na = [\"a\"]\n" + tier("\"a\"", "\"a\"")).places() == "E0205:3");
}

TEST_CASE("an entry that adds nothing shows where else it is") {
    const std::string text =
        "version = 1\n[networks]\nh = [\"10.0.0.0/8\"]\n[services]\njellyfin = \"jelly01.home.example:8096\"\ndns = "
        "\"10.0.0.5:53\"\n"
        "[groups]\nmedia = [\"jellyfin\"]\n";
    CHECK(Checked(text + "[tiers.vpn]\nwho = [\"h\"]\nallow = [\"jellyfin\", \"media\", \"dns\"]\n").said() ==
          "warning[W0501]: this entry allows nothing new\n"
          "  --> policy.toml:11:10\n"
          "   |\n"
          " 8 | media = [\"jellyfin\"]\n"
          "   |          ---------- already in `media` ...\n"
          "...\n"
          "11 | allow = [\"jellyfin\", \"media\", \"dns\"]\n"
          "   |          ^^^^^^^^^^ allows h -> jelly01:8096/tcp\n"
          "   |                      ------- ... which is here\n"
          "   |\n"
          "   = help: remove \"jellyfin\" here, or keep it and silence this line with  # policyc: allow W0501\n");
    CHECK(Checked(text +
                  "[tiers.vpn]\nwho = [\"h\"]\nallow = [\"jellyfin\", \"media\", \"dns\"] # policyc: allow W0501\n")
              .said() == "");
    // Of three that are the same, two go.
    CHECK(Checked(text + "[tiers.vpn]\nwho = [\"h\", \"h\"]\nallow = [\"dns\", \"dns\", \"dns\", \"media\"]\n")
              .places() == "W0501:10 W0501:11 W0501:11");
}

TEST_CASE("a private key is refused and not shown") {
    const std::string key = "VpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVpsVps0=";
    const Checked checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\nprivate_key = \"" + key + "\"\n");
    CHECK(
        checked.said() ==
        "error[E0110]: `private_key` in a policy\n"
        " --> policy.toml:4:1\n"
        "  |\n"
        "4 | private_key = \"********************************************\"\n"
        "  | ^^^^^^^^^^^ a policy holds no secrets\n"
        "  |\n"
        "  = help: write private_key_file = \"/path\" and put the key into that file, mode 0600\n"
        "  = note: a policy is read and copied by many: a key that was written here should be replaced by a new one\n");
    const Checked file("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\nprivate_key_file = \"" + key + "\"\n");
    CHECK(file.places() == "E0110:4");
    CHECK(file.said().find("Vps") == std::string::npos);
    CHECK(Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\nprivate_key_file = \"/run/keys/wg0\"\n").said() ==
          "");
}

TEST_CASE("one mistake is one error") {
    // A misspelt section, a name that can't be one, a definition that was refused, a section of another type.
    CHECK(Checked("version = 1\n[node.a]\naddress = \"10.0.0.1\"\n[services]\nw = \"10.0.0.2:80\"\n" +
                  tier("\"a\"", "\"w\", \"a:22\""))
              .places() == "E0101:2");
    CHECK(Checked("version = 1\n[groups]\n9a = []\n" + tier("\"9a\"", "\"9a:22\"")).places() == "E0106:3");
    CHECK(
        Checked(base + "bad = \"h:99999\"\n" + tier("\"laptop\"", "\"bad\", \"bad:22\"") + "[groups]\ng = [\"bad\"]\n")
            .places() == "E0103:13");
    CHECK(Checked("version = 1\nservices = 3\nnodes = 4\n" + tier("\"a\"", "\"b\"")).places() == "E0102:2 E0102:3");
    CHECK(Checked("version = 1\ntiers = 3\n[[test]]\nname = \"x\"\nfrom = []\nwith = \"t\"\ndeny = []\n").places() ==
          "E0102:2");
    CHECK(Checked(base + tier("\"laptop\"", "\"web\"", "grnt = {}\n") +
                  "[[test]]\nname = \"x\"\nfrom = [\"laptop\"]\nwith = \"t\"\nallow = [\"web\"]\n")
              .places() == "E0101:16");
    // Another language is not judged by the rules of this one.
    CHECK(Checked("version = 2\nnonsense = 3\n[nodes]\na = 1\n").places() == "E0114:1");
    // One entry that leads to many bad things is one error; each entry is its own.
    CHECK(Checked(base + "[groups]\ng = [\"laptop\", \"gw\", \"home\"]\n" + tier("\"g\"", "\"g\", \"gw\", \"g\""))
              .places() == "E0203:17 E0203:17 E0203:17");
}

TEST_CASE("all errors at once, sorted by place") {
    const Checked checked(
        "version = 1\n"
        "ipv6 = \"maybe\"\n"
        "nonsense = true\n"
        "[networks]\n"
        "home = [\"10.0.0.300\"]\n"
        "[nodes.a]\n"
        "address = \"10.0.0.1/24\"\n"
        "role = 3\n"
        "peer = \"a\"\n"
        "public_key = \"abc\"\n"
        "interface = \"a/b\"\n"
        "listen_port = 0\n"
        "keepalive = \"19h\"\n"
        "serves = [\"nowhere\", \"a\"]\n"
        "[nodes.b]\n"
        "interface = \"wg*\"\n"
        "[services]\n"
        "s = \"host\"\n"
        "t = { host = \"host..x\", ports = [] }\n"
        "u = { host = \"g\", ports = \"80\" }\n"
        "[groups]\n"
        "g = [1]\n"
        "a = []\n"
        "[tiers.t]\n"
        "who = \"g\"\n"
        "log = \"yes\"\n"
        "[resolve]\n"
        "servers = [\"s\", \"10.0.0.0/8\", \"g\", \"10.0.0.5:0\"]\n"
        "lock = \"\"\n"
        "[log]\n"
        "denied = { to = \"syslog\", burst = 0 }\n"
        "[[test]]\n"
        "name = 3\n"
        "from = [\"b\"]\n");
    CHECK(checked.places() ==
          "E0105:2 E0101:3 E0112:5 E0112:7 E0102:8 E0208:9 E0111:10 E0116:11 E0117:12 E0117:13 E0201:14 E0202:14 "
          "E0104:15 E0116:16 "
          "E0203:18 E0113:19 E0107:19 E0202:20 E0102:22 E0206:23 E0104:24 E0102:25 E0105:26 E0202:28 E0112:28 E0202:28 "
          "E0103:28 "
          "E0105:29 E0105:31 E0117:31 E0104:32 E0102:33");
}

TEST_CASE("addresses of nodes") {
    const auto place = [](const std::string& address, const std::string& top = "ipv6 = \"deny\"\n") {
        return Checked("version = 1\n" + top + "[nodes.a]\naddress = " + address + "\n").places();
    };
    CHECK(place("\"10.0.0.1\"") == "");
    CHECK(place("[\"10.0.0.1\", \"fd69::1\"]") == "");
    CHECK(place("[\"10.0.0.1\", \"10.0.0.2\"]") == "E0404:4");
    CHECK(place("\"fd69::1\"") == "W0602:4");
    CHECK(place("[]") == "E0104:4");
    CHECK(place("3") == "E0102:4");
    CHECK(place("[3]") == "E0102:4");
    for (const char* address :
         {"\"\"", "\"host\"", "\"0.0.0.0\"", "\"127.0.0.1\"", "\"224.0.0.1\"", "\"255.255.255.255\"", "\"::\"",
          "\"::1\"", "\"ff02::1\"", "\"10.0.0.1/32\"", "\"010.0.0.1\""}) {
        CAPTURE(address);
        CHECK(place(address) == "E0112:4");
    }
    CHECK(place("[\"10.0.0.1\", \"fd69::1\"]", "ipv6 = \"dual\"\n") == "");
    CHECK(place("\"10.0.0.1\"", "ipv6 = \"dual\"\n") == "E0404:4");
}

TEST_CASE("interface names") {
    const auto place = [](const std::string& name) {
        return Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\ninterface = \"" + name + "\"\n").places();
    };
    CHECK(place("wg-ext") == "");
    CHECK(place("eth0.100") == "");
    CHECK(place("exactly15bytes_") == "");
    for (const char* name :
         {"", "sixteen_bytes_16", "a/b", "a b", "a\\tb", "wg*", "a:1", ".", "..", "\\\"", "caf\xc3\xa9"}) {
        CAPTURE(name);
        CHECK(place(name) == "E0116:4");
    }
    CHECK(Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\ninterface = \"wg0\"\nuntouched = [\"if:wg0\"]\n")
              .places() == "E0115:5");
    CHECK(Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\ninterface = \"wg0\"\nuntouched = [\"if:\"]\n")
              .places() == "E0116:5");
}

TEST_CASE("inputs") {
    const auto ports = [](const std::string& line, const std::string& node = "") {
        const Checked checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\n" + node + "input." + line + "\n");
        if (!checked.policy) return checked.places();
        std::string text;
        for (const Ports& item : checked.policy->nodes[0].inputs[0].ports) text += to_string(item) + " ";
        return text;
    };
    CHECK(ports("ssh = { from = [\"a\"] }") == "22/tcp ");
    CHECK(ports("dns = { from = [\"a\"] }") == "53/udp 53/tcp ");
    CHECK(ports("http.from = [\"a\"]") == "80/tcp ");
    CHECK(ports("https = { from = [\"a\"] }") == "443/tcp ");
    CHECK(ports("ntp = { from = [\"a\"] }") == "123/udp ");
    CHECK(ports("ssh = { from = [\"a\"], ports = 2222 }") == "2222/tcp ");
    CHECK(ports("x = { from = [\"a\"], ports = [80, \"80/udp\", 80] }") == "80/tcp 80/udp ");
    CHECK(ports("wireguard = { from = [\"a\"] }", "endpoint = \"h.example:51821\"\n") == "51821/udp ");
    CHECK(ports("wireguard = { from = [\"a\"] }", "listen_port = 7\n") == "7/udp ");
    CHECK(ports("wireguard = { from = [\"a\"] }") == "E0104:4");
    CHECK(ports("wireguard = { from = [\"a\"] }", "listen_port = 0\n") == "E0117:4");
    CHECK(ports("x = { from = [\"a\"] }") == "E0104:4");
    CHECK(ports("ssh = {}") == "E0104:4");
    CHECK(ports("ssh = [\"a\"]") == "E0102:4");
    CHECK(ports("x = { from = [\"a\"], ports = [] }") == "E0107:4");
}

TEST_CASE("unset, empty and default are three values") {
    const auto output = [](const std::string& line) {
        return Checked("version = 1\n[nodes.a]\naddress = \"10.0.0.1\"\n" + line).policy->nodes[0].output;
    };
    CHECK_FALSE(output("").has_value());
    CHECK(output("output = []\n").value().empty());
    const Checked none(base);
    CHECK(none.policy->resolve.within.size() == 1);
    const Checked nothing(base + "[resolve]\nwithin = []\n");
    CHECK(nothing.policy->resolve.within.empty());
    CHECK(nothing.diagnostics.has(Code::W0504));
    CHECK(Checked("version = 1\n").policy->resolve.within.empty());
}

TEST_CASE("peers, endpoints and keys") {
    const std::string hub = "version = 1\n[nodes.hub]\naddress = \"10.0.0.1\"\n";
    const std::string client = "[nodes.c]\naddress = \"10.0.0.2\"\npeer = \"hub\"\n";
    CHECK(Checked(hub + "endpoint = \"h.example:51820\"\n" + client).said() == "");
    CHECK(Checked(hub + "endpoint = \"[fd69::1]:51820\"\n" + client).said() == "");
    CHECK(Checked(hub + "endpoint = \"192.0.2.1:51820/udp\"\n" + client).said() == "");
    CHECK(Checked(hub + "listen_port = 5\n" + client).said() == "");
    CHECK(Checked(hub + client).places() == "W0209:6");
    CHECK(Checked(hub + "endpoint = \"h.example\"\n").places() == "E0203:4");
    CHECK(Checked(hub + "endpoint = \"h.example:0\"\n").places() == "E0103:4");
    CHECK(Checked(hub + "endpoint = \"h.example:5/tcp\"\n").places() == "E0107:4");
    CHECK(Checked(hub + "endpoint = \"10.0.0.0/8:5\"\n").places() == "E0112:4");
    CHECK(Checked(hub + "endpoint = \"h.example:5\"\nlisten_port = 5\n").places() == "E0115:5");
    CHECK(Checked(hub + "peer = \"hub\"\n").places() == "E0208:4");
    CHECK(Checked(hub + "peer = \"hob\"\n").places() == "E0201:4");
    const std::string key = "public_key = \"PhonePhonePhonePhonePhonePhonePhonePhonePh0=\"\n";
    CHECK(Checked(hub + key + "[nodes.c]\naddress = \"10.0.0.2\"\n" + key).places() == "E0405:7");
    CHECK(Checked(hub + "public_key = \"PhonePhonePhonePhonePhonePhonePhonePhonePh1=\"\n").places() ==
          "E0111:4");  // 258 bits
}

TEST_CASE("servers of names") {
    const auto servers = [](const std::string& list) {
        const Checked checked(base +
                              "a = \"10.69.13.5:53/udp\"\nodd = \"10.69.13.5:5353\"\nnamed = \"dns.example:53\"\n"
                              "wide = \"home:53\"\nnode = \"gw:53\"\n[resolve]\nservers = [" +
                              list + "]\n");
        if (!checked.policy) return checked.places();
        std::string text;
        for (const DnsServer& server : checked.policy->resolve.servers)
            text += to_string(server.address) + " " + std::to_string(server.port) + " ";
        return text;
    };
    CHECK(servers("\"a\", \"odd\", \"node\"") == "10.69.13.5 53 10.69.13.5 5353 10.69.50.2 53 ");
    CHECK(servers("\"192.0.2.1\", \"192.0.2.1:5353\", \"fd69::1\", \"[fd69::1]:5353\"") ==
          "192.0.2.1 53 192.0.2.1 5353 fd69::1 53 fd69::1 5353 ");
    CHECK(servers("\"named\"") == "E0202:19");
    CHECK(servers("\"wide\"") == "E0202:19");
    CHECK(servers("\"gw\"") == "E0202:19");
    CHECK(servers("\"a:53\"") == "E0112:19");
    CHECK(servers("\"192.0.2.0/24\"") == "E0112:19");
    CHECK(servers("\"nobody\"") == "E0201:19");
    CHECK(servers("") == "E0105:19");
}

TEST_CASE("what may not be meant is a warning, and never stops") {
    const std::string fine = tier("\"laptop\"", "\"web\"");
    CHECK(Checked(base + fine).said() == "");
    CHECK(Checked(base).places() == "W0502:12");
    // By its address, a service is open as well: all of it, to somebody.
    CHECK(Checked(base + tier("\"laptop\"", "\"home:443\"")).places() == "");
    CHECK(Checked(base + tier("\"laptop\"", "\"home:1-442\", \"10.69.13.80/31:443-500\"")).places() == "");
    CHECK(Checked(base + tier("\"laptop\"", "\"home:442\"")).places() == "W0502:12");
    CHECK(Checked(base + "all = \"home:443\"\n" + tier("\"laptop\"", "\"web\"")).places() == "W0502:13");
    CHECK(Checked(base + "all = \"home:443\"\n" + tier("\"laptop\"", "\"10.69.13.0/25:443\", \"10.69.13.128/25:*\""))
              .places() == "");
    CHECK(Checked(base + "own = \"gw:22\"\n[nodes.gw.input.ssh]\nfrom = [\"laptop\"]\n" + tier("\"laptop\"", "\"web\""))
              .places() == "");
    CHECK(Checked(base + "own = \"gw:22\"\n[nodes.gw.input.ssh]\nfrom = [\"laptop\"]\nports = [23]\n" +
                  tier("\"laptop\"", "\"web\""))
              .places() == "W0502:13");
    // In a tier for nobody it is named, and opens nothing.
    const Checked nobody(base + tier("", "\"web\""));
    CHECK(nobody.places() == "W0502:12 W0504:14");
    CHECK(nobody.said().find("only tiers for nobody name service `web`") != std::string::npos);
    CHECK(Checked(base + tier("", "\"web\"") + "[tiers.u]\nwho = [\"laptop\"]\nallow = [\"web\"]\n").places() ==
          "W0504:14");
    CHECK(Checked(base + tier("", "\"web\"") + "[tiers.u]\nwho = [\"laptop\"]\nallow = [\"home:*\"]\n").places() ==
          "W0504:14");
    // Of a name the addresses are not known yet.
    const Checked name(base + "name = \"n.example:443\"\n" + tier("\"laptop\"", "\"home:*\""));
    CHECK(name.places() == "W0502:13");
    CHECK(name.said().find("so this opens nothing") == std::string::npos);
    CHECK(name.said().find("`policyc list --what name` says who reaches its addresses all the same") !=
          std::string::npos);
    CHECK(Checked(base + fine + "[groups]\ng = [\"laptop\"]\n").places() == "W0503:17");
    CHECK(Checked(base + fine + "[tiers.u]\nwho = []\nallow = []\n").places() == "W0504:17 W0504:18");
    CHECK(Checked(base + tier("\"laptop\"", "\"web\", \"10.96.13.5:22\"")).places() == "W0407:15");
    CHECK(Checked(base + "far = \"192.0.2.1:443\"\n" + tier("\"laptop\"", "\"web\", \"far\"")).places() == "W0407:13");
    CHECK(Checked(base + tier("\"laptop\"", "\"web\", \"0.0.0.0/0:443\"")).places() == "W0501:15");
    CHECK(Checked(base + tier("\"laptop\", \"fd69::1\"", "\"web\", \"[fd69::2]:22\"")).places() == "W0602:14 W0602:15");
    CHECK(Checked(base + fine + "[nodes.b]\naddress = \"10.69.50.3\"\nserves = [\"home\"]\n").places() == "W0406:18");
    const std::string dual =
        "version = 1\nipv6 = \"dual\"\n[networks]\nboth = [\"10.0.0.0/8\", \"fd69::/64\"]\none = \"10.9.0.0/16\"\n"
        "[services]\na = \"10.0.0.1:80\"\nb4 = \"10.0.0.1:90\"\nb6 = \"[fd69::1]:90\"\nc = \"h.example:80\"\n";
    // A network within another adds nobody.
    CHECK(Checked(dual + tier("\"both\", \"one\"", "\"a\", \"b4\", \"b6\", \"c\"")).places() == "W0501:12");
}

TEST_CASE("lists that grow without bound are refused") {
    std::string text = "version = 1\n[groups]\nleaves = [";
    for (int i = 0; i < 2500; ++i) text += "\"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "\",";
    text += "]\nbig = [";
    for (int i = 0; i < 2000; ++i) text += "\"leaves:" + std::to_string(i + 1) + "\",";
    const Checked checked(text + "]\n" + tier("\"leaves\"", "\"big\""));
    CHECK(checked.places() == "E0118:7");
}

TEST_CASE("a long chain of groups is no deep recursion") {
    std::string text = "version = 1\n[groups]\ng0 = [\"10.0.0.1\"]\n";
    for (int i = 1; i < 20'000; ++i) text += "g" + std::to_string(i) + " = [\"g" + std::to_string(i - 1) + "\"]\n";
    const Checked checked(text + tier("\"g19999\"", "\"g19999:22\""));
    REQUIRE(checked.policy);
    CHECK(checked.policy->tiers[0].who.size() == 1);
    CHECK(checked.policy->tiers[0].allow.size() == 1);
}

TEST_CASE("the table of keys is one, and complete") {
    for (std::size_t i = 0; i < all_sections().size(); ++i)
        CHECK(static_cast<std::size_t>(all_sections()[i].section) == i);
    CHECK(std::ranges::is_sorted(all_keys(), {}, &KeyInfo::section));
    for (const KeyInfo& key : all_keys()) {
        CAPTURE(key.key);
        CHECK(find_key(key.section, key.key) == &key);
        CHECK_FALSE(key.form.empty());
        CHECK_FALSE(key.standard.empty());
        CHECK_FALSE(key.meaning.ends_with('.'));
    }
}

TEST_CASE("what is written in a test and stands for nothing is kept for its judge") {
    const auto nothing = [](const std::string& test) {
        const Checked checked(base + tier("\"laptop\"", "\"web\"") + "[groups]\nnone = []\nmore = [\"none\"]\n" +
                              "[[test]]\nname = \"t\"\n" + test);
        REQUIRE(checked.policy);
        std::string text;
        for (const Expectation::Nothing& one : checked.policy->tests[0].nothing)
            text += checked.at(one.span) + " " + one.what + "; ";
        return text;
    };
    CHECK(nothing("from = [\"laptop\"]\nallow = [\"web\"]\n") == "");
    CHECK(nothing("from = [\"laptop\"]\nallow = [\"web\", \"web\"]\n") == "");
    CHECK(nothing("from = [\"laptop\"]\nonly = []\n") == "");
    CHECK(nothing("from = [\"laptop\", \"none\"]\nallow = [\"more\", \"web\"]\n") ==
          "\"none\" `none` holds nothing; \"more\" `more` holds nothing; ");
    CHECK(nothing("from = [\"laptop\"]\nallow = []\ndeny = []\n") == "[] `allow` is empty; [] `deny` is empty; ");
    CHECK(nothing("from = []\nonly = [\"none\"]\n") == "[] `from` names nobody; \"none\" `none` holds nothing; ");
}
