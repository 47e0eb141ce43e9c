// [tiers.NAME] and [[test]]. Entry points: check_tiers(), check_tests().
#include <fmt/format.h>

#include <algorithm>

#include "policy/check_context.h"
#include "policy/check_fields.h"
#include "policy/check_report.h"
#include "policy/reference.h"

namespace policyc {
namespace {

Grant read_grant(const Entry& entry, const std::string& tier, Diagnostics& diagnostics) {
    Grant grant{.span = entry.key_span};
    const Fields fields(Section::grant, entry.value, fmt::format("grant of [tiers.{}]", tier), entry.key_span,
                        diagnostics);
    grant.max = fields.duration("max");
    grant.standard = fields.duration("default");
    for (const Value* name : fields.strings("by")) grant.by.push_back(*name->string());
    grant.reason = fields.boolean("reason").value_or(false);
    if (grant.max && grant.standard && *grant.standard > *grant.max) {
        diagnostics
            .report(Code::E0115, fields.find("default")->value.span, "`default` is longer than `max`",
                    "longer than a grant may last")
            .also(fields.find("max")->value.span, "the longest a grant may last");
    }
    return grant;
}

Bastion read_bastion(const Context& context, const Entry& entry, const std::string& tier) {
    Bastion bastion{.span = entry.key_span};
    const Fields fields(Section::bastion, entry.value, fmt::format("bastion of [tiers.{}]", tier), entry.key_span,
                        context.diagnostics);
    if (const Value* node = fields.string("node")) {
        if (const auto found = find_of_kind(context, *node->string(), node->span, Kind::node)) bastion.node = *found;
    }
    for (const Value* method : fields.strings("auth")) bastion.auth.push_back(*method->string());
    return bastion;
}

void check_tier(Context& context, const Entry& entry, Lists& lists) {
    Diagnostics& diagnostics = context.diagnostics;
    Tier tier{.name = entry.key, .span = entry.key_span};
    const Fields fields(Section::tier, entry.value, fmt::format("[tiers.{}]", entry.key), entry.key_span, diagnostics);
    if (const Entry* who = fields.find("who")) {
        tier.who = lists.sources("who", who->value, find_key(Section::tier, "who")->form, lists.kept.who);
        report_empty(fields, "who", "this tier is for nobody", diagnostics);
    }
    if (const Entry* allow = fields.find("allow")) {
        if (tier.who.empty()) lists.now_for(Lists::For::nobody);
        tier.allow = lists.targets("allow", allow->value, find_key(Section::tier, "allow")->form, lists.kept.allow);
        lists.now_for(Lists::For::somebody);
        report_empty(fields, "allow", "this tier allows nothing", diagnostics);
    }
    tier.limit = fields.rate("limit");
    tier.log_new = fields.log_new();
    tier.expires = fields.date("expires");
    if (const Entry* grant = fields.find("grant")) tier.grant = read_grant(*grant, tier.name, diagnostics);
    if (const Entry* bastion = fields.find("bastion")) tier.bastion = read_bastion(context, *bastion, tier.name);
    context.policy.tiers.push_back(std::move(tier));
}

// Tiers by name. They have a name space of their own.
std::optional<std::size_t> find_tier(const Context& context, const Value& value) {
    const std::string& name = *value.string();
    const std::vector<Tier>& tiers = context.policy.tiers;
    const auto found = std::ranges::find(tiers, name, &Tier::name);
    if (found != tiers.end()) return static_cast<std::size_t>(found - tiers.begin());
    // A tier that was refused, or whose section was, has had its error.
    const Entry* section = context.ast.root.find("tiers");
    if (section != nullptr && (section->value.table() == nullptr || section->value.table()->find(name) != nullptr))
        return {};
    std::vector<std::string> known;
    for (const Tier& tier : tiers) known.push_back(tier.name);
    Diagnostic& diagnostic =
        context.diagnostics.report(Code::E0201, value.span, fmt::format("`{}` is not a tier", name), "not found");
    if (const std::string near = nearest(name, known); !near.empty()) {
        diagnostic.also(std::ranges::find(tiers, near, &Tier::name)->span, "a tier with a similar name is defined here")
            .help(fmt::format("did you mean `{}`?", near));
    } else {
        diagnostic.help(known.empty() ? std::string("the policy has none: write [tiers.NAME], with who and allow")
                                      : there_is("a tier", known));
    }
    return {};
}

void read_with(const Context& context, const Fields& fields, Expectation& test) {
    for (const Value* value : fields.strings("with", true)) {
        const auto index = find_tier(context, *value);
        if (!index) continue;
        const Tier& tier = context.policy.tiers[*index];
        if (tier.grant || tier.bastion) {
            test.with.push_back(*index);
            continue;
        }
        // `grnt` has had its error.
        const Value& written = context.ast.root.find("tiers")->value.table()->find(tier.name)->value;
        const auto unknown = [](const Entry& entry) { return find_key(Section::tier, entry.key) == nullptr; };
        if (written.table() == nullptr || std::ranges::any_of(written.table()->entries, unknown)) continue;
        context.diagnostics
            .report(Code::E0202, value->span, fmt::format("tier `{}` needs no `with`", tier.name), "in force by itself")
            .also(tier.span, "has neither `grant` nor `bastion`")
            .help("remove it: `with` is for tiers that hold only while granted, or for a bastion");
    }
}

bool holds_no_entry(const Value& list) {
    return list.array() != nullptr && list.array()->items.empty();
}

void check_test(Context& context, const Value& value, Lists& lists) {
    Diagnostics& diagnostics = context.diagnostics;
    Expectation test{.span = value.span};
    const Fields fields(Section::test, value, "[[test]]", value.span, diagnostics);
    if (!fields) return;
    test.name = fields.text("name");
    const auto note_nothing = [&] {
        for (const Value* entry : lists.nothing())
            test.nothing.push_back({entry->span, fmt::format("`{}` holds nothing", *entry->string())});
    };
    if (const Entry* from = fields.find("from")) {
        test.from = lists.sources("from", from->value, find_key(Section::test, "from")->form);
        test.from_span = from->value.span;
        note_nothing();
        if (holds_no_entry(from->value)) test.nothing.push_back({from->value.span, "`from` names nobody"});
    }
    read_with(context, fields, test);
    const auto list = [&](std::string_view key) -> std::optional<Expectation::List> {
        const Entry* entry = fields.find(key);
        if (entry == nullptr) return {};
        const Span span{entry->key_span.file, entry->key_span.begin, entry->value.span.end};
        Expectation::List found{lists.targets(key, entry->value, find_key(Section::test, key)->form), span};
        note_nothing();
        // `only` may be empty: nothing at all is reached.
        if (key != "only" && holds_no_entry(entry->value))
            test.nothing.push_back({entry->value.span, fmt::format("`{}` is empty", key)});
        return found;
    };
    test.allow = list("allow");
    test.deny = list("deny");
    test.only = list("only");
    const bool misspelt = fields.misspelt("allow") || fields.misspelt("deny") || fields.misspelt("only");
    if (!test.allow && !test.deny && !test.only && !misspelt) {
        diagnostics.report(Code::E0104, value.span, "this test claims nothing", "none of `allow`, `deny` and `only`")
            .help("write what must hold: allow = [...], deny = [...] or only = [...]");
    }
    context.policy.tests.push_back(std::move(test));
}

}  // namespace

void check_tiers(Context& context, Lists& lists) {
    const Entry* entry = context.ast.root.find("tiers");
    if (entry == nullptr) return;
    const Table* table = entry->value.table();
    if (table == nullptr) {
        report_type("tiers", entry->value, "a table for each tier: [tiers.NAME]", context.diagnostics);
        return;
    }
    for (const Entry& tier : table->entries) {
        if (check_name(tier.key, tier.key_span, context.diagnostics)) check_tier(context, tier, lists);
    }
}

void check_tests(Context& context, Lists& lists) {
    const Entry* entry = context.ast.root.find("test");
    if (entry == nullptr) return;
    const Array* tests = entry->value.array();
    if (tests == nullptr) {
        context.diagnostics
            .report(Code::E0102, entry->key_span, fmt::format("`test` can't be {}", what_is(entry->value)),
                    "want a list of tables")
            .help("write [[test]] with two brackets above each test");
        return;
    }
    for (const Value& value : tests->items) check_test(context, value, lists);
}

}  // namespace policyc
