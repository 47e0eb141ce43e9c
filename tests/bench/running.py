"""Runs programs and says what they took: whole processes, wall time and peak memory, medians of several."""
import os
import re
import signal
import statistics
import subprocess
from dataclasses import dataclass, field

LIMIT = 90  # seconds; what takes longer is given up
MEMORY = 6 << 30


@dataclass
class Run:
    seconds: float
    peak: float  # MiB
    phases: dict  # NAME: seconds, of the lines `timing: NAME SECONDS` on stderr
    memory: dict = field(default_factory=dict)  # NAME: MiB, of the lines `memory: NAME KIB`


@dataclass
class Cell:
    """What was measured of one thing; `why` is the reason where nothing could be."""

    runs: list = field(default_factory=list)
    why: str = ""

    @property
    def seconds(self):
        return statistics.median(run.seconds for run in self.runs) if self.runs else None

    @property
    def peak(self):
        return statistics.median(run.peak for run in self.runs) if self.runs else None

    def phase(self, name):
        """The same of one phase; empty where the program does not say."""
        return self.part(lambda run: Run(run.phases[name], run.peak, {}) if name in run.phases else None)

    def memory(self, name):
        """The same, its peak being what the program says of that name."""
        return self.part(lambda run: Run(run.seconds, run.memory[name], {}) if name in run.memory else None)

    def part(self, part_of):
        found = [part for part in map(part_of, self.runs) if part]
        return Cell(found, self.why or ("" if found else "n/a"))


class Failed(Exception):
    """It did not do what it was asked for; str() says why in a few words."""


class Runner:
    def __init__(self, build):
        self.once = os.path.join(build, "once")

    def run(self, *command, output=os.devnull, fine=(0,)):
        """`fine`: the exit codes of one that did what it was asked for."""
        there, here = os.pipe()
        environment = os.environ | {"POLICYC_TIMINGS": "1"}
        with open(output, "wb") as out, open(there, encoding="ascii") as answer:
            words = [self.once, str(here), str(LIMIT), str(MEMORY), *command]
            process = subprocess.Popen(words, stdout=out, stderr=subprocess.PIPE, env=environment, pass_fds=(here,))
            os.close(here)
            errors = process.communicate()[1].decode(errors="replace")
            seconds, peak, status = answer.read().split()
        if int(status) == -signal.SIGKILL and float(seconds) >= LIMIT:
            raise Failed(f"> {LIMIT} s")
        if int(status) not in fine:
            raise Failed(f"failed\n{' '.join(command)}: exit {status}\n{errors[:2000]}")
        phases = {match[1]: float(match[2]) for match in re.finditer(r"(?m)^timing: (\S+) ([\d.]+)$", errors)}
        # Between what is encoded and what is sent, apply reads it again and proves it.
        if "program" in phases:
            phases["program"] -= phases.get("unpack", 0) + phases.get("prove", 0)
        memory = {match[1]: int(match[2]) / 1024 for match in re.finditer(r"(?m)^memory: (\S+) (\d+)$", errors)}
        return Run(float(seconds), int(peak) / 1024, phases, memory)

    def measure(self, cells, name, prepare, command):
        """One more run of it, unless it has failed before. `prepare` is not measured."""
        cell = cells.setdefault(name, Cell())
        if cell.why:
            return
        try:
            prepare()
            cell.runs.append(self.run(*command))
        except Failed as failed:
            cell.why, cell.runs = str(failed).splitlines()[0], []
