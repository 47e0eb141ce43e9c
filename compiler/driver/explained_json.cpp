// What `explain` found as a record: explained_json().
#include <algorithm>

#include "compiler/driver/access_list.h"
#include "compiler/driver/explained.h"
#include "compiler/driver/world.h"
#include "compiler/look_up.h"

namespace policyc {

namespace {

using Json = nlohmann::ordered_json;
using explain::Finding;
using explain::Line;
using explain::Miss;
using explain::Why;

const char* json_word(std::optional<explain::Verdict> verdict) {
    if (!verdict) return "partly";
    switch (*verdict) {
        case explain::Verdict::allowed: return "allowed";
        case explain::Verdict::denied: return "denied";
        case explain::Verdict::unjudged: return "not_judged";
    }
    return "";
}

const char* json_word(Why why) {
    switch (why) {
        case Why::permission: return "permission";
        case Why::loopback: return "loopback";
        case Why::wireguard: return "wireguard";
        case Why::no_permission: return "no_permission";
        case Why::family: return "family";
        case Why::not_a_source: return "spoofed_in_tunnel";
        case Why::behind_tunnel: return "spoofed_beside_tunnel";
        case Why::scope_none: return "scope_none";
        case Why::beside_tunnel: return "beside_tunnel";
        case Why::no_output: return "no_output";
        case Why::untouched_interface: return "untouched_interface";
        case Why::untouched_network: return "untouched_network";
    }
    return "";
}

const char* json_word(Miss::Kind kind) {
    switch (kind) {
        case Miss::Kind::port: return "port";
        case Miss::Kind::grant: return "grant";
        case Miss::Kind::bastion: return "bastion";
        case Miss::Kind::expired: return "expired";
        case Miss::Kind::address: return "address";
        case Miss::Kind::family: return "family";
        case Miss::Kind::person: return "person";
        case Miss::Kind::own: return "own_address";
    }
    return "";
}

const char* json_word(Direction direction) {
    switch (direction) {
        case Direction::forward: return "forward";
        case Direction::input: return "input";
        case Direction::output: return "output";
    }
    return "";
}

const char* json_word(Followed::Verdict verdict) {
    switch (verdict) {
        case Followed::Verdict::accept: return "accept";
        case Followed::Verdict::drop: return "drop";
        case Followed::Verdict::no_chain: return "no_chain";
        case Followed::Verdict::unreadable: return "unreadable";
    }
    return "";
}

const char* json_word(explain::Side side) {
    switch (side) {
        case explain::Side::tunnel: return "tunnel";
        case explain::Side::other: return "other";
        case explain::Side::untouched: return "untouched";
        case explain::Side::loopback: return "loopback";
    }
    return "";
}

class Recorder {
public:
    Recorder(const Explained& explained, const Sources& sources) : explained_(explained), sources_(sources) {}

    Json run() const {
        Json record = {{"node", explained_.node().name},
                       {"from", explained_.from},
                       {"to", explained_.to},
                       {"verdict", json_word(explained_.verdict())},
                       {"answers", Json::array()},
                       {"implied", Json::array()}};
        if (!explained_.nothing.empty()) record["nothing"] = explained_.nothing;
        for (std::size_t i = 0; i < explained_.answers.size(); ++i) record["answers"].push_back(answer_of(i));
        if (explained_.node().scope != Scope::none)
            for (const ImpliedRow& row : implied_rows(explained_.asked.policy, explained_.node()))
                record["implied"].push_back(row.what);
        if (explained_.live) record["kernel"] = {{"table", explained_.live->table}, {"same", explained_.live->same}};
        if (explained_.live && explained_.live->dormant) record["kernel"]["dormant"] = true;
        return record;
    }

private:
    void put_place(Json& json, Span span) const {
        json["file"] = span.valid() ? sources_.name(span.file) : "";
        json["line"] = span.valid() ? sources_.line_number(span.file, span.begin) : 0;
    }

