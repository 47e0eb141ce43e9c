// The words for those who send: nodes and networks of a policy, and parts of these.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/access.h"

namespace policyc {

class People {
public:
    // The view, and what it points to, must outlive this.
    explicit People(const View& view);

    // What a policy calls by that name, to be asked before the rest: whether it is a node, and so one person.
    [[nodiscard]] bool one_person(std::string_view label) const;
    // Whether it is a node that has that address.
    [[nodiscard]] bool lives_at(std::string_view label, const Range& range) const;
    // These addresses of what a policy calls by that name. `elsewhere`: the same name is told of with other addresses too. `received`: by this host, so that the
    // destination doesn't say of which family all is.
    struct Called {
        std::string who;  // "lan", "lan but laptop", "laptop"
        // Which addresses, where the name would say more than these: "(fd69::2)". Else nodes that have theirs there and are not named yet:
        // "(laptop, phone among them)", or "".
        std::string among;
    };
    [[nodiscard]] std::string text(std::string_view label, const AddressSet& sources) const;  // `who` of it
    [[nodiscard]] Called called(std::string_view label, const AddressSet& sources, bool elsewhere, bool received) const;
    // Where the address of that node or network is written.
    [[nodiscard]] std::optional<Span> place_of(std::string_view label) const;

private:
    [[nodiscard]] std::string among(std::string_view label, const AddressSet& sources) const;
    [[nodiscard]] bool of_both_families(std::string_view label) const;
    [[nodiscard]] std::optional<AddressSet> whole_of(std::string_view label) const;
    [[nodiscard]] std::string name(const Range& range) const;

    bool dual_;                                              // what is said of names holds of both families
    std::vector<std::pair<Range, std::string_view>> nodes_;  // by address
    std::map<std::string_view, const Node*> names_;
    std::map<std::string_view, const Network*> networks_;
};

}  // namespace policyc
