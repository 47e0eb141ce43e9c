// The quick way to read a lock: only where it is, byte for byte, what write_lock() writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "policy/lock.h"

namespace policyc {

// Nothing where the text differs in any way from what write_lock() would write; then the TOML parser reads it, and reports what is wrong.
std::optional<Lock> read_plain_lock(std::string_view text, std::uint32_t file);

// "2026-11-24T08:16:07Z", and nothing else.
std::optional<Time> parse_lock_time(std::string_view text);

}  // namespace policyc
