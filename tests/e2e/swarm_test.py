"""Finding peers, and clients that are not ours."""
import os
import subprocess
import unittest

import lab
from lab import MIB, Lab, need, need_root, sh, wait_until

SIZE = 24 * MIB


class ForeignClients(unittest.TestCase):
    """aria2 downloads into a file named by the offset of a single-file torrent: 0."""

    def setUp(self):
        need("aria2c")
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", SIZE + 4321)
        self.torrent = lab.make_torrent(self.lab.folder / "0.torrent", self.source, [(0, SIZE + 4321)], name=None)

    def aria2(self, folder, port, *options):
        return self.lab.spawn(
            "aria2c", f"--dir={folder}", f"--listen-port={port}", "--enable-dht=false", "--enable-dht6=false",
            "--bt-enable-lpd=false", "--interface=127.0.0.1", "--file-allocation=none", "--summary-interval=0",
            "--bt-tracker-connect-timeout=1", "--no-conf", "--disable-ipv6", *options, self.torrent)

    def test_aria2_seeds(self):
        folder = self.lab.folder / "aria2"
        folder.mkdir()
        (folder / "0").write_bytes(self.source.read_bytes())
        port = lab.free_port()
        self.aria2(folder, port, "--check-integrity=true", "--seed-ratio=0.0")
        image = self.lab.image("image", self.source.stat().st_size)
        target = self.lab.daemon("target")
        target.add(self.torrent, image, "--peer", f"127.0.0.1:{port}")
        target.wait_synced()
        self.assertEqual(target.stop(), 0)
        sh("cmp", self.source, image)

    def test_a_seed_that_sends_wrong_bytes_is_never_the_source_of_a_done(self):
        folder = self.lab.folder / "aria2"
        folder.mkdir()
        wrong = bytearray(self.source.read_bytes())
        wrong[SIZE // 2] ^= 1
        (folder / "0").write_bytes(wrong)
        port = lab.free_port()
        self.aria2(folder, port, "--bt-seed-unverified=true", "--allow-overwrite=true", "--seed-ratio=0.0")
        target = self.lab.daemon("target")
        target.add(self.torrent, self.lab.image("image", self.source.stat().st_size), "--peer", f"127.0.0.1:{port}")
        row = target.wait_for(lambda row: row["hash_failures"] > 0, "a hash fails")
        self.assertEqual((row["state"], row["synced"]), ("downloading", False))
        self.assertLess(row["pieces_done"], row["pieces_total"])

    def test_aria2_leeches_while_one_of_ours_does(self):
        seeder = self.lab.daemon("seeder")
        seeder.add(self.torrent, self.source, "--seed")
        folder = self.lab.folder / "aria2"
        folder.mkdir()
        port = lab.free_port()
        aria2 = self.aria2(folder, port, "--seed-time=0")
        # aria2 takes no address of a peer: a daemon of ours that knows it connects.
        target = self.lab.daemon("target")
        image = self.lab.image("image", self.source.stat().st_size)
        target.add(self.torrent, image, "--peer", seeder.peer, "--peer", f"127.0.0.1:{port}")
        target.wait_synced()
        copy = folder / "0"
        wait_until(lambda: aria2.poll() is not None, "aria2 has it all and ends")
        self.assertEqual(aria2.returncode, 0)
        sh("cmp", self.source, copy)
        self.assertEqual(target.stop(), 0)
        sh("cmp", self.source, image)


class Discovery(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def make(self, *options):
        source = self.lab.random_image("source", SIZE)
        return source, self.lab.torrent(source, None, "--fs", "raw", *options)

    def test_a_transfer_from_a_named_peer_begins_at_once_not_at_the_next_tick(self):
        source, torrent = self.make()
        seeder = self.lab.daemon("seeder")
        seeder.add(torrent, source, "--seed")
        seeder.wait_for_state("seeding")
        # With ticks a minute apart nothing but the addition itself can have made the connection and asked for blocks.
        target = self.lab.daemon("target", {"libtorrent": {"tick_interval": 60000}})
        image = self.lab.image("image", SIZE)
        target.add(torrent, image, "--peer", seeder.peer)
        target.wait_for(lambda row: row["done_bytes"] > 0, "the first piece is there", seconds=20)

    def test_a_torrent_added_as_paused_stays_so_and_a_pause_right_after_adding_holds(self):
        source, torrent = self.make()
        seeder = self.lab.daemon("seeder")
        seeder.add(torrent, source, "--seed")
        target = self.lab.daemon("target")
        image = self.lab.image("image", SIZE)
        for options in (("--paused",), ()):
            # Not over before it can be paused.
            target.ctl("set", "download-limit", "1MiB/s")
            info_hash = target.add(torrent, image, "--peer", seeder.peer, *options)
            if not options:
                target.ctl("pause", info_hash)
            row = target.wait_for(lambda row: row["state"] != "checking" and row["peers"] == 0, "it pauses")
            self.assertEqual(row["state"], "paused")
            target.ctl("set", "download-limit", "0")
            target.ctl("resume", info_hash)
            target.wait_synced()
            target.ctl("remove", info_hash)
        sh("cmp", source, image)

    def test_a_third_node_learns_of_the_second_from_the_seeder(self):
        source, torrent = self.make()
        slow = {"session": {"download-limit": "1MiB/s"}}
        seeder = self.lab.daemon("seeder")
        seeder.add(torrent, source, "--seed")
        second, third = self.lab.daemon("second", slow), self.lab.daemon("third", slow)
        for daemon in (second, third):
            daemon.add(torrent, self.lab.image(f"image-{daemon.name}", SIZE), "--peer", seeder.peer)

        def knows_second():
            peers = third.json("peers")["torrents"][0]["peers"]
            return any(peer["endpoint"] == second.peer for peer in peers) or any(
                peer["endpoint"] == third.peer for peer in second.json("peers")["torrents"][0]["peers"])
        wait_until(knows_second, "one of the two has connected to the other's listening port")
        for daemon in (second, third):
            daemon.ctl("set", "download-limit", "0")
            daemon.wait_synced()

    def test_nodes_told_of_the_source_only_all_find_each_other_and_the_source_directs_them(self):
        source, torrent = self.make()
        # The source crawls, and PEX, which says something once a minute, finds the last ones only after that.
        seeder = self.lab.daemon("seeder", {"session": {"upload-limit": "256KiB/s"}})
        seeder.add(torrent, source, "--seed")
        nodes = [self.lab.daemon(f"node{i}") for i in range(5)]
        for node in nodes:
            node.add(torrent, self.lab.image(f"image-{node.name}", SIZE), "--peer", seeder.peer)

        def peers_of(node):
            return node.json("peers")["torrents"][0]["peers"]
        for node in nodes:
            wait_until(lambda node=node: len(peers_of(node)) >= len(nodes), f"{node.name} has all the others and the source",
                       seconds=40)
        # Each sees no more of the source's pieces than it is to take.
        for node in nodes:
            row = next(peer for peer in peers_of(node) if peer["endpoint"] == seeder.peer)
            self.assertFalse(row["seed"])
            self.assertLess(row["progress"], 0.9)
        seeder.ctl("set", "upload-limit", "0")
        for node in nodes:
            node.wait_synced()
            sh("cmp", source, self.lab.folder / f"image-{node.name}")
        row = seeder.wait_for(lambda row: row["uploaded_bytes"] >= SIZE and row["up_rate"] == 0, "all uploads are counted")
        self.assertLess(row["uploaded_bytes"], 3 * SIZE)

    def test_a_tracker(self):
        need("opentracker")
        port = lab.free_port()
        folder = self.lab.folder / "tracker"
        folder.mkdir(mode=0o755)
        url = f"http://127.0.0.1:{port}/announce"
        source, torrent = self.make("--tracker", url)
        # Debian's opentracker serves listed torrents only.
        allowed = folder / "allowed"
        allowed.write_text(lab.inspect(torrent)["info_hash"] + "\n", encoding="ascii")
        os.chmod(self.lab.folder, 0o755)
        tracker = self.lab.spawn("opentracker", "-i", "127.0.0.1", "-p", port, "-P", port, "-w", allowed)
        wait_until(lambda: tracker.poll() is not None or subprocess.run(
            ["python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"],
            capture_output=True, check=False).returncode == 0, "the tracker listens", 15)
        if tracker.poll() is not None:
            self.skipTest(f"opentracker ends with {tracker.returncode} here")
        seeder, target = self.lab.daemon("seeder"), self.lab.daemon("target")
        seeder.add(torrent, source, "--seed")
        image = self.lab.image("image", SIZE)
        target.add(torrent, image)

        def asked_again():
            target.ctl("reannounce", "all")
            return target.torrent()["peers"] or target.torrent()["synced"]
        wait_until(asked_again, "the tracker names the seeder")
        target.wait_synced()
        self.assertEqual(target.stop(), 0)
        sh("cmp", source, image)

    def test_local_service_discovery(self):
        need_root()
        need("ip")
        names = [f"ezio{self.lab.folder.name[-6:]}{side}" for side in "ab"]
        for name in names:
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
            if made.returncode:
                self.skipTest(f"no network namespaces: {made.stderr.strip()}")
            self.lab.undo.callback(sh, "ip", "netns", "del", name)
        made = subprocess.run(["ip", "link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns",
                               names[1]], capture_output=True, text=True, check=False)
        if made.returncode:
            self.skipTest(f"no veth devices: {made.stderr.strip()}")
        daemons = []
        source, torrent = self.make()
        for index, name in enumerate(names, 1):
            sh("ip", "-n", name, "addr", "add", f"10.213.77.{index}/24", "dev", "eth0")
            sh("ip", "-n", name, "link", "set", "lo", "up")
            sh("ip", "-n", name, "link", "set", "eth0", "up")
            sh("ip", "-n", name, "route", "add", "224.0.0.0/4", "dev", "eth0")
            daemon = lab.Daemon(self.lab, f"node{index}", {"session": {"lsd": True}}, listen=f"10.213.77.{index}")
            self.lab.daemons.append(daemon)
            daemons.append(daemon.start(prefix=("ip", "netns", "exec", name)))
        seeder, target = daemons
        image = self.lab.image("image", SIZE)
        target.add(torrent, image)
        seeder.add(torrent, source, "--seed")

        def asked_again():
            for daemon in daemons:
                daemon.ctl("reannounce", "all")
            return target.torrent()["peers"] or target.torrent()["synced"]
        wait_until(asked_again, "the seeder is heard")
        target.wait_synced()
        self.assertEqual(target.stop(), 0)
        sh("cmp", source, image)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
