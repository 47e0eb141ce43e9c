// Says how long a stage took: Timing.
#include "compiler/timing.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace policyc {

Timing::~Timing() {
    const char* wanted = std::getenv("POLICYC_TIMINGS");
    if (wanted == nullptr || std::string_view(wanted) != "1") return;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
    std::fprintf(stderr, "timing: %s %.6f\n", name_, took.count());
}

}  // namespace policyc
