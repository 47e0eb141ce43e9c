"""Network namespaces for tests: made, used from inside this process, and gone afterwards, also when it dies."""

import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
NETLINK_NETFILTER = 12
NLM_F_REQUEST = 1
NFT_MSG_GETGEN = 10 << 8 | 16
NFTA_GEN_ID = 1
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def enter(path):
    with open(path) as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


def needs(*programs):
    """What keeps these tests from running here, or ""."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [p for p in programs if not any(os.access(os.path.join(d, p), os.X_OK) for d in path.split(":"))]
    return f"needs {', '.join(missing)}" if missing else ""


class Spaces:
    """A set of namespaces named after this process. Each has an `init` whose death takes all of its processes along."""

    def __init__(self):
        self.prefix = f"policyc{os.getpid()}-"
        self.names = []
        self.processes = []
        sweep()
        # A terminated test cleans up as one that ends.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def add(self, *names):
        self.names += names
        batch = "".join(f"netns add {self.prefix}{name}\n" for name in names)
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)

    def path(self, name):
        return f"/run/netns/{self.prefix}{name}"

    def ip(self, name, *lines):
        done = subprocess.run(
            ["ip", "-n", self.prefix + name, "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"ip in {name}: {done.stderr.strip()}\n" + "\n".join(lines))

    def sysctl(self, name, **settings):
        with self.inside(name):
            for key, value in settings.items():
                with open("/proc/sys/net/" + key.replace("__", "/"), "w") as file:
                    file.write(str(value))

    def link(self, one, one_interface, other, other_interface):
        """A cable between two namespaces."""
        self.ip(one, f"link add {one_interface} type veth peer name {other_interface} netns {self.prefix}{other}")

    @contextmanager
    def inside(self, name):
        """What is opened in this block belongs to that namespace for good."""
        home = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        with open(home) as back:
            enter(self.path(name))
            try:
                yield
            finally:
                if libc.setns(back.fileno(), CLONE_NEWNET) != 0:
                    os.abort()

    def socket(self, name, family=socket.AF_INET, kind=socket.SOCK_STREAM, timeout=1.0):
        with self.inside(name):
            made = socket.socket(family, kind)
        made.settimeout(timeout)
        return made

    def run(self, name, *command, check=False, **more):
        more = {"capture_output": True, "text": True, "timeout": 60} | more
        done = subprocess.run(["nsenter", f"--net={self.path(name)}", *command], **more)
        if check and done.returncode != 0:
            raise RuntimeError(f"in {name}: {' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, name, *command, **more):
        """A process in that namespace; all of its descendants die with it."""
        # unshare complains when its child is killed, which is how it ends.
        more = {"stderr": subprocess.DEVNULL} | more
        words = ["nsenter", f"--net={self.path(name)}", "unshare", "--mount", "--pid", "--fork", "--kill-child", *command]
        process = subprocess.Popen(words, preexec_fn=die_with_parent, start_new_session=True, **more)
        self.processes.append(process)
        return process

    def generation(self, name):
        """The generation id of nf_tables there: every transaction changes it."""
        with self.inside(name):
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        with netlink:
            netlink.send(struct.pack("=IHHIIBBH", 20, NFT_MSG_GETGEN, NLM_F_REQUEST, 1, 0, 0, 0, 0))
            answer = netlink.recv(4096)
        length, kind = struct.unpack_from("=HH", answer, 20)
        if kind != NFTA_GEN_ID or length != 8:
            raise RuntimeError(f"not a generation: {answer!r}")
        return struct.unpack_from(">I", answer, 24)[0]

    def stop(self, process):
        """Ends what start() began. Its init is killed, not its keeper, which reaps it and then ends by itself."""
        kill_children(process.pid)
        process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()
        self.processes.remove(process)

    def close(self):
        for process in self.processes:
            kill_children(process.pid)
        for process in list(self.processes):
            self.stop(process)
        batch = "".join(f"netns delete {self.prefix}{name}\n" for name in self.names)
        subprocess.run(["ip", "-force", "-batch", "-"], input=batch, text=True, capture_output=True)
        self.names = []


def kill_children(pid):
    for _ in range(200):
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                children = [int(child) for child in file.read().split()]
        except OSError:
            return
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        if children or state == "Z":
            return
        time.sleep(0.01)  # it has not forked yet


def sweep():
    """Removes the namespaces of test processes that are no more."""
    listed = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for name in listed:
        match = re.fullmatch(r"policyc(\d+)-.*", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