    Json answer_of(std::size_t index) const {
        const explain::Answer& answer = explained_.answers[index];
        Json json = {{"who", answer.source.label},
                     {"who_addresses", addresses_of(explained_, answer.source.host)},
                     {"what", answer.target.label},
                     {"addresses", addresses_of(explained_, answer.target.host)},
                     {"ports", to_string(answer.target.ports)}};
        if (const auto* name = std::get_if<HostName>(&answer.target.host)) {
            json["host"] = name->name;
            if (const auto entry = explained_.lock.find(name->name); entry != explained_.lock.end()) {
                json["locked"] = to_text(entry->second.resolved);
                json["age"] = (explained_.now - entry->second.resolved).count();
            }
        }
        json["verdict"] = json_word(answer.verdict());
        json["in_assumed"] = answer.assumed;
        if (!answer.nothing.empty()) json["nothing"] = answer.nothing;
        json["findings"] = Json::array();
        for (std::size_t i = 0; i < answer.findings.size(); ++i) json["findings"].push_back(finding_of(index, i));
        json["allowed_by"] = Json::array();
        for (const Line& line : answer.lines) json["allowed_by"].push_back(line_of(line));
        json["near_misses"] = Json::array();
        for (const Miss& miss : answer.misses) {
            Json near = {{"kind", json_word(miss.kind)}, {"text", miss.text}, {"via", miss.via}};
            put_place(near, miss.span);
            json["near_misses"].push_back(std::move(near));
        }
        return json;
    }

    Json finding_of(std::size_t index, std::size_t number) const {
        const Finding& finding = explained_.answers[index].findings[number];
        const explain::Flow& flow = finding.example;
        Json json = {{"verdict", json_word(std::optional(finding.verdict))},
                     {"why", json_word(finding.why)},
                     {"text", why_text(explained_, finding)},
                     {"hook", json_word(flow.passage.hook)},
                     {"in", json_word(flow.passage.in)},
                     {"out", json_word(flow.passage.out)},
                     {"source", to_string(flow.source)},
                     {"destination", to_string(flow.destination)},
                     {"port", reach::to_string(reach::Slots{flow.slot, flow.slot})}};
        put_place(json, finding.span);
        if (explained_.live) json["kernel"] = kernel_of(explained_.live->flows[index][number]);
        return json;
    }

    Json line_of(const Line& line) const {
        Json json = {{"via", explain::holder_of(explained_.asked.policy, line.permission)},
                     {"terms", terms_of(explained_, line)},
                     {"whole", line.whole}};
        put_place(json, line.permission.span);
        return json;
    }

    static Json kernel_of(const LiveFlow& flow) {
        Json json = {
            {"verdict", json_word(flow.kernel.verdict)}, {"rule", flow.kernel.rule}, {"look_ups", Json::array()}};
        for (const Asking& asking : flow.kernel.asked)
            json["look_ups"].push_back({{"set", asking.set->name}, {"held", asking.held.has_value()}});
        if (flow.kernel.decisive) {
            const Asking& asking = flow.kernel.asked[*flow.kernel.decisive];
            const auto element = element_at(*asking.set, asking.key);
            json["element"] = {{"set", asking.set->name}, {"key", element ? key_text(*asking.set, *element) : ""}};
            if (asking.held && asking.held->life.timeout != 0)
                json["element"]["left_seconds"] = asking.held->life.left / 1000;
        }
        if (flow.counter)
            json["counter"] = {
                {"name", flow.counter->name}, {"packets", flow.counter->packets}, {"bytes", flow.counter->bytes}};
        json["rated"] = flow.kernel.rated;
        json["rejected"] = flow.kernel.rejected;
        return json;
    }

    const Explained& explained_;
    const Sources& sources_;
};

}  // namespace

nlohmann::ordered_json explained_json(const Explained& explained, const Sources& sources) {
    return Recorder(explained, sources).run();
}

}  // namespace policyc
