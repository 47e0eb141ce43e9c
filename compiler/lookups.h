// The rules that look a packet up in the sets of a Ruleset, whatever these look like: exact or ranges, whole or split.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir.h"
#include "compiler/program.h"
#include "compiler/shards.h"

namespace policyc {

using Statements = std::vector<ir::Statement>;

ir::Rule make_rule(Statements statements, std::string comment = {}, Span span = {});

class Lookups {
public:
    // Splits what is too large (Layout::shard). All sets of permissions must be there; chains are added as rules need them.
    Lookups(ir::Ruleset& out, std::vector<Family> families, std::size_t shard);

    [[nodiscard]] bool has(const std::string& set) const { return whole_.contains(set) || splits_.contains(set); }
    [[nodiscard]] const std::vector<Family>& families() const { return families_; }

    // How a set that was split is reached: by the map to the chains of its parts, or one part after the other where few packets come.
    enum class Way : std::uint8_t { map, list };

    struct How {
        Way way = Way::map;
        program::By by = program::By::connection;
        bool ping = true;    // false: what has no ports is not asked for pings
        Statements first;    // in front of each look-up
        std::string prefix;  // of the names of the sets
    };

    // One look-up for every set of that kind, limit and tier (protocol, family and interval of `sets` don't count), ending in `verdict`.
    void permissions(std::vector<ir::Rule>& rules, program::Permissions sets, const Statements& verdict,
                     const How& how);
    // counter name ... map @count_*
    void counters(std::vector<ir::Rule>& rules) const;
    // Who began in a set, or what a map from these says.
    void members(std::vector<ir::Rule>& rules, const std::string& set, Family family, const Statements& verdict,
                 const How& how) const;
    void verdicts(std::vector<ir::Rule>& rules, const std::string& map, Family family, const How& how);

private:
    // What asks the set of that name.
    using Ask = std::function<ir::Statement(const std::string& set)>;
    void by_list(std::vector<ir::Rule>& rules, const std::string& set, const Statements& before, const Ask& ask,
                 const Statements& verdict) const;
    void by_map(std::vector<ir::Rule>& rules, const std::string& set, const std::vector<ir::Field>& fields,
                program::By by, const Statements& before, const Ask& ask, const Statements& verdict);

    ir::Ruleset& out_;
    std::vector<Family> families_;
    Splits splits_;
    std::set<std::string> whole_;
};

}  // namespace policyc
