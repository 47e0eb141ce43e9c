// A question about a policy: FROM and TO as somebody types them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/ast.h"
#include "policy/span.h"

namespace policyc {

// Who and what is asked about; nothing said is everybody, or everything.
struct Query {
    std::optional<std::string> from;
    std::optional<std::string> to;
    bool any_port = false;  // a target that needs a port and is written without one is meant with all of them
};

// The name of the source that holds what was asked.
inline constexpr std::string_view command_line_source = "the command line";

// Adds, behind all others, a [[test]] with that one source and, in `allow`, that one target: check() then reads them as it reads every reference, and reports what
// is wrong with them there. Of the Policy it returns, tests.back() is the question. The host name of a service may stand for the service, with
// its ports or with others. Nothing is added where `test` is no list: that is an error of its own.
void add_question(Ast& ast, const Query& query, Sources& sources);

}  // namespace policyc
