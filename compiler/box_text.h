// Boxes of flows as a person reads them.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "compiler/access.h"

namespace policyc {

// "10.69.13.30:3000/tcp", "10.69.13.0/24:* but 10.69.13.30:3000/tcp": where these boxes, whatever their sources, lead to. `here` is what this host is called.
std::string destinations_text(std::span<const Box> boxes, const std::string& here);

// "laptop", "10.69.50.0/24 but laptop": `name` gives each single address or range its text.
std::string ranges_text(const AddressSet& ranges, const std::function<std::string(const Range&)>& name);

}  // namespace policyc
