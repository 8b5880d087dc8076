"""Everything at once: operators that add, remove, pause, tune and re-partition at random while devices fail and processes die."""
import collections
import json
import random
import threading
import time

from campaign import MIB, Lab, Swarm, campaign, wait_until
from faulty_disk import EIO, ENOSPC, FaultyDisk

SIZES = (6 * MIB, 10 * MIB, 16 * MIB)
OPERATORS = 3
#: What a verb may end with: done, no such torrent, not in this state, refused, I/O, integrity. Never a time-out, an unreachable daemon, a crash.
STATUSES = (0, 1, 2, 3, 4, 5)
#: Seconds until a verb counts as hanging. A machine that is busy with other things answers late.
PATIENCE = 90
SETTINGS = {
    "cache-size": (64, 80, 128, 200), "aio-threads": (1, 2, 3, 5), "hashing-threads": (0, 1, 2, 4), "coalesce-size": (0, 16, 64, 1024, 4096),
    "coalesce-delay": (1, 20, 150, 1000), "prefetch": (0, 16, 1024), "sync-size": (0, 1, 4), "sync-interval": (0, 1),
    "download-limit": ("0", "1MiB/s", "20MiB/s"), "upload-limit": ("0", "1MiB/s", "20MiB/s"), "max-connections": (2, 50, 200),
    "max-uploads": (0, 1, 4), "collect-delay": (0, 5, 50), "io-engine": ("threads", "uring", "auto"), "sequential": ("true", "false"),
    "verify-source": ("true", "false"),
}


class Target:
    """One torrent, the disk it goes to, and whether it is known to be untouched since it was called synced."""

    def __init__(self, laboratory, size_bytes, number, seed):
        self.swarm = Swarm(size_bytes)
        laboratory.undo.callback(self.swarm.lab.close)
        self.disk = FaultyDisk(laboratory, f"disk{number}", size_bytes, seed)
        self.info_hash = self.swarm.seeder.torrent()["info_hash"]


