// Statements and keys of elements in the JSON of libnftables-json(5).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "compiler/ir.h"

namespace policyc {

// Whether it is an object of these keys and no others.
bool has_just(const nlohmann::json& value, std::initializer_list<const char*> keys);
// What the only key of an object leads to, where that is its only one; else null.
const nlohmann::json* only(const nlohmann::json& value, const char* key);
const std::string* text_in(const nlohmann::json& value);
std::optional<std::uint64_t> number_in(const nlohmann::json& value, std::uint64_t most);
// The name behind an @. Nothing where it is none.
std::optional<std::string> reference_in(const nlohmann::json& value);

// Nothing where policyc doesn't know such a statement.
std::optional<ir::Statement> statement_in(const nlohmann::json& value);

// Low and high bound of one field of a key: "10.0.0.1", 22, {"prefix": ...}, {"range": ...}.
std::optional<ir::Elements::Bound> bounds_in(const nlohmann::json& value, ir::Type type, bool interval);

}  // namespace policyc
