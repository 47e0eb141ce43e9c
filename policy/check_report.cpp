// Says what in a list is of no use. Entry points: report_redundant(), report_empty().
#include "policy/check_report.h"

#include <fmt/format.h>

namespace policyc {

void report_redundant(const Lists& lists, std::string_view message, Diagnostics& diagnostics) {
    for (const Redundant& found : lists.redundant()) {
        const std::string& text = *found.entry->string();
        Diagnostic& diagnostic = diagnostics.report(Code::W0501, found.entry->span, std::string(message),
                                                    fmt::format("stands for {}", found.first));
        if (found.member != nullptr)
            diagnostic.also(found.member->span, fmt::format("already in `{}` ...", found.other_label));
        diagnostic.also(found.other->span, found.member != nullptr ? "... which is here" : "which is here too");
        diagnostic.help(
            fmt::format("remove \"{}\" here, or keep it and silence this line with  # policyc: allow W0501", text));
    }
}

void report_empty(const Fields& fields, std::string_view key, std::string_view so, Diagnostics& diagnostics) {
    const Entry* entry = fields.find(key);
    if (entry == nullptr || entry->value.array() == nullptr || !entry->value.array()->items.empty()) return;
    diagnostics
        .report(Code::W0504, entry->value.span, fmt::format("`{}` of {} is empty", key, fields.where()),
                std::string(so))
        .help("an empty list is nobody, or nothing, and never everything");
}

}  // namespace policyc
