// Takes changes apart into records of one destination and one run of ports: changes_json().
#include "compiler/driver/changes_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compiler/own_end.h"

namespace policyc {

namespace {

using Json = nlohmann::ordered_json;

const char* word(Change::Kind kind) {
    switch (kind) {
        case Change::Kind::gain: return "gain";
        case Change::Kind::loss: return "loss";
        case Change::Kind::move: return "move";
    }
    return "";
}

const char* word(Change::Cause cause) {
    switch (cause) {
        case Change::Cause::edit: return "edit";
        case Change::Cause::dns: return "dns";
        case Change::Cause::drift: return "drift";
    }
    return "";
}

const char* word(Protocol protocol) {
    switch (protocol) {
        case Protocol::any: return "any";
        case Protocol::tcp: return "tcp";
        case Protocol::udp: return "udp";
        case Protocol::ping: return "ping";
    }
    return "";
}

std::string port_text(const Ports& ports) {
    switch (ports.protocol) {
        case Protocol::any: return "*";
        case Protocol::ping: return "";
        case Protocol::tcp:
        case Protocol::udp: break;
    }
    if (ports.lo <= 1 && ports.hi == UINT16_MAX) return "*";
    return ports.lo == ports.hi ? std::to_string(ports.lo) : fmt::format("{}-{}", ports.lo, ports.hi);
}

// A box without its source, and of which of this host's addresses it is.
using Place = AtHost;

// The boxes of one change by what they open, each with its sources; ports that are neighbours as one run.
std::map<Place, std::set<Range>> places_of(std::span<const Box> of) {
    std::vector<AtHost> all = at_host(of);
    std::ranges::sort(all, {}, [](const AtHost& one) { return std::tie(one.except, one.only, one.box); });
    std::map<Place, std::set<Range>> places;
    for (std::size_t i = 0; i < all.size();) {
        Place place = all[i++];
        Box& box = place.box;
        const auto continues = [&](const Place& next) {
            const Ports& ports = next.box.ports;
            return box.ports.hi != UINT16_MAX && ports.lo == box.ports.hi + 1 &&
                   Box{next.box.direction, next.box.source, next.box.destination, box.ports, next.box.others} == box &&
                   ports.protocol == box.ports.protocol && next.except == place.except && next.only == place.only;
        };
        for (; i < all.size() && continues(all[i]); ++i) box.ports.hi = all[i].box.ports.hi;
        const Range source = std::exchange(box.source, Range{box.source.family, 0, 0});
        places[place].insert(source);
    }
    return places;
}

// "other" is what is neither TCP, UDP nor ping.
const char* proto_text(const Place& place) {
    return place.box.others ? "other" : word(place.box.ports.protocol);
}

// What a service or a person left, for the record of where it went: of a service the addresses of that family and those ports, of a person those
// from which the same was reached.
std::set<std::string> addresses_left(const Change& change, const Place& place) {
    std::set<std::string> texts;
    for (const auto& [other, sources] : places_of(change.left)) {
        if (!change.who.empty()) {
            if (other == place)
                for (const Range& source : sources) texts.insert(to_string(source));
        } else if (other.box.ports == place.box.ports && other.box.others == place.box.others) {
            texts.insert(to_string(other.box.destination));
        }
    }
    return texts;
}

// What a move of many has none of, or what nobody named, is null.
Json known(std::string_view text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

void add_cause(const Change& change, Json& record) {
    record["cause"] = word(change.cause);
    record["file"] = known(change.file);
    record["line"] = change.file.empty() ? Json(nullptr) : Json(change.line);
    record["reason"] = change.reason;
}

// Every one of the sources, and every one of the flows of each.
Json of_many(const Change& change) {
    Json one = {{"change", word(change.kind)}, {"who", known(change.who)}, {"service", known(change.service)}};
    one["sources"] = Json::array();
    for (const Range& source : change.people) one["sources"].push_back(to_string(source));
    one["flows"] = Json::array();
    for (const auto& [place, sources] : places_of(change.boxes)) {
        one["flows"].push_back({{"destination", to_string(place.box.destination)},
                                {"port", port_text(place.box.ports)},
                                {"proto", proto_text(place)}});
    }
    add_cause(change, one);
    return one;
}

}  // namespace

Json changes_json(const Changes& changes, const std::string& node) {
    Json list = Json::array();
    for (const Change& change : changes) {
        if (!change.people.empty()) {
            list.push_back(of_many(change));
            continue;
        }
        for (const auto& [place, sources] : places_of(change.boxes)) {
            Json one = {{"change", word(change.kind)}, {"who", known(change.who)}, {"service", known(change.service)}};
            one["sources"] = Json::array();
            if (place.box.direction != Direction::output)
                for (const Range& source : sources) one["sources"].push_back(to_string(source));
            for (const Range& own : place.only) one["sources"].push_back(to_string(own));
            if (change.kind == Change::Kind::move) one["was"] = addresses_left(change, place);
            one["destination"] = place.box.direction == Direction::input ? node : to_string(place.box.destination);
            // Addresses of this host, or networks that it serves, at which it is open before and after.
            for (const Range& own : place.except) one["except"].push_back(to_string(own));
            one["port"] = port_text(place.box.ports);
            one["proto"] = proto_text(place);
            add_cause(change, one);
            list.push_back(std::move(one));
        }
    }
    return list;
}

}  // namespace policyc
