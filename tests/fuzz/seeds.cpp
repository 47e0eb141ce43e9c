// Makes what fuzzing begins with, where it isn't the goldens themselves: fuzz_seeds dictionary, fuzz_seeds netlink FOLDER GOLDEN...,
// fuzz_seeds dns FOLDER. docs/testing.md says where it goes.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "../kernel/tools/samples.h"
#include "compiler/lower.h"
#include "messages.h"
#include "policy/check.h"
#include "policy/keys.h"
#include "policy/parse.h"

namespace {

using namespace policyc;

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

// ---- the dictionary of the language ------------------------------------------------------------------------------------

int dictionary() {
    std::set<std::string> words;
    for (const KeyInfo& key : all_keys()) {
        words.insert(std::string(key.key) + " = ");
        words.insert(std::string(key.form));
        words.insert(std::string(key.standard));
    }
    for (const SectionInfo& section : all_sections()) words.insert(std::string(section.title));
    for (const KnownInput& input : known_inputs()) words.insert("input." + std::string(input.name) + " = ");
    for (const char* word : {"[tiers.t]\n",
                             "[nodes.n]\n",
                             "[services]\n",
                             "[groups]\n",
                             "[[test]]\n",
                             "\"10.0.0.0/8\"",
                             "\"fd69::/64\"",
                             "0.0.0.0/0",
                             "::/0",
                             "255.255.255.255",
                             ":*",
                             ":53/udp",
                             ":ping",
                             "\"*/tcp\"",
                             "1-65535",
                             "\"50/second\"",
                             "2026-12-31",
                             "\"\"\"",
                             "'''",
                             "\\u0000",
                             "{ ",
                             " }",
                             "[",
                             "]",
                             "true",
                             "false"})
        words.insert(word);
    std::cout << "# Words of the policy language, from the table of keys: fuzz_seeds dictionary\n";
    for (const std::string& word : words) {
        std::cout << '"';
        for (const char c : word) {
            if (c == '\n') {
                std::cout << "\\x0a";
            } else {
                if (c == '"' || c == '\\') std::cout << '\\';
                std::cout << c;
            }
        }
        std::cout << "\"\n";
    }
    return 0;
}

// ---- batches -------------------------------------------------------------------------------------------------------------

// What the golden case compiles to, as one batch; nothing where it has no rules.
std::optional<std::string> batch_of(const std::filesystem::path& golden) {
    FakeFiles files;
    files.files["policy.toml"] = contents(golden / "policy.toml");
    Sources sources;
    Diagnostics diagnostics;
    const auto ast = parse("policy.toml", files, sources, diagnostics);
    const auto policy = ast ? check(*ast, sources, diagnostics) : std::nullopt;
    if (!policy) return std::nullopt;
    const std::string text = contents(golden / "policy.lock");
    const auto lock = text.empty() ? Lock{} : parse_lock(sources.add("policy.lock", text), sources, diagnostics);
    const Time now = Days{std::chrono::year{2026} / 11 / 24};
    const Addresses addresses = addresses_of(*policy, lock.value_or(Lock{}), {}, now, diagnostics);
    std::string node = contents(golden / "node");
    node.erase(std::min(node.find('\n'), node.size()));
    const auto found = std::ranges::find_if(policy->nodes, [&](const Node& one) { return one.name == node; });
    std::string layout = contents(golden / "layout");
    layout.erase(std::min(layout.find('\n'), layout.size()));
    const auto index = static_cast<std::size_t>(found - policy->nodes.begin());
    const ir::Ruleset ruleset = lower(*policy, addresses, index, Days{std::chrono::year{2026} / 11 / 24},
                                      parse_layout(layout).value_or(Layout{}));
    if (ruleset.empty()) return std::nullopt;
    return fuzz::encoded(ruleset).bytes;
}

int netlink_seeds(const std::filesystem::path& folder, const std::vector<std::string>& goldens) {
    for (const std::string& golden : goldens)
        if (const auto bytes = batch_of(golden)) write(folder / std::filesystem::path(golden).filename(), *bytes);
    write(folder / "small", fuzz::encoded(samples::small()).bytes);
    write(folder / "everything", fuzz::encoded(samples::everything()).bytes);
    return 0;
}

// ---- replies -------------------------------------------------------------------------------------------------------------

std::string number(std::size_t value, unsigned bytes) {
    std::string out;
    for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xFFU);
    return out;
}

const std::string www("\3www\7example\0", 13);
const std::string first_name("\xc0\x0c", 2);  // a pointer to the question's name

std::string record(const std::string& name, unsigned type, std::string data) {
    return name + number(type, 2) + number(1, 2) + number(300, 4) + number(data.size(), 2) + std::move(data);
}

std::string reply(unsigned flags, unsigned type, const std::vector<std::string>& answers,
                  const std::vector<std::string>& authority = {}) {
    std::string out = number(7, 2) + number(flags, 2) + number(1, 2) + number(answers.size(), 2) +
                      number(authority.size(), 2) + number(0, 2);
    out += www + number(type, 2) + number(1, 2);
    for (const std::string& answer : answers) out += answer;
    for (const std::string& one : authority) out += one;
    return out;
}

int dns_seeds(const std::filesystem::path& folder) {
    const std::string soa =
        record(std::string("\7example\0", 9), 6,
               www + www + number(1, 4) + number(2, 4) + number(3, 4) + number(4, 4) + number(60, 4));
    const std::string far("\3far\7example\0", 13);
    write(folder / "a",
          reply(0x8180, 1, {record(first_name, 1, "\x0a\x45\x0d\x1e"), record(first_name, 1, "\x0a\x45\x0d\x1f")}));
    write(folder / "aaaa", reply(0x8180, 28, {record(first_name, 28, "\xfd\x69" + std::string(13, '\0') + "\x01")}));
    write(folder / "cname", reply(0x8180, 1, {record(first_name, 5, far), record(far, 1, "\x0a\x45\x0d\x1e")}));
    write(folder / "loop", reply(0x8180, 1, {record(first_name, 5, far), record(far, 5, www)}));
    write(folder / "nxdomain", reply(0x8183, 1, {}, {soa}));
    write(folder / "nodata", reply(0x8180, 28, {}, {soa}));
    write(folder / "servfail", reply(0x8182, 1, {}));
    write(folder / "truncated", reply(0x8380, 1, {record(first_name, 1, "\x0a\x45\x0d\x1e")}));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 1 && words[0] == "dictionary") return dictionary();
    if (words.size() >= 2 && words[0] == "netlink") return netlink_seeds(words[1], {words.begin() + 2, words.end()});
    if (words.size() == 2 && words[0] == "dns") return dns_seeds(words[1]);
    return 2;
}
