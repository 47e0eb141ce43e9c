// What diff and apply say of a table that somebody else had a hand in, or another version: the verbs on a kernel in memory.
#include <doctest/doctest.h>

#include <functional>

#include "compiler/dormant.h"
#include "compiler/driver/pipeline.h"
#include "gateway.h"

using namespace policyc;

TEST_CASE("what was done to the table by hand is named, whatever it was done to") {
    const auto address = [](const char* written) {
        const Range range = range_of(parse_address(written).value());
        return ir::Elements::Bound{range.lo, range.hi};
    };
    const auto take = [](ir::Set& set, std::size_t element) {
        ir::Elements rest(set.types, set.interval);
        for (std::size_t i = 0; i < set.elements.size(); ++i)
            if (i != element) rest.add_key(set.elements.key(i), {}, set.elements.value(i));
        set.elements = std::move(rest);
    };
    struct ByHand {
        const char* words;
        std::function<void(Gateway&)> edit;
        bool widens;  // undoing it, which is what apply does
        bool narrows;
    };
    const std::vector<ByHand> edits = {
        {"not from policyc: set tunnel4 holds 8.8.8.8 too",
         [&](Gateway& gw) { gw.set("tunnel4").elements.add({address("8.8.8.8")}); }, false, true},
        {"missing from the kernel: set tunnel4: 10.0.0.2/31", [&](Gateway& gw) { take(gw.set("tunnel4"), 0); }, true,
         false},
        {"missing from the kernel: set far4: 10.0.0.2/31", [&](Gateway& gw) { take(gw.set("far4"), 0); }, false, true},
        {"not from policyc: set server_ports holds 40000-50000 too",
         [&](Gateway& gw) {
             gw.set("server_ports").elements.add({{40000, 50000}});
         },
         true, true},
        {"not from policyc: set untouched_interfaces holds \"eth9\" too",
         [&](Gateway& gw) { gw.set("untouched_interfaces").elements.add_name("eth9"); }, false, true},
        {"not from policyc: set rate1_ip4: its type, flags, timeout or size",
         [&](Gateway& gw) { gw.set("rate1_ip4").timeout = 1; }, true, true},
        {"missing from the kernel: map count_tcp4: 10.1.0.5 . 443", [&](Gateway& gw) { take(gw.set("count_tcp4"), 0); },
         false, false},
        {"not from policyc: set mine",
         [&](Gateway& gw) {
             gw.table().sets.push_back({.name = "mine", .types = {ir::Type::ipv4_addr}});
             gw.table().sets.back().elements = ir::Elements({ir::Type::ipv4_addr}, false);
         },
         false, false},
        {"not from policyc: counter mine", [&](Gateway& gw) { gw.table().counters.push_back({.name = "mine"}); }, false,
         false},
        {"not from policyc: an element",
         [&](Gateway& gw) {
             gw.table().foreign.push_back({ir::Foreign::Kind::element, "tunnel4", "an element", 0});
         },
         true, true},
        {"not from policyc: chain tiers, rule 1: counter accept",
         [&](Gateway& gw) {
             auto& rules = gw.chain("tiers").rules;
             rules.insert(rules.begin(), ir::Rule{{ir::Count{}, ir::Accept{}}});
         },
         false, true},
        // The flow is allowed without a limit, and that is asked first.
        {"not from policyc: set allow_limit1_tcp4 holds 10.0.0.2 . 10.1.0.6 . 443 too",
         [&](Gateway& gw) {
             gw.set("allow_limit1_tcp4").elements.add({address("10.0.0.2"), address("10.1.0.6"), {443, 443}});
         },
         false, false},
    };
    const std::string in_force =
        policy(host + "untouched = [\"if:docker0\"]", "[tiers.slow]\nwho = [\"phone\"]\nallow = [\"10.1.0.6:443\"]", "",
               ", limit = \"50/second\"");
    for (const ByHand& hand : edits) {
        CAPTURE(hand.words);
        Gateway gw;
        gw.apply(in_force);
        const ir::Ruleset good = *gw.kernel.loaded;
        hand.edit(gw);
        Ran ran = gw.run(verb_diff);
        CAPTURE(ran.out);
        CHECK(ran.status == 1);
        CHECK(ran.says(std::string("  ! ") + hand.words + "\n"));
        CHECK(ran.widens() == hand.widens);
        CHECK(ran.narrows() == hand.narrows);
        CHECK(ran.record.at("changes").empty());
        ran = gw.run(verb_apply);
        CHECK(ran.says(std::string("  ! ") + hand.words + "\n"));
        CHECK(same(*gw.kernel.loaded, good));
    }
}

