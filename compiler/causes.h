// Why something comes or goes: an edit, DNS, or somebody else's hand in the kernel; found by what the old and the new policy would let through with each other's addresses.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "compiler/lines.h"
#include "compiler/words.h"

namespace policyc {

class Causes {
public:
    // `drifted`: the table is another than `last` makes. All of it must outlive this, and the boxes of the arena what is made of it.
    Causes(const Compiled& now, const Compiled& last, bool drifted, Arena& arena);

    // In parts that each come or go for one reason. What the last policy allows comes since somebody took it out of the kernel, and what it doesn't goes since somebody put it
    // there. By DNS comes what it allows with the addresses of now, and goes what the new one allows with those of then; what the new one would allow had nothing expired has.
    [[nodiscard]] std::vector<Line> split(const Line& line, Change::Kind kind);

    // The new policy with the addresses of the last one, and on a day when nothing of it had expired. Null where that is too entangled to be compiled: nothing is found to
    // have such a cause then.
    const Compiled* with_old_addresses();
    const Compiled* before_any_expiry();

private:
    // What a policy would be that nobody has: made when it is first asked.
    struct WhatIf {
        bool asked = false;
        std::optional<Compiled> compiled;
    };

    const Compiled* last_with_new_addresses();
    const Compiled* compiled(WhatIf& there, View view);

    const Compiled& now_;
    const Compiled& last_;
    bool drifted_;
    bool addresses_changed_;
    Arena& arena_;
    std::deque<ir::Ruleset> lowered_;
    std::deque<Reach> reaches_;
    WhatIf with_old_addresses_, last_with_new_addresses_, before_any_expiry_;
};

}  // namespace policyc
