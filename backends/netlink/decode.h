// Netlink messages of nf_tables back to a Ruleset: those of the kernel's dumps, and those of a batch that encode() made (unpack.h).
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/netlink/decode_elements.h"
#include "compiler/ir.h"

namespace policyc::netlink {

// Takes NFT_MSG_NEW* messages of `table inet policyc` in the order in which the kernel needs them (sets and their elements before the rules
// that use them); those of other tables and of other kinds are passed over. What policyc doesn't write becomes ir::Unknown or
// lands in Ruleset::foreign; it is never skipped. A set or chain that policyc could have written but for its comment or the like is among both. Safe on any bytes whose nlmsg_len is not a lie.
class Decoder {
public:
    Decoder() = default;
    // What comes then is a batch that changes this table: NFT_MSG_DEL* messages count, and rules go where the batch puts them. An object that is made a second time, and one that
    // goes and isn't there, make no sense.
    explicit Decoder(const ir::Ruleset& before);

    // False where the message makes no sense at all, so that nothing can be said of what it stands for.
    [[nodiscard]] bool take(const nlmsghdr& message);

    // The elements of every set that was taken have been asked for by its name (see sets()).
    [[nodiscard]] std::vector<std::string> sets() const;

    // Nothing when the table was not among the messages. Rules of chains are in the kernel's order, elements of sets sorted. A rule whose bytes
    // make no sense is an Unknown.
    std::optional<ir::Ruleset> finish();

private:
    struct Rule {
        std::string attributes;         // to be read when all sets are known
        std::optional<ir::Rule> known;  // of the table that was there
    };
    struct Chain {
        ir::Chain chain;
        std::vector<Rule> rules;
        bool gone = false;
    };

    bool table(const nlmsghdr& message);
    bool chain(const nlmsghdr& message);
    bool set(const nlmsghdr& message);
    bool elements(const nlmsghdr& message);
    bool rule(const nlmsghdr& message);
    bool object(const nlmsghdr& message);
    bool flowtable(const nlmsghdr& message);
    void foreign(ir::Foreign::Kind kind, std::string name, std::string text, std::uint32_t object = 0);
    SetInProgress* find_set(const std::string& name, std::uint32_t id);
    void take_nameless(ir::Statement& statement) const;
    void take_buckets(SetInProgress& set) const;

    // Of a batch (unpack.cpp).
    bool change_policy(const std::string& name, std::optional<std::uint32_t> policy);
    bool remove(const nlmsghdr& message);
    bool remove_chain(const std::string& name);
    bool remove_rules(const std::string& name, std::uint64_t handle);
    bool remove_set(const std::string& name);
    bool remove_elements(const std::string& name, std::string_view list);
    bool remove_foreign(ir::Foreign::Kind kind, const std::string& name, std::uint32_t object = 0);
    bool remove_counter(const std::string& name);
    void renumber_counters();
    void renumber_verdicts();

    bool batch_ = false;
    bool seen_ = false;
    ir::Ruleset out_;
    std::vector<SetInProgress> sets_;
    std::unordered_map<std::string, std::size_t> set_index_;
    std::unordered_map<std::uint32_t, std::size_t> set_ids_;  // of a batch
    std::unordered_map<std::string, std::uint32_t> counter_index_;
    std::vector<bool> counters_gone_;
    std::vector<Chain> chains_;
    std::unordered_map<std::string, std::size_t> chain_index_;
    // Chains without a name of their own, `jump { ... }`, by the name the kernel gave them: how many rules each has.
    std::unordered_map<std::string, std::size_t> bound_;
};

}  // namespace policyc::netlink
