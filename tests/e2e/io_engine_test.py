"""What is written and read by io_uring, and what happens where there is none."""
import errno
import pathlib
import sys
import unittest

import lab
from lab import MIB, Lab, need_root, sh

IO_URING_SETUP = 425
SIZE = 48 * MIB


def refusing(os_errno):
    """A prefix for a daemon whose system refuses io_uring."""
    script = pathlib.Path(__file__).with_name("deny_syscall.py")
    return sys.executable, "-B", script, str(IO_URING_SETUP), str(os_errno)


def engine(daemon):
    return daemon.json("get", "io-engine")["settings"][0]["effective"]


def refusals(daemon):
    return [line for line in daemon.log.read_text(encoding="utf-8").splitlines() if "io_uring is not used" in line]


def has_rings():
    """Does this machine let a program have a ring?"""
    with Lab() as laboratory:
        return not refusals(laboratory.daemon("probe", {"disk": {"io-engine": "uring"}}))


class IoEngine(unittest.TestCase):
    def transfer(self, laboratory, settings, source, target_path, prefix=()):
        """Both ends of a transfer with these disk settings; the source is read and the target written."""
        torrent = laboratory.torrent(source, None, "--fs", "raw", "--piece-size", "256KiB")
        daemons = []
        for name in ("seeder", "target"):
            daemon = lab.Daemon(laboratory, name, {"disk": settings})
            laboratory.daemons.append(daemon)
            daemons.append(daemon.start(prefix))
        seeder, target = daemons
        seeder.add(torrent, source, "--seed")
        target.add(torrent, target_path, "--peer", seeder.peer)
        target.wait_synced()
        target.ctl("verify", "all")
        target.wait_for(lambda row: row["state"] == "seeding" and row["verified"], "what is on the device is verified")
        return seeder, target

    def test_loop_devices_end_identical(self):
        need_root()
        if not has_rings():
            self.skipTest("the system refuses io_uring")
        for coalesce in (0, 16, 1024):
            with self.subTest(coalesce=coalesce), Lab() as laboratory:
                source = laboratory.loop(laboratory.random_image("source", SIZE))
                device = laboratory.loop_of("device", SIZE)
                settings = {"io-engine": "uring", "coalesce-size": coalesce}
                seeder, target = self.transfer(laboratory, settings, source, device)
                self.assertEqual([engine(seeder), engine(target)], ["uring", "uring"])
                self.assertEqual((seeder.stop(), target.stop()), (0, 0))
                self.assertEqual(refusals(target), [])
                sh("cmp", source, device)

    def test_image_files_end_identical(self):
        if not has_rings():
            self.skipTest("the system refuses io_uring")
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE + 12345)
            image = laboratory.image("image", SIZE + 12345)
            seeder, target = self.transfer(laboratory, {"io-engine": "uring"}, source, image)
            self.assertEqual((seeder.stop(), target.stop()), (0, 0))
            sh("cmp", source, image)

    def test_where_the_system_refuses_threads_do_it_and_the_log_says_so_once(self):
        for wanted, name in (("auto", "EPERM"), ("uring", "ENOSYS"), ("uring", "ENOMEM")):
            with self.subTest(wanted=wanted, errno=name), Lab() as laboratory:
                source = laboratory.random_image("source", SIZE)
                image = laboratory.image("image", SIZE)
                seeder, target = self.transfer(laboratory, {"io-engine": wanted}, source, image,
                                               refusing(getattr(errno, name)))
                self.assertEqual(engine(target), f"{wanted} (threads)")
                for daemon in (seeder, target):
                    said = refusals(daemon)
                    self.assertEqual(len(said), 1, said)
                    self.assertIn(f"io_uring_setup: {name}", said[0])
                self.assertEqual(target.json("set", "io-engine", "threads")["active"], True)
                self.assertEqual(engine(target), "threads")
                self.assertEqual((seeder.stop(), target.stop()), (0, 0))
                sh("cmp", source, image)

    def test_a_paused_torrent_is_resumed_with_the_engine_chosen_meanwhile(self):
        if not has_rings():
            self.skipTest("the system refuses io_uring")
        with Lab() as laboratory:
            source = laboratory.random_image("source", SIZE)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            image = laboratory.image("image", SIZE)
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            target = laboratory.daemon("target", {"disk": {"io-engine": "threads"},
                                                  "session": {"download-limit": "5MiB/s"}})
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_for(lambda row: row["done_bytes"] > 0, "data has come")
            self.assertEqual(self.rings(target), 0)
            self.assertEqual(target.json("set", "io-engine", "uring")["active"], True)
            target.ctl("pause", "all")
            target.wait_for(lambda row: row["state"] == "paused", "it is paused")
            target.ctl("set", "download-limit", "0")
            target.ctl("resume", "all")
            target.wait_synced()
            self.assertGreater(self.rings(target), 0)
            self.assertEqual((seeder.stop(), target.stop()), (0, 0))
            sh("cmp", source, image)

    @staticmethod
    def rings(daemon):
        """Rings that the daemon has open."""
        count = 0
        for descriptor in pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir():
            try:
                count += "io_uring" in str(descriptor.readlink())
            except FileNotFoundError:
                continue  # closed meanwhile
        return count


if __name__ == "__main__":
    lab.run(__import__("__main__"))
