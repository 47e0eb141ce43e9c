// Reads all chains and rules but ours, and follows each base chain to what its rules do; entry point foreign_chains().
#include "backends/netlink/foreign_chains.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "backends/netlink/attributes.h"
#include "backends/netlink/expression.h"
#include "backends/netlink/foreign_rule.h"
#include "backends/netlink/messages.h"

namespace policyc::netlink {

namespace {

// A chain or a set: family, table and name.
using Key = std::tuple<std::uint8_t, std::string, std::string>;

using Does = ForeignChain::Does;

// What rules do, of a chain or a map, and which chains they lead to.
struct Verdicts {
    std::set<Does> does;
    std::set<std::string> chains;
    std::set<std::string> maps;
};

struct SeenChain {
    Key key;
    std::optional<std::uint32_t> hook;
    std::set<std::string> devices;
    bool policy_drop = false;
    Verdicts verdicts;
};

std::string_view family_word(std::uint8_t family) {
    switch (family) {
        case NFPROTO_INET: return "inet";
        case NFPROTO_IPV4: return "ip";
        case NFPROTO_IPV6: return "ip6";
        case NFPROTO_BRIDGE: return "bridge";
        case NFPROTO_ARP: return "arp";
        case NFPROTO_NETDEV: return "netdev";
        default: return {};
    }
}

// The hooks of linux/netfilter.h, linux/netfilter_bridge.h and linux/netfilter_arp.h, in their order; "" where there is no such.
std::string_view hook_word(std::uint8_t family, std::uint32_t hook) {
    constexpr std::array<std::string_view, NF_INET_NUMHOOKS + 1> inet{"prerouting", "input",       "forward",
                                                                      "output",     "postrouting", "ingress"};
    constexpr std::array<std::string_view, 3> arp{"input", "output", "forward"};
    constexpr std::array<std::string_view, 2> netdev{"ingress", "egress"};
    if (family == NFPROTO_ARP) return hook < arp.size() ? arp.at(hook) : std::string_view{};
    if (family == NFPROTO_NETDEV) return hook < netdev.size() ? netdev.at(hook) : std::string_view{};
    return hook < inet.size() ? inet.at(hook) : std::string_view{};
}

// The first byte behind the header. (struct nfgenmsg)
std::uint8_t family_of(const nlmsghdr& message) {
    std::uint8_t family = 0;
    if (message.nlmsg_len > sizeof message)
        std::memcpy(&family, reinterpret_cast<const char*>(&message) + sizeof message, 1);
    return family;
}

// NFTA_IMMEDIATE_DATA, NFTA_SET_ELEM_DATA
void take_verdict(std::string_view nest, Verdicts& out) {
    Attributes data(nest);
    for (Attribute a; data.next(a);) {
        if (a.type != NFTA_DATA_VERDICT) continue;
        Attributes verdict(a.data);
        for (Attribute part; verdict.next(part);) {
            if (part.type == NFTA_VERDICT_CODE && part.u32() == NF_DROP) out.does.insert(Does::refuses);
            if (part.type == NFTA_VERDICT_CHAIN) out.chains.insert(part.text());
        }
    }
}

// NFTA_RULE_EXPRESSIONS
void take_expressions(std::string_view nest, Verdicts& out) {
    Attributes list(nest);
    for (Attribute item; list.next(item);) {
        const std::optional<Expression> e = Expression::read(item.data);
        if (!e) continue;
        if (const std::optional<Does> does = done_by(*e)) out.does.insert(*does);
        if (e->is("immediate")) take_verdict(e->nest(NFTA_IMMEDIATE_DATA), out);
        if (e->is("lookup") && e->has(NFTA_LOOKUP_DREG) && e->u32(NFTA_LOOKUP_DREG) == NFT_REG_VERDICT)
            out.maps.insert(e->text(NFTA_LOOKUP_SET));
    }
}

// NFTA_CHAIN_HOOK
void take_hook(std::string_view nest, SeenChain& out) {
    Attributes hook(nest);
    for (Attribute part; hook.next(part);) {
        if (part.type == NFTA_HOOK_HOOKNUM) out.hook = part.u32();
        if (part.type == NFTA_HOOK_DEV) out.devices.insert(part.text());
        if (part.type != NFTA_HOOK_DEVS) continue;
        Attributes devices(part.data);
        constexpr std::uint16_t prefix = NFTA_DEVICE_NAME + 1;  // NFTA_DEVICE_PREFIX of newer headers: `"wg*"`
        for (Attribute device; devices.next(device);) {
            if (device.type == NFTA_DEVICE_NAME) out.devices.insert(device.text());
            if (device.type == prefix) out.devices.insert(device.text() + "*");
        }
    }
}

std::string request_for(std::uint16_t type, std::uint8_t family, const std::string& table = {},
                        const std::string& set = {}) {
    Messages out;
    out.begin(type, NLM_F_DUMP, 1);
    if (!set.empty()) {
        out.put_text(NFTA_SET_ELEM_LIST_TABLE, table);
        out.put_text(NFTA_SET_ELEM_LIST_SET, set);
    }
    out.end();
    std::string bytes = out.take();
    bytes[sizeof(nlmsghdr)] = static_cast<char>(family);
    return bytes;
}

class Reading {
public:
    explicit Reading(Socket& socket) : socket_(socket) {}

