// Diagnostics are values that a stage puts into a sink. No stage prints; the command line renders them when the stage is done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/codes.h"
#include "policy/span.h"

namespace policyc {

struct Label {
    Span span;
    std::string text;

    bool operator==(const Label&) const = default;
};

// A line under the source excerpt: `= help: ...` or `= note: ...`, in the order they were added.
struct Remark {
    enum class Kind { help, note };
    Kind kind = Kind::help;
    std::string text;

    bool operator==(const Remark&) const = default;
};

// Messages are lower case, have no full stop, and put code in backticks. `primary` is what is wrong; `secondary` is the
// other half of the mistake, where there is one.
struct Diagnostic {
    Code code{};
    std::string message;
    Label primary;
    std::vector<Label> secondary;
    std::vector<Remark> remarks;

    Diagnostic& also(Span span, std::string text);
    Diagnostic& help(std::string text);
    Diagnostic& note(std::string text);

    bool operator==(const Diagnostic&) const = default;
};

// Collects the diagnostics of a run. A stage reports all it finds; the caller stops before the next stage when errors() is not 0.
class Diagnostics {
public:
    // The reference stays valid until the next call of report().
    Diagnostic& report(Code code, Span span, std::string message, std::string label = {});

    [[nodiscard]] std::size_t errors() const;
    [[nodiscard]] const std::vector<Diagnostic>& all() const { return list_; }
    [[nodiscard]] bool has(Code code) const;

    // Sorts by place (those without one last), drops exact repetitions, and drops warnings whose primary line says
    // `# policyc: allow CODE`.
    void finish(const Sources& sources);

private:
    std::vector<Diagnostic> list_;
};

// The diagnostics as a person reads them; `color` adds ANSI escapes. Of one code the first 100 errors or 20 warnings are
// shown, and how many more there are.
std::string render(const Diagnostics& diagnostics, const Sources& sources, bool color);

// A JSON array of records: code, severity, message, file, line, column, end_line, end_column, label, secondary, remarks.
std::string render_json(const Diagnostics& diagnostics, const Sources& sources);

// The known name nearest to `name` (edit distance without regard to case, a transposition counts as one; the first of several),
// or "" when none is near enough to be meant. Takes time in proportion to `known`: a stage with very many unknown names asks only for the first of them.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace policyc
