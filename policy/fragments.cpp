// Joins the tree of a fragment into that of the root file. Entry point: add_fragment().
#include "policy/fragments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_map>

namespace policyc {
namespace {

constexpr std::array<std::string_view, 7> of_the_root{"version", "include", "ipv6", "networks",
                                                      "nodes",   "resolve", "log"};

void join(Table& into, Table from, const std::string& path, Diagnostics& diagnostics);

void join(Entry& into, Entry from, const std::string& path, Diagnostics& diagnostics) {
    Value& old = into.value;
    if (auto* table = std::get_if<Table>(&old.data), *more = std::get_if<Table>(&from.value.data);
        table != nullptr && more != nullptr) {
        join(*table, std::move(*more), path, diagnostics);
        return;
    }
    if (auto* array = std::get_if<Array>(&old.data), *more = std::get_if<Array>(&from.value.data);
        array != nullptr && more != nullptr) {
        std::ranges::move(more->items, std::back_inserter(array->items));
        return;
    }
    diagnostics.report(Code::E0003, from.key_span, fmt::format("`{}` is set twice", path), "again here")
        .also(into.key_span, "first set here")
        .help("lists of several files join, anything else is set once: remove one of the two");
}

void join(Table& into, Table from, const std::string& path, Diagnostics& diagnostics) {
    std::unordered_map<std::string, std::size_t> known;
    known.reserve(into.entries.size());
    for (std::size_t i = 0; i < into.entries.size(); ++i) known.emplace(into.entries[i].key, i);
    for (Entry& entry : from.entries) {
        if (const auto old = known.find(entry.key); old != known.end()) {
            const std::string inner = path.empty() ? entry.key : path + "." + entry.key;
            join(into.entries[old->second], std::move(entry), inner, diagnostics);
        } else {
            into.entries.push_back(std::move(entry));
        }
    }
}

}  // namespace

void add_fragment(Table& root, Table fragment, Diagnostics& diagnostics) {
    std::erase_if(fragment.entries, [&](const Entry& entry) {
        if (std::ranges::find(of_the_root, entry.key) == of_the_root.end()) return false;
        diagnostics
            .report(Code::E0006, entry.key_span, fmt::format("`{}` can't be in a fragment", entry.key),
                    "only the root file sets this")
            .help("move it to the root file")
            .note("a fragment may hold: groups, services, tiers, test");
        return true;
    });
    join(root, std::move(fragment), {}, diagnostics);
}

}  // namespace policyc
