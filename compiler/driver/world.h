// The outside of policyc, behind interfaces: files, names, clock and kernel. Tests put their own in its place.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backends/links.h"
#include "backends/sessions.h"
#include "backends/tracked.h"
#include "backends/wireguard.h"
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
    std::function<std::optional<std::vector<Link>>()> links;
    std::function<std::vector<Address>()> own_addresses;
    std::function<std::string(const Address& to)> way_to;  // the interface; "" where there is none
    std::function<std::vector<Session>()> own_sessions;
    std::function<std::vector<TunnelFlow>(const std::string& interface)> tunnel_flows;
    std::function<std::optional<WireguardDevice>(const std::string& interface)> wireguard;
    std::function<bool()> picks_up_sessions;
    std::function<std::vector<Family>()> untracked_families;
    std::function<bool(Family)> forget_flows;
    std::function<bool(const Ends&)> forget_flow;
    Time now{};  // read once: a run has one time
    std::string host_name;
    std::string hosts_file;
    std::string state_dir;
    Layout layout;        // --layout
    std::string boot;     // tells one life of the kernel's rulesets from the next; "" where it can't be told
    std::string program;  // tells this policyc from any other; likewise
};

// Another one when the file is another or was written to; "" where there is none.
std::string file_identity(const std::string& path);

// The real one, as the options want it: --state-dir, else STATE_DIRECTORY (as systemd sets it), else /var/lib/policyc.
Result<World> real_world(const Options& options);

// "2026-11-24T12:00:00Z"
std::string to_text(Time time);
std::optional<Time> parse_time(const std::string& text);

}  // namespace policyc
