// The stages as the verbs run them, one function per arrow of the pipeline. Each reports into the Report what it finds,
// and says by its result whether the next may run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/access.h"
#include "compiler/driver/report.h"
#include "compiler/driver/world.h"
#include "compiler/server_ports.h"
#include "policy/lock.h"
#include "policy/model.h"
#include "policy/question.h"

namespace policyc {

// A policy and the files it was read from.
struct Loaded {
    Policy policy;
    std::string path;
    std::uint32_t first_file = 0;  // of Sources: the policy file, then its fragments
    std::uint32_t files = 0;
};

// parse and check. Nothing when there was an error. A query is the last of the policy's tests: see add_question().
std::optional<Loaded> load_policy(const std::string& path, const Files& files, Sources& sources,
                                  Diagnostics& diagnostics, const std::optional<Query>& query = {});

struct LockFile {
    std::string path;
    std::optional<std::string> text;  // absent: there is no such file
    Lock lock;
};

// The lock that the policy names, or `given` (--lock). One that does not exist is empty; but where it was asked for by
// name and `may_miss` is not set, that is an error, as is one that can't be read or understood.
std::optional<LockFile> load_lock(const Loaded& loaded, const std::optional<std::string>& given, bool may_miss,
                                  const Files& files, Report& report);

// Of every name the entry that was resolved last; of two from the same time, and of two that are dated ahead, that of `one`.
Lock join(const Lock& one, const Lock& other, Time now);

// /etc/hosts. One that can't be read has no names.
Addresses load_hosts(const World& world);

// The names of the policy that have an address in neither place.
std::vector<std::string> names_without_address(const Policy& policy, const Lock& lock, const Addresses& hosts);
std::map<std::string, Answer> ask(const Policy& policy, const std::vector<std::string>& names, World& world);

// The node to work for: --node, else the one that bears the host name, else the only gateway. Otherwise the trouble
// says which there are.
Result<std::size_t> choose_node(const Policy& policy, const Options& options, const World& world);

// The policy, its lock and the node to work for. Nothing where the run ends there; `status` is its exit status then.
struct Opened {
    Loaded loaded;
    LockFile lock;
    std::size_t node = 0;
};
std::optional<Opened> open_policy(const Options& options, const World& world, Report& report, int& status);

// Ports of @server_ports that only the running host knows: those of the table that is there, since sessions may have been
// picked up then, and where that is not all that is wanted, those that something serves at now. Returns them.
ServerPorts add_live_server_ports(const ir::Ruleset* before, ir::Ruleset& wanted, const World& world);

// Whole days, UTC.
Days today(const World& world);

// Whether a file or directory of that name exists, however little can be said of it.
bool exists(const std::string& path);

// The part before the last slash, with it: "" for a plain name.
std::string folder_of(const std::string& path);

const char* word(Scope scope);

}  // namespace policyc
