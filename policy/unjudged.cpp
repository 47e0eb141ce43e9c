// Finds what passes beside all that judges. Entry point: warn_unjudged().
#include "policy/unjudged.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "policy/finding.h"
#include "policy/reach.h"

namespace policyc {
namespace {

// Of a policy in which more ends have to be paired no more is said.
constexpr std::size_t most_pairs = 500'000;

// Where a flow begins or ends: at a node, or in what it alone serves.
struct FlowPlace {
    Range range;
    std::size_t node = 0;
    bool own = false;
};

// Why nobody judges a flow, and the node that could.
struct Bypass {
    enum class Why : std::uint8_t {
        beside,   // both ends are on one side of the node
        between,  // the node passes it on from tunnel to tunnel
        at_end,   // it is for the node
    };
    // A node that judges, and the one that could send it there and back all the same, by routes that no policy knows.
    struct Detour {
        std::size_t by = 0;
        std::size_t through = 0;
    };
    Why why{};
    std::size_t node = 0;
    std::optional<Detour> unless = {};
};

// The nodes as `peer` connects them. Where that makes a ring there are several ways, and nothing is certain.
class PeerTree {
public:
    explicit PeerTree(const std::vector<Node>& nodes) : links_(nodes.size()), up_(nodes.size()), trees_(nodes.size()) {
        std::set<std::pair<std::size_t, std::size_t>> seen;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (!nodes[i].peer || !seen.insert(std::minmax(i, *nodes[i].peer)).second) continue;
            links_[i].push_back(*nodes[i].peer);
            links_[*nodes[i].peer].push_back(i);
        }
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if (trees_[i] == 0) spread(i);
    }

    // The nodes between the two; nothing where it is not certain which they are.
    [[nodiscard]] std::optional<std::vector<std::size_t>> between(std::size_t from, std::size_t to) const {
        if (trees_[from] != trees_[to] || rings_.contains(trees_[from])) return {};
        std::vector<std::size_t> there = to_root(from);
        std::vector<std::size_t> back = to_root(to);
        std::size_t meeting = from;
        while (!there.empty() && !back.empty() && there.back() == back.back()) {
            meeting = there.back();
            there.pop_back();
            back.pop_back();
        }
        there.push_back(meeting);
        there.insert(there.end(), back.rbegin(), back.rend());
        std::erase_if(there, [&](std::size_t node) { return node == from || node == to; });
        return there;
    }

    // Of all who may pass on what `from` sends, before it is at `to`, one that `wanted` holds of, and who sent it there.
    template <typename Wanted>
    [[nodiscard]] std::optional<Bypass::Detour> detour(std::size_t from, std::size_t to, const Wanted& wanted,
                                                       reach::Budget& budget) const {
        std::set<std::size_t> seen{from, to};
        std::vector<std::size_t> reached{from};
        for (std::size_t at = 0; at < reached.size(); ++at) {
            for (const std::size_t next : links_[reached[at]]) {
                if (!seen.insert(next).second || !budget.spend(1)) continue;
                if (wanted(next)) return Bypass::Detour{reached[at], next};
                reached.push_back(next);
            }
        }
        return {};
    }

private:
    void spread(std::size_t root) {
        const std::size_t tree = ++last_tree_;
        std::vector<std::size_t> reached{root};
        std::size_t ends = 0;
        trees_[root] = tree;
        up_[root] = root;
        for (std::size_t at = 0; at < reached.size(); ++at) {
            ends += links_[reached[at]].size();
            for (const std::size_t next : links_[reached[at]]) {
                if (trees_[next] != 0) continue;
                trees_[next] = tree;
                up_[next] = reached[at];
                reached.push_back(next);
            }
        }
        if (ends != 2 * (reached.size() - 1)) rings_.insert(tree);
    }

    [[nodiscard]] std::vector<std::size_t> to_root(std::size_t node) const {
        std::vector<std::size_t> way{node};
        while (up_[node] != node) way.push_back(node = up_[node]);
        return way;
    }

