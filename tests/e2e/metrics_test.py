"""The Prometheus endpoint: what it says is what ezioctl says."""
import pathlib
import re
import socket
import subprocess
import time
import unittest
import urllib.request

import lab
from lab import MIB, ROOT, Failed, Lab, free_port, need, need_root, wait_until

SIZE = 48 * MIB
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
SUFFIXES = ("_bucket", "_sum", "_count")


class Exposition:
    """Prometheus' text format 0.0.4, taken strictly: one block a metric, HELP and TYPE first, no sample twice, whole histograms."""

    def __init__(self, text):
        self.types, self.samples = {}, {}
        assert text.endswith("\n"), "the last line ends"
        help_of = name = None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                help_of = line.split(" ", 3)[2]
                assert help_of not in self.types, f"{help_of}: two blocks"
            elif line.startswith("# TYPE "):
                _, _, name, what = line.split(" ")
                assert name == help_of, f"{name}: HELP and TYPE stand together"
                assert what in ("counter", "gauge", "histogram"), line
                self.types[name] = what
            else:
                self.take(name, line)
        for name, what in self.types.items():
            if what == "histogram":
                self.check_histograms(name)
            elif what == "counter":
                assert name.endswith("_total"), f"{name}: a counter"
                assert all(value >= 0 for _, value in self.all(name)), f"{name}: a counter below zero"

    def take(self, block, line):
        found = SAMPLE.fullmatch(line)
        assert found, f"no sample: {line!r}"
        name, inside, value = found.groups()
        family = next((name.removesuffix(suffix) for suffix in SUFFIXES
                       if self.types.get(name.removesuffix(suffix)) == "histogram"), name)
        assert family == block, f"{name} stands in the block of {block}"
        labels, at = {}, 0
        while inside and at < len(inside):
            label = LABEL.match(inside, at)
            assert label and label[1] not in labels, f"labels: {line!r}"
            labels[label[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label[2])
            at = label.end()
        assert not inside or not inside.endswith(","), line
        key = (name, tuple(sorted(labels.items())))
        assert key not in self.samples, f"twice: {line!r}"
        self.samples[key] = float(value)

    def check_histograms(self, name):
        series = {}
        for labels, value in self.all(f"{name}_bucket"):
            bound = float(labels.pop("le"))
            series.setdefault(tuple(sorted(labels.items())), []).append((bound, value))
        assert series, f"{name}: no buckets"
        for labels, buckets in series.items():
            counts = [value for _, value in buckets]
            assert buckets == sorted(buckets) and counts == sorted(counts), f"{name}: {buckets}"
            assert buckets[-1] == (float("inf"), self.samples[f"{name}_count", labels]), f"{name}: {buckets}"
            assert (f"{name}_sum", labels) in self.samples

    def all(self, name):
        return [(dict(labels), value) for (found, labels), value in self.samples.items() if found == name]

    def value(self, name, /, **labels):
        found = [value for has, value in self.all(name) if labels.items() <= has.items()]
        assert len(found) == 1, f"{name} {labels}: {len(found)} samples"
        return found[0]

    def sum(self, name, /, **labels):
        return sum(value for has, value in self.all(name) if labels.items() <= has.items())


def scrape(port, seconds=10):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=seconds) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Exposition(answer.read().decode("utf-8"))


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def listening_ports(pid):
    """TCP ports that a process listens on."""
    sockets = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(link.readlink()))
        except FileNotFoundError:
            pass
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                ports.add(int(words[1].rsplit(":", 1)[1], 16))
    return ports


