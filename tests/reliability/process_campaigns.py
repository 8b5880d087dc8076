"""Campaigns of processes that are killed, of state that cannot be kept, and of clocks that jump."""
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import lab
from campaign import (MIB, PIECE, Lab, Swarm, campaign, gone_on, is_right, kept_pieces, wait_until, wrong_pieces)
from lab import need, need_root

SIZE = 16 * MIB
#: What may be fetched twice beside whole pieces that were not kept: parts of pieces that were on their way.
UNDER_WAY = 2 * PIECE


def new_target(ctx, rng, laboratory, swarm):
    """A target on an image file or a loop device, with checkpoints at short intervals."""
    image = laboratory.image("image", swarm.size_bytes)
    path = laboratory.loop(image) if os.geteuid() == 0 and rng.random() < 0.5 else image
    daemon = laboratory.daemon("target", {"disk": {"sync-size": rng.choice((1, 2, 4)), "sync-interval": 0,
                                                   "coalesce-size": rng.choice((64, 256, 1024))}})
    ctx.seen["transfers to a loop device"] += path != image
    return daemon, path


def kill_now(ctx, swarm, daemon, path):
    """SIGKILL. Answers how many pieces the state has kept, which must be right on the target, and how many had arrived."""
    daemon.kill()
    ctx.done += 1
    kept = kept_pieces(daemon.folder / "state")
    if ctx.never("torrent forgotten", kept is None):
        wrong = wrong_pieces(swarm, kept, path.read_bytes())
        ctx.never("kept pieces wrong", wrong, f"{len(wrong)} of {len(kept)}")
        ctx.seen["kept pieces compared"] += len(kept)
    return len(kept or ())


def start_again(ctx, daemon, kept):
    """Everything that was kept counts again."""
    row = gone_on(daemon)
    ctx.never("kept pieces fetched again", row["done_bytes"] < kept * PIECE, f"{row['done_bytes']} bytes, {kept} pieces kept")
    ctx.never("hashed again", "hashed again" in daemon.log_text())
    return row


@campaign("kill-target", fault="SIGKILL of a target at a random moment: of the transfer, the start, the flush, after the end",
          promise="it goes on by itself; what was flushed and kept is right and is not fetched again; it completes",
          unit="kills", full=240, smoke=4,
          never=("wrong bytes", "kept pieces wrong", "kept pieces fetched again", "more fetched than was missing", "torrent forgotten",
                 "hashed again", "not completed"))
