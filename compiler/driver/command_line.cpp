// Sets up CLI11 from the table of verbs and says what is wrong with a command line: read_command_line().
#include "compiler/driver/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "compiler/driver/help.h"
#include "policy/diagnostic.h"

namespace policyc {

namespace {

void add_option(CLI::App& app, const OptionRow& row, Options& options) {
    const std::string name(row.name);
    std::visit(
        [&](auto member) {
            if constexpr (std::is_same_v<decltype(member), bool Options::*>) {
                app.add_flag(name, options.*member);
            } else {
                app.add_option(name, options.*member)->expected(1);
            }
        },
        row.target);
}

// The option of that name: one that every verb has, or one of `verb`, where it is known already.
const OptionRow* find_option(std::string_view name, const Verb* verb) {
    const auto named = [&](const OptionRow& row) { return row.name == name; };
    const auto& shared = global_options();
    if (const auto row = std::ranges::find_if(shared, named); row != shared.end()) return &*row;
    if (verb == nullptr) return nullptr;
    const auto row = std::ranges::find_if(verb->options, named);
    return row == verb->options.end() ? nullptr : &*row;
}

bool is_flag(std::string_view name, const OptionRow* row) {
    if (row != nullptr) return row->value.empty();
    return name == "--help" || name == "--version";
}

struct CommandWords {
    std::vector<std::string> all;
    std::vector<std::string> plain;  // those that are neither options nor their values
};

// The words of the command line, or what is wrong with the shape of an option among them. A word after `--` is never an
// option: every argument that may begin with a dash is a path, and is made to look like one.
std::variant<CommandWords, Error> shaped(int argc, const char* const* argv) {
    CommandWords words;
    std::set<std::string> seen;
    const Verb* verb = nullptr;
    bool plain = false;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (plain || !word.starts_with('-')) {
            if (verb == nullptr) verb = find_verb(word);
            words.plain.push_back(word.starts_with('-') ? "./" + word : word);
            words.all.push_back(words.plain.back());
            continue;
        }
        if (word == "--") {
            plain = true;
            continue;
        }
        words.all.push_back(word);
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const OptionRow* row = find_option(name, verb);
        if (is_flag(name, row)) {
            if (equals != std::string::npos)
                return Error{fmt::format("{} takes no value", name), fmt::format("give {} or leave it out", name)};
            continue;
        }
        if (row == nullptr) continue;
        const std::string usage = fmt::format("write {} {}", name, row->value);
        if (!seen.insert(name).second) return Error{fmt::format("{} is given twice", name), usage};
        const bool next =
            equals == std::string::npos && i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("-");
        if (next) words.all.emplace_back(argv[++i]);
        if (equals == std::string::npos ? !next : equals + 1 == word.size())
            return Error{fmt::format("{} wants a value", name), usage};
    }
    return words;
}

std::string one_of(const std::vector<std::string>& parts) {
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) text += i + 1 == parts.size() ? " or " : ", ";
        text += parts[i];
    }
    return text;
}

// The value of an option that takes one of a few words.
std::optional<Error> check_choice(const OptionRow& row, std::string_view value, const Options& options) {
    const auto* member = std::get_if<std::string Options::*>(&row.target);
    if (member == nullptr || value.find('|') == std::string_view::npos) return {};
    const std::vector<std::string> known = choices(value);
    const std::string& given = options.*(*member);
    if (std::find(known.begin(), known.end(), given) != known.end()) return {};
    const std::string near = nearest(given, known);
    return Error{fmt::format("{} takes {}, and not `{}`", row.name, one_of(known), given),
                 near.empty() ? fmt::format("write {} {}", row.name, value) : fmt::format("did you mean `{}`?", near)};
}

std::optional<Error> check_values(const Verb& verb, Options& options) {
    for (const OptionRow& row : global_options()) {
        const std::string_view value = row.name == "--format" ? verb.formats : row.value;
        if (row.name == "--format" && verb.formats.starts_with("table") && options.format == "text")
            options.format = "table";
        if (std::optional<Error> error = check_choice(row, value, options)) return error;
    }
    for (const OptionRow& row : verb.options) {
        if (std::optional<Error> error = check_choice(row, row.value, options)) return error;
    }
    return {};
}

Error unknown_verb(const std::string& given) {
    std::vector<std::string> known;
    for (const Verb& verb : verbs()) {
        if (!verb.group.empty()) known.emplace_back(verb.name);
    }
    const std::string near = nearest(given, known);
    return {fmt::format("`{}` is not a verb of policyc", given),
            near.empty() ? fmt::format("the verbs are {}; `policyc --help` says what they do", fmt::join(known, ", "))
                         : fmt::format("did you mean `policyc {}`?", near)};
}

