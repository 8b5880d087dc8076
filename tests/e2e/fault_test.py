"""What goes wrong on a target, on the way, or by an operator's hand."""
import json
import os
import signal
import subprocess
import time
import unittest

import lab
from lab import MIB, Failed, Lab, need, need_root, sh, wait_until

SIZE = 48 * MIB


def swarm(laboratory, size=SIZE, limit="4MiB/s", seeder_settings=None):
    """A seeder of a random image, and a target daemon that is slow enough to be caught in mid-transfer."""
    source = laboratory.random_image("source", size)
    torrent = laboratory.torrent(source, None, "--fs", "raw")
    seeder = laboratory.daemon("seeder", seeder_settings)
    seeder.add(torrent, source, "--seed")
    target = laboratory.daemon("target", {"session": {"download-limit": limit}})
    return source, torrent, seeder, target


def is_midway(row):
    return row["state"] == "downloading" and 0 < row["pieces_done"] < row["pieces_total"]


class Refusals(unittest.TestCase):
    def refused(self, daemon, torrent, path, status=3, check=None, options=()):
        with self.assertRaises(Failed) as caught:
            daemon.add(torrent, path, *options)
        self.assertEqual(caught.exception.status, status, caught.exception)
        self.assertEqual(daemon.torrents_now(), [])
        if check:
            document = json.loads(caught.exception.stdout)
            self.assertEqual(document["error"]["context"]["check"], check)
        return str(caught.exception)

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", 4 * MIB)
        self.torrent_file = self.lab.torrent(self.source, None, "--fs", "raw")

    def test_a_corrupt_torrent_is_refused(self):
        daemon = self.lab.daemon("target")
        image = self.lab.image("image", 4 * MIB)
        bytes_ = self.torrent_file.read_bytes()
        for name, content in (("cut", bytes_[:len(bytes_) // 2]), ("empty", b""), ("noise", os.urandom(4096)),
                              ("not-an-offset", bytes_.replace(b"4:path", b"4:pfad"))):
            bad = self.lab.folder / f"{name}.torrent"
            bad.write_bytes(content)
            with self.subTest(name):
                with self.assertRaises(Failed) as caught:
                    daemon.add(bad, image)
                self.assertNotEqual(caught.exception.status, 7)
        self.assertEqual(daemon.torrents_now(), [])
        with open(image, "rb") as file:
            self.assertEqual(file.read().count(0), 4 * MIB, "nothing was written")

    def test_a_too_small_target_is_refused(self):
        daemon = self.lab.daemon("target")
        self.refused(daemon, self.torrent_file, self.lab.image("image", 4 * MIB - 512))

    def test_a_missing_target_is_refused(self):
        daemon = self.lab.daemon("target")
        with self.assertRaises(Failed) as caught:
            daemon.add(self.torrent_file, self.lab.folder / "nothing")
        self.assertIn(caught.exception.status, (3, 4))
        self.assertFalse((self.lab.folder / "nothing").exists())

    def test_a_mounted_target_is_refused_and_untouched(self):
        need("mkfs.ext4")
        device = self.lab.loop_of("image", 16 * MIB)
        sh("mkfs.ext4", "-q", "-F", device)
        daemon = self.lab.daemon("target")
        with self.lab.mounted(device, "mounted") as point:
            (point / "mine").write_text("kept", encoding="ascii")
            sh("sync", "-f", point)
            text = self.refused(daemon, self.torrent_file, device)
            self.assertIn("mount", text)
        sh("e2fsck", "-fn", device)

    def test_a_directory_and_a_character_device_are_refused(self):
        daemon = self.lab.daemon("target")
        for path in (self.lab.folder, "/dev/null"):
            with self.subTest(path=path):
                self.refused(daemon, self.torrent_file, path)


class WriteErrors(unittest.TestCase):
    def fails_with_the_whole_story(self, laboratory, target, bad_path, good_path, source, torrent, seeder):
        other_source = laboratory.random_image("other", 12 * MIB)
        other = laboratory.torrent(other_source, None, "--fs", "raw")
        seeder.add(other, other_source, "--seed")
        events = laboratory.folder / "events"
        with open(events, "wb") as out:
            follower = subprocess.Popen([lab.BIN / "ezioctl", "--json", "events", "--follow"], stdout=out,
                                        env=dict(os.environ, EZIO_ENDPOINT=target.endpoint))
            laboratory.undo.callback(lambda: (follower.poll() is None and follower.kill(), follower.wait()))
            good = target.add(other, good_path, "--paused")
            # The subscription is in place once it has heard of the first torrent.
            wait_until(lambda: events.stat().st_size or (target.ctl("set", "prefetch", "128"), 0)[1] or None,
                       "an event arrives", 30)
            bad = target.add(torrent, bad_path, "--peer", seeder.peer)
            row = target.wait_for(lambda row: row["state"] == "error", "the write fails", bad)
            context = row["error"]["context"]
            self.assertIn(context["operation"], ("pwritev", "pwrite", "write", "fdatasync"))
            self.assertEqual(context["device"], str(bad_path))
            self.assertIn(context["errno_name"], ("EIO", "ENOSPC"))
            self.assertIn("offset_bytes", context)
            self.assertGreater(context["length_bytes"], 0)
            self.assertFalse(row["synced"])
            waited = target.ctl("wait", bad, "--for", "synced", "--timeout", "30", check=False)
            self.assertEqual(waited.returncode, 4, waited.stderr)
            self.assertIn(context["errno_name"], target.ctl("status", "--verbose").stdout)
            wait_until(lambda: b'"torrent-error"' in events.read_bytes(), "the event of the error", 30)
        target.ctl("resume", good)
        other_seed = seeder.peer
        target.ctl("remove", good)
        good = target.add(other, good_path, "--peer", other_seed)
        target.wait_synced(good)
        sh("cmp", other_source, good_path)
        self.assertEqual(target.torrent(bad)["state"], "error", "it stays visible until resolved")
        self.assertEqual(target.ctl("ping").returncode, 0)

    def test_a_full_file_system_under_an_image_file(self):
        need_root()
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory, limit=0)
            small = laboratory.mount("tmpfs", "small", "-t", "tmpfs", "-o", "size=16m")
            bad = small / "image"
            with open(bad, "wb") as file:
                file.truncate(SIZE)
            self.fails_with_the_whole_story(laboratory, target, bad, laboratory.image("good", 12 * MIB), source, torrent,
                                            seeder)

    def test_a_loop_device_that_cannot_store_what_it_takes(self):
        need_root()
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory, limit=0)
            small = laboratory.mount("tmpfs", "small", "-t", "tmpfs", "-o", "size=16m")
            backing = small / "image"
            with open(backing, "wb") as file:
                file.truncate(SIZE)
            self.fails_with_the_whole_story(laboratory, target, laboratory.loop(backing),
                                            laboratory.image("good", 12 * MIB), source, torrent, seeder)

    def test_an_image_behind_nbd_whose_writes_fail(self):
        need_root()
        need("nbdkit", "nbdfuse")
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory, limit=0)
            switch = laboratory.folder / "fail-now"
            device = laboratory.loop(laboratory.nbd("nbd", SIZE, "--filter=error", "error-pwrite=EIO",
                                                    "error-pwrite-rate=100%", f"error-file={switch}"))
            switch.touch()
            self.fails_with_the_whole_story(laboratory, target, device, laboratory.image("good", 12 * MIB), source, torrent,
                                            seeder)


