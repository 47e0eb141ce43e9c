// Writes policyc(8) out of the table of verbs, in mdoc(7): manual_of_program().
#include "compiler/driver/manual.h"

#include <fmt/format.h>

#include <cctype>

#include "compiler/driver/mdoc.h"
#include "compiler/driver/verbs.h"

namespace policyc {

namespace {

std::string synopsis() {
    std::string text = ".Nm\n.Ar verb\n.Op Ar argument\n.Op Ar option ...\n";
    for (const Verb& verb : verbs()) {
        if (verb.group.empty()) continue;
        text += fmt::format(".Nm\n.Cm {}\n", verb.name);
        for (const ArgumentRow& argument : verb.arguments) {
            text +=
                argument.required ? fmt::format(".Ar {}\n", argument.name) : fmt::format(".Op Ar {}\n", argument.name);
        }
        for (const OptionRow& option : verb.options) {
            if (option.hidden) continue;
            text += option.value.empty() ? fmt::format(".Op Fl {}\n", mdoc::flag(option.name))
                                         : fmt::format(".Op Fl {} Ar {}\n", mdoc::flag(option.name), option.value);
        }
    }
    return text;
}

std::string options_list(const std::vector<OptionRow>& options) {
    std::string text = ".Bl -tag -width Ds\n";
    for (const OptionRow& option : options) {
        if (option.hidden) continue;
        text +=
            fmt::format(".It Fl {}{}{}\n", mdoc::flag(option.name), option.value.empty() ? "" : " Ar ", option.value);
        text += mdoc::line(option.help);
    }
    return text + ".El\n";
}

std::string capital(std::string_view sentence) {
    std::string text(sentence);
    if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
}

std::string verb_text(const Verb& verb) {
    std::string text = fmt::format(".It Cm {}", verb.name);
    for (const ArgumentRow& argument : verb.arguments)
        text += fmt::format(" {}Ar {}", argument.required ? "" : "Op ", argument.name);
    text += "\n" + mdoc::line(capital(verb.help) + ".");
    for (const std::string_view sentence : verb.about) text += mdoc::line(sentence);
    for (const ArgumentRow& argument : verb.arguments) {
        if (!argument.required)
            text += fmt::format(".Ar {}\nis optional.\n", argument.name) + mdoc::line(argument.help);
    }
    if (!verb.options.empty()) text += options_list(verb.options);
    return text;
}

}  // namespace

std::string manual_of_program() {
    std::string text =
        mdoc::head("POLICYC", 8, "policyc", "who may reach what over a WireGuard network, as an nftables ruleset");
    text += ".Sh SYNOPSIS\n" + synopsis();
    text += ".Sh DESCRIPTION\n.Nm\n";
    text += mdoc::line(
        "reads a policy that says who may reach what over a WireGuard network, and makes it the nftables table inet "
        "policyc of a node.");
    text += mdoc::line("What the policy does not allow is denied.");
    text += mdoc::line("No other table is ever touched.");
    text += ".Pp\nThe language is described in\n.Xr policy.toml 5 .\n.Pp\nThe verbs are:\n.Bl -tag -width Ds\n";
    for (const Verb& verb : verbs()) {
        if (!verb.group.empty()) text += verb_text(verb);
    }
    text += ".El\n.Pp\nThese options may stand before the verb or after it:\n" + options_list(global_options());
    text += ".Pp\n";
    text += mdoc::line("Data goes to standard output, words go to standard error.");
    text += mdoc::line("With --format json all of it is one record on standard output, whose version is 1.");
    text += ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n";
    text +=
        ".It Ev NO_COLOR\n" + mdoc::line("When set and not empty, nothing is coloured unless --color always is given.");
    text += ".It Ev TERM\n" + mdoc::line("When it is dumb, nothing is coloured either.");
    text += ".It Ev STATE_DIRECTORY\n" +
            mdoc::line("Where apply keeps its records, as systemd sets it; /var/lib/policyc when not set.");
    text += ".El\n.Sh FILES\n.Bl -tag -width Ds\n";
    text += ".It Pa policy.lock\n" +
            mdoc::line("The addresses of the host names of a policy, beside it and made to be committed.");
    text += ".It Pa /var/lib/policyc/applied.json\n" +
            mdoc::line("What was applied last, so that diff can name what goes.");
    text += ".It Pa /var/lib/policyc/names.lock\n" + mdoc::line("Addresses that could not be written to the lock.") +
            mdoc::line("Of two answers for a name the later one counts.");
    text += ".It Pa /etc/hosts\n" + mdoc::line("Addresses of names that are not locked.");
    text += ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n";
    text += ".It 0\n" + mdoc::line("Fine, or no difference.");
    text += ".It 1\n" + mdoc::line("The answer is no: an error in the policy, a failed test, a difference.");
    text +=
        ".It 2\n" +
        mdoc::line("Trouble: usage (as a name on the command line that the policy does not have), files, the kernel.");
    text += ".El\n.Sh EXAMPLES\n";
    for (const Verb& verb : verbs()) {
        if (verb.group.empty()) continue;
        for (const ExampleRow& example : verb.examples) {
            text += mdoc::line(capital(example.says) + ":") + ".Pp\n.Dl " + mdoc::escaped(example.command) + "\n.Pp\n";
        }
    }
    text.erase(text.size() - std::string_view(".Pp\n").size());
    text += ".Sh SEE ALSO\n.Xr policy.toml 5 ,\n.Xr nft 8 ,\n.Xr wg 8\n";
    return text;
}

}  // namespace policyc
