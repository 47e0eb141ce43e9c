// Looks a key up in a set as it was read: what the kernel's own look-up must find too.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "compiler/ir.h"
#include "compiler/kernel.h"

namespace policyc {

// A key of one value a field, as ir::Elements stores it. A name of an interface is the whole key of its set.
std::string point_of(const std::vector<ir::Type>& types, std::span<const u128> values);
std::string point_of_name(const std::string& interface);

// The first element that holds the point.
std::optional<std::size_t> element_at(const ir::Set& set, std::string_view point);
std::optional<Held> look_up(const ir::Ruleset& ruleset, const ir::Set& set, std::string_view point);

}  // namespace policyc
