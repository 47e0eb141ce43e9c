// The table of diagnostic codes as data. Entry points: info, all_codes.
#include "policy/codes.h"

#include <algorithm>

namespace policyc {
namespace {

constexpr Severity severity_of(std::string_view name) {
    return name.front() == 'W' ? Severity::warning : Severity::error;
}

}  // namespace

const std::vector<CodeInfo>& all_codes() {
#define X(code, title) CodeInfo{Code::code, #code, title, severity_of(#code)},
    static const std::vector<CodeInfo> codes{POLICYC_CODES(X)};
#undef X
    return codes;
}

// The enumerators count from 0 in the order of the table.
const CodeInfo& info(Code code) {
    return all_codes().at(static_cast<std::size_t>(code));
}

}  // namespace policyc
