// The decoder on a table that is there: what goes, and where rules come. Entry point unpack().
#include "backends/netlink/unpack.h"

#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstring>

#include "backends/netlink/attributes.h"
#include "backends/netlink/decode.h"
#include "backends/netlink/words.h"

namespace policyc::netlink {

using ir::Foreign;

namespace {

// Each element another value than it had: that at the place of the old one.
void give_values(ir::Set& set, const std::vector<std::uint32_t>& values) {
    ir::Elements elements(set.types, set.interval);
    for (std::size_t i = 0; i < set.elements.size(); ++i) {
        elements.add_key(set.elements.key(i), set.elements.cause(i), values.at(set.elements.value(i)));
        elements.set_life(set.elements.life(i));
    }
    set.elements = std::move(elements);
}

}  // namespace

Decoder::Decoder(const ir::Ruleset& before) : batch_(true), seen_(!before.chains.empty() || !before.sets.empty()) {
    out_.foreign = before.foreign;
    out_.counters = before.counters;
    for (std::size_t i = 0; i < before.counters.size(); ++i)
        counter_index_.emplace(before.counters[i].name, static_cast<std::uint32_t>(i));
    for (const ir::Set& set : before.sets) {
        set_index_.emplace(set.name, sets_.size());
        sets_.push_back(begin_elements(set));
    }
    for (const ir::Chain& chain : before.chains) {
        chain_index_.emplace(chain.name, chains_.size());
        Chain& copy = chains_.emplace_back(Chain{{chain.name, chain.base, {}, {}}, {}, false});
        for (const ir::Rule& rule : chain.rules) copy.rules.push_back({{}, rule});
    }
}

bool Decoder::change_policy(const std::string& name, std::optional<std::uint32_t> policy) {
    ir::Chain& chain = chains_[chain_index_.at(name)].chain;
    if (!chain.base || !policy) return false;
    chain.base->policy_drop = policy == NF_DROP;
    return true;
}

bool Decoder::remove(const nlmsghdr& message) {
    std::string table;
    std::string name;
    std::string_view list;
    std::uint64_t handle = 0;
    std::uint32_t object = 0;  // NFT_OBJECT_*: two of different types may have one name
    const auto type = NFNL_MSG_TYPE(message.nlmsg_type);
    // The same numbers in every kind of message, but that of a chain's name (linux/netfilter/nf_tables.h).
    constexpr std::uint16_t of_table = NFTA_RULE_TABLE;
    std::uint16_t of_name = NFTA_RULE_CHAIN;
    if (type == NFT_MSG_DELCHAIN) of_name = NFTA_CHAIN_NAME;
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        if (a.type == of_table) table = a.text();
        if (a.type == of_name) name = a.text();
        if (type == NFT_MSG_DELRULE && a.type == NFTA_RULE_HANDLE) handle = a.u64().value_or(0);
        if (type == NFT_MSG_DELOBJ && a.type == NFTA_OBJ_TYPE) object = a.u32().value_or(0);
        if (type == NFT_MSG_DELSETELEM && a.type == NFTA_SET_ELEM_LIST_ELEMENTS) list = a.data;
    }
    if (attributes.broken()) return false;
    if (table != ir::table_name) return true;
    switch (type) {
        case NFT_MSG_DELTABLE: *this = Decoder(ir::Ruleset{}); return true;
        case NFT_MSG_DELRULE: return remove_rules(name, handle);
        case NFT_MSG_DELCHAIN: return remove_chain(name) || remove_foreign(Foreign::Kind::chain, name);
        case NFT_MSG_DELSET: return remove_set(name) || remove_foreign(Foreign::Kind::set, name);
        case NFT_MSG_DELSETELEM: return remove_elements(name, list);
        case NFT_MSG_DELOBJ:
            return (object == NFT_OBJECT_COUNTER && remove_counter(name)) ||
                   remove_foreign(Foreign::Kind::object, name, object);
        case NFT_MSG_DELFLOWTABLE: return remove_foreign(Foreign::Kind::flowtable, name);
        default: return false;
    }
}

