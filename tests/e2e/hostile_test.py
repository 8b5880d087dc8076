"""Torrents that were made to hurt: each is refused with one clear line, and nothing is written or left behind."""
import hashlib
import json
import os
import unittest

import lab
from lab import MIB, Failed, Lab, bencode

SIZE = 4 * MIB
PIECE = 256 << 10


def info(files=None, length=None, piece=PIECE, pieces=None, **more):
    """The info dictionary of a v1 torrent of zeros, with what is hostile about it."""
    total = length if files is None else sum(max(0, one["length"]) for one in files if isinstance(one.get("length"), int))
    count = -(-(total or 0) // piece) if piece > 0 else 0
    made = {"name": "0" if files is None else "disk", "piece length": piece,
            "pieces": hashlib.sha1(bytes(max(piece, 0))).digest() * min(count, 4096) if pieces is None else pieces}
    made |= {"length": length} if files is None else {"files": files}
    return made | more


def torrent(**what):
    return bencode({"info": info(**what)})


def file(name, length, **more):
    return {"path": [name], "length": length, **more}


def without(key, **what):
    made = info(**what)
    del made[key]
    return bencode({"info": made})


def good():
    return torrent(files=[file("0", MIB), file("200000", MIB)])


def v2_of_nothing():
    """A version 2 torrent whose one file has no pieces root."""
    tree = {"0": {"": {"length": MIB}}}
    return bencode({"info": {"name": "disk", "piece length": PIECE, "meta version": 2, "file tree": tree}, "piece layers": {}})


def v2_with_a_short_layer():
    root = os.urandom(32)
    tree = {"0": {"": {"length": MIB, "pieces root": root}}}
    return bencode({"info": {"name": "disk", "piece length": PIECE, "meta version": 2, "file tree": tree},
                    "piece layers": {root: os.urandom(32)}})


#: What it is: (its bytes, exit statuses that will do, a word that the line must have or None)
HOSTILE = {
    "empty": (lambda: b"", (2, 3), None),
    "cut in the middle": (lambda: good()[:len(good()) // 2], (3,), None),
    "one byte short": (lambda: good()[:-1], (3,), None),
    "noise": (lambda: os.urandom(4096), (3,), None),
    "no dictionary": (lambda: bencode(["info"]), (3,), None),
    "lists 100000 deep": (lambda: b"l" * 100_000 + b"e" * 100_000, (3,), None),
    "dictionaries 100000 deep in info": (lambda: b"d4:info" + b"d1:a" * 100_000 + b"e" * 100_001, (3,), None),
    "a string said to have 2^63 bytes": (lambda: b"d4:info9223372036854775808:xe", (3,), None),
    "more than 16 MiB": (lambda: bencode({"info": info(length=MIB), "x": bytes(17 * MIB)}), (2, 3), None),
    "no info": (lambda: bencode({"announce": "http://127.0.0.1/"}), (3,), None),
    "no piece length": (lambda: without("piece length", length=MIB), (3,), None),
    "piece length 0": (lambda: torrent(length=MIB, piece=0), (3,), None),
    "negative piece length": (lambda: torrent(length=MIB, piece=-PIECE), (3,), None),
    "piece length 2^31": (lambda: torrent(length=MIB, piece=1 << 31, pieces=bytes(20)), (3,), None),
    "piece length of no block": (lambda: torrent(length=MIB, piece=PIECE + 1), (3,), None),
    "too few piece hashes": (lambda: torrent(length=SIZE, pieces=bytes(20)), (3,), None),
    "half a piece hash": (lambda: torrent(length=MIB, pieces=bytes(4 * 20 - 10)), (3,), None),
    "a name that is no offset": (lambda: torrent(files=[file("0", MIB), file("boot.img", MIB)]), (3,), "boot.img"),
    "a path that climbs": (lambda: torrent(files=[{"path": ["..", "..", "etc", "passwd"], "length": MIB}]), (3,), None),
    "an offset with a sign": (lambda: torrent(files=[file("-1000", MIB)]), (3,), None),
    "a name with a line feed and an escape": (lambda: torrent(files=[file("0\n\x1b[2Jok", MIB)]), (3,), None),
    "an offset of 2^63": (lambda: torrent(files=[file("8000000000000000", MIB)]), (3,), None),
    "an offset of 2^64": (lambda: torrent(files=[file("10000000000000000", MIB)]), (3,), None),
    "an end beyond 2^63": (lambda: torrent(files=[file("7ffffffffffff000", MIB)]), (3,), None),
    "a negative length": (lambda: torrent(files=[file("0", MIB), file("200000", -MIB)]), (3,), None),
    "a length of 2^63 - 1": (lambda: torrent(files=[file("0", (1 << 63) - 1)], pieces=bytes(20)), (3,), None),
    "lengths that add up to more than 2^64": (
        lambda: torrent(files=[file("0", 1 << 62)] + [file(f"{n << 60:x}", 1 << 62) for n in range(1, 6)], pieces=bytes(20)),
        (3,), None),
    "only files without bytes": (lambda: torrent(files=[file("0", 0), file("1000", 0)], pieces=b""), (3,), None),
    "no files": (lambda: torrent(files=[], pieces=b""), (3,), None),
    "padding only": (lambda: torrent(files=[file("0", MIB, attr="p")]), (3,), None),
    "the same extent twice": (lambda: torrent(files=[file("0", MIB), file("0", MIB)]), (3,), None),
    "extents that overlap by a byte": (lambda: torrent(files=[file("0", MIB), file(f"{MIB - 1:x}", MIB)]), (3,), None),
    "version 2 without a root": (v2_of_nothing, (3,), None),
    "version 2 with too short a layer": (v2_with_a_short_layer, (3,), None),
    "an extent far beyond the target": (lambda: torrent(files=[file("0", MIB), file("100000000000", MIB)]), (3,), "too small|needs"),
    "text where a number belongs": (lambda: torrent(files=[{"path": ["0"], "length": "x"}], pieces=bytes(20)), (3,), None),
}


class Hostile(unittest.TestCase):
    def test_each_is_refused_with_one_clear_line_and_leaves_nothing(self):
        self.assertGreaterEqual(len(HOSTILE), 24)
        with Lab() as laboratory:
            daemon = laboratory.daemon("target")
            pid = daemon.process.pid
            image = laboratory.random_image("image", SIZE)
            before = hashlib.sha256(image.read_bytes()).hexdigest()
            for name, (make, statuses, words) in HOSTILE.items():
                with self.subTest(name):
                    bad = laboratory.folder / "bad.torrent"
                    bad.write_bytes(make())
                    done = daemon.ctl("add", bad, image, check=False)
                    self.assertIn(done.returncode, statuses, done.stderr)
                    self.assertEqual(done.stdout, "")
                    self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                    line = done.stderr.rstrip("\n")
                    self.assertTrue(line.startswith("ezioctl: ") and line.isprintable(), line)
                    self.assertLess(len(line), 500)
                    if words:
                        self.assertTrue(any(word in line for word in words.split("|")), line)
                    print(f"{name}: status {done.returncode}: {line}")
                    document = json.loads(daemon.ctl("--json", "add", bad, image, check=False).stdout)
                    self.assertIn(document["error"]["code"], ("invalid-torrent", "invalid-argument", "target-refused",
                                                              "out-of-range"))
                    # What ezioctl says without a daemon agrees, but for what only a target shows.
                    if document["error"]["code"] == "invalid-torrent":
                        self.assertIn(lab.ezioctl("inspect", bad, check=False).returncode, (2, 3))
            self.assertEqual(daemon.torrents_now(), [])
            self.assertEqual(hashlib.sha256(image.read_bytes()).hexdigest(), before, "nothing was written")
            self.assertEqual(daemon.process.pid, pid)
            self.assertFalse([path for path in (daemon.folder / "state").glob("*.torrent")], "nothing is kept")
            # The daemon is as it was.
            daemon.add(self.good_one(laboratory), image, "--paused", "--allow", "too-small")

    @staticmethod
    def good_one(laboratory):
        path = laboratory.folder / "good.torrent"
        path.write_bytes(good())
        return path


if __name__ == "__main__":
    lab.run(__import__("__main__"))
