// Keeps what must be remembered between runs: lock_state() and the functions of the record.
#include "compiler/driver/state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "compiler/driver/help.h"

namespace policyc {

namespace {

using Json = nlohmann::ordered_json;

std::string prepared_path(const World& world) {
    return world.state_dir + "/applied.next.json";
}

Error state_error(const std::string& directory, int reason) {
    return {fmt::format("cannot write the state directory {}: {}", directory, std::strerror(reason)),
            reason == EACCES || reason == EPERM
                ? "run it as root, or name a directory of your own with --state-dir"
                : "apply keeps there what it did; nothing was changed. Name another directory with --state-dir"};
}

struct flock write_lock_request() {
    struct flock request {};
    request.l_type = F_WRLCK;
    request.l_whence = SEEK_SET;
    return request;
}

// The process that holds the lock, 0 when nobody does any more.
pid_t holder_of(int descriptor) {
    struct flock request = write_lock_request();
    if (fcntl(descriptor, F_GETLK, &request) != 0 || request.l_type == F_UNLCK) return 0;
    return request.l_pid;
}

Result<Applied> read_record(const std::string& path, const Files& files) {
    const Result<std::string> text = files.read(path, std::size_t{4} * max_policy_bytes);
    if (!text) return text.error();
    try {
        const Json record = Json::parse(text.value());
        if (const Json& version = record.at("version"); version != 1)
            return Error{fmt::format("{} is a record of version {}, and this policyc reads version 1", path,
                                     version.is_number_integer() ? version.dump() : "unknown"),
                         {}};
        Applied applied;
        applied.policyc = record.value("policyc", "");
        applied.node = record.at("node");
        applied.time = record.at("time");
        for (const Json& file : record.at("files")) applied.files.emplace_back(file.at("name"), file.at("text"));
        for (const auto& [name, written] : record.at("addresses").items()) {
            std::vector<Address>& addresses = applied.addresses[name];
            for (const std::string& one : written.get<std::vector<std::string>>()) {
                if (const auto address = parse_address(one)) addresses.push_back(*address);
            }
        }
        if (record.contains("server_ports"))
            applied.server_ports = ServerPorts{record.at("server_ports").get<std::vector<PortRange>>(),
                                               record.value("server_udp_ports", std::vector<PortRange>{})};
        return applied;
    } catch (const nlohmann::json::parse_error&) {
        return Error{path + " is not JSON", {}};
    } catch (const nlohmann::json::exception&) {
        return Error{path + " is no record that policyc wrote", {}};
    }
}

// Of the record itself: a directory of that name can't be replaced by it.
Error record_error(const World& world, int reason) {
    return {fmt::format("cannot write {}: {}", record_path(world),
                        reason == EISDIR ? "is a directory" : std::strerror(reason)),
            reason == EISDIR ? "remove it: apply keeps its record there" : ""};
}

// What follows the first of several names.
std::string and_more(std::size_t count) {
    return count > 1 ? fmt::format(" (and {} more)", count - 1) : std::string();
}

// Removes what a run that was killed had begun to write: `.applied.json.XXXXXX` and the like. Whoever holds the lock is alone.
void sweep(const std::string& directory) {
    constexpr std::array written{"applied.json", "applied.next.json", "names.lock", "unchanged"};
    constexpr std::size_t random = sizeof(".XXXXXX") - 1;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        const bool ours = std::ranges::any_of(written, [&](const std::string& file) {
            return name.size() == 1 + file.size() + random && name.starts_with("." + file + ".");
        });
        if (ours && entry.is_regular_file(error)) std::filesystem::remove(entry.path(), error);
    }
}

}  // namespace

StateLock::~StateLock() {
    close(descriptor_);
}