bool Decoder::remove_rules(const std::string& name, std::uint64_t handle) {
    const auto found = chain_index_.find(name);
    if (found == chain_index_.end()) return false;
    std::vector<Rule>& rules = chains_[found->second].rules;
    if (handle == 0) {
        rules.clear();
        return true;
    }
    return std::erase_if(rules, [&](const Rule& rule) { return rule.known && rule.known->handle == handle; }) == 1;
}

bool Decoder::remove_chain(const std::string& name) {
    const auto found = chain_index_.find(name);
    if (found == chain_index_.end() || !chains_[found->second].rules.empty()) return false;
    chains_[found->second].gone = true;
    chain_index_.erase(found);
    static_cast<void>(remove_foreign(Foreign::Kind::chain, name));  // what was strange about it
    return true;
}

bool Decoder::remove_set(const std::string& name) {
    const auto found = set_index_.find(name);
    if (found == set_index_.end()) return false;
    sets_[found->second].gone = true;
    set_index_.erase(found);
    static_cast<void>(remove_foreign(Foreign::Kind::element, name));
    static_cast<void>(remove_foreign(Foreign::Kind::set, name));  // what was strange about it
    return true;
}

bool Decoder::remove_elements(const std::string& name, std::string_view list) {
    SetInProgress* set = find_set(name, 0);
    return set != nullptr && netlink::remove_elements(list, *set);
}

bool Decoder::remove_foreign(Foreign::Kind kind, const std::string& name, std::uint32_t object) {
    return std::erase_if(out_.foreign,
                         [&](const Foreign& f) { return f.kind == kind && f.name == name && f.object == object; }) > 0;
}

bool Decoder::remove_counter(const std::string& name) {
    const auto found = counter_index_.find(name);
    if (found == counter_index_.end()) return false;
    counters_gone_.resize(out_.counters.size());
    counters_gone_[found->second] = true;
    counter_index_.erase(found);
    return true;
}

// Without those that are gone: elements of maps say by number which theirs is.
void Decoder::renumber_counters() {
    if (counters_gone_.empty()) return;
    counters_gone_.resize(out_.counters.size());
    std::vector<std::uint32_t> numbers;
    std::vector<ir::Counter> left;
    for (std::size_t i = 0; i < out_.counters.size(); ++i) {
        numbers.push_back(counters_gone_[i] ? UINT32_MAX : static_cast<std::uint32_t>(left.size()));
        if (!counters_gone_[i]) left.push_back(std::move(out_.counters[i]));
    }
    out_.counters = std::move(left);
    for (ir::Set& set : out_.sets)
        if (set.map_to == ir::MapTo::counter) give_values(set, numbers);
}

// Without those that no element leads to any more: their chains may be gone.
void Decoder::renumber_verdicts() {
    for (ir::Set& set : out_.sets) {
        std::vector<bool> used(set.verdicts.size());
        for (std::size_t i = 0; i < set.elements.size(); ++i)
            if (set.map_to == ir::MapTo::verdict) used.at(set.elements.value(i)) = true;
        if (std::ranges::find(used, false) == used.end()) continue;
        std::vector<std::uint32_t> numbers;
        std::vector<ir::ToChain> left;
        for (std::size_t i = 0; i < used.size(); ++i) {
            numbers.push_back(used[i] ? static_cast<std::uint32_t>(left.size()) : UINT32_MAX);
            if (used[i]) left.push_back(std::move(set.verdicts[i]));
        }
        set.verdicts = std::move(left);
        give_values(set, numbers);
    }
}

Result<std::optional<ir::Ruleset>> unpack(const ir::Ruleset* before, const std::string& batch) {
    Decoder decoder(before != nullptr ? *before : ir::Ruleset{});
    std::size_t at = 0;
    while (batch.size() - at >= sizeof(nlmsghdr)) {
        nlmsghdr header{};
        std::memcpy(&header, batch.data() + at, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > batch.size() - at) break;
        if (!decoder.take(*reinterpret_cast<const nlmsghdr*>(batch.data() + at)))
            return Error{"message " + std::to_string(header.nlmsg_seq) + " of the batch makes no sense", {}, {}};
        at += NLMSG_ALIGN(header.nlmsg_len);
        if (at >= batch.size()) break;
    }
    if (at != batch.size()) return Error{"the batch ends in the middle of a message", {}, {}};
    return decoder.finish();
}

}  // namespace policyc::netlink
