// Writes look-ups in sets as rules; entry points in lookups.h.
#include "compiler/lookups.h"

#include <algorithm>

namespace policyc {

namespace {

using program::Kind;
using program::Permissions;

constexpr std::array protocols{Protocol::tcp, Protocol::udp, Protocol::ping, Protocol::any};

ir::L4 transport(Protocol protocol, Family family) {
    switch (protocol) {
        case Protocol::tcp: return ir::L4::tcp;
        case Protocol::udp: return ir::L4::udp;
        case Protocol::ping:
        case Protocol::any: break;
    }
    return family == Family::ipv4 ? ir::L4::icmp : ir::L4::icmpv6;
}

// What a look-up of that protocol's sets needs in front: the transport protocol, and for ping the type of the ICMP message.
Statements before_lookup(Protocol protocol, Family family) {
    if (protocol == Protocol::any) return {};
    Statements statements{ir::MatchL4{transport(protocol, family)}};
    if (protocol == Protocol::ping)
        statements.push_back(ir::MatchPort{ir::Field::ct_proto_dst, program::echo_request(family)});
    return statements;
}

Statements both(Statements first, const Statements& then) {
    first.insert(first.end(), then.begin(), then.end());
    return first;
}

Statements joined(Statements before, ir::Statement ask, const Statements& verdict) {
    before.push_back(std::move(ask));
    before.insert(before.end(), verdict.begin(), verdict.end());
    return before;
}

}  // namespace

ir::Rule make_rule(Statements statements, std::string comment, Span span) {
    return {std::move(statements), std::move(comment), span};
}

Lookups::Lookups(ir::Ruleset& out, std::vector<Family> families, std::size_t shard)
    : out_(out), families_(std::move(families)), splits_(split_large_sets(out, shard)) {
    for (const ir::Set& set : out.sets) whole_.insert(set.name);
}

void Lookups::permissions(std::vector<ir::Rule>& rules, Permissions sets, const Statements& verdict, const How& how) {
    for (const Family family : families_) {
        for (const Protocol protocol : protocols) {
            if (protocol == Protocol::ping && !how.ping) continue;
            for (const bool interval : {false, true}) {
                sets.family = family;
                sets.protocol = protocol;
                sets.interval = interval;
                const std::string name = how.prefix + program::name_of(sets);
                if (!has(name)) continue;
                const std::vector<ir::Field> fields = program::fields_of(sets, how.by);
                const Ask ask = [&](const std::string& set) { return ir::Lookup{fields, set}; };
                const Statements before = both(how.first, before_lookup(protocol, family));
                if (how.way == Way::map)
                    by_map(rules, name, fields, how.by, before, ask, verdict);
                else
                    by_list(rules, name, before, ask, verdict);
            }
        }
    }
}

void Lookups::counters(std::vector<ir::Rule>& rules) const {
    for (const Family family : families_) {
        for (const Protocol protocol : protocols) {
            for (const char* form : {"", "_ranges"}) {
                const std::string map = "count_" + program::suffix(protocol, family) + form;
                if (!has(map)) continue;
                const Ask ask = [&](const std::string& part) {
                    return ir::CountByMap{program::fields_of(Kind::output, protocol, family), part};
                };
                by_list(rules, map, before_lookup(protocol, family), ask, {});
            }
        }
    }
}

void Lookups::members(std::vector<ir::Rule>& rules, const std::string& set, Family family, const Statements& verdict,
                      const How& how) const {
    const ir::Field source = program::source_field(family, how.by);
    for (const std::string& name : {set, set + "_ranges"}) {
        if (!has(name)) continue;
        const Ask ask = [&](const std::string& part) { return ir::Lookup{{source}, part}; };
        by_list(rules, name, how.first, ask, verdict);
    }
}

void Lookups::verdicts(std::vector<ir::Rule>& rules, const std::string& map, Family family, const How& how) {
    const ir::Field source = program::source_field(family, how.by);
    for (const std::string& name : {map, map + "_ranges"}) {
        if (!has(name)) continue;
        const Ask ask = [&](const std::string& part) { return ir::LookupVerdict{{source}, part}; };
        by_map(rules, name, {source}, how.by, how.first, ask, {});
    }
}

void Lookups::by_list(std::vector<ir::Rule>& rules, const std::string& set, const Statements& before, const Ask& ask,
                      const Statements& verdict) const {
    const auto split = splits_.find(set);
    if (split == splits_.end())
        rules.push_back(make_rule(joined(before, ask(set), verdict)));
    else
        for (const Split::Part& part : split->second.parts) by_list(rules, part.name, before, ask, verdict);
}

void Lookups::by_map(std::vector<ir::Rule>& rules, const std::string& set, const std::vector<ir::Field>& fields,
                     program::By by, const Statements& before, const Ask& ask, const Statements& verdict) {
    const auto split = splits_.find(set);
    if (split == splits_.end()) {
        rules.push_back(make_rule(joined(before, ask(set), verdict)));
        return;
    }
    const std::string prefix = program::prefix_of(by);
    const std::string map = prefix + program::shard_map(set);
    if (whole_.insert(map).second) {
        for (const Split::Part& part : split->second.parts) {
            std::vector<ir::Rule> inner;
            by_map(inner, part.name, fields, by, before, ask, verdict);
            out_.chains.push_back({prefix + part.name, {}, "", std::move(inner)});
        }
        out_.sets.push_back(shard_map_of(set, split->second, prefix));
    }
    rules.push_back(make_rule(joined(before, ir::LookupVerdict{{fields[split->second.field]}, map}, {})));
}

}  // namespace policyc
