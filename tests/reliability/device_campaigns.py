"""Campaigns of devices that fail, lie, hang, shrink or lose their power."""
import hashlib
import json
import os
import re
import subprocess
import time
import unittest

from campaign import (MIB, PIECE, Lab, Swarm, campaign, gone_on, has_whole_story, is_right, kept_pieces, settled,
                      wrong_pieces)
from faulty_disk import EIO, ENOSPC, FaultyDisk
from lab import BIN, need, need_root, sh

SIZE = 8 * MIB
#: Small writes, so that there are many to choose from.
MANY_WRITES = {"disk": {"coalesce-size": 64, "sync-size": 2, "sync-interval": 0}}
#: Writes and flushes of one transfer of SIZE with these settings, about.
WRITES, FLUSHES = 70, 5
#: Of a sweep, which takes a run for each call.
SWEPT = 4 * MIB


def target_of(laboratory, swarm, device, settings, *options):
    # Two partitions wherever this runs: what they do at the same time is part of what is tried.
    daemon = laboratory.daemon("target", settings | {"disk": {"aio-threads": 2} | settings["disk"]})
    daemon.add(swarm.torrent, device, "--peer", swarm.seeder.peer, *options)
    return daemon


def goes_on_when_mended(ctx, swarm, disk, daemon):
    """After the cause is gone `resume` completes what is there, and it is right."""
    disk.be_well()
    daemon.ctl("resume", "all")
    # It looks at the device first.
    daemon.wait_for(lambda row: row["state"] != "error", "it goes on")
    daemon.wait_synced()
    ctx.never("wrong bytes", disk.durable_bytes() != swarm.bytes, "after resume")
    ctx.seen["completed by resume"] += 1


def one_error(ctx, rng, swarm, plan, retries=0):
    """A transfer in which `plan` makes something fail once; whatever the state says must be true."""
    with Lab() as laboratory:
        disk = FaultyDisk(laboratory, "disk", SIZE, rng.random())
        plan(disk)
        daemon = target_of(laboratory, swarm, disk.device, {"disk": MANY_WRITES["disk"] | {"retry-limit": retries}})
        row = settled(daemon)
        played = disk.played
        if row["synced"]:
            ctx.seen["finished"] += 1
            ctx.seen["finished although the fault was played"] += played > 0
            ctx.never("false finished", disk.durable_bytes() != swarm.bytes, f"{played} faults played")
        else:
            ctx.seen["stopped in error"] += 1
            ctx.never("error without its story", not has_whole_story(row["error"], disk.device), json.dumps(row["error"]))
            status = daemon.ctl("wait", "--for", "synced", "--timeout", "30", check=False).returncode
            ctx.never("false finished", status == 0, "wait --for synced succeeded")
            goes_on_when_mended(ctx, swarm, disk, daemon)
        ctx.never("daemon died", daemon.stop() != 0, daemon.log_text())
        ctx.done += played > 0


@campaign("write-error", fault="one write fails with EIO or ENOSPC, at random",
          promise="tried again (`retry-limit`) if it is an EIO, else state `error` with operation, device, offset, length and errno; never "
                  "`finished` without the bytes; `resume` completes it once the cause is mended",
          unit="failed writes", full=100, smoke=3,
          never=("false finished", "wrong bytes", "error without its story", "daemon died", "not completed"))
