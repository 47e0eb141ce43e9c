// Why flows are let through or not: the policy read permission by permission and line by line, written from docs/language.md, section 2. What it says is to be compared
// with what the diagram of the policy says and what the kernel does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/access.h"
#include "policy/model.h"
#include "policy/names.h"
#include "policy/reach.h"
#include "policy/result.h"

namespace policyc::explain {

// What kind of interface a packet enters or leaves through: the node's WireGuard interface, one in `untouched`, loopback, or any other.
enum class Side : std::uint8_t { tunnel, other, untouched, loopback };

// Where a packet meets the node. At the input hook `out` is not read and at output `in` is not: both are `other` there.
struct Passage {
    Direction hook{};
    Side in{};
    Side out{};

    auto operator<=>(const Passage&) const = default;
};

// One flow, by the packet that begins it. `slot` is protocol and port as one number: see reach::Slots.
struct Flow {
    Address source;
    Address destination;
    std::uint32_t slot = 0;
    Passage passage;
};

// `unjudged`: policyc has no opinion, and so lets it pass.
enum class Verdict : std::uint8_t { allowed, denied, unjudged };

enum class Why : std::uint8_t {
    permission,  // allowed: a line of the policy covers it
    loopback,    // allowed in scope host
    wireguard,   // allowed in scope host: WireGuard itself, of this node or of its peer
    no_permission,
    family,         // denied: ipv6 = "deny"
    not_a_source,   // denied as spoofed: it comes out of the tunnel from an address that nobody there has
    behind_tunnel,  // denied as spoofed: it comes from elsewhere with an address whose place is behind the tunnel
    scope_none,     // not judged, and all that follow
    beside_tunnel,  // scope tunnel, and it neither enters nor leaves there
    no_output,      // this host sends it, and has no `output`
    untouched_interface,
    untouched_network,
};

// A verdict on some of what was asked, and why; both once for each family and each way past the node.
struct Finding {
    Verdict verdict{};
    Why why{};
    Flow example;
    Span span;  // the line that decides; points nowhere where there is none, and of `permission`
};

// A line that lets through what was asked, or some of it.
struct Line {
    reach::Permission permission;
    bool whole = false;  // all of it by itself
};

// An entry of the `who` or `from` of a line that holds the source that was asked about, or some of it.
struct Holder {
    Span span;
    bool all = false;               // of the source
    std::vector<std::string> some;  // else what it holds of it: "laptop 10.69.50.11"
};

// What would let the flow through that no line does.
struct Miss {
    enum class Kind : std::uint8_t {
        own,  // if the address is the node's own, which the policy doesn't all know: an input lets it in, or the node may send it
        port,     // another port or protocol of that host
        grant,    // a tier that waits for a grant
        bastion,  // a tier that is for sessions on a node
        expired,
        address,  // the name has no address
        family,   // the same in the other family
        person,   // somebody else may
    };
    Kind kind{};
    std::string text;  // goes on from "it would be allowed": "on port 8096", "with a grant of tier full, at most 4h"
    std::string via;   // "tiers.full"; empty of another family
    Span span;         // the entry that would
};

// Flows of one family that pass the node alike: from each source to each destination. Which verdicts there are among them.
struct Shares {
    bool allowed = false;
    bool denied = false;
    bool unjudged = false;

    bool operator==(const Shares&) const = default;
};
struct Part {
    Passage passage;
    Family family{};
    AddressSet sources;
    AddressSet destinations;
    Shares shares;
};

// What there is to say of one source and one target of the question.
struct Answer {
    Source source;
    Target target;
    std::vector<Part> parts;
    std::vector<Finding> findings;  // those that allow, those that deny, then the rest
    std::vector<Line> lines;        // by place
    std::vector<Miss> misses;       // where something is denied for want of a permission: the likeliest first
    bool assumed = false;           // the interface that it comes in through: nothing says where the source is
    std::string nothing;            // why there is nothing to judge, and all is denied: "`grafana` has no address"

    // All of it alike; nothing where some is allowed or left alone and some is denied. Where some is allowed and the rest left alone, `allowed`.
    [[nodiscard]] std::optional<Verdict> verdict() const;
};

// What is asked, of which node and when. `in`: the interface that packets come in through; where it isn't said, it follows from who sends.
struct Asked {
    const Policy& policy;
    const Addresses& addresses;
    std::size_t node = 0;
    Days today{};
    std::optional<Side> in;
    // What the addresses are from, to say why a name has none.
    const Lock* lock = nullptr;
    Time now{};
    // Where the host that was asked would send to: by which kind of interface those come in of whose place the policy says nothing, and what it doesn't
    // know goes out.
    std::optional<Side> routed_in = {};
    std::optional<Side> routed_out = {};
    std::optional<std::vector<Address>> own = {};  // every address of the node, where its host was asked
};

// Answers for each source in `from` and each target in `allow` of the question, which is one source and one target as they were typed. More pairs than
// `most_answers`, and what overlaps too much to be told apart, is an Error.
inline constexpr std::size_t most_answers = 256;
Result<std::vector<Answer>> explain(const Asked& asked, const Expectation& question);

// The entries by which the line is for that source: one that holds all of it, where there is one, else those that hold a part. None of an output.
std::vector<Holder> holders_of(const Asked& asked, const Answer& answer, const Line& line);

// "tiers.vpn", "input.ssh", "output"
std::string holder_of(const Policy& policy, const reach::Permission& permission);

}  // namespace policyc::explain
