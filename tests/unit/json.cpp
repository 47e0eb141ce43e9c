// JSON of a Ruleset; what nft makes of it is compared in tests/kernel/test_backends.py.
#include "backends/json.h"

#include <doctest/doctest.h>

#include "../kernel/tools/samples.h"

using namespace policyc;
using namespace policyc::ir;

TEST_CASE("JSON of nothing only takes the table away") {
    CHECK(to_json({}) ==
          "{\"nftables\":[\n"
          "{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"policyc\"}}},\n"
          "{\"delete\":{\"table\":{\"family\":\"inet\",\"name\":\"policyc\"}}}\n"
          "]}\n");
}

TEST_CASE("JSON of a small ruleset") {
    Ruleset small = samples::small();
    CHECK(to_json(small) ==
          R"({"nftables":[
{"add":{"table":{"family":"inet","name":"policyc"}}},
{"delete":{"table":{"family":"inet","name":"policyc"}}},
{"add":{"table":{"family":"inet","name":"policyc"}}},
{"add":{"set":{"family":"inet","table":"policyc","name":"allow_tcp4","type":["ipv4_addr","ipv4_addr","inet_service"],"size":2,"elem":[
{"concat":["10.69.50.11","10.69.13.20",8096]},
{"concat":["10.69.50.11","10.69.13.30",3000]}
]}}},
{"add":{"chain":{"family":"inet","table":"policyc","name":"forward","type":"filter","hook":"forward","prio":-10,"policy":"drop"}}},
{"add":{"rule":{"family":"inet","table":"policyc","chain":"forward","expr":[{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}},{"match":{"op":"==","left":{"concat":[{"ct":{"key":"ip saddr","dir":"original"}},{"ct":{"key":"ip daddr","dir":"original"}},{"ct":{"key":"proto-dst","dir":"original"}}]},"right":"@allow_tcp4"}},{"accept":null}]}}}
]}
)");
}
