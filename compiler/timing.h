// How long stages take, for those who measure: with POLICYC_TIMINGS=1 in the environment each says `timing: NAME SECONDS` on stderr when it ends.
#pragma once

#include <chrono>
#include <utility>

namespace policyc {

// From here to the end of the scope.
class Timing {
public:
    explicit Timing(const char* name) : name_(name), begin_(std::chrono::steady_clock::now()) {}
    ~Timing();
    Timing(const Timing&) = delete;
    Timing& operator=(const Timing&) = delete;

private:
    const char* name_;
    std::chrono::steady_clock::time_point begin_;
};

// What `stage` returns.
template <typename Stage>
auto timed(const char* name, Stage&& stage) {
    const Timing timing(name);
    return std::forward<Stage>(stage)();
}

}  // namespace policyc
