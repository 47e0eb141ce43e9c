// argv to a verb and its options, by CLI11 and the table of verbs.
#pragma once

#include <string>
#include <variant>

#include "compiler/driver/verbs.h"
#include "policy/result.h"

namespace policyc {

struct Command {
    const Verb* verb = nullptr;
    Options options;
};

// Text that answers the whole call, for stdout: --help and --version.
struct Spoken {
    std::string text;
};

std::variant<Command, Spoken, Error> read_command_line(int argc, const char* const* argv);

}  // namespace policyc
