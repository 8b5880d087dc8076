"""Limits, slow start and the order of torrents: judged by counters, not by the clock."""
import unittest

import lab
from lab import MIB, Lab, assert_covered_equal, wait_until


class Scene(Lab):
    """A source and a target with torrents of so many MiB each, in that order."""

    def __init__(self, *sizes_mib, settings=None):
        super().__init__(2 * sum(sizes_mib))
        self.source, self.target = self.daemon("source"), self.daemon("target", settings)
        self.images = [self.random_image(f"image{number}", size * MIB) for number, size in enumerate(sizes_mib)]
        self.torrents = [self.torrent(image, None, "--fs", "raw") for image in self.images]
        self.copies = [self.image(f"copy{number}", size * MIB) for number, size in enumerate(sizes_mib)]
        self.hashes = [self.source.add(*pair, "--seed") for pair in zip(self.torrents, self.images)]
        for info_hash in self.hashes:
            self.source.wait_for_state("seeding", info_hash=info_hash)

    def add(self, number, *options):
        self.target.add(self.torrents[number], self.copies[number], "--peer", self.source.peer, *options)

    def rows(self):
        found = {row["info_hash"]: row for row in self.target.torrents_now()}
        return [found.get(info_hash) for info_hash in self.hashes]

    def assert_done(self):
        self.target.wait_synced()
        for torrent, image, copy in zip(self.torrents, self.images, self.copies):
            assert_covered_equal(torrent, image, copy)


class Limits(unittest.TestCase):
    def test_each_torrent_has_its_own(self):
        with Scene(64, 64) as scene:
            scene.add(0, "--paused", "--download-limit", "8MiB/s")
            scene.add(1, "--paused", "--download-limit", "2MiB/s")
            scene.target.ctl("resume", "all")
            rows = wait_until(lambda: (lambda rows: rows[0]["downloaded_bytes"] >= 32 * MIB and rows)(scene.rows()),
                              "half of the first")
            self.assertEqual([row["download_limit"] for row in rows], [8 * MIB, 2 * MIB])
            ratio = rows[0]["downloaded_bytes"] / max(1, rows[1]["downloaded_bytes"])
            self.assertTrue(2.5 < ratio < 6, f"four times as fast, not {ratio:.1f}: {rows}")
            scene.target.ctl("tune", "all", "--download-limit", "none")
            scene.assert_done()

    def test_the_sources_limits_hold_for_each_torrent(self):
        with Scene(32, 32) as scene:
            scene.source.ctl("tune", scene.hashes[1], "--upload-limit", "1MiB/s")
            scene.source.ctl("tune", scene.hashes[0], "--upload-limit", "6MiB/s")
            for number in (0, 1):
                scene.add(number, "--paused")
            scene.target.ctl("resume", "all")
            rows = wait_until(lambda: (lambda rows: rows[0]["downloaded_bytes"] >= 24 * MIB and rows)(scene.rows()),
                              "most of the first")
            ratio = rows[0]["downloaded_bytes"] / max(1, rows[1]["downloaded_bytes"])
            self.assertTrue(3.5 < ratio < 9, f"six times as fast, not {ratio:.1f}: {rows}")
            scene.source.ctl("tune", "all", "--upload-limit", "0")
            scene.assert_done()

    def test_they_outlive_a_restart(self):
        with Scene(16) as scene:
            scene.add(0, "--download-limit", "1MiB/s", "--priority", "low")
            scene.target.ctl("tune", "all", "--upload-limit", "300KiB/s")
            scene.target.stop()
            scene.target.start()
            row = scene.target.wait_for(lambda row: row["state"] == "downloading", "it goes on")
            self.assertEqual((row["upload_limit"], row["download_limit"], row["priority"]), (300 << 10, MIB, "low"))
            scene.target.ctl("tune", "all", "--download-limit", "none")
            scene.assert_done()


class Order(unittest.TestCase):
    def test_the_smallest_first(self):
        settings = {"session": {"torrent-order": "small-first", "download-limit": "8MiB/s"}}
        with Scene(48, 16, settings=settings) as scene:
            for number in (0, 1):
                scene.add(number, "--paused")
            scene.target.ctl("resume", "all")
            large, _ = wait_until(lambda: (lambda rows: rows[1]["done_bytes"] == 16 * MIB and rows)(scene.rows()),
                                  "the small one is there")
            self.assertLess(large["done_bytes"], 12 * MIB, "the large one has waited")
            scene.target.wait_for(lambda row: not row["held"], "it is let go", scene.hashes[0])
            scene.target.ctl("set", "download-limit", "0")
            scene.assert_done()

    def test_priority_is_live(self):
        with Scene(64, 64, settings={"session": {"download-limit": "8MiB/s"}}) as scene:
            for number in (0, 1):
                scene.add(number)
            scene.target.ctl("tune", scene.hashes[1], "--priority", "high")
            before = wait_until(lambda: (lambda rows: rows[0]["held"] and rows)(scene.rows()), "the first is held")
            after = wait_until(lambda: (lambda rows: rows[1]["downloaded_bytes"] - before[1]["downloaded_bytes"] >= 24 * MIB
                                        and rows)(scene.rows()), "the second moves on")
            self.assertLess(after[0]["downloaded_bytes"] - before[0]["downloaded_bytes"], 8 * MIB, "the first has waited")
            scene.target.ctl("tune", "all", "--priority", "normal")
            wait_until(lambda: not scene.rows()[0]["held"], "nobody waits")
            scene.target.ctl("set", "download-limit", "0")
            scene.assert_done()

    def test_one_without_peers_holds_nobody(self):
        with Scene(8, 32, settings={"session": {"download-limit": "4MiB/s"}}) as scene:
            scene.target.add(scene.torrents[0], scene.copies[0], "--priority", "high")
            scene.add(1)
            wait_until(lambda: scene.rows()[1]["held"], "it waits for the other at first")
            scene.target.wait_for(lambda row: not row["held"], "it is let go", scene.hashes[1])
            scene.target.ctl("set", "download-limit", "0")
            scene.target.ctl("wait", scene.hashes[1], "--for", "synced", "--timeout", lab.DEADLINE)
            self.assertEqual(scene.rows()[0]["done_bytes"], 0)


class SlowStart(unittest.TestCase):
    def test_it_rises_and_ends(self):
        settings = {"session": {"slow-start": "2MiB/s", "slow-start-step": "2MiB/s", "slow-start-period": "1s",
                                "slow-start-end": "12MiB/s"}}
        with Scene(64, settings=settings) as scene:
            self.assertEqual(scene.target.json("status")["torrents"], [])
            scene.add(0)
            seen = []

            def has_ended():
                rate = scene.rows()[0]["slow_start_rate"]
                if rate != (seen[-1] if seen else None):
                    seen.append(rate)
                return rate is None
            wait_until(has_ended, "the slow start has ended")
            rates = seen[:-1]
            self.assertEqual(rates[0], 2 * MIB, seen)
            self.assertEqual(rates, sorted(rates), seen)
            self.assertGreater(len(rates), 2, seen)
            self.assertTrue(all(rate % (2 * MIB) == 0 and rate < 12 * MIB for rate in rates), seen)
            scene.assert_done()
            self.assertEqual(scene.target.json("get", "download-limit")["settings"][0]["value"], "0")


if __name__ == "__main__":
    lab.run(__import__("__main__"))
