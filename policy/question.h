// A question about a policy: FROM and TO as somebody types them.
#pragma once

#include <string>

#include "policy/ast.h"
#include "policy/span.h"

namespace policyc {

// Adds, behind all others, a [[test]] with that one source and, in `allow`, that one target: check() then reads them as it reads every reference, and reports what
// is wrong with them at "the command line". Of the Policy it returns, tests.back() is the question. The host name of a service may stand for the service, with
// its ports or with others. Nothing is added where `test` is no list: that is an error of its own.
void add_question(Ast& ast, const std::string& from, const std::string& to, Sources& sources);

}  // namespace policyc
