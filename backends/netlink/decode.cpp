// Messages to a Ruleset: Decoder::take() and finish().
#include "backends/netlink/decode.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <string_view>

#include "backends/netlink/attributes.h"
#include "backends/netlink/decode_rule.h"
#include "backends/netlink/words.h"

namespace policyc::netlink {

namespace {

using namespace ir;

std::string text_of(const char* text) {
    return text == nullptr ? std::string{} : std::string(text);
}

// One entry of user data.
std::optional<std::string_view> user_data(std::string_view data, std::uint8_t type) {
    while (data.size() >= 2) {
        const std::size_t length = static_cast<unsigned char>(data[1]);
        if (length > data.size() - 2) return std::nullopt;
        if (static_cast<std::uint8_t>(data[0]) == type) return data.substr(2, length);
        data.remove_prefix(2 + length);
    }
    return std::nullopt;
}

std::optional<Hook> hook_of(std::uint32_t number) {
    for (const Hook hook : {Hook::input, Hook::forward, Hook::output, Hook::postrouting})
        if (hook_number(hook) == number) return hook;
    return std::nullopt;
}

const char* hook_word(std::uint32_t number) {
    constexpr std::array words{"prerouting", "input", "forward", "output", "postrouting", "ingress"};
    return number < words.size() ? words.at(number) : "?";
}

}  // namespace

bool Decoder::take(const nlmsghdr& message) {
    if (message.nlmsg_len < sizeof(nlmsghdr) + sizeof(nfgenmsg)) return false;
    if (NFNL_SUBSYS_ID(message.nlmsg_type) != NFNL_SUBSYS_NFTABLES) return true;
    const auto* family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message));
    if (family->nfgen_family != NFPROTO_INET) return true;
    switch (NFNL_MSG_TYPE(message.nlmsg_type)) {
        case NFT_MSG_NEWTABLE: return table(message);
        case NFT_MSG_NEWCHAIN: return chain(message);
        case NFT_MSG_NEWSET: return set(message);
        case NFT_MSG_NEWSETELEM: return elements(message);
        case NFT_MSG_NEWRULE: return rule(message);
        case NFT_MSG_NEWOBJ: return object(message);
        case NFT_MSG_NEWFLOWTABLE: return flowtable(message);
        default: return true;
    }
}

void Decoder::foreign(Foreign::Kind kind, std::string name, std::string text, std::uint32_t object) {
    out_.foreign.push_back({kind, std::move(name), std::move(text), object});
}

bool Decoder::table(const nlmsghdr& message) {
    const Owned<nftnl_table> table = owned(nftnl_table_alloc());
    if (nftnl_table_nlmsg_parse(&message, table.get()) < 0) return false;
    if (text_of(nftnl_table_get_str(table.get(), NFTNL_TABLE_NAME)) != table_name) return true;
    seen_ = true;
    const std::uint32_t flags =
        nftnl_table_is_set(table.get(), NFTNL_TABLE_FLAGS) ? nftnl_table_get_u32(table.get(), NFTNL_TABLE_FLAGS) : 0;
    if ((flags & NFT_TABLE_F_DORMANT) != 0)
        foreign(Foreign::Kind::table, "", "the table is dormant: it judges nothing");
    else if (flags != 0)
        foreign(Foreign::Kind::table, "", "the table has flags: a program owns it");
    if (nftnl_table_is_set(table.get(), NFTNL_TABLE_USERDATA))
        foreign(Foreign::Kind::table, "", "the table has a comment");
    return true;
}

bool Decoder::chain(const nlmsghdr& message) {
    const Owned<nftnl_chain> chain = owned(nftnl_chain_alloc());
    const nftnl_chain* c = chain.get();
    if (nftnl_chain_nlmsg_parse(&message, chain.get()) < 0) return false;
    if (text_of(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE)) != table_name) return true;
    ir::Chain out{.name = text_of(nftnl_chain_get_str(c, NFTNL_CHAIN_NAME)), .base = {}, .comment = {}, .rules = {}};
    if (out.name.empty()) return false;
    std::string strange;
    if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM)) {
        const std::uint32_t number = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
        const auto hook = hook_of(number);
        const std::string type = text_of(nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE));
        if (!hook || (type != "filter" && type != "nat"))
            strange = fmt::format("chain {} of type {} on hook {}", out.name, type, hook_word(number));
        out.base = BaseChain{.hook = hook.value_or(Hook::input),
                             .priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO),
                             .nat = type == "nat",
                             .policy_drop = nftnl_chain_is_set(c, NFTNL_CHAIN_POLICY) &&
                                            nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP};
    }
    if (nftnl_chain_is_set(c, NFTNL_CHAIN_FLAGS) &&
        (nftnl_chain_get_u32(c, NFTNL_CHAIN_FLAGS) & ~std::uint32_t{NFT_CHAIN_BASE}) != 0)
        strange = fmt::format("chain {} has flags", out.name);
    if (nftnl_chain_is_set(c, NFTNL_CHAIN_USERDATA)) strange = fmt::format("chain {} has a comment", out.name);
    if (nftnl_chain_is_set(c, NFTNL_CHAIN_DEV) || nftnl_chain_is_set(c, NFTNL_CHAIN_DEVICES))
        strange = fmt::format("chain {} is bound to a device", out.name);
    if (!strange.empty()) foreign(Foreign::Kind::chain, out.name, strange);
    chain_index_.emplace(out.name, chains_.size());
    chains_.push_back({std::move(out), {}});
    return true;
}

