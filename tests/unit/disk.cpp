#include "backends/disk.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

using namespace policyc;
namespace fs = std::filesystem;

namespace {

// A folder of its own that goes away with the test.
struct Folder {
    std::string path = (fs::temp_directory_path() / "policyc-disk-XXXXXX").string();

    Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~Folder() { fs::remove_all(path); }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path + "/" + name; }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> result;
        for (const auto& entry : fs::directory_iterator(path)) result.push_back(entry.path().filename().string());
        return result;
    }
};

void put(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

unsigned mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

}  // namespace

TEST_CASE("a regular file is read whole, up to the limit") {
    const Folder folder;
    put(folder / "a", std::string("x\0y", 3));
    CHECK(Disk().read(folder / "a", 3).value() == std::string("x\0y", 3));
    CHECK(Disk().read(folder / "a", 2).error().message == "cannot read " + (folder / "a") + ": is larger than 2 bytes");
    put(folder / "empty", "");
    CHECK(Disk().read(folder / "empty", 0).value().empty());
    put(folder / "big", std::string((1U << 20U) + 1, 'x'));
    CHECK(Disk().read(folder / "big", 1U << 20U).error().message ==
          "cannot read " + (folder / "big") + ": is larger than 1 MiB");
    const std::string help = "no more is read: see whether it is the file that is meant";
    CHECK(Disk().read(folder / "big", 1U << 20U).error().help == help);
    // Says it is empty and is not.
    CHECK_FALSE(Disk().read("/proc/self/status", 1U << 20U).value().empty());
    CHECK(Disk().read("/proc/self/status", 10).error().help == help);
}

TEST_CASE("what is no file to read is named, and never waited for") {
    const Folder folder;
    CHECK(Disk().read(folder / "none", 9).error().message == "cannot read " + (folder / "none") + ": does not exist");
    CHECK(Disk().read(folder.path, 9).error().message == "cannot read " + folder.path + ": is a directory");
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(Disk().read(folder / "fifo", 9).error().message ==
          "cannot read " + (folder / "fifo") + ": is not a regular file");
    CHECK(Disk().read(folder / "fifo", 9).error().help == "write what it would give to a file, and name that");
    CHECK(Disk().read("/dev/zero", 9).error().message == "cannot read /dev/zero: is not a regular file");
    put(folder / "a", "x");
    CHECK(Disk().read(folder / "a/b", 9).error().message == "cannot read " + (folder / "a/b") + ": not a directory");
    CHECK(Disk().read(folder / std::string("a\0b", 3), 9).error().message ==
          "cannot read " + (folder / "a") + ": the name has a NUL byte in it");
    if (::geteuid() != 0) {
        put(folder / "secret", "x");
        fs::permissions(folder / "secret", fs::perms::none);
        CHECK(Disk().read(folder / "secret", 9).error().message ==
              "cannot read " + (folder / "secret") + ": permission denied");
    }
}

TEST_CASE("a pattern matches names of one directory, sorted") {
    const Folder folder;
    for (const char* name : {"b.toml", "a.toml", ".#a.toml", "c.txt"}) put(folder / name, "x");
    fs::create_directory(folder / "d.toml");
    put(folder / "d.toml/e.toml", "x");
    CHECK(Disk().match(folder.path, "*.toml").value() ==
          std::vector<std::string>{folder / "a.toml", folder / "b.toml", folder / "d.toml"});
    CHECK(Disk().match(folder.path, "[bc].*").value() == std::vector<std::string>{folder / "b.toml", folder / "c.txt"});
    CHECK(Disk().match(folder.path + "/", "a*").value() == std::vector<std::string>{folder / "a.toml"});
    CHECK(Disk().match(folder.path, "none").value().empty());
    CHECK(Disk().match(folder / "none", "*").value().empty());
    CHECK_FALSE(Disk().match(folder / "c.txt", "*").ok());
    // A link that leads nowhere is not passed over: its tests would be lost in silence.
    fs::create_symlink("gone", folder / "z.toml");
    CHECK(Disk().match(folder.path, "z*").value() == std::vector<std::string>{folder / "z.toml"});
}

