// Reads /etc/hosts: parse_hosts().
#include "policy/names.h"

#include <algorithm>

#include "policy/text.h"

namespace policyc {

namespace {

constexpr std::string_view blanks = " \t\r\v\f";

// Takes the first word off `line`.
std::string_view next_word(std::string_view& line) {
    const std::size_t begin = std::min(line.find_first_not_of(blanks), line.size());
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(blanks), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
}

// As policyc knows a name: in lower case and without a trailing dot.
std::string known_as(std::string_view name) {
    std::string out = lower_case(name);
    if (out.size() > 1 && out.back() == '.') out.pop_back();
    return out;
}

}  // namespace

Addresses parse_hosts(std::string_view text) {
    Addresses found;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line = line.substr(0, line.find('#'));
        const std::optional<Address> address = parse_address(next_word(line));
        if (!address) continue;
        for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
            std::vector<Address>& addresses = found[known_as(word)];
            if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end())
                addresses.push_back(*address);
        }
    }
    return found;
}

}  // namespace policyc
