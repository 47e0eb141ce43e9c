// Files in memory, for tests and fuzzers. Entry point: FakeFiles.
#include "policy/files.h"

#include <fnmatch.h>

namespace policyc {

Result<std::string> FakeFiles::read(const std::string& path, std::size_t limit) const {
    if (const auto failure = failures.find(path); failure != failures.end()) return Error{failure->second, {}};
    const auto file = files.find(path);
    if (file == files.end()) return Error{"cannot read " + path + ": does not exist", {}};
    if (file->second.size() > limit) {
        return Error{"cannot read " + path + ": is larger than " + std::to_string(limit) + " bytes", {}};
    }
    return file->second;
}

Result<std::vector<std::string>> FakeFiles::match(const std::string& directory, const std::string& pattern) const {
    if (const auto failure = failures.find(directory); failure != failures.end()) return Error{failure->second, {}};
    const std::string prefix = directory.empty() || directory.ends_with('/') ? directory : directory + "/";
    std::vector<std::string> paths;
    for (const auto& [path, text] : files) {
        if (!path.starts_with(prefix)) continue;
        const std::string name = path.substr(prefix.size());
        if (fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) paths.push_back(path);
    }
    return paths;
}

Result<void> FakeFiles::write(const std::string& path, const std::string& text, unsigned /*mode*/) {
    if (const auto failure = failures.find(path); failure != failures.end()) return Error{failure->second, {}};
    files[path] = text;
    return {};
}

}  // namespace policyc
