// A map that is filled first and asked then: sorted entries in one piece of memory.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace policyc {

template <typename Key, typename Value>
class Flat {
public:
    void reserve(std::size_t entries) { entries_.reserve(entries); }
    void add(Key key, Value value) { entries_.emplace_back(std::move(key), std::move(value)); }
    // Of entries with one key the first stays. To be called once, between the last add() and the first find().
    void settle() {
        const auto key = &std::pair<Key, Value>::first;
        if (!std::ranges::is_sorted(entries_, {}, key)) std::ranges::stable_sort(entries_, {}, key);
        const auto repeated = std::ranges::unique(entries_, {}, key);
        entries_.erase(repeated.begin(), repeated.end());
    }
    // Null where there is none.
    [[nodiscard]] const Value* find(const Key& key) const {
        const auto at = std::ranges::lower_bound(entries_, key, {}, &std::pair<Key, Value>::first);
        return at != entries_.end() && at->first == key ? &at->second : nullptr;
    }
    // Those from the first key to the last, which may be there or not.
    [[nodiscard]] std::span<const std::pair<Key, Value>> between(const Key& first, const Key& last) const {
        const auto key = &std::pair<Key, Value>::first;
        const auto begin = std::ranges::lower_bound(entries_, first, {}, key);
        return {begin, std::ranges::upper_bound(begin, entries_.end(), last, {}, key)};
    }

private:
    std::vector<std::pair<Key, Value>> entries_;
};

}  // namespace policyc
