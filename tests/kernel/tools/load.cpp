// kernel_load: the backends on rulesets made by hand, for tests/kernel/test_backends.py and tests/kernel/test_other_writers.py. `kernel_load text|json|replace|round|read NAME`.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>

#include "backends/json.h"
#include "backends/libnftables.h"
#include "backends/netlink/kernel.h"
#include "backends/text.h"
#include "backends/text_words.h"
#include "compiler/plan.h"
#include "mutate.h"
#include "samples.h"

namespace {

using namespace policyc;

std::optional<ir::Ruleset> sample(const std::string& name) {
    if (name == "everything") return samples::everything();
    if (name == "edited") return samples::edited();
    if (name == "small") return samples::small();
    if (name == "empty") return ir::Ruleset{};
    if (name == "refused") return samples::refused();
    if (name == "overfull") return samples::overfull();
    if (name.starts_with("exact:")) return samples::large(std::strtoul(name.c_str() + 6, nullptr, 10), false);
    if (name.starts_with("ranges:")) return samples::large(std::strtoul(name.c_str() + 7, nullptr, 10), true);
    return std::nullopt;
}

int fail(const Error& error) {
    std::cout << "error: " << error.message << "\nhelp: " << error.help << '\n';
    return 1;
}

void show(const ir::Rule& rule) {
    for (const ir::Statement& statement : ir::canonical(rule).statements) std::cout << ' ' << to_nft(statement);
    std::cout << "  comment " << rule.comment << '\n';
}

// What was read against what was meant, part by part.
int compare(const ir::Ruleset& meant, const ir::Ruleset& read) {
    for (const ir::Foreign& foreign : read.foreign) std::cout << "unknown: " << foreign.text << '\n';
    for (const ir::Counter& counter : meant.counters) {
        const auto found = std::ranges::find(read.counters, counter.name, &ir::Counter::name);
        if (found == read.counters.end() || !same(counter, *found))
            std::cout << "counter " << counter.name << " differs\n";
        else if (counter.packets != found->packets || counter.bytes != found->bytes)
            std::cout << "counter " << counter.name << " lost its numbers\n";
    }
    for (const ir::Set& set : meant.sets) {
        const auto found = std::ranges::find(read.sets, set.name, &ir::Set::name);
        if (found == read.sets.end() || !same(set, meant.counters, *found, read.counters))
            std::cout << "set " << set.name << " differs\n";
    }
    for (const ir::Chain& chain : meant.chains) {
        const auto found = std::ranges::find(read.chains, chain.name, &ir::Chain::name);
        if (found == read.chains.end()) {
            std::cout << "chain " << chain.name << " is missing\n";
            continue;
        }
        if (same(chain, *found)) continue;
        std::cout << "chain " << chain.name << " differs\n";
        for (std::size_t i = 0; i < std::max(chain.rules.size(), found->rules.size()); ++i) {
            if (i < chain.rules.size() && i < found->rules.size() && same(chain.rules[i], found->rules[i])) continue;
            std::cout << "  rule " << i << '\n';
            if (i < chain.rules.size()) (std::cout << "    meant"), show(chain.rules[i]);
            if (i < found->rules.size()) (std::cout << "    read "), show(found->rules[i]);
        }
    }
    std::cout << (same(meant, read) ? "same\n" : "differs\n");
    return same(meant, read) ? 0 : 1;
}

// Random changes, one after the other, each as a plan to the kernel, and read back. Prints the seed of a step that went wrong.
int mutate(Kernel& kernel, std::uint64_t seed, std::size_t steps) {
    ir::Ruleset wanted = samples::everything();
    std::size_t elements = 0;
    std::size_t rules = 0;
    std::size_t overtaken = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        samples::Mutator mutator(seed + step);
        const auto before = kernel.read();
        if (!before) return fail(before.error());
        ir::Ruleset next = wanted;
        mutator.mutate(next);
        // Now and then from nothing, or to nothing.
        if (mutator.below(40) == 0) next = ir::Ruleset{};
        const Plan plan = policyc::plan(before.value().ruleset ? &*before.value().ruleset : nullptr, next);
        elements += plan.elements();
        rules += plan.rules();
        const auto done = kernel.commit(before.value(), next, {});
        if (!done) {
            std::cout << "seed " << seed + step << '\n';
            return fail(done.error());
        }
        if (done.value().stale || done.value().onto != before.value().moment.generation) ++overtaken;
        if (done.value().stale) {
            --step;  // the same change again, from what is there now
            continue;
        }
        const auto after = kernel.read();
        if (!after) return fail(after.error());
        const auto& held = after.value().ruleset;
        if (next.empty() ? held.has_value() : !held || !same(*held, next)) {
            std::cout << "seed " << seed + step << '\n';
            return held ? compare(next, *held) : 1;
        }
        if (!policyc::plan(held ? &*held : nullptr, next).empty()) {
            std::cout << "seed " << seed + step << ": a second plan is not empty\n";
            return 1;
        }
        if (!next.empty()) wanted = std::move(next);
    }
    std::cout << steps << " changes, " << elements << " elements, " << rules << " rules, overtaken " << overtaken
              << " times\n";
    return 0;
}

// The table of a step: each update gives and takes an element, and changes a rule.
ir::Ruleset at_step(std::size_t step) {
    constexpr std::size_t held = 64;
    ir::Ruleset out = samples::small();
    ir::Set& set = out.sets[0];
    set.size = 2 * held;
    set.elements = ir::Elements(set.types, false);
    for (std::size_t i = step; i < step + held; ++i) {
        const u128 source = samples::at("10.0.0.0") + i;
        set.elements.add({{source, source}, samples::one("10.69.13.30"), samples::port(3000)}, {0, 0});
    }
    set.elements.sort();
    out.chains[0].rules.push_back(samples::rule({ir::MatchL4{step % 2 == 0 ? ir::L4::tcp : ir::L4::udp}, ir::Drop{}}));
    return out;
}

