"""Machines of a lab as network namespaces: one for each node, joined by a bridge in a namespace of its own, so that nothing of this
machine's network is touched. Every link is shaped in both directions.

A node sends through its own interface: htb with fq_codel, or, where the kernel lacks that, with the one thing of it that matters here,
small packets before all others, so that acknowledgements do not wait behind what the node uploads. Towards it the bridge's port is a plain
FIFO as small as a switch's. Rates are those of Ethernet: what a full packet takes on the wire besides its 1514 bytes, preamble,
checksum and gap, is taken off the rate. Packets travel in bunches of at most four, as network cards send and merge them: one by one
they cost a lab of 32 nodes two cores for the kernel alone.
"""
import contextlib
import ctypes
import json
import os
import subprocess
import threading
import time

PORT_QUEUE_BYTES = 256 << 10
PACKET_BYTES, PACKET_WIRE_BYTES = 1514, 1538
BUNCH = 4
SMALL_BYTES = 128
# What TCP carries of a line's bits at MTU 1500: 1460 of 1538.
PAYLOAD_SHARE = 0.949
CONGESTION = "cubic"
CLONE_NEWNET = 0x40000000
WATCH_S = 0.1
# A link that carries less than this share of its rate is idle.
IDLE_SHARE = 0.1


class LabMeter:
    """Shares of the machine's CPU since it was made: (what ran at normal priority, all). What only uses idle time at a lower priority
    does not hold a lab back."""

    def __init__(self):
        self.began = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat", encoding="ascii") as file:
            return [int(word) for word in file.readline().split()[1:9]]

    def share(self):
        used = [now - then for then, now in zip(self.began, self._read())]
        total = sum(used) or 1
        busy = total - used[3] - used[4]
        return (busy - used[1]) / total, busy / total


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def within(namespace):
    """What goes before a command so that it runs there; the process keeps its id."""
    return ("ip", "netns", "exec", namespace)


