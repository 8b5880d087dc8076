"""What is said of a torrent after it is done, and after a fault: verification, stretches that differ or cannot be read, report, restart."""
import os
import time
import unittest

import lab
from lab import MIB, Failed, Lab, need_root, sh, wait_until

SIZE = 32 * MIB
PIECE = 256 << 10


class Base(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", SIZE)
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw", "--piece-size", "256K")

    def seeder(self):
        seeder = self.lab.daemon("seeder")
        seeder.add(self.torrent, self.source, "--seed")
        return seeder

    def synced_target(self, *options, settings=None):
        seeder, target = self.seeder(), self.lab.daemon("target", settings)
        image = self.lab.image("image", SIZE)
        target.add(self.torrent, image, "--peer", seeder.peer, *options)
        target.wait_synced()
        return target, image

    def damage(self, image, *offsets):
        with open(image, "r+b") as file:
            for offset in offsets:
                file.seek(offset)
                byte = file.read(1)
                file.seek(offset)
                file.write(bytes([byte[0] ^ 1]))


class Evidence(Base):
    def test_verify_names_the_stretches_that_differ(self):
        target, image = self.synced_target()
        self.damage(image, 5 * PIECE, 6 * PIECE + 100, 20 * PIECE - 1)
        target.ctl("verify", "all")
        done = target.ctl("wait", "--for", "verified", "--timeout", "60", check=False)
        self.assertEqual(done.returncode, 5, done.stderr)
        row = target.torrent()
        self.assertEqual((row["bad_pieces"], row["bad_ranges_more"]), (3, 0))
        self.assertEqual(row["bad_ranges"], [{"offset_bytes": 5 * PIECE, "length_bytes": 2 * PIECE},
                                             {"offset_bytes": 19 * PIECE, "length_bytes": PIECE}])
        text = f"offset {5 * PIECE} length {2 * PIECE}"
        self.assertIn(text, target.ctl("status", "--verbose").stdout)
        self.assertIn(text, done.stderr)
        self.assertIn(text, target.log_text(), "the event tells")
        # Only those are fetched again.
        before = row["downloaded_bytes"]
        target.ctl("resume", "all")
        target.wait_synced()
        row = target.torrent()
        self.assertLessEqual(row["downloaded_bytes"] - before, 8 * PIECE)
        self.assertEqual(row["bad_ranges"], [])
        sh("cmp", self.source, image)

    def test_verify_reads_the_device_where_direct_io_is_off(self):
        need_root()
        # The page cache keeps in one what was written at once, up to 2 MiB: pieces within that, and beyond it.
        for piece in (PIECE, 1 << 20, 4 << 20):
            with self.subTest(piece=piece), Lab() as room:
                torrent = room.torrent(self.source, None, "--fs", "raw", "--piece-size", piece)
                seeder, target = room.daemon("seeder"), room.daemon("target", {"disk": {"direct-io": "off"}})
                seeder.add(torrent, self.source, "--seed")
                image = room.image("image", SIZE)
                target.add(torrent, room.loop(image), "--peer", seeder.peer)
                target.wait_synced()
                # Beneath the device, whose page cache goes on showing what was written.
                damaged = [5 << 20, (20 << 20) + (600 << 10), SIZE - 1]
                self.damage(image, *damaged)
                target.ctl("verify", "all")
                done = target.ctl("wait", "--for", "verified", "--timeout", "60", check=False)
                self.assertEqual(done.returncode, 5, done.stderr)
                self.assertEqual(target.torrent()["bad_ranges"],
                                 [{"offset_bytes": at // piece * piece, "length_bytes": piece} for at in damaged])

    def test_a_long_list_is_cut_and_says_so(self):
        target, image = self.synced_target()
        self.damage(image, *(piece * PIECE for piece in range(1, 128, 2)))
        target.ctl("verify", "all")
        target.wait_for(lambda row: row["state"] == "error", "the difference is found")
        row = target.torrent()
        self.assertEqual(row["bad_pieces"], 64)
        self.assertEqual(len(row["bad_ranges"]) + row["bad_ranges_more"], 64)
        self.assertIn("and 60 more", row["error"]["message"])

    def test_the_rate_of_a_verification_holds_and_can_be_changed(self):
        target, _ = self.synced_target(settings={"disk": {"verify-rate": "8MiB/s"}})
        began = time.monotonic()
        target.ctl("verify", "all")
        target.wait_for(lambda row: row["verified"], "it ends")
        # It may take longer, but not shorter: 32 MiB at 8 MiB/s, less a piece and what a late timer makes up for.
        self.assertGreaterEqual(time.monotonic() - began, 3.5)
        target.ctl("set", "verify-rate", "1")
        target.ctl("verify", "all")
        target.wait_for(lambda row: row["state"] == "verifying" and row["progress"] > 0, "a first piece is read")
        # Hours are left at this rate. Meanwhile it serves whoever asks.
        other = self.lab.daemon("other")
        other.add(self.torrent, self.lab.image("second", SIZE), "--peer", target.peer)
        other.wait_synced()
        row = target.torrent()
        self.assertEqual(row["state"], "verifying")
        self.assertLess(row["progress"], 0.5)
        target.ctl("set", "verify-rate", "0")
        target.wait_for(lambda row: row["verified"], "it ends soon without a rate")

    def test_add_verify_reads_the_target_back_and_wait_waits_for_it(self):
        seeder, target = self.seeder(), self.lab.daemon("target")
        target.add(self.torrent, self.lab.image("image", SIZE), "--peer", seeder.peer, "--verify")
        self.assertEqual(target.ctl("wait", "--for", "verified", "--timeout", "60").returncode, 0)
        row = target.torrent()
        self.assertTrue(row["verified"] and row["synced"])
        self.assertLessEqual(row["downloaded_unix_ms"], row["synced_unix_ms"])
        self.assertLessEqual(row["synced_unix_ms"], row["verified_unix_ms"])

    def test_a_source_lists_what_it_cannot_read_and_serves_the_rest(self):
        seeder = self.lab.daemon("seeder", {"disk": {"retry-limit": 0, "prefetch": 0}})
        seeder.add(self.torrent, self.source, "--seed")
        os.truncate(self.source, SIZE - PIECE)
        target = self.lab.daemon("target")
        target.add(self.torrent, self.lab.image("image", SIZE), "--peer", seeder.peer)
        target.wait_for(lambda row: row["done_bytes"] == SIZE - PIECE, "all that can be read has come")
        row = seeder.wait_for(lambda row: row["read_errors"] > 0 and row["unreadable_ranges"], "it says so")
        self.assertEqual(row["state"], "seeding")
        for stretch in row["unreadable_ranges"]:
            self.assertGreaterEqual(stretch["offset_bytes"], SIZE - PIECE)
        self.assertIn("unreadable", seeder.ctl("status", "--verbose").stdout)

    def test_the_report_is_evidence(self):
        seeder, target = self.seeder(), self.lab.daemon("target")
        image = self.lab.image("image", SIZE)
        target.add(self.torrent, image, "--peer", seeder.peer, "--verify")
        target.ctl("wait", "--for", "verified", "--timeout", "60")
        report = target.json("report")
        self.assertEqual(set(report), {"schema", "unix_ms", "host", "daemon", "torrents"})
        self.assertEqual(report["host"], os.uname().nodename)
        torrent = report["torrents"][0]
        row = target.torrent()
        self.assertEqual(set(torrent) - set(row), {"verdict", "info_hash_v2", "device", "errors", "errors_total"})
        self.assertEqual(set(torrent["device"]), {"path", "size_bytes", "block_device", "identity", "model", "disk"})
        self.assertEqual((torrent["verdict"], torrent["errors"], torrent["errors_total"]), ("verified", [], 0))
        self.assertEqual((torrent["info_hash"], torrent["done_bytes"]), (row["info_hash"], SIZE))
        self.assertEqual((torrent["device"]["path"], torrent["device"]["size_bytes"]), (str(image), SIZE))
        self.assertIn(f"inode {image.stat().st_ino}", torrent["device"]["identity"])
        text = target.ctl("report", image).stdout
        for word in ("verified (state seeding)", row["info_hash"], f"{SIZE} of {SIZE}", str(image)):
            self.assertIn(word, text)
        self.damage(image, 0)
        target.ctl("verify", "all")
        target.wait_for(lambda row: row["state"] == "error", "the difference is found")
        torrent = target.json("report")["torrents"][0]
        self.assertEqual((torrent["verdict"], torrent["errors_total"]), ("failed", 1))
        self.assertEqual(torrent["errors"][0]["error"]["code"], "integrity")
        self.assertEqual((torrent["synced_unix_ms"], torrent["verified_unix_ms"]), (None, None))
        with self.assertRaises(Failed):
            target.ctl("report", "nothing")


class AfterRestart(Base):
    """A fault that is older than the daemon."""

    def test_a_torrent_whose_target_is_gone_is_shown_and_can_be_resumed(self):
        target, image = self.synced_target()
        target.stop()
        aside = image.rename(self.lab.folder / "aside")
        target.start()
        row = target.wait_for(lambda row: row["state"] == "error", "it is shown")
        self.assertEqual((row["target"], row["name"], row["synced"]), (str(image), "source", False))
        self.assertIn(str(image), row["error"]["text"])
        self.assertNotEqual(target.ctl("wait", "--for", "synced", "--timeout", "5", check=False).returncode, 0)
        with self.assertRaises(Failed):
            target.ctl("resume", "all")
        self.assertEqual(target.torrent()["state"], "error")
        self.assertEqual(target.json("report")["torrents"][0]["verdict"], "failed")
        aside.rename(image)
        target.ctl("resume", "all")
        target.wait_synced()
        self.assertEqual(target.torrent()["downloaded_bytes"], 0, "what was there is trusted")

    def test_a_torrent_whose_target_is_gone_can_be_removed(self):
        target, image = self.synced_target()
        target.stop()
        image.unlink()
        target.start()
        target.wait_for(lambda row: row["state"] == "error", "it is shown")
        target.ctl("remove", "all")
        self.assertEqual(target.torrents_now(), [])
        wait_until(lambda: not list((target.folder / "state").iterdir()), "nothing is kept")
        target.stop()
        target.start()
        self.assertEqual(target.torrents_now(), [])

    def test_a_torrent_that_had_failed_is_not_tried_again_by_itself(self):
        need_root()
        seeder, target = self.seeder(), self.lab.daemon("target")
        small = self.lab.mount("tmpfs", "small", "-t", "tmpfs", "-o", "size=8m")
        image = small / "image"
        with open(image, "wb") as file:
            file.truncate(SIZE)
        target.add(self.torrent, image, "--peer", seeder.peer)
        before = target.wait_for(lambda row: row["state"] == "error", "the file system is full")
        resume = next((target.folder / "state").glob("*.resume"))
        wait_until(lambda: b"7:failure" in resume.read_bytes(), "the failure is kept")
        target.kill()
        target.start()
        row = target.wait_for(lambda row: row["state"] == "error", "it is in error still")
        self.assertEqual(row["error"], before["error"])
        self.assertEqual(target.ctl("wait", "--for", "synced", check=False).returncode, 4)
        sh("mount", "-o", "remount,size=64m", small)
        target.ctl("resume", "all")
        target.wait_synced()
        sh("cmp", self.source, image)
        target.kill()
        target.start()
        target.wait_synced()


if __name__ == "__main__":
    lab.run(__import__("__main__"))
