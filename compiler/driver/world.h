// The outside of policyc, behind interfaces: files, names, clock and kernel. Tests put their own in its place.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "compiler/driver/verbs.h"
#include "compiler/kernel.h"
#include "compiler/layout.h"
#include "policy/files.h"
#include "policy/names.h"
#include "policy/result.h"

namespace policyc {

struct World {
    Files* files = nullptr;
    std::function<std::unique_ptr<Kernel>()> kernel;
    std::function<std::unique_ptr<Resolver>()> resolver;
    std::function<std::vector<std::uint16_t>()> listening_ports;
    Time now{};  // read once: a run has one time
    std::string host_name;
    std::string hosts_file;
    std::string state_dir;
    Layout layout;  // --layout
};

// The real one, as the options want it: --state-dir, else STATE_DIRECTORY (as systemd sets it), else /var/lib/policyc.
Result<World> real_world(const Options& options);

// "2026-11-24T12:00:00Z"
std::string to_text(Time time);
std::optional<Time> parse_time(const std::string& text);

}  // namespace policyc