TEST_CASE("verify names no port as missing that something serves at since the last apply") {
    Gateway gw;
    gw.world.listening_ports = [] { return std::vector<std::uint16_t>{9100}; };
    gw.apply(policy());
    gw.world.listening_ports = [] { return std::vector<std::uint16_t>{9100, 9200}; };
    CHECK(gw.run(verb_verify).status == 0);
    const std::string more = policy("input.web = { from = [\"phone\"], ports = 8443 }");
    gw.write(more);
    const Ran ran = gw.run(verb_verify);
    CAPTURE(ran.out);
    CHECK(ran.status == 1);
    CHECK(ran.says("less than the policy compiles to: set server_ports: 8443\n"));
    CHECK_FALSE(ran.says("9200"));
    CHECK_FALSE(ran.says("9100"));
    gw.apply(more);
    CHECK(gw.run(verb_verify).status == 0);
}

TEST_CASE("each rule that differs is named, and not only the first of its chain") {
    Gateway gw;
    gw.apply(policy());
    auto& rules = gw.chain("tiers").rules;
    const std::size_t count = rules.size();
    rules.insert(rules.begin(), {ir::Rule{{ir::Count{}}}, ir::Rule{{ir::Accept{}}}});
    rules.pop_back();
    Ran ran = gw.run(verb_diff);
    CHECK(ran.says("! not from policyc: chain tiers, rule 1: counter\n"));
    CHECK(ran.says("! not from policyc: chain tiers, rule 2: accept\n"));
    CHECK(ran.says("! missing from the kernel: chain tiers, rule " + std::to_string(count) + ": "));
    CHECK(ran.record.at("foreign").size() == 2);
    CHECK(ran.record.at("missing").size() == 1);
    ran = gw.run(verb_verify);
    CHECK(ran.says("! more than the policy compiles to: chain tiers, rule 2: accept\n"));
    // Of many a few are shown, and the record has them all.
    for (int i = 0; i < 20; ++i) rules.insert(rules.begin(), ir::Rule{{ir::Count{}}});
    ran = gw.run(verb_diff);
    CHECK(ran.says("! not from policyc: and 14 more, which `--format json` names\n"));
    CHECK(ran.record.at("foreign").size() == 22);
}

TEST_CASE("what meets no packet is named, and opens and closes nothing") {
    Gateway gw;
    for (const auto& [foreign, anew] : std::vector<std::pair<ir::Foreign, bool>>{
             {{ir::Foreign::Kind::object, "mine", "quota mine", 2}, false},
             {{ir::Foreign::Kind::set, "tunnel4", "set tunnel4 has a comment", 0}, false},
             {{ir::Foreign::Kind::chain, "tiers", "chain tiers has a comment", 0}, false},
             {{ir::Foreign::Kind::table, "", "the table has a comment", 0}, true}}) {
        gw.apply(policy());
        gw.table().foreign.push_back(foreign);
        CAPTURE(foreign.text);
        const Ran ran = gw.run(verb_diff);
        CHECK(ran.says("! not from policyc: " + foreign.text + "\n"));
        CHECK(ran.says("\nno permission comes or goes; "));
        CHECK(ran.says("; the table would be made anew: ") == anew);
        CHECK_FALSE(ran.widens());
        CHECK_FALSE(ran.narrows());
        CHECK(gw.run(verb_verify).status == 1);
        CHECK(gw.apply(policy()).says("! not from policyc: " + foreign.text + "\n"));
        CHECK(gw.apply(policy()).says("nothing to change"));
    }
    gw.table().counters.at(0).comment = "another";
    CHECK(gw.run(verb_diff).says("! not from policyc: counter " + gw.table().counters[0].name +
                                 ": its comment \"another\" instead of \"web\"\n"));
}

