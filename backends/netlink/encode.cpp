// A plan to one batch: what goes, from those who name others to those who are named, then what comes, the other way round. Entry point encode().
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "backends/netlink/batch.h"
#include "backends/netlink/encode_elements.h"
#include "backends/netlink/encode_rule.h"
#include "backends/netlink/messages.h"
#include "backends/netlink/words.h"

namespace policyc::netlink {

namespace {

using namespace ir;
using What = Origin::What;

// For one message of libnftnl, which checks no bounds: a rule of ours has a few expressions, each some hundred bytes at most.
constexpr std::size_t message_room = 65536;
constexpr std::size_t most_statements = 64;

// nft's `enum byteorder`, for the user data of sets: without it nft lists names of interfaces backwards.
constexpr std::uint32_t order_unknown = 0, order_host = 1, order_network = 2;

class Encoder {
public:
    Encoder(const Plan& plan, std::optional<std::uint32_t> generation) : plan_(plan) {
        std::size_t elements = 0;
        for (const std::uint32_t set : plan.add_sets)
            if (const Set& s = after().sets[set]; !s.dynamic) elements += encoded_size(s, s.elements.size());
        for (const Plan::Elements& change : plan.change_elements)
            elements += encoded_size(before().sets[change.before], change.gone.size()) +
                        encoded_size(after().sets[change.after], change.fresh.size());
        out_.reserve(4096 + elements + 1024 * (plan.add_rules.size() + plan.delete_rules.size()) +
                     512 * (plan.add_sets.size() + plan.add_chains.size() + plan.add_counters.size()));
        out_.batch(NFNL_MSG_BATCH_BEGIN, 0);
        if (generation) out_.put_u32(NFNL_BATCH_GENID, *generation);
        out_.end();
        batch_.origins.push_back({.what = What::batch});
    }

    Batch run() {
        table();
        if (!plan_.delete_table) {
            remove();
            add();
        }
        out_.batch(NFNL_MSG_BATCH_END, static_cast<std::uint32_t>(batch_.origins.size()));
        out_.end();
        batch_.origins.push_back({.what = What::batch});
        batch_.bytes = out_.take();
        if (batch_.unknown) batch_.bytes.clear();
        return std::move(batch_);
    }

private:
    [[nodiscard]] const Ruleset& before() const { return *plan_.before; }
    [[nodiscard]] const Ruleset& after() const { return *plan_.after; }

    // A message about that object; without `type` for those that others write.
    std::uint32_t number(Origin origin) {
        batch_.origins.push_back(origin);
        return static_cast<std::uint32_t>(batch_.origins.size() - 1);
    }
    void begin(std::uint16_t type, std::uint16_t flags, Origin origin) { out_.begin(type, flags, number(origin)); }

    // The first message of every batch; its acknowledgement shows that the kernel has looked at the batch.
    void table() {
        const bool removes = plan_.delete_table || plan_.replace_table;
        const auto flags = static_cast<std::uint16_t>(NLM_F_ACK | (removes ? 0 : NLM_F_CREATE));
        begin(removes ? NFT_MSG_DELTABLE : NFT_MSG_NEWTABLE, flags, {.what = What::table, .removes = removes});
        out_.put_text(NFTA_TABLE_NAME, table_name);
        if (plan_.replace_table) {
            out_.end();
            begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, {.what = What::table});
            out_.put_text(NFTA_TABLE_NAME, table_name);
        }
        if (plan_.add_table || plan_.wake_table) out_.put_u32(NFTA_TABLE_FLAGS, 0);
        out_.end();
    }

