"""A laboratory for end to end tests: a temporary directory, loop devices, daemons and ezioctl.

Everything a Lab creates is gone after close(), whatever happened: processes by their pids, mounts, loop devices, files. Waiting is for
conditions, with a deadline.
"""
import contextlib
import errno
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

MIB = 1 << 20
DEADLINE = float(os.environ.get("EZIO_TEST_DEADLINE", "90"))
BIN = pathlib.Path(os.environ.get("EZIO_BIN", "build/release/bin")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["PATH"] += ":/usr/sbin:/sbin"


def wait_until(condition, what, seconds=None):
    """The first true value of condition(), asked again until the deadline."""
    deadline = time.monotonic() + (seconds or DEADLINE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds or DEADLINE} s: {what}")
        time.sleep(0.02)


def need(*programs):
    """Skips the test, with the reason, if a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            raise unittest.SkipTest(f"{program} is not installed")


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root for loop devices and mounts")


def sh(*command, **keywords):
    """Runs a program that must succeed; its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **keywords)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Ports:
    """TCP ports that belong to this process until it ends: below those that the kernel gives to connections, and in a range that no
    other process of these tests has. Else a port could be gone before a daemon listens there, or while it restarts."""

    EACH, LOWEST = 100, 10000

    def __init__(self):
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            end = max(int(file.read().split()[0]), 32768)
        count = (end - self.LOWEST) // self.EACH
        for attempt in range(count):
            number = (os.getpid() + attempt) % count
            # The name of an abstract socket is taken as long as the process lives, however it ends.
            self.claim = socket.socket(socket.AF_UNIX)
            try:
                self.claim.bind(f"\0ezio-test-ports-{number}")
            except OSError as failure:
                self.claim.close()
                if failure.errno != errno.EADDRINUSE:
                    raise
                continue
            first = self.LOWEST + number * self.EACH
            self.numbers = itertools.cycle(range(first, first + self.EACH))
            return
        raise AssertionError(f"no range of ports is free of {count}")

    def next(self):
        for number in itertools.islice(self.numbers, self.EACH):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", number))
                return number
        raise AssertionError("no port is free")


PORTS = None


def free_port():
    """One that this process has not been given before, as long as there are such."""
    global PORTS
    PORTS = PORTS or Ports()
    return PORTS.next()


class Failed(Exception):
    """ezioctl ended with a status other than 0."""

    def __init__(self, command, done):
        super().__init__(f"ezioctl {' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


def ezioctl(*command, endpoint=None, seconds=120, check=True):
    command = [str(word) for word in command]
    environment = dict(os.environ, NO_COLOR="1")
    environment.pop("EZIO_ENDPOINT", None)
    if endpoint:
        environment["EZIO_ENDPOINT"] = endpoint
    done = subprocess.run([BIN / "ezioctl", *command], capture_output=True, text=True, check=False, env=environment,
                          timeout=seconds)
    if check and done.returncode:
        raise Failed(command, done)
    return done


class Daemon:
    """One eziod with its own directory, port and sockets."""

    def __init__(self, lab, name, settings=None, torrents=(), listen="127.0.0.1"):
        self.lab, self.name, self.listen = lab, name, listen
        self.folder = lab.folder / name
        self.folder.mkdir()
        self.config = self.folder / "ezio.toml"
        self.log = self.folder / "log"
        self.endpoint = f"ipc://{self.folder}/c"
        self.events_endpoint = f"ipc://{self.folder}/e"
        self.port = free_port()
        self.process = None
        self.settings = {
            "disk": {"cache-size": 64},
            "session": {"lsd": False},
            "state": {"directory": str(self.folder / "state")},
        }
        for table, keys in (settings or {}).items():
            self.settings.setdefault(table, {}).update(keys)
        self.torrents = list(torrents)
        self.write_config()

    @property
    def peer(self):
        return f"{self.listen}:{self.port}"

    def write_config(self):
        tables = {"control": {"endpoint": self.endpoint, "events-endpoint": self.events_endpoint}}
        for table, keys in self.settings.items():
            tables.setdefault(table, {}).update(keys)
        tables["session"].setdefault("listen", [self.peer])
        text = ""
        for table, keys in tables.items():
            text += f"[{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        for torrent in self.torrents:
            text += "[[torrent]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in torrent.items())
        self.config.write_text(text, encoding="utf-8")

    def start(self, prefix=()):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*prefix, BIN / "eziod", "-c", self.config], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_until(self.answers, f"{self.name} answers", 30)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}\n{self.log_text()}")
        return ezioctl("--timeout", 2, "ping", endpoint=self.endpoint, check=False).returncode == 0

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""

    def ctl(self, *command, **keywords):
        return ezioctl(*command, endpoint=self.endpoint, **keywords)

    def json(self, *command, **keywords):
        return json.loads(self.ctl("--json", *command, **keywords).stdout)

    def torrents_now(self):
        return self.json("status")["torrents"]

    def torrent(self, info_hash=None):
        """The row of one torrent; of the only one if none is named."""
        rows = [row for row in self.torrents_now() if info_hash in (None, row["info_hash"])]
        if len(rows) != 1:
            raise AssertionError(f"{self.name}: {len(rows)} torrents match {info_hash}")
        return rows[0]

    def wait_for(self, condition, what, info_hash=None, seconds=None):
        """Until condition(row of the torrent)."""
        last = {}

        def asked():
            last.update(self.torrent(info_hash))
            return last if condition(last) else None
        try:
            return wait_until(asked, what, seconds)
        except AssertionError as failure:
            raise AssertionError(f"{self.name}: {failure}\nlast: {last}\n{self.log_text()}") from None

    def wait_for_state(self, *states, info_hash=None):
        """Until the torrent is in one of them. Peers that come while it is still checking are sent away."""
        return self.wait_for(lambda row: row["state"] in states, " or ".join(states), info_hash)

    def add(self, torrent, target, *options):
        return self.json("add", torrent, target, *options)["info_hash"]

    def wait_synced(self, *selectors, seconds=None):
        done = self.ctl("wait", *selectors, "--for", "synced", "--timeout", int(seconds or DEADLINE), check=False,
                        seconds=(seconds or DEADLINE) + 30)
        if done.returncode:
            raise AssertionError(f"{self.name}: wait: exit status {done.returncode}\n{done.stdout}{done.stderr}\n"
                                 f"{json.dumps(self.torrents_now(), indent=1)}\n{self.log_text()}")

    def stop(self, how=signal.SIGTERM, seconds=60):
        """Stops it and answers its exit status. A clean stop must be clean."""
        if self.process is None:
            return None
        self.process.send_signal(how)
        status = self.process.wait(seconds)
        self.process = None
        return status

    def kill(self):
        return self.stop(signal.SIGKILL)

    def rss_bytes(self, field="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")