    Result<DumpEnd> read() {
        Result<DumpEnd> end = socket_.dump(request_for(NFT_MSG_GETTABLE, NFPROTO_UNSPEC),
                                           [this](const nlmsghdr& message) { return take_table(message); });
        if (!end || end.value() != DumpEnd::whole) return end;
        end = socket_.dump(request_for(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC),
                           [this](const nlmsghdr& message) { return take_chain(message); });
        if (!end || end.value() != DumpEnd::whole) return end;
        end = socket_.dump(request_for(NFT_MSG_GETRULE, NFPROTO_UNSPEC),
                           [this](const nlmsghdr& message) { return take_rule(message); });
        if (!end || end.value() != DumpEnd::whole) return end;
        for (std::size_t i = 0; i < chains_.size(); ++i) {
            const Result<DumpEnd> maps = read_maps(i);
            if (!maps || maps.value() == DumpEnd::changed) return maps;
        }
        return DumpEnd::whole;
    }

    [[nodiscard]] std::vector<ForeignChain> found() const {
        std::vector<ForeignChain> out;
        for (const SeenChain& chain : chains_) {
            const auto& [family, table, name] = chain.key;
            const std::string_view hook = chain.hook ? hook_word(family, *chain.hook) : std::string_view{};
            if (hook.empty()) continue;
            // No packet meets it; but a flowtable keeps the flows that it took before.
            const bool dormant = dormant_.contains({family, table});
            ForeignChain foreign{.table = fmt::format("{} {}", family_word(family), table),
                                 .name = name,
                                 .hook = std::string(hook),
                                 .devices = {chain.devices.begin(), chain.devices.end()},
                                 .rule_in = {},
                                 .does = Does::refuses};
            if (chain.policy_drop && !dormant) out.push_back(foreign);
            for (const Does does : {Does::refuses, Does::translates, Does::untracks, Does::zones, Does::rewrites,
                                    Does::hands_over, Does::offloads, Does::sends_on, Does::answers, Does::diverts}) {
                if (chain.policy_drop && does == Does::refuses) continue;
                if (dormant && does != Does::offloads) continue;
                std::set<std::string> seen;
                foreign.rule_in = doing(does, chain, seen);
                foreign.does = does;
                if (!foreign.rule_in.empty()) out.push_back(foreign);
            }
        }
        return out;
    }

private:
    static bool ours(const Key& key) { return std::get<0>(key) == NFPROTO_INET && std::get<1>(key) == ir::table_name; }

    bool take_table(const nlmsghdr& message) {
        std::string name;
        std::uint32_t flags = 0;
        Attributes attributes(message);
        for (Attribute a; attributes.next(a);) {
            if (a.type == NFTA_TABLE_NAME) name = a.text();
            if (a.type == NFTA_TABLE_FLAGS) flags = a.u32().value_or(0);
        }
        if ((flags & NFT_TABLE_F_DORMANT) != 0) dormant_.emplace(family_of(message), name);
        return !attributes.broken();
    }

