// What a table itself may bear. It may be there with all it holds and judge nothing: nft(8), `flags dormant`, as whoever is locked out sets it from a console. Or a program
// owns it, or it has a comment: these can't be taken from it.
#pragma once

#include <algorithm>
#include <optional>

#include "compiler/ir.h"

namespace policyc {

// How a reader of the kernel says so, among what is foreign.
inline constexpr const char* dormant_text = "the table is dormant: it judges nothing";

inline constexpr const char* owned_text = "the table has flags: a program owns it";

// Whether it bears what can't be changed in place: it has to be made anew.
inline bool is_marked(const ir::Ruleset& table) {
    return std::ranges::any_of(table.foreign, [](const ir::Foreign& one) {
        return one.kind == ir::Foreign::Kind::table && one.text != dormant_text;
    });
}
inline bool is_owned(const ir::Ruleset& table) {
    return std::ranges::any_of(table.foreign, [](const ir::Foreign& one) {
        return one.kind == ir::Foreign::Kind::table && one.text == owned_text;
    });
}

inline bool is_dormant(const ir::Ruleset& table) {
    return std::ranges::any_of(table.foreign, [](const ir::Foreign& one) {
        return one.kind == ir::Foreign::Kind::table && one.text == dormant_text;
    });
}
inline bool is_dormant(const std::optional<ir::Ruleset>& table) {
    return table && is_dormant(*table);
}

// Why nothing is judged now; "" where the table that is there judges.
inline const char* why_unjudged(const std::optional<ir::Ruleset>& table) {
    if (!table) return "there is no table inet policyc";
    return is_dormant(*table) ? "table inet policyc is dormant" : "";
}

}  // namespace policyc
