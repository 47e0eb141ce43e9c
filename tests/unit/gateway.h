// A gateway in memory: a folder with a policy, a state directory, and a kernel that takes what apply sends.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "backends/disk.h"
#include "backends/fake.h"
#include "compiler/driver/report.h"
#include "compiler/driver/verbs.h"
#include "compiler/driver/world.h"

namespace policyc {

inline constexpr const char* gateway_policy = R"(version = 1
{top}
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
serves = ["10.1.0.0/24"]
{node}
[nodes.phone]
address = "10.0.0.2"
[nodes.laptop]
address = "10.0.0.3"
[services]
web = { host = "10.1.0.5", ports = [443, 8080]{service} }
[tiers.vpn]
who = ["phone", "laptop"]
allow = ["web"]
{tier}
[networks]
lan = ["10.1.0.0/24"]
)";

// A policy of two people and a service, with lines of one's own at four places.
inline std::string policy(const std::string& node = "", const std::string& tier = "", const std::string& top = "",
                          const std::string& service = "") {
    std::string out = gateway_policy;
    const auto put = [&](const std::string& mark, const std::string& value) {
        out.replace(out.find(mark), mark.size(), value);
    };
    put("{top}", top);
    put("{node}", node);
    put("{service}", service);
    put("{tier}", tier);
    return out;
}

inline const std::string host = "scope = \"host\"\n";

// A policy of one person, to which services and tiers are added.
inline const std::string one_person = R"(version = 1
[networks]
home = ["10.1.0.0/16"]
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
[nodes.phone]
address = "10.0.0.2"
)";

// A policy.lock that knows one name; `addresses` as a list of TOML has them.
inline std::string lock_of(const std::string& name, const std::string& addresses) {
    return "version = 1\n\n[names.\"" + name + "\"]\naddresses = [" + addresses +
           "]\nttl = 300\nresolved = \"2026-11-24T10:00:00Z\"\n";
}

// A Kernel that outlives the run that owns it.
class Borrowed : public Kernel {
public:
    explicit Borrowed(FakeKernel& kernel) : kernel_(kernel) {}
    Result<Moment> moment() override { return kernel_.moment(); }
    Result<Snapshot> read() override { return kernel_.read(); }
    Result<Commit> commit(const Snapshot& before, const ir::Ruleset& wanted, const Review& review) override {
        return kernel_.commit(before, wanted, review);
    }
    Result<std::optional<Held>> look_up(const ir::Set& set, std::string_view key) override {
        return kernel_.look_up(set, key);
    }
    Result<std::vector<ForeignChain>> foreign_chains() override { return kernel_.foreign_chains(); }

private:
    FakeKernel& kernel_;
};

// What a verb had to say.
struct Ran {
    int status = 0;
    std::string out;
    std::string notes;
    nlohmann::ordered_json record;
    std::optional<Error> error;

    [[nodiscard]] bool says(const std::string& words) const { return out.find(words) != std::string::npos; }
    [[nodiscard]] bool widens() const { return record.at("widens"); }
    [[nodiscard]] bool narrows() const { return record.at("narrows"); }
};

struct Gateway {
    std::filesystem::path folder;
    Disk disk;
    FakeKernel kernel;
    FakeResolver resolver;
    std::vector<Link> links{{"lo"}, {"wg0", true}};
    World world;
    Options options;

    Gateway() {
        std::string pattern = (std::filesystem::temp_directory_path() / "policyc-unit-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
        world.files = &disk;
        world.kernel = [this] { return std::make_unique<Borrowed>(kernel); };
        world.resolver = [this] { return std::make_unique<FakeResolver>(resolver); };
        world.listening_ports = [] { return std::vector<std::uint16_t>{}; };
        world.links = [this] { return links; };
        world.now = parse_time("2026-11-24T12:00:00Z").value();
        world.hosts_file = "/dev/null";
        world.state_dir = (folder / "state").string();
        world.boot = "this boot";
        world.program = "this program";
        options.policy = (folder / "policy.toml").string();
    }
    ~Gateway() { std::filesystem::remove_all(folder); }
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    void write(const std::string& text, const std::string& name = "policy.toml") {
        REQUIRE(disk.write((folder / name).string(), text, 0600));
    }
    std::string read(const std::string& name) {
        const Result<std::string> text = disk.read((folder / name).string(), max_policy_bytes);
        return text ? text.value() : std::string();
    }

    Ran run(Verb::Run verb) {
        Report report;
        report.talk = false;
        Ran ran;
        ran.status = verb(options, world, report);
        ran.out = report.data;
        for (const std::string& note : report.notes) ran.notes += note + "\n";
        ran.record = report.record;
        ran.error = report.error;
        INFO(ran.out);
        INFO(render(report.diagnostics, report.sources, false));
        CHECK(report.diagnostics.errors() == 0);
        return ran;
    }
    Ran apply(const std::string& text) {
        write(text);
        return run(verb_apply);
    }
    Ran diff(const std::string& text) {
        write(text);
        return run(verb_diff);
    }

    // The table that is in the kernel and its parts, to be edited by hand: a transaction of somebody else's.
    ir::Ruleset& table() {
        ++kernel.generation;
        return *kernel.loaded;
    }
    ir::Chain& chain(const std::string& name) { return find(table().chains, name); }
    ir::Set& set(const std::string& name) { return find(table().sets, name); }

private:
    template <typename T>
    static T& find(std::vector<T>& list, const std::string& name) {
        for (T& one : list)
            if (one.name == name) return one;
        FAIL("there is no " << name);
        return list.front();
    }
};

}  // namespace policyc