    std::vector<std::vector<std::size_t>> links_;
    std::vector<std::size_t> up_;
    std::vector<std::size_t> trees_;  // the number of its tree
    std::set<std::size_t> rings_;
    std::size_t last_tree_ = 0;
};

class BypassFinder {
public:
    BypassFinder(const Policy& policy, const Addresses& addresses)
        : policy_(policy), addresses_(addresses), peers_(policy.nodes) {
        std::vector<reach::Area> served;
        for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
            const Node& node = policy.nodes[i];
            for (const auto& address : node.addresses) own_.push_back({range_of(address.value), i, true});
            for (const auto& range : node.serves) served.push_back({range.value, {0, reach::Slots::other}, i});
            if (node.scope == Scope::host) whole_hosts_.push_back(i);
        }
        std::ranges::sort(own_, {}, &FlowPlace::range);
        served_ = reach::AreaIndex(std::move(served));
    }

    struct Ends {
        std::vector<FlowPlace> places;
        bool all = true;  // nothing is elsewhere
    };
    void add_ends(const Host& host, Ends& ends) const {
        for (const Range& range : reach::addresses_of_host(policy_, addresses_, host)) take(range, ends);
    }
    [[nodiscard]] Ends ends_of(const Host& host) const {
        Ends ends;
        add_ends(host, ends);
        return ends;
    }
    // All that is at a node, or served by one.
    [[nodiscard]] Ends everywhere() const {
        Ends ends;
        for (std::size_t i = 0; i < policy_.nodes.size(); ++i) {
            add_ends(NodeRef{i}, ends);
            for (const auto& range : policy_.nodes[i].serves) take(range.value, ends);
        }
        return ends;
    }

    [[nodiscard]] std::optional<Bypass> bypass(const FlowPlace& from, const FlowPlace& to,
                                               reach::Budget& budget) const {
        const Node& sender = policy_.nodes[from.node];
        const Node& receiver = policy_.nodes[to.node];
        const bool hosts = from.own && to.own;
        if (from.node == to.node) {
            if (hosts || !whole_hosts_.empty()) return {};
            return Bypass{Bypass::Why::beside, from.node};
        }
        if (receiver.scope != Scope::none || (sender.scope != Scope::none && (!from.own || sender.output))) return {};
        const auto between = peers_.between(from.node, to.node);
        const auto judges = [&](std::size_t node) { return policy_.nodes[node].scope != Scope::none; };
        if (!between || std::ranges::any_of(*between, judges)) return {};
        // One that judges all it sees may be in a network at either end, and see it there.
        if (!hosts && !whole_hosts_.empty()) return {};
        const auto detour = peers_.detour(from.node, to.node, judges, budget);
        if (between->empty()) return Bypass{Bypass::Why::at_end, to.node, detour};
        return Bypass{Bypass::Why::between, between->front(), detour};
    }

private:
    void take(const Range& range, Ends& ends) const {
        if (range.family == Family::ipv6 && policy_.ipv6 == Ipv6::deny) return;
        AddressSet rest({range});
        auto own = std::ranges::lower_bound(own_, Range{range.family, range.lo, range.lo}, {}, &FlowPlace::range);
        for (; own != own_.end() && own->range.meets(range); ++own) {
            ends.places.push_back(*own);
            rest.subtract(own->range);
        }
        for (const Range& part : rest.ranges()) {
            const reach::Area area{part, {0, reach::Slots::other}, 0};
            reach::Budget budget(most_pairs);
            reach::cut(area, served_.meeting(area), budget,
                       [&](const reach::Area& piece, const std::vector<std::size_t>& servers) {
                           if (servers.size() == 1)
                               ends.places.push_back({piece.destination, servers.front(), false});
                           else
                               ends.all = false;
                       });
            ends.all = ends.all && !budget.spent();
        }
    }

    const Policy& policy_;
    const Addresses& addresses_;
    PeerTree peers_;
    std::vector<FlowPlace> own_;            // by address
    reach::AreaIndex served_;               // by node
    std::vector<std::size_t> whole_hosts_;  // nodes in scope host
};

