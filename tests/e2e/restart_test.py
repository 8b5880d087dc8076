"""What a restart goes on with, after a clean stop and after a kill."""
import os
import unittest

from lab import MIB, Lab, sh, wait_until

SIZE = 48 * MIB
PIECE = 256 * 1024


class Restart(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", SIZE)
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw", "--piece-size", "256K")
        # Slow enough to be stopped in the middle, whatever else the machine does.
        self.seeder = self.lab.daemon("seeder", {"session": {"upload-limit": 6 * 1024}})
        self.seeder.add(self.torrent, self.source, "--seed")
        self.image = self.lab.image("image", SIZE)

    def target(self, name="target", **disk):
        return self.lab.daemon(name, {"disk": {"sync-size": 4, "sync-interval": 0, **disk}})

    def half_done(self, **disk):
        target = self.target(**disk)
        target.add(self.torrent, self.image, "--peer", self.seeder.peer)
        target.wait_for(lambda row: row["done_bytes"] >= SIZE // 2, "half of it has come")
        self.seeder.ctl("set", "upload-limit", 2 * 1024)
        return target

    def finish(self, target):
        self.seeder.ctl("set", "upload-limit", "0")
        target.wait_synced()
        row = target.torrent()
        self.assertEqual(target.stop(), 0)
        sh("cmp", self.source, self.image)
        return row

    def test_a_clean_stop_costs_nothing(self):
        target = self.half_done()
        before = target.torrent()["done_bytes"]
        self.assertEqual(target.stop(), 0)
        target.start()
        row = target.wait_for(lambda row: row["state"] == "downloading", "it goes on")
        self.assertGreaterEqual(row["done_bytes"], before)
        end = self.finish(target)
        self.assertLessEqual(end["downloaded_bytes"], SIZE - before)

    def test_a_kill_costs_what_was_not_synced(self):
        target = self.half_done()
        resume = next((target.folder / "state").glob("*.resume"))
        saved = resume.read_bytes()
        wait_until(lambda: resume.read_bytes() != saved, "a checkpoint is saved")
        before = target.torrent()["done_bytes"]
        target.kill()
        target.start()
        row = target.wait_for(lambda row: row["state"] == "downloading", "it goes on")
        # A checkpoint covers what was there when it began: 4 MiB may be new since, and as much may have come meanwhile.
        self.assertGreaterEqual(row["done_bytes"], before - 16 * MIB)
        self.assertNotIn("hashed again", target.log_text())
        kept = row["done_bytes"] - row["downloaded_bytes"]
        end = self.finish(target)
        self.assertLessEqual(end["downloaded_bytes"], SIZE - kept + 2 * PIECE)

    def test_a_kill_before_the_first_checkpoint_starts_over(self):
        target = self.half_done(**{"sync-size": 0})
        target.kill()
        target.start()
        self.finish(target)

    def test_a_complete_torrent_is_synced_after_a_kill_without_a_byte_fetched(self):
        target = self.target()
        target.add(self.torrent, self.image, "--peer", self.seeder.peer)
        self.seeder.ctl("set", "upload-limit", "0")
        target.wait_synced()
        # It is synced before that is kept; a kill in between costs what came since the last checkpoint.
        every_piece = SIZE // PIECE // 8
        kept = f"6:pieces{every_piece}:".encode() + b"\xff" * every_piece
        wait_until(lambda: any(kept in file.read_bytes() for file in (target.folder / "state").glob("*.resume")), "it is kept")
        target.kill()
        self.seeder.stop()
        target.start()
        target.wait_synced()
        self.assertEqual(target.torrent()["downloaded_bytes"], 0)
        self.assertEqual(target.stop(), 0)

    def test_a_target_that_was_changed_is_hashed_and_mended(self):
        target = self.half_done()
        target.stop()
        with open(self.image, "r+b") as file:
            file.write(os.urandom(SIZE))
        target.start()
        wait_until(lambda: "hashed again" in target.log_text(), "the change is noticed")
        self.finish(target)

    def test_another_file_under_the_same_name_is_not_written_to(self):
        target = self.half_done()
        target.stop()
        self.image.rename(self.lab.folder / "old")
        other = self.lab.random_image("image", SIZE)
        content = other.read_bytes()
        target.start()
        wait_until(lambda: "does not go on" in target.log_text(), "it is refused")
        self.assertRegex(target.log_text(), r"it is .inode .* instead of .inode .*add the torrent again")
        row = target.torrent()
        self.assertEqual((row["state"], row["error"]["context"]["check"]), ("error", "another-device"))
        self.assertEqual(target.ctl("resume", "all", check=False).returncode, 3)
        self.assertEqual(target.stop(), 0)
        self.assertEqual(other.read_bytes(), content)

    def test_the_seeder_comes_back_by_itself(self):
        target = self.half_done()
        self.seeder.kill()
        self.seeder.start()
        self.finish(target)

    def test_what_was_removed_or_paused_stays_so(self):
        target = self.half_done()
        target.ctl("pause", "all")
        target.kill()
        target.start()
        target.wait_for(lambda row: row["state"] == "paused", "it is still paused")
        target.ctl("remove", "all")
        target.kill()
        target.start()
        self.assertEqual(target.torrents_now(), [])
        self.assertEqual(list((target.folder / "state").iterdir()), [])

    def test_damaged_state_is_said_and_does_not_stop_the_daemon(self):
        target = self.half_done()
        target.stop()
        resume = next((target.folder / "state").glob("*.resume"))
        resume.write_bytes(resume.read_bytes()[:-1])
        target.start()
        wait_until(lambda: "is lost" in target.log_text(), "the damage is said")
        self.assertIn(str(resume), target.log_text())
        target.add(self.torrent, self.image, "--peer", self.seeder.peer, "--check")
        self.finish(target)

    def test_two_daemons_do_not_share_a_state_directory(self):
        first = self.target()
        with self.assertRaisesRegex(AssertionError, "another eziod keeps its state"):
            self.lab.daemon("second", {"state": {"directory": str(first.folder / "state")}})


if __name__ == "__main__":
    unittest.main()
