// Files on the real file system; never waits for a FIFO and never replaces anything but a regular file. Entry point: Disk.
#include "backends/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

namespace policyc {
namespace {

// A file descriptor that is closed when it goes out of scope.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

// What errno says, in the words of the C library, which begin with a capital.
std::string reason(int error) {
    if (error == ENOENT) return std::string(no_such_file);
    if (error == EISDIR) return "is a directory";
    std::string text = std::generic_category().message(error);
    const bool capital = text.size() > 1 && std::isupper(static_cast<unsigned char>(text[0])) != 0 &&
                         std::islower(static_cast<unsigned char>(text[1])) != 0;
    if (capital) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

std::string help_for(int error) {
    switch (error) {
        case EACCES:
        case EPERM: return "run as a user who may, or change the owner or mode of the file";
        case ENOSPC:
        case EDQUOT: return "make room on that file system; the old file is as it was";
        case EROFS: return "name a path on a file system that can be written";
        default: return {};
    }
}

Error cannot_read(const std::string& path, const std::string& why, std::string help = {}) {
    return {"cannot read " + path + ": " + why, std::move(help)};
}

Error cannot_write(const std::string& path, const std::string& why, std::string help = {}) {
    return {"cannot write " + path + ": " + why, std::move(help)};
}

std::string size_text(std::size_t bytes) {
    constexpr std::size_t mebi = std::size_t{1} << 20U;
    if (bytes >= mebi && bytes % mebi == 0) return std::to_string(bytes / mebi) + " MiB";
    return std::to_string(bytes) + " bytes";
}

// The system's calls would see only what is before it.
bool has_nul(const std::string& path) {
    return path.find('\0') != std::string::npos;
}

std::string directory_of(const std::string& path) {
    const std::string directory = std::filesystem::path(path).parent_path().string();
    return directory.empty() ? "." : directory;
}

// Where a file that is not there was looked for, in case that is what is wrong.
std::string looked_in(const std::string& path) {
    std::error_code ignored;
    std::string folder = std::filesystem::absolute(directory_of(path), ignored).lexically_normal().string();
    if (folder.empty()) return {};
    if (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    if (!std::filesystem::is_directory(folder, ignored)) return "there is no directory " + folder;
    return path.starts_with('/') ? std::string() : "it was looked for in " + folder;
}

// A file beside the one that is to be replaced; removed unless it took its place.
class Aside {
public:
    explicit Aside(const std::string& target) {
        const std::filesystem::path path(target);
        name_ = (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
        fd_ = ::mkostemp(name_.data(), O_CLOEXEC);
    }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;
    ~Aside() {
        if (fd_ < 0) return;
        ::close(fd_);
        if (!placed_) ::unlink(name_.c_str());
    }

    [[nodiscard]] int get() const { return fd_; }
    bool place(const std::string& target) { return placed_ = ::rename(name_.c_str(), target.c_str()) == 0; }

private:
    std::string name_;
    int fd_ = -1;
    bool placed_ = false;
};

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Result<std::string> Disk::read(const std::string& path, std::size_t limit) const {
    if (has_nul(path)) return cannot_read(path.substr(0, path.find('\0')), "the name has a NUL byte in it");
    // Asked before opening, since to open some devices is to act on them; and after, since the path may have changed hands.
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        const int why = errno;
        return cannot_read(path, reason(why), why == ENOENT ? looked_in(path) : help_for(why));
    }
    const auto too_large = [&] {
        return cannot_read(path, "is larger than " + size_text(limit),
                           "no more is read: see whether it is the file that is meant");
    };
    const auto refusal = [&]() -> std::optional<Error> {
        if (S_ISDIR(status.st_mode)) return cannot_read(path, "is a directory", "name a file in it");
        if (!S_ISREG(status.st_mode))
            return cannot_read(path, "is not a regular file", "write what it would give to a file, and name that");
        if (status.st_size > 0 && static_cast<std::size_t>(status.st_size) > limit) return too_large();
        return {};
    };
    if (auto why = refusal()) return std::move(*why);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file || ::fstat(file.get(), &status) != 0) return cannot_read(path, reason(errno), help_for(errno));
    if (auto why = refusal()) return std::move(*why);

    std::string text;
    text.reserve(static_cast<std::size_t>(status.st_size));
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(path, reason(errno), help_for(errno));
        if (got == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
        if (text.size() > limit) return too_large();
    }
}

Result<std::vector<std::string>> Disk::match(const std::string& directory, const std::string& pattern) const {
    const std::string prefix = directory.empty() || directory.ends_with('/') ? directory : directory + "/";
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.empty() ? "." : directory.c_str()),
                                                     &::closedir);
    std::vector<std::string> paths;
    if (!stream) {
        if (errno == ENOENT) return paths;
        return cannot_read(directory, reason(errno), help_for(errno));
    }
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr && errno != 0) return cannot_read(directory, reason(errno), help_for(errno));
        if (entry == nullptr) break;
        const char* name = static_cast<const char*>(entry->d_name);
        if (::fnmatch(pattern.c_str(), name, FNM_PATHNAME | FNM_PERIOD) != 0) continue;
        paths.push_back(prefix + name);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

Result<void> Disk::write(const std::string& path, const std::string& text, unsigned mode) {
    if (has_nul(path)) return cannot_write(path.substr(0, path.find('\0')), "the name has a NUL byte in it");
    const auto failed = [&path] { return cannot_write(path, reason(errno), help_for(errno)); };
    // A symbolic link stays one: the file it leads to is replaced.
    std::error_code ignored;
    std::string target = path;
    if (std::filesystem::is_symlink(path, ignored)) target = std::filesystem::weakly_canonical(path, ignored).string();
    if (target.empty()) return cannot_write(path, "is a symbolic link that leads nowhere");

    struct stat old {};
    const bool replaces = ::stat(target.c_str(), &old) == 0;
    if (replaces && S_ISDIR(old.st_mode)) return cannot_write(path, "is a directory");
    if (replaces && !S_ISREG(old.st_mode)) return cannot_write(path, "is not a regular file");

    const std::string directory = directory_of(target);
    Aside aside(target);
    if (aside.get() < 0 && errno == ENOENT) {
        // /proc and the like have no room for new files, and say so in the same way.
        if (std::filesystem::is_directory(directory, ignored))
            return cannot_write(path, "no file can be made in " + directory, "name a path elsewhere");
        return cannot_write(path, "the directory " + directory + " does not exist", "create it, or name another path");
    }
    if (aside.get() < 0) return failed();
    const Descriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return failed();
    // Root writes for the one whose file it is; where that may not be, the new file is the writer's.
    if (replaces && ::fchown(aside.get(), old.st_uid, old.st_gid) != 0 && errno != EPERM) return failed();
    // Who could not read the old file can't read the new one.
    const auto kept = static_cast<mode_t>(replaces ? mode & old.st_mode : mode);
    if (::fchmod(aside.get(), kept) != 0 || !write_all(aside.get(), text) || ::fsync(aside.get()) != 0 ||
        !aside.place(target)) {
        return failed();
    }
    // Some file systems can't sync a directory, and say so.
    if (::fsync(folder.get()) != 0 && errno != EINVAL) return failed();
    return {};
}

}  // namespace policyc
