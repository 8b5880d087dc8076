"""What a seeder's cache is for: every byte of the source is read from the device once, whoever asks for it."""
import concurrent.futures
import pathlib
import unittest

import lab
from lab import MIB, Lab, assert_covered_equal, need_root, wait_until
from wire_peer import WirePeer, info_hash_of

SECTOR_BYTES = 512
CACHE_MIB = 64
PIECE_BYTES = 2 * MIB


def device_read_bytes(device):
    """What the kernel has read from a block device so far."""
    fields = pathlib.Path(f"/sys/block/{device.name}/stat").read_text(encoding="ascii").split()
    return int(fields[2]) * SECTOR_BYTES


class SeederCache(unittest.TestCase):
    def prepare(self, image_bytes):
        need_root()
        self.lab = self.enterContext(Lab(4 * image_bytes // MIB))
        self.image_bytes = image_bytes
        self.source = self.lab.loop(self.lab.random_image("source", image_bytes))
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw", "--piece-size", PIECE_BYTES)
        self.seeder = self.lab.daemon("seeder", {"disk": {"cache-size": CACHE_MIB}})
        self.seeder.add(self.torrent, self.source, "--seed")
        self.seeder.wait_for_state("seeding")
        self.device_before = device_read_bytes(self.source)

    def transfer(self, names, settings=None, options=(), is_swarm=True):
        """Brings the image to loop devices, all starting together; the seeder's totals and what was read from its device meanwhile."""
        targets = {self.lab.daemon(name, settings): self.lab.loop_of(f"target-{name}", self.image_bytes) for name in names}
        for daemon, target in targets.items():
            others = [word for other in targets if other is not daemon and is_swarm for word in ("--peer", other.peer)]
            daemon.add(self.torrent, target, "--paused", "--peer", self.seeder.peer, *others, *options)
        with concurrent.futures.ThreadPoolExecutor(len(targets)) as at_once:
            list(at_once.map(lambda daemon: daemon.ctl("resume", "all"), targets))
        for daemon in targets:
            daemon.wait_synced()
        figures = self.figures()
        for daemon, target in targets.items():
            self.assertEqual(daemon.stop(), 0)
            assert_covered_equal(self.torrent, self.source, target)
        return figures

    def figures(self):
        totals = self.seeder.json("stats")["totals"]
        rate = totals["cache_hits"] / (totals["cache_hits"] + totals["cache_misses"])
        figures = {name: totals[name] for name in ("cache_hits", "cache_misses", "read_ops", "read_bytes", "ahead_blocks",
                                                   "ahead_unused_blocks")}
        figures |= {"device_bytes": device_read_bytes(self.source) - self.device_before, "image_bytes": self.image_bytes,
                    "hit_rate": round(rate, 4)}
        print(figures)
        return figures

    def assert_read_once(self, figures):
        self.assertGreaterEqual(figures["hit_rate"], 0.98, figures)
        self.assertLessEqual(figures["read_bytes"], 1.02 * self.image_bytes, figures)
        self.assertLessEqual(figures["device_bytes"], 1.02 * self.image_bytes, figures)

    def fetch_apart(self, distance_bytes):
        """Two peers read the whole source in order, the second always as far behind the first as is said."""
        pieces, distance = self.image_bytes // PIECE_BYTES, distance_bytes // PIECE_BYTES
        peers = self.wire_peers(2)
        for step in range(pieces + distance):
            for peer, piece in zip(peers, (step, step - distance)):
                if 0 <= piece < pieces:
                    self.fetch(peer, piece)
        return self.figures()

    def wire_peers(self, count, **kind):
        # Not through the device, whose reads are counted.
        self.image = (self.lab.folder / "source").read_bytes()
        peers = []
        for number in range(count):
            peers.append(WirePeer(self.seeder, info_hash_of(self.torrent), number, **kind))
            self.addCleanup(peers[-1].close)
        for peer in peers:
            peer.wait_unchoked()
        return peers

    def fetch(self, peer, piece):
        self.assertEqual(peer.fetch(piece, PIECE_BYTES), self.image[piece * PIECE_BYTES:(piece + 1) * PIECE_BYTES], f"piece {piece}")

    def warm(self):
        self.seeder.ctl("warm", "all")
        return self.seeder.wait_for(lambda row: not row["warming"], "the warm-up ends")["warm_bytes"]

    def test_a_seeder_with_two_targets_reads_each_byte_of_its_source_once(self):
        self.prepare(3 * CACHE_MIB * MIB)
        self.assert_read_once(self.fetch_apart(CACHE_MIB * MIB * 5 // 8))

    def test_what_a_target_has_from_elsewhere_takes_no_room_from_what_it_lacks(self):
        self.prepare(4 * CACHE_MIB * MIB)
        pieces = self.image_bytes // PIECE_BYTES
        first, second = self.wire_peers(2)
        lacked = range(0, pieces, 7)
        for piece in set(range(pieces)) - set(lacked):
            second.have(piece)
        # Its answer comes after all that it said was heard.
        self.fetch(second, lacked[0])
        for piece in range(pieces):
            self.fetch(first, piece)
        for piece in lacked[1:]:
            self.fetch(second, piece)
        self.assert_read_once(self.figures())

    def test_a_target_is_told_what_it_lacks_before_it_costs_another_read(self):
        self.prepare(4 * CACHE_MIB * MIB)
        pieces = self.image_bytes // PIECE_BYTES
        first, second = self.wire_peers(2, is_fast=True)
        had = set()
        for piece in range(pieces):
            self.fetch(first, piece)
            # Left to itself it would begin when the first one is done.
            second.take_messages()
            while second.suggested:
                wanted = second.suggested.pop(0)
                if wanted not in had:
                    self.fetch(second, wanted)
                    had.add(wanted)
        self.assertTrue(had)
        for piece in set(range(pieces)) - had:
            self.fetch(second, piece)
        figures = self.figures()
        # The first piece that each partition evicts goes before anybody can be told.
        self.assertLessEqual(figures["read_bytes"], 1.1 * self.image_bytes, figures)

    def test_nodes_that_pass_nothing_on_get_it_from_the_source_while_it_is_in_memory(self):
        self.prepare(4 * CACHE_MIB * MIB)
        pieces = self.image_bytes // PIECE_BYTES
        peers = self.wire_peers(2, is_directed=True)
        had = {peer: set() for peer in peers}
        # In turns, as nodes do: what was suggested first, else what the source gave them.
        # Seeds have nothing to say to each other, and the source ends the connection to one.
        while directed := [peer for peer in peers if not peer.is_free and len(had[peer]) < pieces]:
            is_idle = True
            for peer in directed:
                peer.take_messages()
                for piece in peer.suggested[::-1] + peer.shown:
                    if piece in had[peer]:
                        continue
                    self.assertIn(piece, peer.shown, "nobody asks a source that directs for what it was not shown")
                    self.fetch(peer, piece)
                    had[peer].add(piece)
                    is_idle = False
                    break
            told_nothing = [peer for peer in directed if not peer.is_free]
            if is_idle and told_nothing:
                WirePeer.wait_any(told_nothing)
        self.assertTrue(any(peer.suggested for peer in peers))
        for piece in range(pieces):
            for peer in peers:
                if piece not in had[peer]:
                    self.fetch(peer, piece)
        figures = self.figures()
        self.assertLessEqual(figures["read_bytes"], 1.1 * self.image_bytes, figures)

    def test_however_far_apart_two_targets_of_an_image_that_fits_cost_one_read(self):
        self.prepare(CACHE_MIB * MIB * 3 // 4)
        self.assert_read_once(self.transfer(["first", "second"], {"session": {"pex": False}}, is_swarm=False))

    def test_two_targets_that_exchange_pieces_cost_no_more_reads_than_uploads(self):
        self.prepare(4 * CACHE_MIB * MIB)
        figures = self.transfer(["first", "second"])
        self.assertGreaterEqual(figures["hit_rate"], 0.98, figures)
        self.assertEqual(figures["device_bytes"], figures["read_bytes"])
        # Statuses of the session come some time after the bytes they tell of.
        self.seeder.wait_for(lambda row: figures["read_bytes"] <= 1.02 * row["uploaded_bytes"],
                             f"what was read was sent: {figures}", seconds=10)

    def test_a_warm_seeder_serves_from_memory(self):
        self.prepare(16 * MIB)
        self.assertEqual(self.warm(), self.image_bytes)
        self.assertEqual(device_read_bytes(self.source) - self.device_before, self.image_bytes)
        figures = self.transfer(["target"])
        self.assertEqual((figures["cache_misses"], figures["device_bytes"]), (0, self.image_bytes), figures)

    def test_a_warm_up_of_more_than_fits_ends_within_the_budget(self):
        self.prepare(2 * CACHE_MIB * MIB)
        warm_bytes = self.warm()
        budget = self.seeder.json("stats")["budget"]
        # A seeder receives nothing, so that nearly all of it is for its source.
        self.assertGreaterEqual(warm_bytes, CACHE_MIB * MIB * 3 // 4, budget)
        self.assertLessEqual(warm_bytes, budget["used_bytes"])
        self.assertLess(budget["used_bytes"], budget["capacity_bytes"])
        # Nothing was read for the sake of being pushed out again.
        self.assertEqual(device_read_bytes(self.source) - self.device_before, warm_bytes)

    def test_warm_ups_of_two_sources_take_turns(self):
        self.prepare(4 * CACHE_MIB * MIB)
        # A file system has one cache for all images on it.
        names = ("one", "other")
        images = [self.lab.random_image(name, self.image_bytes) for name in names]
        for image in images:
            self.seeder.add(self.lab.torrent(image, None, "--fs", "raw", "--piece-size", PIECE_BYTES), image, "--seed")
        self.seeder.ctl("remove", str(self.source))
        wait_until(lambda: [row["state"] for row in self.seeder.torrents_now()] == ["seeding"] * 2, "both are there")
        before = self.seeder.json("stats")["totals"]["read_bytes"]
        self.seeder.ctl("warm", "all")
        wait_until(lambda: not any(row["warming"] for row in self.seeder.torrents_now()), "both warm-ups end")
        stats = self.seeder.json("stats")
        for row in self.seeder.torrents_now():
            self.assertGreater(row["warm_bytes"], CACHE_MIB * MIB // 2)
            self.assertLessEqual(row["warm_bytes"], stats["budget"]["capacity_bytes"])
        # Neither read on and on since the other one made room.
        self.assertLessEqual(stats["totals"]["read_bytes"] - before, 2 * stats["budget"]["capacity_bytes"])

    def test_a_full_cache_makes_room_when_its_daemon_begins_to_receive(self):
        self.prepare(2 * CACHE_MIB * MIB)
        self.assertGreater(self.warm(), CACHE_MIB * MIB * 3 // 4)
        size = 2 * CACHE_MIB * MIB
        other = self.lab.loop(self.lab.random_image("other", size))
        target = self.lab.loop_of("received", size)
        torrent = self.lab.torrent(other, None, "--fs", "raw")
        giver = self.lab.daemon("giver")
        giver.add(torrent, other, "--seed")
        info_hash = self.seeder.add(torrent, target, "--peer", giver.peer)
        self.seeder.wait_synced(info_hash)
        budget = self.seeder.json("stats")["budget"]
        self.assertEqual(budget["blocks_refused"], 0, budget)
        assert_covered_equal(torrent, other, target)
        # All has arrived: the two devices share seven eighths again, of which receiving left a half.
        source_hash = info_hash_of(self.torrent).hex()
        self.seeder.ctl("warm", source_hash)
        row = self.seeder.wait_for(lambda row: not row["warming"], "the warm-up ends", source_hash)
        self.assertGreater(row["warm_bytes"], CACHE_MIB * MIB * 3 // 8, budget)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
