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

// An entry of a list that adds nothing, because another one of the list stands for the same.
struct Redundant {
    const Value* entry = nullptr;
    const Value* other = nullptr;   // the entry that has it too
    const Value* member = nullptr;  // the member of that group which is it; null when `other` itself is
    std::string other_label;
    std::string first;  // the first thing it stands for: "jelly01:8096/tcp"
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

// A list of targets as it is written.
struct Listed {
    std::vector<ListMember> entries;
    EntryThings things;
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
    // Those of the next tier. What is redundant in them is found later, when all tiers are known.
    std::vector<Target> allowed_targets(const Value& list, std::string_view form);
    void no_targets() { allowed_.emplace_back(); }
    // The list of each tier.
    [[nodiscard]] const std::vector<Listed>& allowed() const { return allowed_; }
    // The member of a group that is called so; null when it has none, or is no group.
    [[nodiscard]] const Value* member_like(const ListMember& group, const std::string& label) const;
    // What the last call of sources() or targets() found.
    [[nodiscard]] const std::vector<Redundant>& redundant() const { return redundant_; }
    // The entries of that list that stand for nothing: groups without a member. Those that have had an error are among them.
    [[nodiscard]] const std::vector<const Value*>& nothing() const { return nothing_; }

    // From here on, services in lists no longer count as used.
    void now_tests() { tests_ = true; }
    // Whether some list names it, by itself or through a group.
    [[nodiscard]] bool uses_group(std::size_t group) const { return used_groups_.at(group); }
    [[nodiscard]] bool uses_service(std::size_t service) const { return used_services_.at(service); }

private:
    class Flat;

    std::vector<Target> flatten(const std::vector<ListMember>& entries, Flat& flat);
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
    template <typename Text>
    void find_redundant(const Flat& flat, const std::vector<ListMember>& entries, const Text& text);
    bool spend(const Value& place);

    Context& context_;
    std::vector<std::vector<ListMember>> groups_;
    std::vector<bool> used_groups_;
    std::vector<bool> used_services_;
    std::vector<Redundant> redundant_;
    std::vector<const Value*> nothing_;
    std::vector<Listed> allowed_;
    const Value* blamed_ = nullptr;
    std::size_t spent_ = 0;
    bool tests_ = false;
};

}  // namespace policyc
