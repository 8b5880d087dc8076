"""One roll-out of eziod over the links of a lab: a source, N nodes that know only of the source, what is done to some of them, and what
each of them did when."""
import base64
import json
import signal
import subprocess
import time

import zmq
from figures import MIB, cpu_seconds
from lab import BIN, Daemon, wait_until
from lab_scene import told_of
from netns import LabMeter, LinkWatch, within
from piece_watch import PieceWatch

PORT = 6881
SAMPLE_S = 0.5
DONE_STATES = ("finished", "seeding")
# A lab that makes no progress for this long is over.
STALL_S = 60


class Machine(Daemon):
    """An eziod in a namespace of its own; index 0 is the source."""

    def __init__(self, lab, links, index, settings):
        self.links, self.index = links, index
        self.address = links.address(index)
        ours = {"session": {"listen": [f"{self.address}:{PORT}"]}}
        for table, keys in settings.items():
            ours[table] = ours.get(table, {}) | keys
        super().__init__(lab, f"n{index}", ours)
        self.peer_text = f"{self.address}:{PORT}"
        self.began = self.first_byte = self.ended = self.failed = self.stopped = None
        self.is_added = False
        self.last = {}
        self.timeline = []
        self.requests = self.events = None

    def spawn(self):
        with open(self.log, "ab") as log:
            command = [*within(self.links.namespace(self.index)), str(BIN / "eziod"), "-c", str(self.config)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def connect(self, context):
        self.disconnect()
        self.requests, self.events = context.socket(zmq.DEALER), context.socket(zmq.SUB)
        for wire in (self.requests, self.events):
            wire.setsockopt(zmq.LINGER, 0)
        self.events.setsockopt(zmq.SUBSCRIBE, b"torrent-state")
        self.requests.connect(self.endpoint)
        self.events.connect(self.events_endpoint)

    def disconnect(self):
        for wire in (self.requests, self.events):
            if wire is not None:
                wire.close()
        self.requests = self.events = None

    def send(self, verb, **args):
        self.requests.send(json.dumps({"v": 1, "id": verb, "verb": verb, "args": args}).encode())

    def is_running(self):
        return self.process is not None and self.process.poll() is None


class RollOut:
    """plan: {index: Fate}. What is planned for a node happens when the median of all nodes has reached a share, or at a time.
    topology: "mesh", or who knows whom as told_of() says, with nothing that would tell a node of others."""

    def __init__(self, lab, links, scene, plan, settings=None, topology="mesh"):
        self.lab, self.links, self.scene, self.plan, self.topology = lab, links, scene, plan, topology
        settings = settings or {}
        base = {"disk": {"cache-size": 64}}
        if topology != "mesh":
            base["session"] = {"pex": False, "lsd": False}
        for table, keys in settings.items():
            base[table] = base.get(table, {}) | keys
        self.machines = [Machine(lab, links, index, base) for index in range(links.count)]
        lab.daemons += self.machines
        self.source, self.nodes = self.machines[0], self.machines[1:]
        self.context = zmq.Context()
        lab.undo.callback(self.context.destroy, 0)
        self.watch = None
        self.events = []

    def fate(self, machine):
        return self.plan.get(machine.index)

    def run(self, deadline_s):
        # Before the daemons: each has a mount namespace of its own from its start on.
        for machine in self.nodes:
            if not (self.fate(machine) and self.fate(machine).kind == "corrupt"):
                self.scene.place(machine.index, self.fate(machine))
        for machine in self.machines:
            machine.spawn()
        for machine in self.machines:
            self.await_answer(machine)
            machine.connect(self.context)
        self.source.add(self.scene.torrent, self.scene.source, "--seed")
        self.source.wait_for_state("seeding")
        for machine in self.nodes:
            fate = self.fate(machine)
            if fate and fate.kind == "corrupt":
                machine.add(self.scene.torrent, self.scene.spoiled(), "--seed", "--peer", self.source.peer_text)
        machine_meter = LabMeter()
        wires = [self.links.meter(machine.index) for machine in self.machines]
        link_watch = LinkWatch(self.links)
        self.lab.undo.callback(link_watch.close)
        cpu_before = sum(cpu_seconds(machine.process.pid) for machine in self.machines)
        self.t0 = time.time()
        for machine in self.nodes:
            fate = self.fate(machine)
            if not fate or fate.kind not in ("late", "corrupt"):
                self.begin(machine)
                # Where the next one knows few, they should be there when it connects.
                while self.topology != "mesh" and not machine.is_added:
                    self.hear(0.1)
        self.follow(deadline_s)
        self.t1 = time.time()
        link_watch.close()
        self.link_watch = link_watch
        self.ask_once_more()
        self.cpu_busy = machine_meter.share()
        self.daemon_cpu_s = sum(cpu_seconds(machine.process.pid) for machine in self.machines if machine.is_running()) - cpu_before
        self.wires = [[after - before for before, after in zip(wires[machine.index], self.links.meter(machine.index))]
                      for machine in self.machines]
        return self

    def await_answer(self, machine):
        wait_until(machine.answers, f"{machine.name} answers", 60)

    def begin(self, machine):
        machine.began = time.time()
        torrent = base64.b64encode(self.scene.torrent.read_bytes()).decode()
        peers = [self.machines[index].peer_text for index in told_of(self.topology, machine.index, len(self.nodes))]
        machine.send("add", torrent_base64=torrent, target=str(self.scene.place(machine.index, self.fate(machine))), seed=False,
                     sequential=False, paused=False, check=False, peers=peers, trackers=self.scene.trackers)

    # -- while it runs

    def follow(self, deadline_s):
        next_sample = time.time()
        moved_at, moved_bytes = time.time(), -1
        while not self.is_over():
            now = time.time()
            self.do_fates(now - self.t0)
            if now >= next_sample:
                next_sample += SAMPLE_S
                for machine in self.machines:
                    if machine.is_running() and machine.requests is not None:
                        machine.send("status", selectors=[])
                have = sum(machine.last.get("done_bytes", 0) for machine in self.nodes)
                if have != moved_bytes:
                    moved_at, moved_bytes = now, have
                if now - self.t0 > deadline_s or now - moved_at > STALL_S:
                    self.events.append([round(now - self.t0, 2), "given up"])
                    return
            self.hear(max(0.0, min(next_sample - time.time(), 0.1)))

    def ask_once_more(self):
        """The last word of each node's counters, so that they belong to the end."""
        before = {machine.index: len(machine.timeline) for machine in self.machines}
        asked = [machine for machine in self.machines if machine.is_running() and machine.requests is not None]
        for machine in asked:
            machine.send("status", selectors=[])
        until = time.time() + 5
        while time.time() < until and any(len(machine.timeline) == before[machine.index] for machine in asked):
            self.hear(0.1)

    def expected(self):
        """Nodes that have to end with all bytes."""
        return [machine for machine in self.nodes if not self.fate(machine) or self.fate(machine).is_to_finish]

    def failing(self):
        """Nodes that have to end in state "error"."""
        return [machine for machine in self.nodes if self.fate(machine) and self.fate(machine).kind == "failing-disk"]

    def is_over(self):
        return all(machine.ended for machine in self.expected()) and all(machine.failed or machine.ended for machine in self.failing())

    def hear(self, seconds):
        poller = zmq.Poller()
        wires = {}
        for machine in self.machines:
            for wire in (machine.requests, machine.events):
                if wire is not None:
                    poller.register(wire, zmq.POLLIN)
                    wires[wire] = machine
        for wire, _ in poller.poll(seconds * 1000):
            machine = wires[wire]
            while True:
                try:
                    frames = wire.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                if wire is machine.events:
                    self.on_event(machine, json.loads(frames[1]))
                else:
                    self.on_reply(machine, json.loads(frames[0]))

    def on_event(self, machine, event):
        if event["new"] in DONE_STATES and machine.ended is None and machine.began is not None:
            machine.ended = event["unix_ms"] / 1000
        if event["new"] == "error" and machine.failed is None:
            machine.failed = event["unix_ms"] / 1000
            self.events.append([round(machine.failed - self.t0, 2), f"error at {machine.name}"])

    def on_reply(self, machine, reply):
        if not reply["ok"]:
            raise AssertionError(f"{machine.name}: {reply['id']}: {reply['error']['text']}")
        machine.is_added |= reply["id"] == "add"
        if reply["id"] != "status" or not reply["result"]["torrents"]:
            return
        row = machine.last = reply["result"]["torrents"][0]
        now = round(time.time() - self.t0, 2)
        if machine.first_byte is None and row["downloaded_bytes"]:
            machine.first_byte = now
        machine.timeline.append([now, row["done_bytes"], row["downloaded_bytes"], row["uploaded_bytes"], row["peers"]])

    # -- what is done to nodes

    def progress(self):
        shares = sorted(machine.last.get("progress", 0.0) for machine in self.expected())
        return shares[len(shares) // 2] if shares else 0.0

    def do_fates(self, now):
        for index, fate in self.plan.items():
            machine = self.machines[index]
            if not fate.is_due(now, self.progress, self.has_full_copy):
                continue
            fate.is_done = True
            self.events.append([round(now, 2), f"{fate.kind} {machine.name}"])
            if fate.kind == "late":
                self.begin(machine)
            elif fate.kind == "failing-disk":
                self.scene.switch(index).touch()
            elif fate.kind in ("kill", "restart", "source-gone"):
                machine.disconnect()
                machine.kill()
                machine.stopped = time.time()
                if fate.kind == "restart":
                    machine.spawn()
                    self.await_answer(machine)
                    machine.connect(self.context)
            elif fate.kind == "hang":
                machine.disconnect()
                machine.process.send_signal(signal.SIGSTOP)

    def has_full_copy(self):
        """Are all pieces on nodes that live?"""
        if self.watch is None:
            self.watch = PieceWatch(self.links.namespace(0), self.scene, [machine.address for machine in self.expected()], PORT)
            self.lab.undo.callback(self.watch.close)
        return self.watch.has_all()

    # -- afterwards

    def faults(self):
        """What went otherwise than the plan says, besides nodes that never ended and wrong bytes."""
        wrong = [f"{machine.name}: " + ("ended before its disk failed" if machine.ended else "its disk failed, and it did not say so")
                 for machine in self.failing() if not machine.failed]
        return wrong + [f"{machine.name}: state error" for machine in self.expected() if machine.failed]

    def last_end(self):
        """When the last node that had to was done."""
        ends = [machine.ended for machine in self.expected()]
        return max(ends) if all(ends) else self.t1

    def down_idle(self, machine):
        """Of the time between a node's start and its end."""
        if machine.began is None:
            return None
        return self.link_watch.idle(machine.index, "down", machine.began, machine.ended or self.t1)

    def outcome(self):
        size = self.scene.payload_bytes
        times = sorted(machine.ended - self.t0 for machine in self.expected() if machine.ended)
        others = sorted(machine.ended - self.t0 for machine in self.nodes if machine.ended and not self.fate(machine))
        source_up = self.source.last.get("uploaded_bytes", 0)
        rows = []
        for machine in self.nodes:
            fate = self.fate(machine)
            rows.append({
                "node": machine.index, "fate": fate.text if fate else "",
                "start": round(machine.began - self.t0, 3) if machine.began else None, "first_byte": machine.first_byte,
                "end": round(machine.ended - self.t0, 3) if machine.ended else None,
                "uploaded": machine.last.get("uploaded_bytes", 0),
                "duplicate": max(0, machine.last.get("downloaded_bytes", 0) - size) if machine.ended else None,
                "peers": machine.last.get("peers", 0), "hash_failures": machine.last.get("hash_failures", 0),
                "wire_sent": self.wires[machine.index][0], "wire_received": self.wires[machine.index][1],
                "down_use": self.wires[machine.index][1] / self.links.capacity(machine.index, self.t1 - self.t0),
                "down_idle": self.down_idle(machine), "dropped": self.links.dropped(machine.index), "timeline": machine.timeline})
        return {"tool": "eziod" if self.topology == "mesh" else f"eziod {self.topology}", "times": times, "others": others,
                "missing": len(self.expected()) - len(times), "source_images": source_up / size,
                "source_up_idle": self.link_watch.idle(0, "up", self.t0, self.source.stopped or self.last_end()),
                "down_idle": [row["down_idle"] for row in rows],
                "duplicate_mib": sum(row["duplicate"] or 0 for row in rows) / MIB, "cpu_busy": self.cpu_busy,
                "daemon_cpu_s": self.daemon_cpu_s, "events": self.events, "nodes": rows, "source_timeline": self.source.timeline}

    def close(self):
        for machine in self.machines:
            machine.disconnect()
            if machine.is_running():
                machine.process.send_signal(signal.SIGCONT)
                machine.process.kill()
                machine.process.wait()
            machine.process = None
