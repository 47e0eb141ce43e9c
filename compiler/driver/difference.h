// What differs between the table that is there and the one that is wanted, as diff and apply judge it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/access.h"
#include "compiler/terms.h"

namespace policyc {

// What is known of the table that is there: the policy it was made from, and the table that policy makes.
struct Origin {
    const View* view = nullptr;
    const ir::Ruleset* meant = nullptr;
    std::string other;  // who made it, where that is another version: "policyc 0.0.9"
};

struct Difference {
    bool same = false;
    bool nothing_opens = false;  // whatever is listed: all of it passed before, since it wasn't judged
    Changes changes;
    std::size_t elements = 0;          // that would go or come
    std::size_t rules = 0;             // likewise
    std::size_t whole_chains = 0;      // that would go or come or get another policy
    bool anew = false;                 // the table goes and comes, with all in it
    std::vector<Term> remarks;         // what opens and closes beyond the changes
    std::vector<std::string> foreign;  // of the table that is there: what policyc did not write, or did not write so
    std::vector<std::string> missing;  // and what it wrote that is not there any more
    bool undoing_opens = false;        // where that goes and comes again
    bool undoing_closes = false;
    std::vector<std::string> chains;  // the chains that differ

    // By any change or remark. What moves opens where it is now and closes where it was.
    [[nodiscard]] bool widens() const;
    [[nodiscard]] bool narrows() const;
    // More than `changes` says: by a remark, or because somebody else had a hand in the table.
    [[nodiscard]] bool opens() const;
    [[nodiscard]] bool closes() const;
};

// `before` is absent where there is no table; a dormant one judges as little. What differs and no policy says, because somebody else wrote it or nobody knows who did, opens and closes what the
// diagrams say, or both where they can't.
Difference difference(const std::optional<ir::Ruleset>& before, const ir::Ruleset& after, const View& now,
                      const std::optional<Origin>& origin);

}  // namespace policyc
