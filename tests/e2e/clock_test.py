"""The wall clock is set while the daemon runs, as happens to a machine that was just started once NTP knows better."""
import datetime
import sys
import time
import unittest

import lab
from lab import MIB, FakeClock, Lab, sh

HOUR = 3600
SIZE = 64 * MIB


class WallClock(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.clock = FakeClock(self.lab.folder)
        self.source = self.lab.random_image("source", SIZE)
        self.image = self.lab.image("image", SIZE)
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw", "--piece-size", "256K")
        self.seeder, self.target = (lab.Daemon(self.lab, name) for name in ("seeder", "target"))
        self.lab.daemons += self.seeder, self.target
        self.target.start(self.clock.prefix)

    def seed(self):
        self.seeder.start(self.clock.prefix)
        self.seeder.add(self.torrent, self.source, "--seed")
        self.seeder.wait_for_state("seeding")

    def target_ports(self):
        """Those from which the target has connected to the seeder."""
        return [peer["endpoint"] for torrent in self.seeder.json("peers")["torrents"] for peer in torrent["peers"]]

    def finish(self):
        self.target.wait_synced()
        self.assertEqual((self.target.stop(), self.seeder.stop()), (0, 0))
        sh("cmp", self.source, self.image)

    def test_set_back_by_hours_nothing_waits_for_them_to_pass(self):
        self.target.add(self.torrent, self.image, "--peer", self.seeder.peer)
        self.target.wait_for_state("downloading")
        self.clock.set_off(-8 * HOUR)
        # It may have been tried before, when nothing listened there.
        self.seed()
        self.target.wait_synced()
        # What people read shows the clock nevertheless.
        report = self.target.json("report")
        read = {"report": report["unix_ms"], "added": report["torrents"][0]["added_unix_ms"],
                "synced": report["torrents"][0]["synced_unix_ms"]}
        self.finish()
        logged = [datetime.datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
                  for line in self.target.log.read_text(encoding="utf-8").splitlines()]
        read |= {"first line": logged[0] * 1000, "last line": logged[-1] * 1000}
        hours_ago = {name: (time.time() - unix_ms / 1000) / HOUR for name, unix_ms in read.items()}
        for name, hours in hours_ago.items():
            self.assertAlmostEqual(hours, 0 if name in ("added", "first line") else 8, delta=1, msg=f"{name}: {hours_ago}")

    def test_set_forward_by_years_no_connection_is_taken_for_silent(self):
        self.seed()
        self.seeder.ctl("set", "upload-limit", "4MiB/s")
        self.target.add(self.torrent, self.image, "--peer", self.seeder.peer)
        self.target.wait_for(lambda row: row["done_bytes"] > 0, "data flows")
        ports = self.target_ports()
        self.assertEqual(len(ports), 1)
        self.clock.set_off(10 * 365 * 24 * HOUR)
        # Longer than libtorrent takes to look at its connections once more.
        done = self.target.torrent()["done_bytes"]
        self.target.wait_for(lambda row: row["done_bytes"] >= done + 12 * MIB, "three seconds' worth has come")
        self.assertEqual(self.target_ports(), ports)
        self.seeder.ctl("set", "upload-limit", "0")
        self.finish()


if __name__ == "__main__":
    lab.run(sys.modules[__name__])
