"""Campaigns of what others send: peers of the swarm, and clients of the control socket."""
import random
import time

from campaign import MIB, PIECE, Lab, Swarm, campaign, is_right
from hostile_peers import KINDS, HostilePeer
from hostile_torrents import hostile

SIZE = 8 * MIB
#: Beside cache-size: what the daemon needs for itself and its connections.
MEMORY = 96 * MIB


@campaign("hostile-peers", fault="peers that send corrupt blocks, garbage, messages of 4 GiB, pieces that are not, bombs for extensions, half a "
                                 "handshake or nothing: to target and seeder, beside a good one",
          promise="the target completes from the good one and nothing corrupt is kept; both daemons go on within their memory",
          unit="peers", full=400, smoke=16,
          never=("wrong bytes", "error", "daemon died", "too much memory", "not completed"))
def hostile_peers(ctx, only):
    for rng in ctx.each_run(only):
        with ctx.guarded("not completed"), Swarm(SIZE, limit="6MiB/s") as swarm, Lab() as laboratory:
            play_peers(ctx, rng, swarm, laboratory)


def play_peers(ctx, rng, swarm, laboratory):
    image = laboratory.image("image", SIZE)
    daemon = laboratory.daemon("target")
    info_hash = daemon.add(swarm.torrent, image, "--peer", swarm.seeder.peer)
    daemon.wait_for(lambda row: row["state"] != "checking", "peers are heard")
    peers = []
    try:
        for number in range(20):
            kind = list(KINDS)[number] if number < len(KINDS) else rng.choice(list(KINDS))
            victim = swarm.seeder if rng.random() < 0.3 and kind != "corrupt_blocks" else daemon
            peers.append(HostilePeer(victim.port, info_hash, SIZE // PIECE, kind, random.Random(rng.random())))
            time.sleep(rng.uniform(0, 0.05))
        swarm.limit("0")
        # Who sends wrong blocks can delay it, not stop it.
        daemon.wait_synced()
    finally:
        for peer in peers:
            peer.end()
    ctx.done += sum(peer.has_been_heard for peer in peers)
    ctx.seen["corrupt blocks sent"] += sum(peer.blocks_sent for peer in peers)
    row = daemon.torrent()
    ctx.seen["pieces refused by their hash"] += row["hash_failures"]
    ctx.never("error", row["state"] == "error", row["error"])
    for each in (daemon, swarm.seeder):
        peak = each.rss_bytes("VmHWM")
        ctx.largest("MiB of memory", peak / MIB)
        ctx.never("too much memory", peak > 64 * MIB + MEMORY, f"{each.name}: {peak / MIB:.0f} MiB")
        ctx.never("daemon died", each.stop() != 0, each.log_text())
    ctx.never("wrong bytes", not is_right(swarm, image))


@campaign("hostile-torrents", fault="torrent files that are truncated, nested, huge, negative, overlapping, beyond 2^63, of paths and escapes",
          promise="refused before the first write, exit status 2 or 3, one clear line",
          unit="torrents", full=len(list(hostile())), smoke=len(list(hostile())),
          never=("taken", "other exit status", "more than a line", "target touched", "daemon died"))
def hostile_torrents(ctx, only):
    with Lab() as laboratory:
        daemon = laboratory.daemon("target")
        image = laboratory.random_image("image", 4 * MIB)
        before = image.read_bytes()
        for number, (what, content) in enumerate(hostile()):
            if only not in (None, number):
                continue
            ctx.runs = number + 1
            torrent = laboratory.folder / "hostile.torrent"
            torrent.write_bytes(content)
            answer = daemon.ctl("add", torrent, image, check=False)
            ctx.done += 1
            ctx.never("taken", answer.returncode == 0 or daemon.torrents_now(), what)
            ctx.never("other exit status", answer.returncode not in (2, 3), f"{what}: {answer.returncode}: {answer.stderr}")
            lines = answer.stderr.splitlines()
            ctx.never("more than a line", len(lines) != 1 or not lines[0].isprintable(), f"{what}: {answer.stderr!r}")
            ctx.seen[f"exit status {answer.returncode}"] += 1
        ctx.never("target touched", image.read_bytes() != before)
        ctx.never("daemon died", daemon.stop() != 0, daemon.log_text())
