// References: what the entries of `who`, `allow` and their like stand for, with groups flattened.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/check_context.h"

namespace policyc {

// One entry of a list, or member of a group, resolved by name.
struct ListMember {
    enum class What : std::uint8_t { node, network, service, group, range };
    What what = What::range;
    std::size_t index = 0;  // of all but a range
    Range range;
    std::optional<Ports> ports;  // its own port item
    std::string label;           // without the port item
    const Value* value = nullptr;
};

// Of each entry of a list which things it stands for, those of earlier entries too: indices into what sources() or targets() returned.
class EntryThings {
public:
    void next_entry() { starts_.push_back(things_.size()); }
    void add(std::uint32_t thing) { things_.push_back(thing); }  // to the last entry
    [[nodiscard]] std::size_t size() const { return starts_.size(); }
    [[nodiscard]] std::span<const std::uint32_t> operator[](std::size_t entry) const {
        const std::size_t end = entry + 1 < starts_.size() ? starts_[entry + 1] : things_.size();
        return std::span(things_).subspan(starts_[entry], end - starts_[entry]);
    }

private:
    std::vector<std::size_t> starts_;
    std::vector<std::uint32_t> things_;
};

// A list as it is written.
struct Listed {
    std::vector<ListMember> entries;
    EntryThings things;
};

// The lists of a policy in which an entry can be redundant, which is found when all of them are known.
struct ListsWritten {
    std::vector<Listed> who;     // of each tier
    std::vector<Listed> allow;   // likewise
    std::vector<Listed> from;    // of each input, node by node
    std::vector<Listed> output;  // of each node that has one
};

// "jelly01:8096/tcp": a target as a label has it.
std::string short_text(const Target& target);

// Flattens lists. What several entries of a list stand for is in the result once, with the place of the first.
class Lists {
public:
    // Reads [groups], and reports those that contain themselves. `context` must have its names, and outlive this.
    explicit Lists(Context& context);

    // `list` is what `key` holds; `form` says what it should, where it holds something else.
    std::vector<Source> sources(std::string_view key, const Value& list, std::string_view form);
    std::vector<Target> targets(std::string_view key, const Value& list, std::string_view form);
    // Likewise, with the list as it is written put behind `written`.
    std::vector<Source> sources(std::string_view key, const Value& list, std::string_view form,
                                std::vector<Listed>& written);
    std::vector<Target> targets(std::string_view key, const Value& list, std::string_view form,
                                std::vector<Listed>& written);
    ListsWritten kept;
    // The member of a group that is called so; null when it has none, or is no group.
    [[nodiscard]] const Value* member_like(const ListMember& group, const std::string& label) const;
    // The entries of the list that the last call of sources() or targets() read that stand for nothing: groups without a member. Those that have had an error are among them.
    [[nodiscard]] const std::vector<const Value*>& nothing() const { return nothing_; }

    // Who the lists that are read from here on are for. Of those of tests services don't count as used.
    enum class For : std::uint8_t { somebody, nobody, tests };
    void now_for(For reader) { for_ = reader; }
    // Whether some list names it, by itself or through a group.
    [[nodiscard]] bool uses_group(std::size_t group) const { return used_groups_.at(group); }
    // Whether nothing is in it, or only what is itself empty.
    [[nodiscard]] bool is_empty(std::size_t group) const { return empty_groups_.at(group); }
    // A service, in a list that is for somebody; in one that is for nobody.
    [[nodiscard]] bool uses_service(std::size_t service) const { return used_services_.at(service); }
    [[nodiscard]] bool names_for_nobody(std::size_t service) const { return for_nobody_.at(service); }

private:
    class Flat;

    Listed flat_sources(std::string_view key, const Value& list, std::string_view form, std::vector<Source>& out);
    Listed flat_targets(std::string_view key, const Value& list, std::string_view form, std::vector<Target>& out);
    void use_service(std::size_t service);
    enum class Use : std::uint8_t { any, source };
    std::optional<ListMember> read_member(const Value& value, Use use);
    std::vector<ListMember> read_members(std::string_view key, const Value& list, std::string_view form,
                                         Use use = Use::any);
    void find_cycles();
    // Calls `leaf(member, ports)` for each thing of an entry that is no group; `ports` is the port item of a group reference that leads to
    // it, or null.
    template <typename Leaf>
    void walk(const ListMember& entry, const Leaf& leaf);
    void add_source(const ListMember& entry, const ListMember& member, Flat& flat, std::vector<Source>& out);
    void add_target(const ListMember& entry, const ListMember& member, const Ports* ports, Flat& flat,
                    std::vector<Target>& out);
    [[nodiscard]] Host host_of(const ListMember& member) const;
    // Points at the entry, and at the member of a group that is to blame. Null when the entry has had its error.
    Diagnostic* blame(const ListMember& entry, const ListMember& member, Code code, std::string message,
                      std::string label);
    void blame_port(const ListMember& entry, const ListMember& member);
    void find_nothing(const Flat& flat, const std::vector<ListMember>& entries);
    bool spend(const Value& place);

    Context& context_;
    std::vector<std::vector<ListMember>> groups_;
    std::vector<bool> empty_groups_;
    std::vector<bool> used_groups_;
    std::vector<bool> used_services_;
    std::vector<bool> for_nobody_;  // services
    std::vector<const Value*> nothing_;
    const Value* blamed_ = nullptr;
    std::size_t spent_ = 0;
    For for_ = For::somebody;
};

}  // namespace policyc
