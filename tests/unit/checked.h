// A policy read from text and checked, with what was said of it: for tests of check().
#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "policy/check.h"
#include "policy/parse.h"

namespace policyc {

struct Checked {
    FakeFiles files;
    Sources sources;
    Diagnostics diagnostics;
    std::optional<Policy> policy;

    explicit Checked(const std::string& text) {
        files.files["policy.toml"] = text;
        if (const auto ast = parse("policy.toml", files, sources, diagnostics))
            policy = check(*ast, sources, diagnostics);
        diagnostics.finish(sources);
        CHECK(policy.has_value() == (diagnostics.errors() == 0));
    }

    std::string said() const { return render(diagnostics, sources, false); }
    // "E0101:2 E0201:7": what is reported at which line.
    std::string places() const {
        std::string text;
        for (const Diagnostic& d : diagnostics.all()) {
            text += (text.empty() ? "" : " ") + std::string(info(d.code).name) + ":" +
                    std::to_string(sources.position(d.primary.span.file, d.primary.span.begin).line);
        }
        return text;
    }
    std::string at(Span span) const {
        return span.valid() ? sources.text(span.file).substr(span.begin, span.end - span.begin) : "nowhere";
    }
};

// A policy with a network, a gateway (line 4), a client (line 9) and a service (line 12); what is added begins at line 13.
inline const std::string base =
    "version = 1\n"
    "[networks]\n"
    "home = [\"10.69.13.0/24\"]\n"
    "[nodes.gw]\n"
    "role = \"gateway\"\n"
    "address = \"10.69.50.2\"\n"
    "interface = \"wg0\"\n"
    "serves = [\"home\"]\n"
    "[nodes.laptop]\n"
    "address = \"10.69.50.11\"\n"
    "[services]\n"
    "web = \"10.69.13.80:443\"\n";

inline std::string tier(const std::string& who, const std::string& allow, const std::string& more = {}) {
    return "[tiers.t]\nwho = [" + who + "]\nallow = [" + allow + "]\n" + more;
}

}  // namespace policyc
