// What a verb has to say, collected while it runs and printed when it is done: data for stdout, words for stderr.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/verbs.h"
#include "policy/diagnostic.h"
#include "policy/result.h"
#include "policy/span.h"

namespace policyc {

class Report {
public:
    Sources sources;
    Diagnostics diagnostics;
    // For stdout, unless --format json.
    std::string data;
    // For stdout with --format json; `version` and `diagnostics` are added when printing.
    nlohmann::ordered_json record = nlohmann::ordered_json::object();
    // Whether the record will be printed: what is large and costs time is left out of one that won't be.
    bool wants_record = true;
    // What the user should know, a line each.
    std::vector<std::string> notes;
    // What was changed for good ("the new ruleset is in force"), to be said even where stdout can't be written.
    std::string done;
    std::optional<Error> error;
    // The policy file, for the last line.
    std::string subject;
    // Whether say_now() may: not with --format json.
    bool talk = true;

    // Notes the trouble and returns its exit status, 2.
    int fail(Error trouble);
    // The exit status of a run that ends because of the errors in `diagnostics`: 2 where a file could not be read, or where all is
    // about the command line, else 1.
    [[nodiscard]] int stopped() const;
    // Writes a line to stderr at once, for what takes time.
    void say_now(const std::string& line) const;
    // Likewise, but on a terminal only.
    void progress(const std::string& line) const;
};

enum class Stream { out = 1, err = 2 };

// Whether to colour that stream: --color, NO_COLOR, TERM=dumb and a terminal decide.
bool wants_color(Stream stream, const std::string& color);

// Writes all of it. False, with errno set, when that failed.
bool write_all(Stream stream, std::string_view text);

// Prints data and words. Returns `status`, or 2 where stdout could not be written.
int print(Report& report, const Options& options, int status);

// "error: cannot ...", the line of the policy it is about (""  where there is none) and its help.
std::string trouble_text(const Error& error, bool color, const std::string& place = {});

// The trouble that an exception is which nothing caught, with what was changed before it.
Error unforeseen(const std::exception& exception, const Report& report);

// "2 errors", "1 error"
std::string count_of(std::size_t number, const std::string& word);

}  // namespace policyc
