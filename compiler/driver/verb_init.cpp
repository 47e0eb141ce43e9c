// init: writes a starting policy that is made to be edited: verb_init().
#include <fmt/format.h>

#include <filesystem>

#include "compiler/driver/pipeline.h"
#include "policy/excerpt.h"

namespace policyc {

namespace {

constexpr const char* starting_policy = R"(# Who may reach what. Anything that is not written here is denied.
# `policyc check policy.toml` says what is wrong, `policyc list policy.toml` who reaches what.
# The language is in policy.toml(5).
version = 1

[networks]
home = ["192.168.1.0/24"]              # where the services live

# ---- nodes: the machines of the WireGuard network, each with its address in the tunnel -----------
[nodes.gateway]                        # give it the host name of the machine
role      = "gateway"                  # forwards from the tunnel into the networks it serves
address   = "10.77.0.1"
interface = "wg0"                      # the WireGuard interface, set up elsewhere
serves    = ["home"]
input.ssh  = { from = ["laptop"], limit = "6/minute" }    # what may reach the gateway itself
input.ping = { from = ["laptop", "phone"] }

[nodes.laptop]                         # a client, unless said otherwise
address = "10.77.0.2"

[nodes.phone]
address = "10.77.0.3"

# ---- what exists: name = "host:port", tcp unless said ---------------------------------------------
[services]
web = "192.168.1.10:443"
dns = { host = "192.168.1.1", ports = ["53/udp", "53/tcp"] }
# A host may be a name: `policyc resolve policy.toml` asks DNS and keeps the answer in policy.lock.
# wiki = "wiki.example.org:443"

# ---- who may reach it ------------------------------------------------------------------------------
[tiers.vpn]
who   = ["laptop", "phone"]
allow = ["web", "dns"]

# ---- what must stay true: judged before anything is applied ----------------------------------------
[[test]]
name = "the phone reaches the web server and DNS, and no more"
from = ["phone"]
only = ["web", "dns", "gateway:ping"]
)";

}  // namespace

int verb_init(const Options& options, World& world, Report& report) {
    std::string path = options.path;
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) path = (std::filesystem::path(path) / "policy.toml").string();
    if (exists(path)) {
        return report.fail({fmt::format("{} is there already, and is left as it is", path),
                            "name another file: policyc init other.toml"});
    }
    const Result<void> written = world.files->write(path, starting_policy, 0644);
    if (!written) return report.fail(written.error());
    report.data = fmt::format("{} written; edit it, then run: policyc check {}\n", printable(path), printable(path));
    report.record["path"] = path;
    return 0;
}

}  // namespace policyc