    void remove() {
        for (const std::uint32_t chain : plan_.delete_chains) {
            begin(NFT_MSG_DELRULE, 0, {.what = What::chain, .removes = true, .index = chain});
            out_.put_text(NFTA_RULE_TABLE, table_name);
            out_.put_text(NFTA_RULE_CHAIN, before().chains[chain].name);
            out_.end();
        }
        for (const Plan::RulePlace place : plan_.delete_rules) {
            const Chain& chain = before().chains[place.chain];
            begin(NFT_MSG_DELRULE, 0, {.what = What::rule, .removes = true, .index = place.chain, .rule = place.rule});
            out_.put_text(NFTA_RULE_TABLE, table_name);
            out_.put_text(NFTA_RULE_CHAIN, chain.name);
            out_.put_u64(NFTA_RULE_HANDLE, chain.rules[place.rule].handle);
            out_.end();
        }
        for (const Plan::Elements& change : plan_.change_elements)
            if (!change.gone.empty())
                encode_elements({before(), change.before, &change.gone}, true, out_, batch_.origins);
        for (const std::uint32_t set : plan_.delete_sets)
            remove_named(NFT_MSG_DELSET, NFTA_SET_TABLE, NFTA_SET_NAME, before().sets[set].name,
                         {.what = What::set, .removes = true, .index = set});
        for (const std::uint32_t foreign : plan_.delete_foreign)
            if (before().foreign[foreign].kind == Foreign::Kind::set) remove_foreign(foreign);
        for (const std::uint32_t chain : plan_.delete_chains)
            remove_named(NFT_MSG_DELCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, before().chains[chain].name,
                         {.what = What::chain, .removes = true, .index = chain});
        for (const std::uint32_t counter : plan_.delete_counters) {
            begin(NFT_MSG_DELOBJ, 0, {.what = What::counter, .removes = true, .index = counter});
            put_object(before().counters[counter].name, NFT_OBJECT_COUNTER);
            out_.end();
        }
        for (const std::uint32_t foreign : plan_.delete_foreign)
            if (before().foreign[foreign].kind != Foreign::Kind::set) remove_foreign(foreign);
    }

    void remove_foreign(std::uint32_t index) {
        const Foreign& foreign = before().foreign[index];
        const Origin origin{.what = What::foreign, .removes = true, .index = index};
        switch (foreign.kind) {
            case Foreign::Kind::set:
                return remove_named(NFT_MSG_DELSET, NFTA_SET_TABLE, NFTA_SET_NAME, foreign.name, origin);
            case Foreign::Kind::chain:
                return remove_named(NFT_MSG_DELCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, foreign.name, origin);
            case Foreign::Kind::flowtable:
                return remove_named(NFT_MSG_DELFLOWTABLE, NFTA_FLOWTABLE_TABLE, NFTA_FLOWTABLE_NAME, foreign.name,
                                    origin);
            case Foreign::Kind::object:
                begin(NFT_MSG_DELOBJ, 0, origin);
                put_object(foreign.name, foreign.object);
                return out_.end();
            case Foreign::Kind::table:
            case Foreign::Kind::element: return;
        }
    }

    void remove_named(std::uint16_t type, std::uint16_t table, std::uint16_t name, const std::string& what,
                      Origin origin) {
        begin(type, 0, origin);
        out_.put_text(table, table_name);
        out_.put_text(name, what);
        out_.end();
    }

    void put_object(const std::string& name, std::uint32_t type) {
        out_.put_text(NFTA_OBJ_TABLE, table_name);
        out_.put_text(NFTA_OBJ_NAME, name);
        out_.put_u32(NFTA_OBJ_TYPE, type);
    }

    void add() {
        for (const std::uint32_t counter : plan_.add_counters) add_counter(counter);
        for (const std::uint32_t set : plan_.add_sets) add_set(set);
        for (const std::uint32_t chain : plan_.add_chains) add_chain(chain);
        for (const std::uint32_t chain : plan_.set_policy) set_policy(chain);
        for (const std::uint32_t set : plan_.add_sets)
            if (const Set& s = after().sets[set]; !s.dynamic && !s.elements.empty())
                encode_elements({after(), set, nullptr}, false, out_, batch_.origins);
        for (const Plan::Elements& change : plan_.change_elements)
            if (!change.fresh.empty())
                encode_elements({after(), change.after, &change.fresh}, false, out_, batch_.origins);
        for (const Plan::NewRule& rule : plan_.add_rules) add_rule(rule);
    }

    void add_counter(std::uint32_t index) {
        const Counter& counter = after().counters[index];
        begin(NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, {.what = What::counter, .index = index});
        put_object(counter.name, NFT_OBJECT_COUNTER);
        if (!counter.comment.empty()) {
            std::string text = kernel_text(counter.comment, max_comment);
            text += '\0';
            put_user_data(NFTA_OBJ_USERDATA, NFTNL_UDATA_OBJ_COMMENT, text);
        }
        const std::size_t data = out_.open(NFTA_OBJ_DATA);
        out_.put_u64(NFTA_COUNTER_BYTES, counter.bytes);
        out_.put_u64(NFTA_COUNTER_PACKETS, counter.packets);
        out_.close(data);
        out_.end();
    }

