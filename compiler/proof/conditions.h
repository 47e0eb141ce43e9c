// The statements of rules that ask something of a packet, as sets of points.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/proof/members.h"

namespace policyc::proof {

// Which buckets of rates have room for the packet.
struct Room {
    enum class Kind : std::uint8_t { unknown, all, none, all_but };
    Kind kind = Kind::unknown;
    Rate rate;  // of `all_but`
};

// Where the packets are that conditions are asked about.
struct Place {
    Hook hook{};  // of the points
    bool has_in = true;
    bool has_out = true;
    Phase phase;
    Room room;
};

class Conditions {
public:
    Conditions(Space& space, Members& members, Interfaces interfaces)
        : space_(space), members_(members), interfaces_(std::move(interfaces)) {}

    void begin(const Place& place) { place_ = place; }

    // For every packet that comes to the statement; nothing where it asks nothing, or is a verdict. One that isn't known (see understood.h) holds for none that
    // must pass and for any that must not.
    std::optional<Holds> of(const ir::Statement& statement);
    // Of `vmap`: one for each verdict of the map.
    const std::vector<Holds>& verdicts(const ir::LookupVerdict& lookup);
    [[nodiscard]] const ir::Set& set(const std::string& name) const { return members_.set(name); }

private:
    [[nodiscard]] KeyReading key_of(const std::vector<ir::Field>& fields) const;
    Holds names(ir::Field field, const std::vector<std::string>& names);
    Holds negated(const Holds& holds, Set asked);
    Holds ask(const ir::Lookup& lookup);
    Holds ask(const ir::MatchState& match);
    Holds ask(const ir::MatchIcmp& match);
    Holds ask(const ir::UpdateRate& update);
    Holds bit(Bit bit);

    Space& space_;
    Members& members_;
    Interfaces interfaces_;
    Place place_;
};

}  // namespace policyc::proof
