// The sets and maps of a Ruleset as sets of points, by the fields that a rule reads its key from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/ir.h"
#include "compiler/proof/packet.h"
#include "compiler/proof/servers.h"
#include "compiler/proof/space.h"

namespace policyc::proof {

// Which packets a condition lets go on: those that may, and those of them that certainly do. Where the point doesn't say all that the condition asks for (the port of a
// client, the room in a bucket, a name of an interface), some may and none must. A point that `must` holds is in `may`.
struct Holds {
    Set may = everything;
    Set must = everything;
};

// A kind of interface stands for all interfaces that are alike to the policy.
class Interfaces {
public:
    explicit Interfaces(const Node& node);
    // Of the interfaces of that kind, whether one bears one of the names, and whether all do.
    [[nodiscard]] bool some(Side side, const std::vector<std::string>& names) const;
    [[nodiscard]] bool all(Side side, const std::vector<std::string>& names) const;
    [[nodiscard]] bool has_untouched() const { return !untouched_.empty(); }

private:
    [[nodiscard]] Side side_of(const std::string& name) const;

    std::string tunnel_;
    std::vector<std::string> untouched_;  // neither the tunnel nor loopback
};

// What a packet has of the fields that a key is made of; how ports of clients are read depends on the hook.
struct KeyReading {
    std::vector<Reading> fields;
    Field way_out = Field::out;  // of the interface between this host and who it talks to: `in` or `out`

    bool operator<(const KeyReading& other) const;
};

class Members {
public:
    // `servers`: no client uses these.
    Members(Space& space, const ir::Ruleset& ruleset, Servers servers);

    // The packets whose key is in the set, or has an entry in the map. The set is there and of these types.
    Holds in(const std::string& set, const KeyReading& key);
    // The same of a map to chains, for each of its verdicts; a packet is in the `must` of one of them at most.
    const std::vector<Holds>& verdicts(const std::string& map, const KeyReading& key);
    // The packets whose field has that value.
    Holds at(const Reading& reading, Field way_out, Interval value);
    // Those that have all of these fields.
    Set with(const KeyReading& key);

    [[nodiscard]] const ir::Set& set(const std::string& name) const;

private:
    using Where = std::pair<const ir::Set*, KeyReading>;
    std::vector<Holds> read(const ir::Set& set, const KeyReading& key, std::size_t parts);
    bool narrow(FlowBox& box, const Reading& reading, Interval value, Field way_out) const;
    // Whether a packet may be in two of the parts.
    struct Meeting {
        Set all = nothing;
        bool twice = false;
    };
    [[nodiscard]] Meeting meet(std::span<const Holds> parts) const;

    Space& space_;
    std::map<std::string, const ir::Set*, std::less<>> sets_;
    std::vector<Interval> tcp_clients_;
    std::vector<Interval> udp_clients_;             // into the tunnel
    std::vector<Interval> outer_clients_;           // of UDP, elsewhere
    std::map<Where, Holds> known_;                  // for the whole of the set
    std::map<Where, std::vector<Holds>> verdicts_;  // one for each verdict of the map
};

}  // namespace policyc::proof
