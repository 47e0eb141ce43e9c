// The kernel behind an interface: what is loaded now, and one transaction that changes it. backends/netlink/kernel.h is the real one,
// backends/libnftables.h the same by way of nft's library, backends/fake.h the one in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc {

// A base chain of a table that is not ours, and one thing that it does to packets: by its policy or by a rule. (nft(8): statements)
struct ForeignChain {
    enum class Does : std::uint8_t {
        refuses,     // drop, reject
        translates,  // dnat, snat, masquerade, redirect
        untracks,    // notrack
        zones,       // ct zone set: connection tracking then takes packets of two zones for those of two flows
        rewrites,    // writes addresses or ports into packets, past connection tracking
        hands_over,  // tproxy, queue, dup: to a program of this host, or to another host
        offloads,    // flow add: packets of such a flow meet no chain from then on
        sends_on,    // fwd, and dup of netdev: out through an interface that the rule names, past all hooks between
        answers,  // synproxy: this host answers a SYN in the place of the server, and begins the session with it itself
        diverts,  // meta pkttype set, broute set: whether a packet is for this host, whether it is bridged or routed
    };
    std::string table;  // "inet filter": family and name
    std::string name;
    std::string hook;                  // "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"
    std::vector<std::string> devices;  // of ingress and egress: at which interfaces
    // Its policy is drop where this is empty; else a rule of this chain does it: its own, or one that it leads to.
    std::string rule_in;
    Does does = Does::refuses;
};

// A moment of one network namespace: equal ones have the same rulesets in the kernel, elements that expired or that rules added apart.
struct Moment {
    std::uint32_t generation = 0;         // counts transactions; begins anew with each boot
    std::uint64_t network_namespace = 0;  // tells it from others since boot; 0: the kernel can't tell

    bool operator==(const Moment&) const = default;
};

// What the kernel held at a moment.
struct Snapshot {
    std::optional<ir::Ruleset> ruleset;  // nothing: there was no `table inet policyc`
    Moment moment;
};

// The element of a set that holds a key.
struct Held {
    ir::Life life;
    std::string counter;                 // what a map to counters gives: its name
    std::optional<ir::ToChain> verdict;  // what a map to verdicts gives

    bool operator==(const Held&) const = default;
};

class Kernel {
public:
    virtual ~Kernel() = default;

    virtual Result<Moment> moment() = 0;

    // `table inet policyc` as it is in the kernel of this network namespace: read in one piece, between two transactions.
    virtual Result<Snapshot> read() = 0;

    // In one transaction, makes `table inet policyc`, which was as `before` says, be exactly `wanted` (an empty Ruleset: be gone). Touches no
    // other table. What is the same in both is left as it is, with its counters and timeouts, where the backend can.
    // Where somebody else changed the rulesets since `before` was read, the backend may look again and send the same once more; `stale`: what it would have to send is not the same any
    // more, or too many were faster, and nothing was done. After an error the kernel holds what it held.
    // `review` is asked before anything is sent, about the table that the transaction would make: decoded from its bytes, where the backend has bytes. Nothing is
    // sent when it has an error, which is returned.
    struct Commit {
        bool stale = false;
        std::uint32_t onto = 0;  // the generation that the transaction was put on

        // Whether `now` is before any other transaction. This one made the next generation, which is never 0 (net/netfilter/nf_tables_api.c), or none where the kernel
        // found nothing to change.
        [[nodiscard]] bool is_last(const Moment& now) const {
            const std::uint32_t next = onto + 1 == 0 ? 1 : onto + 1;
            return now.generation == next || now.generation == onto;
        }
    };
    using Review = std::function<Result<void>(const ir::Ruleset&)>;
    virtual Result<Commit> commit(const Snapshot& before, const ir::Ruleset& wanted, const Review& review) = 0;

    // The kernel's own look-up: the element that holds `key`, which is one point as point_of() (look_up.h) makes it. Nothing where none does, or where the
    // set isn't there any more. `set` is one of those that read() gave.
    virtual Result<std::optional<Held>> look_up(const ir::Set& set, std::string_view key) = 0;

    // What the base chains of other tables do to packets, of all families, for each thing one entry. Those that refuse can refuse what ours
    // allows, since a packet passes only when every base chain of a hook accepts it. Not those of dormant tables, which no packet meets.
    virtual Result<std::vector<ForeignChain>> foreign_chains() = 0;
};

}  // namespace policyc