TEST_CASE("a rule with another comment is no other rule, and a set cut into other pieces names them") {
    Gateway gw;
    gw.apply(policy());
    auto& rules = gw.chain("forward").rules;
    REQUIRE(rules.size() == 3);
    const std::string meant = rules[1].comment;
    rules[1].comment = "mine";
    const std::string words = "chain forward, rule 2: only the comment differs: \"mine\" instead of \"" + meant + "\"";
    Ran ran = gw.run(verb_verify);
    CHECK(ran.status == 1);
    CHECK(ran.record.at("wrong") == nlohmann::ordered_json{"other than the policy compiles to: " + words});
    CHECK(ran.record.at("proof") == "same");
    ran = gw.run(verb_diff);
    CHECK(ran.record.at("foreign") == nlohmann::ordered_json{words});
    CHECK(ran.record.at("missing").empty());
    CHECK_FALSE(ran.widens());
    CHECK_FALSE(ran.narrows());
    // Beside rules that came and went.
    rules.insert(rules.begin() + 1, ir::Rule{{ir::Count{}}});
    rules.erase(rules.begin());
    ran = gw.run(verb_verify);
    CHECK(ran.says("! other than the policy compiles to: " + words + "\n"));
    CHECK(ran.says("! more than the policy compiles to: chain forward, rule 1: counter\n"));
    CHECK(ran.says("! less than the policy compiles to: chain forward, rule 1: "));
    CHECK_FALSE(ran.says("chain forward, rule 3"));

    gw.apply(policy());
    ir::Set& far = gw.set("far4");
    const auto [lo, hi] = far.elements.bound(0, 0);
    ir::Elements cut(far.types, true);
    cut.add({{lo, lo}});
    cut.add({{lo + 1, hi}});
    far.elements = std::move(cut);
    const std::string pieces = "set far4 is cut into other pieces: 10.0.0.2, 10.0.0.3 instead of 10.0.0.2/31";
    ran = gw.run(verb_verify);
    CHECK(ran.record.at("wrong") == nlohmann::ordered_json{"other than the policy compiles to: " + pieces});
    CHECK(gw.run(verb_diff).says("! not from policyc: " + pieces + "\n"));
}

TEST_CASE("without a record, a chain that differs opens and closes what the diagrams say") {
    Gateway gw;
    gw.apply(policy());
    std::filesystem::remove_all(gw.folder / "state");
    CHECK(gw.run(verb_diff).record.at("same") == true);
    auto& rules = gw.chain("tiers").rules;
    rules.insert(rules.begin(), ir::Rule{{ir::Count{}, ir::Accept{}}});
    Ran ran = gw.run(verb_diff);
    CHECK(ran.says("! differs, and no record says who wrote it: chain tiers, rule 1: counter accept\n"));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());

    gw.table().foreign.push_back({ir::Foreign::Kind::element, "tunnel4", "an element", 0});
    ran = gw.run(verb_diff);
    CHECK(ran.widens());
    CHECK(ran.narrows());
    gw.table().foreign.clear();

    gw.apply(policy());
    std::filesystem::remove_all(gw.folder / "state");
    ran = gw.diff(policy(host));
    CHECK(ran.says("! differs, and no record says who wrote it: chain input, rule 1: iifname != \"wg0\" accept\n"));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());
    ran = gw.diff(policy("", "", "", ", limit = \"50/second\""));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());
    gw.apply(policy("", "", "", ", limit = \"50/second\""));
    std::filesystem::remove_all(gw.folder / "state");
    for (const char* limit : {", limit = \"60/second\"", ""}) {
        CAPTURE(limit);
        ran = gw.diff(policy("", "", "", limit));
        CHECK(ran.widens());
    }
}

TEST_CASE("an apply that was killed before it kept its record is known by the record it prepared") {
    Gateway gw;
    gw.apply(policy());
    const std::string old_record = gw.read("state/applied.json");
    const std::string killed = policy("", "[tiers.more]\nwho = [\"phone\"]\nallow = [\"10.1.0.9:22\"]");
    gw.apply(killed);
    const std::string new_record = gw.read("state/applied.json");
    gw.write(new_record, "state/applied.next.json");
    gw.write(old_record, "state/applied.json");

    // What it opened and this edit closes again is of an edit, at the line of the policy that was killed.
    gw.kernel.commit_error = Error{"the kernel refuses it", {}};
    for (const Verb::Run verb : {verb_diff, verb_apply}) {
        gw.write(policy(host));
        const Ran ran = gw.run(verb);
        if (verb == verb_apply) {
            // The record of what is in force is kept before the next one is prepared.
            CHECK(ran.error->message == "the kernel refuses it");
            CHECK(gw.read("state/applied.json") == new_record);
            continue;
        }
        CHECK(ran.says("- phone  loses  10.1.0.9  10.1.0.9:22/tcp"));
        CHECK(ran.says("removed\n"));
        CHECK_FALSE(ran.says("policyc: "));
        CHECK_FALSE(ran.says("not from policyc"));
        CHECK_FALSE(ran.says("missing from the kernel"));
    }
    CHECK_FALSE(exists((gw.folder / "state/applied.next.json").string()));
    gw.kernel.commit_error.reset();

    // One that was killed before its transaction counts for nothing.
    gw.write(old_record, "state/applied.next.json");
    CHECK_FALSE(gw.diff(policy(host)).says("not from policyc"));

    // Where nothing is to be changed, the record is put right all the same.
    gw.write(old_record, "state/applied.json");
    gw.write(new_record, "state/applied.next.json");
    CHECK(gw.apply(killed).says("nothing to change"));
    CHECK(gw.read("state/applied.json").find("tiers.more") != std::string::npos);
}