def run_within(namespace, *words, check=True):
    done = subprocess.run([*within(namespace), *map(str, words)], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


@contextlib.contextmanager
def within_namespace(namespace):
    """The calling thread's new sockets belong to the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path):
        with open(path, "rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {path}")
    with open("/proc/thread-self/ns/net", "rb") as home:
        enter(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            enter(f"/proc/self/fd/{home.fileno()}")


class Links(contextlib.AbstractContextManager):
    """count machines, 0 the source. rates: {index: Mbit/s} where it is not mbit."""

    def __init__(self, count, mbit, rates=None):
        self.prefix = f"ezlab{os.getpid()}"
        self.hub = f"{self.prefix}-hub"
        self.count, self.mbit, self.rates = count, mbit, rates or {}
        self.made = []
        self.leaf = "small packets first"

    def namespace(self, index):
        return f"{self.prefix}-{index}"

    @staticmethod
    def address(index):
        return f"10.77.0.{index + 1}"

    def rate(self, index):
        return self.rates.get(index, self.mbit)

    def __enter__(self):
        try:
            self.add(self.hub)
            if run_within(self.hub, "tc", "qdisc", "add", "dev", "lo", "root", "fq_codel", check=False).returncode == 0:
                self.leaf = "fq_codel"
            # A switch has no firewall; the kernel would run every packet through its own.
            for table in ("iptables", "ip6tables", "arptables"):
                path = f"/proc/sys/net/bridge/bridge-nf-call-{table}"
                if os.path.exists(path):
                    run_within(self.hub, "sysctl", "-q", "-w", f"net.bridge.bridge-nf-call-{table}=0")
            ip("-n", self.hub, "link", "add", "br0", "type", "bridge", "mcast_snooping", 0, "stp_state", 0, "forward_delay", 0)
            ip("-n", self.hub, "link", "set", "br0", "up")
            for index in range(self.count):
                self.plug(index)
            for index in range(self.count):
                self.introduce(index)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for namespace in reversed(self.made):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        self.made.clear()

    def add(self, namespace):
        self.made.append(namespace)
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")

    def plug(self, index):
        namespace, port = self.namespace(index), f"p{index}"
        self.add(namespace)
        ip("-n", namespace, "link", "add", "eth0", "address", self.mac(index), "type", "veth", "peer", "name", port, "netns", self.hub)
        for where, link in ((namespace, "eth0"), (self.hub, port)):
            ip("-n", where, "link", "set", link, "gso_max_segs", BUNCH, "txqueuelen", 1000)
            ip("-n", where, "link", "set", link, "up")
        ip("-n", self.hub, "link", "set", port, "master", "br0")
        ip("-n", namespace, "addr", "add", f"{self.address(index)}/24", "brd", "+", "dev", "eth0")
        # As a property of the route, since only the first namespace may set it as a default.
        ip("-n", namespace, "route", "replace", "10.77.0.0/24", "dev", "eth0", "src", self.address(index), "congctl", CONGESTION)
        ip("-n", namespace, "route", "add", "224.0.0.0/4", "dev", "eth0")
        self.shape(namespace, "eth0", self.rate(index))
        self.shape(self.hub, port, self.rate(index), PORT_QUEUE_BYTES)

    @staticmethod
    def mac(index):
        return f"02:00:00:00:{index >> 8:02x}:{index & 0xff:02x}"

    def introduce(self, index):
        """Tells a node where the others are: the kernel remembers 1024 learnt neighbours in all namespaces together, too few for 33."""
        lines = "".join(f"neigh replace {self.address(other)} lladdr {self.mac(other)} dev eth0 nud permanent\n"
                        for other in range(self.count) if other != index)
        done = subprocess.run(["ip", "-n", self.namespace(index), "-batch", "-"], input=lines, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise AssertionError(f"ip -batch: {done.stderr.strip()}")

    def shape(self, namespace, link, mbit, queue_bytes=None):
        tc = ("tc", "qdisc", "add", "dev", link)
        bits = mbit * 1e6 * PACKET_BYTES / PACKET_WIRE_BYTES

        def add_class(parent, name, share, prio):
            run_within(namespace, "tc", "class", "add", "dev", link, "parent", parent, "classid", name, "htb", "rate",
                       f"{int(bits * share)}bit", "ceil", f"{int(bits)}bit", "prio", prio, "burst", "8k", "cburst", "8k",
                       "quantum", BUNCH * PACKET_BYTES)
        has_small_first = not queue_bytes and self.leaf != "fq_codel"
        run_within(namespace, *tc, "root", "handle", "1:", "htb", "default", 2 if has_small_first else 1)
        add_class("1:", "1:1", 1, 0)
        if queue_bytes:
            run_within(namespace, *tc, "parent", "1:1", "bfifo", "limit", queue_bytes)
        elif not has_small_first:
            run_within(namespace, *tc, "parent", "1:1", "fq_codel")
        else:
            add_class("1:1", "1:2", 0.9, 1)
            add_class("1:1", "1:3", 0.1, 0)
            # htb takes a packet's priority for its class; such a kernel may have no filters of its own.
            run_within(namespace, "nft", "table inet lab { chain out { type filter hook output priority 0; "
                       f"meta length < {SMALL_BYTES} meta priority set 0x10003; }}; }}")

    def meter(self, index):
        """Bytes that the node's link has carried, each way: (sent, received). The shapers count every packet's headers, which an
        interface does not of those that it handles in bunches."""
        return tuple(sum(row["bytes"] for row in self.queues(where, link) if row.get("root"))
                     for where, link in ((self.namespace(index), "eth0"), (self.hub, f"p{index}")))

    def capacity(self, index, seconds):
        """Bytes that its link can carry each way, as meter() counts."""
        return self.rate(index) * 1e6 / 8 * PACKET_BYTES / PACKET_WIRE_BYTES * seconds

    def dropped(self, index):
        """Packets that the bridge's port towards the node had no room for."""
        return sum(row.get("drops", 0) for row in self.queues(self.hub, f"p{index}") if row["kind"] == "bfifo")

    @staticmethod
    def queues(namespace, link):
        return json.loads(run_within(namespace, "tc", "-s", "-j", "qdisc", "show", "dev", link).stdout)

    def describe(self):
        return (f"{self.count} namespaces on a bridge, {self.mbit} Mbit/s each way, {self.leaf} at the node, FIFO of "
                f"{PORT_QUEUE_BYTES >> 10} KiB at the port, {CONGESTION}")


class LinkWatch:
    """Counts, some times a second, what each machine has sent and received: the bridge's ports tell it, all in one file, to a thread that
    lives where the bridge is."""

    def __init__(self, links):
        self.links = links
        self.samples = []  # (time, {index: (bytes sent, bytes received)})
        self.failure = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        try:
            with within_namespace(self.links.hub), open("/proc/thread-self/net/dev", encoding="ascii") as file:
                while not self.stop.wait(WATCH_S):
                    file.seek(0)
                    self.samples.append((time.time(), self.parse(file.read())))
        except OSError as failure:
            self.failure = failure

    @staticmethod
    def parse(text):
        counts = {}
        for line in text.splitlines():
            name, colon, numbers = line.partition(":")
            name = name.strip()
            if colon and name[:1] == "p" and name[1:].isdigit():
                fields = numbers.split()
                # What comes in at a port is what its machine has sent.
                counts[int(name[1:])] = int(fields[0]), int(fields[8])
        return counts

    def close(self):
        self.stop.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def idle(self, index, direction, since, until):
        """The share of the time between two moments in which a machine's link, "up" or "down", carried next to nothing."""
        return idle_share(self.samples, index, direction == "down", since, until, self.links.rate(index) * 1e6 / 8)


def idle_share(samples, index, column, since, until, bytes_a_second):
    """Of samples (time, {index: (bytes, bytes)}); None if they do not reach into that time."""
    idle = total = 0.0
    for (begin, before), (end, after) in zip(samples, samples[1:]):
        length = min(end, until) - max(begin, since)
        if length <= 0:
            continue
        total += length
        if after[index][column] - before[index][column] < IDLE_SHARE * bytes_a_second * (end - begin):
            idle += length
    return idle / total if total else None


def ideal_seconds(size_bytes, mbit):
    return size_bytes * 8 / (PAYLOAD_SHARE * mbit * 1e6)
