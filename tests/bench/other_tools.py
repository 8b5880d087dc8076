"""The same roll-out by other tools, over the same links: aria2 and EZIO with a tracker, and multicast by udpcast."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import ezio_peer  # also finds lab
from lab import wait_until
from netns import LabMeter, LinkWatch, run_within, within

TRACKER_PORT = 6969
TRACKER_USER = "nobody"


def missing(tool, ezio):
    """What a tool lacks here; empty if nothing. ezio: the folder of EZIO's clone."""
    if tool == "ezio":
        return ezio_peer.missing(ezio)
    for program in {"aria2": ("aria2c", "opentracker"), "udpcast": ("udp-sender", "udp-receiver")}.get(tool, ()):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return ""


class Tracker:
    """opentracker in the source's namespace. Debian's knows only the torrents of a list."""

    def __init__(self, lab, links, scene):
        folder = lab.folder / "tracker"
        folder.mkdir(exist_ok=True)
        os.chmod(lab.folder, 0o755)
        folder.chmod(0o777)
        (folder / "whitelist").write_text(scene.info_hash + "\n", encoding="ascii")
        address = links.address(0)
        self.url = f"http://{address}:{TRACKER_PORT}/announce"
        with open(lab.folder / "tracker.log", "ab") as log:
            self.process = subprocess.Popen(
                [*within(links.namespace(0)), "opentracker", "-i", address, "-p", str(TRACKER_PORT), "-P", str(TRACKER_PORT),
                 "-d", str(folder), "-u", TRACKER_USER, "-w", "whitelist"],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lab.undo.callback(self.close)
        wait_until(lambda: self.is_up(links), "opentracker listens", 10)

    def is_up(self, links):
        if self.process.poll() is not None:
            raise AssertionError("opentracker ended; see tracker.log")
        return f":{TRACKER_PORT}" in run_within(links.namespace(0), "ss", "-tln").stdout

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class OtherTool:
    """Starts processes, one a node; the time of a node ends when it says so."""

    name = ""

    def __init__(self, lab, links, scene, ezio=None):
        self.lab, self.links, self.scene, self.ezio = lab, links, scene, ezio
        self.processes = {}
        self.lab.undo.callback(self.close)

    def spawn(self, index, command):
        with open(self.lab.folder / f"{self.name}{index}.log", "wb") as log:
            self.processes[index] = subprocess.Popen([*within(self.links.namespace(index)), *map(str, command)],
                                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def run(self, deadline_s):
        self.prepare()
        meter = LabMeter()
        sent = self.links.meter(0)[0]
        link_watch = LinkWatch(self.links)
        self.lab.undo.callback(link_watch.close)
        self.t0 = time.time()
        self.go()
        ended = {}
        while len(ended) < self.links.count - 1 and time.time() - self.t0 < deadline_s:
            for index in range(1, self.links.count):
                when = ended.get(index) or self.ended_at(index)
                if when:
                    ended[index] = when
            time.sleep(0.02)
        self.t1 = time.time()
        link_watch.close()
        self.link_watch = link_watch
        self.ended, self.cpu_busy = ended, meter.share()
        self.source_sent = self.links.meter(0)[0] - sent
        return self

    def outcome(self):
        times = sorted(when - self.t0 for when in self.ended.values())
        # What left the wire, headers included; the payload by itself is not known here.
        images = self.source_sent * 1448 / 1514 / self.scene.payload_bytes
        return {"tool": self.name, "times": times, "others": times, "missing": self.links.count - 1 - len(times), "source_images": images,
                "duplicate_mib": None, "cpu_busy": self.cpu_busy, "events": [], "nodes": [],
                "source_up_idle": self.link_watch.idle(0, "up", self.t0, self.t1),
                "down_idle": [self.link_watch.idle(index, "down", self.t0, self.ended.get(index, self.t1))
                              for index in range(1, self.links.count)]}

    def close(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        self.processes.clear()


class Aria2(OtherTool):
    """aria2 as it is, but for limits that only make sense on the Internet; each node uploads until all have ended."""

    name = "aria2"

    def prepare(self):
        self.tracker = Tracker(self.lab, self.links, self.scene)
        self.hook = self.lab.folder / "aria2-done"
        self.hook.write_text('#!/bin/sh\n: > "$EZIO_LAB_DONE"\n', encoding="ascii")
        self.hook.chmod(0o755)
        self.start(0, self.scene.source, "--bt-seed-unverified=true")
        wait_until(lambda: ":6881" in run_within(self.links.namespace(0), "ss", "-tln").stdout, "aria2 seeds", 20)

    def mark(self, index):
        return self.lab.folder / f"aria2-done-{index}"

    def start(self, index, place, *options):
        command = ["env", f"EZIO_LAB_DONE={self.mark(index)}", "aria2c", "--no-conf", "--quiet", "--enable-dht=false",
                   "--enable-dht6=false", "--bt-enable-lpd=false", "--file-allocation=none", "--auto-save-interval=0",
                   "--allow-overwrite=true", "--disk-cache=64M", "--bt-max-peers=0", "--bt-request-peer-speed-limit=0",
                   "--seed-ratio=0.0", "--dir=/", "--listen-port=6881", f"--bt-tracker={self.tracker.url}",
                   f"--on-bt-download-complete={self.hook}", f"--index-out=1={str(place).lstrip('/')}", *options,
                   self.scene.torrent]
        self.spawn(index, command)

    def go(self):
        for index in range(1, self.links.count):
            self.start(index, self.scene.place(index))

    def ended_at(self, index):
        if self.processes[index].poll() is not None:
            raise AssertionError(f"aria2 of node {index} ended with {self.processes[index].returncode}")
        try:
            return self.mark(index).stat().st_mtime
        except FileNotFoundError:
            return None

    def close(self):
        super().close()
        for path in pathlib.Path(self.lab.folder).glob("*.aria2"):
            path.unlink()


class Udpcast(OtherTool):
    """One sender, all receivers at once; starts when the last receiver is there."""

    name = "udpcast"

    def prepare(self):
        for index in range(1, self.links.count):
            self.spawn(index, ["udp-receiver", "--nokbd", "--interface", "eth0", "--file", self.scene.place(index)])
        # A receiver has asked for a sender once its socket is bound.
        for index in range(1, self.links.count):
            wait_until(lambda i=index: ":9000" in run_within(self.links.namespace(i), "ss", "-uan").stdout, "udp-receiver", 20)

    def go(self):
        nodes = self.links.count - 1
        self.spawn(0, ["udp-sender", "--nokbd", "--interface", "eth0", "--full-duplex", "--min-receivers", nodes, "--max-wait", 20,
                       "--file", self.scene.source])

    def ended_at(self, index):
        status = self.processes[index].poll()
        if status is None:
            return None
        if status:
            raise AssertionError(f"udp-receiver of node {index} ended with {status}")
        return time.time()


class Ezio(OtherTool):
    """EZIO as it is, from a built clone in a folder. A node ends when its torrent is finished; what is still in the page cache then is not
    waited for, with aria2 and udpcast neither."""

    name = "ezio"

    def __init__(self, *parts):
        super().__init__(*parts)
        self.daemons = {}

    def prepare(self):
        tracker = Tracker(self.lab, self.links, self.scene)
        self.torrent = ezio_peer.announcing(self.scene.torrent, tracker.url)
        messages = ezio_peer.messages_of(self.ezio, self.lab.folder)
        for index in range(self.links.count):
            command = [*within(self.links.namespace(index)), ezio_peer.program_of(self.ezio)]
            self.daemons[index] = ezio_peer.EzioProcess(command, 6881, messages, self.lab.folder)
        for daemon in self.daemons.values():
            daemon.wait_ready()
        self.daemons[0].add(self.torrent, self.scene.source, True)
        wait_until(self.daemons[0].is_finished, "EZIO seeds", 20)

    def go(self):
        for index in range(1, self.links.count):
            self.daemons[index].add(self.torrent, self.scene.place(index), False)

    def ended_at(self, index):
        return time.time() if self.daemons[index].is_finished() else None

    def close(self):
        super().close()
        for daemon in self.daemons.values():
            daemon.close()
        self.daemons.clear()


TOOLS = {"aria2": Aria2, "udpcast": Udpcast, "ezio": Ezio}
