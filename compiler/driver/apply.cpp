// Programs the kernel and makes sure of it: apply_policy().
#include "compiler/driver/apply.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <utility>

#include "compiler/common_rules.h"
#include "compiler/dormant.h"
#include "compiler/driver/changes_report.h"
#include "compiler/driver/folder_lock.h"
#include "compiler/driver/lockout.h"
#include "compiler/driver/neighbours.h"
#include "compiler/driver/past.h"
#include "compiler/driver/prove.h"
#include "compiler/driver/read_back.h"
#include "compiler/driver/state.h"
#include "compiler/driver/surroundings.h"
#include "compiler/lower.h"
#include "compiler/timing.h"
#include "policy/expect.h"
#include "policy/expiry.h"

namespace policyc {

namespace {

// Names that no place knows are asked now: a first apply should work without a resolve before it. What was new is
// returned.
Lock ask_missing(const Loaded& loaded, Lock& known, const Addresses& hosts, World& world, Report& report) {
    const std::vector<std::string> missing = names_without_address(loaded.policy, known, hosts);
    if (missing.empty()) return {};
    report.progress(fmt::format("asking DNS for {}", count_of(missing.size(), "name")));
    const Settled settled =
        settle(loaded.policy, known, ask(loaded.policy, missing, world), world.now, true, report.diagnostics);
    Lock fresh;
    for (const std::string& name : missing) {
        if (const auto entry = settled.lock.find(name); entry != settled.lock.end()) fresh.insert(*entry);
    }
    for (const auto& entry : fresh) known.insert(entry);
    return fresh;
}

// Another run may have written the lock since it was read: what is there now is added to.
Result<void> add_to_lock(const LockFile& lock, const Lock& fresh, World& world) {
    const Result<std::unique_ptr<FolderLock>> held = lock_folder_of(lock.path);
    if (!held) return held.error();
    Lock now = lock.lock;
    if (const Result<std::string> text = world.files->read(lock.path, max_policy_bytes)) {
        Sources sources;
        Diagnostics diagnostics;
        std::optional<Lock> there = parse_lock(sources.add(lock.path, text.value()), sources, diagnostics);
        if (!there) return Error{fmt::format("{} is not a lock file any more", lock.path), {}};
        now = std::move(*there);
    }
    return world.files->write(lock.path, write_lock(join(now, fresh, world.now)), 0644);
}

// New answers go into the lock; where that can't be written (a policy in a read-only store), into the state directory.
void save_names(const LockFile& lock, const Lock& fresh, World& world, Report& report) {
    if (fresh.empty()) return;
    if (add_to_lock(lock, fresh, world)) {
        report.notes.push_back(fmt::format("{}: {} added", lock.path, count_of(fresh.size(), "name")));
        return;
    }
    const std::string path = state_names_path(world);
    const Result<void> written =
        world.files->write(path, write_lock(join(load_state_names(world, report), fresh, world.now)), 0600);
    report.notes.push_back(
        written ? fmt::format("{} can't be written: {} kept in {}", lock.path, count_of(fresh.size(), "name"), path)
                : fmt::format("warning: the new addresses are not kept: {}", written.error().message));
}

// Rewrites the record where what it says of names and lines is no longer so, though the kernel is.
Result<void> refresh_record(Applied applied, World& world) {
    const Result<Applied> old = load_applied(world);
    if (old) {
        const std::string time = std::exchange(applied.time, old.value().time);
        if (applied == old.value()) return {};
        applied.time = time;
    }
    if (Result<void> prepared = prepare_applied(applied, world); !prepared) return prepared;
    return keep_applied(world);
}

// Why what is in force may not be this node's to remove. A host whose name happens to be another node's must not lose its firewall by that.
std::optional<Error> others_table(const World& world, const std::string& node) {
    const std::string without = "to be without a firewall here: `nft delete table inet policyc`";
    const Result<Applied> applied = load_applied(world);
    if (!applied)
        return Error{fmt::format("no record says whose table inet policyc is, and this would remove it: {}",
                                 applied.error().message),
                     without};
    if (applied.value().node == node) return {};
    return Error{fmt::format("table inet policyc is not `{}`'s: this would remove it", node),
                 "name the node that this host is, as in --node NAME; " + without};
}

// When the first of the policy's answers grows too old.
std::optional<Time> good_until(const Policy& policy, const Lock& known) {
    std::optional<Time> first;
    if (!policy.resolve.stale_keep) return first;
    for (const NameUse& use : names_of(policy)) {
        const auto entry = known.find(use.name);
        if (entry == known.end()) continue;
        const Time end = entry->second.resolved + *policy.resolve.stale_keep;
        first = first ? std::min(*first, end) : end;
    }
    return first;
}

// What others come through, which must not be cut either. But at boot, where policyc was before and its table isn't there yet, the rules come first.
std::vector<TunnelFlow> tunnels_of_others(const Policy& policy, const Node& node, bool has_table, const World& world) {
    if (node.scope != Scope::host || !node.interface || !world.tunnel_flows) return {};
    if (!has_table && !record_identity(world).empty()) return {};
    const std::vector<TunnelFlow> flows = world.tunnel_flows(node.interface->value);
    // Whom this node dials it dials anew: where it doesn't keep alive, that is warned of (refused_tunnel).
    std::vector<TunnelFlow> others = flows;
    for (TunnelFlow& flow : others) flow.keeps_alive = flow.keeps_alive || is_dialled(flow, flows, policy, node);
    return others;
}

// What connection tracking has the wrong way round is refused for as long as both sides speak. It tracks from the first rule on that asks for it, which is a moment before the new chains are
// in force: where nothing was tracked before, what is tracked is forgotten, and picked up again with its next packet. So is what carries a tunnel that only this host may begin.
void forget_wrong_beginnings(const std::vector<Family>& untracked, const Node& node, const ir::Ruleset& wanted,
                             const World& world) {
    for (const Family family : untracked) world.forget_flows(family);
    if (node.scope != Scope::host || !node.interface || !world.tunnel_flows) return;
    for (const TunnelFlow& flow : begun_here_only(world.tunnel_flows(node.interface->value), wanted))
        world.forget_flow({flow.here, flow.peer, flow.port, flow.peer_port, IPPROTO_UDP});
}

// Nothing where the next run would have more to say than that there is nothing to change.
std::optional<Sight> sight_of(const Moment& moment, const Tunnel& tunnel, const Policy& policy, const Lock& known,
                              const ir::Ruleset& wanted, const Report& report, std::size_t said_again) {
    if (!report.diagnostics.all().empty() || report.notes.size() != said_again || has_timers(wanted)) return {};
    return Sight{.moment = moment, .tunnel = tunnel, .until = good_until(policy, known)};
}

}  // namespace

void carry_lives(const ir::Ruleset& from, ir::Ruleset& to) {
    for (ir::Set& set : to.sets) {
        const auto old = std::ranges::find(from.sets, set.name, &ir::Set::name);
        if (!set.timed || old == from.sets.end() || !same_frame(*old, set)) continue;
        set.elements.sort();
        ir::Elements elements(set.types, set.interval);
        elements.reserve(set.elements.size());
        std::size_t other = 0;
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            while (other < old->elements.size() && old->elements.key(other) < set.elements.key(i)) ++other;
            ir::Life life = set.elements.life(i);
            if (other < old->elements.size() && old->elements.key(other) == set.elements.key(i) &&
                old->elements.life(other).timeout == life.timeout)
                life.left = old->elements.life(other).left;
            elements.add_key(set.elements.key(i), set.elements.cause(i), set.elements.value(i));
            elements.set_life(life);
        }
        set.elements = std::move(elements);
    }
}

