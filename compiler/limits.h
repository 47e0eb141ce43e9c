// Rates of new connections: who may begin more or fewer of them under another policy.
#pragma once

#include <string>
#include <vector>

#include "compiler/access.h"
#include "compiler/arena.h"
#include "compiler/buckets.h"
#include "compiler/terms.h"

namespace policyc {

// The rates of what both policies allow, where they differ: a remark for each service, old and new rate, with the people it is
// about. What only one of them allows is a gain or a loss, and not told here. Each service is judged alone: that a tier has one
// bucket for all of its services is left aside.
std::vector<Term> compare_limits(const View& before, const View& after);

// The limits that were written, changed or removed, for where compare_limits() has nothing to tell: no flow comes by more or less.
std::vector<Term> idle_limits(const View& before, const View& after);

// The rates of one policy.
class Rates {
public:
    explicit Rates(const View& view);

    // "3/minute plus 5/minute", "no limit": that the first flow of the box is under.
    [[nodiscard]] std::string of(const Box& box) const;

private:
    Arena texts_;
    std::vector<Giver> givers_;  // none where nothing is limited
};

}  // namespace policyc
