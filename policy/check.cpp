// Turns the tree of a policy into a Policy. Entry point: check().
#include "policy/check.h"

#include "policy/check_context.h"
#include "policy/reference.h"

namespace policyc {

std::optional<Policy> check(const Ast& ast, const Sources&, Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.errors();
    Context context(ast, diagnostics);
    if (!check_top(context)) return {};

    // From here on every name stands for something, though maybe for a definition that will be refused.
    declare_names(context);
    check_networks(context);
    check_services(context);

    // Lists can be flattened: they need names, and the hosts and ports of services.
    Lists lists(context);
    check_nodes(context, lists);
    check_tiers(context, lists);
    lists.now_for(Lists::For::tests);
    check_tests(context, lists);
    check_settings(context);
    check_addresses(context);
    if (diagnostics.errors() != before) return {};

    // Warnings judge a policy that holds together.
    check_usage(context, lists);
    return std::move(context.policy);
}

}  // namespace policyc
