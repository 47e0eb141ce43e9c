// Words for people, made of lists and names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace policyc {

// "a, b, c and 4 more": at most `most` of the items.
std::string few(const std::vector<std::string>& items, std::size_t most = 3);

// With the letters A to Z small, as DNS compares names (RFC 4343). Other bytes stay.
std::string lower_case(std::string_view text);

}  // namespace policyc