class Values(unittest.TestCase):
    def test_they_are_those_of_status_and_stats(self):
        with Lab() as laboratory:
            port = free_port()
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            seeder = laboratory.daemon("seeder", {"metrics": {"metrics-listen": f"127.0.0.1:{free_port()}"}})
            seeder.add(torrent, source, "--seed")
            target = laboratory.daemon("target", {"session": {"download-limit": "8MiB/s"},
                                                  "metrics": {"metrics-listen": f"127.0.0.1:{port}"}})
            image = laboratory.folder / 'a "strange"\\name'
            laboratory.image(image.name, SIZE)
            info_hash = target.add(torrent, image, "--peer", seeder.peer)
            target.wait_for(lambda row: row["state"] == "downloading" and row["done_bytes"] > 0, "data flows")
            now = scrape(port)
            self.assertEqual(now.value("eziod_torrent_state", info_hash=info_hash, state="downloading"), 1)
            self.assertEqual(now.sum("eziod_torrent_state"), 1)
            self.assertEqual(now.value("eziod_torrent_synced"), 0)
            self.assertGreater(now.value("eziod_torrent_peers"), 0)
            self.assertGreater(now.value("eziod_torrent_done_bytes"), 0)
            target.ctl("set", "download-limit", "0")
            target.wait_synced()
            target.ctl("verify", "all")
            target.ctl("wait", "--for", "verified", "--timeout", 60)
            target.wait_for(lambda row: row["state"] == "seeding" and row["down_rate"] == 0, "nothing moves any more")
            self.agrees(target, port, info_hash, str(image))
            with urllib.request.urlopen(f"http://{seeder.settings['metrics']['metrics-listen']}/metrics") as answer:
                source_now = Exposition(answer.read().decode("utf-8"))
            self.assertGreaterEqual(source_now.value("eziod_torrent_uploaded_bytes_total"), SIZE)

    def agrees(self, target, port, info_hash, path):
        row, stats = target.torrent(), target.json("stats")
        now = scrape(port)
        labels = {"info_hash": info_hash, "name": row["name"], "target": path}
        for metric, field in (("size_bytes", "size_bytes"), ("done_bytes", "done_bytes"), ("peers", "peers"),
                              ("downloaded_bytes_total", "downloaded_bytes"), ("uploaded_bytes_total", "uploaded_bytes"),
                              ("synced", "synced"), ("verified", "verified"), ("bad_pieces", "bad_pieces"),
                              ("hash_failures_total", "hash_failures"), ("disk_retries_total", "retries"),
                              ("read_errors_total", "read_errors"), ("progress_ratio", "progress")):
            with self.subTest(metric):
                self.assertEqual(now.value(f"eziod_torrent_{metric}", **labels), row[field])
        self.assertEqual(now.value("eziod_torrent_state", state=row["state"]), 1)
        self.assertEqual(now.all("eziod_torrent_error"), [])
        for metric, field in (("reads_total", "read_ops"), ("read_bytes_total", "read_bytes"), ("errors_total", "errors"),
                              ("writes_total", "write_ops"), ("write_bytes_total", "write_bytes"),
                              ("flushes_total", "syncs"), ("retries_total", "retries")):
            with self.subTest(metric):
                self.assertEqual(now.value(f"eziod_disk_{metric}"), stats["totals"][field])
                self.assertEqual(now.sum(f"eziod_partition_{metric}"), sum(p[field] for p in stats["partitions"]))
        self.assertGreaterEqual(now.value("eziod_disk_write_bytes_total"), SIZE)
        self.assertEqual(now.sum("eziod_partition_cache_hits_total"), stats["totals"]["cache_hits"])
        for operation, field in (("read", "read_latency"), ("write", "write_latency"), ("flush", "sync_latency")):
            self.assertEqual(now.sum("eziod_partition_latency_seconds_count", operation=operation),
                             sum(p[field]["count"] for p in stats["partitions"]))
        self.assertEqual(now.value("eziod_cache_size_bytes"), stats["budget"]["capacity_bytes"])
        self.assertEqual(now.sum("eziod_hasher_hashed_bytes_total"), sum(h["hashed_bytes"] for h in stats["hashers"]))
        self.assertEqual(now.value("eziod_events_total", kind="torrent-synced"), 1)
        self.assertEqual([now.value("eziod_answered", part=part) for part in ("session", "stats")], [1, 1])
        version = target.json("version")["daemon"]
        self.assertEqual(now.value("eziod_build_info", version=version["version"], libtorrent=version["libtorrent"]), 1)
        self.assertAlmostEqual(now.value("eziod_uptime_seconds"), version["uptime_ms"] / 1000, delta=30)

    def test_a_torrent_in_error_shows_it_until_it_is_resolved(self):
        need_root()
        with Lab() as laboratory:
            port = free_port()
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            target = laboratory.daemon("target", {"metrics": {"metrics-listen": f"127.0.0.1:{port}"}})
            small = laboratory.mount("tmpfs", "small", "-t", "tmpfs", "-o", "size=16m")
            backing = small / "image"
            with open(backing, "wb") as file:
                file.truncate(SIZE)
            device = laboratory.loop(backing)
            target.add(torrent, device, "--peer", seeder.peer)
            row = target.wait_for(lambda row: row["state"] == "error", "the write fails")
            now = scrape(port)
            context = row["error"]["context"]
            self.assertEqual(now.value("eziod_torrent_error", info_hash=row["info_hash"], target=str(device),
                                       operation=context["operation"], errno=context["errno_name"]), 1)
            self.assertEqual(now.value("eziod_torrent_state", state="error"), 1)
            self.assertEqual(now.value("eziod_torrent_synced"), 0)
            self.assertGreater(now.value("eziod_disk_errors_total"), 0)
            self.assertGreater(now.value("eziod_events_total", kind="torrent-error"), 0)
            target.ctl("remove", "all")
            # A page is served again for a moment.
            wait_until(lambda: not scrape(port).all("eziod_torrent_error"), "it is gone")
            gone = scrape(port)
            self.assertEqual(gone.all("eziod_torrent_state"), [])
            self.assertGreaterEqual(gone.value("eziod_disk_errors_total"), now.value("eziod_disk_errors_total"))