class Lab(contextlib.AbstractContextManager):
    def __init__(self, room_mib=512):
        base = None
        with contextlib.suppress(FileNotFoundError):
            if shutil.disk_usage("/dev/shm").free > 2 * room_mib * MIB:
                base = "/dev/shm"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ezio-", dir=base))
        self.undo = contextlib.ExitStack()
        self.undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.daemons = []

    def __exit__(self, *_):
        self.close()

    def close(self):
        for daemon in self.daemons:
            if daemon.process and daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()
        self.undo.close()

    def daemon(self, name, settings=None, **keywords):
        daemon = Daemon(self, name, settings, **keywords)
        self.daemons.append(daemon)
        return daemon.start()

    def spawn(self, *command, **keywords):
        """A helper process that ends with the lab."""
        log = open(self.folder / f"{pathlib.Path(str(command[0])).name}.log", "ab")
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   **keywords)
        log.close()

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.undo.callback(end)
        return process

    def image(self, name, size_bytes):
        """A sparse image file."""
        path = self.folder / name
        with open(path, "wb") as file:
            file.truncate(size_bytes)
        return path

    def random_image(self, name, size_bytes):
        path = self.folder / name
        with open(path, "wb") as file:
            for position in range(0, size_bytes, MIB):
                file.write(os.urandom(min(MIB, size_bytes - position)))
        return path

    def loop(self, image, *options):
        """A loop device over an image file. A skip if there is none, but not for want of those that others give back."""
        need_root()
        deadline = time.monotonic() + DEADLINE
        while True:
            done = subprocess.run(["losetup", "--find", "--show", *options, image], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            if time.monotonic() > deadline or not self.others_have_loops():
                raise unittest.SkipTest(f"no loop device: {done.stderr.strip()}")
            time.sleep(0.1)
        device = done.stdout.strip()
        self.undo.callback(sh, "losetup", "-d", device)
        return pathlib.Path(device)

    def others_have_loops(self):
        """Whether other tests have loop devices, which they give back."""
        files = sh("losetup", "--list", "--noheadings", "--output", "BACK-FILE").splitlines()
        return any("/ezio-" in file and f"{self.folder}/" not in file for file in files)

    def nbd(self, name, size_bytes, *filters):
        """A file that is served by nbdkit from memory, through nbdkit filters and their parameters ("--filter=rate",
        "rate=80M"). A skip if that cannot be."""
        need_root()
        need("nbdkit", "nbdfuse")
        point = self.folder / name
        point.mkdir()
        options = [word for word in filters if word.startswith("--")]
        parameters = [word for word in filters if not word.startswith("--")]
        server = self.spawn("nbdfuse", point, "[", "nbdkit", "--exit-with-parent", *options, "memory", size_bytes,
                            *parameters, "]")
        self.undo.callback(subprocess.run, ["fusermount3", "-u", point], check=False, capture_output=True)
        wait_until(lambda: (point / "nbd").exists() or server.poll() is not None, "nbdfuse", 10)
        if server.poll() is not None:
            raise unittest.SkipTest(f"nbdfuse does not work here: {(self.folder / 'nbdfuse.log').read_text()[-200:]}")
        return point / "nbd"

    def loop_of(self, name, size_bytes):
        return self.loop(self.image(name, size_bytes))

    def mount(self, source, name, *options):
        need_root()
        point = self.folder / name
        point.mkdir()
        sh("mount", *options, source, point)
        self.undo.callback(sh, "umount", point)
        return point

    @contextlib.contextmanager
    def mounted(self, source, name, *options):
        need_root()
        point = self.folder / name
        point.mkdir()
        sh("mount", *options, source, point)
        try:
            yield point
        finally:
            sh("umount", point)
            point.rmdir()

    def files(self, size_bytes, seed=1):
        """A directory of files of many sizes, among them one large one. The same seed gives the same bytes."""
        import random
        source = random.Random(seed)
        folder = self.folder / f"files{seed}"
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "big.bin").write_bytes(source.randbytes(size_bytes * 3 // 4))
        for index in range(50):
            place = folder / "deep" / ("er" if index % 2 else "")
            (place / f"file{index}").write_bytes(source.randbytes(source.randrange(1, max(2, size_bytes // 400))))
        return folder

    def torrent(self, source, name=None, *options):
        path = self.folder / (name or f"{pathlib.Path(source).name}.torrent")
        ezioctl("create", source, "-o", path, *options)
        return path


class FakeClock:
    """The wall clock of the daemons that are started with its prefix, by libfaketime. The monotonic clock goes on."""

    def __init__(self, folder):
        self.library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if self.library is None:
            raise unittest.SkipTest("libfaketime is not installed")
        self.file = folder / "clock"
        self.file.write_text("+0", encoding="ascii")

    @property
    def prefix(self):
        return ("env", f"LD_PRELOAD={self.library}", f"FAKETIME_TIMESTAMP_FILE={self.file}", "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1")

    def set_off(self, seconds):
        """How far it is from the machine's clock, from now on."""
        temporary = self.file.with_suffix(".new")
        temporary.write_text(f"{seconds:+d}", encoding="ascii")
        temporary.rename(self.file)


def forget_cached(path):
    """Drops what the page cache holds of a file, so that the next read asks whoever serves it."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def make_torrent(path, source, extents, piece_bytes=256 << 10, name="disk", **more):
    """A v1 torrent of extents (offset, length) of a source, made without any code of ours. One extent and no name: a single-file torrent
    whose name is the offset."""
    payload = b""
    with open(source, "rb") as file:
        for offset, length in extents:
            file.seek(offset)
            payload += file.read(length)
    info = {"piece length": piece_bytes,
            "pieces": b"".join(hashlib.sha1(payload[at:at + piece_bytes]).digest()
                               for at in range(0, len(payload), piece_bytes))}
    if name is None:
        info |= {"name": f"{extents[0][0]:x}", "length": extents[0][1]}
    else:
        info |= {"name": name, "files": [{"path": [f"{offset:x}"], "length": length} for offset, length in extents]}
    pathlib.Path(path).write_bytes(bencode({"info": info, **more}))
    return pathlib.Path(path)


def inspect(torrent):
    return json.loads(ezioctl("--json", "inspect", torrent, check=False).stdout)


def assert_covered_equal(torrent, source, target):
    """Every byte that the torrent covers is the same on both."""
    done = subprocess.run([sys.executable, ROOT / "examples" / "compare-covered.py", source, target],
                          input=json.dumps(inspect(torrent)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)


def run(module):
    """Runs one test (Class.method in the arguments) or all; exit status 77 if nothing but skips ran."""
    names = sys.argv[1:]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    outcome = unittest.TextTestRunner(verbosity=2).run(suite)
    for test, reason in outcome.skipped:
        print(f"skipped: {test}: {reason}")
    if not outcome.wasSuccessful() or not outcome.testsRun:
        sys.exit(1)
    sys.exit(77 if len(outcome.skipped) == outcome.testsRun else 0)
