"""A target that is slow or hangs, beside one that is not."""
import contextlib
import socket
import threading
import time
import unittest

import lab
from lab import MIB, Failed, Lab, need_root, sh, wait_until

FAST = 192 * MIB
SLOW = 40 * MIB
#: Much more than may be dirty is still to come when the device stops.
HANGING = 96 * MIB
#: Beyond the mark: what peers have in their receive buffers when they are told to wait.
SLACK = 3 * MIB


class Swarm:
    """A seeder of two images, and a target with a quick loop device and room for another."""

    def __init__(self, laboratory, slow_bytes=SLOW):
        self.lab = laboratory
        self.sources = {"fast": laboratory.random_image("fast", FAST), "slow": laboratory.random_image("slow", slow_bytes)}
        self.torrents = {name: laboratory.torrent(source, None, "--fs", "raw", "--piece-size", "1M")
                         for name, source in self.sources.items()}
        self.seeder = laboratory.daemon("seeder")
        for name, torrent in self.torrents.items():
            added = self.seeder.add(torrent, self.sources[name], "--seed")
            self.seeder.wait_for_state("seeding", info_hash=added)
        self.target = laboratory.daemon("target")
        self.fast_device = laboratory.loop_of("fast-target", FAST)

    def add(self, name, device):
        return self.target.add(self.torrents[name], device, "--peer", self.seeder.peer)

    def fast_seconds(self):
        """How long the fast torrent takes until it is on the device. Removes it."""
        began = time.monotonic()
        added = self.add("fast", self.fast_device)
        self.target.wait_synced(added)
        seconds = time.monotonic() - began
        others = [row["synced"] for row in self.target.torrents_now() if row["info_hash"] != added]
        sh("cmp", self.sources["fast"], self.fast_device)
        self.target.ctl("remove", added)
        return seconds, others

    def device(self, path):
        rows = [row for row in self.target.json("stats")["devices"] if row["device"] == str(path)]
        return rows[0] if rows else None


class Sampler(threading.Thread):
    """What the statistics say of a device, until stopped."""

    def __init__(self, swarm, device):
        super().__init__()
        self.swarm, self.device = swarm, device
        self.rows, self.failure, self.is_over = [], None, threading.Event()

    def run(self):
        try:
            while not self.is_over.is_set():
                if row := self.swarm.device(self.device):
                    self.rows.append(row)
        except Exception as failure:  # pylint: disable=broad-except  # told to the test's thread
            self.failure = failure

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()
        if self.failure:
            raise self.failure


class Pause:
    """The control socket of nbdkit's pause filter."""

    def __init__(self, path):
        self.path = path

    def tell(self, letter):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.path))
            control.sendall(letter)
            answer = control.recv(1)
        if answer != letter.upper():
            raise AssertionError(f"nbdkit answered {answer} to {letter}")


class SlowDevices(unittest.TestCase):
    def test_a_slow_target_takes_nothing_from_a_fast_one(self):
        need_root()
        with Lab(room_mib=640) as laboratory:
            swarm = Swarm(laboratory)
            # Bits a second: 5 MiB/s after what the filter lets through at first.
            slow_device = laboratory.loop(laboratory.nbd("nbd", SLOW, "--filter=rate", "rate=40M"))
            alone, _ = swarm.fast_seconds()
            began = time.monotonic()
            slow = swarm.add("slow", slow_device)
            with Sampler(swarm, slow_device) as sampler:
                wait_until(lambda: any(row["backpressure_count"] for row in sampler.rows), "the slow device is full")
                beside, others = swarm.fast_seconds()
                self.assertEqual(others, [False], "it was slow all the time")
                swarm.target.wait_synced(slow)
            seconds = time.monotonic() - began
            print(f"alone {alone:.2f} s, beside {beside:.2f} s; slow {SLOW / MIB / seconds:.1f} MiB/s, "
                  f"dirty at most {max(row['dirty_bytes'] for row in sampler.rows) / MIB:.1f} MiB, marks "
                  f"{max(row['dirty_mark_bytes'] for row in sampler.rows) / MIB:.1f} to "
                  f"{min(row['dirty_mark_bytes'] for row in sampler.rows) / MIB:.1f} MiB, "
                  f"waits {sampler.rows[-1]['backpressure_count']}, peak memory "
                  f"{swarm.target.rss_bytes('VmHWM') / MIB:.0f} MiB")
            # A second for what is not transfer: connecting, and how often ezioctl looks.
            self.assertLess(beside, 2 * alone + 1)
            sh("cmp", swarm.sources["slow"], slow_device)
            mark = 0
            for row in sampler.rows:
                mark = max(mark, row["dirty_mark_bytes"])
                self.assertLessEqual(row["dirty_bytes"], mark + SLACK, sampler.rows)
            self.assertLessEqual(mark, 16 * MIB, "no more than its share of the budget")
            waits = sampler.rows[-1]["backpressure_count"]
            self.assertLessEqual(waits, 5 * seconds + 5, "it does not flap")
            self.assertLess(swarm.target.rss_bytes("VmHWM"), (64 + 96) * MIB)

    @staticmethod
    def is_stuck(last, now):
        """Half a second of one and the same wait, with nothing written. Remembers in last[0] since when."""
        if any(now[key] != last[0][key] for key in ("backpressure_count", "dirty_bytes")):
            last[0] = now
        return now["dirty_bytes"] > 0 and now["backpressure_ms"] - last[0]["backpressure_ms"] >= 500

    def test_a_target_that_hangs_stops_itself_only(self):
        need_root()
        with Lab(room_mib=640) as laboratory, contextlib.ExitStack() as at_end:
            swarm = Swarm(laboratory, HANGING)
            pause = Pause(laboratory.folder / "pause")
            slow_device = laboratory.loop(laboratory.nbd("nbd", HANGING, "--filter=pause", "--filter=rate", "rate=80M",
                                                         f"pause-control={pause.path}"))
            # More than the one that it is told to make of them, wherever this runs.
            swarm.target.ctl("set", "aio-threads", "2")
            slow = swarm.add("slow", slow_device)
            target = swarm.target
            target.wait_for(lambda row: 0 < row["pieces_done"] < row["pieces_total"], "half way", slow)
            pause.tell(b"p")
            # A daemon in a write that does not end cannot even be killed.
            at_end.callback(pause.tell, b"r")
            wait_until(lambda last=[swarm.device(slow_device)]: self.is_stuck(last, swarm.device(slow_device)),
                       "everything waits for the device")
            written = target.json("stats")["totals"]["write_bytes"]
            swarm.fast_seconds()
            self.assertGreaterEqual(target.json("stats")["totals"]["write_bytes"], written + FAST)

            fast = swarm.add("fast", swarm.fast_device)
            with self.assertRaises(Failed) as caught:
                target.ctl("set", "aio-threads", "1")
            self.assertIn(str(slow_device), caught.exception.stderr)
            self.assertEqual(swarm.device(swarm.fast_device)["partitions"], 1)
            self.assertGreater(swarm.device(slow_device)["partitions"], 1)
            target.wait_synced(fast)
            row = swarm.device(slow_device)
            self.assertGreater(row["dirty_bytes"], 0)
            self.assertLessEqual(row["dirty_bytes"], 16 * MIB + SLACK)
            self.assertEqual(target.torrent(slow)["error"], None)

            at_end.pop_all()
            pause.tell(b"r")
            target.wait_synced(slow)
            sh("cmp", swarm.sources["slow"], slow_device)
            self.assertEqual(target.stop(), 0)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
