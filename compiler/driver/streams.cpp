// Keeps the numbers of the standard streams from being taken by files: guard_streams().
#include "compiler/driver/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace policyc {

void guard_streams() {
    for (int stream = 0; stream <= 2; ++stream) {
        if (fcntl(stream, F_GETFD) != -1) continue;
        // The wrong direction on purpose: reading stdin or writing to the others still fails, as it would when closed.
        const int opened = open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
        if (opened != stream && opened >= 0) close(opened);
    }
    std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace policyc
