// A policy of several files: what a fragment may hold, and how the trees become one.
#pragma once

#include "policy/ast.h"
#include "policy/diagnostic.h"

namespace policyc {

// Adds the tree of a fragment to that of the root: tables join key by key, lists one behind the other, and anything else that both set
// is an error with both places. So is a key that only the root file may have.
void add_fragment(Table& root, Table fragment, Diagnostics& diagnostics);

}  // namespace policyc
