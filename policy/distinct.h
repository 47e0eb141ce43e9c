// Values, each once, numbered in the order in which they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace policyc {

// `Hash` mixes well enough that its low bits alone tell values apart.
template <typename Value, typename Hash>
class Distinct {
public:
    // The number of this value, and whether it is new.
    std::pair<std::uint32_t, bool> add(Value value) {
        if (slots_.size() <= 2 * values_.size()) grow();
        std::size_t at = Hash()(value) & (slots_.size() - 1);
        for (; slots_[at] != vacant; at = (at + 1) & (slots_.size() - 1))
            if (values_[slots_[at]] == value) return {slots_[at], false};
        slots_[at] = static_cast<std::uint32_t>(values_.size());
        values_.push_back(std::move(value));
        return {slots_[at], true};
    }
    [[nodiscard]] std::size_t size() const { return values_.size(); }
    [[nodiscard]] const Value& operator[](std::uint32_t number) const { return values_[number]; }
    [[nodiscard]] std::vector<Value> take() { return std::move(values_); }

private:
    static constexpr std::uint32_t vacant = UINT32_MAX;

    void grow() {
        slots_.assign(slots_.empty() ? 16 : 2 * slots_.size(), vacant);
        for (std::uint32_t number = 0; number < values_.size(); ++number) {
            std::size_t at = Hash()(values_[number]) & (slots_.size() - 1);
            while (slots_[at] != vacant) at = (at + 1) & (slots_.size() - 1);
            slots_[at] = number;
        }
    }

    std::vector<Value> values_;
    std::vector<std::uint32_t> slots_;  // numbers; as many slots as a power of two, at least half of them vacant
};

}  // namespace policyc