bool Decoder::set(const nlmsghdr& message) {
    const Owned<nftnl_set> set = owned(nftnl_set_alloc());
    const nftnl_set* s = set.get();
    if (nftnl_set_nlmsg_parse(&message, set.get()) < 0) return false;
    if (text_of(nftnl_set_get_str(s, NFTNL_SET_TABLE)) != table_name) return true;
    const auto number = [&](std::uint16_t attribute) {
        return nftnl_set_is_set(s, attribute) ? nftnl_set_get_u32(s, attribute) : 0U;
    };
    SetInProgress in;
    in.set.name = text_of(nftnl_set_get_str(s, NFTNL_SET_NAME));
    if (in.set.name.empty()) return false;
    const std::uint32_t flags = number(NFTNL_SET_FLAGS);
    const std::uint32_t id = number(NFTNL_SET_ID);
    std::uint32_t types = number(NFTNL_SET_KEY_TYPE);
    if ((flags & NFT_SET_ANONYMOUS) != 0) {
        in.anonymous = true;
        in.anonymous_type = types;
        in.unreadable =
            (flags & ~std::uint32_t{NFT_SET_ANONYMOUS | NFT_SET_CONSTANT}) != 0 || number(NFTNL_SET_KEY_LEN) != 1;
    } else {
        bool known = types != 0;
        for (; types != 0; types >>= type_bits) {
            const auto type = type_of(types & ((1U << type_bits) - 1));
            known = known && type;
            if (type) in.set.types.insert(in.set.types.begin(), *type);
        }
        const bool named = std::ranges::find(in.set.types, Type::ifname) != in.set.types.end();
        const auto flag = [&](std::uint32_t bit) { return (flags & bit) != 0; };
        in.set.interval = flag(NFT_SET_INTERVAL);
        in.set.dynamic = flag(NFT_SET_EVAL);
        in.set.timed = flag(NFT_SET_TIMEOUT) && !in.set.dynamic;
        in.set.map_to = flag(NFT_SET_OBJECT) ? MapTo::counter : flag(NFT_SET_MAP) ? MapTo::verdict : MapTo::nothing;
        in.set.size = number(NFTNL_SET_DESC_SIZE);
        const std::uint64_t timeout =
            nftnl_set_is_set(s, NFTNL_SET_TIMEOUT) ? nftnl_set_get_u64(s, NFTNL_SET_TIMEOUT) : 0;
        in.set.timeout = static_cast<std::uint32_t>(timeout / 1000);
        constexpr std::uint32_t written =
            NFT_SET_INTERVAL | NFT_SET_CONCAT | NFT_SET_EVAL | NFT_SET_TIMEOUT | NFT_SET_OBJECT | NFT_SET_MAP;
        const bool concatenated = in.set.types.size() > 1;
        known = known && (flags & ~written) == 0 && !(named && (concatenated || in.set.interval)) &&
                number(NFTNL_SET_KEY_LEN) == key_bytes(in.set.types) && timeout % 1000 == 0 &&
                timeout / 1000 <= UINT32_MAX && !(flag(NFT_SET_OBJECT) && flag(NFT_SET_MAP)) &&
                (!flag(NFT_SET_OBJECT) || number(NFTNL_SET_OBJ_TYPE) == NFT_OBJECT_COUNTER) &&
                (!flag(NFT_SET_MAP) || number(NFTNL_SET_DATA_TYPE) == NFT_DATA_VERDICT) &&
                number(NFTNL_SET_POLICY) == NFT_SET_POL_PERFORMANCE && !nftnl_set_is_set(s, NFTNL_SET_EXPR) &&
                !nftnl_set_is_set(s, NFTNL_SET_EXPRESSIONS);
        if (nftnl_set_is_set(s, NFTNL_SET_USERDATA)) {
            std::uint32_t bytes = 0;
            const void* data = nftnl_set_get_data(s, NFTNL_SET_USERDATA, &bytes);
            known = known && !user_data({static_cast<const char*>(data), bytes}, NFTNL_UDATA_SET_COMMENT);
        }
        in.unreadable = !known;
        if (known) {
            in.set.elements = Elements(in.set.types, in.set.interval);
        } else {
            const char* kind = flag(NFT_SET_MAP) || flag(NFT_SET_OBJECT) ? "map" : "set";
            foreign(Foreign::Kind::set, in.set.name, fmt::format("{} {}", kind, in.set.name));
        }
    }
    if (id != 0) set_ids_[id] = sets_.size();
    set_index_.emplace(in.set.name, sets_.size());
    sets_.push_back(std::move(in));
    return true;
}

