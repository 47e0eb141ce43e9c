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
// places) and returns nothing when there was one. A private key that was written into a policy is masked before it gets into
// `sources`, so that no message can show it.
std::optional<Ast> parse(const std::string& path, const Files& files, Sources& sources, Diagnostics& diagnostics);

// The tree of one file that is in `sources` already, whatever it is about; an `include` in it means nothing.
std::optional<Table> parse_text(std::uint32_t file, const Sources& sources, Diagnostics& diagnostics);

}  // namespace policyc
