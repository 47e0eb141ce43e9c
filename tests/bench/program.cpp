// program: what the kernel's part of an apply takes by itself, from a Ruleset that is ready. Entry point main().
//
//   program POLICY NODE    compiles it for that node, and programs the kernel of this network namespace
//
// On stderr it says how long that took, `timing: program SECONDS`, and how much memory, `memory: NAME KIB`: `ruleset` is what the process held before, the
// Ruleset and the libraries, with all that compiling had left behind given back; `program` is what it grew by at most, whoever allocated it: plan, batch and
// answers. It is the peak of the resident set, which Linux begins anew for who writes 5 to /proc/self/clear_refs, less the resident set before.
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "backends/disk.h"
#include "backends/netlink/kernel.h"
#include "compiler/lower.h"
#include "policy/check.h"
#include "policy/lock.h"
#include "policy/parse.h"

#include "timing.h"

using namespace policyc;

namespace {

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "program: %s\n", what.c_str());
    std::exit(2);
}

ir::Ruleset compiled(const std::string& path, const std::string& node) {
    Sources sources;
    Diagnostics diagnostics;
    const std::optional<Ast> ast = parse(path, Disk(), sources, diagnostics);
    const std::optional<Policy> policy = ast ? check(*ast, sources, diagnostics) : std::nullopt;
    if (!policy) fail(render(diagnostics, sources, false));
    for (std::size_t i = 0; i < policy->nodes.size(); ++i) {
        if (policy->nodes[i].name != node) continue;
        return lower(*policy, {}, i, std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
    }
    fail("no node " + node);
}

// KiB, as /proc/self/status has it.
long memory(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key + ":")) return std::atol(line.c_str() + key.size() + 1);
    fail("/proc/self/status has no " + key);
}

long resident() {
    malloc_trim(0);
    return memory("VmRSS");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: program POLICY NODE\n", stderr);
        return 2;
    }
    const ir::Ruleset ruleset = compiled(argv[1], argv[2]);
    const std::unique_ptr<Kernel> kernel = make_netlink_kernel();
    const Result<Snapshot> before = kernel->read();
    if (!before) fail(before.error().message);
    const long held = resident();
    std::ofstream("/proc/self/clear_refs") << "5" << std::flush;
    if (memory("VmHWM") > memory("VmRSS") + 1024) fail("the peak can't be begun anew");
    {
        const Timing timing("program");
        const Result<Kernel::Commit> done = kernel->commit(before.value(), ruleset, {});
        if (!done) fail(done.error().message);
    }
    std::fprintf(stderr, "memory: ruleset %ld\nmemory: program %ld\n", held, memory("VmHWM") - held);
    return 0;
}
