// Files on the real file system.
#pragma once

#include "policy/files.h"

namespace policyc {

class Disk : public Files {
public:
    [[nodiscard]] Result<std::string> read(const std::string& path, std::size_t limit) const override;
    [[nodiscard]] Result<std::vector<std::string>> match(const std::string& directory,
                                                         const std::string& pattern) const override;
    Result<void> write(const std::string& path, const std::string& text, unsigned mode) override;
};

}  // namespace policyc