    bool take_chain(const nlmsghdr& message) {
        SeenChain chain;
        auto& [family, table, name] = chain.key;
        family = family_of(message);
        Attributes attributes(message);
        for (Attribute a; attributes.next(a);) {
            if (a.type == NFTA_CHAIN_TABLE) table = a.text();
            if (a.type == NFTA_CHAIN_NAME) name = a.text();
            if (a.type == NFTA_CHAIN_POLICY) chain.policy_drop = a.u32() == NF_DROP;
            if (a.type == NFTA_CHAIN_HOOK) take_hook(a.data, chain);
        }
        if (!ours(chain.key) && !family_word(family).empty()) {
            places_[chain.key] = chains_.size();
            chains_.push_back(std::move(chain));
        }
        return !attributes.broken();
    }

    bool take_rule(const nlmsghdr& message) {
        Key key{family_of(message), {}, {}};
        std::string_view expressions;
        Attributes attributes(message);
        for (Attribute a; attributes.next(a);) {
            if (a.type == NFTA_RULE_TABLE) std::get<1>(key) = a.text();
            if (a.type == NFTA_RULE_CHAIN) std::get<2>(key) = a.text();
            if (a.type == NFTA_RULE_EXPRESSIONS) expressions = a.data;
        }
        const auto chain = places_.find(key);
        if (chain != places_.end()) take_expressions(expressions, chains_[chain->second].verdicts);
        return !attributes.broken();
    }

    static bool take_elements(const nlmsghdr& message, Verdicts& out) {
        Attributes attributes(message);
        for (Attribute a; attributes.next(a);) {
            if (a.type != NFTA_SET_ELEM_LIST_ELEMENTS) continue;
            Attributes list(a.data);
            for (Attribute item; list.next(item);) {
                Attributes element(item.data);
                for (Attribute part; element.next(part);)
                    if (part.type == NFTA_SET_ELEM_DATA) take_verdict(part.data, out);
            }
        }
        return !attributes.broken();
    }

    // What the verdict maps of a chain lead to becomes what the chain leads to.
    Result<DumpEnd> read_maps(std::size_t index) {
        const auto [family, table, name] = chains_[index].key;
        const std::set<std::string> maps = chains_[index].verdicts.maps;
        for (const std::string& map : maps) {
            Verdicts& out = chains_[index].verdicts;
            Result<DumpEnd> end = socket_.dump(request_for(NFT_MSG_GETSETELEM, family, table, map),
                                               [&out](const nlmsghdr& m) { return take_elements(m, out); });
            if (!end || end.value() == DumpEnd::changed) return end;
        }
        return DumpEnd::whole;
    }

    // The chain, itself or one that it leads to, that has a rule that does it; "" where there is none.
    [[nodiscard]] std::string doing(Does does, const SeenChain& chain, std::set<std::string>& seen) const {
        const auto& [family, table, name] = chain.key;
        if (!seen.insert(name).second) return {};
        if (chain.verdicts.does.contains(does)) return name;
        for (const std::string& next : chain.verdicts.chains) {
            const auto place = places_.find({family, table, next});
            if (place == places_.end()) continue;
            if (std::string found = doing(does, chains_[place->second], seen); !found.empty()) return found;
        }
        return {};
    }

    Socket& socket_;
    std::set<std::pair<std::uint8_t, std::string>> dormant_;  // tables: family and name
    std::vector<SeenChain> chains_;
    std::map<Key, std::size_t> places_;
};

}  // namespace

Result<std::vector<ForeignChain>> foreign_chains(Socket& socket) {
    constexpr int most_readings = 5;
    for (int i = 0; i < most_readings; ++i) {
        Reading reading(socket);
        const Result<DumpEnd> end = reading.read();
        if (!end) return Error{fmt::format("the chains of other tables can't be read: {}", end.error().message), {}};
        if (end.value() == DumpEnd::whole) return reading.found();
    }
    return Error{"the chains of other tables can't be read: they change all the time", {}};
}

}  // namespace policyc::netlink