class Retries(unittest.TestCase):
    """A device that fails for a while."""

    def swarm_on_nbd(self, laboratory, direction, **disk):
        source, torrent, seeder, target = swarm(laboratory, limit=0)
        for key, value in disk.items():
            target.ctl("set", key.replace("_", "-"), value)
        switch = laboratory.folder / "fail-now"
        device = laboratory.loop(laboratory.nbd("nbd", SIZE, "--filter=error", f"error-{direction}=EIO",
                                                f"error-{direction}-rate=100%", f"error-file={switch}"))
        return source, torrent, seeder, target, switch, device

    def test_a_target_whose_writes_fail_for_a_while_is_done_all_the_same(self):
        need_root()
        with Lab() as laboratory:
            source, torrent, seeder, target, switch, device = self.swarm_on_nbd(
                laboratory, "pwrite", retry_limit=20, retry_delay=100)
            switch.touch()
            target.add(torrent, device, "--peer", seeder.peer)
            row = target.wait_for(lambda row: row["retries"] >= 2, "writes are tried again")
            self.assertEqual((row["state"], row["error"]), ("downloading", None))
            stats = target.json("stats")
            self.assertGreaterEqual(stats["devices"][0]["retries"], 2)
            self.assertEqual(stats["devices"][0]["errors"], 0)
            self.assertGreaterEqual(stats["events"]["by_kind"]["disk-retry"], 1)
            switch.unlink()
            target.wait_synced()
            self.assertEqual(target.json("stats")["totals"]["errors"], 0)
            target.ctl("remove", "all")
            sh("cmp", source, device)

    def test_a_target_that_goes_on_failing_stops_after_the_limit(self):
        need_root()
        with Lab() as laboratory:
            source, torrent, seeder, target, switch, device = self.swarm_on_nbd(
                laboratory, "pwrite", retry_limit=2, retry_delay=10)
            switch.touch()
            target.add(torrent, device, "--peer", seeder.peer)
            row = target.wait_for(lambda row: row["state"] == "error", "the limit is reached")
            self.assertEqual(row["error"]["context"]["errno_name"], "EIO")
            self.assertGreaterEqual(row["retries"], 2)
            switch.unlink()
            target.ctl("resume", "all")
            target.wait_synced()
            target.ctl("remove", "all")
            sh("cmp", source, device)

    def test_a_source_whose_reads_fail_for_a_while_loses_no_peer(self):
        need_root()
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            switch = laboratory.folder / "fail-now"
            backing = laboratory.nbd("nbd", SIZE, "--filter=error", "error-pread=EIO", "error-pread-rate=100%",
                                     f"error-file={switch}")
            device = laboratory.loop(backing)
            sh("dd", f"if={source}", f"of={device}", "bs=1M", "oflag=direct", "conv=fsync", "status=none")
            lab.forget_cached(backing)
            seeder = laboratory.daemon("seeder", {"disk": {"retry-limit": 20}})
            seeder.add(torrent, device, "--seed")
            target = laboratory.daemon("target")
            switch.touch()
            image = laboratory.image("image", SIZE)
            target.add(torrent, image, "--peer", seeder.peer)
            row = seeder.wait_for(lambda row: row["retries"] >= 2, "reads are tried again")
            self.assertEqual((row["state"], row["read_errors"]), ("seeding", 0))
            switch.unlink()
            target.wait_synced()
            self.assertEqual(seeder.torrent()["read_errors"], 0)
            sh("cmp", source, image)

    def test_removing_and_stopping_wait_for_no_device_to_recover(self):
        need_root()
        with Lab() as laboratory:
            # Waiting out all attempts would take minutes, more than any deadline here.
            source, torrent, seeder, target, switch, device = self.swarm_on_nbd(
                laboratory, "pwrite", retry_limit=20, retry_delay=10000)
            switch.touch()
            target.add(torrent, device, "--peer", seeder.peer)
            wait_until(lambda: target.json("stats")["devices"][0]["dirty_bytes"], "something is to be written")
            target.ctl("remove", "all", "--timeout", "60")
            self.assertEqual(target.torrents_now(), [])
            target.add(torrent, device, "--peer", seeder.peer)
            wait_until(lambda: target.json("stats")["devices"][0]["dirty_bytes"], "something is to be written")
            target.stop(seconds=60)
            self.assertIn("pwritev", target.log_text(), "what was lost is not passed over")


