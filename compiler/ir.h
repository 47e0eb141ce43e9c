// The Ruleset: one nftables table as typed values, each with the policy line that caused it. lower() makes it; backends
// write it as text, as JSON or into the kernel, and read it back from there. Names follow nft(8) and linux/netfilter/nf_tables.h.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/address.h"
#include "policy/model.h"
#include "policy/span.h"

namespace policyc::ir {

// ---- sets ------------------------------------------------------------------------------------------------------------

// The type of one field of a set's key, as nft names them.
enum class Type : std::uint8_t { ipv4_addr, ipv6_addr, inet_service, ifname };

// The type of that family's addresses.
constexpr Type address_type(Family family) {
    return family == Family::ipv4 ? Type::ipv4_addr : Type::ipv6_addr;
}

// Bytes of a field as it lies in a key: network byte order, padded to whole 32-bit registers (inet_service: 2 bytes and 2 of zero).
std::size_t padded_size(Type type);

// Why an element is there: indices into Ruleset::subjects (who) and Ruleset::objects (what). `none` where it doesn't apply.
struct Cause {
    static constexpr std::uint32_t none = UINT32_MAX;
    std::uint32_t subject = none;
    std::uint32_t object = none;
};

// How long an element lives, in milliseconds. 0: for ever.
struct Life {
    std::uint64_t timeout = 0;
    std::uint64_t left = 0;  // until it goes, as read back; 0 when compiled

    bool operator==(const Life&) const = default;
};

// The elements of a set, stored as the kernel keeps their keys: `stride` bytes each, and for interval sets `stride`
// more for the (closed) upper end. Sorted by key after sort(). What is asked for must exist: indices are not checked.
// Elements of an interval set are disjoint; whoever adds them sees to it, since the kernel refuses or merges what overlaps.
class Elements {
public:
    Elements() = default;
    Elements(std::vector<Type> types, bool interval);

    // One bound per field, in the key's order. Addresses and ports are numbers; see add_name for ifname.
    struct Bound {
        u128 lo;
        u128 hi;  // equal to lo in a set without intervals
    };
    void add(std::span<const Bound> key, Cause cause = {}, std::uint32_t value = UINT32_MAX);
    void add(std::initializer_list<Bound> key, Cause cause = {}, std::uint32_t value = UINT32_MAX) {
        add(std::span<const Bound>(key.begin(), key.size()), cause, value);
    }
    void add_name(const std::string& interface, Cause cause = {});  // for a set of type ifname alone
    // The key as key() gives it: both bounds in an interval set.
    void add_key(std::string_view key, Cause cause = {}, std::uint32_t value = UINT32_MAX);
    // Of the element that was added last.
    void set_life(Life life);

    void reserve(std::size_t elements);

    // Sorts by key and drops repetitions (the first cause, value and life stay).
    void sort();
    [[nodiscard]] bool sorted() const;  // and without repetitions

    [[nodiscard]] std::size_t size() const { return causes_.size(); }
    [[nodiscard]] bool empty() const { return causes_.empty(); }
    [[nodiscard]] Bound bound(std::size_t element, std::size_t field) const;
    [[nodiscard]] std::string name(std::size_t element) const;  // ifname
    [[nodiscard]] Cause cause(std::size_t element) const { return causes_[element]; }
    // What a map gives for the element, as an index into Ruleset::counters or Set::verdicts; UINT32_MAX in a set.
    [[nodiscard]] std::uint32_t value(std::size_t element) const;
    [[nodiscard]] Life life(std::size_t element) const;
    // The whole key as it is stored: lower bound, then upper bound in interval sets.
    [[nodiscard]] std::string_view key(std::size_t element) const;
    [[nodiscard]] const std::vector<Type>& types() const { return types_; }
    [[nodiscard]] bool interval() const { return interval_; }

private:
    void finish(Cause cause, std::uint32_t value);

    std::vector<Type> types_;
    bool interval_ = false;
    std::size_t stride_ = 0;  // of one bound
    std::string bytes_;
    std::vector<Cause> causes_;
    std::vector<std::uint32_t> values_;  // empty unless a map
    std::vector<Life> lives_;            // empty unless an element has one
};

// What a map gives for a key, as `type ... : counter` and `type ... : verdict` say it.
enum class MapTo : std::uint8_t { nothing, counter, verdict };

// Where an element of a verdict map sends the packet: `jump CHAIN` or `goto CHAIN`.
struct ToChain {
    bool go = false;  // goto
    std::string chain;