TEST_CASE("a table of another version is that version's, not foreign") {
    Gateway gw;
    gw.apply(policy());
    // The older version had no chain for this.
    std::erase_if(gw.table().chains, [](const ir::Chain& chain) { return chain.name == "to_tunnel"; });
    std::string record = gw.read("state/applied.json");
    const std::string mine = nlohmann::json::parse(record).at("policyc");
    const std::string line = "\"policyc\": \"" + mine + "\"";
    const std::size_t at = record.find(line);
    REQUIRE(at != std::string::npos);
    record.replace(at, line.size(), "\"policyc\": \"0.0.9\"");
    gw.write(record, "state/applied.json");
    Ran ran = gw.run(verb_diff);
    CHECK(ran.says("! written by policyc 0.0.9, which makes this otherwise: chain to_tunnel\n"));
    CHECK_FALSE(ran.says("not from policyc"));
    CHECK_FALSE(ran.says("missing from the kernel"));
    CHECK(ran.widens());
    CHECK(ran.narrows());

    // A record of before versions were kept.
    record = gw.read("state/applied.json");
    record.erase(record.find("\"policyc\": \"0.0.9\","), std::string("\"policyc\": \"0.0.9\",").size());
    gw.write(record, "state/applied.json");
    CHECK(gw.run(verb_diff).says("! written by an earlier policyc, which makes this otherwise: chain to_tunnel\n"));
    gw.run(verb_apply);
    CHECK(gw.read("state/applied.json").find(line) != std::string::npos);
}

TEST_CASE("without a record of what was applied, diff, verify and apply say so and why") {
    Gateway gw;
    gw.apply(policy());
    const std::string path = (gw.folder / "state/applied.json").string();
    const std::string good = gw.read("state/applied.json");
    const auto with = [&](const std::string& old, const std::string& now) {
        std::string record = good;
        record.replace(record.find(old), old.size(), now);
        return record;
    };
    const std::vector<std::pair<std::string, std::string>> broken = {
        {"half a", path + " is not JSON"},
        {"{}", path + " is no record that policyc wrote"},
        {"{\"version\": 99}", path + " is a record of version 99, and this policyc reads version 1"},
        {with("\"node\": \"gw\"", "\"node\": \"phone\""), path + " is of node `phone`"},
        {with("[tiers.vpn]", "[tears.vpn]"), "the policy in " + path + " can't be read by this policyc"},
    };
    const std::string rest =
        "; without the record of what was applied last, what differs is told by chains and sets; apply writes it anew";
    const std::string edited = policy(host);
    for (const auto& [text, why] : broken) {
        const std::string warning = "warning: " + why + rest + "\n";
        INFO(warning);
        gw.write(text, "state/applied.json");
        // One that is there and no use is told even where nothing differs.
        gw.write(policy());
        CHECK(gw.run(verb_diff).notes == warning);
        CHECK(gw.run(verb_verify).notes == warning);
        gw.write(edited);
        CHECK(gw.run(verb_diff).notes == warning);
        CHECK(gw.run(verb_verify).notes == warning);
        gw.options.dry_run = true;
        CHECK(gw.run(verb_apply).notes == warning);
        gw.options.dry_run = false;
        CHECK(gw.run(verb_apply).notes == warning);
        // And then it is there again.
        gw.write(policy());
        CHECK(gw.run(verb_diff).notes.empty());
        CHECK(gw.run(verb_apply).notes.empty());
    }
    std::filesystem::remove(path);
    CHECK(gw.run(verb_diff).notes.empty());
    CHECK(gw.run(verb_verify).notes.empty());
    gw.write(edited);
    const std::string warning = "warning: cannot read " + path + ": does not exist" + rest + "\n";
    CHECK(gw.run(verb_diff).notes == warning);
    CHECK(gw.run(verb_verify).notes == warning);
    // Where nothing says whose table it is, it is not removed.
    const Ran ran = gw.apply(policy("scope = \"none\"\n"));
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message == "no record says whose table inet policyc is, and this would remove it: cannot read " +
                                    path + ": does not exist");
    CHECK(gw.kernel.loaded);
}

