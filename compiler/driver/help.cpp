// Help for people, out of the table of verbs: general_help() and help_of().
#include "compiler/driver/help.h"

#include <fmt/format.h>

#include <algorithm>

namespace policyc {

namespace {

struct Row {
    std::string left;
    std::string right;
};

std::string table(const std::vector<Row>& rows) {
    std::size_t width = 0;
    for (const Row& row : rows) width = std::max(width, row.left.size());
    std::string text;
    for (const Row& row : rows) text += fmt::format("  {:<{}}  {}\n", row.left, width, row.right);
    return text;
}

std::string option_text(const OptionRow& option) {
    return option.value.empty() ? std::string(option.name) : fmt::format("{} {}", option.name, option.value);
}

std::vector<Row> option_rows(const std::vector<OptionRow>& options) {
    std::vector<Row> rows;
    for (const OptionRow& option : options) {
        if (!option.hidden) rows.push_back({option_text(option), std::string(option.help)});
    }
    return rows;
}

std::string examples_of(const std::vector<ExampleRow>& examples) {
    std::vector<Row> rows;
    for (const ExampleRow& example : examples)
        rows.push_back({std::string(example.command), std::string(example.says)});
    return table(rows);
}

std::string arguments_of(const Verb& verb) {
    std::string text;
    for (const ArgumentRow& argument : verb.arguments) {
        text += argument.required ? fmt::format(" {}", argument.name) : fmt::format(" [{}]", argument.name);
    }
    return text;
}

}  // namespace

const char* version() {
    return POLICYC_VERSION;
}

std::string usage_of(const Verb& verb) {
    std::string text = fmt::format("policyc {}{}", verb.name, arguments_of(verb));
    for (const OptionRow& option : verb.options) {
        if (!option.hidden) text += fmt::format(" [{}]", option_text(option));
    }
    return text;
}

std::string general_help() {
    std::string text = "policyc: who may reach what over a WireGuard network, as an nftables ruleset\n\n";
    text += "usage: policyc VERB [arguments] [options]\n";
    std::string_view group;
    std::size_t width = 0;
    for (const Verb& verb : verbs()) {
        if (!verb.group.empty()) width = std::max(width, verb.name.size() + arguments_of(verb).size());
    }
    for (const Verb& verb : verbs()) {
        if (verb.group.empty()) continue;
        if (verb.group != group) text += fmt::format("\n{}\n", verb.group);
        group = verb.group;
        text += fmt::format("  {:<{}}  {}\n", std::string(verb.name) + arguments_of(verb), width, verb.help);
    }
    text += "\nOptions of every verb\n" + table(option_rows(global_options()));
    text += "\nExit status\n";
    text += table({{"0", "fine, or no difference"},
                   {"1", "the answer is no: an error in the policy, a failed test, a difference"},
                   {"2", "trouble: usage, files, the kernel"}});
    text += "\nExamples\n";
    text += examples_of({{"policyc init", "write policy.toml"},
                         {"policyc check policy.toml", "say what is wrong with it"},
                         {"policyc diff policy.toml", "who would gain and lose what"},
                         {"policyc apply policy.toml", "make it so"}});
    text += "\n`policyc VERB --help` says more of a verb.\n";
    return text;
}

std::string help_of(const Verb& verb) {
    std::string text = fmt::format("usage: {}\n\n{}\n", usage_of(verb), verb.help);
    if (!verb.about.empty()) text += "\n";
    for (const std::string_view sentence : verb.about) text += fmt::format("{}\n", sentence);
    std::vector<Row> rows;
    for (const ArgumentRow& argument : verb.arguments)
        rows.push_back({std::string(argument.name), std::string(argument.help)});
    if (!rows.empty()) text += "\nArguments\n" + table(rows);
    if (!option_rows(verb.options).empty()) text += "\nOptions\n" + table(option_rows(verb.options));
    std::vector<Row> shared = option_rows(global_options());
    for (Row& row : shared) {
        if (row.left.starts_with("--format")) row = {fmt::format("--format {}", verb.formats), "How to print."};
    }
    text += "\nOptions of every verb\n" + table(shared);
    if (!verb.examples.empty()) text += "\nExamples\n" + examples_of(verb.examples);
    return text;
}

}  // namespace policyc