class Listening(unittest.TestCase):
    def test_it_is_off_by_default_and_comes_and_goes_while_the_daemon_runs(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("daemon")
            self.assertEqual(daemon.json("get", "metrics-listen")["settings"][0]["value"], "")
            self.assertEqual(listening_ports(daemon.process.pid), {daemon.port})
            first, second = free_port(), free_port()
            answer = daemon.json("set", "metrics-listen", f"127.0.0.1:{first}")
            self.assertTrue(answer["active"])
            self.assertEqual(scrape(first).all("eziod_torrent_state"), [])
            with socket.create_server(("127.0.0.1", 0)) as taken:
                with self.assertRaises(Failed) as caught:
                    daemon.ctl("set", "metrics-listen", "127.0.0.1:%d" % taken.getsockname()[1])
            self.assertIn("Address already in use", str(caught.exception))
            self.assertEqual(daemon.json("get", "metrics-listen")["settings"][0]["value"], f"127.0.0.1:{first}")
            scrape(first)
            daemon.ctl("set", "metrics-listen", f"0.0.0.0:{second}")
            scrape(second)
            self.assertFalse(is_open(first))
            self.assertIn("ask for no password", daemon.log_text())
            daemon.settings["metrics"] = {"metrics-listen": ""}
            daemon.write_config()
            self.assertEqual([change["key"] for change in daemon.json("reload")["applied"]], ["metrics-listen"])
            self.assertEqual(listening_ports(daemon.process.pid), {daemon.port})
            self.assertEqual(daemon.stop(), 0)

    def test_a_daemon_whose_address_is_taken_does_not_start(self):
        with Lab() as laboratory, socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            daemon = lab.Daemon(laboratory, "daemon", {"metrics": {"metrics-listen": address}})
            done = subprocess.run([lab.BIN / "eziod", "-c", daemon.config], capture_output=True, text=True, check=False,
                                  timeout=60, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(address, done.stderr)
            self.assertIn("Address already in use", done.stderr)
            daemon.settings["metrics"] = {"metrics-listen": "localhost:9417"}
            daemon.write_config()
            done = subprocess.run([lab.BIN / "eziod", "--check-config", "-c", daemon.config], capture_output=True,
                                  text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn("metrics.metrics-listen", done.stderr)

    def test_clients_that_hang_do_not_hold_up_the_end(self):
        with Lab() as laboratory:
            port = free_port()
            daemon = laboratory.daemon("daemon", {"metrics": {"metrics-listen": f"127.0.0.1:{port}"}})
            hanging = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
            for client in hanging[::2]:
                client.sendall(b"GET /metr")
            try:
                before = time.monotonic()
                self.assertEqual(daemon.stop(), 0)
                # 30 s is what the library grants a single one.
                self.assertLess(time.monotonic() - before, 20)
            finally:
                for client in hanging:
                    client.close()


class Examples(unittest.TestCase):
    FOLDER = ROOT / "examples" / "prometheus"

    def test_the_rules_ask_for_metrics_that_exist(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not installed")
        config = yaml.safe_load((self.FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
        self.assertEqual(config["scrape_configs"][0]["job_name"], "eziod")
        known = {name: set(labels.split()) for name, labels in
                 re.findall(r"^\| `(\w+)` \| \w+ \| ([\w ]*) \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.M)}
        self.assertGreater(len(known), 50)
        documented = re.findall(r"^\| (Eziod\w+) \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.M)
        alerts = []
        for file in config["rule_files"]:
            for group in yaml.safe_load((self.FOLDER / file).read_text(encoding="utf-8"))["groups"]:
                for rule in group["rules"]:
                    alerts.append(rule["alert"])
                    names = set(re.findall(r"\beziod_\w+", rule["expr"]))
                    self.assertTrue(names)
                    self.assertLessEqual(names, set(known), rule["alert"])
                    labels = set().union(*(known[name] for name in names)) | {"instance", "job"}
                    used = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
                    self.assertLessEqual(set(used), labels, rule["alert"])
        self.assertEqual(alerts, documented)

    def test_promtool_takes_them(self):
        need("promtool")
        lab.sh("promtool", "check", "config", self.FOLDER / "prometheus.yml")
        lab.sh("promtool", "check", "rules", self.FOLDER / "eziod.rules.yml")


if __name__ == "__main__":
    lab.run(__import__("__main__"))
