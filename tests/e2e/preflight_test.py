"""Safety checks of `add`, each on a real device in the state that it is there for. Nothing may be written before all have passed."""
import contextlib
import hashlib
import json
import os
import pathlib
import stat
import struct
import subprocess
import unittest

import lab
from lab import MIB, Failed, Lab, make_torrent, need, need_root, sh

SIZE = 16 * MIB


def digest_of(path):
    """Of all bytes, read from the device itself where there is one."""
    fd = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        digest = hashlib.sha256()
        while block := os.read(fd, MIB):
            digest.update(block)
        return digest.hexdigest()
    finally:
        os.close(fd)


class Preflight(unittest.TestCase):
    def setUp(self):
        need_root()
        self.lab = self.enterContext(Lab())
        self.source = self.lab.random_image("source", SIZE)
        self.torrent = self.lab.torrent(self.source, None, "--fs", "raw")
        self.daemon = self.lab.daemon("target")

    def refused(self, path, check, *options, torrent=None, word=None):
        """Refused by this check, in one line with status 3, and not a byte of the target changed."""
        before = digest_of(path)
        rows = self.daemon.torrents_now()
        with self.assertRaises(Failed) as caught:
            self.daemon.add(torrent or self.torrent, path, *options)
        failure = caught.exception
        self.assertEqual(failure.status, 3, failure)
        context = json.loads(failure.stdout)["error"]["context"]
        self.assertEqual((context["check"], context["device"]), (check, str(path)))
        self.assertEqual(failure.stderr.count("\n"), 1, failure.stderr)
        if word:
            self.assertIn(word, failure.stderr)
        self.assertEqual(self.daemon.torrents_now(), rows)
        self.assertEqual(digest_of(path), before, "nothing was written")
        return failure.stderr

    def accepted(self, path, *options, torrent=None):
        """The same target, once the cause is gone: the check refused for its reason and no other."""
        info_hash = self.daemon.add(torrent or self.torrent, path, "--paused", *options)
        self.daemon.ctl("remove", info_hash)

    def partitioned(self, name, *parts):
        """A loop device with these partitions (start, size in sectors); their paths. The nodes are made here, since no udev may run."""
        need("partx")
        image = self.lab.image(name, 64 * MIB)
        table = b"".join(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\0\2\0", start, size) for start, size in parts)
        with open(image, "r+b") as file:
            file.seek(446)
            file.write(table.ljust(64, b"\0") + b"\x55\xaa")
        device = self.lab.loop(image)
        sh("partx", "--add", device)
        self.lab.undo.callback(subprocess.run, ["partx", "--delete", device], check=False, capture_output=True)
        paths = []
        for number in range(1, len(parts) + 1):
            path = pathlib.Path(f"{device}p{number}")
            if not path.exists():
                numbers = pathlib.Path(f"/sys/class/block/{path.name}/dev").read_text(encoding="ascii").split(":")
                os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(int(numbers[0]), int(numbers[1])))
                self.lab.undo.callback(path.unlink, missing_ok=True)
            paths.append(path)
        return device, paths

    def test_a_mounted_partition_and_the_disk_that_it_is_on(self):
        need("mkfs.ext4")
        disk, (first, second) = self.partitioned("disk", (2048, 40960), (43008, 40960))
        # What is left to initialize after mounting, the kernel writes within the next seconds.
        sh("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", first)
        with self.lab.mounted(first, "mounted") as point:
            (point / "mine").write_text("kept", encoding="ascii")
            sh("sync", "-f", point)
            self.refused(first, "mounted", word=str(point))
            self.refused(disk, "mounted")
            self.accepted(second)
        self.accepted(first)
        sh("e2fsck", "-fn", first)

    def test_a_disk_whose_file_system_is_mounted_read_only(self):
        need("mkfs.ext4")
        device = self.lab.loop_of("image", SIZE)
        sh("mkfs.ext4", "-q", "-F", device)
        with self.lab.mounted(device, "mounted", "-o", "ro"):
            self.refused(device, "mounted")
        self.accepted(device)

    def test_swap_on_a_loop_device(self):
        need("mkswap", "swapon")
        device = self.lab.loop_of("image", SIZE)
        sh("mkswap", device)
        done = subprocess.run(["swapon", device], capture_output=True, text=True, check=False)
        if done.returncode:
            self.skipTest(f"no swap can be switched on here: {done.stderr.strip()}")
        try:
            self.refused(device, "swap", word=str(device))
            # It is no override of this: what the kernel swaps out must not be written over.
            with self.assertRaises(Failed) as caught:
                self.daemon.add(self.torrent, device, "--allow", "swap")
            self.assertEqual(caught.exception.status, 2, caught.exception)
        finally:
            sh("swapoff", device)
        self.accepted(device)

    def test_an_image_that_a_loop_device_is_attached_to(self):
        image = self.lab.image("image", SIZE)
        device = self.lab.loop(image)
        self.refused(image, "held", word=device.name)
        self.accepted(device)

    def test_a_loop_device_that_another_loop_device_is_attached_to(self):
        lower = self.lab.loop_of("image", SIZE)
        upper = self.lab.loop(lower)
        self.refused(lower, "held", word=upper.name)
        self.accepted(upper)

    def test_a_device_that_another_program_has_open_exclusively(self):
        device = self.lab.loop_of("image", SIZE)
        holder = os.open(device, os.O_RDWR | os.O_EXCL)
        try:
            self.refused(device, "excl-busy")
        finally:
            os.close(holder)
        self.accepted(device)

    def test_a_device_that_another_daemon_writes(self):
        device = self.lab.loop_of("image", SIZE)
        other = self.lab.daemon("other")
        added = other.add(self.torrent, device, "--paused")
        self.refused(device, "excl-busy")
        other.ctl("remove", added)
        self.accepted(device)

    def test_a_device_that_is_write_protected_by_blockdev(self):
        device = self.lab.loop_of("image", SIZE)
        sh("blockdev", "--setro", device)
        self.refused(device, "read-only", word="blockdev --setrw")
        # It can be read all the same.
        self.accepted(device, "--seed")
        sh("blockdev", "--setrw", device)
        self.accepted(device)

    def test_an_image_on_a_file_system_that_is_mounted_read_only(self):
        point = self.lab.mount("tmpfs", "ro", "-t", "tmpfs", "-o", "size=32m")
        image = point / "image"
        with open(image, "wb") as file:
            file.truncate(SIZE)
        sh("mount", "-o", "remount,ro", point)
        self.refused(image, "read-only")

    def test_a_device_one_sector_too_small(self):
        for sector in (512, 4096):
            with self.subTest(sector=sector):
                device = self.loop_with_sectors(self.lab.image(f"small{sector}", SIZE - sector), sector)
                text = self.refused(device, "too-small")
                self.assertIn(f"needs {SIZE} bytes, the target has {SIZE - sector}", text)
                # A device does not grow because someone allows it.
                self.refused(device, "too-small", "--allow", "too-small")
                self.accepted(self.loop_with_sectors(self.lab.image(f"exact{sector}", SIZE), sector))

    def test_an_image_one_byte_too_small(self):
        image = self.lab.image("small", SIZE - 1)
        self.assertIn(f"has {SIZE - 1}", self.refused(image, "too-small"))
        self.accepted(self.lab.image("exact", SIZE))

    def test_the_size_counts_to_the_end_of_the_last_extent_not_to_the_sum_of_all(self):
        gap = make_torrent(self.lab.folder / "gap.torrent", self.source, [(0, MIB), (SIZE - 4096, 4096)])
        self.refused(self.lab.loop_of("small", SIZE - 512), "too-small", torrent=gap)
        self.accepted(self.lab.loop_of("exact", SIZE), torrent=gap)

    def loop_with_sectors(self, image, sector):
        device = self.lab.loop(image)
        if sector != 512:
            done = subprocess.run(["losetup", "--sector-size", str(sector), device], capture_output=True, text=True,
                                  check=False)
            if done.returncode:
                self.skipTest(f"no loop device with sectors of {sector} bytes: {done.stderr.strip()}")
        self.assertEqual(int(sh("blockdev", "--getss", device)), sector)
        return device

    def test_extents_off_the_sectors_of_a_device_with_4096_bytes_each(self):
        small = make_torrent(self.lab.folder / "small.torrent", self.source, [(0, MIB), (2 * MIB + 512, 4096)])
        large = make_torrent(self.lab.folder / "large.torrent", self.source, [(0, MIB), (2 * MIB + 4096, 4096)])
        device = self.loop_with_sectors(self.lab.image("image", SIZE), 4096)
        self.refused(device, "misaligned", torrent=small, word="4096")
        self.accepted(device, "--allow", "misaligned", torrent=small)
        self.accepted(device, torrent=large)
        self.accepted(self.loop_with_sectors(self.lab.image("other", SIZE), 512), torrent=small)

    def test_a_device_of_4096_byte_sectors_is_written_right(self):
        device = self.loop_with_sectors(self.lab.image("image", SIZE), 4096)
        seeder = self.lab.daemon("seeder")
        seeder.add(self.torrent, self.source, "--seed")
        self.daemon.add(self.torrent, device, "--peer", seeder.peer)
        self.daemon.wait_synced()
        self.daemon.ctl("remove", "all")
        sh("cmp", self.source, device)

    def test_torrents_on_overlapping_bytes_of_a_disk_and_its_partition(self):
        disk, (first, second) = self.partitioned("disk", (2048, 40960), (43008, 40960))
        added = self.daemon.add(self.torrent, first, "--paused")
        # 16 MiB from the disk's start reach into the partition that starts at 1 MiB.
        self.refused(disk, "overlap", torrent=make_torrent(self.lab.folder / "whole.torrent", self.source,
                                                           [(0, 2 * MIB)]), word=added)
        self.daemon.add(make_torrent(self.lab.folder / "other.torrent", self.source, [(4096, SIZE - 4096)]), second,
                        "--paused")
        self.daemon.ctl("remove", "all")

    def test_an_overlap_of_one_byte(self):
        image = self.lab.image("image", SIZE)
        one = make_torrent(self.lab.folder / "one.torrent", self.source, [(0, MIB)])
        touching = make_torrent(self.lab.folder / "touching.torrent", self.source, [(MIB, MIB)])
        overlapping = make_torrent(self.lab.folder / "overlapping.torrent", self.source, [(2 * MIB - 1, MIB)])
        self.daemon.add(one, image, "--paused")
        self.daemon.add(touching, image, "--paused")
        self.refused(image, "overlap", torrent=overlapping)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
