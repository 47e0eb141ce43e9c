// A lock on a folder by flock(2): lock_folder_of().
#include "compiler/driver/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "compiler/driver/pipeline.h"

namespace policyc {

FolderLock::~FolderLock() {
    if (descriptor_ >= 0) close(descriptor_);
}

Result<std::unique_ptr<FolderLock>> lock_folder_of(const std::string& path) {
    constexpr std::chrono::seconds patience{10};
    const std::string folder = folder_of(path);
    const int descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto lock = std::make_unique<FolderLock>(descriptor);
    if (descriptor < 0) return lock;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        // A file system without such locks has none to wait for.
        if (errno != EWOULDBLOCK && errno != EINTR) break;
        if (std::chrono::steady_clock::now() >= end)
            return Error{fmt::format("another program holds the lock of the folder of {}", path),
                         "wait until it is done, or look at what it waits for; nothing was written"};
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return lock;
}

}  // namespace policyc
