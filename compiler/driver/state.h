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
#include "compiler/server_ports.h"

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

// "10.69.13.20, 10.69.13.21", or why there is none.
std::string addresses_text(const Lock& lock, const std::string& name);

// names.lock of the state directory. Where it is missing it is empty; where it can't be used, a note says so.
Lock load_state_names(const World& world, Report& report);
std::string state_names_path(const World& world);
// The lock and these: what an apply goes by. They are not looked at for a policy without names. A note says where these are not
// what the lock has, and a warning where a date is yet to come.
Lock known_names(const Policy& policy, const LockFile& lock, const World& world, Report& report);
// The warning alone.
void warn_dated_ahead(const Policy& policy, const Lock& lock, const std::string& path, const World& world,
                      Report& report);
// Once the lock holds what was settled from both.
Result<void> drop_state_names(const World& world);

// What was applied, so that a later diff can name what goes by the name and line it had then, and tell what somebody else
// put into the table.
struct Applied {
    std::string policyc;  // the version that wrote it; "" in records of before 0.1
    std::string node;
    std::string time;
    std::vector<std::pair<std::string, std::string>> files;  // name and text, the policy file first
    Addresses addresses;
    std::optional<ServerPorts> server_ports;  // as they were sent

    bool operator==(const Applied&) const = default;
};

Applied make_applied(const Loaded& loaded, const Sources& sources, std::size_t node, const Addresses& addresses,
                     const ir::Ruleset& sent, const World& world);

// An Error, which says why, when there is none or none that can be read: it only serves to name things. load_prepared gives what an
// apply that was killed left behind: the kernel may hold it already.
Result<Applied> load_applied(const World& world);
Result<Applied> load_prepared(const World& world);
std::string record_path(const World& world);

// Recording is in two steps, so that a full or read-only disk is found before the kernel is touched: prepare writes it
// aside, keep makes it the record, drop removes what was prepared.
Result<void> prepare_applied(const Applied& applied, World& world);
Result<void> keep_applied(const World& world);

// Another one when the record is another; "" where there is none, or one that was prepared and not kept.
std::string record_identity(const World& world);
void drop_applied(const World& world);

}  // namespace policyc
