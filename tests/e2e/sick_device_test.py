"""Devices that hang at an addition, and sources that do not give back all of their bytes."""
import json
import subprocess
import sys
import time
import unittest

import lab
from lab import MIB, Failed, Lab, need, need_root, sh, wait_until
from wire_peer import BLOCK, PIECE as PIECE_MESSAGE, REJECT, WirePeer, info_hash_of

sys.path.append(str(lab.ROOT / "tests" / "reliability"))
from faulty_disk import FaultyDisk  # pylint: disable=wrong-import-position

SIZE = 32 * MIB
PIECE = MIB
# status answers at once, whatever hangs; a loaded machine gets some seconds.
PROMPT = 10


class Asked:
    """An ezioctl that may not have ended yet."""

    def __init__(self, laboratory, daemon, *command):
        self.process = subprocess.Popen([lab.BIN / "ezioctl", "--json", *map(str, command)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env={**lab.os.environ, "EZIO_ENDPOINT": daemon.endpoint})
        laboratory.undo.callback(self._end)

    def _end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def is_over(self):
        return self.process.poll() is not None

    def answer(self, seconds=60):
        text = self.process.communicate(timeout=seconds)[0]
        if self.process.returncode:
            raise AssertionError(f"exit status {self.process.returncode}: {text}")
        return json.loads(text)


class HangingAdditions(unittest.TestCase):
    def setUp(self):
        need_root()
        need("nbdfuse")
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", SIZE)
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw")
        self.other_source = self.lab.random_image("other", SIZE)
        self.other = self.lab.torrent(self.other_source, None, "--fs", "raw")
        self.seeder = self.lab.daemon("seeder")
        self.seeder.add(self.torrent, self.source, "--seed")
        self.seeder.add(self.other, self.other_source, "--seed")
        self.target = self.lab.daemon("target", {"session": {"download-limit": "16MiB/s"}})
        self.disk = FaultyDisk(self.lab, "sick", SIZE, 1)

    def row_of(self, device):
        """As status tells while a device hangs."""
        rows = self.target.json("--timeout", PROMPT, "status")["torrents"]
        return next((row for row in rows if row["target"] == str(device)), None)

    def hang_an_addition(self):
        self.disk.hang()
        asked = Asked(self.lab, self.target, "add", self.torrent, self.disk.device, "--peer", self.seeder.peer)
        wait_until(lambda: self.disk.hung, "the device hangs", 30)
        return asked

    def test_status_answers_and_the_other_torrent_goes_on_while_an_addition_hangs(self):
        image = self.lab.image("image", SIZE)
        good = self.target.add(self.other, image, "--peer", self.seeder.peer)
        asked = self.hang_an_addition()
        row = self.row_of(self.disk.device)
        self.assertEqual((row["state"], row["name"], row["done_bytes"]), ("checking", lab.inspect(self.torrent)["name"], 0))
        self.target.ctl("--timeout", PROMPT, "pause", str(self.disk.device))
        with self.assertRaises(Failed) as refused:
            self.target.ctl("--timeout", PROMPT, "verify", str(self.disk.device))
        self.assertEqual(refused.exception.status, 2)
        self.target.ctl("--timeout", PROMPT, "set", "download-limit", "0")
        self.target.wait_synced(good)
        sh("cmp", self.other_source, image)
        # One more device of the same daemon, while the first still hangs.
        third = self.lab.image("third", SIZE)
        self.target.ctl("remove", good)
        self.target.ctl("--timeout", PROMPT, "add", self.other, third, "--peer", self.seeder.peer)
        self.target.wait_synced(good)
        self.assertFalse(asked.is_over())
        self.assertEqual(self.row_of(self.disk.device)["state"], "checking")
        self.disk.go_on()
        added = asked.answer()["info_hash"]
        self.target.wait_for(lambda row: row["state"] == "paused", "it was paused on its way in", added)
        self.target.ctl("resume", added)
        self.target.wait_synced(added)
        self.assertEqual(self.disk.bytes_now(), self.source.read_bytes())

    def test_a_torrent_whose_addition_hangs_is_removed_when_the_device_lets_go(self):
        asked = self.hang_an_addition()
        removal = Asked(self.lab, self.target, "remove", self.disk.device)
        with self.assertRaises(AssertionError):
            asked.answer()
        self.assertFalse(removal.is_over())
        self.disk.go_on()
        removal.answer()
        self.assertEqual(self.target.torrents_now(), [])
        self.target.ctl("set", "download-limit", "0")
        self.target.add(self.torrent, self.disk.device, "--peer", self.seeder.peer)
        self.target.wait_synced()

    def test_a_stop_waits_for_no_addition_that_hangs(self):
        image = self.lab.image("image", SIZE)
        self.target.add(self.other, image, "--peer", self.seeder.peer)
        self.hang_an_addition()
        self.target.process.terminate()
        # A thread that the kernel does not let go keeps the process, but nothing of it works any more.
        wait_until(lambda: "stopped" in self.target.log_text(), "the stop", 60)
        self.assertIn(f"the examination of {self.disk.device} did not end", self.target.log_text())
        self.disk.go_on()
        self.assertEqual(self.target.process.wait(60), 1)
        self.target.start()
        self.assertEqual([row["target"] for row in self.target.torrents_now()], [str(image)])
        self.target.ctl("set", "download-limit", "0")
        self.target.wait_synced()
        sh("cmp", self.other_source, image)

    def test_a_restart_shows_every_torrent_at_once_though_a_device_hangs(self):
        image = self.lab.image("image", SIZE)
        self.target.ctl("set", "download-limit", "0")
        good = self.target.add(self.other, image, "--peer", self.seeder.peer)
        bad = self.target.add(self.torrent, self.disk.device, "--peer", self.seeder.peer)
        self.target.wait_synced()
        self.target.stop()
        self.disk.hang()
        self.target.start()
        rows = {row["info_hash"]: row for row in self.target.json("--timeout", PROMPT, "status")["torrents"]}
        self.assertEqual(set(rows), {good, bad})
        self.assertEqual(rows[bad]["state"], "checking")
        self.target.wait_synced(good)
        self.disk.go_on()
        self.target.wait_synced(bad)


class UnreadableSources(unittest.TestCase):
    def setUp(self):
        need_root()
        need("nbdfuse")
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", SIZE)
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw", "--piece-size", "1M")
        self.disk = FaultyDisk(self.lab, "sick", SIZE, 1)
        sh("dd", f"if={self.source}", f"of={self.disk.device}", "bs=1M", "oflag=direct", "conv=fsync", "status=none")
        self.bad = list(range(0, SIZE // PIECE, 2))
        # A little of each, so that a read of another part goes well.
        self.disk.fail_reads_in(*((piece * PIECE + PIECE // 2, 4096) for piece in self.bad))
        self.image = self.lab.image("image", SIZE)

    def fetch_what_can_be(self):
        self.seeder = self.lab.daemon("seeder", {"disk": {"retry-limit": 1, "retry-delay": 10}})
        self.seeder.add(self.torrent, self.disk.device, "--seed")
        self.target = self.lab.daemon("target")
        self.target.add(self.torrent, self.image, "--peer", self.seeder.peer)
        good = SIZE // PIECE - len(self.bad)
        begun = time.monotonic()
        row = self.target.wait_for(lambda row: row["pieces_done"] == good, "every piece that can be read is there")
        self.assertLess(time.monotonic() - begun, 30)
        self.assertEqual(row["state"], "downloading")
        row = self.seeder.wait_for(lambda row: self.listed(row) == set(self.bad), "each bad piece has been tried")
        self.assertEqual(row["state"], "seeding")
        return row

    @staticmethod
    def listed(row):
        return {at["offset_bytes"] // PIECE for at in row["unreadable_ranges"]}

    def test_a_target_gets_what_can_be_read_and_the_rest_from_a_second_seed(self):
        row = self.fetch_what_can_be()
        # Nobody asks in vain for what the seeder has said it does not have.
        reads = row["read_errors"]
        time.sleep(2)
        self.assertEqual(self.seeder.torrent()["read_errors"], reads)
        second = self.lab.daemon("second")
        second.add(self.torrent, self.source, "--seed", "--peer", self.target.peer)
        self.target.wait_synced()
        sh("cmp", self.source, self.image)

    def test_who_comes_later_is_told_too(self):
        self.fetch_what_can_be()
        played = self.disk.played
        late = self.lab.daemon("late", {"session": {"pex": False}})
        late.add(self.torrent, self.lab.image("late-image", SIZE), "--peer", self.seeder.peer)
        late.wait_for(lambda row: row["pieces_done"] == SIZE // PIECE - len(self.bad), "the late one has the rest")
        self.assertEqual(self.disk.played, played, "the device was not asked again")

    def test_a_source_that_was_mended_gives_the_rest(self):
        self.fetch_what_can_be()
        self.disk.be_well()
        self.seeder.ctl("resume", "all")
        self.target.wait_synced()
        sh("cmp", self.source, self.image)

    def test_every_peer_hears_of_a_piece_that_cannot_be_read_and_of_its_return(self):
        self.seeder = self.lab.daemon("seeder", {"disk": {"retry-limit": 0}})
        self.seeder.add(self.torrent, self.disk.device, "--seed")
        self.seeder.wait_for_state("seeding")
        info_hash = info_hash_of(self.torrent)
        first, second = (WirePeer(self.seeder, info_hash, number, hears_missing=True) for number in range(2))
        first.wait_unchoked()
        # Two blocks of a bad piece, its first half good.
        first.request(0, 0)
        self.until(first, PIECE_MESSAGE)
        first.request(0, PIECE // 2)
        self.until(first, REJECT)
        self.assertEqual(first.missing, {0})
        self.hears(second, {0})
        # From now on nobody reads it, not even its good half, and the pieces beside it are there.
        reads = self.disk.reads
        first.request(0, 0)
        self.until(first, REJECT)
        self.assertEqual(self.disk.reads, reads)
        first.request(1, 0)
        self.until(first, PIECE_MESSAGE)
        # The first block of a piece is a trial, those behind it are refused until it is over.
        first.request_together(3, [block * BLOCK for block in range(4)])
        kinds = [self.until(first, PIECE_MESSAGE, REJECT) for _ in range(4)]
        self.assertEqual(sorted(kinds), [PIECE_MESSAGE] + 3 * [REJECT])
        for block in range(1, 4):
            first.request(3, block * BLOCK)
        self.assertEqual([self.until(first, PIECE_MESSAGE, REJECT) for _ in range(3)], 3 * [PIECE_MESSAGE])
        late = WirePeer(self.seeder, info_hash, 3, hears_missing=True)
        self.hears(late, {0})
        self.disk.be_well()
        self.seeder.ctl("resume", "all")
        for peer in (first, second, late):
            self.hears(peer, set())
        first.request(0, PIECE // 2)
        self.until(first, PIECE_MESSAGE)
        for peer in (first, second, late):
            peer.close()

    @staticmethod
    def until(peer, *kinds):
        """The kind of the first message that is one of them."""
        while True:
            kind, _ = peer.message()
            if kind in kinds:
                return kind

    @staticmethod
    def hears(peer, missing):
        while peer.missing != missing:
            peer.message()


if __name__ == "__main__":
    lab.run(sys.modules[__name__])
