"""The lab: the network of the home lab plan, in namespaces, with real tunnels, a real DNS server, a real sshd and
real listeners.

    internet --- laptop   wg0    10.69.50.11   uplink 198.51.100.11
             --- phone    wg0    10.69.50.12   uplink 203.0.113.12
             --- vps      wg1    10.69.50.1    clients; all that comes from them goes on to extgw01
                          wg2                  the tunnel to extgw01
                          wg0    10.69.222.1   the other tunnel, to http-proxy
             --- house    10.69.13.1, router and switch of 10.69.13.0/24, behind NAT
                   |-- extgw01     wg-ext 10.69.50.2, eth0 10.69.13.2, sshd
                   |-- http-proxy  wg0 10.69.222.2, eth0 10.69.13.3
                   `-- every other address of the network: the five service hosts, the resolver 10.69.13.5, and the rest

`house` answers for all other addresses of its network, and each has listeners on PORTS: what can't be reached was
refused, it is not missing.

    with Lab() as lab:
        lab.policyc("extgw01", "apply", lab.policy)
        lab.connect("laptop", "10.69.13.30", 3000)"""

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

from backend import with_backend
from spaces import Spaces, needs

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("POLICYC_SOURCE", os.path.dirname(os.path.dirname(HERE)))

DOMAIN = "home.2rjus.net"
RESOLVER = "10.69.13.5"
HOSTS = {
    "monitoring01": "10.69.13.30",
    "jelly01": "10.69.13.20",
    "sonarr-jail": "10.69.13.41",
    "radarr-jail": "10.69.13.42",
    "nzbget-jail": "10.69.13.44",
}
SERVICES = {
    "grafana": ("monitoring01", 3000),
    "jellyfin": ("jelly01", 8096),
    "sonarr": ("sonarr-jail", 8989),
    "radarr": ("radarr-jail", 7878),
    "nzbget": ("nzbget-jail", 6789),
}
TUNNEL = {"vps": "10.69.50.1", "extgw01": "10.69.50.2", "laptop": "10.69.50.11", "phone": "10.69.50.12"}
PORTS = ["22", "80", "443", "3000", "6789", "7878", "8096", "8097", "8989", "9998", "9999", "5000/udp"]
PROGRAMS = ["nft", "wg", "wireguard-go", "dnsmasq", "sshd", "ssh-keygen", "nsenter", "unshare"]

# Brings a node up: tunnels in a private /run, since the sockets of wireguard-go are named after interfaces; then
# tells, and stays.
NODE_SCRIPT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs policyc /run
mkdir -p /run/wireguard /run/sshd
cd "$1"; shift
for name in "$@"; do
    WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error wireguard-go -f "$name" >"wg-$name.log" 2>&1 &
done
for name in "$@"; do
    n=0
    # Its socket is there a moment before anybody listens at it.
    until [ -S "/run/wireguard/$name.sock" ] && wg setconf "$name" "$name.conf" 2>"$name.error"; do
        n=$((n + 1)); [ $n -lt 500 ] || { cat "$name.error" >&2; exit 1; }; sleep 0.01
    done
    # Room for the bursts of the prober while wireguard-go waits for its turn.
    ip link set "$name" txqueuelen 20000
done
if [ -f ip ]; then ip -batch ip; fi
if [ -f sshd_config ]; then
    mount --bind passwd /etc/passwd
    mount --bind shadow /etc/shadow
    /usr/sbin/sshd -D -f sshd_config -E sshd.log &
    n=0
    while ! grep -q ':0016 00000000:0000 0A' /proc/self/net/tcp; do n=$((n + 1)); [ $n -lt 500 ]; sleep 0.01; done
