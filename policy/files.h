// Files behind an interface: the real ones (backends/disk.h) and ones in memory (FakeFiles, below) for tests and fuzzers.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace policyc {

// What read() says of a file that is not there.
inline constexpr std::string_view no_such_file = "does not exist";

class Files {
public:
    virtual ~Files() = default;

    // The whole of a regular file of at most `limit` bytes. Errors name the path and the reason: does not exist, is a
    // directory, is not a regular file, is larger than the limit.
    [[nodiscard]] virtual Result<std::string> read(const std::string& path, std::size_t limit) const = 0;

    // What is in `directory` (the current one when empty) and whose name matches `pattern` (fnmatch(3): `*`, `?`, `[...]`; a leading dot only
    // by a dot), sorted by name, as paths that begin with `directory`. A directory that does not exist has none. A directory, a dangling
    // link or a FIFO that matches is listed: read() then says what it is, where leaving it out would drop its tests in silence.
    [[nodiscard]] virtual Result<std::vector<std::string>> match(const std::string& directory,
                                                                 const std::string& pattern) const = 0;

    // Replaces the file by a new one with this text, atomically and durably (write aside, fsync, rename, fsync of the directory).
    // After an error the old file is as it was. `mode` is the new file's permission bits.
    virtual Result<void> write(const std::string& path, const std::string& text, unsigned mode) = 0;
};

// A map from path to text. `failures` makes a path fail with that message.
class FakeFiles : public Files {
public:
    std::map<std::string, std::string> files;
    std::map<std::string, std::string> failures;

    [[nodiscard]] Result<std::string> read(const std::string& path, std::size_t limit) const override;
    [[nodiscard]] Result<std::vector<std::string>> match(const std::string& directory,
                                                         const std::string& pattern) const override;
    Result<void> write(const std::string& path, const std::string& text, unsigned mode) override;
};

// Larger policy files than this are refused before they are read.
inline constexpr std::size_t max_policy_bytes = std::size_t{32} << 20U;

}  // namespace policyc
