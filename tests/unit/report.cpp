// Report: what becomes of an exception that nobody foresaw.
#include "compiler/driver/report.h"

#include <doctest/doctest.h>

#include <new>
#include <stdexcept>

using namespace policyc;

TEST_CASE("an exception that nothing caught is an internal error, and says what was changed before it") {
    Report report;
    const Error error = unforeseen(std::out_of_range("no such place"), report);
    CHECK(error.message == "internal error: no such place");
    CHECK(error.help.find("please report it") != std::string::npos);
    CHECK(unforeseen(std::bad_alloc(), report).message == "there is not enough memory");
    report.done = "the new ruleset is in force";
    CHECK(unforeseen(std::out_of_range("no such place"), report).message ==
          "internal error: no such place; the new ruleset is in force");
}
