// The verbs of the command line in one table: it sets up the parser, prints the help and makes the manual page.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace policyc {

struct World;
class Report;

// What was typed. A value that was not given is its default here, or absent where "not given" means something of its
// own.
struct Options {
    std::optional<std::string> node;
    std::optional<std::string> lock;
    std::string format = "text";
    std::string color = "auto";
    std::optional<std::string> state_dir;
    std::string hosts = "/etc/hosts";
    std::optional<std::string> answers;
    std::optional<std::string> now;
    std::optional<std::string> layout;

    std::string policy;  // the argument POLICY
    std::string from;    // FROM and TO of explain
    std::string target;
    std::string path = "policy.toml";
    std::string topic;

    std::string to = "nft";
    std::string backend = "netlink";
    std::optional<std::string> against;
    std::string fail_on = "any";
    std::optional<std::string> who;
    std::optional<std::string> what;
    std::optional<std::string> in;
    bool live = false;
    bool apply = false;
    bool dry_run = false;
    bool offline = false;
    bool force_lockout = false;

    [[nodiscard]] bool json() const { return format == "json"; }
};

// One flag or option. `value` is what the help shows for its value ("nft|json|ir", "FILE"), "" for a flag.
struct OptionRow {
    using Target = std::variant<bool Options::*, std::string Options::*, std::optional<std::string> Options::*>;

    std::string_view name;  // "--to"
    std::string_view value;
    std::string_view help;  // one sentence
    Target target;
    bool hidden = false;
};

struct ArgumentRow {
    std::string_view name;  // "POLICY"
    std::string_view help;
    std::string Options::*target;
    bool required = true;
};

struct ExampleRow {
    std::string_view command;
    std::string_view says;
};

struct Verb {
    using Run = int (*)(const Options&, World&, Report&);

    std::string_view name;
    std::string_view group;               // heading in the help; "" for a verb that the help does not show
    std::string_view help;                // one sentence, without a full stop
    std::vector<std::string_view> about;  // sentences, for the manual page and the verb's own help
    std::vector<ArgumentRow> arguments;
    std::vector<OptionRow> options;
    std::vector<ExampleRow> examples;
    std::string_view formats;  // of --format: "text|json" but for `list`
    Run run = nullptr;
};

// In the order in which the help shows them.
const std::vector<Verb>& verbs();
const std::vector<OptionRow>& global_options();
const Verb* find_verb(std::string_view name);

// "text|json" as its parts.
std::vector<std::string> choices(std::string_view value);

// What a verb does, one file each. They return the exit status: 0 fine or no difference, 1 the answer is no, 2 trouble.
int verb_init(const Options& options, World& world, Report& report);
int verb_check(const Options& options, World& world, Report& report);
int verb_resolve(const Options& options, World& world, Report& report);
int verb_compile(const Options& options, World& world, Report& report);
int verb_verify(const Options& options, World& world, Report& report);
int verb_apply(const Options& options, World& world, Report& report);
int verb_diff(const Options& options, World& world, Report& report);
int verb_explain(const Options& options, World& world, Report& report);
int verb_list(const Options& options, World& world, Report& report);
int verb_version(const Options& options, World& world, Report& report);
int verb_codes(const Options& options, World& world, Report& report);
int verb_manual(const Options& options, World& world, Report& report);

inline constexpr const char* default_state_dir = "/var/lib/policyc";

}  // namespace policyc
