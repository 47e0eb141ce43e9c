// Who reaches what according to a policy, permission by permission, as `list` shows it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/lock.h"
#include "policy/model.h"
#include "policy/span.h"

namespace policyc {

struct AccessRow {
    std::string who;  // "laptop"
    std::vector<std::string> who_addresses;
    std::string what;                    // "grafana", "home", "extgw01"
    std::string host;                    // as the policy says it: a host name, an address, a network
    std::vector<std::string> addresses;  // what it stands for; empty: nothing is allowed
    std::vector<std::string> ports;      // "3000/tcp"
    std::string via;                     // "tiers.vpn", "nodes.extgw01.input.ssh", "nodes.extgw01.output"
    std::vector<std::string> limits;     // "50/second"
    bool log = false;
    std::optional<Days> until;  // the last day
    bool in_force = true;
    std::string why_not;  // where it is not in force
    Span span;
};

struct ImpliedRow {
    std::string node;
    std::string what;  // "ICMP errors about a tracked flow"
};

struct AccessList {
    std::vector<AccessRow> rows;  // all of one person together, nodes in the order of the policy first
    std::vector<ImpliedRow> implied;
};

// The rows to show: those of these people, of these services, or of both; else all.
struct ListFilter {
    std::optional<std::set<std::string>> who;
    std::optional<std::set<std::string>> what;
};

// The names that a group stands for, or `name` itself where no group has it.
std::set<std::string> members_of(const Policy& policy, const std::string& name);

// What that node allows without being written.
std::vector<ImpliedRow> implied_rows(const Policy& policy, const Node& node);

// With `node`, only that node's inputs, output and implied permissions; tiers are shown always. What is implied is shown without a filter.
AccessList access_list(const Policy& policy, const Addresses& addresses, std::optional<std::size_t> node, Days today,
                       const ListFilter& filter = {});

// How many rows that will be; who is in a list twice counts twice.
std::size_t count_rows(const Policy& policy, std::optional<std::size_t> node, const ListFilter& filter = {});

// What a filter can name: who and what the list would show, sorted.
struct ListNames {
    std::vector<std::string> who;
    std::vector<std::string> what;
};
ListNames list_names(const Policy& policy);

std::string list_table(const AccessList& list, const Sources& sources);
std::string list_mermaid(const AccessList& list);
std::string list_dot(const AccessList& list);

}  // namespace policyc
