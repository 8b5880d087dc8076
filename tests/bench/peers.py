"""The competitors of the transfer bench. Each is a Variant: transfer() moves one source to some targets and answers what it took.

Images exist, are written and are only overwritten in place, so that no run pays for memory that the machine has to find first.
"""
import contextlib
import datetime
import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from figures import MIB, MachineMeter, Meter  # noqa: E402
from lab import BIN, Lab, free_port, wait_until  # noqa: E402

DEADLINE = 900


def overwrite(image, byte):
    """Fills an existing image in place."""
    chunk = bytes([byte]) * MIB
    left = image.stat().st_size
    with open(image, "r+b") as file:
        while left:
            left -= file.write(chunk[:min(left, MIB)])


def wait_in(pairs, done, what):
    """Until done(x) for every x; the processes must live meanwhile."""
    def all_done():
        for item, process in pairs:
            if process.poll() is not None and not done(item):
                raise AssertionError(f"{what}: a process ended with {process.returncode}")
        return all(done(item) for item, _ in pairs)
    wait_until(all_done, what, DEADLINE)


class Scene:
    """A source, its torrent and the places of the targets."""

    def __init__(self, lab, torrent, source, images):
        self.lab, self.torrent, self.source, self.images = lab, torrent, source, images
        self.round = 0

    @contextlib.contextmanager
    def places(self, kind):
        """(source, targets): the images or loop devices over them, after the targets' content was made wrong."""
        self.round += 1
        for image in self.images:
            overwrite(image, self.round % 255)
        if kind == "file":
            yield self.source, self.images
            return
        # New devices each time: nothing of the last run is in their page cache.
        with Lab(1) as room:
            yield room.loop(self.source), [room.loop(image) for image in self.images]


def connected_at(daemon, asked):
    """When the daemon's first connection to a peer after a moment was made, both in seconds since 1970."""
    for line in daemon.log.read_text(encoding="utf-8").splitlines():
        if " peer-connected " not in line:
            continue
        made = datetime.datetime.fromisoformat(line.split(" ", 1)[0]).timestamp()
        if made >= asked:
            return made
    raise AssertionError(f"{daemon.name} logged no connection\n{daemon.log_text()}")


class Variant:
    """One competitor."""

    kinds = ("file", "loop")
    is_verified = True  # the targets hold the source afterwards

    def __init__(self, name):
        self.name = name

    def transfer(self, kind, scene, probe):
        """{"seconds", "seeder", "targets", "machine"}; probe(pids) is a context entered while the transfer runs."""
        raise NotImplementedError

    def close(self):
        """Ends whatever is still running."""


@contextlib.contextmanager
def measured(outcome, pids, probe):
    """Fills outcome with what the processes (the seeder first) used inside."""
    with probe(pids):
        meters = [Meter(pid) for pid in pids]
        machine = MachineMeter()
        began = time.monotonic()
        yield
        outcome["seconds"] = time.monotonic() - began
        seeder, *targets = [meter.read() for meter in meters]
        passed, busy = machine.read()
    used = seeder["cpu"] + sum(target["cpu"] for target in targets)
    outcome.update(seeder=seeder, targets=targets, others=max(0.0, busy - used) / passed if passed else 0.0)


class EziodVariant(Variant):
    """Our daemons. They live as long as the variant, so that only the first transfer touches new memory."""

    def __init__(self, name, targets, disk=None, settings=None, opener="target"):
        super().__init__(name)
        self.opener = opener
        self.count, self.settings = targets, {"disk": dict(disk or {}), **(settings or {})}
        self.room, self.seeder, self.daemons = None, None, []

    def start(self):
        # Each connection is logged, which is one line a transfer.
        self.settings["log"] = {"levels": ["events=debug"]}
        self.room = Lab(1)
        self.seeder = self.room.daemon("seeder", self.settings)
        self.daemons = [self.room.daemon(f"target{number}", self.settings) for number in range(self.count)]

    def pids(self):
        return [daemon.process.pid for daemon in (self.seeder, *self.daemons)]

    def transfer(self, kind, scene, probe):
        if self.room is None:
            self.start()
        with scene.places(kind) as (source, places):
            return self.move(scene, source, places, probe)

    def move(self, scene, source, places, probe):
        def add_seeder(*peers):
            self.seeder.add(scene.torrent, source, "--seed", *peers)

        def add_targets(*peers):
            for daemon, place in zip(self.daemons, places):
                daemon.add(scene.torrent, place, *peers)

        if self.opener == "seeder":
            add_targets()
            for daemon in self.daemons:
                daemon.wait_for_state("downloading")
            open_connections, others = add_seeder, self.daemons
        else:
            add_seeder()
            self.seeder.wait_for_state("seeding")
            open_connections, others = add_targets, [self.seeder]
        outcome = {}
        asked = time.time()
        with measured(outcome, self.pids(), probe):
            open_connections(*(word for daemon in others for word in ("--peer", daemon.peer)))
            for daemon in self.daemons:
                daemon.wait_synced(seconds=DEADLINE)
        outcome["start"] = connected_at(self.daemons[-1], asked) - asked
        outcome["stats"] = [daemon.json("stats") for daemon in (self.seeder, *self.daemons)]
        for daemon in (self.seeder, *self.daemons):
            daemon.ctl("remove", "all")
        return outcome

    def close(self):
        if self.room is None:
            return
        try:
            for daemon in self.room.daemons:
                if daemon.stop() not in (0, None):
                    raise AssertionError(f"{daemon.name} did not stop cleanly\n{daemon.log_text()}")
        finally:
            self.room.close()
            self.room = None


