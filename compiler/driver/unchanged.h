// The fast way of an apply that has nothing to do: nothing it depends on is another than when an earlier one saw that the kernel means the policy.
// Everything is compared, nothing hashed: to say "nothing to change" wrongly would be the worst that policyc can do.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/driver/report.h"
#include "compiler/driver/tunnel.h"
#include "compiler/driver/world.h"

namespace policyc {

// Files as they are, and what was asked of them with the answers. The record of what was applied is left out.
class Witness : public Files {
public:
    Witness(Files& files, const std::string& state_dir) : files_(files), record_(state_dir + "/applied.") {}

    [[nodiscard]] Result<std::string> read(const std::string& path, std::size_t limit) const override;
    [[nodiscard]] Result<std::vector<std::string>> match(const std::string& directory,
                                                         const std::string& pattern) const override;
    Result<void> write(const std::string& path, const std::string& text, unsigned mode) override;

    // Nothing where the run itself changed a file.
    [[nodiscard]] std::optional<std::string> testimony() const;

private:
    Files& files_;
    std::string record_;
    mutable std::string said_;
    bool wrote_ = false;
};

// What an apply saw in the end, when the kernel meant the policy and nothing was said that the next would have to say again.
struct Sight {
    Moment moment;
    Tunnel tunnel;
    std::optional<Time> until;  // the last second at which no answer is too old
};

// Elements that the kernel takes away by itself, which no generation tells of; its own entries of rate sets apart.
bool has_timers(const ir::Ruleset& ruleset);

// Leaves it in the state directory for the next apply. Failing to do so costs only time.
void keep_sight(const Sight& sight, const Witness& files, const Options& options, World& world);

// What it saw of the tunnel, when nothing can have changed since the sight that was kept.
std::optional<Tunnel> known_unchanged(const Options& options, World& world, Kernel& kernel);

}  // namespace policyc