TEST_CASE("a file is replaced whole, with the mode that was asked for, and nothing is left beside it") {
    const Folder folder;
    Disk disk;
    REQUIRE(disk.write(folder / "a", "one", 0644).ok());
    CHECK(disk.read(folder / "a", 9).value() == "one");
    CHECK(mode_of(folder / "a") == 0644);
    REQUIRE(disk.write(folder / "a", "two", 0600).ok());
    CHECK(disk.read(folder / "a", 9).value() == "two");
    CHECK(mode_of(folder / "a") == 0600);
    REQUIRE(disk.write(folder / "a", "three", 0644).ok());
    CHECK(mode_of(folder / "a") == 0600);  // who could not read it can't now
    CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("a reader of the old file keeps it") {
    const Folder folder;
    Disk disk;
    REQUIRE(disk.write(folder / "a", "old", 0644).ok());
    std::ifstream reader(folder / "a");
    REQUIRE(disk.write(folder / "a", "new", 0644).ok());
    std::string text;
    reader >> text;
    CHECK(text == "old");
}

TEST_CASE("a link stays a link") {
    const Folder folder;
    Disk disk;
    put(folder / "real", "old");
    fs::create_symlink("real", folder / "link");
    REQUIRE(disk.write(folder / "link", "new", 0644).ok());
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(disk.read(folder / "real", 9).value() == "new");
}

TEST_CASE("a disk that is full half-way leaves the old file and nothing else") {
    const Folder folder;
    Disk disk;
    REQUIRE(disk.write(folder / "a", "old", 0644).ok());
    // The limit on the size of a file ends a write where a full disk would.
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit small{4096, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const Result<void> written = disk.write(folder / "a", std::string(10'000, 'x'), 0644);
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(written.error().message == "cannot write " + (folder / "a") + ": file too large");
    CHECK(disk.read(folder / "a", 9).value() == "old");
    CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("what can't be written is named and left as it was") {
    const Folder folder;
    Disk disk;
    const auto message = [&disk](const std::string& path) { return disk.write(path, "x", 0644).error().message; };
    CHECK(message(folder.path) == "cannot write " + folder.path + ": is a directory");
    CHECK(message(folder / "none/a") ==
          "cannot write " + (folder / "none/a") + ": the directory " + (folder / "none") + " does not exist");
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(message(folder / "fifo") == "cannot write " + (folder / "fifo") + ": is not a regular file");
    CHECK(message("/dev/null") == "cannot write /dev/null: is not a regular file");
    CHECK(fs::is_character_file("/dev/null"));
    if (::geteuid() != 0) {
        put(folder / "a", "old");
        fs::permissions(folder.path, fs::perms::owner_read | fs::perms::owner_exec);
        CHECK(message(folder / "a") == "cannot write " + (folder / "a") + ": permission denied");
        fs::permissions(folder.path, fs::perms::owner_all);
        CHECK(disk.read(folder / "a", 9).value() == "old");
    }
}

TEST_CASE("a file that is not there is told where it was looked for, and a directory is no file") {
    const Folder folder;
    const std::string here = fs::current_path().string();
    CHECK(Disk().read("none-of-that-name", 9).error().help == "it was looked for in " + here);
    CHECK(Disk().read("./none-of-that-name", 9).error().help == "it was looked for in " + here);
    CHECK(Disk().read(folder / "none", 9).error().help.empty());
    CHECK(Disk().read(folder / "no/none", 9).error().help == "there is no directory " + (folder / "no"));
    CHECK(Disk().read(folder.path, 9).error().help == "name a file in it");
}

TEST_CASE("a directory that takes no files is not called missing") {
    const Result<void> done = Disk().write("/proc/x.lock", "text", 0600);
    REQUIRE_FALSE(done);
    CHECK(done.error().message == "cannot write /proc/x.lock: no file can be made in /proc");
    CHECK(done.error().help == "name a path elsewhere");
}
