// The words of `explain`: sentences for what was found, which text and record share.
#include "compiler/driver/explained.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/driver/access_list.h"
#include "compiler/time_text.h"

namespace policyc {

using explain::Verdict;
using explain::Why;

std::optional<Verdict> Explained::verdict() const {
    std::optional<Verdict> all;
    for (const explain::Answer& answer : answers) {
        const std::optional<Verdict> one = answer.verdict();
        if (!one) return std::nullopt;
        if (!all || *all == *one) {
            all = one;
        } else if (*all == Verdict::denied || *one == Verdict::denied) {
            return std::nullopt;
        } else {
            all = Verdict::allowed;
        }
    }
    return all ? all : std::optional(Verdict::denied);
}

const char* word(std::optional<Verdict> verdict) {
    if (!verdict) return "partly allowed";
    switch (*verdict) {
        case Verdict::allowed: return "allowed";
        case Verdict::denied: return "denied";
        case Verdict::unjudged: return "not judged";
    }
    return "";
}

std::string flow_text(const explain::Answer& answer, const explain::Flow& flow) {
    const std::string source = to_string(flow.source);
    const bool named = !parse_cidr(answer.source.label);
    return fmt::format("{}{}{} -> {}", named ? answer.source.label : "", named ? " " : "", source,
                       reach::to_string(flow.destination, flow.slot));
}

std::string target_text(const Target& target) {
    const bool bracketed = target.label.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", bracketed ? "[" : "", target.label, bracketed ? "]" : "", to_string(target.ports));
}

namespace {

std::string tunnel_of(const Node& node) {
    return node.interface ? node.interface->value : "its tunnel";
}

std::string side_text(const Node& node, explain::Side side) {
    switch (side) {
        case explain::Side::tunnel: return tunnel_of(node);
        case explain::Side::other: return "another interface";
        case explain::Side::untouched: return "an interface of `untouched`";
        case explain::Side::loopback: return "loopback";
    }
    return {};
}

}  // namespace

std::string why_text(const Explained& explained, const explain::Finding& finding) {
    const Node& node = explained.node();
    const std::string source = to_string(finding.example.source);
    switch (finding.why) {
        case Why::permission: return {};
        case Why::loopback: return "loopback is implied";
        case Why::wireguard: return "WireGuard itself is implied";
        case Why::no_permission: return "no line of the policy allows it";
        case Why::family: return "IPv6 is denied everywhere: ipv6 = \"deny\"";
        case Why::not_a_source:
            return fmt::format("spoofed: {} is no address behind {}, and no `who` or `from` names it", source,
                               tunnel_of(node));
        case Why::behind_tunnel:
            return fmt::format("spoofed: the place of {} is behind {}, and it comes from elsewhere", source,
                               tunnel_of(node));
        case Why::scope_none:
            return fmt::format("the scope of {} is \"none\": policyc has no opinion, and it passes", node.name);
        case Why::beside_tunnel:
            return fmt::format("it neither enters nor leaves through {}: policyc has no opinion, and it passes",
                               tunnel_of(node));
        case Why::no_output:
            return fmt::format("{} has no `output`: what it sends itself is not judged, and passes", node.name);
        case Why::untouched_interface:
            return "it comes through an interface of `untouched`: policyc has no opinion, and it passes";
        case Why::untouched_network: return "`untouched` holds its address: policyc has no opinion, and it passes";
    }
    return {};
}

std::string passage_text(const Node& node, const explain::Passage& passage) {
    switch (passage.hook) {
        case Direction::forward:
            return fmt::format("forwards it from {} to {}", side_text(node, passage.in),
                               passage.in == explain::Side::tunnel && passage.out == explain::Side::tunnel
                                   ? "the same"
                                   : side_text(node, passage.out));
        case Direction::input:
            return fmt::format("is where it goes, and it comes from {}", side_text(node, passage.in));
        case Direction::output: return fmt::format("sends it itself, to {}", side_text(node, passage.out));
    }
    return {};
}

std::vector<std::string> terms_of(const Explained& explained, const explain::Line& line) {
    std::vector<std::string> terms;
    const reach::Permission& permission = line.permission;
    const Policy& policy = explained.asked.policy;
    std::optional<Days> until;
    bool log = false;
    const auto add = [&](const std::optional<Rate>& limit, bool log_new, const std::optional<Spanned<Days>>& expires) {
        if (limit) terms.push_back("at most " + to_string(*limit));
        log = log || log_new;
        if (expires) until = until ? std::min(*until, expires->value) : expires->value;
    };
    if (permission.kind == reach::Permission::Kind::tier) {
        const Tier& tier = policy.tiers[permission.index];
        add(tier.limit, tier.log_new, tier.expires);
    }
    if (permission.input != nullptr) add(permission.input->limit, permission.input->log_new, {});
    if (permission.target != nullptr) {
        if (permission.target->service) {
            const Service& service = policy.services[*permission.target->service];
            add(service.limit, service.log_new, {});
        }
        add({}, false, permission.target->expires);
    }
    if (log) terms.emplace_back("logged");
    if (until) terms.push_back("until " + to_text(*until));
    return terms;
}

std::string host_text(const Explained& explained, const Target& target) {
    const auto* name = std::get_if<HostName>(&target.host);
    if (name == nullptr) return {};
    const auto entry = explained.lock.find(name->name);
    if (entry != explained.lock.end() && !entry->second.addresses.empty())
        return fmt::format("{}, locked {} ago", name->name, about(explained.now - entry->second.resolved));
    if (explained.asked.addresses.contains(name->name)) return name->name + ", from /etc/hosts";
    return name->name;
}

std::vector<std::string> addresses_of(const Explained& explained, const Host& host) {
    std::vector<std::string> texts;
    for (const Range& range : reach::addresses_of_host(explained.asked.policy, explained.asked.addresses, host))
        texts.push_back(to_string(range));
    return texts;
}

}  // namespace policyc
