// How long something took: `timing: NAME SECONDS` on stderr, as policyc itself says it with POLICYC_TIMINGS=1.
#pragma once

#include <chrono>
#include <cstdio>

// From here to the end of the scope.
class Timing {
public:
    explicit Timing(const char* name) : name_(name) {}
    Timing(const Timing&) = delete;
    Timing& operator=(const Timing&) = delete;
    ~Timing() {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
        std::fprintf(stderr, "timing: %s %.6f\n", name_, took.count());
    }

private:
    const char* name_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};
