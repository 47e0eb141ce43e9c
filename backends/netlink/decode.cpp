// Messages to a Ruleset: Decoder::take() and finish().
#include "backends/netlink/decode.h"

#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "backends/netlink/attributes.h"
#include "backends/netlink/decode_buckets.h"
#include "backends/netlink/decode_rule.h"
#include "backends/netlink/set_frame.h"
#include "backends/netlink/words.h"
#include "backends/text_words.h"
#include "compiler/dormant.h"

namespace policyc::netlink {

namespace {

using namespace ir;

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
    nfgenmsg family{};
    std::memcpy(&family, reinterpret_cast<const char*>(&message) + sizeof(nlmsghdr), sizeof family);
    if (family.nfgen_family != NFPROTO_INET) return true;
    switch (NFNL_MSG_TYPE(message.nlmsg_type)) {
        case NFT_MSG_NEWTABLE: return table(message);
        case NFT_MSG_NEWCHAIN: return chain(message);
        case NFT_MSG_NEWSET: return set(message);
        case NFT_MSG_NEWSETELEM: return elements(message);
        case NFT_MSG_NEWRULE: return rule(message);
        case NFT_MSG_NEWOBJ: return object(message);
        case NFT_MSG_NEWFLOWTABLE: return flowtable(message);
        default: return !batch_ || remove(message);
    }
}

void Decoder::foreign(Foreign::Kind kind, std::string name, std::string text, std::uint32_t object) {
    out_.foreign.push_back({kind, std::move(name), std::move(text), object});
}

bool Decoder::table(const nlmsghdr& message) {
    std::string name;
    std::uint32_t flags = 0;
    bool comment = false;
    bool wakes = false;
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_TABLE_NAME) name = a.text();
        if (a.type == NFTA_TABLE_FLAGS) flags = a.u32().value_or(0);
        if (a.type == NFTA_TABLE_FLAGS && batch_) wakes = true;
        if (a.type == NFTA_TABLE_USERDATA) comment = true;
    }
    if (attributes.broken()) return false;
    if (name != table_name) return true;
    seen_ = true;
    if (wakes) static_cast<void>(remove_foreign(Foreign::Kind::table, ""));
    const std::uint32_t others = flags & ~std::uint32_t{NFT_TABLE_F_DORMANT};
    if (others != flags) foreign(Foreign::Kind::table, "", dormant_text);
    if (others != 0)
        foreign(Foreign::Kind::table, "",
                (others & NFT_TABLE_F_OWNER) != 0 ? owned_text : "the table has flags that policyc does not know");
    if (comment) foreign(Foreign::Kind::table, "", "the table has a comment");
    return true;
}

namespace {

// NFTA_CHAIN_HOOK
struct Hooked {
    std::uint32_t number = 0;
    std::int32_t priority = 0;
    bool device = false;
};

bool read_hook(std::string_view nest, Hooked& out) {
    Attributes attributes(nest);
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_HOOK_HOOKNUM) out.number = a.u32().value_or(UINT32_MAX);
        if (a.type == NFTA_HOOK_PRIORITY) out.priority = static_cast<std::int32_t>(a.u32().value_or(0));
        if (a.type == NFTA_HOOK_DEV || a.type == NFTA_HOOK_DEVS) out.device = true;
    }
    return !attributes.broken();
}

}  // namespace