void carry_counters(const ir::Ruleset& from, ir::Ruleset& to) {
    std::map<std::string, const ir::Counter*> named;
    for (const ir::Counter& counter : from.counters) named[counter.name] = &counter;
    for (ir::Counter& counter : to.counters) {
        const auto old = named.find(counter.name);
        if (old == named.end()) continue;
        counter.packets = old->second->packets;
        counter.bytes = old->second->bytes;
    }
    std::map<std::string, const ir::Chain*> chains;
    for (const ir::Chain& chain : from.chains) chains[chain.name] = &chain;
    for (ir::Chain& chain : to.chains) {
        const auto old = chains.find(chain.name);
        if (old == chains.end()) continue;
        const std::vector<ir::Rule>& there = old->second->rules;
        const auto equal = [](const ir::Rule& a, const ir::Rule& b) { return same(a, b); };
        for (const auto& [theirs_at, ours_at] : common_rules(there, chain.rules, equal)) {
            ir::Rule& rule = chain.rules[ours_at];
            const ir::Rule& other = there[theirs_at];
            // The kernel's rule may lack matches that ours has twice: the counters are the same, in the same order.
            auto theirs = other.statements.begin();
            for (ir::Statement& statement : rule.statements) {
                auto* count = std::get_if<ir::Count>(&statement);
                if (count == nullptr) continue;
                theirs = std::find_if(theirs, other.statements.end(),
                                      [](const ir::Statement& one) { return std::holds_alternative<ir::Count>(one); });
                if (theirs == other.statements.end()) break;
                *count = std::get<ir::Count>(*theirs++);
            }
        }
    }
}

