// Text to Ast: reads the policy file and its fragments. The only includer of toml++ is parse.cpp.
#pragma once

#include <optional>
#include <string>

#include "policy/ast.h"
#include "policy/diagnostic.h"
#include "policy/files.h"
#include "policy/span.h"

namespace policyc {

// Reads `path` and what it includes into `sources` and returns the tree, tables and keys in the order they were written.
// Reports every problem it meets (a file that can't be read, bytes that are not UTF-8, syntax, a key that is set twice with both
// places) and returns nothing when there was one.
std::optional<Ast> parse(const std::string& path, const Files& files, Sources& sources, Diagnostics& diagnostics);

}  // namespace policyc
