// Says what in a list is of no use. Entry point: report_empty().
#include "policy/check_report.h"

#include <fmt/format.h>

namespace policyc {

void report_empty(const Fields& fields, std::string_view key, std::string_view so, Diagnostics& diagnostics) {
    const Entry* entry = fields.find(key);
    if (entry == nullptr || entry->value.array() == nullptr || !entry->value.array()->items.empty()) return;
    diagnostics
        .report(Code::W0504, entry->value.span, fmt::format("`{}` of {} is empty", key, fields.where()),
                std::string(so))
        .help("an empty list is nobody, or nothing, and never everything");
}

}  // namespace policyc
