// The three standard streams as a program needs them before it opens anything.
#pragma once

namespace policyc {

// Makes a closed stdin, stdout or stderr into one that fails, so that no file that is opened later takes its number and
// is written into; and a closed pipe an error of write(2) instead of a signal.
void guard_streams();

}  // namespace policyc
