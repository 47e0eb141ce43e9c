// Memory that goes as a whole: for texts and lists of which there are many, that are made one after the other and needed together.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory_resource>
#include <span>
#include <string_view>
#include <type_traits>

namespace policyc {

// What keep() returns stays where it is for as long as the arena lives.
class Arena {
public:
    std::string_view keep(std::string_view text) {
        const std::span<const char> kept = keep(std::span(text.data(), text.size()));
        return {kept.data(), kept.size()};
    }

    template <typename T>
    std::span<const T> keep(std::span<const T> values) {
        static_assert(std::is_trivially_copyable_v<T>);
        if (values.empty()) return {};
        void* room = memory_.allocate(values.size_bytes(), alignof(T));
        std::memcpy(room, values.data(), values.size_bytes());
        return {static_cast<const T*>(room), values.size()};
    }

private:
    std::pmr::monotonic_buffer_resource memory_;
};

}  // namespace policyc
