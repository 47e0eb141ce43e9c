// Takes changes apart into records of one destination and one run of ports: changes_json().
#include "compiler/driver/changes_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

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

using Place = std::tuple<Direction, Range, Ports>;

// The boxes of one change by what they open, each with its sources; ports that are neighbours as one run.
std::map<Place, std::set<Range>> places_of(std::span<const Box> of) {
    std::vector<Box> boxes(of.begin(), of.end());
    std::ranges::sort(boxes);
    std::map<Place, std::set<Range>> places;
    for (std::size_t i = 0; i < boxes.size();) {
        Box box = boxes[i++];
        const auto continues = [&](const Box& next) {
            return box.ports.hi != UINT16_MAX && next.ports.lo == box.ports.hi + 1 &&
                   Box{next.direction, next.source, next.destination, box.ports} == box &&
                   next.ports.protocol == box.ports.protocol;
        };
        for (; i < boxes.size() && continues(boxes[i]); ++i) box.ports.hi = boxes[i].ports.hi;
        places[{box.direction, box.destination, box.ports}].insert(box.source);
    }
    return places;
}

// What a service left, for the record of where it went: the addresses of that family and those ports.
std::set<std::string> addresses_left(const Change& change, const Place& place) {
    std::set<std::string> texts;
    for (const auto& [other, sources] : places_of(change.left))
        if (std::get<Ports>(other) == std::get<Ports>(place)) texts.insert(to_string(std::get<Range>(other)));
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
        const auto& [direction, destination, ports] = place;
        one["flows"].push_back(
            {{"destination", to_string(destination)}, {"port", port_text(ports)}, {"proto", word(ports.protocol)}});
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
            const auto& [direction, destination, ports] = place;
            Json one = {{"change", word(change.kind)}, {"who", known(change.who)}, {"service", known(change.service)}};
            one["sources"] = Json::array();
            if (direction != Direction::output)
                for (const Range& source : sources) one["sources"].push_back(to_string(source));
            if (change.kind == Change::Kind::move) one["was"] = addresses_left(change, place);
            one["destination"] = direction == Direction::input ? node : to_string(destination);
            one["port"] = port_text(ports);
            one["proto"] = word(ports.protocol);
            add_cause(change, one);
            list.push_back(std::move(one));
        }
    }
    return list;
}

}  // namespace policyc
