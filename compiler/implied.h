// What a policy lets through without listing it, or whatever it lists.
#pragma once

#include <vector>

#include "compiler/access.h"
#include "compiler/gaps.h"
#include "policy/address.h"
#include "policy/model.h"

namespace policyc {

// What is between two places on one side of a node in scope `tunnel`, or one of them and the node itself: beside the tunnel it is not judged, and nothing of it passes
// the tunnel but what is refused as spoofed. Only what is certain: what another node serves too may be behind the tunnel. Nothing in other scopes.
class Beside {
public:
    Beside() = default;
    Beside(const Policy& policy, std::size_t node);
    // Less what has not the same place under another policy, whatever is judged there: then it may have come out of the tunnel, or will.
    Beside(const View& view, const View* other);

    [[nodiscard]] bool sends(const Range& source) const { return near_.meets(source) || sends_here(source); }
    // Whether all of these sources to all of these destinations are, all that they send to this host, or all that this host sends there.
    [[nodiscard]] bool holds(const std::vector<Range>& sources, const std::vector<Range>& destinations) const;
    [[nodiscard]] bool holds_received(const std::vector<Range>& sources) const;
    [[nodiscard]] bool holds_sent(const std::vector<Range>& destinations) const;
    // Whether some of a box may be, and what is left of it, disjoint.
    [[nodiscard]] bool meets(const Box& box) const;
    [[nodiscard]] std::vector<Box> without(const Box& box) const;
    void take_out(Gaps& gaps) const;

    [[nodiscard]] const AddressSet& apart() const { return apart_; }
    [[nodiscard]] const AddressSet& around() const { return around_; }

private:
    void read(const Policy& policy, std::size_t node);
    [[nodiscard]] bool sends_here(const Range& source) const;
    [[nodiscard]] const AddressSet& hears(const Range& source) const;

    AddressSet near_;   // the near side, less its own addresses: who sends to this host
    AddressSet heard_;  // the near side with these: what it receives from there
    AddressSet apart_;  // of it, what no other node serves: who sends to whom
    AddressSet own_;
    AddressSet around_;   // both of these: what this host sends to
    bool sends_ = false;  // whether what this host sends is judged at all
};

// Of gaps between two policies: takes out what passes under this one, listed or not. (docs/language.md, section 2) Null where the other isn't known.
void take_out_unlisted(const View& view, const View* other, Gaps& gaps);

}  // namespace policyc