TEST_CASE("a directory in the place of the record is told by all, and nothing is applied") {
    Gateway gw;
    gw.apply(policy());
    const std::string path = (gw.folder / "state/applied.json").string();
    const std::string record = gw.read("state/applied.json");
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    const std::string warning =
        "warning: cannot read " + path +
        ": is a directory; without the record of what was applied last, what differs is told by "
        "chains and sets; remove it, and apply writes it anew\n";
    const std::uint64_t generation = gw.kernel.generation;
    const std::string refusal = "cannot write " + path + ": is a directory";
    Ran ran = gw.apply(policy());
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message == refusal);
    CHECK(ran.error->help == "remove it: apply keeps its record there");
    gw.write(policy(host));
    CHECK(gw.run(verb_diff).notes == warning);
    CHECK(gw.run(verb_verify).notes == warning);
    ran = gw.run(verb_apply);
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message == refusal + ", so nothing was applied");
    CHECK(ran.notes == warning);
    // Nor after a run that was killed between its transaction and its record.
    gw.write(policy());
    gw.write(record, "state/applied.next.json");
    ran = gw.apply(policy(host));
    CHECK(ran.status == 2);
    REQUIRE(ran.error);
    CHECK(ran.error->message == refusal + ", so nothing was applied");
    CHECK(gw.kernel.generation == generation);
}

TEST_CASE("a dormant table judges nothing, whatever is in it") {
    Gateway gw;
    gw.apply(policy());
    gw.chain("tiers").rules.insert(gw.chain("tiers").rules.begin(), ir::Rule{{ir::Accept{}}});
    gw.table().foreign.push_back({ir::Foreign::Kind::table, "", dormant_text, 0});
    const Ran ran = gw.run(verb_diff);
    CHECK(ran.says("against the kernel, where table inet policyc is dormant\n  + laptop"));
    CHECK(ran.says("! whatever else enters or leaves wg0 is refused from now on unless the policy allows it\n"));
    CHECK(ran.says("! not from policyc: the table is dormant: it judges nothing\n"));
    CHECK(ran.says("! not from policyc: chain tiers, rule 1: accept\n"));
    CHECK_FALSE(ran.widens());
    CHECK(ran.narrows());
    gw.options.from = "laptop";
    gw.options.target = "10.1.0.9:80";
    gw.options.live = true;
    CHECK(gw.run(verb_explain).says("table inet policyc is dormant, it judges nothing: everything passes\n"));
    // Other flags of the table don't put it to sleep.
    gw.table().foreign.back().text = "the table has flags: a program owns it";
    CHECK(gw.run(verb_diff).says("against the kernel\n"));
}

TEST_CASE("what others call their things steers no terminal") {
    Gateway gw;
    gw.apply(policy());
    const std::string odd = "a\x1b[2Jb";
    const auto clean = [&](const Ran& ran) {
        CAPTURE(ran.out);
        return ran.says("a") && !ran.says("\x1b");
    };
    gw.kernel.others.push_back({"inet " + odd, odd, "forward", {}, odd, ForeignChain::Does::hands_over});
    CHECK(clean(gw.run(verb_verify)));
    CHECK(gw.run(verb_verify).record.at("beside").front().at("what").get<std::string>().find(odd) != std::string::npos);
    gw.table().foreign.push_back({ir::Foreign::Kind::chain, odd, "chain " + odd});
    for (const Verb::Run verb : {verb_verify, verb_diff}) {
        const Ran ran = gw.run(verb);
        CHECK(ran.says(verb == verb_diff ? "not from policyc: chain a" : "more than the policy compiles to: chain a"));
        CHECK(clean(ran));
    }
    gw.apply(policy());
    for (ir::Chain& chain : gw.table().chains)
        for (ir::Rule& rule : chain.rules) rule.comment = odd;
    gw.options.node = "gw";
    gw.options.from = "laptop";
    gw.options.target = "10.1.0.9:80";
    gw.options.live = true;
    CHECK(clean(gw.run(verb_explain)));
}
