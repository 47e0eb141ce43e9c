"""Starts a test script again in a network and mount namespace of its own, where it may do what it likes.

All is gone when it ends."""

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"

MARK = "POLICYC_OWN_NETWORK"


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(77)


def enter():
    if os.environ.get(MARK) == str(os.getppid()) or os.environ.get(MARK) == str(os.getpid()):
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if not shutil.which("nft") or not shutil.which("ip"):
        skip("needs nft and ip")
    command = ["unshare", "-nm"] if os.geteuid() == 0 else ["unshare", "-rnm"]
    probe = subprocess.run([*command, "nft", "list", "tables"], capture_output=True, text=True)
    if probe.returncode != 0:
        skip(f"no network namespaces with nf_tables here: {probe.stderr.strip()}")
    os.environ[MARK] = str(os.getpid())  # unshare becomes the script without a fork
    os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])


def nft(*arguments, check=True, **more):
    return subprocess.run(["nft", *arguments], check=check, capture_output=True, text=True, **more).stdout


def no_counts(text):
    return re.sub(r"packets \d+ bytes \d+", "packets N bytes N", text)


def ruleset():
    """All that is loaded, as text, without the numbers of counters."""
    return no_counts(nft("list", "ruleset"))


def table():
    done = subprocess.run(["nft", "list", "table", "inet", "policyc"], capture_output=True, text=True)
    return no_counts(done.stdout) if done.returncode == 0 else None


def generation():
    """The number that the kernel counts up with each transaction: NFT_MSG_GETGEN of linux/netfilter/nf_tables.h."""
    nfnl_subsys_nftables, nft_msg_getgen, nlm_f_request, nfta_gen_id = 10, 16, 1, 1
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.send(struct.pack("=IHHII4x", 20, nfnl_subsys_nftables << 8 | nft_msg_getgen, nlm_f_request, 1, 0))
        reply = netlink.recv(4096)
    at = 20
    while at < len(reply):
        length, kind = struct.unpack_from("=HH", reply, at)
        if kind & 0x3FFF == nfta_gen_id:
            return struct.unpack_from(">I", reply, at + 4)[0]
        at += (length + 3) & ~3
    raise RuntimeError("no generation in the reply")


def clear():
    nft("flush", "ruleset")  # of this namespace, which is ours alone
