"""Beside others who write into the same kernel at the worst moments: nothing of theirs is lost, nothing of ours is lost or half done,
and what was revoked stays revoked."""

import own_network

own_network.enter()

import re
import subprocess
import threading
import time

from gateway import policyc
from harness import POLICY, POLICYC, case, expect, expect_equal, expect_exit, main, write_policy
from own_network import clear, nft

LOAD = POLICYC.parent / "kernel_load"  # tests/kernel/tools/load.cpp
BOTH = POLICY.replace("monitoring01.home.example:3000", "10.69.13.30:3000")
WITHOUT_LAPTOP = BOTH.replace('who   = ["laptop", "phone"]', 'who   = ["phone"]')
LAPTOP = "10.69.50.11 . "


def begin():
    clear()
    nft("add table inet byhand; add set inet byhand seen { type ipv4_addr; }")


def seen():
    return nft("list", "set", "inet", "byhand", "seen").count("192.0.")


class Writer:
    """A second process that writes what it is told, at once."""

    def __init__(self):
        self.process = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def write(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def errors(self):
        return self.process.communicate(timeout=30)[1]


@case
def a_transaction_that_is_overtaken_every_time_is_neither_lost_nor_half_done(_):
    """A second process writes between each snapshot and its commit, half of the time into our table."""
    begin()
    steps = 4000
    writer = Writer()
    load = subprocess.Popen([LOAD, "race", str(steps)], stdout=writer.process.stdin, stderr=subprocess.PIPE, text=True)
    words = load.communicate(timeout=120)[1]
    expect_equal("", writer.errors(), "the other writer's errors")
    expect_equal(
        f"{steps} updates, overtaken {steps} times: {steps // 2} sent again at once, {steps // 2} planned again\n", words, "what was seen"
    )
    expect_equal(steps // 2, seen(), "elements of the other writer")
    print("        " + words, end="")


@case
def applies_beside_a_writer_end_well_and_a_revocation_stays(folder):
    """One writes into a table of its own all the time, now and then into ours, and right after each transaction of ours into ours again."""
    begin()
    # What verify wants to see beside the table.
    subprocess.run("ip link add wg0 type veth peer name other && ip link set wg0 up && sysctl -qw net.ipv4.ip_forward=1", shell=True, check=True)
    write_policy(folder, BOTH, "both.toml")
    write_policy(folder, WITHOUT_LAPTOP, "without.toml")
    expect_exit(0, policyc(folder, "apply", "both.toml", "--offline"))

    writer = Writer()
    stop = threading.Event()
    written = 0

    def write_all_the_time():
        nonlocal written
        while not stop.wait(0.008):
            writer.write(f"add element inet byhand seen {{ 192.0.{written >> 8}.{written & 255} }}")
            written += 1
            if written % 100 == 0:
                writer.write("insert rule inet policyc denied ip saddr 192.0.2.1 counter accept")

    # Where the elements of the laptop come or go, the transaction is done and not read back yet.
    monitor = subprocess.Popen(["nft", "monitor"], stdout=subprocess.PIPE, text=True, bufsize=1)

    def write_after_ours():
        last = 0.0
        for line in monitor.stdout:
            if "inet policyc allow_tcp4" in line and LAPTOP in line and time.monotonic() - last > 0.05:
                last = time.monotonic()
                writer.write("add element inet policyc tunnel4 { 192.0.2.1 }")

    threads = [threading.Thread(target=work) for work in (write_all_the_time, write_after_ours)]
    for thread in threads:
        thread.start()
    applies = overtaken = put_right = 0
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for name in ("without.toml", "both.toml"):
                done = policyc(folder, "apply", name, "--offline", env={"POLICYC_TIMINGS": "1"})
                held = nft("list", "set", "inet", "policyc", "allow_tcp4")
                expect(done.returncode == 0 and f"{name} applied" in done.stdout, done, name)
                expect((LAPTOP in held) == (name == "both.toml"), done, f"after {name}: {held}")
                applies += 1
                overtaken += done.stderr.count("timing: send") > 1
                put_right += "another program changed table inet policyc meanwhile, and that was put right" in done.stderr
    finally:
        stop.set()
        threads[0].join()
        monitor.terminate()
        monitor.wait()
        threads[1].join()
        errors = writer.errors()
    expect_equal("", errors, "the other writer's errors")
    expect_equal(written, seen(), "elements of the other writer")
    print(f"        {applies} applies beside {written} writes: {overtaken} were overtaken, {put_right} put right what came after them")
    expect(applies > 20 and overtaken > 0 and put_right > 0, "nobody was in the way: this tested nothing")
    expect_exit(0, policyc(folder, "apply", "without.toml", "--offline"))
    verified = policyc(folder, "verify", "without.toml")
    expect_exit(0, verified)
    expect(re.search(r"192\.0\.2\.1\b", nft("list", "table", "inet", "policyc")) is None, verified, "something of the writer is left")


main()
