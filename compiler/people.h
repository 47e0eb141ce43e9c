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
    // These addresses of what a policy calls by that name: "lan", "lan but laptop", "laptop".
    [[nodiscard]] std::string text(std::string_view label, const AddressSet& sources) const;
    // The nodes that have their addresses there and are not named by that text: "(laptop, phone among them)", or "".
    [[nodiscard]] std::string among(std::string_view label, const AddressSet& sources) const;
    [[nodiscard]] static std::string addresses(const AddressSet& sources);
    // Where the address of that node or network is written.
    [[nodiscard]] std::optional<Span> place_of(std::string_view label) const;

private:
    [[nodiscard]] std::optional<AddressSet> whole_of(std::string_view label) const;
    [[nodiscard]] std::string name(const Range& range) const;

    std::vector<std::pair<Range, std::string_view>> nodes_;  // by address
    std::map<std::string_view, const Node*> names_;
    std::map<std::string_view, const Network*> networks_;
};

}  // namespace policyc
