// What nft can put into our table and policyc doesn't write, as the kernel tells it: the decoder keeps it and names it.
#include <doctest/doctest.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include "../kernel/tools/samples.h"
#include "backends/netlink/batch.h"
#include "backends/netlink/decode.h"
#include "backends/netlink/messages.h"
#include "backends/netlink/words.h"
#include "compiler/plan.h"

using namespace policyc;
using namespace policyc::ir;

namespace {

void take_all(const std::string& bytes, netlink::Decoder& decoder) {
    for (std::size_t at = 0; at < bytes.size();) {
        const auto& message = *reinterpret_cast<const nlmsghdr*>(bytes.data() + at);
        CHECK(decoder.take(message));
        at += NLMSG_ALIGN(message.nlmsg_len);
    }
}

// The texts of what is foreign in the table of `ruleset` with these messages behind it.
std::vector<std::string> foreign_texts(const Ruleset& ruleset, netlink::Messages& more) {
    netlink::Decoder decoder;
    take_all(netlink::encode(plan(nullptr, ruleset), 7).bytes, decoder);
    take_all(more.take(), decoder);
    std::vector<std::string> texts;
    const auto table = decoder.finish();
    REQUIRE(table);
    for (const Foreign& foreign : table->foreign) texts.push_back(foreign.text);
    return texts;
}

struct Entry {
    std::optional<Rate> rate;
    std::uint32_t burst = 0;
    std::optional<std::uint64_t> timeout;
    std::uint64_t left = 0;
    bool comment = false;
};

// One entry of rate1_ip4, whose source is 10.0.0.1.
std::vector<std::string> told_of(const Ruleset& ruleset, const Entry& entry) {
    netlink::Messages out;
    out.begin(NFT_MSG_NEWSETELEM, 0, 1);
    out.put_text(NFTA_SET_ELEM_LIST_TABLE, table_name);
    out.put_text(NFTA_SET_ELEM_LIST_SET, "rate1_ip4");
    const std::size_t list = out.open(NFTA_SET_ELEM_LIST_ELEMENTS);
    const std::size_t element = out.open(NFTA_LIST_ELEM);
    const std::size_t key = out.open(NFTA_SET_ELEM_KEY);
    out.put(NFTA_DATA_VALUE, std::string_view("\x0a\x00\x00\x01", 4));
    out.close(key);
    if (entry.rate) {
        const std::size_t expression = out.open(NFTA_SET_ELEM_EXPR);
        out.put_text(NFTA_EXPR_NAME, "limit");
        const std::size_t data = out.open(NFTA_EXPR_DATA);
        out.put_u64(NFTA_LIMIT_RATE, entry.rate->count);
        out.put_u64(NFTA_LIMIT_UNIT, netlink::seconds_of(entry.rate->unit));
        out.put_u32(NFTA_LIMIT_BURST, entry.burst);
        out.put_u32(NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
        out.put_u32(NFTA_LIMIT_FLAGS, 0);
        out.close(data);
        out.close(expression);
    }
    if (entry.timeout) out.put_u64(NFTA_SET_ELEM_TIMEOUT, *entry.timeout);
    if (entry.left != 0) out.put_u64(NFTA_SET_ELEM_EXPIRATION, entry.left);
    if (entry.comment) out.put(NFTA_SET_ELEM_USERDATA, std::string_view("\x00\x02x\x00", 4));
    out.close(element);
    out.close(list);
    out.end();
    return foreign_texts(ruleset, out);
}

Ruleset with_rate(bool filled) {
    Ruleset ruleset = samples::small();
    Set rates = samples::set_of("rate1_ip4", {Type::ipv4_addr});
    rates.dynamic = true;
    rates.timeout = 60;
    rates.size = 100;
    ruleset.sets.push_back(rates);
    if (filled)
        ruleset.chains[0].rules.push_back(samples::rule(
            {MatchFamily{Family::ipv4}, UpdateRate{"rate1_ip4", Field::ip_saddr, {5, Rate::Unit::second}, 9}, Drop{}}));
    return ruleset;
}

}  // namespace

TEST_CASE("by hand: an entry of a rate set is as its rules make it, or named") {
    const Rate rate{5, Rate::Unit::second};
    const Ruleset ruleset = with_rate(true);
    const auto only = [](const char* text) { return std::vector<std::string>{text}; };
    const char* own = "an element of rate1_ip4: 10.0.0.1 with a rate of its own";
    const char* timeout = "an element of rate1_ip4: 10.0.0.1 with a timeout of its own";
    // Before Linux 6.12 each tells its timeout, since then only where it is not the set's.
    CHECK(told_of(ruleset, {.rate = rate, .burst = 9, .timeout = {}, .left = 59999}).empty());
    CHECK(told_of(ruleset, {.rate = rate, .burst = 9, .timeout = 60000, .left = 5}).empty());
    CHECK(told_of(ruleset, {.rate = Rate{6, Rate::Unit::second}, .burst = 9, .timeout = {}}) == only(own));
    CHECK(told_of(ruleset, {.rate = Rate{5, Rate::Unit::minute}, .burst = 9, .timeout = {}}) == only(own));
    CHECK(told_of(ruleset, {.rate = rate, .burst = 10, .timeout = {}}) == only(own));
    CHECK(told_of(ruleset, {.rate = rate, .burst = 9, .timeout = 61000}) == only(timeout));
    CHECK(told_of(ruleset, {.rate = rate, .burst = 9, .timeout = 0}) == only(timeout));  // it never goes
    CHECK(told_of(ruleset, {.rate = rate, .burst = 9, .timeout = 60000, .left = 90000}) == only(timeout));
    CHECK(told_of(ruleset, {.rate = rate, .burst = 9, .timeout = {}, .comment = true}) ==
          only("an element of rate1_ip4: 10.0.0.1 with a comment"));
    CHECK(told_of(ruleset, {.timeout = {}}) == only("an element of rate1_ip4: 10.0.0.1 without the rate of its rule"));
    // Where no rule fills the set, what is in it says nothing: apply makes it anew with its rules.
    CHECK(told_of(with_rate(false), {.rate = rate, .burst = 10, .timeout = {}}).empty());
}

TEST_CASE("by hand: a chain that is a part of a rule goes with it") {
    netlink::Messages out;
    out.begin(NFT_MSG_NEWCHAIN, 0, 1);
    out.put_text(NFTA_CHAIN_TABLE, table_name);
    out.put_text(NFTA_CHAIN_NAME, "__chain1");
    out.put_u32(NFTA_CHAIN_FLAGS, NFT_CHAIN_BINDING);
    out.end();
    for (int i = 0; i < 2; ++i) {
        out.begin(NFT_MSG_NEWRULE, 0, 1);
        out.put_text(NFTA_RULE_TABLE, table_name);
        out.put_text(NFTA_RULE_CHAIN, "__chain1");
        out.end();
    }
    Ruleset ruleset = samples::small();
    ruleset.chains[0].rules.push_back(samples::rule({Jump{"__chain1"}}));
    netlink::Decoder decoder;
    take_all(netlink::encode(plan(nullptr, ruleset), 7).bytes, decoder);
    take_all(out.take(), decoder);
    const auto table = decoder.finish();
    REQUIRE(table);
    CHECK(table->foreign.empty());
    REQUIRE(table->chains.size() == 1);
    const auto* jump = std::get_if<Unknown>(&table->chains[0].rules.back().statements.front());
    REQUIRE(jump != nullptr);
    CHECK(jump->text == "jump { ... } (2 rules)");
    const Ruleset small = samples::small();
    const Plan back = plan(&*table, small);
    CHECK(back.delete_chains.empty());
    CHECK(back.delete_rules.size() == 1);
}

TEST_CASE("by hand: what a set bears and policyc doesn't write is named, and its elements are read") {
    const auto told = [](std::uint16_t attribute, std::string_view value) {
        netlink::Messages out;
        out.begin(NFT_MSG_NEWSET, 0, 1);
        out.put_text(NFTA_SET_TABLE, table_name);
        out.put_text(NFTA_SET_NAME, "more");
        out.put_u32(NFTA_SET_FLAGS, 0);
        out.put_u32(NFTA_SET_KEY_TYPE, netlink::number_of(Type::ipv4_addr));
        out.put_u32(NFTA_SET_KEY_LEN, 4);
        out.put(attribute, value);
        out.end();
        return foreign_texts(samples::small(), out);
    };
    const auto user = [&](std::uint8_t type, char value) {
        return told(NFTA_SET_USERDATA, std::string{static_cast<char>(type), 4, value, 0, 0, 0});
    };
    const auto only = [](const char* text) { return std::vector<std::string>{text}; };
    CHECK(user(NFTNL_UDATA_SET_MERGE_ELEMENTS, 1) == only("set more has auto-merge"));
    CHECK(user(NFTNL_UDATA_SET_MERGE_ELEMENTS, 0).empty());
    CHECK(user(NFTNL_UDATA_SET_KEYBYTEORDER, 2).empty());
    CHECK(user(NFTNL_UDATA_SET_COMMENT, 'x') == only("set more has a comment"));
    CHECK(user(99, 1) == only("set more has user data that policyc does not know"));
    CHECK(told(NFTA_SET_GC_INTERVAL, std::string_view("\0\0\0\7", 4)) == only("set more has a gc-interval"));
    CHECK(told(NFTA_SET_GC_INTERVAL, std::string_view("\0\0\0\0", 4)).empty());
    CHECK(told(NFTA_SET_POLICY, std::string_view("\0\0\0\1", 4)) == only("set more has a policy of its own"));
}
