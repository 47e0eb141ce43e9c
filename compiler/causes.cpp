// Divides what comes or goes by its causes: Causes::split().
#include "compiler/causes.h"

#include <algorithm>
#include <utility>

#include "compiler/lower.h"
#include "policy/expiry.h"

namespace policyc {

Causes::Causes(const Compiled& now, const Compiled& last, bool drifted, Arena& arena)
    : now_(now),
      last_(last),
      drifted_(drifted),
      addresses_changed_(*last.view().addresses != *now.view().addresses),
      arena_(arena) {}

std::vector<Line> Causes::split(const Line& line, Change::Kind kind) {
    using Cause = Change::Cause;
    const bool gain = kind == Change::Kind::gain;
    const Compiled& own = gain ? now_ : last_;
    std::vector<Box> rest(line.boxes.begin(), line.boxes.end());
    std::vector<Line> out;
    const auto add = [&](const std::vector<Box>& boxes, Cause cause, bool expired = false) {
        if (boxes.empty()) return;
        Line& part = out.emplace_back(line);
        part.cause = cause;
        part.expired = expired;
        if (std::ranges::equal(boxes, line.boxes)) return;
        part.boxes = arena_.keep(std::span<const Box>(boxes));
        part.cut = true;
    };
    if (drifted_) {
        std::vector<Box> allowed = last_.take(rest);
        if (!gain) std::swap(allowed, rest);
        add(allowed, Cause::drift);
    }
    if (!rest.empty() && addresses_changed_ && !(line.known && own.host_name(line.words.service).empty()))
        if (const Compiled* other = gain ? last_with_new_addresses() : with_old_addresses())
            add(other->take(rest), Cause::dns);
    if (!rest.empty() && !gain && has_expired(*now_.view().policy, now_.view().today))
        if (const Compiled* earlier = before_any_expiry()) add(earlier->take(rest), Cause::edit, true);
    add(rest, Cause::edit);
    return out;
}

const Compiled* Causes::with_old_addresses() {
    View view = now_.view();
    view.addresses = last_.view().addresses;
    return compiled(with_old_addresses_, view);
}

const Compiled* Causes::before_any_expiry() {
    View view = now_.view();
    view.today = Days{};
    return compiled(before_any_expiry_, view);
}

const Compiled* Causes::last_with_new_addresses() {
    View view = last_.view();
    view.addresses = now_.view().addresses;
    return compiled(last_with_new_addresses_, view);
}

const Compiled* Causes::compiled(WhatIf& there, View view) {
    if (!there.asked) {
        there.asked = true;
        view.ruleset = nullptr;
        try {
            const ir::Ruleset& ruleset =
                lowered_.emplace_back(lower(*view.policy, *view.addresses, view.node, view.today, view.layout));
            there.compiled.emplace(view, ruleset, reaches_.emplace_back(reach_of(ruleset)));
        } catch (const TooEntangled&) {
            return nullptr;  // the policies themselves are not, and are told with fewer causes
        }
    }
    return there.compiled ? &*there.compiled : nullptr;
}

}  // namespace policyc
