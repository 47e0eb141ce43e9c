// Keeps two runs of policyc from changing one policy.lock at once: each reads it, adds to it and writes it whole.
#pragma once

#include <memory>
#include <string>

#include "policy/result.h"

namespace policyc {

// Held while it lives; the kernel lets go of it when the process ends, however it ends.
class FolderLock {
public:
    explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int descriptor_;
};

// Takes the lock of the folder that holds `path`; no file is made for it. Waits for another policyc at most ten seconds. Where
// the folder can't be opened nothing is held, and writing into it will say why.
Result<std::unique_ptr<FolderLock>> lock_folder_of(const std::string& path);

}  // namespace policyc