    auto operator<=>(const ToChain&) const = default;
};

struct Set {
    std::string name;
    std::vector<Type> types;  // the key
    bool interval = false;
    MapTo map_to = MapTo::nothing;
    bool dynamic = false;       // filled by rules; then `timeout` is set and elements are not ours to state
    bool timed = false;         // elements may have a life of their own
    std::uint32_t timeout = 0;  // seconds, of elements that have no life of their own; 0: none
    std::uint32_t size = 0;     // 0: not declared
    std::string comment;        // why it is there, for people; only in the text, never in the kernel
    Elements elements;
    std::vector<ToChain> verdicts;  // of a map to verdicts
};

// A named counter object. The comment reaches the kernel (user data, at most 128 bytes).
struct Counter {
    std::string name;
    std::string comment;
    Span span;
    std::uint64_t packets = 0;  // as read back; 0 when compiled
    std::uint64_t bytes = 0;
};

// ---- rules -----------------------------------------------------------------------------------------------------------

// What a match or a look-up reads from the packet. The ct_* fields are those of the connection's original direction.
enum class Field : std::uint8_t {
    iifname,
    oifname,
    ip_saddr,
    ip_daddr,
    ip6_saddr,
    ip6_daddr,
    ct_saddr4,  // ct original ip saddr
    ct_daddr4,
    ct_saddr6,  // ct original ip6 saddr
    ct_daddr6,
    ct_proto_dst,  // ct original proto-dst: for ICMP, type * 256 + code
    tcp_dport,
    udp_dport,
    tcp_sport,
    udp_sport,
};

enum class L4 : std::uint8_t { tcp, udp, icmp, icmpv6 };
enum class Hook : std::uint8_t { input, forward, output, postrouting };

// FIELD [. FIELD]... @SET, or != @SET
struct Lookup {
    std::vector<Field> fields;
    std::string set;
    bool negate = false;
};
// FIELD == number, for ct_proto_dst and the ports of TCP and UDP
struct MatchPort {
    Field field{};
    std::uint16_t value = 0;
};
// iifname or oifname == "name"
struct MatchName {
    Field field{};
    std::string value;
    bool negate = false;
};
// meta l4proto tcp
struct MatchL4 {
    L4 protocol{};
};
// meta nfproto ipv4
struct MatchFamily {
    Family family{};
};
// ct state invalid,untracked: any of the bits, at least one
struct MatchState {
    bool invalid = false, established = false, related = false, fresh = false /* `new` */, untracked = false;
};
struct MatchDnat {};       // ct status dnat
struct MatchConfirmed {};  // ct status confirmed: an earlier packet of the flow was let through
// ct status & (assured|dnat) == assured: of a flow that was answered (of TCP: behind its handshake), to where it was sent
struct MatchAssured {};
// ct direction reply, or original
struct MatchReply {
    bool reply = true;
};
// icmp type { ... } or icmpv6 type { ... }: numbers of RFC 792 / RFC 4443, sorted
struct MatchIcmp {
    Family family{};
    std::vector<std::uint8_t> types;
};
// ip6 hoplimit 255
struct MatchHopLimit {
    std::uint8_t value = 255;
};
// tcp flags & (syn|rst) == syn, or != syn
struct MatchSyn {
    bool negate = false;
};
struct ClampMss {};  // tcp option maxseg size set rt mtu
// limit rate 10/second burst 20 packets
struct Limit {
    Rate rate;
    std::uint32_t burst = 0;
};
// update @SET { FIELD limit rate 50/second burst 50 packets }: goes on while the source is below the rate
struct UpdateRate {
    std::string set;
    Field field{};
    Rate rate;
    std::uint32_t burst = 0;
};
// log prefix "..." [group N], else level info to the kernel log. The prefix is at most 127 bytes.
struct LogPacket {
    std::string prefix;
    std::optional<std::uint16_t> group;
};
// counter [packets N bytes N]: anonymous. The numbers are as read back, and no part of equality.
struct Count {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};
// counter name FIELD . FIELD map @MAP
struct CountByMap {
    std::vector<Field> fields;
    std::string map;
};
// FIELD [. FIELD]... vmap @MAP: the verdict of the map; goes on where it has none
struct LookupVerdict {
    std::vector<Field> fields;
    std::string map;
};
struct Accept {};
struct Drop {};
struct Return {};
struct Reject {};  // reject with icmpx admin-prohibited
struct Masquerade {};
struct Jump {
    std::string chain;
};
struct Goto {
    std::string chain;
};
// Something read from the kernel that policyc doesn't write; its text as the reader saw it. Never equal to anything.
struct Unknown {
    std::string text;
};

using Statement =
    std::variant<Lookup, MatchPort, MatchName, MatchL4, MatchFamily, MatchState, MatchDnat, MatchConfirmed,
                 MatchAssured, MatchReply, MatchIcmp, MatchHopLimit, MatchSyn, ClampMss, Limit, UpdateRate, LogPacket,
                 Count, CountByMap, LookupVerdict, Accept, Drop, Return, Reject, Masquerade, Jump, Goto, Unknown>;

struct Rule {
    std::vector<Statement> statements;
    std::string comment;       // reaches the kernel, at most 128 bytes; "" for none
    Span span;                 // the policy line that caused it; may point nowhere
    std::uint64_t handle = 0;  // the kernel's number for it, as read back; 0 when compiled
};

struct BaseChain {
    Hook hook{};
    int priority = 0;  // as a number: filter is 0, mangle -150, srcnat 100
    bool nat = false;  // type nat instead of filter
    bool policy_drop = false;
};

struct Chain {
    std::string name;
    std::optional<BaseChain> base;
    std::string comment;  // for people; only in the text
    std::vector<Rule> rules;
};

// ---- the table -------------------------------------------------------------------------------------------------------

// Who or what an element is about: the name people know and the line that says so.
struct Label {
    std::string name;
    Span span;
};

// Something of our table that policyc doesn't write, as it was read: a set of another kind, a chain on another hook, a quota.
struct Foreign {
    enum class Kind : std::uint8_t { table, set, chain, object, flowtable, element };
    Kind kind{};
    std::string name;          // "" of the table; of an element, that of its set
    std::string text;          // for people: what was seen
    std::uint32_t object = 0;  // of an object: NFT_OBJECT_* (linux/netfilter/nf_tables.h)
};

// `table inet policyc`. Names of chains, sets and counters are nft identifiers and none of its keywords (`masquerade`, `limit`, `log`, `fwd`):
// there is no way to quote them. Order of vectors is the order of output. With no chains there is nothing to load: the table must not exist.
struct Ruleset {
    std::string node;
    std::vector<Label> subjects;
    std::vector<Label> objects;
    std::vector<Counter> counters;
    std::vector<Set> sets;
    std::vector<Chain> chains;
    std::vector<Foreign> foreign;  // what else was found in the table when reading it back

