"""Clones that must end bit for bit."""
import subprocess
import unittest

import lab
from lab import MIB, Lab, assert_covered_equal, need, need_root, sh


def make_filesystem(laboratory, kind, size_bytes, seed=1):
    """A loop device with a filesystem full of files; the device and the directory it was filled from."""
    source = laboratory.loop_of(f"source-{kind}-{seed}", size_bytes)
    files = laboratory.files(size_bytes // 3, seed)
    if kind == "ext4":
        sh("mkfs.ext4", "-q", "-F", "-d", files, source)
        return source, files
    if kind == "xfs":
        sh("mkfs.xfs", "-q", "-f", source)
    elif kind == "btrfs":
        sh("mkfs.btrfs", "-q", "-f", source)
    elif kind == "vfat":
        sh("mkfs.vfat", source)
    elif kind == "ntfs":
        sh("mkfs.ntfs", "-Q", "-F", source)
    try:
        with laboratory.mounted(source, "fill") as point:
            sh("cp", "-r", f"{files}/.", point)
    except AssertionError as failure:
        raise unittest.SkipTest(f"{kind} cannot be mounted here: {failure}") from None
    return source, files


FSCK = {
    "ext4": ("e2fsck", "-fn"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "vfat": ("fsck.vfat", "-n"),
}


class Filesystems(unittest.TestCase):
    def clone(self, kind, size_bytes, program):
        need(program)
        need_root()
        with Lab(3 * size_bytes // MIB) as laboratory:
            source, files = make_filesystem(laboratory, kind, size_bytes)
            torrent = laboratory.torrent(source, f"{kind}.torrent")
            covered = lab.inspect(torrent)["covered_bytes"]
            self.assertLess(covered, size_bytes, "free blocks are left out")
            target = laboratory.loop_of("target", size_bytes)
            seeder, leecher = laboratory.daemon("seeder"), laboratory.daemon("leecher")
            seeder.add(torrent, source, "--seed")
            leecher.add(torrent, target, "--peer", seeder.peer)
            leecher.wait_synced()
            row = leecher.torrent()
            self.assertIn(row["state"], ("finished", "seeding"))
            self.assertTrue(row["synced"])
            self.assertEqual(row["done_bytes"], covered)
            self.assertEqual((seeder.stop(), leecher.stop()), (0, 0))
            assert_covered_equal(torrent, source, target)
            if kind in FSCK:
                sh(*FSCK[kind], target)
            if kind != "ntfs":
                with laboratory.mounted(target, "look", "-o", "ro") as point:
                    sh("diff", "-r", "--exclude=lost+found", files, point)

    def test_ext4(self):
        self.clone("ext4", 96 * MIB, "mkfs.ext4")

    def test_xfs(self):
        self.clone("xfs", 320 * MIB, "mkfs.xfs")

    def test_btrfs(self):
        self.clone("btrfs", 160 * MIB, "mkfs.btrfs")

    def test_vfat(self):
        self.clone("vfat", 64 * MIB, "mkfs.vfat")

    def test_ext4_of_one_gib(self):
        self.clone("ext4", 1024 * MIB, "mkfs.ext4")


class Swarms(unittest.TestCase):
    def test_one_seeder_serves_three_targets(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", 48 * MIB)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            seeder = laboratory.daemon("seeder")
            seeder.add(torrent, source, "--seed")
            targets = []
            for index in range(3):
                daemon = laboratory.daemon(f"target{index}")
                image = laboratory.image(f"image{index}", 48 * MIB)
                daemon.add(torrent, image, "--peer", seeder.peer)
                targets.append((daemon, image))
            for daemon, image in targets:
                daemon.wait_synced()
                self.assertEqual(daemon.stop(), 0)
                sh("cmp", source, image)

    def test_several_torrents_at_once(self):
        with Lab() as laboratory:
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            pairs = []
            for index in range(4):
                source = laboratory.random_image(f"source{index}", (5 + 7 * index) * MIB + 512 * index)
                torrent = laboratory.torrent(source, None, "--fs", "raw")
                seeder.add(torrent, source, "--seed")
                image = laboratory.image(f"image{index}", source.stat().st_size)
                target.add(torrent, image, "--peer", seeder.peer)
                pairs.append((source, image))
            target.wait_synced()
            self.assertEqual(len(target.torrents_now()), 4)
            self.assertEqual(target.stop(), 0)
            for source, image in pairs:
                sh("cmp", source, image)

    def test_two_torrents_share_one_device_on_disjoint_ranges(self):
        with Lab() as laboratory:
            size = 24 * MIB
            source = laboratory.random_image("source", size)
            # Interleaved extents, so that neither torrent's range contains the other's neighbourhood.
            extents = [(at * MIB, MIB) for at in range(24)]
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            device = laboratory.loop_of("target-image", size)
            for name, part in (("even", extents[::2]), ("odd", extents[1::2])):
                torrent = lab.make_torrent(laboratory.folder / f"{name}.torrent", source, part, name=name)
                seeder.add(torrent, source, "--seed")
                target.add(torrent, device, "--peer", seeder.peer)
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, device)

    def test_torrents_on_overlapping_ranges_of_one_device_are_refused(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", 4 * MIB)
            image = laboratory.image("image", 4 * MIB)
            target = laboratory.daemon("target")
            first = lab.make_torrent(laboratory.folder / "a.torrent", source, [(0, 2 * MIB)], name="a")
            second = lab.make_torrent(laboratory.folder / "b.torrent", source, [(MIB, 2 * MIB)], name="b")
            target.add(first, image)
            with self.assertRaises(lab.Failed) as refused:
                target.add(second, image)
            self.assertEqual(refused.exception.status, 3)
            self.assertEqual(len(target.torrents_now()), 1)

    def test_hybrid_torrent(self):
        with Lab() as laboratory:
            source = laboratory.random_image("source", 20 * MIB + 12345)
            torrent = laboratory.torrent(source, None, "--fs", "raw", "--hybrid")
            self.assertTrue(lab.inspect(torrent)["info_hash_v2"])
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            image = laboratory.image("image", source.stat().st_size)
            seeder.add(torrent, source, "--seed")
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            sh("cmp", source, image)

    def test_sparse_image_stays_sparse_where_nothing_is_covered(self):
        need("mkfs.ext4")
        with Lab() as laboratory:
            source = laboratory.image("source", 256 * MIB)
            sh("mkfs.ext4", "-q", "-F", "-d", laboratory.files(8 * MIB), source)
            torrent = laboratory.torrent(source)
            image = laboratory.image("image", 256 * MIB)
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            seeder.add(torrent, source, "--seed")
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            assert_covered_equal(torrent, source, image)
            covered = lab.inspect(torrent)["covered_bytes"]
            self.assertLessEqual(image.stat().st_blocks * 512, covered + MIB)
            sh("e2fsck", "-fn", image)

    def test_torrent_info_of_partclone(self):
        need("partclone.extfs", "mkfs.ext4")
        with Lab() as laboratory:
            source = laboratory.image("source", 64 * MIB)
            sh("mkfs.ext4", "-q", "-F", "-d", laboratory.files(16 * MIB), source)
            # -t writes the torrent information alone, into a directory.
            folder = laboratory.folder / "partclone"
            folder.mkdir()
            made = subprocess.run(["partclone.extfs", "-c", "-t", "-s", source, "-O", folder,
                                   "-L", laboratory.folder / "partclone.log"], capture_output=True, text=True, check=False)
            if made.returncode:
                raise AssertionError(made.stdout + made.stderr)
            info = folder / "torrent.info"
            torrent = laboratory.torrent(info, "info.torrent")
            seeder, target = laboratory.daemon("seeder"), laboratory.daemon("target")
            image = laboratory.image("image", 64 * MIB)
            seeder.add(torrent, source, "--seed")
            target.add(torrent, image, "--peer", seeder.peer)
            target.wait_synced()
            self.assertEqual(target.stop(), 0)
            assert_covered_equal(torrent, source, image)
            sh("e2fsck", "-fn", image)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