bool Decoder::chain(const nlmsghdr& message) {
    std::string table;
    std::string type;
    ir::Chain out;
    std::optional<Hooked> hooked;
    std::optional<std::uint32_t> policy;
    std::string strange;
    bool bound = false;
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        switch (a.type) {
            case NFTA_CHAIN_TABLE: table = a.text(); break;
            case NFTA_CHAIN_NAME: out.name = a.text(); break;
            case NFTA_CHAIN_TYPE: type = a.text(); break;
            case NFTA_CHAIN_POLICY: policy = a.u32(); break;
            case NFTA_CHAIN_HOOK:
                if (!read_hook(a.data, hooked.emplace())) return false;
                break;
            case NFTA_CHAIN_FLAGS: {
                const std::uint32_t flags = a.u32().value_or(0);
                if ((flags & ~std::uint32_t{NFT_CHAIN_BASE}) != 0) strange = "has flags";
                bound = (flags & NFT_CHAIN_BINDING) != 0;
                break;
            }
            case NFTA_CHAIN_USERDATA: strange = "has a comment"; break;
            case NFTA_CHAIN_HANDLE:
            case NFTA_CHAIN_USE:
            case NFTA_CHAIN_ID:
            case NFTA_CHAIN_PAD: break;
            default: strange = "has something that policyc does not know"; break;  // counters of its policy
        }
    }
    if (attributes.broken()) return false;
    if (table != table_name) return true;
    if (out.name.empty()) return false;
    if (bound) {
        // It is a part of the rule that jumps to it, and comes and goes with it.
        bound_.emplace(out.name, 0);
        return !batch_;
    }
    if (hooked) {
        const auto hook = hook_of(hooked->number);
        if (!hook || (type != "filter" && type != "nat"))
            strange = fmt::format("is of type {} on hook {}", type, hook_word(hooked->number));
        if (hooked->device) strange = "is bound to a device";
        out.base = BaseChain{.hook = hook.value_or(Hook::input),
                             .priority = hooked->priority,
                             .nat = type == "nat",
                             .policy_drop = policy == NF_DROP};
    } else if (batch_ && chain_index_.contains(out.name)) {
        return change_policy(out.name, policy);
    }
    if (batch_ && chain_index_.contains(out.name)) return false;
    if (!strange.empty()) foreign(Foreign::Kind::chain, out.name, fmt::format("chain {} {}", out.name, strange));
    chain_index_.emplace(out.name, chains_.size());
    chains_.push_back({std::move(out), {}});
    return true;
}

