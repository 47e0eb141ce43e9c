// Looks at every rule and element before anything is proved of them; entry point understood().
#include "compiler/proof/understood.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace policyc::proof {
namespace {

constexpr std::size_t deepest = 16;       // NFT_JUMP_STACK_SIZE (net/netfilter/nf_tables_core.c)
constexpr int priority_filter = -10;      // before other people's filter chains
constexpr int priority_source_nat = 100;  // NF_IP_PRI_NAT_SRC

// Thrown and caught here: what isn't understood.
struct Strange {
    std::string what;
};

ir::Type type_of(ir::Field field) {
    using enum ir::Field;
    switch (field) {
        case iifname:
        case oifname: return ir::Type::ifname;
        case ip_saddr:
        case ip_daddr:
        case ct_saddr4:
        case ct_daddr4: return ir::Type::ipv4_addr;
        case ip6_saddr:
        case ip6_daddr:
        case ct_saddr6:
        case ct_daddr6: return ir::Type::ipv6_addr;
        case ct_proto_dst:
        case tcp_dport:
        case udp_dport:
        case tcp_sport:
        case udp_sport: return ir::Type::inet_service;
    }
    return {};
}

std::uint32_t seconds_of(Rate::Unit unit) {
    switch (unit) {
        case Rate::Unit::second: return 1;
        case Rate::Unit::minute: return 60;
        case Rate::Unit::hour: return 3600;
        case Rate::Unit::day: return 86400;
    }
    return UINT32_MAX;
}

class Looker {
public:
    Looker(const ir::Ruleset& ruleset, const Node& node) : ruleset_(ruleset), node_(node) {}

    void look() {
        for (const ir::Foreign& foreign : ruleset_.foreign) throw Strange{foreign.text};
        for (const ir::Set& set : ruleset_.sets)
            if (!sets_.emplace(set.name, &set).second) throw Strange{"two sets " + set.name};
        for (const ir::Chain& chain : ruleset_.chains)
            if (!chains_.emplace(chain.name, &chain).second) throw Strange{"two chains " + chain.name};
        for (const ir::Set& set : ruleset_.sets) look_at(set);
        for (const ir::Chain& chain : ruleset_.chains) {
            for (std::size_t i = 0; i < chain.rules.size(); ++i) {
                where_ = fmt::format("rule {} of chain {}", i + 1, chain.name);
                for (const ir::Statement& statement : chain.rules[i].statements) look_at(statement, chain);
            }
        }
        for (const ir::Chain& chain : ruleset_.chains)
            if (chain.base && depth_of(chain.name) > deepest) throw Strange{chain.name + " leads too deep"};
        look_at_base_chains();
    }

private:
    [[noreturn]] void strange(const std::string& what) const { throw Strange{where_ + ": " + what}; }

    void look_at(const ir::Set& set) const {
        const std::string what = "set " + set.name;
        if (set.types.empty()) throw Strange{what + " has no key"};
        const bool named = std::ranges::find(set.types, ir::Type::ifname) != set.types.end();
        if (named && (set.types.size() > 1 || set.interval)) throw Strange{what + " has a name as a part of its key"};
        const std::size_t values = set.map_to == ir::MapTo::verdict   ? set.verdicts.size()
                                   : set.map_to == ir::MapTo::counter ? ruleset_.counters.size()
                                                                      : 0;
        for (std::size_t i = 0; i < set.elements.size() && set.map_to != ir::MapTo::nothing; ++i)
            if (set.elements.value(i) >= values) throw Strange{what + " has an element without a value"};
        for (const ir::ToChain& verdict : set.verdicts) look_at_jump(verdict.chain, what);
    }

    void look_at_jump(const std::string& to, const std::string& what) const {
        const auto found = chains_.find(to);
        if (found == chains_.end() || found->second->base) throw Strange{what + " leads to " + to};
    }

    const ir::Set& look_at_key(const std::string& name, const std::vector<ir::Field>& fields, ir::MapTo map_to) const {
        const auto found = sets_.find(name);
        if (found == sets_.end()) strange("there is no set " + name);
        const ir::Set& set = *found->second;
        std::vector<ir::Type> types;
        for (const ir::Field field : fields) types.push_back(type_of(field));
        if (set.types != types || set.map_to != map_to) strange("another key than that of " + name);
        return set;
    }