fi
echo ready
exec sleep 86400
"""


class Lab:
    def __init__(self):
        self.spaces = Spaces()
        self.directory = tempfile.mkdtemp(prefix="policyc-lab-")
        self.policy = os.path.join(self.directory, "policy.toml")
        self.keys = {}
        self.nodes = {}
        self.errors = open(os.path.join(self.directory, "errors"), "w")
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def missing():
        return needs(*PROGRAMS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.spaces.close()
        self.errors.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- building --------------------------------------------------------------------------------------------------

    def build(self):
        self.spaces.add("internet", "laptop", "phone", "vps", "house", "extgw01", "http-proxy")
        self.make_keys()
        self.wire()
        self.write_configurations()
        self.write_policy()
        listeners = [
            self.start_listeners("house", *PORTS),
            self.start_listeners("http-proxy", "80", "8096"),
            self.start_listeners("extgw01", "80", "9100", "8099", "8199", "8299/udp"),
            self.start_listeners("phone", "80"),
            self.start_listeners("laptop", "80"),
        ]
        self.start_dns()
        # The vps first: a hand-shake that nobody hears is repeated after 5 seconds only.
        self.wait_for([self.start_node("vps")])
        self.wait_for([self.start_node(node) for node in ("laptop", "phone", "extgw01", "http-proxy")] + listeners)
        self.wait_for_tunnels()

    def wait_for(self, processes):
        for process in processes:
            line = process.stdout.readline()
            if line != "ready\n":
                with open(self.errors.name) as errors:
                    raise RuntimeError(f"a node of the lab did not come up: {process.args}\n{line}{errors.read()}")

    def wait_for_tunnels(self):
        # The resolver answers last: once it does, all is up.
        for node, host, port in (("laptop", RESOLVER, 53), ("phone", RESOLVER, 53), ("vps", "10.69.222.2", 80)):
            for _ in range(20):
                if self.connect(node, host, port, timeout=0.5):
                    break
            else:
                raise RuntimeError(f"no way from {node} to {host}:{port} through the tunnels of the lab")

    def make_keys(self):
        for name in ("laptop", "phone", "vps", "vps-house", "vps-old", "extgw01", "http-proxy"):
            private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout.strip()
            public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True)
            self.keys[name] = (private, public.stdout.strip())

    def wire(self):
        spaces = self.spaces
        uplinks = {"laptop": ("198.51.100", 11), "phone": ("203.0.113", 12), "vps": ("192.0.2", 1), "house": ("100.64.7", 7)}
        for name, (uplink, far) in uplinks.items():
            spaces.link(name, "uplink", "internet", f"to-{name}")
            spaces.ip("internet", f"address add {uplink}.254/24 dev to-{name}", f"link set to-{name} up")
            spaces.ip(
                name,
                "link set lo up",
                f"address add {uplink}.{far}/24 dev uplink",
                "link set uplink up",
                f"route add default via {uplink}.254",
            )
        for name in ("internet", "vps", "house", "extgw01"):
            spaces.sysctl(name, ipv4__ip_forward=1, ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0)

        lines = ["link add lan type bridge", "link set lan up", "address add 10.69.13.1/24 dev lan"]
        lines += [f"address add {address}/24 dev lan" for address in (RESOLVER, *HOSTS.values())]
        # All other addresses are here too, those of the two other hosts apart.
        lines.append("route add local 10.69.13.0/24 dev lan")
        for name, address in (("extgw01", "10.69.13.2"), ("http-proxy", "10.69.13.3")):
            spaces.link(name, "eth0", "house", f"to-{name}")
            lines += [f"link set to-{name} master lan up", f"route add {address}/32 dev lan table local"]
            spaces.ip(
                name,
                "link set lo up",
                f"address add {address}/24 dev eth0",
                "link set eth0 up",
                "route add default via 10.69.13.1",
            )
        lines.append("route add 10.69.50.0/24 via 10.69.13.2")
        spaces.ip("house", *lines)
        nat = "type nat hook postrouting priority 100\n oifname uplink masquerade"
        nat = f"table ip nat {{\n chain post {{\n {nat}\n }}\n}}\n"
        spaces.run("house", "nft", "-f", "-", input=nat, check=True)

    def write_configurations(self):
        vps = "192.0.2.1"
        self.write_tunnel("laptop", "wg0", "laptop", [("vps", f"{vps}:51820", "10.0.0.0/8")])
        self.write_tunnel("phone", "wg0", "phone", [("vps", f"{vps}:51820", "10.0.0.0/8")])
        clients = [("laptop", None, "10.69.50.11/32"), ("phone", None, "10.69.50.12/32")]
        self.write_tunnel("vps", "wg1", "vps", clients, 51820)
        self.write_tunnel("vps", "wg2", "vps-house", [("extgw01", None, "0.0.0.0/0")], 51821)
        self.write_tunnel("vps", "wg0", "vps-old", [("http-proxy", None, "10.69.222.2/32")], 51822)
        self.write_tunnel("extgw01", "wg-ext", "extgw01", [("vps-house", f"{vps}:51821", "10.69.50.0/24")], 51820)
        old = [("vps-old", f"{vps}:51822", "10.69.222.1/32,192.0.2.0/24")]
        self.write_tunnel("http-proxy", "wg0", "http-proxy", old)
        for client in ("laptop", "phone"):
            self.write_ip(client, "wg0", f"{TUNNEL[client]}/32", "route add 10.0.0.0/8 dev wg0")
        self.write_ip(
            "vps",
            "wg1",
            "10.69.50.1/32",
            "route add 10.69.50.11/32 dev wg1",
            "route add 10.69.50.12/32 dev wg1",
            "link set wg2 up",
            "route add 10.69.50.2/32 dev wg2 src 10.69.50.1",
            "route add 10.69.13.0/24 dev wg2 src 10.69.50.1",
            # Just routing: whatever the clients send goes to the gateway, what is for each other too.
            "rule add iif wg1 lookup 100",
            "route add default dev wg2 table 100",
            "address add 10.69.222.1/24 dev wg0",
            "link set wg0 up",
        )
        self.write_ip("extgw01", "wg-ext", "10.69.50.2/32", "route add 10.69.50.0/24 dev wg-ext")
        self.write_ip("http-proxy", "wg0", "10.69.222.2/24")
        self.write_sshd()

    def node_file(self, node, name):
        directory = os.path.join(self.directory, node)
        os.makedirs(directory, exist_ok=True)
        return os.path.join(directory, name)

    def write(self, node, name, text, mode=0o600):
        with open(self.node_file(node, name), "w") as file:
            file.write(text)
        os.chmod(file.name, mode)

    def write_tunnel(self, node, interface, key, peers, port=None):
        text = f"[Interface]\nPrivateKey = {self.keys[key][0]}\n"
        if port:
            text += f"ListenPort = {port}\n"
        for peer, endpoint, allowed in peers:
            text += f"[Peer]\nPublicKey = {self.keys[peer][1]}\nAllowedIPs = {allowed}\n"
            if endpoint:
                # The first keepalive makes the hand-shake: who waits for packets can be reached from the start.
                text += f"Endpoint = {endpoint}\nPersistentKeepalive = 25\n"
        self.write(node, f"{interface}.conf", text)

    def write_ip(self, node, interface, address, *lines):
        up = [f"address add {address} dev {interface}", f"link set {interface} up", *lines]
        self.write(node, "ip", "\n".join(up) + "\n")

    def write_sshd(self):
        for name in ("host_key", "user_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.node_file("extgw01", name)], check=True
            )
        shutil.copy(self.node_file("extgw01", "user_key.pub"), self.node_file("extgw01", "authorized"))
        directory = os.path.join(self.directory, "extgw01")
        self.write(
            "extgw01",
            "sshd_config",
            f"HostKey {directory}/host_key\nAuthorizedKeysFile {directory}/authorized\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\nUseDNS no\nPrintMotd no\nPrintLastLog no\n",
        )
        self.write(
            "extgw01",
            "passwd",
            f"root:x:0:0::{directory}:/bin/sh\nsshd:x:74:65534::/run/sshd:/usr/sbin/nologin\n",
            0o644,
        )
        self.write("extgw01", "shadow", "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n")

    def write_policy(self):
        with open(os.path.join(SOURCE, "policy", "examples", "homelab.toml")) as file:
            text = file.read()
        for node in ("vps", "extgw01", "laptop", "phone"):
            key = self.keys[node][1]
            text = re.sub(rf'(\[nodes\.{node}\].*?public_key = )"[^"]*"', rf'\g<1>"{key}"', text, count=1, flags=re.S)
        self.write_text(text)

    def write_text(self, text):
        with open(self.policy, "w") as file:
            file.write(text)

    def edit(self, old, new):
        """Replaces a piece of the policy that it holds exactly once."""
        with open(self.policy) as file:
            text = file.read()
        if text.count(old) != 1:
            raise ValueError(f"{old!r} is {text.count(old)} times in the policy")
        self.write_text(text.replace(old, new))

    def start_node(self, node):
        directory = os.path.join(self.directory, node)
        interfaces = sorted(f.removesuffix(".conf") for f in os.listdir(directory) if f.endswith(".conf"))
        self.nodes[node] = self.spaces.start(
            node,
            *("sh", "-c", NODE_SCRIPT, node, directory, *interfaces),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        return self.nodes[node]

    def start_listeners(self, node, *ports):
        command = [sys.executable, os.path.join(HERE, "listeners.py"), "4", *ports]
        return self.spaces.start(node, *command, stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def start_dns(self, moved=None):
        records = HOSTS | (moved or {})
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"]
        command += ["--no-resolv", "--no-hosts"]
        command += [f"--listen-address={RESOLVER}", "--bind-interfaces", "--local-ttl=60", "--local=/2rjus.net/"]
        command += [f"--host-record={name}.{DOMAIN},{address}" for name, address in records.items()]
        command += ["--host-record=vps.2rjus.net,192.0.2.1"]
        self.dns = self.spaces.start("house", *command, stdout=self.errors, stderr=self.errors)

    def restart_dns(self, moved):
        """The resolver comes back with other addresses for some hosts."""
        self.spaces.stop(self.dns)
        self.start_dns(moved)
        name, address = next(iter(moved.items()))
        for _ in range(50):
            if self.ask("house", f"{name}.{DOMAIN}", timeout=0.1) == address:
                return
            time.sleep(0.02)
        raise RuntimeError("the DNS server of the lab did not come back")

    # ---- using -----------------------------------------------------------------------------------------------------

    def policyc(self, node, *words, timeout=60, env=None, sees_tunnels=False):
        """Runs policyc on a node, with a state directory of that node's own. What it asks a tunnel itself goes by a socket in the node's /run."""
        binary = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
        state = os.path.join(self.directory, f"state-{node}")
        run = ["nsenter", f"--mount=/proc/{self.nodes[node].pid}/ns/mnt"] if sees_tunnels else []
        command = [*run, binary, "--node", node, "--state-dir", state, "--color", "never", *with_backend(words)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SSH_")} | (env or {})
        return self.spaces.run(node, *command, timeout=timeout, cwd=self.directory, env=environment)

    def nft(self, node, *words, **more):
        return self.spaces.run(node, "nft", *words, check=True, **more).stdout

    def open(self, node, host, port, timeout=0.5):
        """A TCP connection, or None where there is none within the time."""
        made = self.spaces.socket(node, timeout=timeout)
        try:
            made.connect((host, port))
            return made
        except OSError:
            made.close()
            return None

    def connect(self, node, host, port, timeout=0.5):
        """Whether a TCP connection comes about. A listener is there, so a refusal is the firewall's."""
        made = self.open(node, host, port, timeout)
        if made:
            made.close()
        return made is not None

    def udp(self, node, host, port, payload=b"hello", timeout=0.5):
        """The answer to a datagram, or None."""
        with self.spaces.socket(node, kind=socket.SOCK_DGRAM, timeout=timeout) as made:
            try:
                made.sendto(payload, (host, port))
                return made.recv(4096)
            except OSError:
                return None

    def ask(self, node, name, tcp=False, timeout=0.5):
        """The first IPv4 address that the resolver of the house gives for a name, or None."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        query = struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)
        if tcp:
            made = self.open(node, RESOLVER, 53, timeout)
            if made is None:
                return None
            with made:
                made.sendall(struct.pack(">H", len(query)) + query)
                answer = made.recv(4096)[2:]
        else:
            answer = self.udp(node, RESOLVER, 53, query, timeout)
        return socket.inet_ntoa(answer[-4:]) if answer and len(answer) > len(query) else None

    def ping(self, node, host, timeout=1):
        return self.spaces.run(node, "ping", "-n", "-c", "1", "-W", str(timeout), host).returncode == 0

    def matrix(self, froms, targets, timeout=0.5):
        """{(from, host, port): came through} for every pair, all at once."""
        waiting = {}
        for node in froms:
            for host, port in targets:
                made = self.spaces.socket(node, timeout=0)
                made.connect_ex((host, port))
                waiting[node, host, port] = made
        found = dict.fromkeys(waiting, False)
        end = time.monotonic() + timeout
        while len(waiting) and time.monotonic() < end:
            for key, made in list(waiting.items()):
                try:
                    made.getpeername()
                    found[key] = True
                except OSError:
                    if made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        continue
                made.close()
                del waiting[key]
            time.sleep(0.01)
        for made in waiting.values():
            made.close()
        return found

    def ssh_command(self, host, *words):
        """The command line of an ssh session to a host of the lab, as root of extgw01."""
        key = self.node_file("extgw01", "user_key")
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        options.append("ConnectTimeout=3")
        return ["ssh", "-F", "none", "-i", key, *[w for o in options for w in ("-o", o)], f"root@{host}", *words]
