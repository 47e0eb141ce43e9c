// Who reaches what according to a policy, permission by permission, as `list` shows it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/lock.h"
#include "policy/model.h"
#include "policy/question.h"
#include "policy/reach.h"
#include "policy/span.h"

namespace policyc {

struct AccessRow {
    std::string who;  // "laptop"
    std::vector<std::string> who_addresses;
    std::string what;                    // "grafana", "home", "extgw01"
    std::string host;                    // as the policy says it: a host name, an address, a network
    std::vector<std::string> addresses;  // what it stands for; empty: nothing is allowed
    bool own = false;                    // of an input: whatever addresses the node has, be they in the policy or not
    std::vector<std::string> ports;      // "3000/tcp"
    std::string via;                     // "tiers.vpn", "nodes.extgw01.input.ssh", "nodes.extgw01.output"
    std::vector<std::string> limits;     // "50/second"
    bool log = false;
    std::optional<Days> until;  // the last day
    bool in_force = true;
    std::string why_not;      // where it is not in force
    std::string unjudged_on;  // the node on one side of which both are, in scope `tunnel`; "" mostly
    Span span;
};

struct ImpliedRow {
    std::string node;
    std::string what;  // "ICMP errors about a tracked flow"
};

struct AccessList {
    std::vector<AccessRow> rows;  // all of one person together, nodes in the order of the policy first
    std::vector<ImpliedRow> implied;
    std::vector<ImpliedRow> unjudged;  // one of each node that has a table, or could have one
};

// The rows to show: those of these people, of these services, or of both; else all. Addresses and ports count, not names: who is let in as a network is
// let in as each address of it.
struct ListFilter {
    std::optional<AddressSet> who;
    struct Things {
        reach::AreaIndex areas;
        std::vector<const Target*> nameless;  // host names without an address
    };
    std::optional<Things> what;
};
// `question` is the test that a Query became; what wasn't asked for is no filter.
ListFilter list_filter(const Policy& policy, const Addresses& addresses, const Expectation& question,
                       const Query& query);

// Instead of nodes that are asked for: the networks that they serve, where they may have addresses of their own.
ListFilter served_filter(const Policy& policy, const Expectation& question, ListFilter filter);

// What that node has no opinion about, and lets pass; "" where it judges all.
std::string unjudged_by(const Node& node);

// What that node allows without being written.
std::vector<ImpliedRow> implied_rows(const Policy& policy, const Node& node);

// With `node`, only that node's inputs, output and implied permissions; tiers are shown always. What is implied is shown without a filter.
AccessList access_list(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node, Days today,
                       const ListFilter& filter = {});

// How many rows that will be; who is in a list twice counts twice.
std::size_t count_rows(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node,
                       const ListFilter& filter = {});

std::string list_table(const AccessList& list, const Sources& sources);
std::string list_mermaid(const AccessList& list);
std::string list_dot(const AccessList& list);

}  // namespace policyc
