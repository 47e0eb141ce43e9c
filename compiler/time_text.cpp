// Days and lengths of time in words: to_text(), duration_text(), about().
#include "compiler/time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace policyc {

std::string to_text(Days day) {
    const std::chrono::year_month_day date(day);
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

std::string duration_text(Seconds length) {
    const auto count = length.count();
    if (count % 86400 == 0) return fmt::format("{}d", count / 86400);
    if (count % 3600 == 0) return fmt::format("{}h", count / 3600);
    if (count % 60 == 0) return fmt::format("{}m", count / 60);
    return fmt::format("{}s", count);
}

std::string about(Seconds length) {
    const auto count = length.count();
    if (count < 120) return fmt::format("{} s", std::max<std::int64_t>(count, 0));
    if (count < 2 * 3600) return fmt::format("{} min", count / 60);
    if (count < 2 * 86400) return fmt::format("{} h", count / 3600);
    return fmt::format("{} d", count / 86400);
}

}  // namespace policyc