def kill_target(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                kill_until_done(ctx, rng, swarm, laboratory)


def kill_until_done(ctx, rng, swarm, laboratory):
    daemon, path = new_target(ctx, rng, laboratory, swarm)
    swarm.limit(rng.choice(("5MiB/s", "10MiB/s", "20MiB/s")))
    daemon.add(swarm.torrent, path, "--peer", swarm.seeder.peer)
    kept = 0
    for _ in range(rng.randint(3, 8)):
        before = None
        if rng.random() < 0.2:
            kill_while_starting(ctx, rng, daemon)
        else:
            time.sleep(rng.uniform(0, 0.6))
            if rng.random() < 0.5:
                before = daemon.torrent()
                ctx.seen["kills after the end"] += before["synced"]
                ctx.seen["kills while flushing"] += before["state"] == "syncing"
        kept = kill_now(ctx, swarm, daemon, path)
        if before:
            ctx.largest("MiB done and not yet flushed at a kill", (before["done_bytes"] - kept * PIECE) / MIB)
        start_again(ctx, daemon, kept)
    swarm.limit("0")
    daemon.wait_synced()
    row = daemon.torrent()
    ctx.never("more fetched than was missing", row["downloaded_bytes"] > SIZE - kept * PIECE + UNDER_WAY,
              f"{row['downloaded_bytes']} fetched, {kept} pieces kept")
    if rng.random() < 0.5:
        kill_now(ctx, swarm, daemon, path)
        ctx.seen["kills after the end"] += 1
    else:
        ctx.never("not completed", daemon.stop() != 0, daemon.log_text())
    ctx.never("wrong bytes", not is_right(swarm, path))
    ctx.seen["transfers completed"] += 1


def kill_while_starting(ctx, rng, daemon):
    """Kills it, and has it started again without waiting until it answers."""
    daemon.kill()
    ctx.done += 1
    with open(daemon.log, "ab") as log:
        daemon.process = subprocess.Popen([lab.BIN / "eziod", "-c", daemon.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    time.sleep(rng.uniform(0, 0.1))
    ctx.seen["kills in the middle of the start"] += 1


@campaign("kill-seeder", fault="SIGKILL of the seeder at a random moment, and its return",
          promise="the target waits without an error and completes from whoever comes back",
          unit="kills", full=60, smoke=2, never=("wrong bytes", "error", "not completed"))
def kill_seeder(ctx, only):
    for rng in ctx.each_run(only):
        with ctx.guarded("not completed"), Swarm(SIZE, limit="8MiB/s") as swarm, Lab() as laboratory:
            daemon, path = new_target(ctx, rng, laboratory, swarm)
            daemon.add(swarm.torrent, path, "--peer", swarm.seeder.peer)
            for _ in range(rng.randint(1, 4)):
                time.sleep(rng.uniform(0, 0.5))
                swarm.seeder.kill()
                ctx.done += 1
                row = daemon.torrent()
                ctx.never("error", row["state"] == "error", row["error"])
                swarm.seeder.start()
            swarm.limit("0")
            daemon.wait_synced()
            ctx.never("wrong bytes", not is_right(swarm, path))


CLIENTS = (("status", "--watch", "1"), ("events", "--follow"), ("wait", "--for", "gone"), ("status", "--verbose"), ("stats",), ("peers",),
           ("set", "prefetch", "512"), ("--json", "status"), ("verify", "all"), ("reannounce", "all"), ("settings",))


@campaign("kill-client", fault="SIGKILL of `ezioctl` at a random moment of any verb",
          promise="the daemon does not notice: it answers the next one, and the transfer completes",
          unit="kills", full=200, smoke=10, never=("wrong bytes", "no answer", "not completed"))
def kill_client(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                swarm.limit("8MiB/s")
                daemon, path = new_target(ctx, rng, laboratory, swarm)
                daemon.add(swarm.torrent, path, "--peer", swarm.seeder.peer)
                environment = dict(os.environ, EZIO_ENDPOINT=daemon.endpoint)
                for _ in range(20):
                    client = subprocess.Popen([lab.BIN / "ezioctl", *rng.choice(CLIENTS)], env=environment, stdin=subprocess.DEVNULL,
                                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    time.sleep(rng.uniform(0, 0.03))
                    client.send_signal(signal.SIGKILL)
                    client.wait()
                    ctx.done += 1
                ctx.never("no answer", daemon.ctl("ping", check=False).returncode != 0)
                swarm.limit("0")
                daemon.wait_synced()
                ctx.never("not completed", daemon.stop() != 0, daemon.log_text())
                ctx.never("wrong bytes", not is_right(swarm, path))


@campaign("kill-tracker", fault="SIGKILL of the tracker at a random moment, and its return",
          promise="known peers stay; the target completes, without an error",
          unit="kills", full=10, smoke=1, never=("wrong bytes", "error", "not completed"))
def kill_tracker(ctx, only):
    need("opentracker")
    for rng in ctx.each_run(only):
        with ctx.guarded("not completed"), Lab() as laboratory:
            play_tracker(ctx, rng, laboratory)


def start_tracker(laboratory, port, allowed):
    tracker = laboratory.spawn("opentracker", "-i", "127.0.0.1", "-p", port, "-P", port, "-w", allowed)

    def listens():
        if tracker.poll() is not None:
            raise unittest.SkipTest(f"opentracker ends with {tracker.returncode} here")
        return subprocess.run([sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"],
                              capture_output=True, check=False).returncode == 0
    wait_until(listens, "the tracker listens", 15)
    return tracker


def play_tracker(ctx, rng, laboratory):
    port = lab.free_port()
    source = laboratory.random_image("source", SIZE)
    torrent = laboratory.torrent(source, None, "--fs", "raw", "--tracker", f"http://127.0.0.1:{port}/announce")
    folder = laboratory.folder / "tracker"
    folder.mkdir(mode=0o755)
    os.chmod(laboratory.folder, 0o755)
    # Debian's opentracker serves listed torrents only.
    allowed = folder / "allowed"
    allowed.write_text(lab.inspect(torrent)["info_hash"] + "\n", encoding="ascii")
    tracker = start_tracker(laboratory, port, allowed)
    seeder = laboratory.daemon("seeder", {"session": {"upload-limit": "8MiB/s"}})
    seeder.add(torrent, source, "--seed")
    daemon = laboratory.daemon("target")
    image = laboratory.image("image", SIZE)
    daemon.add(torrent, image)

    def has_begun():
        for each in (seeder, daemon):
            each.ctl("reannounce", "all")
        return daemon.torrent()["peers"]
    wait_until(has_begun, "the tracker has made them known")
    time.sleep(rng.uniform(0, 1))
    tracker.kill()
    tracker.wait()
    ctx.done += 1
    daemon.ctl("reannounce", "all")
    row = daemon.torrent()
    ctx.never("error", row["state"] == "error", row["error"])
    if rng.random() < 0.5:
        start_tracker(laboratory, port, allowed)
        ctx.seen["trackers that came back"] += 1
    daemon.wait_synced()
    ctx.never("wrong bytes", image.read_bytes() != source.read_bytes())


@campaign("full-state", fault="the state directory's file system is full from a random moment on, and the target is killed",
          promise="the transfer goes on and a warning says what is not kept; what was kept before is right; kept again once there is room",
          unit="transfers", full=20, smoke=1,
          never=("wrong bytes", "kept pieces wrong", "torrent forgotten", "error", "no warning", "hashed again",
                 "kept pieces fetched again", "not completed"))
def full_state(ctx, only):
    need_root()
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                play_full_state(ctx, rng, swarm, laboratory)


def play_full_state(ctx, rng, swarm, laboratory):
    swarm.limit("8MiB/s")
    point = laboratory.mount("tmpfs", "state-room", "-t", "tmpfs", "-o", "size=128k")
    image = laboratory.image("image", SIZE)
    daemon = laboratory.daemon("target", {"disk": {"sync-size": 1, "sync-interval": 0}, "state": {"directory": str(point / "state")}})
    (daemon.folder / "state").symlink_to(point / "state")
    daemon.add(swarm.torrent, image, "--peer", swarm.seeder.peer)
    time.sleep(rng.uniform(0, 1))
    fill(point / "filler")
    wait_until(lambda: daemon.torrent()["synced"] or "No space left" in daemon.log.read_text(errors="replace"), "it says so")
    ctx.never("no warning", "No space left" not in daemon.log.read_text(errors="replace"), daemon.log_text())
    row = daemon.torrent()
    ctx.never("error", row["state"] == "error", row["error"])
    if rng.random() < 0.5:
        kept = kill_now(ctx, swarm, daemon, image)
        ctx.done -= 1
        (point / "filler").unlink()
        ctx.seen["kills while it was full"] += 1
        start_again(ctx, daemon, kept)
    else:
        (point / "filler").unlink()
    swarm.limit("0")
    daemon.wait_synced()
    wait_until(lambda: len(kept_pieces(daemon.folder / "state") or ()) == SIZE // PIECE, "all is kept once there is room")
    ctx.done += 1
    ctx.never("not completed", daemon.stop() != 0, daemon.log_text())
    ctx.never("wrong bytes", not is_right(swarm, image))


def fill(path):
    """Until nothing more fits."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass  # full, as was wanted


@campaign("clock-jump", fault="the wall clock jumps by up to ten years, either way, again and again (libfaketime; the monotonic clock goes on)",
          promise="nobody notices: transfer, checkpoints, time-outs and rates count by the monotonic clock",
          unit="jumps", full=100, smoke=5, never=("wrong bytes", "error", "no answer", "clock that stayed", "not completed"))
def clock_jump(ctx, only):
    with Swarm(SIZE) as swarm:
        for rng in ctx.each_run(only):
            with ctx.guarded("not completed"), Lab() as laboratory:
                play_clock(ctx, rng, swarm, laboratory)


def play_clock(ctx, rng, swarm, laboratory):
    swarm.limit("8MiB/s")
    clock = lab.FakeClock(laboratory.folder)
    daemon = lab.Daemon(laboratory, "target", {"disk": {"sync-size": 2, "sync-interval": 1}})
    laboratory.daemons.append(daemon)
    daemon.start(prefix=clock.prefix)
    image = laboratory.image("image", SIZE)
    daemon.add(swarm.torrent, image, "--peer", swarm.seeder.peer)
    for _ in range(rng.randint(5, 10)):
        time.sleep(rng.uniform(0, 0.2))
        clock.set_off(rng.randrange(-315_000_000, 315_000_000))
        ctx.done += 1
        ctx.never("no answer", daemon.ctl("ping", check=False).returncode != 0)
    row = daemon.torrent()
    ctx.never("error", row["state"] == "error", row["error"])
    swarm.limit("0")
    daemon.wait_synced()
    ctx.never("not completed", daemon.stop() != 0, daemon.log_text())
    days = set(re.findall(r"^\d{4}-\d{2}-\d{2}(?=T)", daemon.log.read_text(errors="replace"), re.MULTILINE))
    ctx.never("clock that stayed", len(days) < 2, f"its log knows {days} only")
    ctx.never("wrong bytes", not is_right(swarm, image))