class Sources(unittest.TestCase):
    """A source that is not what its torrent says."""

    def bad_source(self, laboratory):
        source = laboratory.random_image("source", SIZE)
        torrent = laboratory.torrent(source, None, "--fs", "raw")
        with open(source, "r+b") as file:
            file.seek(SIZE // 2)
            byte = file.read(1)
            file.seek(SIZE // 2)
            file.write(bytes([byte[0] ^ 1]))
        return source, torrent

    def is_in_error(self, seeder):
        row = seeder.wait_for(lambda row: row["state"] == "error", "the source is found out")
        self.assertEqual(row["error"]["code"], "integrity")
        self.assertIn("1 of", row["error"]["message"])

    def test_a_check_finds_it_before_it_is_shared(self):
        with Lab() as laboratory:
            source, torrent = self.bad_source(laboratory)
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed", "--check")
            self.is_in_error(seeder)

    def test_a_good_source_passes_the_check(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            seeder.add(torrent, source, "--seed", "--check")
            seeder.wait_for_state("seeding")
            image = laboratory.image("image", SIZE)
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_verify_source_finds_it_before_the_piece_is_sent(self):
        with Lab() as laboratory:
            source, torrent = self.bad_source(laboratory)
            seeder = laboratory.daemon("seeder", {"session": {"verify-source": True}})
            seeder.add(torrent, source, "--seed")
            target = laboratory.daemon("target")
            target.add(torrent, laboratory.image("image", SIZE), "--peer", seeder.peer)
            self.is_in_error(seeder)
            self.assertEqual(target.torrent()["hash_failures"], 0)

    def test_otherwise_a_target_finds_it_and_does_not_take_it(self):
        with Lab() as laboratory:
            source, torrent = self.bad_source(laboratory)
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            seeder.add(torrent, source, "--seed")
            target.add(torrent, laboratory.image("image", SIZE), "--peer", seeder.peer)
            row = target.wait_for(lambda row: row["hash_failures"] > 0, "the bad piece is found")
            self.assertLess(row["pieces_done"], row["pieces_total"])
            self.assertNotIn(row["state"], ("finished", "seeding", "syncing"))


class Interruptions(unittest.TestCase):
    def test_the_seeder_is_killed_and_returns(self):
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory)
            image = laboratory.image("image", SIZE)
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_for(is_midway, "half way")
            seeder.kill()
            target.wait_for(lambda row: row["peers"] == 0, "the seeder is gone")
            self.assertNotEqual(target.torrent()["state"], "error")
            seeder.start()
            target.ctl("set", "download-limit", "0")
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_a_clean_stop_keeps_what_arrived_and_the_rest_follows(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(how), Lab() as laboratory:
                source, torrent, seeder, target = swarm(laboratory)
                image = laboratory.image("image", SIZE)
                target.add(torrent, image, "--peer", seeder.peer)
                row = target.wait_for(is_midway, "half way")
                self.assertEqual(target.stop(how), 0, target.log_text())
                target.start()
                # Forgotten and added anew, what arrived is found by looking.
                wait_until(target.torrents_now, "the torrent is there again")
                target.ctl("remove", "all")
                target.add(torrent, image, "--check", "--peer", seeder.peer)
                target.ctl("set", "download-limit", "0")
                target.wait_synced()
                again = target.torrent()
                self.assertLessEqual(again["downloaded_bytes"], SIZE - row["done_bytes"] + 2 * row["piece_bytes"],
                                     "what was there is not fetched again")
                self.assertEqual(target.stop(), 0)
                sh("cmp", source, image)

    def test_a_second_signal_does_not_lose_data(self):
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory)
            image = laboratory.image("image", SIZE)
            target.add(torrent, image, "--peer", seeder.peer)
            row = target.wait_for(is_midway, "half way")
            target.process.send_signal(signal.SIGTERM)
            self.assertEqual(target.stop(), 0, target.log_text())
            with open(image, "rb") as copy, open(source, "rb") as original:
                whole = 0
                while block := original.read(row["piece_bytes"]):
                    whole += copy.read(len(block)) == block
            self.assertGreaterEqual(whole, row["pieces_done"])

    def test_a_damaged_target_is_found_by_verify_and_mended_by_resume(self):
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory, limit=0)
            image = laboratory.image("image", SIZE)
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced()
            target.ctl("verify", "all")
            target.wait_for(lambda row: row["verified"], "verified")
            with open(image, "r+b") as file:
                file.seek(SIZE // 2)
                file.write(os.urandom(4096))
            target.ctl("verify", "all")
            row = target.wait_for(lambda row: row["bad_pieces"], "the bad piece is found")
            self.assertEqual(row["bad_pieces"], 1)
            self.assertFalse(row["verified"])
            self.assertEqual(target.ctl("wait", "--for", "verified", "--timeout", "20", check=False).returncode, 5)
            target.ctl("resume", "all")
            target.wait_synced()
            target.ctl("verify", "all")
            target.wait_for(lambda row: row["verified"], "verified after mending")
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_a_damaged_part_of_an_incomplete_target_is_found_by_verify_and_fetched_again(self):
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory)
            image = laboratory.image("image", SIZE)
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_for(is_midway, "half way")
            target.ctl("pause", "all")
            row = target.wait_for(lambda row: row["state"] == "paused", "paused")
            target.ctl("verify", "all")
            row = target.wait_for(lambda row: row["bad_pieces"] == 0, "what is there matches")
            self.assertEqual((row["state"], row["verified"]), ("paused", False))
            piece = row["piece_bytes"]
            with open(image, "r+b") as file:
                # A piece that is there.
                whole = source.read_bytes()
                place = next(at for at in range(0, SIZE, piece)
                             if (file.seek(at), file.read(piece) == whole[at:at + piece])[1])
                file.seek(place)
                file.write(bytes(4096))
            target.ctl("verify", "all")
            row = target.wait_for(lambda row: row["state"] == "error", "the damage is found")
            self.assertEqual((row["bad_pieces"], row["error"]["code"]), (1, "integrity"))
            target.ctl("set", "download-limit", "0")
            target.ctl("verify", "all")
            done = target.ctl("wait", "--for", "verified", "--timeout", "60", check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_a_target_that_was_complete_connects_again_to_seeds_that_do_not_connect_to_it(self):
        with Lab() as laboratory:
            # No other way than by the target's own doing.
            source, torrent, seeder, target = swarm(laboratory, 8 * MIB, limit=0, seeder_settings={
                "libtorrent": {"seeding_outgoing_connections": False}})
            image = laboratory.image("image", 8 * MIB)
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced()
            # It looks for peers once a second, also while it is complete, and nothing outside shows that. Who
            # is slower passes this test without having tested.
            time.sleep(2.5)
            with open(image, "r+b") as file:
                file.write(os.urandom(4096))
            target.ctl("verify", "all")
            target.wait_for(lambda row: row["state"] == "error", "the damage is found")
            target.ctl("resume", "all")
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_a_damaged_seed_sends_no_wrong_bytes_says_so_and_goes_on_when_mended(self):
        with Lab() as laboratory:
            source, torrent, seeder, target = swarm(laboratory, limit=0,
                                                    seeder_settings={"session": {"verify-source": True}})
            piece = lab.inspect(torrent)["piece_bytes"]
            with open(source, "r+b") as file:
                file.seek(SIZE // 3 // piece * piece)
                good = file.read(piece)
                file.seek(SIZE // 3 // piece * piece)
                file.write(os.urandom(piece))
            target.add(torrent, laboratory.image("image", SIZE), "--peer", seeder.peer)
            row = seeder.wait_for(lambda row: row["state"] == "error", "the seeder finds out")
            self.assertFalse(row["synced"])
            self.assertEqual(row["error"]["code"], "integrity")
            self.assertEqual(row["error"]["context"]["device"], str(source))
            self.assertIn(f"1 of {SIZE // piece} pieces differ", row["error"]["text"])
            row = target.wait_for(lambda row: row["state"] != "checking", "the target has begun")
            self.assertEqual((row["state"], row["synced"], row["hash_failures"]), ("downloading", False, 0))
            with open(source, "r+b") as file:
                file.seek(SIZE // 3 // piece * piece)
                file.write(good)
            seeder.ctl("resume", "all")
            target.wait_synced()
            row = target.torrent()
            self.assertGreaterEqual(row["downloaded_bytes"], SIZE, "the counters are those of the end")
            sh("cmp", source, target.torrent()["target"])


if __name__ == "__main__":
    lab.run(__import__("__main__"))
