// A fuzz target is one function of libFuzzer's name that takes any bytes and aborts where something doesn't hold. Each is in a file of its
// own, and is linked with libFuzzer (./dev fuzz) or with standalone.cpp (./dev test).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace policyc::fuzz {

// What must hold of every input; `what` is said where it doesn't.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace policyc::fuzz
