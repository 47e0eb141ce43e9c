// policyc: the command line. A verb of the table runs the pipeline as far as it needs to:
//
//   policy.toml --parse--> Ast --check--> Policy --names--> Addresses --judge, lower--> Ruleset --backend-->
//                                                                                          text | JSON | kernel
//
// Each arrow is a function of pipeline.h, and a verb stops at the first that reports errors: no Policy has an
// unresolved reference, no Ruleset holds a host name, and nothing but a Ruleset whose tests passed reaches a backend.
// Here everything that was said is printed, once, at the end, and what nobody foresaw is told as trouble.
#include <malloc.h>

#include <exception>

#include "compiler/driver/command_line.h"
#include "compiler/driver/report.h"
#include "compiler/driver/streams.h"
#include "compiler/driver/world.h"
#include "compiler/lower.h"
#include "compiler/timing.h"

namespace {

using namespace policyc;

// Where the run ends before a verb has begun.
int trouble(Error error, const Options& options, Sources sources = {}) {
    Report report;
    report.sources = std::move(sources);
    return print(report, options, report.fail(std::move(error)));
}

// What is freed is needed again soon. That glibc gives it back to the kernel in between is a tenth of the time of a large apply.
void keep_memory() {
#ifdef M_TRIM_THRESHOLD
    constexpr int most = 1 << 30;
    constexpr int step = 1 << 26;
    constexpr int largest = 1 << 25;  // the most that glibc takes for it
    mallopt(M_TRIM_THRESHOLD, most);
    mallopt(M_TOP_PAD, step);
    mallopt(M_MMAP_THRESHOLD, largest);
#endif
}

int run(int argc, char** argv, Options& options, Report& report) {
    const std::variant<Command, Spoken, Error> line = read_command_line(argc, argv);
    if (const auto* error = std::get_if<Error>(&line)) return trouble(*error, options);
    if (const auto* spoken = std::get_if<Spoken>(&line)) {
        report.data = spoken->text;
        return print(report, {}, 0);
    }

    const Command& command = std::get<Command>(line);
    options = command.options;
    Result<World> world = real_world(options);
    if (!world) return trouble(world.error(), options);

    report.talk = !options.json();
    report.wants_record = options.json();
    const int status = command.verb->run(options, world.value(), report);
    return print(report, options, status);
}

}  // namespace

int main(int argc, char** argv) {
    guard_streams();
    keep_memory();
    const Timing total("total");

    Report report;
    Options options;
    if (asks_for_json(argc, argv)) options.format = "json";
    try {
        return run(argc, argv, options, report);
    } catch (const TooEntangled& found) {
        Error error = found.error;
        if (!report.done.empty()) error.message += "; " + report.done;
        return trouble(std::move(error), options, std::move(report.sources));
    } catch (const std::exception& error) {
        // What was half said is left out: it may be what can't be said.
        return trouble(unforeseen(error, report), options);
    }
}
