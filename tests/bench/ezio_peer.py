"""EZIO itself, https://github.com/tjjh89017/ezio, as a competitor: what Clonezilla images rooms of machines with today."""
import contextlib
import importlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from peers import DEADLINE, Tracker, Variant, measured  # also finds lab
from lab import free_port, sh, wait_until  # noqa: E402


def announcing(torrent, url):
    """The torrent with a tracker: without one EZIO learns of nobody."""
    content = torrent.read_bytes()
    if not content.startswith(b"d") or b"8:announce" in content[:content.index(b"4:info")]:
        raise AssertionError(f"{torrent} is no torrent, or has a tracker")
    return b"d8:announce%d:%s" % (len(url), url.encode("ascii")) + content[1:]


def messages_of(folder, build):
    """The Python module of EZIO's own ezio.proto."""
    sh("protoc", f"--python_out={build}", f"--proto_path={folder}", "ezio.proto")
    sys.path.insert(0, str(build))
    try:
        return importlib.import_module("ezio_pb2")
    finally:
        sys.path.remove(str(build))


def missing(folder):
    """What is not there of what a built clone in the folder needs; empty if nothing."""
    if not program_of(folder).exists():
        return f"no build/ezio in {folder}"
    if shutil.which("protoc") is None:
        return "no protoc (Debian's protobuf-compiler)"
    return "" if importlib.util.find_spec("grpc") else "no module grpc (Debian's python3-grpcio)"


def program_of(folder):
    return pathlib.Path(folder) / "build" / "ezio"


class EzioProcess:
    """One daemon and its control channel, which is a socket in a folder: it is reached from any network namespace. command: the program with
    what goes before and after it."""

    def __init__(self, command, port, messages, folder):
        import grpc  # pylint: disable=import-outside-toplevel  # only those who have EZIO need it
        self.messages, self.port = messages, port
        endpoint = f"unix:{folder}/ezio-{port}-{id(self):x}.sock"
        with open(pathlib.Path(folder) / "ezio.log", "ab") as log:
            self.process = subprocess.Popen([*map(str, command), "--listen", endpoint, "--port", str(port)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.channel = grpc.insecure_channel(endpoint)
        self.ready = grpc.channel_ready_future(self.channel)

    def wait_ready(self):
        self.ready.result(timeout=30)

    def call(self, verb, request, answer):
        ask = self.channel.unary_unary(f"/ezio.EZIO/{verb}", request_serializer=type(request).SerializeToString,
                                       response_deserializer=answer.FromString)
        return ask(request, timeout=60)

    def add(self, torrent, place, seeds):
        """With the numbers of connections and uploads of EZIO's own client."""
        self.call("AddTorrent", self.messages.AddRequest(torrent=torrent, save_path=str(place), seeding_mode=seeds, max_uploads=2,
                                                         max_connections=3), self.messages.AddResponse)

    def is_finished(self):
        if self.process.poll() is not None:
            raise AssertionError(f"EZIO ended with {self.process.returncode}")
        status = self.call("GetTorrentStatus", self.messages.UpdateRequest(), self.messages.UpdateStatus)
        return len(status.torrents) == 1 and all(torrent.is_finished for torrent in status.torrents.values())

    def close(self):
        self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class EzioVariant(Variant):
    """EZIO with its defaults, but for cache-size. New processes for each transfer, ready before the clock starts: it cannot forget a torrent.
    It knows no "synced": the clock stops when the bench has flushed the targets, which costs EZIO no CPU."""

    def __init__(self, folder, targets, cache_mib):
        super().__init__("EZIO")
        self.folder, self.count, self.cache = folder, targets, cache_mib
        self.messages = None

    def transfer(self, kind, scene, probe):
        if self.messages is None:
            self.messages = messages_of(self.folder, scene.lab.folder)
        with scene.places(kind) as (source, places):
            return self.move(scene, source, places, probe)

    def move(self, scene, source, places, probe):
        with contextlib.ExitStack() as ends:
            processes = []
            for _ in range(self.count + 1):
                process = EzioProcess([program_of(self.folder), "--cache-size", self.cache], free_port(), self.messages, scene.lab.folder)
                ends.callback(process.close)
                process.wait_ready()
                processes.append(process)
            seeder, *targets = processes
            tracker = Tracker(seeder.port)
            ends.callback(tracker.close)
            torrent = announcing(scene.torrent, tracker.url)
            seeder.add(torrent, source, True)
            wait_until(seeder.is_finished, "EZIO seeds", 30)
            outcome = {}
            with measured(outcome, [process.process.pid for process in processes], probe):
                for target, place in zip(targets, places):
                    target.add(torrent, place, False)
                for target, place in zip(targets, places):
                    wait_until(target.is_finished, "EZIO is done", DEADLINE)
                    self.flush(place)
            return outcome

    @staticmethod
    def flush(place):
        handle = os.open(place, os.O_WRONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