int apply_policy(const Loaded& loaded, const LockFile& lock, std::size_t node, const ApplyOptions& how, World& world,
                 Report& report, std::optional<Sight>* sight) {
    const Policy& policy = loaded.policy;
    const Node& chosen = policy.nodes[node];

    // A resolve before this may have had errors, of names that go on as they were.
    const std::size_t errors_before = report.diagnostics.errors();

    // Names to addresses: the lock, the state directory, /etc/hosts, and DNS for what is in none of them.
    Lock known = known_names(policy, lock, world, report);
    const Addresses hosts = load_hosts(world);
    Lock fresh;
    if (!how.offline) fresh = ask_missing(loaded, known, hosts, world, report);
    const Addresses addresses =
        timed("names", [&] { return addresses_of(policy, known, hosts, world.now, report.diagnostics); });

    warn_unused(policy, lock.lock, report.diagnostics);
    warn_expiry(policy, today(world), report.diagnostics);

    // What must stay true is true, or nothing goes any further.
    timed("judge", [&] { judge(policy, addresses, today(world), report.diagnostics, Nameless::waits); });
    if (report.diagnostics.errors() > errors_before) return report.stopped();
    if (const Result<void> proven = prove_expected(policy, addresses, world); !proven)
        return report.fail(proven.error());

    const ir::Ruleset compiled =
        timed("lower", [&] { return lower(policy, addresses, node, today(world), world.layout); });
    report.record["node"] = chosen.name;
    report.record["dry_run"] = how.dry_run;
    report.record["changed"] = false;
    if (chosen.scope == Scope::none) {
        report.notes.push_back(
            fmt::format("{}: scope is \"none\": there is nothing to judge here, and no table", chosen.name));
    }

    const std::unique_ptr<Kernel> kernel = world.kernel();
    const View view{&policy, &addresses, &report.sources, node, today(world), &known, world.now, world.layout};

    const Tunnel tunnel = tunnel_of(chosen, report.sources);
    std::size_t said_again = 0;  // notes of what the fast way looks at too
    // What is sent is made for what was read: where somebody else changed the rulesets in between, it is read again.
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        const Result<Snapshot> read = timed("read", [&] { return kernel->read(); });
        if (!read) return report.fail(read.error());
        const std::optional<ir::Ruleset>& before = read.value().ruleset;
        ir::Ruleset wanted = compiled;
        const std::unique_ptr<Past> past = timed("past", [&] { return find_past(before, chosen.name, world); });
        const ServerPorts live = add_live_server_ports(table_of(before, past), wanted, world);
        const Kernel::Review prove = [&](const ir::Ruleset& made) {
            return prove_compiled(policy, addresses, node, made, live, world);
        };
        const Applied applied = make_applied(loaded, report.sources, node, addresses, wanted, world);
        if (before && wanted.empty())
            if (auto others = others_table(world, chosen.name)) return report.fail(std::move(*others));
        if (const auto last = past ? past->policy.nodes[past->view.node].interface : std::nullopt)
            if (auto open = leaves_open(tunnel, last->value, world)) return report.fail(std::move(*open));
        if (attempt == 0)
            said_again = report_tunnel(tunnel, world, report) + report_neighbours(!wanted.empty(), *kernel, report) +
                         report_programs(tunnel, world, report);

        if (wanted.empty() ? !before : before && same(*before, wanted)) {
            if (const Result<void> proven = prove(wanted); !proven) return report.fail(proven.error());
            report.data += fmt::format("{}: nothing to change\n", chosen.name);
            record_difference({}, report);
            if (how.dry_run) {
                warn_without_past(before, past, false, chosen.name, world, report);
                return 0;
            }
            save_names(lock, fresh, world, report);
            if (const Result<void> kept = refresh_record(applied, world); !kept) return report.fail(kept.error());
            drop_applied(world);
            if (sight != nullptr)
                *sight = sight_of(read.value().moment, tunnel, policy, known, wanted, report, said_again);
            return 0;
        }

        const bool picks_up = !world.picks_up_sessions || world.picks_up_sessions();
        if (!how.force_lockout && world.own_sessions) {
            const auto chains = kernel->foreign_chains();
            const TrackedHow tracked{picks_up, chains ? chains.value() : std::vector<ForeignChain>()};
            const auto tunnels = tunnels_of_others(policy, chosen, before.has_value(), world);
            const std::string unjudged = why_unjudged(before);
            const auto judging = unjudged.empty() ? before : std::nullopt;
            if (const auto cut = find_lockout(world.own_sessions(), tunnels, judging, wanted, tracked)) {
                const auto last = past ? std::optional<View>(past->view) : std::nullopt;
                report_lockout(*cut, policy, node, unjudged, report.diagnostics, last);
                return report.stopped();
            }
        }

        if (attempt == 0) {
            if (const auto refused = refused_tunnel(policy, chosen, world))
                report.notes.push_back(fmt::format("warning: {}: {}", refused->words, refused->why));
            warn_without_past(before, past, true, chosen.name, world, report);
            if (!before && !picks_up)
                report.notes.emplace_back(
                    "warning: live TCP sessions that nothing tracks yet are cut by a first apply while "
                    "net.netfilter.nf_conntrack_tcp_loose is 0: with `sysctl -w "
                    "net.netfilter.nf_conntrack_tcp_loose=1` "
                    "before it, and 0 again after it, they are picked up");
        }
        const Difference differs =
            timed("difference", [&] { return difference(before, wanted, view, origin_of(past)); });
        const std::string first = !before              ? ", where there was no table inet policyc"
                                  : is_dormant(before) ? ", where table inet policyc was dormant"
                                                       : "";
        const std::string gone = wanted.empty() ? ", table inet policyc removed" : "";
        if (how.dry_run) {
            if (const Result<void> proven = prove(wanted); !proven) return report.fail(proven.error());
            report_difference(differs,
                              fmt::format("{}: {} would be applied{}{}", chosen.name, loaded.path, first, gone),
                              Tense::would, report);
            return 0;
        }

        // What is in force was recorded aside by a run that was killed: it is the record from now on. A disk that is full or
        // read-only is found here, before the kernel is touched.
        const Result<void> recorded = timed("record", [&] {
            const Result<void> kept = past && past->pending ? keep_applied(world) : Result<void>();
            return kept ? prepare_applied(applied, world) : kept;
        });
        if (!recorded) {
            const std::string& help = recorded.error().help;
            return report.fail({recorded.error().message + ", so nothing was applied",
                                help.empty() ? "apply keeps a record there; --state-dir names another place" : help});
        }

        // Once more where others change what it made: the counters then go on from what it found the time before.
        const Send send = [&](const Snapshot& from) {
            if (from.ruleset) {
                carry_counters(*from.ruleset, wanted);
                // Only what is foreign makes a set come anew that has the same frame.
                if (!from.ruleset->foreign.empty()) carry_lives(*from.ruleset, wanted);
            }
            const std::vector<Family> untracked =
                world.untracked_families ? world.untracked_families() : std::vector<Family>();
            Result<Kernel::Commit> sent = timed("program", [&] { return kernel->commit(from, wanted, prove); });
            if (sent && !sent.value().stale) forget_wrong_beginnings(untracked, chosen, wanted, world);
            return sent;
        };
        const Result<Kernel::Commit> committed = send(read.value());
        if (!committed) {
            drop_applied(world);
            return report.fail(committed.error());
        }
        if (committed.value().stale) continue;
        const ReadBack after = read_back(committed.value(), wanted, before, send, *kernel, world, report);
        if (after.undone) return 2;

        report.record["changed"] = true;
        report.done = wanted.empty() ? "table inet policyc is removed" : "the new ruleset is in force";
        report_difference(differs, fmt::format("{}: {} applied{}{}", chosen.name, loaded.path, first, gone), Tense::did,
                          report);
        if (after.put_right > 0)
            report.notes.emplace_back(
                "warning: another program changed table inet policyc meanwhile, and that was put right; `nft monitor` "
                "shows who does");
        save_names(lock, fresh, world, report);
        if (const Result<void> kept = keep_applied(world); !kept) {
            report.notes.push_back(fmt::format(
                "warning: the ruleset is in force, but what was applied is not recorded: {}", kept.error().message));
        }
        if (!after.held) {
            report.done += ", but others changed it since";
            return report.fail(*after.changed);
        }
        if (sight != nullptr) *sight = sight_of(after.held->moment, tunnel, policy, known, wanted, report, said_again);
        return 0;
    }
    drop_applied(world);
    return report.fail(overtaken());
}

}  // namespace policyc
