// The statements of a rule in the syntax of nft(8).
#pragma once

#include <optional>

#include "backends/scanner.h"
#include "compiler/ir.h"

namespace policyc {

// One statement; nothing where there is none that policyc knows, which is then an error of the scanner.
std::optional<ir::Statement> read_statement(Scanner& scanner);

// A name of a chain, set or counter; an error of the scanner where it is none.
std::string read_name(Scanner& scanner, const char* what);

}  // namespace policyc
