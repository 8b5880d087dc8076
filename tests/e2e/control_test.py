"""Operating daemons: settings, status, signals, configuration, exit statuses."""
import json
import signal
import subprocess
import sys
import unittest

import lab
from lab import MIB, ROOT, Failed, Lab, ezioctl, sh, wait_until

SIZE = 48 * MIB


def eziod(*arguments):
    return subprocess.run([lab.BIN / "eziod", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30,
                          stdin=subprocess.DEVNULL)


class LiveTuning(unittest.TestCase):
    def test_cache_size_goes_up_and_down_during_a_transfer(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            image = laboratory.image("image", SIZE)
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            target = laboratory.daemon("target", {"session": {"download-limit": "1MiB/s"}})
            target.add(torrent, image, "--peer", seeder.peer)
            for size in (2048, 64, 300, 64):
                target.wait_for(lambda row: row["state"] == "downloading" and row["down_rate"] > 0, "data flows")
                done = target.torrent()["done_bytes"]
                answer = target.json("set", "cache-size", size)
                self.assertEqual((answer["new"], answer["active"]), (str(size), True))
                self.assertEqual(target.json("stats")["budget"]["capacity_bytes"], size * MIB)
                target.wait_for(lambda row, before=done: row["done_bytes"] > before, "the transfer goes on")
            budget = target.json("stats")["budget"]
            self.assertLessEqual(budget["used_bytes"], 64 * MIB)
            target.ctl("set", "download-limit", "0")
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_partitions_are_divided_anew_during_a_transfer(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            image = laboratory.image("image", SIZE)
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            target = laboratory.daemon("target", {"session": {"download-limit": "1MiB/s"}})
            target.add(torrent, image, "--peer", seeder.peer)
            written = 0
            for count in (1, 4, 2, 16, 1, 3):
                target.wait_for(lambda row: row["state"] == "downloading" and row["down_rate"] > 0, "data flows")
                done = target.torrent()["done_bytes"]
                for daemon in (seeder, target):
                    answer = daemon.json("set", "aio-threads", count)
                    self.assertEqual((answer["new"], answer["active"]), (str(count), True))
                    self.assertEqual(len(daemon.json("stats")["partitions"]), count)
                self.assertGreaterEqual(target.json("stats")["totals"]["write_bytes"], written, "nothing is forgotten")
                written = target.json("stats")["totals"]["write_bytes"]
                target.wait_for(lambda row, before=done: row["done_bytes"] > before, "the transfer goes on")
            self.assertRegex(target.json("set", "aio-threads", "auto")["new"], "auto")
            self.assertRegex(target.json("get", "aio-threads")["settings"][0]["effective"], r"^auto \(\d+ on \S+\)$")
            target.ctl("set", "download-limit", "0")
            target.wait_synced()
            row = target.torrent()
            self.assertEqual(row["state"], "seeding")
            self.assertEqual((seeder.stop(), target.stop()), (0, 0))
            sh("cmp", source, image)
            self.assertNotIn("does not match its hash", target.log_text())

    def test_a_limit_is_in_force_at_once(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            image = laboratory.image("image", SIZE)
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            # Half an hour for the whole of it.
            limit = SIZE // 1024 // 1800
            target = laboratory.daemon("target", {"session": {"download-limit": limit}})
            target.add(torrent, image, "--peer", seeder.peer)
            row = target.wait_for(lambda row: row["down_rate"] > 0, "data flows")
            self.assertLess(row["down_rate"], MIB)
            self.assertLess(row["done_bytes"], SIZE)
            self.assertEqual(target.json("set", "download-limit", "0")["old"], str(limit))
            target.wait_synced()

    def test_hashers_follow_the_setting(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            for count in (4, 1, 2):
                self.assertTrue(daemon.json("set", "hashing-threads", count)["active"])
                wait_until(lambda n=count: daemon.json("stats")["budget"]["hashers"] == n, "hashers follow")

    def test_an_unknown_key_and_a_value_out_of_range(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            for command in (("set", "cach-size", "100"), ("set", "cache-size", "1"), ("set", "cache-size", "much"),
                            ("get", "no-such-key")):
                with self.subTest(command), self.assertRaises(Failed) as caught:
                    daemon.ctl(*command)
                self.assertIn(caught.exception.status, (1, 2))
                self.assertIn("cache-size" if command[0] == "set" else "no-such-key", caught.exception.stderr)
            # libtorrent's name of what a key of ours does would be shown and not be in force.
            for name, ours in (("aio_threads", "aio-threads"), ("upload_rate_limit", "upload-limit")):
                with self.subTest(name), self.assertRaises(Failed) as caught:
                    daemon.ctl("set", name, "8")
                self.assertIn(f"{name}: use {ours}", caught.exception.stderr)
            self.assertEqual(daemon.json("get", "cache-size")["settings"][0]["value"], "64")


class Status(unittest.TestCase):
    def test_sort_and_filter_during_a_transfer(self):
        with Lab() as laboratory:
            seeder = laboratory.daemon("seeder")
            target = laboratory.daemon("target", {"session": {"download-limit": "2MiB/s"}})
            names = []
            for name in ("slow", "fast", "idle"):
                source = laboratory.random_image(name, 24 * MIB)
                torrent = laboratory.torrent(source, None, "--fs", "raw")
                seeder.add(torrent, source, "--seed")
                options = {"slow": ("--peer", seeder.peer), "fast": ("--peer", seeder.peer), "idle": ("--paused",)}[name]
                target.add(torrent, laboratory.image(f"image-{name}", 24 * MIB), *options)
                names.append(name)
            wait_until(lambda: sum(row["down_rate"] > 0 for row in target.torrents_now()) == 2, "two torrents move")
            rows = target.json("status", "--sort", "speed", "--filter", "downloading")["torrents"]
            self.assertEqual({row["name"] for row in rows}, {"slow", "fast"})
            speeds = [row["down_rate"] + row["up_rate"] for row in rows]
            self.assertEqual(speeds, sorted(speeds, reverse=True))
            self.assertEqual([row["name"] for row in target.json("status", "--sort", "name")["torrents"]], sorted(names))
            self.assertEqual([row["name"] for row in target.json("status", "--sort", "name", "--reverse")["torrents"]],
                             sorted(names, reverse=True))
            self.assertEqual([row["name"] for row in target.json("status", "--filter", "paused")["torrents"]], ["idle"])
            text = target.ctl("status", "--sort", "speed", "--filter", "downloading").stdout
            self.assertIn("slow", text)
            self.assertNotIn("idle", text)
            self.assertNotIn("\x1b", text, "no colours in a pipe")

    def test_selectors(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            hashes = {}
            for name in ("alpha", "beta"):
                source = laboratory.random_image(name, MIB)
                torrent = laboratory.torrent(source, None, "--fs", "raw")
                hashes[name] = daemon.add(torrent, source, "--seed")
            self.assertEqual(daemon.json("status", hashes["beta"][:8])["torrents"][0]["name"], "beta")
            self.assertEqual(daemon.json("status", "alpha")["torrents"][0]["info_hash"], hashes["alpha"])
            self.assertEqual(daemon.json("status", laboratory.folder / "beta")["torrents"][0]["name"], "beta")
            self.assertNotEqual(daemon.ctl("pause", "gamma", check=False).returncode, 0)
            daemon.ctl("remove", "all")
            wait_until(lambda: not daemon.torrents_now(), "all are gone")


class ExitStatuses(unittest.TestCase):
    def test_usage(self):
        self.assertEqual(ezioctl("no-such-verb", check=False).returncode, 2)
        self.assertEqual(ezioctl("add", check=False).returncode, 2)

    def test_a_daemon_that_is_not_there(self):
        with Lab() as laboratory:
            done = ezioctl("--timeout", "1", "ping", endpoint=f"ipc://{laboratory.folder}/none", check=False)
            self.assertEqual(done.returncode, 7)
            self.assertIn("none", done.stderr)

    def test_waiting_too_long(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", MIB)
            daemon = laboratory.daemon("one")
            daemon.add(laboratory.torrent(source, None, "--fs", "raw"), laboratory.image("image", MIB))
            self.assertEqual(daemon.ctl("wait", "--for", "synced", "--timeout", "1", check=False).returncode, 6)


class Configuration(unittest.TestCase):
    def test_reload_by_signal_applies_what_it_can(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            daemon.settings["disk"]["cache-size"] = 128
            daemon.settings["disk"]["aio-threads"] = 3
            daemon.settings["disk"]["direct-io"] = "off"
            daemon.write_config()
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: daemon.json("get", "cache-size")["settings"][0]["value"] == "128", "the new size")
            self.assertEqual(daemon.json("stats")["budget"]["capacity_bytes"], 128 * MIB)
            wait_until(lambda: "direct-io" in daemon.log_text(), "the log names what needs a restart", 10)
            self.assertEqual(daemon.json("get", "aio-threads")["settings"][0]["effective"], "3")
            source = laboratory.random_image("source", MIB)
            daemon.add(laboratory.torrent(source, None, "--fs", "raw"), source, "--seed")
            self.assertEqual(len(daemon.json("stats")["partitions"]), 3)

    def test_a_reload_with_faults_changes_nothing(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            daemon.settings["disk"].update({"cache-size": 256, "no-such-key": 1})
            daemon.write_config()
            done = daemon.ctl("reload", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("no-such-key", done.stderr)
            self.assertEqual(daemon.json("get", "cache-size")["settings"][0]["value"], "64")
            self.assertEqual(daemon.stop(), 0)

    def test_check_config_reports_every_fault_with_its_line(self):
        with Lab() as laboratory:
            bad = laboratory.folder / "bad.toml"
            bad.write_text('[disk]\ncache-size = 1\nno-such-key = 2\n[session]\nlsd = "perhaps"\n', encoding="ascii")
            done = eziod("-c", bad, "--check-config")
            self.assertNotEqual(done.returncode, 0)
            text = done.stdout + done.stderr
            for word in ("cache-size", "no-such-key", "lsd", ":2", ":3", ":5", str(bad)):
                self.assertIn(word, text)
            self.assertNotEqual(eziod("-c", bad).returncode, 0, "the daemon does not start with it")

    def test_the_shipped_file_and_the_examples_are_right(self):
        files = [ROOT / "config" / "eziod.toml", *sorted((ROOT / "examples").rglob("*.toml"))]
        self.assertGreaterEqual(len(files), 4)
        for path in files:
            with self.subTest(path=path.name):
                done = eziod("-c", path, "--check-config")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_torrents_of_the_file_are_added_at_start(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", 4 * MIB)
            image = laboratory.image("image", 4 * MIB)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            seeder = laboratory.daemon("seeder", torrents=[{"file": str(torrent), "target": str(source), "mode": "seed"}])
            target = laboratory.daemon("target", torrents=[{"file": str(torrent), "target": str(image),
                                                            "mode": "download", "peers": [seeder.peer]}])
            # They come after the control socket.
            wait_until(target.torrents_now, "the torrent is there")
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_help_and_version(self):
        self.assertEqual(eziod("--help").returncode, 0)
        self.assertIn("0.", eziod("--version").stdout)


class Protocol(unittest.TestCase):
    def test_a_client_written_from_the_document(self):
        client = ROOT / "tests" / "e2e" / "protocol_client.py"
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            source = laboratory.random_image("source", 4 * MIB)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            done = subprocess.run([sys.executable, "-B", client, daemon.endpoint, daemon.events_endpoint, torrent, source],
                                  capture_output=True, text=True, check=False, timeout=120)
            if done.returncode == 77:
                self.skipTest(done.stdout + done.stderr)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_shutdown_is_a_clean_stop(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            daemon.ctl("shutdown")
            self.assertEqual(daemon.process.wait(30), 0)

    def test_two_daemons_on_one_host_do_not_share_a_socket(self):
        with Lab() as laboratory:
            first, second = laboratory.daemon("first"), laboratory.daemon("second")
            self.assertNotEqual(first.json("version")["daemon"]["pid"], second.json("version")["daemon"]["pid"])
            second_config = json.dumps(first.endpoint)
            other = laboratory.folder / "taken.toml"
            other.write_text(f"[control]\nendpoint = {second_config}\n[session]\nlisten = []\n", encoding="utf-8")
            self.assertNotEqual(eziod("-c", other).returncode, 0, "a socket in use is not taken over")
            self.assertEqual(first.ctl("ping").returncode, 0)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
