// Which entries of lists open nothing that others do not open as well.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "policy/model.h"
#include "policy/reference.h"

namespace policyc {

// A list, and to whom and on what terms it opens what its entries stand for. All that it points at must outlive it.
struct OpeningList {
    const std::vector<Target>* things = nullptr;
    const Listed* listed = nullptr;  // its entries, each with its things
    AddressSet who;
    bool always = true;  // neither `grant` nor `bastion`
    bool limited = false;
    bool log_new = false;
    std::optional<Spanned<Days>> expires;
    bool asked = true;  // else its entries are there to cover others
};

// What is left of the time that a policy is worth: where more entries overlap, some that are redundant are not found.
inline constexpr std::size_t most_redundancy_looks = 5'000'000;

// An entry of one of the lists, by their numbers.
using ListedEntry = std::pair<std::size_t, std::size_t>;

// An entry that opens nothing new, and those that cover it: one, or several together.
struct CoveredEntry {
    ListedEntry entry;
    std::set<ListedEntry> covers;
};

// Compares what the entries of all lists open: ranges and ports, not names. All that are found can be taken away at once and nothing changes. Of two that are the
// same the later one is found, and a single thing before a group that has it. Takes from `looks` what it looks at, and stops when nothing is left.
std::vector<CoveredEntry> covered_entries(const Policy& policy, const std::vector<OpeningList>& lists,
                                          std::size_t& looks);

}  // namespace policyc