Error unexpected(const std::string& given, const Verb& verb) {
    const std::string usage = fmt::format("usage: {}", usage_of(verb));
    if (!given.starts_with('-'))
        return {fmt::format("`{}` is one argument too many for `policyc {}`", given, verb.name), usage};
    std::vector<std::string> known;
    for (const OptionRow& row : verb.options) known.emplace_back(row.name);
    for (const OptionRow& row : global_options()) {
        if (!row.hidden) known.emplace_back(row.name);
    }
    const std::string near = nearest(given.substr(0, given.find('=')), known);
    return {fmt::format("`policyc {}` has no option `{}`", verb.name, given),
            near.empty() ? usage : fmt::format("did you mean `{}`?", near)};
}

// `policyc help [VERB]`, as git and systemctl have it.
std::variant<Command, Spoken, Error> helped(const std::vector<std::string>& words) {
    if (words.size() == 1) return Spoken{general_help()};
    const Verb* verb = find_verb(words[1]);
    if (verb == nullptr) return unknown_verb(words[1]);
    return Spoken{help_of(*verb)};
}

}  // namespace

bool asks_for_json(int argc, const char* const* argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--") return false;
        if (word == "--format=json") return true;
        if (word == "--format" && i + 1 < argc && std::string_view(argv[i + 1]) == "json") return true;
    }
    return false;
}

std::variant<Command, Spoken, Error> read_command_line(int argc, const char* const* argv) {
    Options options;
    bool wants_help = false;
    bool wants_version = false;

    CLI::App app;
    app.set_help_flag();
    app.add_flag("-h,--help", wants_help);
    app.add_flag("--version", wants_version);
    app.allow_extras();
    app.require_subcommand(0, 1);
    for (const OptionRow& row : global_options()) add_option(app, row, options);
    for (const Verb& verb : verbs()) {
        CLI::App* sub = app.add_subcommand(std::string(verb.name));
        sub->set_help_flag();
        sub->fallthrough();  // options of every verb may stand behind the verb too
        for (const ArgumentRow& row : verb.arguments)
            sub->add_option(std::string(row.name), options.*row.target)->type_size(1);
        for (const OptionRow& row : verb.options) add_option(*sub, row, options);
    }

    auto words = shaped(argc, argv);
    if (const auto* error = std::get_if<Error>(&words)) return *error;
    const std::vector<std::string>& plain = std::get<CommandWords>(words).plain;
    if (!plain.empty() && plain.front() == "help") return helped(plain);
    std::vector<std::string>& given = std::get<CommandWords>(words).all;
    std::ranges::reverse(given);  // as CLI11 wants them
    std::string trouble;
    try {
        app.parse(std::move(given));
    } catch (const CLI::ParseError& error) {
        trouble = error.what();
    }

    const std::vector<CLI::App*> chosen = app.get_subcommands();
    const Verb* verb = chosen.empty() ? nullptr : find_verb(chosen.front()->get_name());
    if (wants_help) return Spoken{verb == nullptr ? general_help() : help_of(*verb)};
    if (wants_version) return Spoken{fmt::format("policyc {}\n", version())};
    if (!trouble.empty()) return Error{trouble, "`policyc --help` shows the usage"};

    const std::vector<std::string> extras = app.remaining(true);
    if (verb == nullptr) {
        if (extras.empty())
            return Error{"no verb was given", "`policyc --help` lists them; `policyc init` is where to begin"};
        if (!extras.front().starts_with('-')) return unknown_verb(extras.front());
        return Error{fmt::format("policyc has no option `{}`", extras.front()), "`policyc --help` lists them"};
    }
    if (!extras.empty()) return unexpected(extras.front(), *verb);
    for (const ArgumentRow& row : verb->arguments) {
        if (!row.required && (options.*row.target).empty())
            return Error{fmt::format("{} of `policyc {}` is empty", row.name, verb->name),
                         fmt::format("usage: {}", usage_of(*verb))};
        if (row.required && (options.*row.target).empty()) {
            return Error{fmt::format("`policyc {}` wants {}", verb->name, row.name),
                         fmt::format("usage: {}", usage_of(*verb))};
        }
    }
    if (std::optional<Error> error = check_values(*verb, options)) return *error;
    return Command{verb, options};
}

}  // namespace policyc