// What the other process writes, as nft reads it: at every second step into a table of its own, else by turns an element and a rule into ours.
enum class Into { own_table, our_set, our_chain };
Into into(std::size_t step) {
    if (step % 2 == 0) return Into::own_table;
    return step % 4 == 1 ? Into::our_set : Into::our_chain;
}

std::string foreign_write(std::size_t step) {
    const std::string address = "192.0." + std::to_string(step / 256) + "." + std::to_string(step % 256);
    switch (into(step)) {
        case Into::own_table: return "add element inet byhand seen { " + address + " }";
        case Into::our_set: return "add element inet policyc allow_tcp4 { " + address + " . 10.69.13.30 . 3000 }";
        case Into::our_chain: return "insert rule inet policyc forward ip saddr " + address + " accept";
    }
    return {};
}

// Whether what differs between them is one element, or one rule, and nothing else.
bool differs_by(const Plan& plan, std::size_t elements, std::size_t rules) {
    return plan.elements() == elements && plan.rules() == rules && plan.chains() == 0;
}

// Between each snapshot and its commit another process writes: one that takes nft's commands from our stdout. It is not gone on before it has written.
int race(Kernel& kernel, std::size_t steps) {
    const auto wrong = [](std::size_t step, const std::string& what) {
        std::cerr << "step " << step << ": " << what << '\n';
        return 1;
    };
    const auto read = [&] {
        auto now = kernel.read();
        if (!now || now.value().ruleset) return now;
        now.value().ruleset.emplace();
        return now;
    };
    std::size_t reviews = 0;
    const Kernel::Review review = [&](const ir::Ruleset&) {
        ++reviews;
        return Result<void>();
    };
    std::size_t at_once = 0;
    std::size_t again = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        const ir::Ruleset next = at_step(step + 1);
        if (step == 0) {
            const auto nothing = kernel.read();
            if (!nothing || !kernel.commit(nothing.value(), at_step(0), {})) return wrong(step, "no beginning");
        }
        const auto before = read();
        if (!before) return wrong(step, before.error().message);
        const Plan ours = plan(&*before.value().ruleset, next);
        if (!differs_by(ours, 2, 2)) return wrong(step, "the update is not what it should be");

        std::cout << foreign_write(step) << std::endl;
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        for (auto now = kernel.moment(); now && now.value() == before.value().moment; now = kernel.moment())
            if (std::chrono::steady_clock::now() > patience) return wrong(step, "the other process does not write");

        reviews = 0;
        auto done = kernel.commit(before.value(), next, review);
        if (!done) return wrong(step, done.error().message);
        if (into(step) == Into::own_table) {
            if (done.value().stale) return wrong(step, "refused, though our table was as before");
            if (done.value().onto == before.value().moment.generation) return wrong(step, "not overtaken");
            ++at_once;
        } else {
            if (!done.value().stale) return wrong(step, "sent, though our table was another");
            const auto now = read();
            if (!now) return wrong(step, now.error().message);
            const ir::Ruleset& there = *now.value().ruleset;
            const std::size_t elements = into(step) == Into::our_set ? 1 : 0;
            if (!differs_by(plan(&there, at_step(step)), elements, 1 - elements))
                return wrong(step, "of a refused update something was done, or what another wrote is lost");
            if (!differs_by(plan(&there, next), 2 + elements, 3 - elements))
                return wrong(step, "the second plan takes something else than what another wrote");
            done = kernel.commit(now.value(), next, review);
            if (!done) return wrong(step, done.error().message);
            if (done.value().stale || done.value().onto != now.value().moment.generation)
                return wrong(step, "the second plan was not taken");
            ++again;
        }
        const auto after = read();
        if (!after) return wrong(step, after.error().message);
        if (!done.value().is_last(after.value().moment)) return wrong(step, "more than one transaction");
        if (!same(*after.value().ruleset, next)) return wrong(step, "the update is lost or half done");
        if (reviews != (into(step) == Into::own_table ? 1 : 2))
            return wrong(step, "what was sent was not reviewed once");
    }
    std::cerr << steps << " updates, overtaken " << at_once + again << " times: " << at_once << " sent again at once, "
              << again << " planned again\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "mutate") {
        const auto kernel = make_netlink_kernel();
        return mutate(*kernel, std::strtoull(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10));
    }
    if (verb == "race") {
        const auto kernel = make_netlink_kernel();
        return race(*kernel, std::strtoul(argv[2], nullptr, 10));
    }
    const std::optional<ir::Ruleset> ruleset = sample(argc > 2 ? argv[2] : "");
    if (!ruleset) return 2;
    const bool by_library = argc > 3 && std::string(argv[3]) == "libnftables";
    const auto kernel = by_library ? make_libnftables_kernel(make_netlink_kernel()) : make_netlink_kernel();
    if (verb == "text") {
        Sources sources;
        sources.add("policy.toml", "0123456789\n0123456789\n0123456789\n0123456789\n");
        std::cout << to_nft(*ruleset, &sources);
        return 0;
    }
    if (verb == "json") {
        std::cout << to_json(*ruleset);
        return 0;
    }
    if (verb == "replace" || verb == "round") {
        const auto before = kernel->read();
        if (!before) return fail(before.error());
        const auto done = kernel->commit(before.value(), *ruleset, {});
        if (!done) return fail(done.error());
        if (verb == "replace") return 0;
    }
    const auto read = kernel->read();
    if (!read) return fail(read.error());
    if (!read.value().ruleset) {
        std::cout << "no table\n";
        return 0;
    }
    return compare(*ruleset, *read.value().ruleset);
}