class Stress:
    def __init__(self, ctx, rng, laboratory, seconds):
        self.ctx, self.rng, self.lab = ctx, rng, laboratory
        self.targets = [Target(laboratory, size, number, rng.random()) for number, size in enumerate(SIZES)]
        self.daemon = laboratory.daemon("target", {"disk": {"sync-size": 1}})
        self.until = time.monotonic() + seconds
        self.gate = threading.Condition()  # guards what follows
        self.inside = 0
        self.is_restarting = False
        self.counted = collections.Counter()
        self.stories = []

    def tell(self, what, story):
        with self.gate:
            self.stories.append((what, story))

    def verb(self, *words, daemon=None):
        done = (daemon or self.daemon).ctl("--json", "--timeout", PATIENCE, *words, check=False, seconds=2 * PATIENCE)
        with self.gate:
            self.counted[f"{words[0]} {done.returncode}"] += 1
        if done.returncode not in STATUSES:
            self.tell("unexpected exit status", f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def look(self):
        """What is called synced is on stable storage, at this very moment."""
        for row in json.loads(self.verb("status").stdout or "{}").get("torrents", ()):
            target = next(each for each in self.targets if each.info_hash == row["info_hash"])
            if row["synced"] and target.disk.durable_bytes() != target.swarm.bytes:
                self.tell("false finished", json.dumps(row))

    def add(self, target, rng):
        options = [option for option in ("--check", "--paused", "--sequential") if rng.random() < 0.25]
        self.verb("add", target.swarm.torrent, target.disk.device, "--peer", target.swarm.seeder.peer, *options)

    def play_fault(self, target, rng):
        disk = target.disk
        rng.choice((
            lambda: disk.fail_write(rng.randrange(4), rng.choice((EIO, ENOSPC))), lambda: disk.fail_flush(0),
            lambda: disk.fail_read(rng.randrange(4)), disk.be_well, disk.be_well, lambda: self.hang(disk, rng.uniform(0.05, 0.8)),
        ))()
        with self.gate:
            self.counted["faults"] += 1

    @staticmethod
    def hang(disk, seconds):
        disk.hang()
        time.sleep(seconds)
        disk.go_on()

    def restart(self, rng):
        """Alone: the other operators wait. They would only see that the daemon is gone."""
        with self.gate:
            if self.is_restarting:
                return
            self.is_restarting = True
            self.gate.wait_for(lambda: self.inside == 1)
        try:
            if rng.random() < 0.7:
                self.daemon.kill()
            else:
                # A device that fails at the end makes the stop fail, in words.
                status = self.daemon.stop()
                if status not in (0, 1, 4):
                    self.tell("daemon died", f"a stop ended with {status}\n{self.daemon.log_text()}")
            self.daemon.start()
        except AssertionError as failure:
            self.tell("daemon died", str(failure))
            self.until = 0
        finally:
            with self.gate:
                self.is_restarting = False
                self.counted["restarts"] += 1
                self.gate.notify_all()

    def step(self, rng):
        target = rng.choice(self.targets)
        key = rng.choice(list(SETTINGS))
        rng.choices((
            lambda: self.add(target, rng),
            lambda: self.verb(rng.choice(("remove", "pause", "verify", "reannounce", "peers", "resume")), target.info_hash),
            lambda: self.verb("resume", rng.choice(("all", target.info_hash))),
            lambda: self.verb("set", key, rng.choice(SETTINGS[key])),
            lambda: self.verb("warm", "all", daemon=target.swarm.seeder),
            lambda: self.verb("stats"),
            self.look,
            lambda: self.play_fault(target, rng),
            lambda: self.restart(rng),
        ), (20, 14, 10, 20, 2, 4, 12, 16, 2))[0]()

    def operate(self, seed):
        rng = random.Random(seed)
        try:
            while time.monotonic() < self.until and not self.stories:
                with self.gate:
                    self.gate.wait_for(lambda: not self.is_restarting)
                    self.inside += 1
                try:
                    self.step(rng)
                finally:
                    with self.gate:
                        self.inside -= 1
                        self.gate.notify_all()
        except Exception as failure:  # pylint: disable=broad-except  # told by the test's thread
            self.tell("not completed", repr(failure))

    def play(self):
        threads = [threading.Thread(target=self.operate, args=(self.rng.random(),)) for _ in range(OPERATORS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def end(self):
        """Without faults and limits everything completes, is right and verified, and ends well."""
        for target in self.targets:
            target.disk.go_on()
            target.disk.be_well()
        for key in ("download-limit", "upload-limit"):
            self.daemon.ctl("set", key, "0")
        self.daemon.ctl("set", "max-connections", "200")
        for target in self.targets:
            # Refused if it is there, as one that was kept over a restart may be at any moment.
            self.verb("add", target.swarm.torrent, target.disk.device, "--peer", target.swarm.seeder.peer)
        wait_until(lambda: len(self.daemon.torrents_now()) == len(self.targets), "all are there")
        # One that verifies, or stops for what a fault has left, is not to be resumed yet.
        wait_until(lambda: all(row["state"] not in ("verifying", "checking") for row in self.daemon.torrents_now()), "all are at rest")
        self.daemon.ctl("resume", "all")
        self.daemon.wait_synced("all")
        self.daemon.ctl("verify", "all")
        self.daemon.ctl("wait", "all", "--for", "verified", "--timeout", "90")
        for target in self.targets:
            self.ctx.never("wrong bytes", target.disk.durable_bytes() != target.swarm.bytes, target.info_hash)
            self.ctx.never("daemon died", target.disk.failure is not None, repr(target.disk.failure))
        self.ctx.never("daemon died", self.daemon.stop() != 0, self.daemon.log_text())


@campaign("stress", fault="three operators who add, remove, pause, resume, verify, tune and re-partition at random, while writes, reads and "
                          "flushes of three devices fail or hang, and the daemon is killed or stopped and started",
          promise="what is called synced is on stable storage at that very moment; no verb hangs; when the faults are over everything completes, "
                  "right and verified",
          unit="seconds", full=300, smoke=20,
          never=("false finished", "unexpected exit status", "daemon died", "wrong bytes", "not completed"))
def stress(ctx, only):
    slice_seconds = min(ctx.units, 30)
    for rng in ctx.each_run(only):
        with ctx.guarded("not completed"), Lab() as laboratory:
            run = Stress(ctx, rng, laboratory, slice_seconds)
            run.play()
            ctx.done += slice_seconds
            ctx.seen["verbs"] += sum(count for what, count in run.counted.items() if " " in what)
            for what in ("faults", "restarts"):
                ctx.seen[what] += run.counted[what]
            for what, story in run.stories:
                ctx.never(what, True, story)
            run.end()
