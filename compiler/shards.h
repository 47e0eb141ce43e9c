// Sets that are too large for the kernel to dump, split by network.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/ir.h"

namespace policyc {

// A set that was split: a packet's field says in which part its element would be. A part is a set of that name, or is split itself.
struct Split {
    struct Part {
        Range network;
        std::string name;
    };
    std::size_t field = 0;  // of the key
    std::vector<Part> parts;
};

// The sets that were split, by name; where one was, no set of that name is left.
using Splits = std::map<std::string, Split>;

// Replaces each hash set (or map) of the Ruleset that holds more than `most` elements by its parts (program::shard_name). The networks are halves of halves of the address space, as few as will do, so that where they end
// doesn't change with each element; those that hold nothing are left out. A part of one address is split by the next field, and stays as it is
// where there is none.
Splits split_large_sets(ir::Ruleset& ruleset, std::size_t most);

// program::shard_map of a set that was split: from networks to chains of the names of its parts. `prefix` goes in front of these names.
ir::Set shard_map_of(const std::string& set, const Split& split, const std::string& prefix);

// What a hash set of that many elements declares as its size, so that the kernel allocates its table once; 0 for a small one.
std::uint32_t size_to_declare(std::size_t elements);

}  // namespace policyc
