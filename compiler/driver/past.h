// What the table in the kernel was made from, as far as the records of the state directory tell.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compiler/access.h"
#include "compiler/driver/difference.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/state.h"

namespace policyc {

// The policy of a record, with what a View points to. It can't be moved: the view points into it.
struct Past {
    Sources sources;
    Policy policy;
    Addresses addresses;
    View view;
    ir::Ruleset meant;     // what this policyc makes of that policy and its addresses
    std::string policyc;   // the version that wrote the record, "" where it doesn't say
    bool pending = false;  // from a record that was prepared and not kept: the run that wrote it was killed
};

// Nothing where the kernel has no table, or no record of this node can be read. Of two records, as an apply that was killed
// leaves them, that one which the table is like.
std::unique_ptr<Past> find_past(const std::optional<ir::Ruleset>& table, const std::string& node, const World& world);

// One warning where nobody knows what the table that is there was made from, with the reason: what differs is then told in the kernel's
// words. Where nothing differs, only of a record that is there and no use.
void warn_without_past(const std::optional<ir::Ruleset>& table, const std::unique_ptr<Past>& past, bool differs,
                       const std::string& node, const World& world, Report& report);

// What difference() wants of it; points into it. Nothing without a past.
std::optional<Origin> origin_of(const std::unique_ptr<Past>& past);

// The table that @server_ports is taken from: the one that was meant, where that is known.
const ir::Ruleset* table_of(const std::optional<ir::Ruleset>& table, const std::unique_ptr<Past>& past);

}  // namespace policyc