class UnjudgedWarnings {
public:
    UnjudgedWarnings(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics)
        : policy_(policy), addresses_(addresses), diagnostics_(diagnostics), finder_(policy, addresses) {}

    void tier(const Tier& tier) {
        if (tier.bastion || tier.who.empty()) return;
        const Ends from = ends_of(tier.who);
        if (!from.all || from.places.empty()) return;
        for (std::size_t i = 0, next = 0; i < tier.allow.size(); i = next) {
            std::vector<const Target*> entry;
            for (; next < tier.allow.size() && tier.allow[next].span == tier.allow[i].span; ++next)
                entry.push_back(&tier.allow[next]);
            std::optional<Example> example;
            const bool unjudged = std::ranges::all_of(entry, [&](const Target* target) {
                const Ends to = finder_.ends_of(target->host);
                return to.all && !to.places.empty() && nobody_judges(from.places, target, to.places, example);
            });
            if (unjudged && example) report_tier(tier, *example);
        }
    }

    void test(const Expectation& test) {
        const Ends from = ends_of(test.from);
        if (test.deny) {
            std::set<Span> told;
            for (const Target& target : test.deny->targets) {
                if (told.contains(target.span)) continue;
                const std::optional<Example> example = passing(from.places, target);
                if (!example) continue;
                told.insert(target.span);
                report_test(test, *example);
            }
        }
        if (test.only && from.all && !from.places.empty()) only(test, from.places);
    }

private:
    using Ends = BypassFinder::Ends;
    struct Example {
        const Target* target;
        FlowPlace from;
        FlowPlace to;
        Bypass bypass;
    };

    [[nodiscard]] Ends ends_of(const std::vector<Source>& sources) const {
        Ends ends;
        for (const Source& source : sources) finder_.add_ends(source.host, ends);
        return ends;
    }

    // Whether that is certain of each pair; the first is an example.
    bool nobody_judges(const std::vector<FlowPlace>& sources, const Target* target, const std::vector<FlowPlace>& to,
                       std::optional<Example>& example) {
        for (const FlowPlace& there : to) {
            for (const FlowPlace& here : sources) {
                if (here.range.family != there.range.family || same(here, there)) continue;
                const auto bypass = spend() ? finder_.bypass(here, there, pairs_) : std::nullopt;
                if (!bypass || bypass->unless || pairs_.spent()) return false;
                if (!example) example = Example{target, here, there, *bypass};
            }
        }
        return true;
    }

    std::optional<Example> passing(const std::vector<FlowPlace>& sources, const Target& target) {
        for (const FlowPlace& there : finder_.ends_of(target.host).places) {
            for (const FlowPlace& here : sources) {
                if (here.range.family != there.range.family || same(here, there) || !spend()) continue;
                if (const auto bypass = finder_.bypass(here, there, pairs_); bypass && !pairs_.spent())
                    return Example{&target, here, there, *bypass};
            }
        }
        return {};
    }

    // A host and itself.
    static bool same(const FlowPlace& a, const FlowPlace& b) {
        return (a.own && b.own && a.node == b.node) || (a.range == b.range && a.range.single());
    }
    bool spend() { return pairs_.spend(1); }

    // What a message says of an example: "laptop 10.69.50.11 -> 10.69.50.12:22/tcp".
    [[nodiscard]] std::string flow(const Example& example, const std::vector<Source>& sources) const {
        std::string who;
        for (const Source& source : sources) {
            const auto ranges = reach::addresses_of_host(policy_, addresses_, source.host);
            if (std::ranges::none_of(ranges, [&](const Range& range) { return range.holds(example.from.range); }))
                continue;
            if (!parse_cidr(source.label)) who = source.label + " ";
            break;
        }
        const reach::Slots slots =
            example.target != nullptr ? reach::slots_of(example.target->ports) : reach::Slots{0, reach::Slots::other};
        Address from = reach::host_in(example.from.range);
        Address to = reach::host_in(example.to.range);
        // Another one, then.
        const auto move = [](Address& address, const Range& range) {
            address.bits = address.bits < range.hi ? address.bits + 1 : range.lo;
        };
        if (from == to && example.to.range.single())
            move(from, example.from.range);
        else if (from == to)
            move(to, example.to.range);
        return fmt::format("{}{} -> {}", who, to_string(from), reach::to_string(to, reach::slot_in(slots)));
    }

