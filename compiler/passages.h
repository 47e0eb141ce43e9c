// Where addresses have their place, seen from a node, and how packets between them pass it.
#pragma once

#include <array>
#include <vector>

#include "compiler/explain.h"

namespace policyc::explain {

// The node itself, its near side, the far side, somebody whom a `who` or `from` names, or none of these (docs/language.md, section 2).
enum class Place : std::uint8_t { own, near, far, named, elsewhere };
inline constexpr std::size_t places = 5;

// Flows that pass alike, from sources that have one place.
struct Placed {
    Part part;
    Place who{};
};

class Passages {
public:
    explicit Passages(const Asked& asked);

    // All flows from the sources to the destinations, which are of one family.
    [[nodiscard]] std::vector<Placed> between(const AddressSet& sources, const AddressSet& destinations) const;

private:
    [[nodiscard]] Side way_in(Place who) const;
    [[nodiscard]] Passage passage_of(Place who, Place where) const;

    const Asked& asked_;
    const Node& node_;
    std::array<AddressSet, places> senders_;
    std::array<AddressSet, places> receivers_;
};

// What is in the set and not in `of`.
AddressSet outside(AddressSet set, const AddressSet& of);

}  // namespace policyc::explain
