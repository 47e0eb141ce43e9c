// What comes or goes, in lines of a person and a service each of which is all true: whoever it names has all that it names.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "compiler/access.h"
#include "compiler/words.h"

namespace policyc {

// One person and one service, and the boxes between them that come or go for one reason, by one line of the policy: every source of them has every destination and port of its family.
struct Line {
    Words words;
    std::span<const Box> boxes;
    Change::Cause cause{};
    bool expired = false;      // goes by that
    bool known = false;        // some policy, the new or the last one, has these words
    bool cut = false;          // its boxes are parts, or several in one, of those that some policy has
    bool moved = false;        // told already, as part of a move
    bool other_place = false;  // the other list has the same words, of another address
};

// Boxes that may overlap as lists that don't, one for each line.
std::vector<std::vector<Box>> by_sources(const std::vector<Box>& boxes);

// Who and what a move is about: two lists of lines between the same ones, which differ in one end of their boxes and in nothing else.
struct Moved {
    std::string_view name;
    std::vector<Line*> left;
    std::vector<Line*> reached;
};
// Services that all who are concerned lose at one address and gain at another. Both lists are sorted by words.
std::vector<Moved> moved_services(std::vector<Line>& gains, std::vector<Line>& losses);
// People whom all that they keep is taken from at one address and given at another.
std::vector<Moved> moved_people(std::vector<Line>& gains, std::vector<Line>& losses);
// Who gains and loses one service without having moved as a whole would seem to have it before and after.
void mark_other_places(std::vector<Line>& gains, std::vector<Line>& losses);

}  // namespace policyc
