#include "policy/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace policyc {

std::string few(const std::vector<std::string>& items, std::size_t most) {
    const auto end = items.begin() + static_cast<std::ptrdiff_t>(std::min(most, items.size()));
    std::string text = fmt::format("{}", fmt::join(items.begin(), end, ", "));
    if (items.size() > most) text += fmt::format(" and {} more", items.size() - most);
    return text;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

}  // namespace policyc