    void look_at(const ir::Statement& statement, const ir::Chain& chain) {
        if (const auto* unknown = std::get_if<ir::Unknown>(&statement)) strange(unknown->text);
        if (const auto* lookup = std::get_if<ir::Lookup>(&statement))
            look_at_key(lookup->set, lookup->fields, ir::MapTo::nothing);
        if (const auto* lookup = std::get_if<ir::LookupVerdict>(&statement))
            look_at_key(lookup->map, lookup->fields, ir::MapTo::verdict);
        if (const auto* count = std::get_if<ir::CountByMap>(&statement))
            look_at_key(count->map, count->fields, ir::MapTo::counter);
        if (const auto* jump = std::get_if<ir::Jump>(&statement)) look_at_jump(jump->chain, where_);
        if (const auto* go = std::get_if<ir::Goto>(&statement)) look_at_jump(go->chain, where_);
        if (const auto* port = std::get_if<ir::MatchPort>(&statement))
            if (type_of(port->field) != ir::Type::inet_service) strange("a port that is none");
        if (const auto* name = std::get_if<ir::MatchName>(&statement))
            if (type_of(name->field) != ir::Type::ifname) strange("a name that is none");
        if (const auto* update = std::get_if<ir::UpdateRate>(&statement)) look_at(*update);
        const bool nat = chain.base && chain.base->nat;
        if (std::holds_alternative<ir::Masquerade>(statement) && !nat) strange("masquerade in a filter");
    }

    void look_at(const ir::UpdateRate& update) {
        const ir::Set& set = look_at_key(update.set, {update.field}, ir::MapTo::nothing);
        const bool by_source = update.field == ir::Field::ip_saddr || update.field == ir::Field::ip6_saddr;
        if (!set.dynamic || !by_source) strange(update.set + " is no set of buckets by source");
        if (update.burst != update.rate.count) strange("another burst than the rate");
        // A bucket that is forgotten sooner is full again before its time.
        if (set.timeout < seconds_of(update.rate.unit)) strange(update.set + " forgets too soon");
        const auto [at, fresh] = rates_.try_emplace(update.set, update.rate);
        if (!fresh && at->second != update.rate) strange("two rates in " + update.set);
    }

    // How many chains follow one on another from here, at most.
    std::size_t depth_of(const std::string& name) {
        if (const auto known = depths_.find(name); known != depths_.end()) return known->second;
        if (!open_.insert(name).second) throw Strange{"chain " + name + " leads to itself"};
        std::set<std::string> next;
        for (const ir::Rule& rule : chains_.at(name)->rules) {
            for (const ir::Statement& statement : rule.statements) {
                if (const auto* jump = std::get_if<ir::Jump>(&statement)) next.insert(jump->chain);
                if (const auto* go = std::get_if<ir::Goto>(&statement)) next.insert(go->chain);
                if (const auto* lookup = std::get_if<ir::LookupVerdict>(&statement))
                    for (const ir::ToChain& verdict : sets_.at(lookup->map)->verdicts) next.insert(verdict.chain);
            }
        }
        std::size_t depth = 0;
        for (const std::string& chain : next) depth = std::max(depth, depth_of(chain) + 1);
        open_.erase(name);
        return depths_[name] = depth;
    }

    void look_at_base_chains() const {
        std::map<ir::Hook, ir::BaseChain> wanted;
        if (node_.scope != Scope::none) {
            for (const ir::Hook hook : {ir::Hook::input, ir::Hook::forward, ir::Hook::output})
                if (hook != ir::Hook::output || node_.output)
                    wanted[hook] = {.hook = hook, .priority = priority_filter, .policy_drop = true};
            if (node_.source == SourceNat::masquerade)
                wanted[ir::Hook::postrouting] = {
                    .hook = ir::Hook::postrouting, .priority = priority_source_nat, .nat = true};
        }
        for (const ir::Chain& chain : ruleset_.chains) {
            if (!chain.base) continue;
            const auto found = wanted.find(chain.base->hook);
            if (found == wanted.end()) throw Strange{fmt::format("chain {} is on a hook of its own", chain.name)};
            if (!same(found->second, *chain.base))
                throw Strange{fmt::format("chain {} has another priority, type or policy", chain.name)};
            wanted.erase(found);
        }
        if (!wanted.empty()) throw Strange{"a hook has no chain"};
    }

    const ir::Ruleset& ruleset_;
    const Node& node_;
    std::string where_;
    std::map<std::string, const ir::Set*> sets_;
    std::map<std::string, const ir::Chain*> chains_;
    std::map<std::string, Rate> rates_;
    std::map<std::string, std::size_t> depths_;
    std::set<std::string> open_;
};

}  // namespace

Result<void> understood(const ir::Ruleset& ruleset, const Node& node) {
    try {
        Looker(ruleset, node).look();
    } catch (const Strange& strange) {
        return Error{strange.what, {}, {}};
    }
    return {};
}

}  // namespace policyc::proof