def write_error(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"):
                one_error(ctx, rng, swarm, lambda disk, rng=rng: disk.fail_write(
                    rng.randrange(WRITES), rng.choice((EIO, EIO, ENOSPC))), retries=rng.choice((0, 4)))


@campaign("flush-error", fault="one flush fails, and the device has lost what it had not flushed",
          promise="the same: a failed flush is final, whatever the next one says",
          unit="failed flushes", full=100, smoke=3,
          never=("false finished", "wrong bytes", "error without its story", "daemon died", "not completed"))
def flush_error(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"):
                one_error(ctx, rng, swarm, lambda disk, rng=rng: disk.fail_flush(rng.randrange(FLUSHES)))


@campaign("sweep", fault="call 0, 1, 2 ... of reads, writes and flushes fails, each once, until none does: through add, download, verify, resume, "
                         "stop",
          promise="each is an error with its story or costs nothing; after `resume` all is right and verified, and the stop is clean",
          unit="failed calls", full=1000, smoke=6,
          never=("false finished", "false verified", "wrong bytes", "error without its story", "daemon died", "not completed"))
def sweep(ctx, only):
    kinds = ("read", "write", "flush")
    with Swarm(SWEPT) as swarm:
        call, left = 0, set(kinds)
        while left and ctx.done < ctx.units and not ctx.failures:
            for kind in [kind for kind in kinds if kind in left]:
                if only in (None, ctx.runs):
                    with ctx.guarded("not completed"):
                        if not one_of_sweep(ctx, swarm, kind, call):
                            left.remove(kind)
                            ctx.seen[f"calls of {kind} swept"] = call
                ctx.runs += 1
            call += 1
            if only is not None and ctx.runs > only:
                break


def one_of_sweep(ctx, swarm, kind, call):
    """Whether there was such a call to fail."""
    with Lab() as laboratory:
        disk = FaultyDisk(laboratory, "disk", SWEPT, call)
        {"read": disk.fail_read, "write": disk.fail_write, "flush": disk.fail_flush}[kind](call)
        daemon = target_of(laboratory, swarm, disk.device, {"disk": {"coalesce-size": 256, "sync-size": 1, "sync-interval": 0}})
        row = settled(daemon)
        ctx.never("false finished", row["synced"] and disk.durable_bytes() != swarm.bytes)
        if row["synced"]:
            daemon.ctl("verify", "all")
            row = daemon.wait_for(lambda row: row["verified"] or row["state"] == "error", "verified or in error")
            ctx.never("false verified", row["verified"] and disk.bytes_now() != swarm.bytes)
        if row["state"] == "error":
            ctx.seen["stopped in error"] += 1
            ctx.never("error without its story", not has_whole_story(row["error"], disk.device), json.dumps(row["error"]))
            goes_on_when_mended(ctx, swarm, disk, daemon)
            daemon.ctl("verify", "all")
            daemon.wait_for(lambda row: row["verified"], "verified after resume")
        played = disk.played
        ctx.never("daemon died", daemon.stop() != 0 and played == disk.played, daemon.log_text())
        ctx.never("wrong bytes", disk.durable_bytes() != swarm.bytes and played == disk.played)
        ctx.seen["failed at the stop"] += disk.played - played
        ctx.done += disk.played
        return disk.played > 0


@campaign("lost-write", fault="one write is answered with success and leaves nothing: the device lies",
          promise="`finished` repeats what the device said and cannot know; `verify` reads the device itself and finds it: never "
                  "`verified`, exit status 5, and `resume` mends it",
          unit="lost writes", full=100, smoke=3,
          never=("false verified", "wrong bytes", "wrong number of bad pieces", "daemon died", "not completed"))
def lost_write(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                disk = FaultyDisk(laboratory, "disk", SIZE, rng.random())
                disk.lose_write(rng.randrange(WRITES))
                daemon = target_of(laboratory, swarm, disk.device, MANY_WRITES)
                daemon.wait_synced()
                daemon.ctl("verify", "all")
                status = daemon.ctl("wait", "--for", "verified", "--timeout", "60", check=False).returncode
                differing = len(wrong_pieces(swarm, range(SIZE // PIECE), disk.bytes_now()))
                ctx.never("false verified", (status == 0) != (differing == 0), f"{differing} pieces differ, exit status {status}")
                if disk.played:
                    ctx.done += 1
                    row = daemon.torrent()
                    ctx.seen["found by verify, exit status 5"] += status == 5
                    ctx.never("wrong number of bad pieces", row["bad_pieces"] != differing,
                              f"{row['bad_pieces']} reported, {differing} differ")
                    ctx.never("false verified", row["verified"], "verified in status")
                    daemon.ctl("resume", "all")
                    daemon.wait_for(lambda row: not row["bad_pieces"], "it is looked at again")
                    daemon.wait_synced()
                    daemon.ctl("verify", "all")
                    daemon.wait_for(lambda row: row["verified"], "verified")
                    ctx.seen["mended by resume"] += 1
                ctx.never("wrong bytes", disk.durable_bytes() != swarm.bytes)
                ctx.never("daemon died", daemon.stop() != 0, daemon.log_text())


def close_device(device):
    """The last close: what the page cache still has goes to the disk now."""
    with open(device, "rb+") as file:
        os.fsync(file.fileno())


class StateOnDisk:
    """A state directory on an ext4 of its own faulty disk, which loses power with the target."""

    def __init__(self, laboratory, seed):
        self.lab = laboratory
        self.disk = FaultyDisk(laboratory, "state-disk", 4 * MIB, seed)
        sh("mkfs.ext4", "-q", "-F", "-J", "size=1", "-b", "1024", self.disk.device)
        self.point = laboratory.folder / "state"
        self.point.mkdir()
        self.is_mounted = False
        laboratory.undo.callback(self.umount)
        self.mount()

    def mount(self):
        sh("mount", self.disk.device, self.point)
        self.is_mounted = True

    def umount(self):
        if self.is_mounted:
            sh("umount", self.point)
            self.is_mounted = False

    @property
    def directory(self):
        return self.point / "eziod"


@campaign("power-cut", fault="power cut at a random moment: of the writes since the last flush each is kept, torn or lost, in no order; target "
                             "and state directory (ext4) alike",
          promise="what was kept for a restart, and what was called `finished`, is on the device; the rest is fetched again, and it completes",
          unit="cuts", full=100, smoke=4,
          never=("kept pieces wrong", "finished then lost", "wrong bytes", "torrent forgotten", "not completed"))
def power_cut(ctx, only):
    need("mkfs.ext4")
    size = 12 * MIB
    with Swarm(size) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                disk = FaultyDisk(laboratory, "disk", size, rng.random())
                state = StateOnDisk(laboratory, rng.random())
                swarm.limit(rng.choice(("6MiB/s", "12MiB/s")))
                daemon = target_of(laboratory, swarm, disk.device, {
                    "disk": {"coalesce-size": rng.choice((64, 1024)), "sync-size": rng.choice((1, 2, 4)), "sync-interval": 0},
                    "state": {"directory": str(state.directory)}})
                for _ in range(rng.randint(2, 5)):
                    cut(ctx, rng, swarm, disk, state, daemon)
                swarm.limit("0")
                daemon.wait_synced()
                ctx.never("wrong bytes", disk.durable_bytes() != swarm.bytes, "after synced")
                cut(ctx, rng, swarm, disk, state, daemon, seconds=0)
                daemon.wait_synced()
                ctx.seen["bytes fetched after a cut of a finished target"] += daemon.torrent()["downloaded_bytes"]
                ctx.seen["transfers completed"] += 1


def cut(ctx, rng, swarm, disk, state, daemon, seconds=0.8):
    time.sleep(rng.uniform(0, seconds))
    was_synced = daemon.torrent()["synced"]
    daemon.kill()
    ctx.seen["writes lost or torn"] += disk.cut_power()
    ctx.seen["writes of state lost or torn"] += state.disk.cut_power()
    ctx.done += 1
    state.umount()
    for gone in (disk, state.disk):
        close_device(gone.device)
        gone.power_on()
    state.mount()
    kept = kept_pieces(state.directory)
    ctx.never("torrent forgotten", kept is None)
    wrong = wrong_pieces(swarm, kept or (), disk.bytes_now())
    ctx.never("kept pieces wrong", wrong, f"{len(wrong)} of {len(kept or ())}")
    ctx.seen["kept pieces compared"] += len(kept or ())
    ctx.never("finished then lost", was_synced and disk.bytes_now() != swarm.bytes)
    row = gone_on(daemon)
    ctx.never("not completed", row["state"] == "error", json.dumps(row["error"]))
    ctx.never("kept pieces wrong", row["done_bytes"] < len(kept or ()) * PIECE,
              f"{row['done_bytes']} there, {len(kept or ())} pieces kept")


@campaign("hang", fault="the device answers nothing for 1 to 3 s, at random",
          promise="no error and no death; `status` answers meanwhile; it goes on by itself",
          unit="hangs", full=20, smoke=1, never=("wrong bytes", "error", "no answer meanwhile", "not completed"))
def hang(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                swarm.limit("8MiB/s")
                disk = FaultyDisk(laboratory, "disk", SIZE, rng.random())
                daemon = target_of(laboratory, swarm, disk.device, MANY_WRITES)
                time.sleep(rng.uniform(0, 0.8))
                disk.hang()
                until = time.monotonic() + rng.uniform(1, 3)
                while time.monotonic() < until:
                    answered = daemon.ctl("status", check=False, seconds=60).returncode
                    ctx.never("no answer meanwhile", answered != 0, f"exit status {answered}")
                    ctx.seen["answers meanwhile"] += 1
                disk.go_on()
                ctx.done += disk.hung > 0
                row = settled(daemon)
                ctx.never("error", row["state"] == "error", json.dumps(row["error"]))
                ctx.never("wrong bytes", disk.durable_bytes() != swarm.bytes)


@campaign("vanish", fault="the device shrinks, to nothing or to a part, or all its calls fail from a random moment on",
          promise="state `error` with the whole story; the daemon and another torrent go on; `resume` completes it when the device is back",
          unit="losses", full=20, smoke=1,
          never=("false finished", "wrong bytes", "error without its story", "other torrent stopped", "not completed"))
def vanish(ctx, only):
    with Swarm(SIZE) as swarm, Swarm(SIZE) as other:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                # Slow enough for the loss to come first on a machine that is busy with other things.
                swarm.limit("2MiB/s")
                other.limit("4MiB/s")
                disk = FaultyDisk(laboratory, "disk", SIZE, rng.random())
                image = laboratory.image("other", SIZE)
                daemon = target_of(laboratory, other, image, MANY_WRITES)
                good = daemon.torrent()["info_hash"]
                bad = daemon.add(swarm.torrent, disk.device, "--peer", swarm.seeder.peer)
                time.sleep(rng.uniform(0, 0.7))
                for kind in ("read", "write", "flush"):
                    disk.always_fail(kind)
                row = daemon.wait_for(lambda row: row["synced"] or row["state"] == "error", "it notices", bad)
                ctx.never("false finished", row["synced"])
                ctx.never("error without its story", not has_whole_story(row["error"], disk.device), json.dumps(row["error"]))
                ctx.done += 1
                other.limit("0")
                daemon.wait_synced(good)
                ctx.never("other torrent stopped", not is_right(other, image))
                disk.be_well()
                swarm.limit("0")
                daemon.ctl("resume", bad)
                daemon.wait_for(lambda row: row["state"] != "error", "it goes on", bad)
                daemon.wait_synced(bad)
                ctx.never("wrong bytes", disk.durable_bytes() != swarm.bytes)


@campaign("shrink", fault="the file behind the loop device is cut short in mid-transfer",
          promise="the same as for a device that vanishes",
          unit="cuts", full=20, smoke=1,
          never=("false finished", "wrong bytes", "daemon died", "not completed"))
def shrink(ctx, only):
    need_root()
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                swarm.limit("6MiB/s")
                backing = laboratory.image("backing", SIZE)
                device = laboratory.loop(backing)
                daemon = target_of(laboratory, swarm, device, MANY_WRITES)
                time.sleep(rng.uniform(0, 0.7))
                os.truncate(backing, rng.randrange(SIZE // 8, SIZE // 2))
                sh("losetup", "-c", device)
                # Until losetup has told it, the device writes beyond the new end, and the file grows again; and a transfer may be over.
                if os.stat(backing).st_size >= SIZE or daemon.torrent()["synced"]:
                    continue
                ctx.done += 1
                row = settled(daemon)
                ctx.never("false finished", row["synced"], "synced on a device that is too small")
                ctx.seen["stopped in error"] += row["state"] == "error"
                os.truncate(backing, SIZE)
                sh("losetup", "-c", device)
                swarm.limit("0")
                daemon.ctl("resume", "all")
                daemon.wait_for(lambda row: row["state"] != "error", "it goes on")
                daemon.wait_synced()
                ctx.never("daemon died", daemon.stop() != 0, daemon.log_text())
                ctx.never("wrong bytes", not is_right(swarm, device))


@campaign("full-file-system", fault="an image file's file system is full at a random place: short writes, then ENOSPC",
          promise="state `error` with ENOSPC; `resume` completes it when there is room",
          unit="transfers", full=20, smoke=1,
          never=("false finished", "wrong bytes", "error without its story", "daemon died", "not completed"))
def full_file_system(ctx, only):
    need_root()
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                room = rng.randrange(1 * MIB, SIZE - MIB) // 4096 * 4096
                point = laboratory.mount("tmpfs", "small", "-t", "tmpfs", "-o", f"size={room}")
                image = point / "image"
                with open(image, "wb") as file:
                    file.truncate(SIZE)
                daemon = target_of(laboratory, swarm, image, MANY_WRITES)
                row = settled(daemon)
                ctx.done += 1
                if ctx.never("false finished", row["synced"]):
                    ctx.never("error without its story", not has_whole_story(row["error"], image), json.dumps(row["error"]))
                sh("mount", "-o", f"remount,size={2 * SIZE}", point)
                daemon.ctl("resume", "all")
                daemon.wait_for(lambda row: row["state"] != "error", "it goes on")
                daemon.wait_synced()
                ctx.never("daemon died", daemon.stop() != 0, daemon.log_text())
                ctx.never("wrong bytes", not is_right(swarm, image))




@campaign("in-process", fault="one write or flush fails, ends short, is torn, lost or spoilt by a bit, at random, on a fake device below one partition; then "
                              "a power cut",
          promise="what a sync called durable survives; what was lost or spoilt without a word is found by hashing the device",
          unit="faults", full=12000, smoke=1000, never=("false finished", "false verified", "not completed"))
def in_process(ctx, only):
    program = BIN.parent / "tests" / "core" / "core_test"
    if not program.exists():
        raise unittest.SkipTest(f"there is no {program}")
    number = int.from_bytes(hashlib.sha256(str(ctx.seed).encode()).digest()[:4], "big")
    # Eight kinds of fault; about six in ten hit a call.
    done = subprocess.run([program, "[chance]"], capture_output=True, text=True, check=False,
                          env=dict(os.environ, EZIO_TEST_SEED=str(number), EZIO_FAULT_RUNS=str(ctx.units // 5)))
    ctx.runs = 8 * (ctx.units // 5)
    for line in re.findall(r"^played .*", done.stdout, re.MULTILINE):
        words = line.split()
        counted = dict(zip(words[::2], map(int, words[1::2])))
        ctx.done += counted["played"]
        ctx.seen["told by the sync"] += counted["failed"]
        ctx.seen["lied and found"] += counted["lied"]
        for what in ("false-finished", "false-verified"):
            ctx.bad[what.replace("-", " ")] += counted[what]
    ctx.never("not completed", done.returncode != 0 or not ctx.done, done.stdout[-2000:])
