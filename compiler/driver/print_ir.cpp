// Prints every value of a Ruleset, one a line, in its own order: print_ir().
#include "compiler/driver/print_ir.h"

#include <fmt/format.h>

namespace policyc {

namespace {

using namespace ir;

const char* word(Type type) {
    switch (type) {
        case Type::ipv4_addr: return "ipv4_addr";
        case Type::ipv6_addr: return "ipv6_addr";
        case Type::inet_service: return "inet_service";
        case Type::ifname: return "ifname";
    }
    return "";
}

const char* word(Field field) {
    switch (field) {
        case Field::iifname: return "iifname";
        case Field::oifname: return "oifname";
        case Field::ip_saddr: return "ip_saddr";
        case Field::ip_daddr: return "ip_daddr";
        case Field::ip6_saddr: return "ip6_saddr";
        case Field::ip6_daddr: return "ip6_daddr";
        case Field::ct_saddr4: return "ct_saddr4";
        case Field::ct_daddr4: return "ct_daddr4";
        case Field::ct_saddr6: return "ct_saddr6";
        case Field::ct_daddr6: return "ct_daddr6";
        case Field::ct_proto_dst: return "ct_proto_dst";
        case Field::tcp_dport: return "tcp_dport";
        case Field::udp_dport: return "udp_dport";
        case Field::tcp_sport: return "tcp_sport";
        case Field::udp_sport: return "udp_sport";
    }
    return "";
}

const char* word(L4 protocol) {
    switch (protocol) {
        case L4::tcp: return "tcp";
        case L4::udp: return "udp";
        case L4::icmp: return "icmp";
        case L4::icmpv6: return "icmpv6";
    }
    return "";
}

const char* word(Hook hook) {
    switch (hook) {
        case Hook::input: return "input";
        case Hook::forward: return "forward";
        case Hook::output: return "output";
        case Hook::postrouting: return "postrouting";
    }
    return "";
}

const char* word(Family family) {
    return family == Family::ipv4 ? "ipv4" : "ipv6";
}

std::string fields(const std::vector<Field>& list) {
    std::string text;
    for (const Field field : list) text += fmt::format("{}{}", text.empty() ? "" : " . ", word(field));
    return text;
}

struct RulesetPrinter {
    std::string operator()(const Lookup& s) const {
        return fmt::format("lookup {} {} @{}", fields(s.fields), s.negate ? "not in" : "in", s.set);
    }
    std::string operator()(const MatchPort& s) const { return fmt::format("match {} {}", word(s.field), s.value); }
    std::string operator()(const MatchName& s) const {
        return fmt::format("match {} {}\"{}\"", word(s.field), s.negate ? "not " : "", s.value);
    }
    std::string operator()(const MatchL4& s) const { return fmt::format("match l4proto {}", word(s.protocol)); }
    std::string operator()(const MatchFamily& s) const { return fmt::format("match family {}", word(s.family)); }
    std::string operator()(const MatchState& s) const {
        std::string text = "match state";
        if (s.invalid) text += " invalid";
        if (s.established) text += " established";
        if (s.related) text += " related";
        if (s.fresh) text += " new";
        if (s.untracked) text += " untracked";
        return text;
    }
    std::string operator()(const MatchDnat&) const { return "match dnat"; }
    std::string operator()(const MatchConfirmed&) const { return "match confirmed"; }
    std::string operator()(const MatchAssured&) const { return "match assured"; }
    std::string operator()(const MatchReply& s) const {
        return s.reply ? "match direction reply" : "match direction original";
    }
    std::string operator()(const MatchIcmp& s) const {
        return fmt::format("match icmp {} types {}", word(s.family), fmt::join(s.types, " "));
    }
    std::string operator()(const MatchHopLimit& s) const { return fmt::format("match hoplimit {}", s.value); }
    std::string operator()(const MatchSyn& s) const { return s.negate ? "match not syn" : "match syn"; }
    std::string operator()(const ClampMss&) const { return "clamp mss"; }
    std::string operator()(const Limit& s) const {
        return fmt::format("limit {} burst {}", to_string(s.rate), s.burst);
    }
    std::string operator()(const UpdateRate& s) const {
        return fmt::format("update @{} {} limit {} burst {}", s.set, word(s.field), to_string(s.rate), s.burst);
    }
    std::string operator()(const LogPacket& s) const {
        return fmt::format("log \"{}\" to {}", s.prefix, s.group ? fmt::format("nflog:{}", *s.group) : "kernel");
    }
    std::string operator()(const Count&) const { return "count"; }
    std::string operator()(const CountByMap& s) const {
        return fmt::format("count {} by @{}", fields(s.fields), s.map);
    }
    std::string operator()(const LookupVerdict& s) const {
        return fmt::format("verdict of {} in @{}", fields(s.fields), s.map);
    }
    std::string operator()(const Accept&) const { return "accept"; }
    std::string operator()(const Drop&) const { return "drop"; }
    std::string operator()(const Return&) const { return "return"; }
    std::string operator()(const Reject&) const { return "reject"; }
    std::string operator()(const Masquerade&) const { return "masquerade"; }
    std::string operator()(const Jump& s) const { return fmt::format("jump {}", s.chain); }
    std::string operator()(const Goto& s) const { return fmt::format("goto {}", s.chain); }
    std::string operator()(const Unknown& s) const { return fmt::format("unknown {}", s.text); }
};

std::string bound_text(Type type, Elements::Bound bound) {
    const auto one = [&](u128 value) -> std::string {
        switch (type) {
            case Type::ipv4_addr: return to_string(Address{Family::ipv4, value});
            case Type::ipv6_addr: return to_string(Address{Family::ipv6, value});
            case Type::inet_service:
            case Type::ifname: return fmt::format("{}", static_cast<std::uint64_t>(value));
        }
        return {};
    };
    return bound.lo == bound.hi ? one(bound.lo) : fmt::format("{}-{}", one(bound.lo), one(bound.hi));
}

std::string element_text(const ir::Set& set, std::size_t element, const Ruleset& ruleset) {
    std::string text;
    for (std::size_t field = 0; field < set.types.size(); ++field) {
        if (field > 0) text += " . ";
        const bool name = set.types[field] == Type::ifname;
        text += name ? fmt::format("\"{}\"", set.elements.name(element))
                     : bound_text(set.types[field], set.elements.bound(element, field));
    }
    const std::uint32_t value = set.elements.value(element);
    if (set.map_to == MapTo::counter && value < ruleset.counters.size()) text += " : " + ruleset.counters[value].name;
    if (set.map_to == MapTo::verdict && value < set.verdicts.size())
        text += fmt::format(" : {} {}", set.verdicts[value].go ? "goto" : "jump", set.verdicts[value].chain);
    if (const std::uint64_t life = set.elements.life(element).timeout; life != 0)
        text += fmt::format(" for {} ms", life);
    const Cause cause = set.elements.cause(element);
    std::string why;
    if (cause.subject < ruleset.subjects.size()) why += " who " + ruleset.subjects[cause.subject].name;
    if (cause.object < ruleset.objects.size()) why += " what " + ruleset.objects[cause.object].name;
    return why.empty() ? text : text + " #" + why;
}

std::string set_text(const ir::Set& set, const Ruleset& ruleset) {
    std::string text = fmt::format("{} {}", set.map_to != MapTo::nothing ? "map" : "set", set.name);
    for (std::size_t field = 0; field < set.types.size(); ++field)
        text += fmt::format("{}{}", field == 0 ? " " : " . ", word(set.types[field]));
    if (set.interval) text += ", interval";
    if (set.dynamic) text += ", dynamic";
    if (set.timed) text += ", timed";
    if (set.timeout != 0) text += fmt::format(", timeout {}s", set.timeout);
    if (set.size != 0) text += fmt::format(", size {}", set.size);
    text += "\n";
    for (std::size_t element = 0; element < set.elements.size(); ++element) {
        text += fmt::format("  {}\n", element_text(set, element, ruleset));
    }
    return text;
}

std::string chain_text(const Chain& chain, const Sources& sources) {
    std::string text = fmt::format("chain {}", chain.name);
    if (chain.base) {
        text += fmt::format(" {} hook {} priority {} policy {}", chain.base->nat ? "nat" : "filter",
                            word(chain.base->hook), chain.base->priority, chain.base->policy_drop ? "drop" : "accept");
    }
    text += "\n";
    for (const Rule& rule : chain.rules) {
        std::string line;
        for (const Statement& statement : rule.statements)
            line += (line.empty() ? "" : "; ") + std::visit(RulesetPrinter{}, statement);
        if (!rule.comment.empty()) line += fmt::format(" \"{}\"", rule.comment);
        if (rule.span.valid()) line += fmt::format(" # {}", sources.place(rule.span));
        text += fmt::format("  {}\n", line);
    }
    return text;
}

std::string labels(const char* kind, const std::vector<ir::Label>& list, const Sources& sources) {
    std::string text;
    for (const ir::Label& label : list)
        text += fmt::format("{} {} # {}\n", kind, label.name, sources.place(label.span));
    return text;
}

}  // namespace

std::string print_ir(const Ruleset& ruleset, const Sources& sources) {
    std::string text = fmt::format("node {}\n", ruleset.node);
    text += labels("who", ruleset.subjects, sources);
    text += labels("what", ruleset.objects, sources);
    for (const Counter& counter : ruleset.counters) {
        text += fmt::format("counter {} \"{}\" # {}\n", counter.name, counter.comment, sources.place(counter.span));
    }
    for (const ir::Set& set : ruleset.sets) text += set_text(set, ruleset);
    for (const Chain& chain : ruleset.chains) text += chain_text(chain, sources);
    return text;
}

}  // namespace policyc
