// A kernel and a resolver in memory, for tests of the verbs without privileges or a network.
#pragma once

#include "compiler/kernel.h"
#include "policy/names.h"

namespace policyc {

class FakeKernel : public Kernel {
public:
    std::optional<ir::Ruleset> loaded;
    std::optional<Error> read_error;           // returned by read() when set
    std::optional<Error> commit_error;         // returned by commit() when set; nothing is changed then
    std::function<void(ir::Ruleset&)> damage;  // done to what is about to be sent, when set
    std::vector<ForeignChain> others;
    int transactions = 0;  // tried
    std::uint32_t generation = 1;
    std::uint64_t network_namespace = 1;
    int reads = 0;
    int look_ups = 0;
    bool finds_nothing = false;  // look_up() finds nothing, whatever is loaded

    Result<Moment> moment() override;
    Result<Snapshot> read() override;
    Result<Commit> commit(const Snapshot& before, const ir::Ruleset& ruleset, const Review& review) override;
    Result<std::optional<Held>> look_up(const ir::Set& set, std::string_view key) override;
    Result<std::vector<ForeignChain>> foreign_chains() override { return others; }
};

// Answers from a map; a name that is not there times out.
class FakeResolver : public Resolver {
public:
    std::map<std::string, Answer> answers;
    std::map<std::string, Answer> resolve(const Question& question) override;
};

}  // namespace policyc
