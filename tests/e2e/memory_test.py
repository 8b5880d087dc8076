"""cache-size is a budget: the smallest works, what it was lowered to holds at once, and nobody can take all of it."""
import contextlib
import os
import time
import unittest

import lab
from lab import MIB, Lab, sh, wait_until
from wire_peer import BLOCK, WirePeer, info_hash_of

# Above cache-size: program, libraries, libtorrent's receive buffers and everything else that is no block.
BESIDES = 96 * MIB
# How soon a new cache-size must be true.
SOON = 1.0


class SilentPeer(WirePeer):
    """Asks a seeder for blocks and never reads them."""

    def __init__(self, seeder, info_hash, number):
        # As little as possible in the kernel: what it does not take stays with the seeder.
        super().__init__(seeder, info_hash, number, receive_buffer_bytes=4096)

    def ask(self, first, count, piece_bytes):
        for offset in range(first, first + count * BLOCK, BLOCK):
            self.request(offset // piece_bytes, offset % piece_bytes)


class Budget(unittest.TestCase):
    def assert_within(self, daemon, cache_mib):
        peak = daemon.rss_bytes("VmHWM")
        self.assertLessEqual(peak, cache_mib * MIB + BESIDES, f"{daemon.name} peaked at {peak // MIB} MiB")

    def test_the_smallest_cache_carries_several_torrents_to_several_targets(self):
        each = 24 * MIB
        with Lab() as laboratory:
            seeder = laboratory.daemon("seeder")
            targets = [laboratory.daemon(f"target{number}") for number in range(3)]
            pairs = []
            for number in range(4):
                source = laboratory.random_image(f"source{number}", each)
                torrent = laboratory.torrent(source, None, "--fs", "raw")
                seeder.add(torrent, source, "--seed")
                for target in targets:
                    image = laboratory.image(f"{target.name}-{number}", each)
                    target.add(torrent, image, "--peer", seeder.peer)
                    pairs.append((source, image))
            for target in targets:
                target.wait_synced("all")
            for daemon in (seeder, *targets):
                budget = daemon.json("stats")["budget"]
                self.assertEqual(budget["capacity_bytes"], 64 * MIB)
                self.assertEqual(budget["blocks_refused"], 0, f"{daemon.name} had no room for what peers sent")
                self.assert_within(daemon, 64)
                self.assertEqual(daemon.stop(), 0)
            for source, image in pairs:
                sh("cmp", source, image)

    def test_peers_that_stop_reading_do_not_starve_the_others(self):
        size, silent = 128 * MIB, 60
        with Lab() as laboratory, contextlib.ExitStack() as ends:
            source = laboratory.random_image("source", size)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            piece_bytes = lab.inspect(torrent)["piece_bytes"]
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            seeder.wait_for_state("seeding")
            peers = []
            for number in range(silent):
                peers.append(SilentPeer(seeder, info_hash_of(torrent), number))
                ends.callback(peers[-1].close)
            for number, peer in enumerate(peers):
                peer.wait_unchoked()
                # Every one other blocks, so that none is sent from another's memory.
                peer.ask(number * 2 * MIB, 128, piece_bytes)
            # What they hold, in the middle of which another one comes.
            wait_until(lambda: seeder.torrent()["uploaded_bytes"] > 0, "they are sent something")
            image = laboratory.image("image", size)
            target = laboratory.daemon("target")
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced(seconds=60)
            self.assertGreaterEqual(seeder.torrent()["peers"], silent, "they are still there")
            self.assert_within(seeder, 64)
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_a_new_cache_size_is_true_within_a_second_under_full_load(self):
        size = 1536 * MIB
        with Lab(2 * size // MIB) as laboratory:
            source = laboratory.image("source", size)
            with open(source, "r+b") as file:
                chunk = os.urandom(MIB)
                for number in range(size // MIB):
                    # Different pieces for the price of one chunk of random bytes.
                    file.write(chunk[number:] + chunk[:number])
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            image = laboratory.image("image", size)
            large = {"disk": {"cache-size": 1024}}
            seeder, target = laboratory.daemon("seeder", large), laboratory.daemon("target", large)
            seeder.add(torrent, source, "--seed")
            for daemon in (seeder, target):
                wait_until(lambda d=daemon: d.rss_bytes() > 1024 * MIB, f"the memory of {daemon.name} is touched")
            target.add(torrent, image, "--peer", seeder.peer)
            seen = []
            for cache in (64, 512, 64):
                target.wait_for(lambda row: row["down_rate"] > 0, "data flows")
                for daemon in (seeder, target):
                    began = time.monotonic()
                    self.assertTrue(daemon.json("set", "cache-size", cache)["active"])
                    self.wait_true(daemon, cache, began, seen)
                self.assertLess(target.torrent()["done_bytes"], size, f"the load must last until the end: {seen}")
            target.wait_synced()
            for daemon in (seeder, target):
                self.assertEqual(daemon.json("stats")["budget"]["blocks_refused"], 0)
            self.assertEqual((seeder.stop(), target.stop()), (0, 0))
            sh("cmp", source, image)
            print(f"MiB in use and resident, seconds after the setting: {seen}")

    def wait_true(self, daemon, cache, began, seen):
        """Until capacity, use and memory are what was asked for, or SOON has passed."""
        while True:
            budget, rss = daemon.json("stats")["budget"], daemon.rss_bytes()
            is_true = budget["capacity_bytes"] == cache * MIB and budget["used_bytes"] <= cache * MIB \
                and rss <= cache * MIB + BESIDES
            passed = time.monotonic() - began
            if is_true or passed > SOON:
                break
            time.sleep(0.02)
        seen.append((daemon.name, cache, budget["used_bytes"] // MIB, rss // MIB, round(passed, 2)))
        self.assertTrue(is_true, f"{budget}, {rss // MIB} MiB resident {passed:.2f} s after cache-size {cache}: {seen}")


if __name__ == "__main__":
    lab.run(__import__("__main__"))
