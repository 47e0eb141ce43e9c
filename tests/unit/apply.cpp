// apply on a kernel in memory: what no real kernel can be made to do.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "backends/disk.h"
#include "backends/fake.h"
#include "compiler/driver/apply.h"
#include "compiler/driver/state.h"
#include "compiler/lower.h"

using namespace policyc;

namespace {

constexpr const char* policy_text = R"(version = 1
[nodes.gw]
role = "gateway"
address = "10.0.0.1"
interface = "wg0"
serves = ["10.1.0.0/24"]
[nodes.phone]
address = "10.0.0.2"
[tiers.vpn]
who = ["phone"]
allow = ["10.1.0.5:443"]
)";

// What the test sees of a kernel after the run that owned it.
struct Log {
    int transactions = 0;
    std::optional<ir::Ruleset> loaded;
};

// Takes a transaction and then holds something else: its first `lies` reads after one are of an emptied table.
class LyingKernel : public Kernel {
public:
    LyingKernel(std::shared_ptr<Log> log, int lies) : log_(std::move(log)), lies_(lies) {}

    Result<Moment> moment() override { return Moment{}; }
    Result<Snapshot> read() override {
        if (log_->transactions == 0 || lies_ == 0) return Snapshot{log_->loaded, {}};
        --lies_;
        return Snapshot{ir::Ruleset{}, {}};
    }
    Result<Commit> commit(const Snapshot&, const ir::Ruleset& ruleset, const Review&) override {
        ++log_->transactions;
        log_->loaded = ruleset.empty() ? std::optional<ir::Ruleset>() : ruleset;
        return Commit{};
    }
    Result<std::optional<Held>> look_up(const ir::Set&, std::string_view) override { return std::optional<Held>(); }
    Result<std::vector<ForeignChain>> foreign_chains() override { return std::vector<ForeignChain>{}; }

private:
    std::shared_ptr<Log> log_;
    int lies_;
};

// Others change its table right after transactions, as `meddle` says of the number of the transaction; nobody where it says nothing.
class MeddledKernel : public Kernel {
public:
    using Meddle = std::function<void(int transaction, std::optional<ir::Ruleset>& table, std::uint32_t& generation)>;
    MeddledKernel(std::shared_ptr<Log> log, Meddle meddle) : log_(std::move(log)), meddle_(std::move(meddle)) {}

    Result<Moment> moment() override { return Moment{generation_, 0}; }
    Result<Snapshot> read() override { return Snapshot{log_->loaded, {generation_, 0}}; }
    Result<Commit> commit(const Snapshot& before, const ir::Ruleset& ruleset, const Review&) override {
        if (before.moment.generation != generation_) return Commit{.stale = true};
        ++log_->transactions;
        log_->loaded = ruleset.empty() ? std::optional<ir::Ruleset>() : ruleset;
        generation_ = generation_ + 1 == 0 ? 1 : generation_ + 1;
        meddle_(log_->transactions, log_->loaded, generation_);
        return Commit{.onto = before.moment.generation};
    }
    Result<std::optional<Held>> look_up(const ir::Set&, std::string_view) override { return std::optional<Held>(); }
    Result<std::vector<ForeignChain>> foreign_chains() override { return std::vector<ForeignChain>{}; }

private:
    std::shared_ptr<Log> log_;
    Meddle meddle_;
    std::uint32_t generation_ = UINT32_MAX;  // the next one is 1
};

struct Bench {
    std::filesystem::path folder;
    Disk disk;
    World world;
    Report report;
    std::optional<Loaded> loaded;
    std::shared_ptr<Log> log = std::make_shared<Log>();

