"""A network namespace with name servers in it, and policies that ask them."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SERVER, SERVER6, DEAD = "10.69.13.5", "fd69:13::5", "10.69.13.6"


class World:
    """One namespace with the addresses of the servers on its loopback. Ends what it started."""

    def __init__(self):
        self.name = f"policyc-dns-{os.getpid()}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="policyc-dns-"))
        self.etc = pathlib.Path("/etc/netns") / self.name
        self.running = []

    def __enter__(self):
        try:
            self.etc.mkdir(parents=True)  # `ip netns exec` puts these files over /etc
            (self.etc / "hosts").write_text("127.0.0.1 localhost\n10.69.13.70 local.home.example local\n")
            (self.etc / "resolv.conf").write_text(f"search home.example\nnameserver {SERVER}\n")
            self.call("ip", "netns", "add", self.name)
            for command in ("link set lo up", f"addr add {SERVER}/32 dev lo", f"addr add {SERVER6}/128 dev lo nodad",
                            f"addr add {DEAD}/32 dev lo"):
                self.call("ip", "-n", self.name, *command.split())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in list(self.running):
            self.stop(process)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)
        shutil.rmtree(self.etc, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def call(*command):
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def inside(self, *command):
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    # ---- servers

    def start(self, *command):
        log = open(self.folder / "server.log", "ab")
        process = subprocess.Popen(self.inside(*command), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.running.append(process)
        return process

    def stop(self, process):
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def wait_for(self, process, address, port=53):
        """Waits until the server takes TCP connections."""
        probe = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()"
        end = time.monotonic() + 15
        while subprocess.run(self.inside(sys.executable, "-c", probe, address, port), capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the server did not start: " + (self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.05)
        return process

    def responder(self, *how):
        process = self.start(sys.executable, "-B", HERE / "responder.py", SERVER, *how)
        end = time.monotonic() + 15
        while "ready\n" not in (self.folder / "server.log").read_text():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the server did not start: " + (self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.05)
        return process

    def mute(self, address):
        """A server that takes queries and never says a word."""
        code = ("import socket, sys, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 53)); "
                "t = socket.create_server((sys.argv[1], 53)); time.sleep(600)")
        return self.wait_for(self.start(sys.executable, "-c", code, address), address)

    def dnsmasq(self, records, hosts="", port=53, local=True):
        """`records`: lines of its configuration; `hosts`: what it reads as a hosts file; `local`: it knows all of example there is."""
        (self.folder / "hosts").write_text(hosts)
        (self.folder / "dnsmasq.conf").write_text("\n".join([
            f"port={port}", "keep-in-foreground", "no-resolv", "no-hosts", "bind-interfaces", f"listen-address={SERVER},{SERVER6}", "user=root",
            f"addn-hosts={self.folder}/hosts", *(["local=/example/"] if local else []), "domain-needed", "local-ttl=300", "pid-file=", f"log-facility={self.folder}/server.log", *records]) + "\n")
        process = self.start("dnsmasq", f"--conf-file={self.folder}/dnsmasq.conf")
        return self.wait_for(process, SERVER, port)

    def unbound(self, data):
        (self.folder / "unbound.conf").write_text("\n".join([
            "server:", f" interface: {SERVER}", f' directory: "{self.folder}"', ' chroot: ""', ' username: ""', ' pidfile: ""', ' logfile: ""',
            " use-syslog: no", " do-daemonize: no", " access-control: 0.0.0.0/0 allow", ' local-zone: "example." static', " module-config: iterator",
            *[f' local-data: "{line}"' for line in data], "remote-control:", " control-enable: no"]) + "\n")
        return self.wait_for(self.start("unbound", "-d", "-c", self.folder / "unbound.conf"), SERVER)

    # ---- policies

    def policy(self, names, servers=(SERVER,), dual=False):
        """A policy with a service for each name; the lock beside it starts empty."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        resolve = f"servers = [{', '.join(repr(server) for server in servers)}]\n" if servers else ""
        six = lambda host: f', "fd69:50::{host}"' if dual else ""
        services = "".join(f's{i} = "{name}:{1000 + i % 60000}"\n' for i, name in enumerate(names))
        (folder / "policy.toml").write_text(
            f'version = 1\nipv6 = "{"dual" if dual else "deny"}"\n[networks]\nhome = ["10.69.13.0/24", "fd69:13::/64"]\n[nodes.gw]\nrole = "gateway"\n'
            f'address = ["10.69.50.2"{six("2")}]\ninterface = "wg0"\nserves = ["home"]\n[nodes.laptop]\naddress = ["10.69.50.11"{six("11")}]\n'
            f'[tiers.vpn]\nwho = ["laptop"]\nallow = ["s0"]\n[resolve]\nwithin = ["home"]\n{resolve}[services]\n{services}')
        return Policy(self, folder)


class Policy:
    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        self.lock_path = folder / "policy.lock"

    def lock(self):
        return self.lock_path.read_text() if self.lock_path.exists() else ""

    def lock_all(self, names, address):
        """As if each of the names had been resolved a long time ago."""
        self.lock_path.write_text("version = 1\n" + "".join(
            f'\n[names."{name}"]\naddresses = ["{address}"]\nttl = 300\nresolved = "2020-01-01T00:00:00Z"\n' for name in names))

    def entries(self):
        """name -> (addresses, cnames, ttl) of the lock, read by the standard library."""
        import tomllib
        names = tomllib.loads(self.lock()).get("names", {}) if self.lock() else {}
        return {name: (entry["addresses"], entry.get("cnames", []), entry["ttl"]) for name, entry in names.items()}

    def resolve(self, timeout=120):
        """Runs `policyc resolve`: exit status, diagnostics by code as a list of (code, name, whole text), seconds."""
        binary = pathlib.Path(os.environ["POLICYC_BUILD"]) / "policyc"
        begin = time.monotonic()
        run = subprocess.run(self.world.inside(binary, "--color", "never", "resolve", self.folder / "policy.toml"), capture_output=True,
                             text=True, timeout=timeout, check=False, cwd=self.folder)
        return Outcome(run, time.monotonic() - begin)


class Outcome:
    def __init__(self, run, seconds):
        self.status, self.out, self.err, self.seconds = run.returncode, run.stdout, run.stderr, seconds
        self.messages = {}
        for block in self.err.split("\n\n"):
            head = block.split("\n", 1)[0]
            if (head.startswith("error[") or head.startswith("warning[")) and "`" in head:
                self.messages[head.split("`")[1]] = (head[head.index("[") + 1:head.index("]")], block)

    def code(self, name):
        return self.messages.get(name, ("", ""))[0]

    def text(self, name):
        return self.messages.get(name, ("", ""))[1]


def missing():
    """Why these tests can't run here, or nothing."""
    if os.geteuid() != 0:
        return "needs root for network namespaces with an /etc of their own"
    for program in ("ip", "dnsmasq"):
        if not shutil.which(program):
            return f"needs {program}"
    return ""