    // User data is a list of one byte of type, one of length, and a value.
    void put_user_data(std::uint16_t attribute, std::uint8_t type, std::string_view value) {
        std::string data{static_cast<char>(type), static_cast<char>(value.size())};
        data += value;
        out_.put(attribute, data);
    }

    void put_order(std::uint32_t order) {
        put_user_data(NFTA_SET_USERDATA, NFTNL_UDATA_SET_KEYBYTEORDER,
                      {reinterpret_cast<const char*>(&order), sizeof order});
    }

    void add_set(std::uint32_t index) {
        const Set& set = after().sets[index];
        const bool concatenated = set.types.size() > 1;
        std::uint32_t flags = 0;
        if (set.interval) flags |= NFT_SET_INTERVAL;
        if (set.interval && concatenated) flags |= NFT_SET_CONCAT;
        if (set.dynamic) flags |= NFT_SET_EVAL;
        if (set.dynamic || set.timed) flags |= NFT_SET_TIMEOUT;
        if (set.map_to == MapTo::counter) flags |= NFT_SET_OBJECT;
        if (set.map_to == MapTo::verdict) flags |= NFT_SET_MAP;
        std::uint32_t types = 0;
        for (const Type type : set.types) types = types << type_bits | number_of(type);

        begin(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, {.what = What::set, .index = index});
        out_.put_text(NFTA_SET_TABLE, table_name);
        out_.put_text(NFTA_SET_NAME, set.name);
        out_.put_u32(NFTA_SET_FLAGS, flags);
        out_.put_u32(NFTA_SET_KEY_TYPE, types);
        out_.put_u32(NFTA_SET_KEY_LEN, static_cast<std::uint32_t>(key_bytes(set.types)));
        if (set.map_to == MapTo::counter) out_.put_u32(NFTA_SET_OBJ_TYPE, NFT_OBJECT_COUNTER);
        if (set.map_to == MapTo::verdict) {
            out_.put_u32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
            out_.put_u32(NFTA_SET_DATA_LEN, 0);
        }
        out_.put_u32(NFTA_SET_ID, next_id_++);
        const bool ranges = set.interval && concatenated;
        if (set.size != 0 || ranges) {
            const std::size_t description = out_.open(NFTA_SET_DESC);
            if (set.size != 0) out_.put_u32(NFTA_SET_DESC_SIZE, set.size);
            if (ranges) {
                const std::size_t fields = out_.open(NFTA_SET_DESC_CONCAT);
                for (const Type type : set.types) {
                    const std::size_t field = out_.open(NFTA_LIST_ELEM);
                    out_.put_u32(NFTA_SET_FIELD_LEN, static_cast<std::uint32_t>(key_bytes({type})));
                    out_.close(field);
                }
                out_.close(fields);
            }
            out_.close(description);
        }
        if (set.timeout != 0) out_.put_u64(NFTA_SET_TIMEOUT, std::uint64_t{set.timeout} * 1000);
        put_order(concatenated ? order_unknown : set.types[0] == Type::ifname ? order_host : order_network);
        out_.end();
    }

