// The kernel behind an interface: what is loaded now, and one transaction that replaces it. backends/libnftables.h is the
// real one, backends/fake.h the one in memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/ir.h"
#include "policy/result.h"

namespace policyc {

// A base chain whose policy is drop, of a table that is not ours.
struct ForeignChain {
    std::string table;  // "inet filter": family and name
    std::string name;
    std::string hook;  // "prerouting", "input", "forward", "output", "postrouting"
};

class Kernel {
public:
    virtual ~Kernel() = default;

    // `table inet policyc` as it is in the kernel of this network namespace; nothing when there is no such table.
    virtual Result<std::optional<ir::Ruleset>> read() = 0;

    // In one transaction, makes `table inet policyc` be exactly this (an empty Ruleset: be gone). Touches no other table.
    // After an error the kernel holds what it held before.
    virtual Result<void> replace(const ir::Ruleset& ruleset) = 0;

    // The base chains of other tables (families inet, ip and ip6) that drop what they do not accept: they can refuse
    // what ours allows, since a packet passes only when every base chain of a hook accepts it.
    virtual Result<std::vector<ForeignChain>> foreign_chains() = 0;
};

}  // namespace policyc
