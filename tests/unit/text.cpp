// nft text of rulesets made by hand; tests/kernel/test_backends.py loads the same.
#include "backends/text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "../kernel/tools/samples.h"
#include "backends/text_words.h"

using namespace policyc;

namespace {

Sources policy() {
    Sources sources;
    sources.add("policy.toml", "version=1\ngrafana=1\njelly=1\n0123456789\n");
    return sources;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("text of a small ruleset") {
    const Sources sources = policy();
    CHECK(to_nft(samples::small(), &sources) ==
          R"(# table inet policyc of node extgw01, written by policyc 0.1.0: change the policy, not this

# add before delete: the table may not exist yet; all of this file is one transaction
add table inet policyc
delete table inet policyc

table inet policyc {
	# source . destination . port
	set allow_tcp4 {
		type ipv4_addr . ipv4_addr . inet_service
		size 2
		elements = {
			10.69.50.11 . 10.69.13.20 . 8096,   # laptop -> jellyfin  policy.toml:4
			10.69.50.11 . 10.69.13.30 . 3000,   # laptop -> grafana  policy.toml:2
		}
	}

	# packets through this host
	chain forward {
		type filter hook forward priority filter - 10; policy drop;

		meta l4proto tcp ct original ip saddr . ct original ip daddr . ct original proto-dst @allow_tcp4 accept
	}
}
)");
}

TEST_CASE("text of nothing is the table's end") {
    ir::Ruleset empty;
    empty.node = "vps";
    CHECK(to_nft(empty, nullptr) ==
          R"(# table inet policyc of node vps, written by policyc 0.1.0: change the policy, not this

# add before delete: the table may not exist yet; all of this file is one transaction
add table inet policyc
delete table inet policyc
)");
}

TEST_CASE("text has no way out of comments and strings") {
    const Sources sources = policy();
    std::istringstream text(to_nft(samples::everything(), &sources));
    for (std::string line; std::getline(text, line);) {
        CAPTURE(line);
        CHECK_FALSE(line.starts_with("delete table inet other"));
        CHECK_FALSE(line.starts_with("name }"));
        // Outside comments, quotes come in pairs.
        const std::string code = line.starts_with('#') || has(line, "\t# ") ? "" : line.substr(0, line.find("  # "));
        CHECK(std::count(code.begin(), code.end(), '"') % 2 == 0);
    }
    const std::string whole = to_nft(samples::everything(), &sources);
    CHECK(has(whole, "# bad?name } ' # \\ -> grafana  policy.toml:2\n"));
    CHECK(has(whole, "comment \"a 'quoted' name?\"\n"));
    CHECK(has(whole, "\t# packets } of? chain\n"));
}

TEST_CASE("text without sources leaves places out") {
    const std::string text = to_nft(samples::small(), nullptr);
    CHECK(has(text, "# laptop -> jellyfin\n"));
    CHECK_FALSE(has(text, "policy.toml"));
}

TEST_CASE("text aligns what elements are for") {
    const Sources sources = policy();
    const std::string text = to_nft(samples::everything(), &sources);
    CHECK(has(text, R"(
		elements = {
			10.69.50.0/24 . 10.69.13.30-10.69.13.35 . 8000-8100,   # laptop -> grafana  policy.toml:2
			10.69.50.11 . 0.0.0.0/0 . 1-65535,                     # bad?name } ' # \ -> grafana  policy.toml:2
			10.69.50.12 . 10.69.13.1 . 443,
		}
)"));
}

TEST_CASE("text of statements") {
    using namespace policyc::ir;
    CHECK(to_nft(MatchName{Field::iifname, "wg*"}) == "iifname \"wg\\*\"");  // never a wildcard
    CHECK(to_nft(MatchName{Field::oifname, "a\"b", true}) == "oifname != \"a'b\"");
    CHECK(to_nft(Lookup{{Field::ct_saddr6}, "s", true}) == "ct original ip6 saddr != @s");
    CHECK(to_nft(MatchIcmp{Family::ipv6, {1, 2}}) == "icmpv6 type { 1, 2 }");
    CHECK(to_nft(MatchState{.invalid = true, .untracked = true}) == "ct state invalid,untracked");
    CHECK(to_nft(UpdateRate{"r", Field::ct_saddr4, {6, Rate::Unit::minute}, 6}) ==
          "update @r { ct original ip saddr limit rate 6/minute burst 6 packets }");
    CHECK(to_nft(CountByMap{{Field::ct_daddr4, Field::ct_proto_dst}, "m"}) ==
          "counter name ct original ip daddr . ct original proto-dst map @m");
    CHECK(to_nft(LogPacket{"policyc deny ", 5}) == "log prefix \"policyc deny \" group 5");
    CHECK(to_nft(Count{3, 180}) == "counter packets 3 bytes 180");
}

TEST_CASE("a rule that is not from policyc is shown, not written") {
    ir::Ruleset ruleset = samples::small();
    ruleset.chains[0].rules.push_back(samples::rule({ir::Unknown{"{\"vmap\":\n1}"}, ir::Accept{}}));
    const std::string text = to_nft(ruleset, nullptr);
    CHECK(has(text, "\t\t# not from policyc: {'vmap':?1} accept\n"));
}