Result<std::unique_ptr<StateLock>> lock_state(const std::string& directory, std::chrono::milliseconds patience,
                                              const Report& report) {
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::path(directory).parent_path();
    if (!parent.empty()) std::filesystem::create_directories(parent, error);
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return state_error(directory, errno);
    const int descriptor = open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return state_error(directory, errno);
    auto lock = std::make_unique<StateLock>(descriptor);

    const auto end = std::chrono::steady_clock::now() + patience;
    bool said = false;
    while (true) {
        struct flock request = write_lock_request();
        if (fcntl(descriptor, F_SETLK, &request) == 0) {
            sweep(directory);
            return lock;
        }
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) return state_error(directory, errno);
        const pid_t holder = holder_of(descriptor);
        if (std::chrono::steady_clock::now() >= end) {
            return Error{fmt::format("another policyc (process {}) is at work on {}", holder, directory),
                         "wait until it is done, or look at what it waits for; nothing was changed"};
        }
        if (!said && holder != 0) report.say_now(fmt::format("waiting for another policyc (process {})", holder));
        said = said || holder != 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

std::string addresses_text(const Lock& lock, const std::string& name) {
    const auto entry = lock.find(name);
    if (entry == lock.end()) return "unknown";
    if (entry->second.addresses.empty()) return "no address";
    std::string text;
    for (const Address& address : entry->second.addresses) text += (text.empty() ? "" : ", ") + to_string(address);
    return text;
}

std::string state_names_path(const World& world) {
    return world.state_dir + "/names.lock";
}

Lock load_state_names(const World& world, Report& report) {
    const std::string path = state_names_path(world);
    const Result<std::string> text = world.files->read(path, max_policy_bytes);
    if (!text && !exists(path)) return {};
    Sources sources;
    Diagnostics diagnostics;
    std::optional<Lock> lock;
    if (text) lock = parse_lock(sources.add(path, text.value()), sources, diagnostics);
    if (lock) return *lock;
    const std::string why = text ? "it is not a lock file" : text.error().message;
    report.notes.push_back(fmt::format("warning: the addresses in {} are left out: {}", path, why));
    return {};
}

void warn_dated_ahead(const Policy& policy, const Lock& lock, const std::string& path, const World& world,
                      Report& report) {
    std::vector<std::string> ahead;
    for (const NameUse& use : names_of(policy)) {
        const auto entry = lock.find(use.name);
        if (entry != lock.end() && dated_ahead(entry->second, world.now)) ahead.push_back(use.name);
    }
    if (ahead.empty()) return;
    std::string text = fmt::format(
        "warning: {}: `{}`{} is dated {}, and it is {} now: a clock is wrong or was, so any other entry "
        "counts as later until a resolve dates it anew",
        path, ahead.front(), and_more(ahead.size()), to_text(lock.at(ahead.front()).resolved), to_text(world.now));
    if (std::ranges::find(report.notes, text) == report.notes.end()) report.notes.push_back(std::move(text));
}

Lock known_names(const Policy& policy, const LockFile& lock, const World& world, Report& report) {
    const std::vector<NameUse> uses = names_of(policy);
    if (uses.empty()) return lock.lock;
    const std::string path = state_names_path(world);
    const Lock kept = load_state_names(world, report);
    Lock joined = join(lock.lock, kept, world.now);
    warn_dated_ahead(policy, lock.lock, lock.path, world, report);
    warn_dated_ahead(policy, kept, path, world, report);

    std::vector<std::string> overridden;
    for (const NameUse& use : uses) {
        const auto locked = lock.lock.find(use.name);
        if (locked != lock.lock.end() && joined.at(use.name).addresses != locked->second.addresses)
            overridden.push_back(use.name);
    }
    if (overridden.empty()) return joined;
    const std::string& first = overridden.front();
    report.notes.push_back(fmt::format(
        "`{}`{} is {} by {}, which counts as later than {}: {} there; `policyc resolve --apply` settles it", first,
        and_more(overridden.size()), addresses_text(joined, first), path, lock.path, addresses_text(lock.lock, first)));
    return joined;
}

Result<void> drop_state_names(const World& world) {
    const std::string path = state_names_path(world);
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return Error{fmt::format("cannot remove {}: {}", path, std::strerror(errno)),
                 "what it holds is older than the lock, and could override it"};
}

Applied make_applied(const Loaded& loaded, const Sources& sources, std::size_t node, const Addresses& addresses,
                     const ir::Ruleset& sent, const World& world) {
    Applied applied;
    applied.policyc = version();
    applied.node = loaded.policy.nodes[node].name;
    applied.time = to_text(world.now);
    for (std::uint32_t file = loaded.first_file; file < loaded.first_file + loaded.files; ++file) {
        applied.files.emplace_back(sources.name(file), sources.text(file));
    }
    applied.addresses = addresses;
    applied.server_ports = server_ports_of(sent);
    return applied;
}

std::string record_path(const World& world) {
    return world.state_dir + "/applied.json";
}

Result<Applied> load_applied(const World& world) {
    return read_record(record_path(world), *world.files);
}

Result<Applied> load_prepared(const World& world) {
    return read_record(prepared_path(world), *world.files);
}

Result<void> prepare_applied(const Applied& applied, World& world) {
    if (std::error_code ignored; std::filesystem::is_directory(record_path(world), ignored))
        return record_error(world, EISDIR);
    Json record = {{"version", 1}, {"policyc", applied.policyc}, {"node", applied.node}, {"time", applied.time}};
    record["files"] = Json::array();
    for (const auto& [name, text] : applied.files) record["files"].push_back({{"name", name}, {"text", text}});
    record["addresses"] = Json::object();
    for (const auto& [name, addresses] : applied.addresses) {
        Json& list = record["addresses"][name] = Json::array();
        for (const Address& address : addresses) list.push_back(to_string(address));
    }
    if (applied.server_ports) {
        record["server_ports"] = applied.server_ports->tcp;
        record["server_udp_ports"] = applied.server_ports->udp;
    }
    const std::string text = record.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    return world.files->write(prepared_path(world), text, 0600);
}

Result<void> keep_applied(const World& world) {
    if (rename(prepared_path(world).c_str(), record_path(world).c_str()) != 0) return record_error(world, errno);
    const int directory = open(world.state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        fsync(directory);
        close(directory);
    }
    return {};
}

std::string record_identity(const World& world) {
    return exists(prepared_path(world)) ? std::string() : file_identity(record_path(world));
}

void drop_applied(const World& world) {
    unlink(prepared_path(world).c_str());
}

}  // namespace policyc
