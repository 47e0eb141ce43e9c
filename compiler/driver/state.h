// The state directory: the lock that keeps two applies apart, the names that could not go into policy.lock, and the
// record of what was applied.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/access.h"
#include "compiler/driver/pipeline.h"

namespace policyc {

// Held while it lives; the kernel lets go of it when the process ends, however it ends.
class StateLock {
public:
    explicit StateLock(int descriptor) : descriptor_(descriptor) {}
    ~StateLock();
    StateLock(const StateLock&) = delete;
    StateLock& operator=(const StateLock&) = delete;

private:
    int descriptor_;
};

// Makes the directory (0700) where it is missing and takes its lock, waiting for another policyc at most `patience`.
Result<std::unique_ptr<StateLock>> lock_state(const std::string& directory, std::chrono::milliseconds patience,
                                              const Report& report);

// names.lock of the state directory. Where it is missing it is empty; where it can't be used, a note says so.
Lock load_state_names(const World& world, Report& report);
std::string state_names_path(const World& world);

// What was applied, so that a later diff can name what goes by the name and line it had then.
struct Applied {
    std::string node;
    std::string time;
    std::vector<std::pair<std::string, std::string>> files;  // name and text, the policy file first
    Addresses addresses;

    bool operator==(const Applied&) const = default;
};

Applied make_applied(const Loaded& loaded, const Sources& sources, std::size_t node, const Addresses& addresses,
                     const World& world);

// Nothing when there is none, or none that can be read: it only serves to name things.
std::optional<Applied> load_applied(const World& world);

// Recording is in two steps, so that a full or read-only disk is found before the kernel is touched: prepare writes it
// aside, keep makes it the record, drop removes what was prepared.
Result<void> prepare_applied(const Applied& applied, World& world);
Result<void> keep_applied(const World& world);
void drop_applied(const World& world);

// The policy of a record, with what a View points to. It can't be moved: the view points into it.
struct Past {
    Sources sources;
    Loaded loaded;
    Addresses addresses;
    View view;
};
std::unique_ptr<Past> past_of(const Applied& applied);

}  // namespace policyc