class LtVariant(Variant):
    """libtorrent with a disk I/O of its own; new processes for each transfer, ready before the clock starts."""

    kinds = ("file",)

    def __init__(self, disk, targets):
        super().__init__(f"libtorrent {disk}")
        self.disk, self.count, self.is_verified = disk, targets, disk != "disabled"

    def spawn(self, scene, image, port, peer=None):
        command = [BIN / "bench_lt_peer", "--disk", self.disk, "--torrent", scene.torrent, "--image", image,
                   "--listen", f"127.0.0.1:{port}", *(("--peer", peer) if peer else ())]
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect(process, "ready")
        return process

    @staticmethod
    def expect(process, word):
        line = process.stdout.readline().strip()
        if line != word:
            raise AssertionError(f"bench_lt_peer said \"{line}\" instead of \"{word}\"; status {process.wait()}")

    @staticmethod
    def go(process):
        process.stdin.write("go\n")
        process.stdin.flush()

    def transfer(self, kind, scene, probe):
        with scene.places(kind) as (source, places):
            return self.move(scene, source, places, probe)

    def move(self, scene, source, places, probe):
        port = free_port()
        processes = []
        try:
            processes.append(self.spawn(scene, source, port))
            self.go(processes[0])
            self.expect(processes[0], "done")
            processes += [self.spawn(scene, place, free_port(), f"127.0.0.1:{port}") for place in places]
            outcome = {}
            with measured(outcome, [process.pid for process in processes], probe):
                for process in processes[1:]:
                    self.go(process)
                for process in processes[1:]:
                    self.expect(process, "done")
            for process in processes:
                process.stdin.close()
                if process.wait(60) != 0:
                    raise AssertionError(f"bench_lt_peer ended with {process.returncode}")
            return outcome
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
                process.stdout.close()


class Tracker:
    """The least of a tracker: tells everyone of the one seeder. aria2 cannot be told of a peer otherwise."""

    def __init__(self, seeder_port):
        reply = (b"d8:completei1e10:incompletei1e8:intervali1800e5:peers6:" + socket.inet_aton("127.0.0.1") +
                 seeder_port.to_bytes(2, "big") + b"e")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                self.send_response(200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/announce"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Aria2Variant(Variant):
    """aria2c. A target's time includes its start and ends when its file is complete."""

    kinds = ("file",)

    def __init__(self, targets):
        super().__init__("aria2")
        self.count = targets

    def spawn(self, scene, image, port, tracker, *options):
        command = ["aria2c", "--no-conf", "--quiet", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
                   "--enable-peer-exchange=false", "--file-allocation=none", "--auto-save-interval=0",
                   "--allow-overwrite=true", "--disk-cache=64M", "--bt-request-peer-speed-limit=0", "--dir=/",
                   f"--listen-port={port}", f"--bt-tracker={tracker.url}",
                   f"--index-out=1={str(image).lstrip('/')}", *options, scene.torrent]
        with open(scene.lab.folder / "aria2.log", "ab") as log:
            return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def transfer(self, kind, scene, probe):
        with scene.places(kind) as (source, places):
            return self.move(scene, source, places, probe)

    def move(self, scene, source, places, probe):
        port = free_port()
        tracker = Tracker(port)
        processes = []
        try:
            processes.append(self.spawn(scene, source, port, tracker, "--seed-ratio=0.0", "--bt-seed-unverified=true"))
            wait_in([(port, processes[0])], self.listens, "aria2 seeds")
            began = time.monotonic()
            targets = [self.spawn(scene, place, free_port(), tracker, "--seed-time=0") for place in places]
            processes += targets
            outcome = {}
            # What a target used is known from its exit, so its meter is read by wait4.
            with measured(outcome, [processes[0].pid], probe):
                outcome["targets_used"] = [self.reap(process) for process in targets]
            outcome["targets"] = outcome.pop("targets_used")
            outcome["seconds"] = time.monotonic() - began
            outcome["others"] = float("nan")
            return outcome
        finally:
            for process in processes:
                if process.returncode is None:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            tracker.close()
            for path in scene.lab.folder.glob("*.aria2"):
                path.unlink()

    @staticmethod
    def listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    @staticmethod
    def reap(process):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise AssertionError(f"aria2c ended with {process.returncode}")
        return {"cpu": usage.ru_utime + usage.ru_stime, "threads": {}, "peak": usage.ru_maxrss / 1024}
