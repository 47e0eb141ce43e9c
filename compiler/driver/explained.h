// Everything that `explain` found out, and how it is told: as text for people and as a record.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/live.h"
#include "compiler/explain.h"
#include "policy/lock.h"
#include "policy/span.h"

namespace policyc {

// What --live found.
struct LiveView {
    bool table = false;                        // there is one
    bool dormant = false;                      // and it judges nothing
    bool same = false;                         // it is the one that the policy makes
    std::vector<std::vector<LiveFlow>> flows;  // of each answer, of each of its findings
};

struct Explained {
    const explain::Asked& asked;
    const Lock& lock;
    Time now{};
    std::string from, to;  // as they were typed
    std::string policy_path;
    std::vector<explain::Answer> answers;
    std::string nothing;  // why there are no answers: "`guests` holds nothing"
    std::optional<LiveView> live;

    [[nodiscard]] const Node& node() const { return asked.policy.nodes[asked.node]; }
    // Of all answers together, as explain::Answer::verdict().
    [[nodiscard]] std::optional<explain::Verdict> verdict() const;
};

std::string explained_text(const Explained& explained, const Sources& sources, bool color);
nlohmann::ordered_json explained_json(const Explained& explained, const Sources& sources);

// ---- words that both use -----------------------------------------------------------------------------------------------

// "allowed", "denied", "partly allowed", "not judged"
const char* word(std::optional<explain::Verdict> verdict);
// "phone 10.69.50.12 -> 10.69.13.20:8096/tcp"; the name is left out where it says no more than the address
std::string flow_text(const explain::Answer& answer, const explain::Flow& flow);
// "grafana:3000/tcp", "[fd69::1]:22/tcp", "home:*"
std::string target_text(const Target& target);
// What decides, in a sentence; "" for a line of the policy.
std::string why_text(const Explained& explained, const explain::Finding& finding);
// "forwarded, from wg-ext to another interface"
std::string passage_text(const Node& node, const explain::Passage& passage);
// The terms of the line: "at most 50/second", "until 2026-12-31", "logged".
std::vector<std::string> terms_of(const Explained& explained, const explain::Line& line);
// The host of a target where it is a name, and how its address is known: "jelly01.home.example, locked 2 h ago".
std::string host_text(const Explained& explained, const Target& target);
std::vector<std::string> addresses_of(const Explained& explained, const Host& host);

}  // namespace policyc