    void tell_why(const Example& example, const std::vector<Source>& sources, Diagnostic& diagnostic) const {
        const Node& node = policy_.nodes[example.bypass.node];
        diagnostic.note(fmt::format("for example  {}", flow(example, sources)));
        switch (example.bypass.why) {
            case Bypass::Why::beside:
                diagnostic.also(node.span,
                                node.scope == Scope::none
                                    ? "both ends are on its side of the tunnel, and its scope is \"none\""
                                    : "both ends are on its side of the tunnel, and it judges only what passes that");
                diagnostic.help(fmt::format("scope = \"host\"{} on {} judges it{}",
                                            example.from.own ? " with `output`" : "", node.name,
                                            example.from.own || example.to.own ? "" : ", where it passes that host"));
                break;
            case Bypass::Why::between:
                diagnostic.also(node.span, "passes it on, and judges nothing: its scope is \"none\"");
                diagnostic.help(
                    fmt::format("scope = \"tunnel\" on {} judges what goes from tunnel to tunnel", node.name));
                break;
            case Bypass::Why::at_end:
                diagnostic.also(node.span, "it is for this node, which judges nothing: its scope is \"none\"");
                diagnostic.help(fmt::format("scope = \"tunnel\" on {} judges what comes out of the tunnel", node.name));
                break;
        }
    }

    void report_tier(const Tier& tier, const Example& example) {
        Diagnostic& diagnostic =
            diagnostics_.report(Code::W0507, example.target->span,
                                fmt::format("no node judges `{}` of tier `{}`", spell(*example.target), tier.name),
                                "passes, with this entry and without");
        tell_why(example, tier.who, diagnostic);
    }

    void report_test(const Expectation& test, const Example& example) {
        const auto& unless = example.bypass.unless;
        const auto name = [this](std::size_t node) { return policy_.nodes[node].name; };
        Diagnostic& diagnostic =
            diagnostics_.report(Code::W0706, example.target->span,
                                fmt::format("test \"{}\" denies what no node on the way judges", test.name),
                                unless ? fmt::format("some of it passes, unless `{}` sends it through `{}`",
                                                     name(unless->by), name(unless->through))
                                       : "some of it passes, whatever the policy says");
        tell_why(example, test.from, diagnostic);
    }

    // Nothing else is reached, it says: where none of what there is would be judged, that is no claim.
    void only(const Expectation& test, const std::vector<FlowPlace>& sources) {
        std::optional<Example> example;
        if (!nobody_judges(sources, nullptr, finder_.everywhere().places, example) || !example) return;
        Diagnostic& diagnostic = diagnostics_.report(Code::W0706, test.only->span,
                                                     fmt::format("test \"{}\" is about what no node judges", test.name),
                                                     "whatever `from` sends to a node, or to what one serves, passes");
        tell_why(*example, test.from, diagnostic);
    }

    const Policy& policy_;
    const Addresses& addresses_;
    Diagnostics& diagnostics_;
    BypassFinder finder_;
    reach::Budget pairs_{most_pairs};
};

}  // namespace

void warn_unjudged(const Policy& policy, const Addresses& addresses, Diagnostics& diagnostics) {
    UnjudgedWarnings warnings(policy, addresses, diagnostics);
    // Where nothing is judged anywhere, that is no news of an entry.
    if (std::ranges::any_of(policy.nodes, [](const Node& node) { return node.scope != Scope::none; }))
        for (const Tier& tier : policy.tiers) warnings.tier(tier);
    for (const Expectation& test : policy.tests) warnings.test(test);
}

}  // namespace policyc
