// The fast way of an apply that has nothing to do, and everything that must lead away from it.
#include "compiler/driver/unchanged.h"

#include <doctest/doctest.h>

#include <functional>

#include "gateway.h"

using namespace policyc;

namespace {

const std::string included = R"(include = ["policy.d/*.toml"]
)";
const std::string entry = R"(version = 1

[names."nas.example"]
addresses = ["10.1.0.9"]
ttl = 60
resolved = "2026-11-24T11:00:00Z"
)";

// A policy with a fragment, a lock and a hosts file that is in force, so that the next apply may take the fast way.
struct Settled : Gateway {
    explicit Settled(const std::string& top = "") {
        std::filesystem::create_directory(folder / "policy.d");
        write("[services]\nnas = \"nas.example:445\"\n", "policy.d/nas.toml");
        write(entry, "policy.lock");
        write("10.1.0.7 printer\n", "hosts");
        world.hosts_file = (folder / "hosts").string();
        const Ran first = apply(policy("input.ssh = { from = [\"phone\"] }\n",
                                       "\n[tiers.files]\nwho = [\"phone\"]\nallow = [\"nas\"]\n", included + top));
        CHECK(first.status == 0);
        CHECK(first.notes.empty());
        CHECK(kernel.transactions == 1);
    }

    // Whether an apply took it. It must have nothing to do.
    bool fast() {
        const int before = kernel.reads;
        const Ran again = run(verb_apply);
        CHECK(again.status == 0);
        CHECK(again.out == "gw: nothing to change\n");
        return kernel.reads == before;
    }
    void append(const std::string& text, const std::string& name) { write(read(name) + text, name); }
};

}  // namespace

TEST_CASE("an apply of what is in force reads no table, and says what it would say then") {
    Settled gateway;
    const int reads = gateway.kernel.reads;
    const Ran quick = gateway.run(verb_apply);
    CHECK(gateway.kernel.reads == reads);
    std::filesystem::remove(gateway.folder / "state/unchanged");
    const Ran slow = gateway.run(verb_apply);
    CHECK(gateway.kernel.reads > reads);
    CHECK(quick.status == slow.status);
    CHECK(quick.out == slow.out);
    CHECK(quick.notes == slow.notes);
    CHECK(quick.record.dump() == slow.record.dump());
    CHECK(gateway.fast());
    CHECK(gateway.kernel.transactions == 1);
}

TEST_CASE("whatever an apply depends on leads away from the fast way, and the next finds it again") {
    struct Input {
        std::string what;
        std::function<void(Settled&)> change;
    };
    const std::vector<Input> inputs = {
        {"policy", [](Settled& g) { g.append("# a comment\n", "policy.toml"); }},
        {"fragment", [](Settled& g) { g.append("# a comment\n", "policy.d/nas.toml"); }},
        {"another fragment", [](Settled& g) { g.write("# a comment\n", "policy.d/more.toml"); }},
        {"lock", [](Settled& g) { g.append("# a comment\n", "policy.lock"); }},
        {"hosts", [](Settled& g) { g.append("# a comment\n", "hosts"); }},
        {"no hosts", [](Settled& g) { std::filesystem::remove(g.folder / "hosts"); }},
        {"names of the state directory", [](Settled& g) { g.write(entry, "state/names.lock"); }},
        {"day", [](Settled& g) { g.world.now += std::chrono::hours(12); }},
        // Of a day before its answers there would be more to say.
        {"earlier day",
         [](Settled& g) {
             std::string dated = entry;
             g.write(dated.replace(dated.find("11-24T"), 6, "11-01T"), "policy.lock");
             CHECK_FALSE(g.fast());
             CHECK(g.fast());
             g.world.now -= std::chrono::hours(13);
         }},
        {"--node", [](Settled& g) { g.options.node = "gw"; }},
        {"--lock", [](Settled& g) { g.options.lock = (g.folder / "policy.lock").string(); }},
        {"--layout", [](Settled& g) { g.options.layout = "tuples"; }},
        {"--backend", [](Settled& g) { g.options.backend = "libnftables"; }},
        {"--offline", [](Settled& g) { g.options.offline = true; }},
        {"--answers", [](Settled& g) { g.options.answers = "answers.json"; }},
        {"--hosts",
         [](Settled& g) { g.write(g.read("hosts"), "others"), g.world.hosts_file = (g.folder / "others").string(); }},
        {"policy by another name",
         [](Settled& g) {
             g.write(g.read("policy.toml"), "other.toml"), g.options.policy = (g.folder / "other.toml").string();
         }},
        {"host name", [](Settled& g) { g.world.host_name = "gw"; }},
        {"program", [](Settled& g) { g.world.program = "another"; }},
        {"boot", [](Settled& g) { g.world.boot = "another"; }},
        {"generation", [](Settled& g) { ++g.kernel.generation; }},
        {"earlier generation", [](Settled& g) { --g.kernel.generation; }},
        {"network namespace", [](Settled& g) { ++g.kernel.network_namespace; }},
        {"record", [](Settled& g) { g.append(" ", "state/applied.json"); }},
        {"no record", [](Settled& g) { std::filesystem::remove(g.folder / "state/applied.json"); }},
        {"record that was prepared",
         [](Settled& g) { g.write(g.read("state/applied.json"), "state/applied.next.json"); }},
    };
    for (const Input& input : inputs) {
        CAPTURE(input.what);
        Settled gateway;
        CHECK(gateway.fast());
        input.change(gateway);
        CHECK_FALSE(gateway.fast());
        CHECK(gateway.fast());
        CHECK(gateway.kernel.transactions == 1);
    }
}

TEST_CASE("where a host can't tell one moment from another there is no fast way") {
    const std::vector<std::function<void(Settled&)>> blind = {
        [](Settled& g) { g.kernel.network_namespace = 0; },
        [](Settled& g) { g.world.boot.clear(); },
        [](Settled& g) { g.world.program.clear(); },
    };
    for (const auto& make : blind) {
        Settled gateway;
        make(gateway);
        CHECK_FALSE(gateway.fast());
        CHECK_FALSE(gateway.fast());
    }
}

TEST_CASE("a table that somebody changed or removed is put right, whatever the record says") {
    Settled gateway;
    CHECK(gateway.fast());
    const ir::Ruleset good = *gateway.kernel.loaded;
    gateway.kernel.loaded.reset();
    ++gateway.kernel.generation;
    CHECK(gateway.run(verb_apply).says("applied, where there was no table"));
    REQUIRE(gateway.kernel.loaded);
    CHECK(same(good, *gateway.kernel.loaded));
    gateway.chain("forward").rules.clear();
    CHECK(gateway.run(verb_apply).says("missing from the kernel"));
    CHECK(same(good, *gateway.kernel.loaded));
    CHECK(gateway.fast());
}

TEST_CASE("no part of what is kept is enough for the fast way") {
    Settled gateway;
    const std::string kept = gateway.read("state/unchanged");
    REQUIRE(kept.size() > 500);
    std::unique_ptr<Kernel> kernel = gateway.world.kernel();
    REQUIRE(known_unchanged(gateway.options, gateway.world, *kernel));
    for (std::size_t i = 0; i < kept.size(); ++i) {
        CAPTURE(i);
        gateway.write(kept.substr(0, i), "state/unchanged");
        const auto shorter = known_unchanged(gateway.options, gateway.world, *kernel);
        // Without its last answers it would be true of a run that asked less: a length of the whole stands against that.
        CHECK_FALSE(shorter);
    }
    gateway.write(kept + "x", "state/unchanged");
    CHECK_FALSE(known_unchanged(gateway.options, gateway.world, *kernel));
}

TEST_CASE("the fast way ends when an answer grows too old") {
    Settled gateway("[resolve]\nstale.keep = \"3h\"\n");
    CHECK(gateway.fast());
    gateway.world.now = parse_time("2026-11-24T14:00:00Z").value();
    CHECK(gateway.fast());
    gateway.world.now += std::chrono::seconds(1);
    const Ran later = gateway.run(verb_apply);
    CHECK(later.says("- phone  loses  nas"));
    // What is denied for its age is said each time.
    const int reads = gateway.kernel.reads;
    CHECK(gateway.run(verb_apply).says("nothing to change"));
    CHECK(gateway.kernel.reads > reads);
}

TEST_CASE("an apply that has more to say than that there is nothing to change says it each time") {
    Gateway gateway;
    std::string text = policy();
    gateway.apply(text.replace(text.find("[tiers.vpn]"), 0, "unused = \"10.1.0.9:80\"\n"));
    const int reads = gateway.kernel.reads;
    gateway.run(verb_apply);
    CHECK(gateway.kernel.reads > reads);
}

TEST_CASE("chains of others are named on the fast way too") {
    Settled gateway;
    gateway.kernel.others.push_back({"ip docker", "FORWARD", "forward"});
    CHECK(gateway.fast());
    const Ran again = gateway.run(verb_apply);
    CHECK(again.notes.find("chain FORWARD of table ip docker") != std::string::npos);
    CHECK(again.record["foreign_chains"].size() == 1);
}

TEST_CASE("elements with an end of their own are told from the kernel's entries of rates") {
    ir::Ruleset ruleset;
    ir::Set set{.name = "s", .types = {ir::Type::inet_service}};
    set.elements = ir::Elements(set.types, false);
    set.elements.add({{1, 1}});
    ruleset.sets.push_back(set);
    CHECK_FALSE(has_timers(ruleset));
    ruleset.sets[0].elements.set_life({.timeout = 5});
    CHECK(has_timers(ruleset));
    ruleset.sets[0] = set;
    ruleset.sets[0].timeout = 5;
    CHECK(has_timers(ruleset));
    ruleset.sets[0].dynamic = true;
    CHECK_FALSE(has_timers(ruleset));
}
