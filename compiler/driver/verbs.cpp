// The table of verbs, and look-ups in it: verbs().
#include "compiler/driver/verbs.h"

namespace policyc {

namespace {

const ArgumentRow policy_argument{"POLICY", "The policy file.", &Options::policy};
constexpr std::string_view text_or_json = "text|json";

std::vector<Verb> make_verbs() {
    std::vector<Verb> table;
    table.push_back({
        .name = "init",
        .group = "Write a policy",
        .help = "write a starting policy",
        .about = {"Writes a small policy with comments, made to be edited.",
                  "A file that is there already is never touched."},
        .arguments = {{"PATH", "Where to write it; policy.toml when not given.", &Options::path, false}},
        .options = {},
        .examples = {{"policyc init", "writes policy.toml here"}},
        .formats = text_or_json,
        .run = verb_init,
    });
    table.push_back({
        .name = "check",
        .group = "Write a policy",
        .help = "read a policy, judge its tests, and say all that is wrong with it",
        .about =
            {"Reads the policy and what it includes, takes addresses from the lock and /etc/hosts, and judges "
             "every [[test]].",
             "Then it proves, for each node that judges anything, that what is compiled means what the policy means.",
             "It touches neither the network nor the kernel, and needs no privileges."},
        .arguments = {policy_argument},
        .options = {},
        .examples = {{"policyc check policy.toml", "exits 0 when the policy is fine"}},
        .formats = text_or_json,
        .run = verb_check,
    });
    table.push_back({
        .name = "resolve",
        .group = "Write a policy",
        .help = "ask DNS for the policy's host names and write the lock",
        .about = {"Asks for every host name of the policy, says what changed, and writes the lock when it differs.",
                  "What /etc/hosts has for a name is taken for its answer, and DNS is not asked.",
                  "When a server is silent the last answer stays.",
                  "With --apply the new addresses go to the kernel at once; if the lock can't be written then, they "
                  "are kept in the state "
                  "directory."},
        .arguments = {policy_argument},
        .options = {{"--apply", "", "Apply the policy with the new answers.", &Options::apply}},
        .examples = {{"policyc resolve policy.toml", "writes policy.lock, made to be committed"}},
        .formats = text_or_json,
        .run = verb_resolve,
    });
    table.push_back({
        .name = "list",
        .group = "Look",
        .help = "show who reaches what",
        .about = {"One line for each permission: who, what, where, by which tier or input, under which limit, until "
                  "when, and the line "
                  "that says so.",
                  "Tiers that are not in force are shown as such, and so is what no packet can be of: over IPv6 where "
                  "that is denied, or from one family to the other.",
                  "What is allowed without being written is shown as implied.",
                  "Then, for each node with an interface, what it does not judge: that passes, whatever the list says.",
                  "A line about two places on one side of such a node in scope tunnel says so itself: what they send "
                  "each other never passes the tunnel.",
                  "Of a node that nobody reaches it says which tiers open a network that the node serves, where it may "
                  "have an address.",
                  "An input is open at every address of its node, so it is also shown by --what with a network that "
                  "the node serves.",
                  "--who and --what with an address of one family leave out what has none of that family.",
                  "With --format mermaid or dot it is a graph to draw.",
                  "A list of more than 250,000 lines is refused: ask for one person or one service."},
        .arguments = {policy_argument},
        .options =
            {{"--who", "NAME",
              "Only what these reach: a node, a network, a group, an address or a CIDR; by whatever name or network "
              "they are allowed.",
              &Options::who},
             {"--what", "NAME",
              "Only who reaches this or a part of it: a service, a group, a node, a network, an address or a CIDR, "
              "with a port or without.",
              &Options::what}},
        .examples = {{"policyc list policy.toml", "a table for people"},
                     {"policyc list policy.toml --who phone", "what one of them reaches"},
                     {"policyc list policy.toml --format dot | dot -Tsvg > access.svg", "a picture"}},
        .formats = "table|json|mermaid|dot",
        .run = verb_list,
    });
    table.push_back({
        .name = "explain",
        .group = "Look",
        .help = "say why FROM may reach TO, or why not",
        .about =
            {"Shows every line that allows it, or what would: another port, a grant, another day, another person.",
             "FROM is a node, a network, a group, an address or a CIDR.",
             "TO is a service, a group of these, or any of the above with a port: nas:22, 10.69.13.5:53/udp, home:*, "
             "gateway:ping.",
             "The policy knows a node by its tunnel addresses: of any other that may be the node's own, what its "
             "inputs would let in and what it may send is shown; --live knows them all.",
             "The policy read line by line and its diagram must say the same; otherwise it is an internal error.",
             "With --live the kernel is asked too: which element holds the flow, how long it has left, what "
             "counts it, and what the kernel's own look-ups say.",
             "Exits 0 when all of it is allowed or not judged, 1 when it is denied, if only in part, and 2 when FROM "
             "or TO can't be read.",
             "With --live it also exits 1 where table inet policyc does otherwise than this policy says; chains of "
             "other tables that may drop it are named, and change nothing of the exit status."},
        .arguments = {policy_argument,
                      {"FROM", "Who sends.", &Options::from},
                      {"TO", "What is to be reached.", &Options::target}},
        .options = {{"--live", "", "Ask the kernel too.", &Options::live},
                    {"--in", "INTERFACE",
                     "The interface that it comes in through; else the one behind which the policy has FROM, and where "
                     "it has it nowhere, with --live the one that this host's route to FROM takes.",
                     &Options::in}},
        .examples = {{"policyc explain policy.toml phone jellyfin:8096", "why, line by line"},
                     {"policyc explain policy.toml laptop nas:22 --live", "and what the kernel does"}},
        .formats = text_or_json,
        .run = verb_explain,
    });
    table.push_back({
        .name = "diff",
        .group = "Look",
        .help = "show what the policy would change for whom",
        .about =
            {"Compares the live kernel with the policy, and says who gains or loses what.",
             "With --against it compares two policies and touches no kernel.",
             "The diagrams of both say whether the first packet of a flow would pass that does not now, and that the "
             "list is complete of those: what it does not name is marked.",
             "Each line is true of all that it names: what another entry allows as well is left out of it, as in lan "
             "but "
             "laptop.",
             "People in a network are named behind it.",
             "Where an input changes in one of two families, the addresses stand behind the name: phone (fd69:50::12).",
             "What an input or output opens, a tier may open too at an address of this host: gw:22/tcp but 10.69.50.2 "
             "says so, and in a record of JSON the addresses in except.",
             "So does gw:22/tcp but 10.69.13.0/24 of an input: this host serves that network, and may have an address "
             "there that no line says.",
             "Of rates, what all limited tiers and inputs let through together counts, for each person and service; "
             "that "
             "a tier has one rate for all of its services is left aside.",
             "Who or what has another address and is otherwise allowed the same moves.",
             "What somebody else did to the table counts as what undoing it does: that a rule goes that accepts "
             "closes.",
             "It doesn't where nothing at all opens, or closes, by what would be applied.",
             "Where the diagrams can't say, it counts as both.", "Where nothing was judged before, nothing opens.",
             "Of answers to what this host itself begins nothing is said: a new node, or a network that is no longer "
             "served, may let some pass.",
             "Exits 0 when there is no difference and 1 when there is one."},
        .arguments = {policy_argument},
        .options = {{"--against", "OLD",
                     "Compare with this policy file (and the lock beside it) instead of the kernel.",
                     &Options::against},
                    {"--fail-on", "any|wider",
                     "Exit 1 at any difference, or only where a flow may begin that may not now.", &Options::fail_on}},
        .examples = {{"policyc diff policy.toml", "what apply would change"},
                     {"policyc diff policy.toml --against old.toml", "what an edit means"},
                     {"policyc diff policy.toml --against old.toml --fail-on wider",
                      "for a pipeline: exit 1 where somebody may begin more"}},
        .formats = text_or_json,
        .run = verb_diff,
    });
    table.push_back({
        .name = "verify",
        .group = "Look",
        .help = "prove that the kernel does what the policy says",
        .about = {"Reads table inet policyc and proves that what the policy allows passes it, and nothing else does; a "
                  "packet shows where that is not so.",
                  "The table must also be what the policy compiles to, rule by rule and element by element.",
                  "Then it names what else has a say: chains of other tables that refuse, rewrite, untrack, set zones "
                  "or offload, "
                  "tables of iptables-legacy, forwarding, rp_filter, source routes and an interface that is not there; "
                  "of each "
                  "whether it can narrow, could widen or "
                  "breaks the policy.",
                  "What was read is of one moment, which the generation of the rulesets shows.",
                  "Exits 0 when the kernel does what the policy says, and 1 when it does not or when something could "
                  "widen it."},
        .arguments = {policy_argument},
        .options = {},
        .examples = {{"policyc verify policy.toml", "is it in force?"},
                     {"policyc verify policy.toml --format json", "for monitoring"}},
        .formats = text_or_json,
        .run = verb_verify,
    });
    table.push_back({
        .name = "compile",
        .group = "Program the kernel",
        .help = "print the ruleset of a node",
        .about = {"Prints the ruleset of one node and touches neither the network nor the kernel.",
                  "What is printed is proved first: what the policy allows passes, and nothing else does.",
                  "Where that is not so, the exit status is 2, and nothing is printed.",
                  "nft and json are for nft -f and nft -j -f; ir is the ruleset as policyc sees it."},
        .arguments = {policy_argument},
        .options = {{"--to", "nft|json|ir", "What to print; nft when not given.", &Options::to}},
        .examples = {{"policyc compile policy.toml --node extgw01", "nft text to read"}},
        .formats = text_or_json,
        .run = verb_compile,
    });
    table.push_back({
        .name = "apply",
        .group = "Program the kernel",
        .help = "make the kernel of this node mean what the policy means",
        .about = {"Makes table inet policyc what the policy says, in one transaction that changes only what differs, "
                  "reads it back, and says what changed for whom.",
                  "Before it is sent, the transaction is decoded again and proved to mean what the policy means; where "
                  "it doesn't, the "
                  "exit status is 2 and nothing is sent.",
                  "When the kernel already holds it, nothing is sent.",
                  "Names that are in neither the lock nor /etc/hosts are asked from DNS, unless --offline is given; "
                  "one that can't be had "
                  "is denied.",
                  "Chains of other tables that drop or reject, by policy or by a rule, are named: what this policy "
                  "allows must be accepted there too.",
                  "So are those that rewrite destinations or take packets from connection tracking: policyc refuses "
                  "such packets.",
                  "So are those that put packets into zones of connection tracking: policyc refuses an answer that is "
                  "in another zone than its flow.",
                  "An interface that is not there is warned of: the rules hold for it when it comes up.",
                  "In scope tunnel it refuses to leave the tunnel that it guards for an interface that is not there.",
                  "It refuses to cut the SSH session that it is typed in, with exit status 1, unless --force-lockout "
                  "is given.",
                  "So it does where in scope host the tunnel itself would be cut for a peer that was heard since the "
                  "interface is up; but not at boot.",
                  "On any error the kernel keeps what it had."},
        .arguments = {policy_argument},
        .options = {{"--dry-run", "", "Say what would change; change and record nothing.", &Options::dry_run},
                    {"--offline", "", "Ask no DNS server.", &Options::offline},
                    {"--force-lockout", "", "Cut even the SSH session that this is typed in, and the tunnel.",
                     &Options::force_lockout},
                    {"--backend", "netlink|libnftables",
                     "How to talk to the kernel: netlink when not given; libnftables replaces the whole table: "
                     "counters go on, rates and timeouts begin anew.",
                     &Options::backend}},
        .examples = {{"policyc apply policy.toml --dry-run", "look first"},
                     {"policyc apply policy.toml", "then do it"}},
        .formats = text_or_json,
        .run = verb_apply,
    });
    table.push_back({
        .name = "version",
        .group = "Other",
        .help = "print the version",
        .about = {},
        .arguments = {},
        .options = {},
        .examples = {},
        .formats = text_or_json,
        .run = verb_version,
    });
    table.push_back({
        .name = "codes",
        .group = "",
        .help = "print every diagnostic code and its title",
        .about = {},
        .arguments = {},
        .options = {},
        .examples = {},
        .formats = text_or_json,
        .run = verb_codes,
    });
    table.push_back({
        .name = "manual",
        .group = "",
        .help = "print a manual page: policyc or policy.toml",
        .about = {},
        .arguments = {{"PAGE", "policyc or policy.toml.", &Options::topic}},
        .options = {},
        .examples = {},
        .formats = text_or_json,
        .run = verb_manual,
    });
    return table;
}

}  // namespace

const std::vector<Verb>& verbs() {
    static const std::vector<Verb> table = make_verbs();
    return table;
}

const std::vector<OptionRow>& global_options() {
    static const std::vector<OptionRow> table = {
        {"--node", "NODE", "The node to work for; else the one that bears the host name, else the only gateway.",
         &Options::node},
        {"--lock", "FILE", "The lock file, instead of the one that the policy names.", &Options::lock},
        {"--format", "text|json", "How to print; for list also table, mermaid and dot.", &Options::format},
        {"--color", "auto|always|never", "Colours; auto means on a terminal, unless NO_COLOR is set or TERM is dumb.",
         &Options::color},
        {"--state-dir", "DIR", "Where apply keeps its records, instead of STATE_DIRECTORY or /var/lib/policyc.",
         &Options::state_dir},
        {"--hosts", "FILE", "Read this instead of /etc/hosts.", &Options::hosts, true},
        {"--answers", "FILE", "Take DNS answers from this JSON file.", &Options::answers, true},
        {"--now", "TIME", "Take this for the time, for instance 2026-11-24T12:00:00Z.", &Options::now, true},
        {"--layout", "tuples|pairs[,shard=N][,jumps=N]", "Lay sets out in this form, whatever their size.",
         &Options::layout, true},
    };
    return table;
}

const Verb* find_verb(std::string_view name) {
    for (const Verb& verb : verbs()) {
        if (verb.name == name) return &verb;
    }
    return nullptr;
}

std::vector<std::string> choices(std::string_view value) {
    std::vector<std::string> parts;
    while (!value.empty()) {
        const std::size_t bar = value.find('|');
        parts.emplace_back(value.substr(0, bar));
        value = bar == std::string_view::npos ? std::string_view() : value.substr(bar + 1);
    }
    return parts;
}

}  // namespace policyc
