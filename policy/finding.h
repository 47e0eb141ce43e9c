// What a [[test]] did not expect, gathered and put into words.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/reach.h"

namespace policyc {

// As a list of the policy would have it: "grafana", "home:443".
std::string spell(const Target& target);

// The flows that one entry of the policy, or of the test, is to blame for.
struct Finding {
    const Target* target = nullptr;                 // of the test, where it is about one
    const reach::Permission* permission = nullptr;  // what lets it through, where something does
    bool partly = false;                            // of a missing target: another part of it is allowed
    std::set<const AddressSet*> sources;            // whose; they live as long as the trial
    std::vector<Range> destinations;
    std::set<reach::Slots> slots;
    const AddressSet* first_sources = nullptr;  // of the first area that was added
    reach::Area first;

    void add(const AddressSet& from, const reach::Area& area);
};
using Findings = std::map<Span, Finding>;  // in the order of the places

// Tells of one test what was found. None of these says anything when there was nothing.
class Story {
public:
    Story(const Policy& policy, const Addresses& addresses, const reach::Permissions& permissions,
          const Expectation& test)
        : policy_(policy), addresses_(addresses), permissions_(permissions), test_(test) {}

    // Targets of `allow` that are not let through.
    void missing(const Findings& missing, Diagnostics& diagnostics) const;
    // Entries that let through what `deny` lists.
    void open(const Findings& open, Diagnostics& diagnostics) const;
    // Entries that let through more than `only` lists, and targets of it that are not let through.
    void differs(const Findings& extra, const Findings& missing, Diagnostics& diagnostics) const;

private:
    struct Flow {
        std::string who;  // "laptop", or "" where nobody has a name
        Address source;
        Address destination;
        std::uint32_t slot = 0;
    };

    [[nodiscard]] std::string message() const;
    [[nodiscard]] std::string label_of_missing(const Finding& finding) const;
    [[nodiscard]] std::string entry_name(const reach::Permission& permission) const;
    [[nodiscard]] std::string entry_of(const reach::Permission& permission) const;
    [[nodiscard]] Flow example(const Finding& finding) const;
    [[nodiscard]] std::string text_of(const Flow& flow) const;
    [[nodiscard]] std::string where(const Flow& flow, const reach::Permission* permission) const;
    void point_at_missing(const Findings& missing, Diagnostic& diagnostic) const;
    void point_at_entries(const Findings& findings, const std::string& what, Diagnostic& diagnostic) const;
    [[nodiscard]] bool in_force(const reach::Permission& permission) const;
    void near_miss(const Flow& flow, Diagnostic& diagnostic) const;

    const Policy& policy_;
    const Addresses& addresses_;
    const reach::Permissions& permissions_;
    const Expectation& test_;
};

// What a test names and nothing can be said of.
struct Unresolved {
    enum class Why : std::uint8_t {
        empty,    // it stands for nothing
        name,     // a host name without an address
        network,  // a node or a network without one
        family,   // none of a family that could be meant
    };
    Span span;
    std::string what;  // "`grafana` has no address"
    Why why = Why::empty;
};
// `waits`: where names alone have none, it is no failure.
void report_no_address(const Expectation& test, std::vector<Unresolved> unresolved, bool waits,
                       Diagnostics& diagnostics);

// A range of `deny` that meets what the node serves, and an input of that node, which is open at addresses that nobody knows.
void report_own_addresses(const Expectation& test, const Target& denied, const Node& node, const Input& input,
                          Diagnostics& diagnostics);

// A node in `deny`, and the entry of a tier that opens a network that it serves, where it may have addresses that nobody knows.
void report_served_addresses(const Expectation& test, const Target& denied, const Node& node, const Tier& tier,
                             Span opens, Diagnostics& diagnostics);

// An entry of the policy, and how many others it overlaps with.
struct Entangled {
    Span span;
    std::size_t others = 0;
};
// The test can't be judged: what could not be told apart is given by `entries`, the worst first.
void report_entangled(const Expectation& test, Span span, const std::vector<Entangled>& entries,
                      Diagnostics& diagnostics);

}  // namespace policyc
