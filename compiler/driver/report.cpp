// Prints what a verb had to say, data on stdout and words on stderr: print().
#include "compiler/driver/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>

#include "policy/excerpt.h"
#include "policy/question.h"

namespace policyc {

namespace {

using Json = nlohmann::ordered_json;

std::size_t warnings(const Diagnostics& diagnostics) {
    return diagnostics.all().size() - diagnostics.errors();
}

// What was given on the command line may hold anything, and a terminal obeys it.
std::string fit_to_print(std::string_view text) {
    std::string out;
    for (std::size_t at = 0, end = 0; end != std::string_view::npos; at = end + 1) {
        end = text.find('\n', at);
        if (at != 0) out += '\n';
        out += printable(text.substr(at, end == std::string_view::npos ? end : end - at));
    }
    return out;
}

// The file that all of it is about, where that is another than the policy, such as its lock; else the policy.
std::string subject_of(const Report& report) {
    std::set<std::string> files;
    for (const Diagnostic& diagnostic : report.diagnostics.all()) {
        const Span span = diagnostic.primary.span;
        files.insert(span.valid() ? report.sources.name(span.file) : report.subject);
    }
    return files.size() == 1 ? *files.begin() : report.subject;
}

// "policy.toml: 2 errors, 1 warning", or nothing when there is neither.
std::string summary(const Report& report) {
    std::string text;
    if (report.diagnostics.errors() > 0) text = count_of(report.diagnostics.errors(), "error");
    if (warnings(report.diagnostics) > 0) {
        if (!text.empty()) text += ", ";
        text += count_of(warnings(report.diagnostics), "warning");
    }
    if (text.empty()) return {};
    const std::string subject = subject_of(report);
    return subject.empty() ? text + "\n" : fmt::format("{}: {}\n", printable(subject), text);
}

std::string words(const Report& report, bool color) {
    std::string text;
    if (!report.diagnostics.all().empty()) {
        text = render(report.diagnostics, report.sources, color);
        if (!text.ends_with('\n')) text += '\n';
        text += summary(report);
    }
    for (const std::string& note : report.notes) text += fit_to_print(note) + "\n";
    if (report.error) text += trouble_text(*report.error, color, report.sources.place(report.error->span));
    return text;
}

std::string record_text(const Report& report) {
    Json record = {{"version", 1}};
    record.update(report.record);
    record["diagnostics"] = Json::parse(render_json(report.diagnostics, report.sources));
    record["notes"] = report.notes;
    if (report.error) {
        record["error"] = {{"message", report.error->message}, {"help", report.error->help}};
        const std::string place = report.sources.place(report.error->span);
        if (!place.empty()) record["error"]["place"] = place;
    }
    return record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int Report::fail(Error trouble) {
    error = std::move(trouble);
    return 2;
}

int Report::stopped() const {
    const bool usage = diagnostics.errors() > 0 && std::ranges::all_of(diagnostics.all(), [&](const Diagnostic& one) {
                           const Span span = one.primary.span;
                           return info(one.code).severity == Severity::warning ||
                                  (span.valid() && sources.name(span.file) == command_line_source);
                       });
    return usage || diagnostics.has(Code::E0001) ? 2 : 1;
}

void Report::say_now(const std::string& line) const {
    if (talk) write_all(Stream::err, line + "\n");
}

void Report::progress(const std::string& line) const {
    if (isatty(static_cast<int>(Stream::err)) == 1) say_now(line);
}

bool wants_color(Stream stream, const std::string& color) {
    if (color == "always") return true;
    if (color == "never") return false;
    const char* no_color = std::getenv("NO_COLOR");
    if (no_color != nullptr && *no_color != '\0') return false;
    const char* term = std::getenv("TERM");
    if (term == nullptr || std::strcmp(term, "dumb") == 0) return false;
    return isatty(static_cast<int>(stream)) == 1;
}

bool write_all(Stream stream, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(static_cast<int>(stream), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

std::string count_of(std::size_t number, const std::string& word) {
    return fmt::format("{} {}{}", number, word, number == 1 ? "" : "s");
}

std::string trouble_text(const Error& error, bool color, const std::string& place) {
    const std::string_view head = color ? "\x1b[1;31merror\x1b[0m" : "error";
    std::string text = fmt::format("{}: {}\n", head, fit_to_print(error.message));
    if (!place.empty()) text += fmt::format("  --> {}\n", place);
    if (!error.help.empty()) text += fmt::format("   = help: {}\n", fit_to_print(error.help));
    return text;
}

Error unforeseen(const std::exception& exception, const Report& report) {
    const bool memory = dynamic_cast<const std::bad_alloc*>(&exception) != nullptr;
    std::string message = memory ? "there is not enough memory" : fmt::format("internal error: {}", exception.what());
    if (!report.done.empty()) message += "; " + report.done;
    return {message, memory ? "run it where there is more, or with a smaller policy"
                            : "this is a bug in policyc: please report it with the policy and its lock"};
}

int print(Report& report, const Options& options, int status) {
    report.diagnostics.finish(report.sources);
    if (options.json()) report.data = record_text(report);
    const bool written = write_all(Stream::out, report.data);
    const int reason = errno;
    if (!options.json()) write_all(Stream::err, words(report, wants_color(Stream::err, options.color)));
    if (written) return status;
    // Who closed the pipe has seen enough, unless something was changed; anyone else must learn that the output is not whole.
    if (reason != EPIPE || !report.done.empty()) {
        std::string message = fmt::format("cannot write to standard output: {}", std::strerror(reason));
        if (!report.done.empty()) message += "; " + report.done;
        const Error trouble{message, {}};
        write_all(Stream::err, trouble_text(trouble, wants_color(Stream::err, options.color)));
    }
    return 2;
}

}  // namespace policyc