SetInProgress* Decoder::find_set(const std::string& name, std::uint32_t id) {
    const auto by_id = id != 0 ? set_ids_.find(id) : set_ids_.end();
    if (by_id != set_ids_.end()) return &sets_[by_id->second];
    const auto found = set_index_.find(name);
    return found != set_index_.end() ? &sets_[found->second] : nullptr;
}

bool Decoder::elements(const nlmsghdr& message) {
    std::string table;
    std::string name;
    std::uint32_t id = 0;
    std::string_view list;
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_SET_ELEM_LIST_TABLE) table = a.text();
        if (a.type == NFTA_SET_ELEM_LIST_SET) name = a.text();
        if (a.type == NFTA_SET_ELEM_LIST_SET_ID) id = a.u32().value_or(0);
        if (a.type == NFTA_SET_ELEM_LIST_ELEMENTS) list = a.data;
    }
    if (attributes.broken()) return false;
    if (table != table_name) return true;
    SetInProgress* set = find_set(name, id);
    return set != nullptr && take_elements(list, counter_index_, *set);
}

bool Decoder::rule(const nlmsghdr& message) {
    Owned<nftnl_rule> rule = owned(nftnl_rule_alloc());
    if (nftnl_rule_nlmsg_parse(&message, rule.get()) < 0) return false;
    if (text_of(nftnl_rule_get_str(rule.get(), NFTNL_RULE_TABLE)) != table_name) return true;
    const auto chain = chain_index_.find(text_of(nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN)));
    if (chain == chain_index_.end()) return false;
    auto& rules = chains_[chain->second].rules;
    // As the kernel reads a batch: with NLM_F_APPEND at the end, in a new message without it at the beginning. A dump has neither.
    const bool first =
        (message.nlmsg_flags & (NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND)) == (NLM_F_REQUEST | NLM_F_CREATE);
    rules.insert(first ? rules.begin() : rules.end(), std::move(rule));
    return true;
}

bool Decoder::object(const nlmsghdr& message) {
    const Owned<nftnl_obj> object = owned(nftnl_obj_alloc());
    nftnl_obj* o = object.get();
    std::string table;
    std::string name;
    std::uint32_t type = 0;
    // libnftnl refuses kinds of objects that it doesn't know.
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_OBJ_TABLE) table = a.text();
        if (a.type == NFTA_OBJ_NAME) name = a.text();
        if (a.type == NFTA_OBJ_TYPE) type = a.u32().value_or(0);
    }
    if (attributes.broken()) return false;
    if (table != table_name) return true;
    if (name.empty()) return false;
    std::string comment;
    bool known = type == NFT_OBJECT_COUNTER && nftnl_obj_nlmsg_parse(&message, o) >= 0;
    if (known && nftnl_obj_is_set(o, NFTNL_OBJ_USERDATA)) {
        std::uint32_t bytes = 0;
        const void* data = nftnl_obj_get_data(o, NFTNL_OBJ_USERDATA, &bytes);
        const auto entry = user_data({static_cast<const char*>(data), bytes}, NFTNL_UDATA_OBJ_COMMENT);
        known = entry.has_value();
        if (entry) comment = entry->substr(0, entry->find('\0'));
    }
    if (!known) {
        foreign(Foreign::Kind::object, name, fmt::format("object {}", name), type);
        return true;
    }
    counter_index_.emplace(name, static_cast<std::uint32_t>(out_.counters.size()));
    out_.counters.push_back({.name = name,
                             .comment = comment,
                             .span = {},
                             .packets = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS),
                             .bytes = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_BYTES)});
    return true;
}

bool Decoder::flowtable(const nlmsghdr& message) {
    std::string table;
    std::string name;
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_FLOWTABLE_TABLE) table = a.text();
        if (a.type == NFTA_FLOWTABLE_NAME) name = a.text();
    }
    if (attributes.broken()) return false;
    if (table == table_name) foreign(Foreign::Kind::flowtable, name, fmt::format("flowtable {}", name));
    return true;
}

std::vector<std::string> Decoder::sets() const {
    std::vector<std::string> names;
    for (const SetInProgress& in : sets_)
        if (!in.unreadable && !in.set.dynamic) names.push_back(in.set.name);
    return names;
}

std::optional<Ruleset> Decoder::finish() {
    if (!seen_) return std::nullopt;
    const FindAnonymous find = [this](const std::string& name, std::uint32_t id) -> const SetInProgress* {
        const SetInProgress* set = find_set(name, id);
        return set != nullptr && set->anonymous ? set : nullptr;
    };
    for (Chain& chain : chains_) {
        for (const Owned<nftnl_rule>& rule : chain.rules) chain.chain.rules.push_back(decode_rule(*rule, find));
        chain.rules.clear();
        out_.chains.push_back(std::move(chain.chain));
    }
    for (SetInProgress& in : sets_) {
        if (in.anonymous || in.unreadable) continue;
        finish_elements(in);
        for (const std::string& element : in.strange)
            foreign(Foreign::Kind::element, in.set.name, fmt::format("an element of {}: {}", in.set.name, element));
        out_.sets.push_back(std::move(in.set));
    }
    return std::move(out_);
}

}  // namespace policyc::netlink
