// The terms of two policies, compared key by key: compare_terms(). What is judged, implied and refused in each scope is defined in
// docs/language.md, section 2.
#include "compiler/terms.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "compiler/limits.h"
#include "compiler/permissions.h"
#include "compiler/sides.h"

namespace policyc {

namespace {

constexpr const char* untold = "is refused from now on unless the policy allows it";

std::string joined(const std::vector<std::string>& parts) {
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<std::string> missing_in(const std::set<std::string>& from, const std::set<std::string>& in) {
    std::vector<std::string> out;
    std::ranges::set_difference(from, in, std::back_inserter(out));
    return out;
}

std::vector<Range> outside(const AddressSet& set, const AddressSet& of) {
    AddressSet rest = set;
    for (const Range& range : of.ranges()) rest.subtract(range);
    return rest.ranges();
}

// A port that is open to or from anywhere, where that is by IPv4 alone; of one address its family is seen.
std::string with_family(const View& view, const std::string& port) {
    const bool anywhere = port.find("anywhere") != std::string::npos;
    return anywhere && view.policy->ipv6 == Ipv6::deny ? port + " over IPv4" : port;
}

std::set<std::string> untouched_of(const Node& node) {
    std::set<std::string> texts;
    if (node.scope != Scope::host) return texts;
    for (const auto& interface : node.untouched.interfaces) texts.insert("interface " + interface.value);
    for (const auto& range : node.untouched.ranges) texts.insert(to_string(range.value));
    return texts;
}

// What the one leaves untouched and the other does not: of an entry that the other has in part, the rest.
std::vector<std::string> left_by_one(const Node& one, const Node& other) {
    if (one.scope != Scope::host) return {};
    const std::set<std::string> known = untouched_of(other);
    std::vector<Range> ranges;
    if (other.scope == Scope::host)
        for (const auto& range : other.untouched.ranges) ranges.push_back(range.value);
    const AddressSet others(std::move(ranges));
    std::set<std::string> texts;
    for (const auto& interface : one.untouched.interfaces)
        if (const std::string text = "interface " + interface.value; !known.contains(text)) texts.insert(text);
    for (const auto& range : one.untouched.ranges)
        for (const Range& rest : outside(AddressSet({range.value}), others)) texts.insert(to_string(rest));
    return {texts.begin(), texts.end()};
}

std::vector<std::string> addresses_of(const Node& node) {
    std::vector<std::string> texts;
    for (const auto& address : node.addresses) texts.push_back(to_string(address.value));
    return texts;
}

// The tiers, services and inputs whose new connections are logged.
std::set<std::string> logging(const View& view) {
    std::set<std::string> names;
    for (const Tier& tier : view.policy->tiers)
        if (tier.log_new) names.insert("tiers." + tier.name);
    for (const Service& service : view.policy->services)
        if (service.log_new) names.insert("services." + service.name);
    const Node& node = view.policy->nodes[view.node];
    for (const Input& input : node.inputs)
        if (input.log_new) names.insert(fmt::format("nodes.{}.input.{}", node.name, input.name));
    return names;
}

// Every address that some permission names, at either end.
AddressSet talkers(const View& view) {
    std::vector<Range> ranges;
    const auto add = [&](const auto& list) {
        for (const auto& one : list) {
            const std::vector<Range> more = ranges_of(*view.policy, *view.addresses, one.host);
            ranges.insert(ranges.end(), more.begin(), more.end());
        }
    };
    for (const Tier& tier : view.policy->tiers) {
        add(tier.who);
        add(tier.allow);
    }
    const Node& node = view.policy->nodes[view.node];
    for (const Input& input : node.inputs) add(input.from);
    if (node.output) add(*node.output);
    return AddressSet(std::move(ranges));
}

class Terms {
public:
    Terms(const View& before, const View& after)
        : before_(before),
          after_(after),
          old_(before.policy->nodes[before.node]),
          new_(after.policy->nodes[after.node]) {}

    std::vector<Term> run() {
        if (new_.scope == Scope::none) {
            opens("nothing is judged any more: policyc refuses nothing here");
            return std::move(out_);
        }
        scope();
        interface();
        address();
        untouched();
        output();
        names_this_host();
        implied_ports();
        ipv6();
        spoofed();
        for (Term& remark : compare_limits(before_, after_)) out_.push_back(std::move(remark));
        answers();
        logs();
        return std::move(out_);
    }

private:
    void opens(std::string text) { out_.push_back({std::move(text), true, false}); }
    void closes(std::string text) { out_.push_back({std::move(text), false, true}); }
    void both(std::string text) { out_.push_back({std::move(text), true, true}); }
    void neither(std::string text) { out_.push_back({std::move(text), false, false}); }

    [[nodiscard]] bool host() const { return new_.scope == Scope::host; }
    [[nodiscard]] const std::string& tunnel() const { return new_.interface->value; }

    void scope() {
        if (old_.scope == new_.scope) return;
        if (host())
            closes(
                fmt::format("scope is \"host\": what neither enters nor leaves {} is judged too, and everything to "
                            "and through this host {}, on every interface",
                            tunnel(), untold));
        else
            opens(
                fmt::format("scope is \"tunnel\": what neither enters nor leaves {} is no longer judged: all of it "
                            "is let through",
                            tunnel()));
    }

    void interface() {
        if (old_.interface->value == new_.interface->value) return;
        const std::string what = fmt::format("the tunnel is {} instead of {}", tunnel(), old_.interface->value);
        if (host())
            both(what + ": who may send through a tunnel is judged there");
        else
            both(fmt::format("{0}: what enters or leaves {1} is judged from now on, and {2} no longer is", what,
                             tunnel(), old_.interface->value));
    }

    // Whose packets this host's own are, and what may not come out of the tunnel as a source.
    void address() {
        const auto was = addresses_of(old_);
        const auto is = addresses_of(new_);
        if (was == is) return;
        both(fmt::format("this host is {} in the tunnel instead of {}", joined(is), joined(was)));
    }

    void untouched() {
        // In scope tunnel that was let through as well.
        if (const auto more = left_by_one(new_, old_); !more.empty()) {
            const std::string text = fmt::format(
                "untouched from now on: {}: what crosses there and not the tunnel is let through", joined(more));
            old_.scope == Scope::host ? opens(text) : neither(text);
        }
        // With the scope goes what it left out.
        if (const auto less = left_by_one(old_, new_); !less.empty() && host())
            closes(fmt::format("no longer untouched: {}: what crosses there {}", joined(less), untold));
    }

    void output() {
        if (old_.output.has_value() == new_.output.has_value()) return;
        if (new_.output)
            closes("what this host itself sends is judged from now on, and refused unless it is listed");
        else
            opens("what this host itself sends is no longer judged: all of it is let through");
    }

    // What a tier says of this host alone is about what it sends, of which nothing may come or go by that.
    void names_this_host() {
        const auto tier_of = [](const View& view) -> std::string {
            const Node& node = view.policy->nodes[view.node];
            const auto own = [&](const Range& range) {
                return std::ranges::any_of(node.addresses, [&](const auto& a) { return range_of(a.value) == range; });
            };
            for (const Tier& tier : view.policy->tiers)
                for (const Source& source : tier.who)
                    if (!tier.grant && !tier.bastion && holds_on(tier.expires, view.today) &&
                        std::ranges::any_of(ranges_of(*view.policy, *view.addresses, source.host), own))
                        return "tiers." + tier.name;
            return {};
        };
        const std::string was = tier_of(before_);
        const std::string is = tier_of(after_);
        if (was.empty() == is.empty()) return;
        if (is.empty())
            neither("no tier names this host as a source any more");
        else if (new_.output)
            neither(is + " names this host as a source: it allows what this host itself sends, as output does");
        else
            neither(is + " names this host as a source, but without output nothing that this host sends is judged");
    }

    // UDP ports that are open without being listed, whatever their families: of these ipv6() tells.
    [[nodiscard]] std::set<std::string> ports_of(const View& view, const Node& node) const {
        std::set<std::string> texts;
        if (node.scope != Scope::host) return texts;
        if (const auto port = wireguard_port(node))
            texts.insert(fmt::format("{}/udp from anywhere to this host", *port));
        // What it sends from there is no news where all that it sends passes, or passed.
        if (const auto port = wireguard_port(node); port && old_.output && new_.output)
            texts.insert(fmt::format("what WireGuard sends from {}/udp of this host to anywhere", *port));
        if (!node.output || !node.peer) return texts;
        const Node& peer = view.policy->nodes[*node.peer];
        const auto* endpoint = peer.endpoint ? std::get_if<Address>(&peer.endpoint->host) : nullptr;
        if (endpoint != nullptr && endpoint->family == Family::ipv6 && view.policy->ipv6 == Ipv6::deny) return texts;
        if (const auto port = wireguard_port(peer))
            texts.insert(fmt::format("{}/udp from this host to {}", *port,
                                     endpoint != nullptr ? to_string(*endpoint) : "anywhere"));
        return texts;
    }

    void implied_ports() {
        const auto was = ports_of(before_, old_);
        const auto is = ports_of(after_, new_);
        // Where all was let through before, a port that is open now opens nothing; in scope tunnel that was so of what does not come out of it.
        for (const std::string& port : missing_in(is, was)) {
            const std::string text = "implied, for WireGuard: " + with_family(after_, port);
            old_.scope == Scope::none ? neither(text) : opens(text);
        }
        const std::string where = host() ? "" : " in " + tunnel();
        for (const std::string& port : missing_in(was, is))
            closes(fmt::format("no longer implied{}, for WireGuard: {}", where, with_family(before_, port)));
    }

    void ipv6() {
        const bool was = before_.policy->ipv6 == Ipv6::dual;
        const bool is = after_.policy->ipv6 == Ipv6::dual;
        if (was == is) return;
        const std::string where = host() ? "" : " that enters or leaves " + tunnel();
        if (is)
            opens(fmt::format("ipv6 is \"dual\": IPv6{} is judged like IPv4, and no longer refused as a whole", where));
        else
            closes(fmt::format("ipv6 is \"deny\": all IPv6{} is refused from now on", where));
    }

    // Where a packet may come from, as far as permissions name its source or destination both before and after: what only one
    // of the policies names comes or goes with the permission.
    void spoofed() {
        const Sides was = sides_of(*before_.policy, before_.node);
        const Sides is = sides_of(*after_.policy, after_.node);
        std::vector<Range> ranges[] = {outside(is.tunnel, was.tunnel), outside(was.tunnel, is.tunnel),
                                       outside(is.far, was.far), outside(was.far, is.far)};
        if (std::ranges::all_of(ranges, [](const auto& list) { return list.empty(); })) return;
        const AddressSet old_talkers = talkers(before_);
        const AddressSet new_talkers = talkers(after_);
        const auto text = [&](const std::vector<Range>& list) {
            std::vector<std::string> texts;
            for (const Range& range : list)
                if (old_talkers.meets(range) && new_talkers.meets(range)) texts.push_back(to_string(range));
            return joined(texts);
        };
        if (const std::string list = text(ranges[0]); !list.empty())
            opens(fmt::format("what is allowed from {} may come out of {} from now on", list, tunnel()));
        if (const std::string list = text(ranges[1]); !list.empty())
            closes(fmt::format("what is allowed from {} may no longer come out of {}: it is refused as spoofed", list,
                               tunnel()));
        if (const std::string list = text(ranges[2]); !list.empty())
            closes(fmt::format("what comes from {} is refused as spoofed unless it comes out of {}", list, tunnel()));
        if (const std::string list = text(ranges[3]); !list.empty())
            opens(fmt::format("what comes from {} need no longer come out of {}", list, tunnel()));
    }

    void answers() {
        if (old_.source != new_.source) {
            if (new_.source == SourceNat::masquerade)
                both(
                    "source is \"masquerade\": servers see this host's address instead of the person's, and those "
                    "without a way back to the tunnel can answer");
            else
                both(
                    "source is \"routed\": servers see the person's own address instead of this host's, and need a "
                    "way back to the tunnel");
        }
        if (old_.denied == new_.denied) return;
        neither(new_.denied == Denied::reject
                    ? "denied is \"reject\": who is refused gets an answer (ICMP admin-prohibited)"
                    : "denied is \"drop\": who is refused gets no answer any more");
    }

    void logs() {
        const Log& was = before_.policy->log;
        const Log& is = after_.policy->log;
        if (was.denied != is.denied)
            neither(is.denied ? "what is refused is logged from now on" : "what is refused is no longer logged");
        else if (is.denied && (was.denied_limit != is.denied_limit || was.denied_burst != is.denied_burst))
            neither(fmt::format("of what is refused at most {}, {} at once, is logged: it was {}, {}",
                                to_string(is.denied_limit), is.denied_burst, to_string(was.denied_limit),
                                was.denied_burst));
        const auto old_names = logging(before_);
        const auto new_names = logging(after_);
        if (const auto more = missing_in(new_names, old_names); !more.empty())
            neither("what begins is logged from now on: " + joined(more));
        if (const auto less = missing_in(old_names, new_names); !less.empty())
            neither("what begins is no longer logged: " + joined(less));
        if (was.nflog_group != is.nflog_group)
            neither(is.nflog_group ? fmt::format("logs go to nflog group {}", *is.nflog_group)
                                   : std::string("logs go to the kernel log"));
        if (was.counters != is.counters)
            neither(is.counters ? "connections are counted for each service" : "connections are no longer counted");
    }

    const View& before_;
    const View& after_;
    const Node& old_;
    const Node& new_;
    std::vector<Term> out_;
};

// A first table: all that it closes, in a line or two, since no permission says so.
std::vector<Term> first_terms(const View& view) {
    const Node& node = view.policy->nodes[view.node];
    std::vector<Term> out;
    if (node.scope == Scope::none) return out;
    const std::string& tunnel = node.interface->value;
    if (node.scope == Scope::host) {
        out.push_back({fmt::format("scope is \"host\": everything else to and through this host {0}, on every "
                                   "interface: whoever is logged in from outside {1} too",
                                   untold, tunnel),
                       false, true});
        const auto untouched = untouched_of(node);
        if (!untouched.empty()) out.push_back({fmt::format("untouched: {}", fmt::join(untouched, ", ")), false, false});
        if (const auto port = wireguard_port(node))
            out.push_back({"implied, for WireGuard: " +
                               with_family(view, fmt::format("{}/udp from anywhere to this host", *port)),
                           false, false});
    } else {
        out.push_back({fmt::format("whatever else enters or leaves {} {}", tunnel, untold), false, true});
    }
    if (node.output)
        out.push_back({fmt::format("what this host itself sends{} {}",
                                   node.scope == Scope::host ? "" : " into " + tunnel, untold),
                       false, true});
    return out;
}

}  // namespace

std::vector<Term> compare_terms(const std::optional<View>& before, const View& after) {
    if (!before || before->policy->nodes[before->node].scope == Scope::none) return first_terms(after);
    return Terms(*before, after).run();
}

}  // namespace policyc