bool Decoder::set(const nlmsghdr& message) {
    SetFrame frame;
    if (!read_frame(message, frame)) return false;
    if (frame.table != table_name) return true;
    if (frame.name.empty()) return false;
    const bool anonymous = (frame.flags & NFT_SET_ANONYMOUS) != 0;
    if (batch_ && !anonymous && set_index_.contains(frame.name)) return false;
    SetInProgress in;
    in.set.name = frame.name;
    const auto flag = [&](std::uint32_t bit) { return (frame.flags & bit) != 0; };
    if (flag(NFT_SET_ANONYMOUS)) {
        in.anonymous = true;
        in.anonymous_type = frame.key_type;
        in.unreadable = frame.expressions || frame.key_length != 1 ||
                        (frame.flags & ~std::uint32_t{NFT_SET_ANONYMOUS | NFT_SET_CONSTANT}) != 0;
    } else {
        bool known = frame.key_type != 0 && !frame.expressions;
        for (std::uint32_t types = frame.key_type; types != 0; types >>= type_bits) {
            const auto type = type_of(types & ((1U << type_bits) - 1));
            known = known && type;
            if (type) in.set.types.insert(in.set.types.begin(), *type);
        }
        in.set.interval = flag(NFT_SET_INTERVAL);
        in.set.dynamic = flag(NFT_SET_EVAL);
        in.set.timed = flag(NFT_SET_TIMEOUT) && !in.set.dynamic;
        in.set.map_to = flag(NFT_SET_OBJECT) ? MapTo::counter : flag(NFT_SET_MAP) ? MapTo::verdict : MapTo::nothing;
        in.set.size = frame.size;
        in.set.timeout = static_cast<std::uint32_t>(frame.timeout / 1000);
        constexpr std::uint32_t written =
            NFT_SET_INTERVAL | NFT_SET_CONCAT | NFT_SET_EVAL | NFT_SET_TIMEOUT | NFT_SET_OBJECT | NFT_SET_MAP;
        const bool named = std::ranges::find(in.set.types, Type::ifname) != in.set.types.end();
        const bool plain_name = in.set.types.size() == 1 && !in.set.interval && in.set.map_to == MapTo::nothing;
        known = known && (frame.flags & ~written) == 0 && (!named || plain_name) &&
                frame.key_length == key_bytes(in.set.types) && frame.timeout % 1000 == 0 &&
                frame.timeout / 1000 <= UINT32_MAX && !(flag(NFT_SET_OBJECT) && flag(NFT_SET_MAP)) &&
                (!flag(NFT_SET_OBJECT) || frame.object_type == NFT_OBJECT_COUNTER) &&
                (!flag(NFT_SET_MAP) || frame.data_type == NFT_DATA_VERDICT);
        in.unreadable = !known;
        const std::string kind = flag(NFT_SET_MAP) || flag(NFT_SET_OBJECT) ? "map " : "set ";
        if (known) in.set.elements = Elements(in.set.types, in.set.interval);
        // What it holds is told all the same: it is what it was, but for what is said here.
        if (known && !frame.odd.empty())
            foreign(Foreign::Kind::set, in.set.name,
                    fmt::format("{}{} has {}", kind, in.set.name, fmt::join(frame.odd, " and ")));
        if (!known) foreign(Foreign::Kind::set, in.set.name, kind + in.set.name);
    }
    if (frame.id != 0) set_ids_[frame.id] = sets_.size();
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
    std::string table;
    std::string chain;
    Attributes attributes(message);
    std::uint64_t behind = 0;  // of a batch
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_RULE_TABLE) table = a.text();
        if (a.type == NFTA_RULE_CHAIN) chain = a.text();
        if (a.type == NFTA_RULE_POSITION) behind = a.u64().value_or(0);
    }
    if (attributes.broken()) return false;
    if (table != table_name) return true;
    if (const auto part = bound_.find(chain); part != bound_.end()) {
        ++part->second;
        return true;
    }
    const auto found = chain_index_.find(chain);
    if (found == chain_index_.end()) return false;
    auto& rules = chains_[found->second].rules;
    // As the kernel reads a batch: without NLM_F_APPEND at the beginning. A message of a dump is no request.
    const bool first = (message.nlmsg_flags & NLM_F_REQUEST) != 0 && (message.nlmsg_flags & NLM_F_APPEND) == 0;
    constexpr std::size_t headers = sizeof(nlmsghdr) + sizeof(nfgenmsg);
    auto at = first ? rules.begin() : rules.end();
    if (batch_ && behind != 0) {
        at = std::ranges::find_if(rules, [&](const Rule& one) { return one.known && one.known->handle == behind; });
        if (first || at == rules.end()) return false;
        ++at;
    }
    rules.insert(at,
                 Rule{std::string(reinterpret_cast<const char*>(&message) + headers, message.nlmsg_len - headers), {}});
    return true;
}

namespace {

// As nft calls them. (linux/netfilter/nf_tables.h, NFT_OBJECT_*)
const char* object_word(std::uint32_t type) {
    constexpr std::array words{"object", "counter",    "quota",   "ct helper",      "limit",   "ct count",
                               "tunnel", "ct timeout", "secmark", "ct expectation", "synproxy"};
    return words.at(type < words.size() ? type : 0);
}

}  // namespace

bool Decoder::object(const nlmsghdr& message) {
    std::string table;
    Counter counter;
    std::uint32_t type = 0;
    bool known = true;
    std::string_view values;
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        if (a.type == NFTA_OBJ_TABLE) table = a.text();
        if (a.type == NFTA_OBJ_NAME) counter.name = a.text();
        if (a.type == NFTA_OBJ_TYPE) type = a.u32().value_or(0);
        if (a.type == NFTA_OBJ_DATA) values = a.data;
        if (a.type != NFTA_OBJ_USERDATA) continue;
        const auto comment = user_data(a.data, NFTNL_UDATA_OBJ_COMMENT);
        known = comment.has_value();
        if (comment) counter.comment = comment->substr(0, comment->find('\0'));
    }
    if (attributes.broken()) return false;
    if (table != table_name) return true;
    if (counter.name.empty()) return false;
    if (!known || type != NFT_OBJECT_COUNTER) {
        const std::string text = fmt::format("{} {}", object_word(type), counter.name);
        foreign(Foreign::Kind::object, counter.name,
                type == NFT_OBJECT_COUNTER ? text + " has user data that policyc does not know" : text, type);
        return true;
    }
    Attributes numbers(values);
    for (Attribute a; numbers.next(a);) {
        if (a.type == NFTA_COUNTER_PACKETS) counter.packets = a.u64().value_or(0);
        if (a.type == NFTA_COUNTER_BYTES) counter.bytes = a.u64().value_or(0);
    }
    if (numbers.broken()) return false;
    if (batch_ && counter_index_.contains(counter.name)) return false;
    counter_index_.emplace(counter.name, static_cast<std::uint32_t>(out_.counters.size()));
    out_.counters.push_back(std::move(counter));
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
        if (!in.unreadable) names.push_back(in.set.name);
    return names;
}