    explicit Bench(int lies) {
        std::string pattern = (std::filesystem::temp_directory_path() / "policyc-unit-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
        world.files = &disk;
        world.kernel = [this, lies] { return std::make_unique<LyingKernel>(log, lies); };
        world.resolver = [] { return std::make_unique<FakeResolver>(); };
        world.listening_ports = [] { return std::vector<std::uint16_t>{}; };
        world.hosts_file = "/dev/null";
        world.state_dir = folder.string();
        FakeFiles files;
        files.files["policy.toml"] = policy_text;
        loaded = load_policy("policy.toml", files, report.sources, report.diagnostics);
        REQUIRE(loaded);
    }
    ~Bench() { std::filesystem::remove_all(folder); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    void meddled(MeddledKernel::Meddle meddle) {
        world.kernel = [this, meddle = std::move(meddle)] { return std::make_unique<MeddledKernel>(log, meddle); };
    }
    [[nodiscard]] bool notes(const std::string& words) const {
        return std::ranges::any_of(report.notes,
                                   [&](const std::string& note) { return note.find(words) != std::string::npos; });
    }
    [[nodiscard]] ir::Ruleset wanted() const { return lower(loaded->policy, {}, 0, {}); }

    int apply() { return apply_policy(*loaded, {}, 0, {}, world, report); }
};

}  // namespace

TEST_CASE("an apply that the kernel means is recorded") {
    Bench bench(0);
    CHECK(bench.apply() == 0);
    CHECK(bench.log->transactions == 1);
    REQUIRE(bench.log->loaded);
    CHECK(same(*bench.log->loaded, lower(bench.loaded->policy, {}, 0, {})));
    CHECK(load_applied(bench.world));
}

TEST_CASE("a kernel that holds something else than what was sent gets back what it had") {
    Bench bench(1);
    ir::Ruleset before;
    before.chains.push_back({"old", {}, {}, {}});
    bench.log->loaded = before;
    CHECK(bench.apply() == 2);
    REQUIRE(bench.report.error);
    CHECK(bench.report.error->message == "internal error: the kernel holds something else than what was sent");
    CHECK(bench.report.error->help.find("what was there before is in force again") == 0);
    CHECK(bench.log->transactions == 2);
    REQUIRE(bench.log->loaded);
    CHECK(same(*bench.log->loaded, before));
    CHECK_FALSE(load_applied(bench.world));
    CHECK_FALSE(exists(bench.world.state_dir + "/applied.next.json"));
}

TEST_CASE("what others change after the transaction is put right, and what was there before stays away") {
    Bench bench(0);
    bench.log->loaded = bench.wanted();
    bench.log->loaded->chains.push_back({"old", {}, {}, {}});
    bench.meddled([](int transaction, std::optional<ir::Ruleset>& table, std::uint32_t& generation) {
        if (transaction > 2) return;
        table->chains.push_back({"by_hand", {}, {}, {}});
        ++generation;
    });
    CHECK(bench.apply() == 0);
    CHECK(bench.log->transactions == 3);
    CHECK(same(*bench.log->loaded, bench.wanted()));
    CHECK(bench.notes("another program changed table inet policyc meanwhile, and that was put right"));
    CHECK(bench.report.record["changed"] == true);
    CHECK(bench.report.record["chains"] == nlohmann::ordered_json{"old"});  // what the first transaction changed
    CHECK(load_applied(bench.world));
}

TEST_CASE("others who write elsewhere after the transaction are no news") {
    Bench bench(0);
    bench.meddled([](int, std::optional<ir::Ruleset>&, std::uint32_t& generation) { ++generation; });
    CHECK(bench.apply() == 0);
    CHECK(bench.log->transactions == 1);
    CHECK_FALSE(bench.notes("meanwhile"));
}

TEST_CASE("a table that others took away after the transaction is made again and counts on") {
    Bench bench(0);
    bench.log->loaded = bench.wanted();
    bench.log->loaded->chains.push_back({"old", {}, {}, {}});
    const auto counts = [&] {
        std::vector<ir::Count*> out;
        for (ir::Chain& chain : bench.log->loaded->chains)
            for (ir::Rule& rule : chain.rules)
                for (ir::Statement& statement : rule.statements)
                    if (auto* count = std::get_if<ir::Count>(&statement)) out.push_back(count);
        return out;
    };
    REQUIRE_FALSE(counts().empty());
    for (ir::Count* count : counts()) count->packets = 7;
    bench.meddled([](int transaction, std::optional<ir::Ruleset>& table, std::uint32_t& generation) {
        if (transaction > 1) return;
        table.reset();
        ++generation;
    });
    CHECK(bench.apply() == 0);
    CHECK(bench.log->transactions == 2);
    CHECK(same(*bench.log->loaded, bench.wanted()));
    for (const ir::Count* count : counts()) CHECK(count->packets == 7);
}

TEST_CASE("a kernel that errs after others were put right gets back what was there before the run") {
    Bench bench(0);
    ir::Ruleset before;
    before.chains.push_back({"old", {}, {}, {}});
    bench.log->loaded = before;
    bench.meddled([](int transaction, std::optional<ir::Ruleset>& table, std::uint32_t& generation) {
        if (transaction < 3) table->chains.push_back({"by_hand", {}, {}, {}});
        if (transaction == 1) ++generation;  // nobody wrote after the second
    });
    CHECK(bench.apply() == 2);
    CHECK(bench.report.error->message == "internal error: the kernel holds something else than what was sent");
    CHECK(bench.log->transactions == 3);
    CHECK(same(*bench.log->loaded, before));
    CHECK_FALSE(load_applied(bench.world));
}

TEST_CASE("others who never rest are told of, and what was sent is not undone") {
    Bench bench(0);
    ir::Ruleset before;
    before.chains.push_back({"old", {}, {}, {}});
    bench.log->loaded = before;
    bench.meddled([](int, std::optional<ir::Ruleset>& table, std::uint32_t& generation) {
        table->chains.push_back({"by_hand", {}, {}, {}});
        ++generation;
    });
    CHECK(bench.apply() == 2);
    CHECK(bench.report.error->message ==
          "the new ruleset was in force, but other programs changed it since: 20 times, whenever it was put right");
    CHECK(bench.log->transactions == 21);
    CHECK(std::ranges::find(bench.log->loaded->chains, "old", &ir::Chain::name) == bench.log->loaded->chains.end());
    CHECK(bench.report.record["changed"] == true);
    CHECK(load_applied(bench.world));
    CHECK_FALSE(exists(bench.world.state_dir + "/applied.next.json"));
}

TEST_CASE("a table that others make again after it was removed is removed again") {
    Bench bench(0);
    REQUIRE(bench.apply() == 0);
    bench.loaded->policy.nodes[0].scope = Scope::none;
    bench.log->transactions = 0;
    bench.meddled([](int transaction, std::optional<ir::Ruleset>& table, std::uint32_t& generation) {
        if (transaction > 1) return;
        table.emplace().chains.push_back({"by_hand", {}, {}, {}});
        ++generation;
    });
    CHECK(bench.apply() == 0);
    CHECK(bench.log->transactions == 2);
    CHECK_FALSE(bench.log->loaded);
    CHECK(bench.report.done == "table inet policyc is removed");
}

TEST_CASE("what policyc can't write is not put back, and that is said") {
    Bench bench(1);
    bench.log->loaded.emplace();
    bench.log->loaded->foreign = {{ir::Foreign::Kind::chain, "by_hand", "chain by hand", 0}};
    CHECK(bench.apply() == 2);
    CHECK(bench.report.error->help.find("was not put back") != std::string::npos);
    CHECK(bench.log->transactions == 1);
}

TEST_CASE("counters go on by name and by place") {
    const auto counted = [](std::uint64_t packets) {
        ir::Ruleset ruleset;
        ruleset.counters = {{"svc_a", "", {}, packets, packets * 100}, {"svc_b", "", {}, 0, 0}};
        ruleset.chains.push_back(
            {"c", {}, {}, {{{ir::Count{packets, 0}, ir::Drop{}}, "", {}}, {{ir::Accept{}}, "", {}}}});
        return ruleset;
    };
    ir::Ruleset fresh = counted(0);
    carry_counters(counted(7), fresh);
    CHECK(fresh.counters[0].packets == 7);
    CHECK(fresh.counters[0].bytes == 700);
    CHECK(fresh.counters[1].packets == 0);
    CHECK(std::get<ir::Count>(fresh.chains[0].rules[0].statements[0]).packets == 7);

    // Another rule at that place has its own beginning.
    ir::Ruleset other = counted(0);
    other.chains[0].rules[0].statements = {ir::Count{}, ir::Accept{}};
    carry_counters(counted(7), other);
    CHECK(std::get<ir::Count>(other.chains[0].rules[0].statements[0]).packets == 0);

    // What somebody put in front of it doesn't matter.
    ir::Ruleset more = counted(7);
    more.chains[0].rules.insert(more.chains[0].rules.begin(), ir::Rule{{ir::Accept{}}});
    fresh = counted(0);
    carry_counters(more, fresh);
    CHECK(std::get<ir::Count>(fresh.chains[0].rules[0].statements[0]).packets == 7);
}

TEST_CASE("what is left of a life goes on where the element is the same") {
    const auto timed = [](const std::vector<ir::Life>& lives) {
        ir::Ruleset ruleset;
        ir::Set set{.name = "grants4", .types = {ir::Type::ipv4_addr}, .timed = true};
        set.elements = ir::Elements(set.types, false);
        for (std::uint32_t i = 0; i < lives.size(); ++i) {
            set.elements.add({{i, i}});
            set.elements.set_life(lives[i]);
        }
        ruleset.sets.push_back(set);
        return ruleset;
    };
    ir::Ruleset fresh = timed({{1000, 0}, {2000, 0}, {}, {1000, 0}});
    carry_lives(timed({{1000, 10}, {1000, 20}, {1000, 30}}), fresh);
    const ir::Elements& elements = fresh.sets[0].elements;
    CHECK(elements.life(0) == ir::Life{1000, 10});
    CHECK(elements.life(1) == ir::Life{2000, 0});  // another timeout
    CHECK(elements.life(2) == ir::Life{});
    CHECK(elements.life(3) == ir::Life{1000, 0});  // it wasn't there
}
