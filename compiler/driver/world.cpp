// The real files, names, clock and kernel: real_world().
#include "compiler/driver/world.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "backends/disk.h"
#include "backends/dns.h"
#include "backends/fake.h"
#include "backends/libnftables.h"
#include "backends/listening.h"
#include "backends/netlink/kernel.h"

namespace policyc {

namespace {

std::optional<Outcome> outcome_of(const std::string& text) {
    if (text == "answered") return Outcome::answered;
    if (text == "no_such_name") return Outcome::no_such_name;
    if (text == "no_address") return Outcome::no_address;
    if (text == "timeout") return Outcome::timeout;
    if (text == "server_error") return Outcome::server_error;
    return {};
}

// A map from name to {outcome, addresses, ttl, cnames, server, detail}.
Result<FakeResolver> read_answers(const std::string& path, const Files& files) {
    const Result<std::string> text = files.read(path, max_policy_bytes);
    if (!text) return text.error();
    FakeResolver resolver;
    try {
        const nlohmann::json root = nlohmann::json::parse(text.value());
        if (!root.is_object())
            return Error{fmt::format("{} is not a file of answers: an object was expected", path), {}};
        for (const auto& [name, record] : root.items()) {
            Answer answer;
            const std::optional<Outcome> outcome = outcome_of(record.value("outcome", "answered"));
            if (!outcome) return Error{fmt::format("{}: unknown outcome of `{}`", path, name), {}};
            answer.outcome = *outcome;
            for (const std::string& written : record.value("addresses", std::vector<std::string>{})) {
                const std::optional<Address> address = parse_address(written);
                if (!address) return Error{fmt::format("{}: `{}` is not an address", path, written), {}};
                answer.addresses.push_back(*address);
            }
            answer.ttl = record.value("ttl", 60U);
            answer.cnames = record.value("cnames", std::vector<std::string>{});
            answer.server = record.value("server", "");
            answer.detail = record.value("detail", "");
            resolver.answers[name] = answer;
        }
    } catch (const nlohmann::json::exception& error) {
        return Error{fmt::format("{} is not a file of answers: {}", path, error.what()), {}};
    }
    return resolver;
}

// Generations are counted from when nf_tables was loaded, which may be after the boot.
std::string this_boot(const Files& files) {
    const Result<std::string> boot = files.read("/proc/sys/kernel/random/boot_id", 100);
    struct stat module {};
    if (stat("/sys/module/nf_tables", &module) != 0) module.st_ino = 0;
    return boot ? fmt::format("{}{}", boot.value(), module.st_ino) : std::string();
}

}  // namespace

std::string file_identity(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return {};
    return fmt::format("{} {} {} {}.{:09}", status.st_dev, status.st_ino, status.st_size, status.st_ctim.tv_sec,
                       status.st_ctim.tv_nsec);
}

std::string to_text(Time time) {
    const std::time_t seconds = time.time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), length};
}

std::optional<Time> parse_time(const std::string& text) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') return {};
    return Time(std::chrono::seconds(timegm(&parts)));
}

Result<World> real_world(const Options& options) {
    static Disk disk;
    World world;
    world.files = &disk;
    if (options.backend == "libnftables")
        world.kernel = [] { return make_libnftables_kernel(make_netlink_kernel()); };
    else
        world.kernel = make_netlink_kernel;
    world.resolver = [hosts = options.hosts] { return make_dns_resolver({.hosts = hosts}); };
    world.listening_ports = listening_ports;
    world.links = links;
    world.own_addresses = [] { return own_addresses(); };
    world.way_to = [](const Address& to) { return way_to(to, {}).interface; };
    world.own_sessions = [] {
        const char* said = std::getenv("SSH_CONNECTION");
        return own_sessions(said != nullptr ? std::optional<std::string>(said) : std::nullopt);
    };
    world.tunnel_flows = tunnel_flows;
    world.wireguard = wireguard_device;
    world.picks_up_sessions = picks_up_sessions;
    world.untracked_families = untracked_families;
    world.forget_flows = forget_flows;
    world.forget_flow = forget_flow;
    world.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    world.hosts_file = options.hosts;
    world.boot = this_boot(disk);
    world.program = file_identity("/proc/self/exe");

    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) == 0) world.host_name = name.data();

    const char* given = std::getenv("STATE_DIRECTORY");
    // systemd joins several with colons; ours is the first.
    const std::string inherited =
        given == nullptr ? "" : std::string(given).substr(0, std::string_view(given).find(':'));
    world.state_dir = options.state_dir.value_or(inherited.empty() ? default_state_dir : inherited);

    if (options.now) {
        const std::optional<Time> now = parse_time(*options.now);
        if (!now) return Error{fmt::format("`{}` is not a time", *options.now), "write it as 2026-11-24T12:00:00Z"};
        world.now = *now;
    }
    if (options.layout) {
        const std::optional<Layout> layout = parse_layout(*options.layout);
        if (!layout) return Error{fmt::format("`{}` is not a layout", *options.layout), "write it as pairs,shard=4"};
        world.layout = *layout;
    }
    if (options.answers) {
        const Result<FakeResolver> answers = read_answers(*options.answers, disk);
        if (!answers) return answers.error();
        world.resolver = [resolver = answers.value()] { return std::make_unique<FakeResolver>(resolver); };
    }
    return world;
}

}  // namespace policyc
