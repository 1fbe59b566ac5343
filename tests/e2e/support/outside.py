"""Another host, as far as the network goes: a namespace with a cable to this machine."""

import subprocess
import sys
import uuid

READ = "import sys,urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Outside:
    """`machine` is this machine's address on the cable, `address` the other's."""

    def __init__(self, net):
        # RFC 5737: addresses for documentation, which no network here has.
        block = ("198.51.100", "203.0.113")[net // 64]
        self.machine, self.address = (f"{block}.{4 * (net % 64) + host}" for host in (1, 2))
        self.name = f"out{uuid.uuid4().hex[:8]}"
        ip("netns", "add", self.name)
        ip("link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self.machine}/30", "dev", self.name)
        ip("link", "set", self.name, "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/30", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "route", "add", "default", "via", self.machine)

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def fetch(self, address, port):
        """What a server answers whom it is asked from here; none where it doesn't."""
        done = subprocess.run(self.command(sys.executable, "-c", READ, f"http://{address}:{port}/"),
                              capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def inside(self):
        """What takes a command there. `ip netns exec` would also hide the cgroups."""
        return ["nsenter", f"--net=/run/netns/{self.name}"]

    def nft(self, script):
        subprocess.run([*self.inside(), "nft", script], check=True, capture_output=True)

    def cut(self):
        """As if somebody had pulled the cable: nothing is closed, nobody is told."""
        for hook in ("input", "output"):
            self.nft(f"add table inet cut; add chain inet cut {hook} {{ type filter hook {hook} priority -400; }}")
        self.nft("add rule inet cut input iifname eth0 drop; add rule inet cut output oifname eth0 drop")

    def heal(self):
        self.nft("delete table inet cut")

    def remove(self):
        ip("link", "del", self.name)
        ip("netns", "del", self.name)
