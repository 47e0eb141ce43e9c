// once: runs a program and says what it took. It is small, since the peak memory that the kernel reports of a process holds that of what began it.
// Entry point main().
//
//   once FD SECONDS BYTES COMMAND...
//
// The program is killed after SECONDS and gets at most BYTES of address space. The answer goes to the descriptor FD, "SECONDS PEAK_KIB STATUS", where
// STATUS is the exit status, or minus the signal.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

volatile sig_atomic_t child = 0;  // NOLINT: what the signal handler reads

void give_up(int /*signal*/) {
    kill(child, SIGKILL);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fputs("usage: once FD SECONDS BYTES COMMAND...\n", stderr);
        return 2;
    }
    const rlim_t bytes = std::strtoull(argv[3], nullptr, 10);
    const auto begin = std::chrono::steady_clock::now();
    const pid_t made = fork();
    if (made == 0) {
        close(std::atoi(argv[1]));
        const rlimit limit{bytes, bytes};
        setrlimit(RLIMIT_AS, &limit);
        execvp(argv[4], argv + 4);
        std::perror(argv[4]);
        _exit(127);
    }
    if (made < 0) return 2;
    child = made;
    struct sigaction action {};
    action.sa_handler = give_up;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    alarm(static_cast<unsigned>(std::atoi(argv[2])));
    int status = 0;
    rusage usage{};
    wait4(made, &status, 0, &usage);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    dprintf(std::atoi(argv[1]), "%.6f %ld %d\n", took.count(), usage.ru_maxrss,
            WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    return 0;
}
