// The words of nft(8) and libnftables-json(5), as those who read them know them. Nothing here is shared with who writes them (text_words.h): a
// mistake of one table would be made good by the same mistake in the other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir.h"

namespace policyc {

// Nothing where the word means nothing, or nothing that a Ruleset can say.
std::optional<ir::Type> type_of_word(std::string_view word);    // "ipv4_addr"
std::optional<ir::Hook> hook_of_word(std::string_view word);    // "forward"
std::optional<ir::L4> protocol_of_word(std::string_view word);  // "tcp", "ipv6-icmp"
std::optional<Rate::Unit> unit_of_word(std::string_view word);  // "second"
std::optional<Family> family_of_word(std::string_view word);    // "ipv4", of meta nfproto
bool set_state(ir::MatchState& states, std::string_view word);  // "new": whether there is such a state, not set before
std::optional<int> priority_of_word(std::string_view word,
                                    std::optional<ir::Hook> hook);  // "mangle"; srcnat only at its hook

// All of the word, in decimal and without leading zeros, and at most `most`.
std::optional<std::uint64_t> number_of_word(std::string_view word, std::uint64_t most);

// One address or port of that type.
std::optional<u128> bound_of_word(std::string_view word, ir::Type type);
// The network "10.0.0.0/8" is its address and its length, without host bits.
std::optional<ir::Elements::Bound> network_of(u128 address, std::uint64_t length, ir::Type type);

// What may stand for a table, chain, set or counter. That it is no keyword is left to nft, which refuses it.
bool is_identifier(std::string_view word);
// A text of at most `limit` bytes that every backend writes as it is (ir.h, kernel_text).
bool is_kernel_text(std::string_view text, std::size_t limit);
bool is_log_prefix(std::string_view text);
// The name of an interface out of its quotes. Nothing where that stands for many (`*` at the end), or is none.
std::optional<std::string> interface_of_text(std::string_view text);

// A Ruleset as it comes to be. Each name is there once.
class TableReader {
public:
    // False where there is one of that name.
    bool add(ir::Counter counter);
    bool add(ir::Chain chain);
    ir::Chain* chain(std::string_view name);
    // Its elements are added to what is returned, until the next set. Null where there is one of that name.
    ir::Set* add(ir::Set set);
    // False where one was there twice.
    static bool sort_elements(ir::Set& set);

    // What the value of an element stands for: UINT32_MAX where there is no such counter.
    [[nodiscard]] std::uint32_t counter(std::string_view name) const;
    std::uint32_t verdict(ir::Set& map, bool go, std::string_view chain);

    ir::Ruleset ruleset;

private:
    std::map<std::string, std::size_t, std::less<>> counters_;
    std::map<std::string, std::size_t, std::less<>> chains_;
    std::map<std::string, std::size_t, std::less<>> sets_;
    std::map<ir::ToChain, std::uint32_t> verdicts_;  // of the last map
};

}  // namespace policyc