namespace {

bool jumps(const Statement& statement) {
    return std::holds_alternative<Jump>(statement) || std::holds_alternative<Goto>(statement);
}

}  // namespace

// A statement that names what is a part of its rule, as nft writes it: a chain, `jump { ... }`, a set, a map.
void Decoder::take_nameless(Statement& statement) const {
    // Of what isn't known the verdict comes last.
    const auto* unknown = std::get_if<Unknown>(&statement);
    const std::string whole = unknown != nullptr || jumps(statement) ? to_nft(statement) : std::string{};
    if (const auto part = bound_.find(whole.substr(whole.rfind(' ') + 1)); part != bound_.end()) {
        const std::string rules = part->second == 1 ? "1 rule" : fmt::format("{} rules", part->second);
        statement = Unknown{fmt::format("{} {{ ... }} ({})", whole.substr(0, whole.rfind(' ')), rules)};
        return;
    }
    const auto set = [&](const std::string& name) {
        const auto found = set_index_.find(name);
        if (found == set_index_.end() || !sets_[found->second].anonymous) return;
        std::string text = to_nft(statement);
        const std::size_t at = text.find('@');
        if (at != std::string::npos) text.replace(at, std::string::npos, "{ ... }");
        statement = Unknown{std::move(text)};
    };
    if (const auto* lookup = std::get_if<Lookup>(&statement))
        set(std::string(lookup->set));
    else if (const auto* vmap = std::get_if<LookupVerdict>(&statement))
        set(std::string(vmap->map));
    else if (const auto* count = std::get_if<CountByMap>(&statement))
        set(std::string(count->map));
}

// What is in a rate set and no rule put there.
void Decoder::take_buckets(SetInProgress& in) const {
    const std::vector<Limit> rates = rates_into(out_.chains, in.set.name);
    for (const Bucket& bucket : in.buckets)
        if (std::string odd = odd_bucket(bucket, in.set, rates); !odd.empty()) in.strange.push_back(std::move(odd));
}

std::optional<Ruleset> Decoder::finish() {
    if (!seen_) return std::nullopt;
    const FindAnonymous find = [this](const std::string& name, std::uint32_t id) -> const SetInProgress* {
        const SetInProgress* set = find_set(name, id);
        return set != nullptr && set->anonymous ? set : nullptr;
    };
    for (Chain& chain : chains_) {
        if (chain.gone) continue;
        for (Rule& rule : chain.rules)
            chain.chain.rules.push_back(rule.known
                                            ? std::move(*rule.known)
                                            : decode_rule(rule.attributes, find)
                                                  .value_or(ir::Rule{{Unknown{"bytes without sense"}}, {}, {}, 0}));
        chain.rules.clear();
        for (ir::Rule& rule : chain.chain.rules)
            for (Statement& statement : rule.statements) take_nameless(statement);
        out_.chains.push_back(std::move(chain.chain));
    }
    for (SetInProgress& in : sets_) {
        if (in.anonymous || in.unreadable || in.gone) continue;
        finish_elements(in);
        if (!in.buckets.empty()) take_buckets(in);
        for (const std::string& element : in.strange)
            foreign(Foreign::Kind::element, in.set.name, fmt::format("an element of {}: {}", in.set.name, element));
        out_.sets.push_back(std::move(in.set));
    }
    renumber_counters();
    renumber_verdicts();
    return std::move(out_);
}

}  // namespace policyc::netlink
