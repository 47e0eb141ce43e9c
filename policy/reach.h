// What the permissions of a policy let through, as areas of destination and port with a set of sources: the ground that [[test]] is judged on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/names.h"

namespace policyc::reach {

// Protocol and port as one number: TCP port p is p, UDP port p is 65536 + p; then ping, then every other protocol. Port 0 is only in `*`.
struct Slots {
    static constexpr std::uint32_t udp = 65536;
    static constexpr std::uint32_t ping = 131072;
    static constexpr std::uint32_t other = 131073;

    std::uint32_t lo = 0;
    std::uint32_t hi = 0;

    auto operator<=>(const Slots&) const = default;
    [[nodiscard]] bool holds(Slots slots) const { return lo <= slots.lo && slots.hi <= hi; }
    [[nodiscard]] bool meets(Slots slots) const { return lo <= slots.hi && slots.lo <= hi; }
};
Slots slots_of(const Ports& ports);
std::string to_string(Slots slots);  // "443/tcp", "ping", "*", "444-65535/tcp, */udp, ping and other protocols"

// For examples: an address of the range that looks like a host's, the first or the one after it where the first may be a network's own; a port that
// people know, where there is one; and both as one text, "10.69.13.1:22/tcp".
Address host_in(const Range& range);
std::uint32_t slot_in(Slots slots);
std::string to_string(const Address& address, std::uint32_t slot);

// All flows to these addresses and slots; of whom or of what is up to the owner, an index.
struct Area {
    Range destination;
    Slots slots;
    std::size_t owner = 0;

    [[nodiscard]] bool holds(const Area& area) const {
        return destination.holds(area.destination) && slots.holds(area.slots);
    }
    [[nodiscard]] bool meets(const Area& area) const {
        return destination.meets(area.destination) && slots.meets(area.slots);
    }
};

// Areas that are found by destination, without looking at all of them.
class AreaIndex {
public:
    AreaIndex() = default;
    explicit AreaIndex(std::vector<Area> areas);

    [[nodiscard]] const std::vector<Area>& areas() const { return areas_; }
    // Those that meet `area`, by destination.
    [[nodiscard]] std::vector<Area> meeting(const Area& area) const;
    void meeting(const Area& area, std::vector<Area>& found) const;  // behind what is in `found`

private:
    void search(std::size_t begin, std::size_t end, const Area& area, std::vector<Area>& found) const;

    std::vector<Area> areas_;  // sorted by family and lowest destination
    std::vector<Range>
        reach_;  // at the middle of each part of areas_ that search() halves: its family and highest destination
};

// How much may yet be done: covers that overlap in many ways make very many parts.
class Budget {
public:
    explicit Budget(std::size_t all) : left_(all) {}
    // False when there is not so much left, and from then on.
    bool spend(std::size_t some) {
        left_ = some > left_ ? 0 : left_ - some;
        return left_ > 0;
    }
    [[nodiscard]] bool spent() const { return left_ == 0; }
    [[nodiscard]] std::size_t left() const { return left_; }

private:
    std::size_t left_;
};

// Cuts `area` along the edges of `covers` and gives each part to `visit` with the owners of the covers that hold it, sorted, each once. Stops when the
// budget is spent, which pays for each cover of each part.
using Visit = std::function<void(const Area& part, const std::vector<std::size_t>& owners)>;
void cut(const Area& area, const std::vector<Area>& covers, Budget& budget, const Visit& visit);

// One target of a tier or an output, or the ports of an input.
struct Permission {
    enum class Kind : std::uint8_t { tier, input, output };
    Kind kind{};
    std::size_t index = 0;           // the tier, or the node
    const Target* target = nullptr;  // of a tier or an output
    const Input* input = nullptr;
    std::size_t sources = 0;  // index into Permissions::sources
    bool expired = false;     // the tier or the service
    Span span;                // the entry that opens
};

// Every permission that a test may look at, in force or not: all tiers, the inputs of nodes whose scope is not `none` (the node stands for its
// tunnel addresses), all outputs. The owner of an area is the index of its permission. A family that is denied is in none of them.
struct Permissions {
    std::vector<Permission> list;
    std::vector<AddressSet> sources;
    AreaIndex areas;
};
Permissions permissions_of(const Policy& policy, const Addresses& addresses, Days today);

// All addresses of a host, those of denied families too.
std::vector<Range> addresses_of_host(const Policy& policy, const Addresses& addresses, const Host& host);

AddressSet intersection(const AddressSet& a, const AddressSet& b);

}  // namespace policyc::reach
