// Netlink messages of nf_tables back to a Ruleset: those of the kernel's dumps, and those of a batch that encode() made.
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
// lands in Ruleset::foreign; it is never skipped. Safe on any bytes whose nlmsg_len is not a lie.
class Decoder {
public:
    // False where the message makes no sense at all, so that nothing can be said of what it stands for.
    [[nodiscard]] bool take(const nlmsghdr& message);

    // The elements of every set that was taken have been asked for by its name (see sets()).
    [[nodiscard]] std::vector<std::string> sets() const;

    // Nothing when the table was not among the messages. Rules of chains are in the kernel's order, elements of sets sorted. A rule whose bytes
    // make no sense is an Unknown.
    std::optional<ir::Ruleset> finish();

private:
    struct Chain {
        ir::Chain chain;
        std::vector<std::string> rules;  // attributes, to be read when all sets are known
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

    bool seen_ = false;
    ir::Ruleset out_;
    std::vector<SetInProgress> sets_;
    std::unordered_map<std::string, std::size_t> set_index_;
    std::unordered_map<std::uint32_t, std::size_t> set_ids_;  // of a batch
    std::unordered_map<std::string, std::uint32_t> counter_index_;
    std::vector<Chain> chains_;
    std::unordered_map<std::string, std::size_t> chain_index_;
};

}  // namespace policyc::netlink
