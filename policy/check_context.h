// What the parts of check() share: the sink, the policy in the making, and the one name space of nodes, networks, services and groups.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "policy/ast.h"
#include "policy/diagnostic.h"
#include "policy/model.h"

namespace policyc {

// What a name stands for. `lost` is a name whose definition was refused: what refers to it is silently nothing, so that one mistake is
// reported once.
enum class Kind : std::uint8_t { node, network, service, group, lost };
std::string_view noun(Kind kind);  // "a node"
// Of "a node" and all of them: "the nodes are extgw01, laptop, phone and 4 more".
std::string there_is(std::string_view noun, const std::vector<std::string>& names);

struct Entity {
    Kind kind = Kind::lost;
    std::size_t index = 0;  // into the vector of Policy
    Span span;              // the name where it is defined
};

class Names {
public:
    // Reports E0206 and keeps the first when the name is taken.
    void add(const std::string& name, const Entity& entity, Diagnostics& diagnostics);
    // The name will not be known, and nobody is to be told of it.
    void lose(const std::string& name);
    void lose_all() { all_lost_ = true; }

    // Null for an unknown name.
    [[nodiscard]] const Entity* find(std::string_view name) const;
    // Says that `name` at `span` is not `wanted` ("a service, group, node or network") and which of these kinds has the nearest name.
    void report_unknown(std::string_view name, Span span, const std::vector<Kind>& kinds, std::string_view wanted,
                        Diagnostics& diagnostics) const;

private:
    std::unordered_map<std::string, Entity> entities_;
    std::vector<std::string> order_;
    Entity lost_;
    bool all_lost_ = false;
    mutable std::size_t searches_ = 0;
};

// A range that is written as an address, a CIDR or a name of [networks].
struct Written {
    Range range;
    Span span;        // where it is used
    Span definition;  // where its digits are
    std::string label;
};

struct Context {
    const Ast& ast;
    Diagnostics& diagnostics;
    Policy policy;
    Names names;
    // Of each element of policy.nodes, .services, .networks and .groups: where it was written.
    std::vector<const Value*> node_values;
    std::vector<const Value*> service_values;
    std::vector<const Value*> network_values;
    std::vector<const Value*> group_values;
    // `serves` and `untouched` of all nodes, by the index of the node.
    std::vector<std::pair<std::size_t, Written>> served;
    std::vector<std::pair<std::size_t, Written>> untouched;
    // Services that are used outside of lists.
    std::vector<std::size_t> servers;

    Context(const Ast& tree, Diagnostics& sink) : ast(tree), diagnostics(sink) {}
};

// The index of what `name` stands for when that is of `kind`; reports it when it is unknown or something else.
std::optional<std::size_t> find_of_kind(const Context& context, std::string_view name, Span span, Kind kind);

// The ranges of a name of [networks], or of an address or CIDR.
std::vector<Written> read_network(const Context& context, const Value& value);

// The steps of check(), in this order.
void declare_names(Context& context);   // fills policy.nodes, .networks, .services and .groups with their names
void check_networks(Context& context);  // ranges of [networks]
void check_services(Context& context);  // all of [services] but what needs lists
class Lists;
void check_nodes(Context& context, Lists& lists);
void check_tiers(Context& context, Lists& lists);
void check_tests(Context& context, Lists& lists);
bool check_top(const Context& context);  // the keys of the top level; false when this is another language
void check_settings(Context& context);   // top level keys, [resolve] and [log]
void check_addresses(Context& context);  // what addresses have to do with each other
void check_usage(Context& context, const Lists& lists);  // warnings
void warn_redundant(const Context& context, const Lists& lists);

}  // namespace policyc
