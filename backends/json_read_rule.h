// One statement of a rule as nft lists it in JSON, back to ir::Statement.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "compiler/ir.h"

namespace policyc {

// Numbers or words where nft prints either. What is not exactly as policyc writes it becomes ir::Unknown with its JSON.
ir::Statement statement_of(const nlohmann::json& json);

// An interface name as JSON bears it: nft writes a `*` at its end as `\*`, and means a wildcard without; that is nothing.
std::optional<std::string> interface_of(const std::string& text);

}  // namespace policyc