    [[nodiscard]] bool empty() const { return chains.empty(); }
};

inline constexpr const char* table_name = "policyc";

// ---- what the kernel takes -------------------------------------------------------------------------------------------

inline constexpr std::size_t max_comment = 128;     // NFTNL_UDATA_COMMENT_MAXLEN
inline constexpr std::size_t max_log_prefix = 127;  // NF_LOG_PREFIXLEN with its NUL

// A text as every backend writes it: at most `limit` bytes of valid UTF-8, control characters as `?`, and `'` for the quote, which nft strings
// cannot hold. same() compares comments and prefixes in this form, so nobody else needs to call it.
std::string kernel_text(std::string_view text, std::size_t limit);
// Of a log prefix; nft takes `$` in one for a variable, so it becomes `?` too.
std::string log_prefix(std::string_view text);

// The rule without matches that a later part of its own brings along, with nothing but matches between (`meta l4proto tcp tcp dport 22`):
// whoever reads `tcp dport` has matched TCP before, so that it makes no difference who wrote it.
Rule canonical(const Rule& rule);

// ---- equality --------------------------------------------------------------------------------------------------------

// Rules are compared in their canonical form.
// Equal up to the numbers of counters, spans, causes and what only the text carries (comments of sets and chains, the node). Unknown is
// equal to nothing, and neither is a Ruleset that holds what is foreign. Elements of a dynamic set are the rules' and no part of equality.
bool same(const Statement& a, const Statement& b);
bool same(const Rule& a, const Rule& b);
bool same(const Chain& a, const Chain& b);
bool same(const Counter& a, const Counter& b);
// The elements of a map are compared by what they name: the counters of both tables are needed.
bool same(const Set& a, const std::vector<Counter>& counters_of_a, const Set& b,
          const std::vector<Counter>& counters_of_b);
// Everything but the elements.
bool same_frame(const Set& a, const Set& b);
// What both maps give for an element: the name of a counter, the chain and the way there. Also true of elements of plain sets.
bool same_value(const Set& a, std::size_t i, const std::vector<Counter>& counters_of_a, const Set& b, std::size_t j,
                const std::vector<Counter>& counters_of_b);
bool same(const BaseChain& a, const BaseChain& b);
// Counters, sets and chains may come in another order: the kernel does not keep one. Rules of a chain may not.
bool same(const Ruleset& a, const Ruleset& b);

}  // namespace policyc::ir