    void add_chain(std::uint32_t index) {
        const Chain& chain = after().chains[index];
        begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, {.what = What::chain, .index = index});
        out_.put_text(NFTA_CHAIN_TABLE, table_name);
        out_.put_text(NFTA_CHAIN_NAME, chain.name);
        if (chain.base) {
            const std::size_t hook = out_.open(NFTA_CHAIN_HOOK);
            out_.put_u32(NFTA_HOOK_HOOKNUM, hook_number(chain.base->hook));
            out_.put_u32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(chain.base->priority));
            out_.close(hook);
            out_.put_text(NFTA_CHAIN_TYPE, chain.base->nat ? "nat" : "filter");
            out_.put_u32(NFTA_CHAIN_POLICY, chain.base->policy_drop ? NF_DROP : NF_ACCEPT);
        }
        out_.end();
    }

    void set_policy(std::uint32_t index) {
        const Chain& chain = after().chains[index];
        begin(NFT_MSG_NEWCHAIN, 0, {.what = What::chain, .index = index});
        out_.put_text(NFTA_CHAIN_TABLE, table_name);
        out_.put_text(NFTA_CHAIN_NAME, chain.name);
        out_.put_u32(NFTA_CHAIN_POLICY, chain.base->policy_drop ? NF_DROP : NF_ACCEPT);
        out_.end();
    }

    void add_rule(const Plan::NewRule& added) {
        const Chain& chain = after().chains[added.place.chain];
        const Rule& rule = chain.rules[added.place.rule];
        const Owned<nftnl_rule> out = owned(nftnl_rule_alloc());
        std::vector<Anonymous> sets;
        if (rule.statements.size() > most_statements || !encode_rule(rule, *out, sets, next_id_)) {
            batch_.unknown = "chain " + chain.name;
            return;
        }
        const Origin origin{.what = What::rule, .index = added.place.chain, .rule = added.place.rule};
        for (const Anonymous& set : sets) add_anonymous(set, origin);
        nftnl_rule_set_str(out.get(), NFTNL_RULE_TABLE, table_name);
        nftnl_rule_set_str(out.get(), NFTNL_RULE_CHAIN, chain.name.c_str());
        // With NLM_F_APPEND behind the rule of that handle, without it at the beginning of the chain.
        if (added.behind != 0) nftnl_rule_set_u64(out.get(), NFTNL_RULE_POSITION, added.behind);
        nlmsghdr* message = nftnl_nlmsg_build_hdr(
            room_.data(), NFT_MSG_NEWRULE, NFPROTO_INET,
            static_cast<std::uint16_t>(NLM_F_CREATE | (added.behind != 0 ? NLM_F_APPEND : 0)), number(origin));
        nftnl_rule_nlmsg_build_payload(message, out.get());
        out_.append(*message);
        std::fill_n(room_.begin(), message->nlmsg_len, '\0');
    }

    void add_anonymous(const Anonymous& set, Origin origin) {
        begin(NFT_MSG_NEWSET, NLM_F_CREATE, origin);
        out_.put_text(NFTA_SET_TABLE, table_name);
        out_.put_text(NFTA_SET_NAME, "__set%d");
        out_.put_u32(NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT);
        out_.put_u32(NFTA_SET_KEY_TYPE, set.family == Family::ipv4 ? type_icmp : type_icmpv6);
        out_.put_u32(NFTA_SET_KEY_LEN, 1);
        out_.put_u32(NFTA_SET_ID, set.id);
        const std::size_t description = out_.open(NFTA_SET_DESC);
        out_.put_u32(NFTA_SET_DESC_SIZE, static_cast<std::uint32_t>(set.types.size()));
        out_.close(description);
        put_order(order_network);
        out_.end();

        begin(NFT_MSG_NEWSETELEM, NLM_F_CREATE, origin);
        out_.put_text(NFTA_SET_ELEM_LIST_TABLE, table_name);
        out_.put_text(NFTA_SET_ELEM_LIST_SET, "__set%d");
        out_.put_u32(NFTA_SET_ELEM_LIST_SET_ID, set.id);
        const std::size_t list = out_.open(NFTA_SET_ELEM_LIST_ELEMENTS);
        for (const std::uint8_t type : set.types) {
            const std::size_t element = out_.open(NFTA_LIST_ELEM);
            const std::size_t key = out_.open(NFTA_SET_ELEM_KEY);
            out_.put(NFTA_DATA_VALUE, {reinterpret_cast<const char*>(&type), 1});
            out_.close(key);
            out_.close(element);
        }
        out_.close(list);
        out_.end();
    }

    const Plan& plan_;
    Messages out_;
    Batch batch_;
    std::uint32_t next_id_ = 1;
    alignas(nlmsghdr) std::array<char, message_room> room_{};  // zeros: libmnl leaves padding as it is
};

}  // namespace

Batch encode(const Plan& plan, std::optional<std::uint32_t> generation) {
    return Encoder(plan, generation).run();
}

}  // namespace policyc::netlink
